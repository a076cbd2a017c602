//! Nodes that lag, or contradict themselves: nothing is lost, opened or sent for what one answer says.

use super::{proxy::Proxy, world::World};
use alloy_primitives::{Address, U64};
use anyhow::{Context, Result, ensure};
use nightingale_contracts::deploy::Request;
use nightingale_poster::{How, Notice, PosterError, Terms, administration as tell, outbox::State};
use serde_json::{Value, json};
use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

/// A proxy that lies while the switch is on.
fn lying(
    world: &World,
    lie: impl Fn(&Value, &mut Value) + Send + Sync + 'static,
) -> Result<(Proxy, Arc<AtomicBool>)> {
    let switch = Arc::new(AtomicBool::new(false));
    let on = switch.clone();
    let proxy = Proxy::lying(world.anvil.address(), move |request, answer| {
        if on.load(Ordering::SeqCst) {
            lie(request, answer);
        }
    })?;
    Ok((proxy, switch))
}

fn impatient(mut terms: Terms) -> Terms {
    terms.timeout = Duration::from_secs(3);
    terms.raise_after = Duration::ZERO;
    terms
}

fn mint(world: &World, cents: u64) -> Request {
    tell::mint(&world.deployment, Address::repeat_byte(1), cents)
}

fn hide_receipts(request: &Value, answer: &mut Value) {
    if request["method"] == "eth_getTransactionReceipt" {
        answer["result"] = Value::Null;
    }
}

