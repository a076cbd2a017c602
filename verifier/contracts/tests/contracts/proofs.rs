//! Keys and proofs of a circuit whose public inputs are free.

use anyhow::{Context, Result, anyhow};
use ark_bn254::{Bn254, Fr};
use ark_groth16::{Groth16, Proof, ProvingKey, VerifyingKey};
use ark_relations::{
    gr1cs::{ConstraintSynthesizer, ConstraintSystemRef, SynthesisError},
    lc,
};
use ark_std::rand::{SeedableRng, rngs::StdRng};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

/// Public inputs of the class with two lines.
pub(crate) const SMALL: usize = 12;
/// Public inputs of the class with eight lines.
pub(crate) const LARGE: usize = 18;

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

/// A key with some number of inputs; the same seed gives the same key.
pub(crate) fn setup(inputs: usize, seed: u64) -> Result<ProvingKey<Bn254>> {
    let mut random = StdRng::seed_from_u64(seed);
    Groth16::<Bn254>::generate_random_parameters_with_reduction(
        Free(vec![Fr::from(1u64); inputs]),
        &mut random,
    )
    .context("setup")
}

/// The key that tests use for some number of inputs.
pub(crate) fn key(inputs: usize) -> Result<Arc<ProvingKey<Bn254>>> {
    static KEYS: Mutex<BTreeMap<usize, Arc<ProvingKey<Bn254>>>> = Mutex::new(BTreeMap::new());
    let mut keys = KEYS.lock().map_err(|_| anyhow!("another test failed in setup"))?;
    if let Some(key) = keys.get(&inputs) {
        return Ok(Arc::clone(key));
    }
    let key = Arc::new(setup(inputs, inputs as u64)?);
    keys.insert(inputs, Arc::clone(&key));
    Ok(key)
}

/// The verifying key of [`key`].
pub(crate) fn verifying_key(inputs: usize) -> Result<VerifyingKey<Bn254>> {
    Ok(key(inputs)?.vk.clone())
}

/// A proof of these inputs under [`key`]. The randomness follows from the first input, so gas is the same in every run.
pub(crate) fn prove(inputs: &[Fr]) -> Result<Proof<Bn254>> {
    prove_under(&*key(inputs.len())?, inputs)
}

/// A proof of these inputs under some key.
pub(crate) fn prove_under(key: &ProvingKey<Bn254>, inputs: &[Fr]) -> Result<Proof<Bn254>> {
    let seed = inputs.iter().fold(7u64, |seed, input| seed.wrapping_mul(31).wrapping_add(input.0.0[0]));
    let mut random = StdRng::seed_from_u64(seed);
    Groth16::<Bn254>::create_random_proof_with_reduction(Free(inputs.to_vec()), key, &mut random)
        .context("prove")
}
