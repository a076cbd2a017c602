//! Estimates of gas that are not so, and prices that are not taken: the nonce is used all the same, by an honest node.

use super::{
    anvil::post,
    proxy::{Kept, Proxy},
    world::{World, account},
};
use alloy_consensus::{Transaction as _, TxEnvelope};
use alloy_eips::eip2718::Decodable2718;
use alloy_primitives::{Address, Bytes, U256};
use anyhow::{Result, ensure};
use nightingale_contracts::{chain::TRANSACTION_GAS_CAP, deploy::Request};
use nightingale_poster::{
    Notice, PosterError, Terms, administration as tell,
    outbox::{State, Transaction},
};
use serde_json::json;
use std::{
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

fn impatient(terms: Terms) -> Terms {
    Terms { timeout: Duration::from_secs(2), ..terms }
}

fn mint(world: &World, cents: u64) -> Request {
    tell::mint(&world.deployment, Address::repeat_byte(1), cents)
}

/// Has a transaction signed at a node that estimates this much, shows more ether than there is, and keeps what it is given.
async fn misled(world: &World, estimate: u64) -> Result<Transaction> {
    let proxy =
        Proxy::keeping(
            world.anvil.address(),
            &Kept::default(),
            move |request, answer| match request["method"].as_str() {
                Some("eth_estimateGas") => answer["result"] = json!(U256::from(estimate)),
                Some("eth_getBalance") => answer["result"] = json!(U256::from(10u64.pow(18))),
                _ => {}
            },
        )?;
    let late = world.poster_at(proxy.url(), "stranger", impatient).await?.send(&mint(world, 1)).await;
    ensure!(matches!(late, Err(PosterError::Unconfirmed { .. })), "{late:?}");
    Ok(world.watch("stranger.sqlite", |_| true).await?.remove(0))
}

/// An honest node has the open row done, by another offer under its nonce.
async fn is_done_with_other_gas(world: &World, before: &Transaction) -> Result<()> {
    let ended = world.poster("stranger", |terms| terms).await?.resume().await?;
    ensure!(ended.len() == 1 && ended[0].state == State::Done, "{ended:?}");
    ensure!(ended[0].nonce == before.nonce && ended[0].gas_limit < before.gas_limit / 10, "{ended:?}");
    let [old, new] = &ended[0].attempts[..] else { anyhow::bail!("{ended:?}") };
    ensure!(new.fees.max_fee > old.fees.max_fee && new.fees.tip > old.fees.tip, "{ended:?}");
    ensure!(ended[0].mined.map(|mined| mined.transaction) == Some(new.hash), "{ended:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_estimate_of_less_than_a_transaction_costs_leaves_a_nonce_that_is_used() -> Result<()> {
    let Some(world) = World::new().await? else { return Ok(()) };
    let row = misled(&world, 1).await?;
    ensure!(row.gas_limit > 21_000, "{row:?}");
    let poster = world.poster("stranger", |terms| terms).await?;
    let ended = poster.resume().await?;
    ensure!(ended.len() == 1 && ended[0].mined.is_some() && world.anvil.mined_of(poster.address())? == 1);
    poster.send(&mint(&world, 2)).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_estimate_over_what_a_transaction_may_use_is_refused_and_nothing_is_signed() -> Result<()> {
    let Some(world) = World::new().await? else { return Ok(()) };
    let proxy = Proxy::lying(world.anvil.address(), |request, answer| {
        if request["method"] == "eth_estimateGas" {
            answer["result"] = json!(U256::from(TRANSACTION_GAS_CAP + 1));
        }
    })?;
    let poster = world.poster_at(proxy.url(), "stranger", impatient).await?;
    let refused = poster.send(&mint(&world, 1)).await;
    ensure!(matches!(refused, Err(PosterError::GasOverCap { .. })), "{refused:?}");
    ensure!(world.watch("stranger.sqlite", |_| true).await?.is_empty());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gas_limit_over_a_blocks_is_estimated_anew_by_the_node_that_refuses_it() -> Result<()> {
    let Some(world) = World::new().await? else { return Ok(()) };
    let row = misled(&world, TRANSACTION_GAS_CAP / 2).await?;
    world.anvil.ask("evm_setBlockGasLimit", json!([U256::from(3_000_000)]))?;
    world.anvil.mine(1)?;
    is_done_with_other_gas(&world, &row).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gas_limit_that_the_account_cannot_pay_is_estimated_anew_where_far_less_will_do() -> Result<()> {
    let Some(world) = World::new().await? else { return Ok(()) };
    let row = misled(&world, TRANSACTION_GAS_CAP / 2).await?;
    let funds = U256::from(row.gas_limit / 4) * U256::from(row.attempts[0].fees.max_fee);
    world.anvil.ask("anvil_setBalance", json!([account("stranger")?.address(), funds]))?;
    is_done_with_other_gas(&world, &row).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_price_that_the_account_cannot_pay_is_asked_anew_of_the_node_that_refuses_it() -> Result<()> {
    let Some(world) = World::new().await? else { return Ok(()) };
    let proxy = Proxy::keeping(world.anvil.address(), &Kept::default(), |request, answer| {
        match request["method"].as_str() {
            Some("eth_feeHistory") => {
                let fees = answer["result"]["baseFeePerGas"].as_array_mut();
                fees.into_iter().flatten().for_each(|fee| *fee = json!(U256::from(400_000_000_000u64)));
            }
            Some("eth_getBalance") => answer["result"] = json!(U256::from(10u64.pow(18))),
            _ => {}
        }
    })?;
    let late = world.poster_at(proxy.url(), "stranger", impatient).await?.send(&mint(&world, 1)).await;
    ensure!(matches!(late, Err(PosterError::Unconfirmed { .. })), "{late:?}");
    let row = world.watch("stranger.sqlite", |_| true).await?.remove(0);
    let funds = U256::from(row.gas_limit) * U256::from(row.attempts[0].fees.max_fee) / U256::from(4);
    world.anvil.ask("anvil_setBalance", json!([account("stranger")?.address(), funds]))?;
    let ended = world.poster("stranger", |terms| terms).await?.resume().await?;
    ensure!(ended.len() == 1 && ended[0].state == State::Done, "{ended:?}");
    let [old, new] = &ended[0].attempts[..] else { anyhow::bail!("{ended:?}") };
    ensure!(new.fees.max_fee < old.fees.max_fee, "{ended:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offer_under_what_the_node_that_refuses_it_asks_is_raised_at_once() -> Result<()> {
    const TIP: u128 = 3_000_000_000;
    let Some(world) = World::new().await? else { return Ok(()) };
    let row = misled(&world, 100_000).await?;
    ensure!(row.attempts[0].fees.tip < TIP, "{row:?}");
    let node = world.anvil.address().to_owned();
    let proxy = Proxy::keeping(world.anvil.address(), &Kept::default(), move |request, answer| {
        if request["method"] == "eth_feeHistory" {
            let rewards = answer["result"]["reward"].as_array_mut();
            rewards.into_iter().flatten().for_each(|reward| *reward = json!([U256::from(TIP)]));
        }
        if request["method"] == "eth_sendRawTransaction" {
            let raw: Bytes = serde_json::from_value(request["params"][0].clone()).unwrap_or_default();
            let signed = TxEnvelope::decode_2718(&mut raw.as_ref()).ok();
            if signed.and_then(|signed| signed.max_priority_fee_per_gas()).is_some_and(|tip| tip >= TIP) {
                let taken = post(&node, request.to_string().as_bytes()).unwrap_or_default();
                *answer = serde_json::from_slice(&taken).unwrap_or_default();
            } else {
                let error = json!({"code": -32000, "message": "transaction underpriced"});
                *answer = json!({"jsonrpc": "2.0", "id": request["id"], "error": error});
            }
        }
    })?;
    let ended = world.poster_at(proxy.url(), "stranger", impatient).await?.resume().await?;
    ensure!(ended.len() == 1 && ended[0].state == State::Done && ended[0].attempts.len() == 2, "{ended:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offer_under_the_least_that_a_node_takes_is_raised_as_time_passes() -> Result<()> {
    let Some(world) = World::new().await? else { return Ok(()) };
    // Twice the first offer, which is more raises than there are refusals before its words are passed on.
    let (first, node) = (OnceLock::new(), world.anvil.address().to_owned());
    let proxy = Proxy::keeping(world.anvil.address(), &Kept::default(), move |request, answer| {
        if request["method"] != "eth_sendRawTransaction" {
            return;
        }
        let raw: Bytes = serde_json::from_value(request["params"][0].clone()).unwrap_or_default();
        let offered = TxEnvelope::decode_2718(&mut raw.as_ref()).map_or(0, |signed| signed.max_fee_per_gas());
        if offered >= 2 * first.get_or_init(|| offered) {
            let taken = post(&node, request.to_string().as_bytes()).unwrap_or_default();
            *answer = serde_json::from_slice(&taken).unwrap_or_default();
        } else {
            let error = json!({"code": -32000, "message": "transaction underpriced"});
            *answer = json!({"jsonrpc": "2.0", "id": request["id"], "error": error});
        }
    })?;
    let notices: Arc<Mutex<Vec<Notice>>> = Arc::default();
    let heard = notices.clone();
    let eager = |terms: Terms| Terms { raise_after: Duration::ZERO, ..terms };
    let poster = world.poster_at(proxy.url(), "stranger", eager).await?.telling(move |notice| {
        heard.lock().unwrap_or_else(PoisonError::into_inner).push(notice.clone());
    });
    poster.send(&mint(&world, 1)).await?;
    let row = world.watch("stranger.sqlite", |_| true).await?.remove(0);
    ensure!(row.state == State::Done && row.attempts.len() > 5, "{row:?}");
    let told = notices.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let [Notice::OfferRefused { problem, .. }] = &told[..] else { anyhow::bail!("{told:?}") };
    ensure!(problem.contains("underpriced"), "{problem}");
    Ok(())
}
