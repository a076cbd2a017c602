//! What logging an answer costs, and what of it goes where.

use super::world::{World, answer, entry};
use alloy_primitives::U256;
use alloy_sol_types::SolCall;
use anyhow::{Result, ensure};
use nightingale_contracts::bindings::{CohortLog, CohortVerifier};
use std::collections::BTreeMap;

/// What a transaction with this calldata costs before it executes anything.
fn intrinsic(bytes: &[u8]) -> u64 {
    21_000 + bytes.iter().map(|byte| if *byte == 0 { 4 } else { 16 }).sum::<u64>()
}

/// Whole transactions, and their parts.
pub(crate) fn measure() -> Result<BTreeMap<String, u64>> {
    let mut gas = BTreeMap::new();
    for (name, cells) in [("main", "04"), ("sites", "16")] {
        let mut world = World::new()?;
        let answer = answer(name)?;
        let mut input: Vec<u8> = entry(name)?.instances.iter().flat_map(U256::to_be_bytes::<32>).collect();
        input.extend(&answer.proof);
        let proof = world.chain.call(super::world::ANYBODY, world.halo2, input.clone().into())?.gas_used
            - intrinsic(&input);
        let call = CohortVerifier::verifyCall { answer: answer.clone() }.abi_encode();
        let verified = World::without_log()?.verify(&answer)?.gas_used - intrinsic(&call);
        let calldata = intrinsic(&CohortLog::logCall { answer: answer.clone() }.abi_encode());
        let whole = world.log(&answer)?.gas_used;
        let parts = [
            ("", whole),
            ("_calldata", calldata),
            ("_proof", proof),
            ("_link", verified - proof),
            ("_registry_and_log", whole - calldata - verified),
        ];
        gas.extend(parts.map(|(part, used)| (format!("cohort_log_{cells}_cells{part}"), used)));
    }
    ensure!(gas["cohort_log_04_cells"] <= 650_000, "{gas:?}");
    Ok(gas)
}
