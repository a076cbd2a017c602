//! Nodes that give a call little gas: batches are halved until they fit, and no honest proof is blamed.

use super::{
    proxy::Proxy,
    world::{World, account},
};
use alloy_primitives::{Bytes, U256, hex, keccak256};
use anyhow::{Context, Result, ensure};
use nightingale_contracts::artefacts;
use nightingale_poster::{Claim, Outcome, Refusal};
use serde_json::json;
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// Claims, and a proxy that counts calls that the contract ends with `GasTooSmall`.
async fn prepared(world: &World, count: usize) -> Result<(Vec<Claim>, Proxy, Arc<AtomicUsize>)> {
    let mut claims = Vec::new();
    for number in 0..count {
        claims.push(world.claim(&format!("claim {number}")).await?);
    }
    let short = Arc::new(AtomicUsize::new(0));
    let counter = short.clone();
    let error = hex::encode_prefixed(&keccak256("GasTooSmall(uint256,uint256)")[..4]);
    let proxy = Proxy::lying(world.anvil.address(), move |_, answer| {
        if answer["error"]["data"].as_str().is_some_and(|data| data.starts_with(&error)) {
            counter.fetch_add(1, Ordering::SeqCst);
        }
    })?;
    Ok((claims, proxy, short))
}

/// A block's gas is what anvil gives to a call.
fn limit_gas(world: &World, gas: u64) -> Result<()> {
    world.anvil.ask("evm_setBlockGasLimit", json!([U256::from(gas)]))?;
    world.anvil.mine(1)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_over_the_nodes_cap_is_split_until_it_fits() -> Result<()> {
    let Some(world) = World::new().await? else { return Ok(()) };
    let (claims, proxy, _) = prepared(&world, 6).await?;
    limit_gas(&world, 900_000)?;
    let poster = world.poster_at(proxy.url(), "stranger", |terms| terms).await?;
    let settlement = poster.settle(&world.deployment, &claims).await?;
    ensure!(settlement.all_paid() && world.settlements()? == 6, "{:?}", settlement.entries);
    ensure!(settlement.transactions.len() > 1, "{:?}", settlement.transactions);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_proofs_are_found_in_parts_where_the_node_gives_too_little_gas_for_all() -> Result<()> {
    let Some(world) = World::new().await? else { return Ok(()) };
    let (claims, proxy, short) = prepared(&world, 8).await?;
    // A verifier with the key's constants, which rejects everything.
    let template = artefacts::verifier_template()?.1;
    let small = world.deployment.keys.iter().find(|key| key.inputs == 12).context("no key of two lines")?;
    let code: Bytes =
        serde_json::from_value(world.anvil.ask("eth_getCode", json!([small.verifier, "latest"]))?)?;
    let rejected = &keccak256("ProofRejected()")[..4];
    // PUSH4 error, PUSH0, MSTORE; PUSH1 4, PUSH1 28, REVERT.
    let mut rejecting = [&[0x63], rejected, &[0x5f, 0x52, 0x60, 4, 0x60, 28, 0xfd]].concat();
    rejecting.resize(template, 0);
    rejecting.extend(&code[template..]);
    world.anvil.ask("anvil_setCode", json!([small.verifier, Bytes::from(rejecting)]))?;
    limit_gas(&world, 2_000_000)?;
    let poster = world.poster_at(proxy.url(), "stranger", |terms| terms).await?;
    let settlement = poster.settle(&world.deployment, &claims).await?;
    let rejected = Outcome::Refused(Refusal::ProofRejectedOnChain);
    ensure!(settlement.entries.iter().all(|entry| entry.outcome == rejected), "{:?}", settlement.entries);
    ensure!(short.load(Ordering::SeqCst) > 0, "there was gas enough for all");
    ensure!(world.anvil.mined_of(account("stranger")?.address())? == 0);
    Ok(())
}
