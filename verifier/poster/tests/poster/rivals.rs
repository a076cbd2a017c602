//! What counts as this claim's settlement: its own proof's, found from the deployment's block on.

use super::{
    anvil::TODAY,
    proofs::{approval, element, prove},
    proxy::Proxy,
    world::{World, account},
};
use alloy_primitives::U64;
use anyhow::{Context, Result, ensure};
use ark_bn254::Fr;
use nightingale_circuits::claim::{Date, PublicInputs};
use nightingale_contracts::deploy::Deployment;
use nightingale_poster::{Claim, Notice, Outcome, Refusal, outbox::State};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, PoisonError};

/// The claim of `approval("a")`, proven with other tags.
fn proven_again(world: &World, spend_tag: &str, nullifier: &str) -> Result<Claim> {
    let public = PublicInputs {
        spend_tag: element(spend_tag),
        nullifiers: vec![element(nullifier), Fr::from(0u64)],
        ..approval("a", account("provider")?.address())?
    };
    world.endorsed(prove(public)?)
}

#[tokio::test(flavor = "multi_thread")]
async fn another_proof_of_a_settled_claim_is_not_called_settled() -> Result<()> {
    let Some(world) = World::new().await? else { return Ok(()) };
    let first = world.claim("a").await?;
    let own = world.poster("stranger", |terms| terms).await?;
    own.settle(&world.deployment, std::slice::from_ref(&first)).await?;
    // Of the same services: neither by the memory of the outbox nor by the chain's events was this proof settled.
    let same = [proven_again(&world, "another spend tag", "a nullifier")?];
    let unpaid = Outcome::Refused(Refusal::AlreadySettled { by: None });
    let other = world.poster("provider", |terms| terms).await?;
    for poster in [&own, &other] {
        let settlement = poster.settle(&world.deployment, &same).await?;
        ensure!(settlement.entries[0].outcome == unpaid && !settlement.all_paid(), "{settlement:?}");
    }
    // Of other services: it is paid by itself.
    let fresh = [proven_again(&world, "a third spend tag", "another nullifier")?];
    let settlement = own.settle(&world.deployment, &fresh).await?;
    ensure!(settlement.all_paid() && settlement.transactions.len() == 1 && world.settlements()? == 2);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_of_another_amount_that_uses_up_the_same_is_not_called_settled() -> Result<()> {
    let Some(world) = World::new().await? else { return Ok(()) };
    let first = world.claim("a").await?;
    let own = world.poster("stranger", |terms| terms).await?;
    ensure!(own.settle(&world.deployment, std::slice::from_ref(&first)).await?.all_paid());
    let other = world.poster("provider", |terms| terms).await?;
    let paid = approval("a", account("provider")?.address())?;
    let packed = |cents| Ok::<_, anyhow::Error>(PublicInputs::pack_amount(cents, Date::from_days(TODAY)?));
    // Each as it could be proven under another epoch, and the last as the payer could prove it under the same one.
    let rivals = [
        PublicInputs { packed: packed(12_344)?, ..paid.clone() },
        PublicInputs { packed: packed(12_344)?, next_note: element("another note"), ..paid.clone() },
        PublicInputs { next_note: element("another note"), ..paid.clone() },
        PublicInputs { outcome_commitment: element("another outcome"), ..paid.clone() },
    ];
    let unpaid = Outcome::Refused(Refusal::AlreadySettled { by: None });
    for rival in rivals {
        let rival = [world.endorsed(prove(rival)?)?];
        for poster in [&own, &other] {
            let settlement = poster.settle(&world.deployment, &rival).await?;
            ensure!(settlement.entries[0].outcome == unpaid && !settlement.all_paid(), "{settlement:?}");
        }
    }
    // What was paid is still called so, whoever asks.
    for poster in [&own, &other] {
        ensure!(poster.settle(&world.deployment, std::slice::from_ref(&first)).await?.all_paid());
    }
    ensure!(world.settlements()? == 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_searched_from_the_deployments_block_or_from_the_start_with_a_note() -> Result<()> {
    let Some(world) = World::new().await? else { return Ok(()) };
    let claim = [world.claim("a").await?];
    world.poster("operator", |terms| terms).await?.settle(&world.deployment, &claim).await?;
    let searched: Arc<Mutex<Vec<Value>>> = Arc::default();
    let asked = searched.clone();
    let proxy = Proxy::lying(world.anvil.address(), move |request, _| {
        if request["method"] == "eth_getLogs" {
            let from = request["params"][0]["fromBlock"].clone();
            asked.lock().unwrap_or_else(PoisonError::into_inner).push(from);
        }
    })?;
    let notices: Arc<Mutex<Vec<Notice>>> = Arc::default();
    let heard = notices.clone();
    let poster = world.poster_at(proxy.url(), "stranger", |terms| terms).await?.telling(move |notice| {
        heard.lock().unwrap_or_else(PoisonError::into_inner).push(notice.clone());
    });
    let block = world.deployment.block.context("the deployment has no block")?;
    ensure!(block > 0 && poster.settle(&world.deployment, &claim).await?.all_paid());
    let old = Deployment { block: None, ..world.deployment.clone() };
    for _ in 0..2 {
        ensure!(poster.settle(&old, &claim).await?.all_paid());
    }
    let searched = searched.lock().unwrap_or_else(PoisonError::into_inner).clone();
    ensure!(searched == [json!(U64::from(block)), json!("0x0"), json!("0x0")], "{searched:?}");
    let notices = notices.lock().unwrap_or_else(PoisonError::into_inner).clone();
    ensure!(notices == [Notice::EventsFromTheStart], "{notices:?}");
    let file = serde_json::to_value(&world.deployment)?;
    ensure!(file["block"] == block && serde_json::to_value(&old)?.get("block").is_none());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_with_other_events_than_a_settlements_comes_to_an_end() -> Result<()> {
    let Some(world) = World::new().await? else { return Ok(()) };
    let claim = [world.claim("a").await?];
    let proxy = Proxy::lying(world.anvil.address(), |request, answer| {
        if request["method"] == "eth_getTransactionReceipt" && !answer["result"].is_null() {
            answer["result"]["logs"] = json!([]);
        }
    })?;
    let poster = world.poster_at(proxy.url(), "stranger", |terms| terms).await?;
    let settlement = poster.settle(&world.deployment, &claim).await?;
    let rows = world.watch("stranger.sqlite", |_| true).await?;
    ensure!(rows.len() == 1 && rows[0].state == State::Failed, "{rows:?}");
    ensure!(rows[0].problem.as_ref().is_some_and(|problem| problem.contains("deployment file")));
    // The chain says that the claim is settled, and by which transaction.
    let by = rows[0].mined.map(|mined| mined.transaction);
    ensure!(settlement.entries[0].outcome == Outcome::Refused(Refusal::AlreadySettled { by }));
    ensure!(poster.resume().await?.is_empty() && world.settlements()? == 1);
    ensure!(world.anvil.mined_of(poster.address())? == 1);
    Ok(())
}