fn forget_nonces(request: &Value, answer: &mut Value) {
    if request["method"] == "eth_getTransactionCount" {
        answer["result"] = json!("0x0");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mined_transaction_whose_receipt_is_not_shown_is_not_lost() -> Result<()> {
    let Some(world) = World::new().await? else { return Ok(()) };
    let (proxy, lies) = lying(&world, hide_receipts)?;
    let poster = world.poster_at(proxy.url(), "stranger", impatient).await?;
    lies.store(true, Ordering::SeqCst);
    let late = poster.send(&mint(&world, 1)).await;
    ensure!(matches!(late, Err(PosterError::Unconfirmed { .. })), "{late:?}");
    let rows = world.watch("stranger.sqlite", |_| true).await?;
    ensure!(rows.len() == 1 && rows[0].state == State::Open && rows[0].attempts.len() == 1, "{rows:?}");
    lies.store(false, Ordering::SeqCst);
    let posted = poster.send(&mint(&world, 1)).await?;
    ensure!(posted.how == How::Resumed && world.anvil.mined_of(poster.address())? == 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_low_nonce_and_hidden_receipts_open_nothing_again_while_the_block_shows_it() -> Result<()> {
    let Some(world) = World::new().await? else { return Ok(()) };
    let (proxy, lies) = lying(&world, |request, answer| {
        hide_receipts(request, answer);
        forget_nonces(request, answer);
    })?;
    let poster = world.poster_at(proxy.url(), "stranger", impatient).await?;
    poster.send(&mint(&world, 1)).await?;
    lies.store(true, Ordering::SeqCst);
    ensure!(poster.resume().await?.is_empty());
    let rows = world.watch("stranger.sqlite", |_| true).await?;
    ensure!(rows.len() == 1 && rows[0].state == State::Done && rows[0].attempts.len() == 1, "{rows:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_nonce_that_the_node_has_forgotten_is_not_given_again() -> Result<()> {
    let Some(world) = World::new().await? else { return Ok(()) };
    let (proxy, lies) = lying(&world, forget_nonces)?;
    let poster = world.poster_at(proxy.url(), "stranger", |terms| terms).await?;
    poster.send(&mint(&world, 1)).await?;
    lies.store(true, Ordering::SeqCst);
    poster.send(&mint(&world, 2)).await?;
    let rows = world.watch("stranger.sqlite", |_| true).await?;
    let states: Vec<_> = rows.iter().map(|row| (row.nonce, row.state)).collect();
    ensure!(states == [(0, State::Done), (1, State::Done)], "{states:?}");
    ensure!(world.anvil.mined_of(poster.address())? == 2);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_behind_what_was_done_is_named_and_nothing_is_sent() -> Result<()> {
    let Some(world) = World::new().await? else { return Ok(()) };
    let (proxy, lies) = lying(&world, |request, answer| {
        forget_nonces(request, answer);
        if request["method"] == "eth_getBlockByNumber" && request["params"][0] == "latest" {
            answer["result"]["number"] = json!("0x1");
        }
    })?;
    let poster = world.poster_at(proxy.url(), "stranger", impatient).await?;
    poster.send(&mint(&world, 1)).await?;
    lies.store(true, Ordering::SeqCst);
    let behind = poster.send(&mint(&world, 2)).await;
    ensure!(matches!(behind, Err(PosterError::NodeBehind { head: 1, .. })), "{behind:?}");
    let rows = world.watch("stranger.sqlite", |_| true).await?;
    ensure!(rows.len() == 1 && rows[0].state == State::Done && rows[0].attempts.len() == 1, "{rows:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_without_a_first_block_is_refused_and_told_what_to_check() -> Result<()> {
    let Some(world) = World::new().await? else { return Ok(()) };
    let (proxy, lies) = lying(&world, |request, answer| {
        if request["method"] == "eth_getBlockByNumber" && request["params"][0] == "0x0" {
            answer["result"] = Value::Null;
        }
    })?;
    lies.store(true, Ordering::SeqCst);
    let refused =
        world.poster_at(proxy.url(), "stranger", |terms| terms).await.err().context("it was opened")?;
    let error = refused.downcast_ref::<PosterError>().context("another error")?;
    ensure!(matches!(error, PosterError::GenesisMissing { .. }) && error.is_wrong_use(), "{error}");
    ensure!(error.to_string().contains("block 0"), "{error}");
    ensure!(!world.path("stranger.sqlite").exists());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_nonce_is_lost_only_when_the_node_shows_which_transaction_has_it() -> Result<()> {
    let Some(world) = World::new().await? else { return Ok(()) };
    let twin = world.path("twin.sqlite");
    let twin = super::world::open(&world.anvil.url(), &twin, "stranger", |terms| terms).await?;
    twin.send(&mint(&world, 7)).await?;
    world.anvil.mine(3)?;
    let (forgets, prunes) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicBool::new(true)));
    let (forgetting, pruning, newest) = (forgets.clone(), prunes.clone(), AtomicU64::new(0));
    let proxy = Proxy::lying(world.anvil.address(), move |request, answer| {
        if forgetting.load(Ordering::SeqCst) {
            forget_nonces(request, answer);
        } else if pruning.load(Ordering::SeqCst) && request["method"] == "eth_getTransactionCount" {
            // The states of all blocks but the newest that was asked for are gone.
            let block: Option<U64> = serde_json::from_value(request["params"][1].clone()).ok();
            if block.is_some_and(|block| newest.fetch_max(block.to(), Ordering::SeqCst) > block.to()) {
                *answer = json!({"jsonrpc": "2.0", "id": request["id"], "error": {"code": -32000, "message": "pruned"}});
            }
        }
    })?;
    let notices: Arc<Mutex<Vec<Notice>>> = Arc::default();
    let heard = notices.clone();
    let poster = world.poster_at(proxy.url(), "stranger", impatient).await?.telling(move |notice| {
        heard.lock().unwrap_or_else(PoisonError::into_inner).push(notice.clone());
    });
    // Signed for a nonce that is used, and refused.
    ensure!(poster.send(&mint(&world, 1)).await.is_err());
    forgets.store(false, Ordering::SeqCst);
    let state = async || -> Result<State> {
        let rows = world.watch("stranger.sqlite", |_| true).await?;
        Ok(rows.first().context("no row")?.state)
    };
    ensure!(matches!(poster.resume().await, Err(PosterError::Unconfirmed { .. })));
    ensure!(state().await? == State::Open);
    let told = notices.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let [Notice::OfferRefused { .. }, Notice::NonceUnexplained { nonce: 0, .. }] = told[..] else {
        anyhow::bail!("{told:?}")
    };
    prunes.store(false, Ordering::SeqCst);
    poster.resume().await?;
    ensure!(state().await? == State::Lost);
    ensure!(poster.send(&mint(&world, 1)).await?.how == How::Sent);
    Ok(())
}
