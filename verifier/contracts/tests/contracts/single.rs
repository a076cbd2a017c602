//! One proof at a time, straight to its verifier.

use super::{
    proofs::{self, LARGE, SMALL},
    world::{DEPLOYER, NOON, STRANGER, element},
};
use alloy_primitives::{Address, Bytes, U256};
use alloy_sol_types::SolError;
use anyhow::{Context, Result, ensure};
use ark_bn254::{Fq, Fr, G1Affine};
use ark_ff::{BigInteger, PrimeField};
use nightingale_contracts::{
    Error,
    bindings::ClaimVerifier::{InputNotInField, MalformedEntries, ProofRejected},
    calldata,
    chain::{Chain, LOCAL_CHAIN},
};

fn verifier(chain: &mut Chain, inputs: usize) -> Result<Address> {
    let code = calldata::verifier_creation_code(&proofs::verifying_key(inputs)?)?;
    Ok(chain.deploy(DEPLOYER, code)?)
}

pub(crate) fn inputs(count: usize, label: &str) -> Vec<Fr> {
    (0..count).map(|index| element(&format!("{label} {index}"))).collect()
}

pub(crate) fn entry(count: usize, label: &str) -> Result<Vec<u8>> {
    let inputs = inputs(count, label);
    Ok(calldata::entry(&proofs::prove(&inputs)?, &inputs))
}

/// A verifier on a chain, and one entry that it accepts.
pub(crate) struct Bench {
    pub(crate) chain: Chain,
    pub(crate) verifier: Address,
    pub(crate) entry: Vec<u8>,
}

impl Bench {
    pub(crate) fn new(count: usize) -> Result<Self> {
        let mut chain = Chain::new(LOCAL_CHAIN, NOON);
        let verifier = verifier(&mut chain, count)?;
        Ok(Self { chain, verifier, entry: entry(count, "single")? })
    }

    pub(crate) fn send(&mut self, entries: Vec<u8>) -> Result<Bytes, Error> {
        self.chain.call(STRANGER, self.verifier, entries.into()).map(|receipt| receipt.output)
    }

    pub(crate) fn refuses<E: SolError>(&mut self, entries: Vec<u8>) -> Result<E> {
        refused(self.send(entries))
    }
}

pub(crate) fn refused<E: SolError>(result: Result<Bytes, Error>) -> Result<E> {
    match result {
        Err(Error::Reverted(output)) => {
            E::abi_decode(&output).with_context(|| format!("another error: {output}"))
        }
        other => anyhow::bail!("not refused: {other:?}"),
    }
}

fn truth() -> Bytes {
    U256::ONE.to_be_bytes_vec().into()
}

#[test]
fn accepts_a_valid_proof_of_either_class() -> Result<()> {
    for count in [SMALL, LARGE, 11, 42] {
        let mut bench = Bench::new(count)?;
        ensure!(bench.send(bench.entry.clone())? == truth(), "{count} inputs");
    }
    Ok(())
}

#[test]
fn accepts_inputs_that_are_zero_or_the_largest_element() -> Result<()> {
    let mut values = inputs(SMALL, "edge");
    values[0] = Fr::from(0u64);
    values[11] = Fr::from(0u64);
    values[5] = -Fr::from(1u64);
    let mut bench = Bench::new(SMALL)?;
    let entry = calldata::entry(&proofs::prove(&values)?, &values);
    ensure!(bench.send(entry)? == truth());
    let zeros = vec![Fr::from(0u64); SMALL];
    ensure!(bench.send(calldata::entry(&proofs::prove(&zeros)?, &zeros))? == truth());
    Ok(())
}

#[test]
fn rejects_every_word_of_the_entry_when_it_is_changed() -> Result<()> {
    let mut bench = Bench::new(SMALL)?;
    for word in 0..8 + SMALL {
        let mut changed = bench.entry.clone();
        changed[32 * word + 31] ^= 1;
        bench.refuses::<ProofRejected>(changed).with_context(|| format!("word {word}"))?;
    }
    Ok(())
}

#[test]
fn rejects_an_input_set_to_zero_although_its_multiplication_is_skipped() -> Result<()> {
    let mut bench = Bench::new(SMALL)?;
    for input in 0..SMALL {
        let mut changed = bench.entry.clone();
        changed[256 + 32 * input..288 + 32 * input].fill(0);
        bench.refuses::<ProofRejected>(changed)?;
    }
    Ok(())
}

#[test]
fn rejects_an_input_that_aliases_another_by_the_order() -> Result<()> {
    let mut bench = Bench::new(SMALL)?;
    let order = U256::from_be_slice(&Fr::MODULUS.to_bytes_be());
    for input in [0, 5, SMALL - 1] {
        let at = 256 + 32 * input;
        let mut changed = bench.entry.clone();
        let aliased = U256::from_be_slice(&changed[at..at + 32]) + order;
        changed[at..at + 32].copy_from_slice(&aliased.to_be_bytes::<32>());
        let error: InputNotInField = bench.refuses(changed)?;
        ensure!(error.entry.is_zero() && error.input == U256::from(input));
    }
    let mut changed = bench.entry.clone();
    changed[256..288].copy_from_slice(&order.to_be_bytes::<32>());
    bench.refuses::<InputNotInField>(changed)?;
    Ok(())
}

