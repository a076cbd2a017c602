//! A valid proof about something else than the reader expects is refused, and says what differs.

use super::golden::{key, proof};
use ark_ff::Field;
use nightingale_circuits::{
    Fr,
    claim::{Address, Date},
};
use nightingale_verifier::{Context, KeyDigest, KeyKind, VerifyError, verify_claim};

#[test]
fn accepts_what_is_expected_and_names_what_is_not() {
    let proof = proof("claim-2-approve");
    let key = key(&proof);
    let verified = verify_claim(&key, &proof, &Context::default()).unwrap();
    let public = &proof.public;
    let expected = Context {
        epoch_root: Some(public.epoch_root),
        consent_root: Some(public.consent_root),
        account_root: Some(public.account_root),
        claim_commitment: Some(public.claim_commitment),
        payee: Some(verified.payee),
        received: Some(verified.received),
        consents: None,
        key: Some(proof.key),
        key_kind: Some(verified.kind),
    };
    assert_eq!(verify_claim(&key, &proof, &expected).unwrap(), verified);
    let other = |root: Fr| Some(root + Fr::ONE);
    let others = [
        ("epoch root", Context { epoch_root: other(public.epoch_root), ..expected.clone() }),
        ("consent root", Context { consent_root: other(public.consent_root), ..expected.clone() }),
        ("account root", Context { account_root: other(public.account_root), ..expected.clone() }),
        (
            "claim commitment",
            Context { claim_commitment: other(public.claim_commitment), ..expected.clone() },
        ),
        ("payee", Context { payee: Some(Address([7; 20])), ..expected.clone() }),
        ("received date", Context { received: Some(Date::MIN), ..expected.clone() }),
        ("key", Context { key: Some(KeyDigest([7; 32])), ..expected.clone() }),
    ];
    for (what, context) in others {
        let error = verify_claim(&key, &proof, &context).unwrap_err();
        assert!(
            matches!(&error, VerifyError::Context { what: named, .. } if named.starts_with(what)),
            "{error}"
        );
    }
}

#[test]
fn a_development_key_can_be_ruled_out() {
    let proof = proof("claim-2-approve");
    let context = Context { key_kind: Some(KeyKind::Production), ..Context::default() };
    let result = verify_claim(&key(&proof), &proof, &context);
    assert!(matches!(result, Err(VerifyError::DevelopmentKey(digest)) if digest == proof.key));
}
