//! Proof files: one proof, two formats, no other spelling; and no bytes make a reader panic.

use super::golden::{NAMES, bytes, proof};
use nightingale_verifier::{ClaimProof, Context, KeyDigest, VerifyingKey};
use proptest::prelude::*;
use serde_json::{Value, json};

#[test]
fn both_formats_hold_the_same_proof() {
    for name in NAMES {
        let (json, binary) = (bytes(&format!("{name}.proof.json")), bytes(&format!("{name}.proof.bin")));
        let (from_json, from_binary) =
            (ClaimProof::from_file(&json).unwrap(), ClaimProof::from_file(&binary).unwrap());
        assert_eq!(from_json.to_bytes(), binary);
        assert_eq!(from_binary.to_json().as_bytes(), json);
    }
}

fn edited(change: impl FnOnce(&mut Value)) -> String {
    let mut value: Value = serde_json::from_slice(&bytes("claim-2-approve.proof.json")).unwrap();
    change(&mut value);
    match ClaimProof::from_json(value.to_string().as_bytes()) {
        Ok(_) => "accepted".to_owned(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_deviation_is_named() {
    assert_eq!(edited(|_| ()), "accepted");
    let named = [
        (edited(|v| v["more"] = json!(1)), "unknown field `more`"),
        (edited(|v| v["public"]["more"] = json!(1)), "unknown field `more`"),
        (edited(|v| drop(v.as_object_mut().unwrap().remove("key"))), "missing field `key`"),
        (edited(|v| v["format"] = json!("nightingale claim proof 2")), "format"),
        (edited(|v| v["class"] = json!("claim-3")), "class"),
        (edited(|v| v["class"] = json!("claim-8")), "public.nullifiers"),
        (edited(|v| v["key"] = json!("00")), "key digest"),
        (edited(|v| v["public"]["payee"] = json!(5)), "expected a string"),
        (edited(|v| v["public"]["payee"] = json!("0x12")), "public.payee"),
        (edited(|v| v["public"]["nullifiers"][1] = json!("zero")), "public.nullifiers[1]"),
        (edited(|v| v["proof"]["b"][0][1] = json!("0x")), "proof.b"),
        (edited(|v| v["opening"]["reasons"] = json!(["nonsense"])), "opening.reasons"),
        (edited(|v| v["opening"]["reasons"] = json!(["27", "26"])), "opening.reasons"),
        (edited(|v| v["opening"]["reasons"] = json!(["26", "26"])), "opening.reasons"),
        (edited(|v| v["opening"]["approved"] = json!(1)), "expected a boolean"),
    ];
    for (error, expected) in named {
        assert!(error.contains(expected), "`{error}` does not name {expected}");
    }
    let twice =
        String::from_utf8(bytes("claim-2-approve.proof.json")).unwrap().replacen('{', "{\"key\": \"\",", 1);
    let error = ClaimProof::from_json(twice.as_bytes()).unwrap_err().to_string();
    assert!(error.contains("the key `key` stands twice"), "{error}");
}

/// Another reader takes neither a list for an object nor a member that is `null` for one that is absent.
#[test]
fn a_proof_has_one_spelling_of_objects_and_of_what_is_absent() {
    let listed = |pointer: &str| {
        edited(|v| {
            let object = v.pointer_mut(pointer).unwrap();
            *object = json!(object.as_object().unwrap().values().collect::<Vec<_>>());
        })
    };
    for pointer in ["", "/public", "/proof", "/opening"] {
        let error = listed(pointer);
        assert!(error.contains("expected an object"), "{pointer}: {error}");
    }
    let error = edited(|v| v["opening"] = Value::Null);
    assert!(error.contains("invalid type: null, expected an object"), "{error}");
    assert_eq!(edited(|v| drop(v.as_object_mut().unwrap().remove("opening"))), "accepted");
}

#[test]
fn messages_never_show_the_salt() {
    let proof = proof("claim-2-approve");
    let value: Value = serde_json::from_str(&proof.to_json()).unwrap();
    let salt = value["opening"]["salt"].as_str().unwrap();
    assert!(!format!("{proof:?}").contains(&salt[2..]));
    let error = edited(|v| v["opening"]["salt"] = json!(format!("{salt}00")));
    assert!(error.contains("opening.salt") && !error.contains(&salt[2..]), "{error}");
}

proptest! {
    #[test]
    fn no_bytes_make_a_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..1200)) {
        let _ = ClaimProof::from_file(&bytes);
        let _ = ClaimProof::from_bytes(&[b"NGCP\x01\x02\x01", &bytes[..]].concat());
        let _ = VerifyingKey::from_bytes(&[b"NGVK\x01\x01\x07claim-2\x00\x0c", &bytes[..]].concat());
        let _ = Context::from_json(&bytes);
    }

    #[test]
    fn no_mutation_of_a_json_proof_makes_a_reader_panic(at in any::<prop::sample::Index>(), with in "[ -~]{0,6}") {
        let mut text = String::from_utf8(bytes("claim-2-approve.proof.json")).unwrap();
        let at = at.index(text.len());
        text.replace_range(at..at + 1, &with);
        let _ = ClaimProof::from_json(text.as_bytes());
    }

    #[test]
    fn a_key_digest_has_one_spelling(digest in any::<[u8; 32]>()) {
        let text = KeyDigest(digest).to_string();
        prop_assert_eq!(text.parse::<KeyDigest>().unwrap(), KeyDigest(digest));
        prop_assert!(text.to_uppercase() == text || text.to_uppercase().parse::<KeyDigest>().is_err());
    }
}
