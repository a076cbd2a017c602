//! Many proofs in one pairing call.

use super::{
    proofs::{self, LARGE, SMALL},
    single::{Bench, entry, inputs, refused},
    world::STRANGER,
};
use alloy_primitives::{B256, Bytes, U256, keccak256};
use anyhow::{Result, ensure};
use ark_bn254::Fr;
use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::{BigInteger, Field, PrimeField};
use nightingale_contracts::{
    bindings::ClaimVerifier::{InputNotInField, ProofRejected},
    calldata,
};

fn batch(count: usize, size: usize) -> Result<Vec<Vec<u8>>> {
    (0..size).map(|index| entry(count, &format!("batch {index}"))).collect()
}

#[test]
fn accepts_batches_of_either_class() -> Result<()> {
    for (count, sizes) in [(SMALL, [1, 2, 3, 7]), (LARGE, [1, 2, 4, 5])] {
        let mut bench = Bench::new(count)?;
        for size in sizes {
            let output = bench.send(batch(count, size)?.concat())?;
            ensure!(output == U256::ONE.to_be_bytes_vec(), "{size} of {count} inputs");
        }
    }
    Ok(())
}

#[test]
fn accepts_the_same_entry_twice_because_settlement_keeps_the_nullifiers() -> Result<()> {
    let mut bench = Bench::new(SMALL)?;
    let twice = [bench.entry.clone(), bench.entry.clone()].concat();
    bench.send(twice)?;
    Ok(())
}

#[test]
fn rejects_a_batch_for_each_word_of_each_entry_that_is_changed() -> Result<()> {
    let mut bench = Bench::new(SMALL)?;
    let good = batch(SMALL, 3)?.concat();
    for word in 0..3 * (8 + SMALL) {
        let mut changed = good.clone();
        changed[32 * word + 31] ^= 1;
        bench.refuses::<ProofRejected>(changed)?;
    }
    Ok(())
}

#[test]
fn rejects_a_batch_with_inputs_swapped_between_entries() -> Result<()> {
    let mut bench = Bench::new(SMALL)?;
    let entries = batch(SMALL, 2)?;
    let (first, second) = (&entries[0], &entries[1]);
    bench
        .refuses::<ProofRejected>([&first[..256], &second[256..], &second[..256], &first[256..]].concat())?;
    // only one input swapped: the sum over the batch stays, the weighted sum does not
    let mut mixed = [first.as_slice(), second.as_slice()].concat();
    let width = first.len();
    for at in 256..288 {
        mixed.swap(at, at + width);
    }
    bench.refuses::<ProofRejected>(mixed)?;
    Ok(())
}

#[test]
fn rejects_errors_that_cancel_without_weights() -> Result<()> {
    let mut bench = Bench::new(SMALL)?;
    let shift = ark_bn254::G1Affine::generator();
    let values = [inputs(SMALL, "cancel 0"), inputs(SMALL, "cancel 1")];
    let mut first = proofs::prove(&values[0])?;
    let mut second = proofs::prove(&values[1])?;
    first.c = (first.c + shift).into_affine();
    second.c = (second.c - shift).into_affine();
    let forged = [calldata::entry(&first, &values[0]), calldata::entry(&second, &values[1])].concat();
    bench.refuses::<ProofRejected>(forged)?;
    Ok(())
}

/// Errors that cancel under the weights of an earlier batch: they would pass if a weight did not hash the proofs.
#[test]
fn rejects_errors_that_cancel_under_the_weights_of_another_batch() -> Result<()> {
    let mut bench = Bench::new(SMALL)?;
    let values = [inputs(SMALL, "adaptive 0"), inputs(SMALL, "adaptive 1")];
    let mut first = proofs::prove(&values[0])?;
    let mut second = proofs::prove(&values[1])?;
    let honest = [calldata::entry(&first, &values[0]), calldata::entry(&second, &values[1])].concat();
    let weight = weight(&bench, &honest)?;
    let shift = ark_bn254::G1Affine::generator();
    // z_0 = 1 and z_1 = weight: shift C_0 by s and C_1 by -s / weight
    let inverse = weight.inverse().unwrap_or_default();
    first.c = (first.c + shift).into_affine();
    second.c = (second.c - shift * inverse).into_affine();
    let forged = [calldata::entry(&first, &values[0]), calldata::entry(&second, &values[1])].concat();
    bench.refuses::<ProofRejected>(forged)?;
    Ok(())
}

/// The weight of entry 1, recomputed from its definition in `ClaimVerifier.yul`.
fn weight(bench: &Bench, entries: &[u8]) -> Result<Fr> {
    let constants = calldata::constants(&proofs::verifying_key(SMALL)?)?;
    let chain = B256::from(U256::from(bench.chain.chain_id()));
    let seed =
        keccak256([&constants, entries, chain.as_slice(), bench.verifier.into_word().as_slice()].concat());
    let hash = keccak256([seed.as_slice(), B256::from(U256::ONE).as_slice()].concat());
    Ok(Fr::from_be_bytes_mod_order(&hash[..16]))
}

#[test]
fn names_the_entry_and_the_input_that_is_not_in_the_field() -> Result<()> {
    let mut bench = Bench::new(SMALL)?;
    let mut entries = batch(SMALL, 3)?;
    let order = U256::from_be_slice(&Fr::MODULUS.to_bytes_be());
    let at = 256 + 32 * 4;
    let aliased = U256::from_be_slice(&entries[2][at..at + 32]) + order;
    entries[2][at..at + 32].copy_from_slice(&aliased.to_be_bytes::<32>());
    let error: InputNotInField = bench.refuses(entries.concat())?;
    ensure!(error.entry == U256::from(2) && error.input == U256::from(4));
    Ok(())
}

#[test]
fn rejects_points_off_the_curve_in_any_entry() -> Result<()> {
    let mut bench = Bench::new(SMALL)?;
    let good = batch(SMALL, 2)?;
    for entry in 0..2 {
        for (from, to) in [(0, 64), (64, 192), (192, 256)] {
            let mut changed = good.clone();
            changed[entry][from..to].fill(1);
            bench.refuses::<ProofRejected>(changed.concat())?;
            let mut changed = good.clone();
            changed[entry][from..to].fill(0);
            bench.refuses::<ProofRejected>(changed.concat())?;
        }
    }
    Ok(())
}

#[test]
fn a_starved_call_is_a_refusal_and_never_a_success() -> Result<()> {
    let mut bench = Bench::new(SMALL)?;
    let data = Bytes::from(batch(SMALL, 2)?.concat());
    let enough = bench.chain.call(STRANGER, bench.verifier, data.clone())?.gas_used;
    for gas in (0..enough).step_by(20_011) {
        let outcome = bench.chain.call_with_gas(STRANGER, bench.verifier, data.clone(), gas);
        ensure!(outcome.is_err(), "accepted with {gas} of {enough} gas");
    }
    let entries = batch(SMALL, 2)?.concat();
    refused::<ProofRejected>(
        bench.send([&entries[..entries.len() - 1], &[entries[entries.len() - 1] ^ 1]].concat()),
    )?;
    Ok(())
}
