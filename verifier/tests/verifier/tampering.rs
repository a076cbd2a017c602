//! Whatever is altered is refused, for the right reason.

use super::golden::{NAMES, bytes, key, proof};
use ark_bn254::{Fq2, G2Affine};
use ark_ff::{AdditiveGroup, Field, PrimeField};
use nightingale_circuits::{
    Fr,
    claim::{Date, PublicInputs, Reason, Reasons, account::Secret},
};
use nightingale_verifier::{ClaimProof, Context, VerifyError, VerifyingKey, verify_claim};

fn verify(proof: &ClaimProof) -> Result<(), VerifyError> {
    verify_claim(&key(proof), proof, &Context::default()).map(|_| ())
}

/// Reads and verifies under the key that the untouched proof names.
fn accepts(bytes: &[u8], key: &VerifyingKey) -> bool {
    ClaimProof::from_file(bytes).and_then(|proof| verify_claim(key, &proof, &Context::default())).is_ok()
}

#[test]
fn every_byte_of_a_binary_proof_counts() {
    for name in ["claim-2-approve", "claim-2-deny"] {
        let whole = bytes(&format!("{name}.proof.bin"));
        let key = key(&proof(name));
        assert!(accepts(&whole, &key));
        for i in 0..whole.len() {
            for mask in [1, 0x80] {
                let mut flipped = whole.clone();
                flipped[i] ^= mask;
                assert!(!accepts(&flipped, &key), "byte {i} of {name} flipped by {mask:#x} is accepted");
            }
        }
    }
}

#[test]
fn every_byte_of_a_json_proof_counts() {
    let whole = bytes("claim-2-deny.proof.json");
    let key = key(&proof("claim-2-deny"));
    assert!(accepts(&whole, &key));
    for i in 0..whole.len() {
        let mut flipped = whole.clone();
        flipped[i] ^= if i % 2 == 0 { 0x01 } else { 0x20 };
        assert!(!accepts(&flipped, &key), "byte {i} flipped is accepted");
    }
}

#[test]
fn a_truncated_or_extended_proof_is_refused() {
    for name in NAMES {
        for file in [format!("{name}.proof.bin"), format!("{name}.proof.json")] {
            let whole = bytes(&file);
            // The JSON file's last byte is a line feed, which may be missing.
            let text = if file.ends_with("json") { whole.trim_ascii_end() } else { &whole[..] };
            for length in (0..text.len()).step_by(7).chain([text.len() - 1]) {
                assert!(ClaimProof::from_file(&text[..length]).is_err(), "{file} cut to {length} bytes");
            }
            for tail in [&b"\0"[..], b"0", b"{}"] {
                assert!(ClaimProof::from_file(&[&whole, tail].concat()).is_err(), "{file} with a tail");
            }
        }
    }
}

/// Each public input, one at a time: the pairing or a check before it must notice.
#[test]
fn every_public_input_is_bound() {
    for name in NAMES {
        let proof = proof(name);
        let inputs = proof.public.to_vec();
        for i in 0..inputs.len() {
            for change in [Fr::ONE, -Fr::ONE, -inputs[i]] {
                if change == Fr::ZERO {
                    continue;
                }
                let mut changed = inputs.clone();
                changed[i] += change;
                let mut other = proof.clone();
                other.public = PublicInputs::from_slice(&changed).unwrap();
                other.opening = None;
                assert!(verify(&other).is_err(), "public input {i} of {name}");
            }
        }
    }
}

#[test]
fn another_amount_or_day_does_not_verify() {
    let mut proof = proof("claim-2-approve");
    let (cents, received, _) = proof.public.unpack_amount().unwrap();
    proof.public.packed = PublicInputs::pack_amount(cents + 100, received);
    assert!(matches!(verify(&proof), Err(VerifyError::Invalid)));
    let earlier = Date::from_days(received.days() - 1).unwrap();
    proof.public.packed = PublicInputs::pack_amount(cents, earlier);
    assert!(matches!(verify(&proof), Err(VerifyError::Invalid)));
    proof.public.packed = PublicInputs::pack_amount(cents, received);
    assert!(verify(&proof).is_ok());
}

#[test]
fn a_number_above_the_modulus_is_refused_rather_than_reduced() {
    let text = String::from_utf8(bytes("claim-2-deny.proof.json")).unwrap();
    let zero = format!("0x{}", "0".repeat(64));
    let modulus = {
        let mut bytes = ark_ff::BigInteger::to_bytes_be(&Fr::MODULUS);
        bytes.splice(..0, std::iter::repeat_n(0, 32 - bytes.len()));
        format!("0x{}", hex::encode(bytes))
    };
    assert!(text.contains(&zero));
    let aliased = text.replacen(&zero, &modulus, 1);
    let error = ClaimProof::from_json(aliased.as_bytes()).unwrap_err();
    assert!(error.to_string().contains("not below the scalar field's modulus"), "{error}");
    let upper = text.replacen("0x1", "0X1", 1);
    assert!(ClaimProof::from_json(upper.as_bytes()).is_err());
}

