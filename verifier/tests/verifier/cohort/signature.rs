//! The sponsor's signatures: each counts, and only the sponsor's.

use super::{DATASET, KEYS, bytes, proof};
use k256::ecdsa::SigningKey;
use nightingale_circuits::{claim::Address, cohort::Keccak};
use nightingale_verifier::{
    VerifyError,
    cohort::{
        Dataset, Expectation, Signature, signature::registration_message, verify_query, verify_registration,
        verify_sponsor,
    },
};
use serde_json::Value;

fn key(byte: u8) -> SigningKey {
    SigningKey::from_slice(&[byte; 32]).unwrap()
}

/// The 64 bytes of EIP-2098.
fn sign(key: &SigningKey, digest: &Keccak) -> Signature {
    let (signature, parity) = key.sign_prehash_recoverable(digest).unwrap();
    let mut bytes: [u8; 64] = signature.to_bytes().into();
    bytes[32] |= u8::from(parity.is_y_odd()) << 7;
    Signature(bytes)
}

fn address(key: &SigningKey) -> Address {
    let digest = [7; 32];
    sign(key, &digest).signer(&digest).unwrap()
}

fn signed(key: &SigningKey) -> Dataset {
    let mut dataset = DATASET.clone();
    dataset.sign(address(key), &mut |digest| Ok::<_, VerifyError>(sign(key, digest))).unwrap();
    dataset
}

#[test]
fn the_address_is_that_of_the_key() {
    // The well-known first account of anvil and hardhat.
    let secret = hex::decode("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80").unwrap();
    let key = SigningKey::from_slice(&secret).unwrap();
    assert_eq!(hex::encode(address(&key).0), "f39fd6e51aad88f6f4ce6ab8827279cfffb92266");
}

#[test]
fn a_signed_dataset_says_who_signed() {
    let (sponsor, stranger) = (key(1), key(2));
    let dataset = signed(&sponsor);
    let read = Dataset::from_json(dataset.to_json().as_bytes()).unwrap();
    assert_eq!(read.digest(), DATASET.digest(), "signatures are not part of what is signed");
    assert_eq!(verify_registration(&read, &KEYS, false).unwrap().sponsor, Some(address(&sponsor)));
    let expecting =
        |sponsor: &SigningKey| Expectation { sponsor: Some(address(sponsor)), ..Expectation::default() };
    let proof = proof("narrow-plan.json");
    verify_query(&read, &proof, &expecting(&sponsor), &KEYS).unwrap();
    assert!(verify_query(&read, &proof, &expecting(&stranger), &KEYS).is_err());
    assert!(verify_query(&DATASET, &proof, &expecting(&sponsor), &KEYS).is_err(), "nobody signed");
    assert_eq!(verify_sponsor(&DATASET, None).unwrap(), None);
}

#[test]
fn another_account_does_not_sign_a_signed_dataset() {
    let mut dataset = signed(&key(1));
    let other = key(2);
    let result = dataset.sign(address(&other), &mut |digest| Ok::<_, VerifyError>(sign(&other, digest)));
    assert!(matches!(result, Err(VerifyError::Context { what: "sponsor", .. })));
}

#[test]
fn every_signature_counts() {
    let dataset = signed(&key(1));
    let file: Value = serde_json::from_str(&dataset.to_json()).unwrap();
    let refused = |what: &str, change: &dyn Fn(&mut Value)| {
        let mut altered = file.clone();
        change(&mut altered);
        assert_ne!(altered, file, "{what}");
        let read = Dataset::from_json(altered.to_string().as_bytes());
        assert!(read.and_then(|dataset| verify_sponsor(&dataset, None)).is_err(), "{what}");
    };
    refused("another address", &|file| file["sponsor"]["address"] = format!("0x{}", "11".repeat(20)).into());
    refused("the consents' signature for the dataset", &|file| {
        file["sponsor"]["signature"] = file["tables"][0]["consents"][0]["signature"].clone();
    });
    refused("no signature of the consents", &|file| {
        file["tables"][0]["consents"][0].as_object_mut().unwrap().remove("signature");
    });
    refused("other consents", &|file| {
        file["tables"][0]["consents"][0]["commitment"] = file["tables"][0]["commitments"][0].clone();
    });
    refused("the other table's", &|file| {
        file["tables"][0]["consents"][0]["signature"] = file["tables"][1]["consents"][0]["signature"].clone();
    });
    refused("a version more, unsigned", &|file| {
        let again = file["tables"][0]["consents"][0].clone();
        file["tables"][0]["consents"].as_array_mut().unwrap().push(again);
    });
}

#[test]
fn what_is_no_signature_is_nobodys() {
    let (key, message) = (key(3), registration_message(DATASET.digest()));
    assert_eq!(Signature([0; 64]).signer(&message), None);
    assert_eq!(Signature([0xff; 64]).signer(&message), None);
    let mut other = sign(&key, &message);
    assert_eq!(other.signer(&message), Some(address(&key)));
    other.0[32] ^= 0x80;
    assert_ne!(other.signer(&message), Some(address(&key)));
}

#[test]
fn the_signed_file_follows_its_schema() {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/cohort-dataset.schema.json");
    let schema: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let schema = jsonschema::validator_for(&schema).unwrap();
    schema.validate(&serde_json::from_str(&signed(&key(1)).to_json()).unwrap()).unwrap();
    assert!(bytes("dataset.json").len() < signed(&key(1)).to_json().len());
}
