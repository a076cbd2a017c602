//! The checked-in schemas describe what is written, and refuse what the readers refuse.

use super::golden::{NAMES, bytes, path};
use serde_json::{Value, json};
use std::{path::Path, process::Command};

fn schema(name: &str) -> jsonschema::Validator {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas").join(format!("{name}.schema.json"));
    jsonschema::validator_for(&serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap()).unwrap()
}

fn printed(arguments: &[&str], file: &str) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_nightingale-verify"))
        .arg(arguments[0])
        .arg(path(file))
        .args(&arguments[1..])
        .output()
        .unwrap();
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn proofs_verdicts_and_calldata_follow_their_schemas() {
    let keys = path("keys");
    let claim = ["claim", "--keys", keys.to_str().unwrap(), "--json"];
    for name in NAMES {
        let file = format!("{name}.proof.json");
        schema("proof").validate(&serde_json::from_slice(&bytes(&file)).unwrap()).unwrap();
        schema("verdict").validate(&printed(&claim, &file)).unwrap();
        schema("verdict").validate(&printed(&[&claim[..], &["--production"]].concat(), &file)).unwrap();
        schema("calldata").validate(&printed(&["calldata"], &file)).unwrap();
    }
    schema("verdict").validate(&printed(&claim, "no-such-file")).unwrap();
}

#[test]
fn the_proof_schema_refuses_other_fields_and_spellings() {
    let proof: Value = serde_json::from_slice(&bytes("claim-2-approve.proof.json")).unwrap();
    for (pointer, value) in [
        ("/class", json!("claim-3")),
        ("/public/payee", json!("0x12")),
        ("/public/nullifiers", json!([])),
        ("/opening/reasons", json!(["nonsense"])),
        ("/proof", json!({})),
    ] {
        let mut other = proof.clone();
        *other.pointer_mut(pointer).unwrap() = value;
        assert!(!schema("proof").is_valid(&other), "{pointer}");
    }
    let mut unopened = proof.clone();
    unopened["opening"] = Value::Null;
    assert!(!schema("proof").is_valid(&unopened));
    assert!(!schema("proof").is_valid(&json!([])));
    let mut more = proof;
    more["more"] = json!(1);
    assert!(!schema("proof").is_valid(&more));
}

#[test]
fn the_expectation_schema_takes_a_requests_epoch() {
    let request: Value = serde_json::from_slice(&bytes("claim-2-approve.request.json")).unwrap();
    let schema = schema("expectation");
    schema
        .validate(&json!({ "epoch": request["epoch"], "received": "2025-01-31", "key_kind": "production" }))
        .unwrap();
    assert!(!schema.is_valid(&json!({ "epoch_root": 5 })));
    assert!(!schema.is_valid(&json!({ "epoch_root": null })));
    assert!(!schema.is_valid(&json!([])));
    assert!(!schema.is_valid(&json!({ "surprise": true })));
}
