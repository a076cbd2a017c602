//! Expectation files: the epoch as a root or in full, and each wrong element by its name.

use super::golden::{bytes, key, proof};
use ark_bn254::{Fr, G1Affine, G2Affine};
use ark_ec::{AffineRepr, CurveGroup};
use nightingale_verifier::{
    ClaimProof, Context, KeyKind, VerifyError, VerifyingKey, expectation::parse_date, verify_claim,
};
use serde_json::{Value, json};

/// The epoch of the golden request, which the payer publishes.
fn epoch() -> Value {
    let request: Value = serde_json::from_slice(&bytes("claim-2-approve.request.json")).unwrap();
    request["epoch"].clone()
}

fn verify(expectation: &Value) -> Result<(), VerifyError> {
    let proof = proof("claim-2-approve");
    let context = Context::from_json(expectation.to_string().as_bytes())?;
    verify_claim(&key(&proof), &proof, &context).map(|_| ())
}

#[test]
fn an_epoch_in_full_is_held_against_the_proofs_root() {
    assert!(verify(&json!({ "epoch": epoch() })).is_ok());
    let changes = [
        ("/payer", json!("another payer")),
        ("/venue/chain_id", json!(1)),
        ("/venue/contract", json!(format!("0x{}", "12".repeat(20)))),
        ("/number", json!(4_000_000_000u64)),
        ("/policy_root", epoch()["provider_root"].clone()),
    ];
    for (pointer, value) in changes {
        let mut other = epoch();
        *other.pointer_mut(pointer).unwrap() = value;
        let error = verify(&json!({ "epoch": other })).unwrap_err();
        assert!(matches!(error, VerifyError::Context { .. }), "{pointer}: {error}");
        assert!(error.to_string().contains("payer, chain, contract"), "{error}");
    }
}

#[test]
fn a_wrong_element_is_named() {
    let root = format!("0x{}", "00".repeat(32));
    let wrong = [
        (json!({ "epoch_root": root, "epoch": epoch() }), "epoch_root"),
        (json!({ "epoch_root": "0x12" }), "epoch_root"),
        (json!({ "claim_commitment": format!("0x{}", "ff".repeat(32)) }), "claim_commitment"),
        (json!({ "payee": "0x12" }), "payee"),
        (json!({ "received": "2025-02-30" }), "received"),
        (json!({ "key_kind": "test" }), "key kind"),
        (json!({ "surprise": 1 }), "surprise"),
        (json!({ "epoch": { "payer": "" } }), "venue"),
    ];
    for (file, element) in wrong {
        let error = verify(&file).unwrap_err().to_string();
        assert!(error.contains(element), "`{error}` does not name {element}");
    }
}

/// What is there is meant to be checked: `null` would pass for what nobody expects anything of.
#[test]
fn a_member_that_is_null_and_a_list_of_values_are_refused() {
    let members = [
        "epoch_root",
        "epoch",
        "consent_root",
        "account_root",
        "claim_commitment",
        "payee",
        "received",
        "key_digest",
        "key_kind",
    ];
    for member in members {
        let error = verify(&json!({ member: null })).unwrap_err();
        assert!(error.to_string().contains("invalid type: null"), "{member}: {error}");
        assert!(error.is_unreadable(), "{member}: {error}");
    }
    let listed = |mut file: Value, pointer: &str| {
        let object = file.pointer_mut(pointer).unwrap();
        *object = json!(object.as_object().unwrap().values().collect::<Vec<_>>());
        verify(&file).unwrap_err().to_string()
    };
    for pointer in ["", "/epoch", "/epoch/venue"] {
        let error = listed(json!({ "epoch": epoch() }), pointer);
        assert!(error.contains("expected an object"), "{pointer}: {error}");
    }
    let twice = r#"{"payee": "0x12", "payee": "0x13"}"#;
    let error = Context::from_json(twice.as_bytes()).unwrap_err().to_string();
    assert!(error.contains("stands twice"), "{error}");
    assert!(verify(&json!({})).is_ok());
}

/// A proof under a key that is labelled as a ceremony's, and has nothing of the development keys where that shows. It does not verify.
fn of_production() -> (ClaimProof, VerifyingKey) {
    let mut proof = proof("claim-2-approve");
    let mut groth16 = key(&proof).groth16().clone();
    groth16.alpha_g1 = (G1Affine::generator() * Fr::from(5)).into_affine();
    groth16.beta_g2 = (G2Affine::generator() * Fr::from(6)).into_affine();
    groth16.delta_g2 = (G2Affine::generator() * Fr::from(7)).into_affine();
    let key = VerifyingKey::new(proof.class, KeyKind::Production, groth16).unwrap();
    proof.key = key.digest();
    (proof, key)
}

#[test]
fn a_key_of_another_kind_is_refused_whichever_is_expected() {
    let (ceremony, production) = of_production();
    let development = proof("claim-2-approve");
    let judge = |kind: &str, key: &VerifyingKey, proof: &ClaimProof| {
        let context = Context::from_json(json!({ "key_kind": kind }).to_string().as_bytes()).unwrap();
        verify_claim(key, proof, &context).map(|_| ())
    };
    assert!(judge("development", &key(&development), &development).is_ok());
    let refused = judge("production", &key(&development), &development);
    assert!(matches!(refused, Err(VerifyError::DevelopmentKey(_))), "{refused:?}");
    let refused = judge("development", &production, &ceremony);
    assert!(matches!(refused, Err(VerifyError::Context { what: "key kind", .. })), "{refused:?}");
    // Of the kind that is expected, it is judged as a proof.
    let invalid = judge("production", &production, &ceremony);
    assert!(matches!(invalid, Err(VerifyError::Invalid)), "{invalid:?}");
}

#[test]
fn dates_have_one_spelling() {
    assert!(parse_date("2024-02-29").is_ok());
    for bad in
        ["2023-02-29", "2024-2-29", "2024-02-29-1", "24-02-29", "", "2024/02/29", "+024-02-29", "1900-01-01"]
    {
        assert!(parse_date(bad).is_err(), "{bad}");
    }
}