#[test]
fn an_opening_must_be_the_commitments() {
    let original = proof("claim-2-deny");
    let broken = |change: &dyn Fn(&mut nightingale_verifier::OutcomeOpening)| {
        let mut proof = original.clone();
        change(proof.opening.as_mut().unwrap());
        matches!(verify(&proof), Err(VerifyError::Opening(_)))
    };
    assert!(broken(&|opening| opening.approved = true));
    assert!(broken(&|opening| opening.salt = Secret::new(opening.salt.expose() + Fr::ONE)));
    assert!(broken(&|opening| opening.reasons = Reasons::default()));
    assert!(broken(&|opening| {
        for reason in Reason::ALL {
            opening.reasons.set(reason, true);
        }
    }));
}

#[test]
fn contradicting_public_inputs_are_named_before_the_pairing() {
    let change = |name: &str, change: &dyn Fn(&mut PublicInputs)| {
        let mut proof = proof(name);
        proof.opening = None;
        change(&mut proof.public);
        matches!(verify(&proof), Err(VerifyError::Inconsistent(_)))
    };
    assert!(change("claim-2-deny", &|public| public.next_note = Fr::ONE));
    assert!(change("claim-2-deny", &|public| public.nullifiers[1] = Fr::ONE));
    assert!(change("claim-2-deny", &|public| public.authorisation_tag = Fr::ONE));
    assert!(change("claim-2-deny", &|public| public.packed += Fr::ONE));
    assert!(change("claim-2-approve", &|public| public.next_note = Fr::ZERO));
    assert!(change("claim-2-approve", &|public| public.spend_tag = Fr::ZERO));
    assert!(change("claim-2-approve", &|public| public.nullifiers.fill(Fr::ZERO)));
    assert!(change("claim-2-approve", &|public| public.nullifiers[1] = public.nullifiers[0]));
    assert!(change("claim-8-approve", &|public| public.nullifiers[7] = public.nullifiers[1]));
    assert!(change("claim-2-approve", &|public| public.payee = Fr::ZERO));
}

/// Proof bytes are no identity: this is why nothing may be keyed by them.
#[test]
fn the_negated_proof_verifies_too() {
    let mut proof = proof("claim-2-approve");
    proof.proof.a = -proof.proof.a;
    proof.proof.b = -proof.proof.b;
    assert!(verify(&proof).is_ok());
    proof.proof.c = -proof.proof.c;
    assert!(matches!(verify(&proof), Err(VerifyError::Invalid)));
}

#[test]
fn a_point_of_the_twist_outside_the_group_is_refused() {
    let mut binary = bytes("claim-2-approve.proof.bin");
    // The twist's cofactor is large: the first x that has a y almost surely gives a point outside the group.
    let point = (1u64..)
        .filter_map(|x| G2Affine::get_point_from_x_unchecked(Fq2::from(x), false))
        .find(|point| !point.is_in_correct_subgroup_assuming_on_curve())
        .unwrap();
    let b = binary.len() - 35 - 64 - 128;
    let words = [point.x.c1, point.x.c0, point.y.c1, point.y.c0];
    for (i, word) in words.iter().enumerate() {
        let bytes = ark_ff::BigInteger::to_bytes_be(&word.into_bigint());
        binary[b + 32 * i..b + 32 * (i + 1)].copy_from_slice(&bytes);
    }
    let error = ClaimProof::from_bytes(&binary).unwrap_err();
    assert!(error.to_string().contains("outside the group"), "{error}");
}

#[test]
fn infinity_and_points_off_the_curve_are_refused() {
    let whole = bytes("claim-2-approve.proof.bin");
    let a = whole.len() - 35 - 64 - 128 - 64;
    let mut infinite = whole.clone();
    infinite[a..a + 64].fill(0);
    assert!(ClaimProof::from_bytes(&infinite).unwrap_err().to_string().contains("infinity"));
    let mut off = whole.clone();
    off[a + 63] ^= 1;
    assert!(ClaimProof::from_bytes(&off).unwrap_err().to_string().contains("not on the curve"));
    let mut large = whole;
    large[a..a + 32].fill(0xff);
    assert!(ClaimProof::from_bytes(&large).unwrap_err().to_string().contains("base field's modulus"));
}
