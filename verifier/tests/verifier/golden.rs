//! The golden files, and that they verify.

use nightingale_circuits::claim::SizeClass;
use nightingale_verifier::{
    ClaimProof, Context, Decision, KeyDirectory, KeyKind, VerifyingKey, verify_claim,
};
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

pub(super) const NAMES: [&str; 3] = ["claim-2-approve", "claim-2-deny", "claim-8-approve"];

pub(super) fn path(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(file)
}

pub(super) fn bytes(file: &str) -> Vec<u8> {
    fs::read(path(file)).unwrap()
}

pub(super) fn proof(name: &str) -> ClaimProof {
    ClaimProof::from_json(&bytes(&format!("{name}.proof.json"))).unwrap()
}

pub(super) fn key(proof: &ClaimProof) -> VerifyingKey {
    KeyDirectory::new(path("keys")).key(proof.class, proof.key).unwrap()
}

pub(super) fn explanation(name: &str) -> Value {
    serde_json::from_slice(&bytes(&format!("{name}.explain.json"))).unwrap()
}

/// The explanation is made by the native rules, without any proof: the truth that the verdict must equal.
#[test]
fn says_what_the_native_rules_said() {
    for name in NAMES {
        let proof = proof(name);
        let key = key(&proof);
        assert_eq!(key.kind(), KeyKind::Development);
        let verified = verify_claim(&key, &proof, &Context::default()).unwrap();
        let expected = explanation(name);
        assert_eq!(expected["decision"], verified.decision.name());
        assert_eq!(expected["payable_cents"], verified.payable_cents);
        let reasons: Vec<&str> = verified.reasons.unwrap().iter().map(|reason| reason.carc()).collect();
        assert_eq!(expected["reasons"], serde_json::json!(reasons));
        assert_eq!(verified.decision == Decision::Approve, name.ends_with("approve"));
        assert_eq!(verified.class == SizeClass::Two, name.starts_with("claim-2"));
        let mut allowed = vec![false; verified.class.lines()];
        for (i, line) in expected["lines"].as_array().unwrap().iter().enumerate() {
            allowed[i] = line["reasons"] == serde_json::json!([]);
        }
        assert_eq!(verified.allowed, allowed);
    }
}

#[test]
fn verifies_without_an_opening_but_then_knows_no_reasons() {
    let mut proof = proof("claim-2-deny");
    proof.opening = None;
    let verified = verify_claim(&key(&proof), &proof, &Context::default()).unwrap();
    assert_eq!((verified.decision, verified.reasons), (Decision::Deny, None));
}

#[test]
fn verifies_within_three_milliseconds() {
    let proof = proof("claim-8-approve");
    let key = key(&proof);
    let once = || {
        let start = Instant::now();
        verify_claim(&key, &proof, &Context::default()).unwrap();
        start.elapsed()
    };
    // The least of many, because the machine may be busy.
    let best = (0..200).map(|_| once()).min().unwrap();
    assert!(best < Duration::from_millis(3), "{best:?}");
}
