//! Claim proofs in both formats, and what a reader holds beside them.
#![expect(clippy::panic, reason = "a property that does not hold ends the process")]

use nightingale_circuits::claim::SizeClass;
use nightingale_verifier::{
    ClaimProof, Context, Explanation, KeyKind, Verified, VerifyingKey, calldata::Calldata, fhir, snarkjs,
    verify_claim, x12,
};
use std::sync::LazyLock;

macro_rules! golden {
    ($name:literal) => {
        include_bytes!(concat!("../../tests/golden/", $name))
    };
}

/// The proofs that this project publishes with its keys: the only statements that anybody can have a proof of here.
static PROOFS: LazyLock<Vec<ClaimProof>> = LazyLock::new(|| {
    let files: [&[u8]; 3] = [
        golden!("claim-2-approve.proof.bin"),
        golden!("claim-2-deny.proof.bin"),
        golden!("claim-8-approve.proof.bin"),
    ];
    files.into_iter().map(|file| known(ClaimProof::from_bytes(file))).collect()
});

static KEYS: LazyLock<[VerifyingKey; 2]> = LazyLock::new(|| {
    let files: [&[u8]; 2] = [
        golden!("keys/claim-2.38c45b6a2d59c7b0595d308a3d62b1dce41650413c85b0e8e3371402880dc3f9.vk"),
        golden!("keys/claim-8.96902d47e3a87deff5b112221d99adbca739626ab5d607f52f22201a9149d56c.vk"),
    ];
    files.map(|file| known(VerifyingKey::from_bytes(file)))
});

fn known<T, E: std::fmt::Display>(read: Result<T, E>) -> T {
    read.unwrap_or_else(|error| panic!("a file of this repository: {error}"))
}

/// The key of a class, whatever key a proof names.
fn key(class: SizeClass) -> &'static VerifyingKey {
    let [small, large] = &*KEYS;
    if small.class() == class { small } else { large }
}

/// A proof file. What is read is written as it was read; what verifies is one of the statements that were proven.
pub fn claim_proof(bytes: &[u8]) {
    let Ok(mut proof) = ClaimProof::from_file(bytes) else { return };
    let (binary, json) = (proof.to_bytes(), proof.to_json());
    assert!(bytes.starts_with(b"NGCP") != (binary != bytes), "a binary proof has a byte that says nothing");
    let of_json = ClaimProof::from_file(json.as_bytes());
    assert!(of_json.is_ok_and(|read| read.to_bytes() == binary && read.to_json() == json));
    let of_binary = ClaimProof::from_file(&binary);
    assert!(of_binary.is_ok_and(|read| read.to_json() == json));
    assert_eq!(Calldata::from(&proof).inputs.len(), proof.public.to_vec().len());
    let _ = snarkjs::proof(&proof);
    let key = key(proof.class);
    let named = proof.key == key.digest();
    // A reader looks the key up by what the proof names; under the class's own key is more than that.
    proof.key = key.digest();
    if let Ok(verified) = verify_claim(key, &proof, &Context::default()) {
        assert!(is_known(&proof), "a statement that nobody proved verifies");
        assert!(verified.reasons.is_some() == proof.opening.is_some());
        if named {
            say(&proof, &verified, None);
        }
    }
}

/// Whether a proof says what one of the published proofs says: its public inputs, and where it is opened, the same opening.
fn is_known(proof: &ClaimProof) -> bool {
    let opening = |proof: &ClaimProof| {
        proof
            .opening
            .as_ref()
            .map(|opening| (opening.approved, opening.reasons.bits(), opening.salt.expose()))
    };
    PROOFS.iter().any(|known| {
        known.public.to_vec() == proof.public.to_vec()
            && (proof.opening.is_none() || opening(known) == opening(proof))
    })
}

/// What a reader writes about a verified proof.
fn say(proof: &ClaimProof, verified: &Verified, explanation: Option<&Explanation>) {
    let response = fhir::claim_response(proof, verified, explanation);
    assert!(serde_json::from_str::<serde_json::Value>(&response).is_ok());
    let remittance = x12::remittance(proof, verified, explanation, "A 1");
    assert!(remittance.is_ok_and(|text| text.contains("CLP")));
}

/// An expectation file and an explanation: what contradicts the proof is refused, what agrees can be written out.
pub fn claim_context(bytes: &[u8]) {
    for proof in PROOFS.iter() {
        let key = key(proof.class);
        if let Ok(context) = Context::from_json(bytes) {
            let judged = verify_claim(key, proof, &context);
            let public = &proof.public;
            let fits = [
                (context.epoch_root, public.epoch_root),
                (context.consent_root, public.consent_root),
                (context.account_root, public.account_root),
                (context.claim_commitment, public.claim_commitment),
            ];
            let fits =
                fits.iter().all(|(expected, found)| expected.is_none_or(|expected| expected == *found));
            assert!(fits || judged.is_err(), "a proof passes that is not what was expected");
            assert!(
                context.key_kind != Some(KeyKind::Production) || judged.is_err(),
                "a development key passes as a production key"
            );
        }
        let verified = known(verify_claim(key, proof, &Context::default()));
        if let Ok(explanation) = Explanation::from_json(bytes, &verified) {
            let paid = explanation.lines().iter().map(|line| line.pay_cents).sum::<u64>();
            assert_eq!(paid, verified.payable_cents);
            for (line, is_allowed) in explanation.lines().iter().zip(&verified.allowed) {
                let is_priced = line.noncovered_cents == 0;
                let is_denied = line.allowed_cents == 0 && !line.reasons.is_empty();
                assert!(
                    if *is_allowed { is_priced } else { is_denied },
                    "a line is explained as the proof has it not"
                );
            }
            say(proof, &verified, Some(&explanation));
        }
    }
}