#[test]
fn rejects_coordinates_that_alias_others_by_the_field() -> Result<()> {
    let mut bench = Bench::new(SMALL)?;
    let field = U256::from_be_slice(&Fq::MODULUS.to_bytes_be());
    for word in 0..8 {
        let mut changed = bench.entry.clone();
        let aliased = U256::from_be_slice(&changed[32 * word..32 * word + 32]) + field;
        changed[32 * word..32 * word + 32].copy_from_slice(&aliased.to_be_bytes::<32>());
        bench.refuses::<ProofRejected>(changed)?;
    }
    Ok(())
}

#[test]
fn rejects_calldata_of_another_length() -> Result<()> {
    let mut bench = Bench::new(SMALL)?;
    let entry = bench.entry.clone();
    bench.refuses::<MalformedEntries>(Vec::new())?;
    bench.refuses::<MalformedEntries>(entry[..entry.len() - 1].to_vec())?;
    bench.refuses::<MalformedEntries>(entry[..entry.len() - 32].to_vec())?;
    bench.refuses::<MalformedEntries>([entry.as_slice(), &[0; 32]].concat())?;
    bench.refuses::<MalformedEntries>([entry.as_slice(), &[0; 1]].concat())?;
    bench.refuses::<MalformedEntries>([&[0x8e, 0x76, 0x0a, 0xfe], entry.as_slice()].concat())?;
    for size in (0..2 * entry.len()).filter(|size| size % entry.len() != 0) {
        bench.refuses::<MalformedEntries>([entry.as_slice(), &entry][..].concat()[..size].to_vec())?;
    }
    Ok(())
}

#[test]
fn rejects_points_at_infinity_and_off_the_curve() -> Result<()> {
    let mut bench = Bench::new(SMALL)?;
    for (from, to) in [(0, 64), (64, 192), (192, 256), (0, 256)] {
        let mut changed = bench.entry.clone();
        changed[from..to].fill(0);
        bench.refuses::<ProofRejected>(changed)?;
        let mut changed = bench.entry.clone();
        changed[from..to].fill(1);
        bench.refuses::<ProofRejected>(changed)?;
    }
    Ok(())
}

#[test]
fn rejects_a_proof_under_another_key() -> Result<()> {
    let other = proofs::setup(SMALL, 99)?;
    let values = inputs(SMALL, "single");
    let foreign = calldata::entry(&proofs::prove_under(&other, &values)?, &values);
    Bench::new(SMALL)?.refuses::<ProofRejected>(foreign)?;
    let mut chain = Chain::new(LOCAL_CHAIN, NOON);
    let verifier = chain.deploy(DEPLOYER, calldata::verifier_creation_code(&other.vk)?)?;
    let entry = entry(SMALL, "single")?;
    refused::<ProofRejected>(chain.call(STRANGER, verifier, entry.into()).map(|receipt| receipt.output))?;
    Ok(())
}

#[test]
fn accepts_the_mirrored_proof_so_replay_must_never_rest_on_proof_bytes() -> Result<()> {
    let values = inputs(SMALL, "single");
    let mut proof = proofs::prove(&values)?;
    proof.a = -proof.a;
    proof.b = -proof.b;
    let mut bench = Bench::new(SMALL)?;
    ensure!(bench.send(calldata::entry(&proof, &values))? == truth());
    Ok(())
}

#[test]
fn rejects_proofs_swapped_between_inputs() -> Result<()> {
    let mut bench = Bench::new(SMALL)?;
    let proof = proofs::prove(&inputs(SMALL, "another"))?;
    bench.refuses::<ProofRejected>(calldata::entry(&proof, &inputs(SMALL, "single")))?;
    let mut broken = proofs::prove(&inputs(SMALL, "single"))?;
    broken.c = G1Affine::identity();
    bench.refuses::<ProofRejected>(calldata::entry(&broken, &inputs(SMALL, "single")))?;
    Ok(())
}

#[test]
fn a_verifier_without_constants_accepts_nothing() -> Result<()> {
    let mut chain = Chain::new(LOCAL_CHAIN, NOON);
    let code = nightingale_contracts::artefacts::claim_verifier()?.bytecode;
    let verifier = chain.deploy(DEPLOYER, code)?;
    for entries in [Vec::new(), vec![0; 32], entry(SMALL, "single")?] {
        let result = chain.call(STRANGER, verifier, entries.into()).map(|receipt| receipt.output);
        refused::<MalformedEntries>(result)?;
    }
    Ok(())
}
