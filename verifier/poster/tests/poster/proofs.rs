//! Proofs of a circuit whose public inputs are free: real Groth16, of claims that a test chooses.

use super::anvil::TODAY;
use alloy_primitives::{Address, B256, keccak256};
use anyhow::{Context, Result};
use ark_bn254::{Bn254, Fr};
use ark_ff::PrimeField;
use ark_groth16::{Groth16, ProvingKey};
use ark_relations::{
    gr1cs::{ConstraintSynthesizer, ConstraintSystemRef, SynthesisError},
    lc,
};
use ark_std::rand::{SeedableRng, rngs::StdRng};
use nightingale_circuits::claim::{Date, PublicInputs, SizeClass};
use nightingale_contracts::calldata;
use nightingale_verifier::{ClaimProof, KeyKind, VerifyingKey};
use std::sync::OnceLock;

/// Each public input is squared, so each is constrained, and all may have any value.
struct Free(Vec<Fr>);

impl ConstraintSynthesizer<Fr> for Free {
    fn generate_constraints(self, cs: ConstraintSystemRef<Fr>) -> Result<(), SynthesisError> {
        for value in self.0 {
            let input = cs.new_input_variable(|| Ok(value))?;
            let square = cs.new_witness_variable(|| Ok(value * value))?;
            cs.enforce_r1cs_constraint(|| lc!() + input, || lc!() + input, || lc!() + square)?;
        }
        Ok(())
    }
}

fn setup(class: SizeClass) -> Result<ProvingKey<Bn254>> {
    let mut random = StdRng::seed_from_u64(class.lines() as u64);
    let inputs = vec![Fr::from(1u64); 10 + class.lines()];
    Groth16::<Bn254>::generate_random_parameters_with_reduction(Free(inputs), &mut random).context("setup")
}

fn proving_key(class: SizeClass) -> Result<&'static ProvingKey<Bn254>> {
    static KEYS: [OnceLock<ProvingKey<Bn254>>; 2] = [OnceLock::new(), OnceLock::new()];
    let slot = &KEYS[usize::from(class == SizeClass::Eight)];
    if let Some(key) = slot.get() {
        return Ok(key);
    }
    let made = setup(class)?;
    Ok(slot.get_or_init(|| made))
}

pub(crate) fn key(class: SizeClass) -> Result<VerifyingKey> {
    Ok(VerifyingKey::new(class, KeyKind::Development, proving_key(class)?.vk.clone())?)
}

/// A field element that nobody else has: from a label.
pub(crate) fn element(label: &str) -> Fr {
    Fr::from_be_bytes_mod_order(keccak256(label).as_slice())
}

pub(crate) fn root(label: &str) -> B256 {
    calldata::word(element(label))
}

/// An approval of 123.45 with one paid line, received today; everything unique follows from the label.
pub(crate) fn approval(label: &str, payee: Address) -> Result<PublicInputs> {
    let of = |what: &str| element(&format!("{label} {what}"));
    Ok(PublicInputs {
        epoch_root: element("epoch"),
        consent_root: element("consents"),
        account_root: element("accounts"),
        claim_commitment: of("commitment"),
        payee: Fr::from_be_bytes_mod_order(payee.as_slice()),
        packed: PublicInputs::pack_amount(12_345, Date::from_days(TODAY)?),
        outcome_commitment: of("outcome"),
        spend_tag: of("spend tag"),
        next_note: of("next note"),
        authorisation_tag: Fr::from(0u64),
        nullifiers: vec![of("nullifier"), Fr::from(0u64)],
    })
}

/// Proves whatever the public inputs say.
pub(crate) fn prove(public: PublicInputs) -> Result<ClaimProof> {
    let class = if public.nullifiers.len() == 2 { SizeClass::Two } else { SizeClass::Eight };
    let inputs = public.to_vec();
    let mut random =
        StdRng::seed_from_u64(inputs.iter().fold(7, |seed, input| seed ^ input.into_bigint().0[0]));
    let key = proving_key(class)?;
    let proof = Groth16::<Bn254>::create_random_proof_with_reduction(Free(inputs), key, &mut random)?;
    Ok(ClaimProof { class, key: self::key(class)?.digest(), public, proof, opening: None })
}
