//! A nonce that is too high by a node's word: what is missing below it is used for nothing, where that is asked for.

use super::{
    proxy::{Kept, Proxy},
    world::{World, open, said, secret},
};
use alloy_primitives::{Address, Bytes, keccak256};
use anyhow::{Result, ensure};
use nightingale_poster::{Notice, PosterError, Terms, administration as tell, outbox::State};
use serde_json::json;
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

fn impatient(terms: Terms) -> Terms {
    Terms { timeout: Duration::from_secs(2), ..terms }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_nonces_that_nothing_has_is_mined_once_they_are_filled() -> Result<()> {
    let Some(world) = World::new().await? else { return Ok(()) };
    let mint = tell::mint(&world.deployment, Address::repeat_byte(1), 1);
    let proxy = Proxy::keeping(world.anvil.address(), &Kept::default(), |request, answer| {
        if request["method"] == "eth_getTransactionCount" {
            answer["result"] = json!("0x3");
        }
    })?;
    ensure!(world.poster_at(proxy.url(), "stranger", impatient).await?.send(&mint).await.is_err());
    let honest = open(&world.anvil.url(), &world.path("stranger.sqlite"), "stranger", impatient).await?;
    let notices: Arc<Mutex<Vec<Notice>>> = Arc::default();
    let heard = notices.clone();
    let honest = honest.telling(move |notice| {
        heard.lock().unwrap_or_else(PoisonError::into_inner).push(notice.clone());
    });
    ensure!(matches!(honest.resume().await, Err(PosterError::Unconfirmed { .. })));
    let told = notices.lock().unwrap_or_else(PoisonError::into_inner).clone();
    ensure!(matches!(told[..], [Notice::NonceGap { nonce: 3, unused: 0, missing: 3, .. }]), "{told:?}");
    let narrow = honest.fill_gap(2).await;
    ensure!(matches!(narrow, Err(PosterError::GapTooWide { missing: 3, unused: 0, .. })), "{narrow:?}");
    ensure!(world.watch("stranger.sqlite", |_| true).await?.len() == 1);
    let sender = honest.address();
    drop(honest);
    let mut resume = super::world::program(&world.path("keys"));
    resume.args(["resume", "--json", "--rpc", &world.anvil.url(), "--fill-gap", "3", "--outbox"]);
    resume.arg(world.path("stranger.sqlite")).env("NIGHTINGALE_POSTER_KEY", secret("stranger"));
    let (code, report, stderr) = said(&resume.output()?)?;
    ensure!(code == 0 && report.as_array().is_some_and(|all| all.len() == 4), "{report} {stderr}");
    let rows = world.watch("stranger.sqlite", |_| true).await?;
    ensure!(rows.iter().all(|row| row.state == State::Done), "{rows:?}");
    ensure!(rows.iter().filter(|row| row.to == Some(sender) && row.data.is_empty()).count() == 3, "{rows:?}");
    ensure!(world.anvil.mined_of(sender)? == 4);
    Ok(())
}

/// A nonce that nobody pays the way to keeps none below it waiting.
#[tokio::test(flavor = "multi_thread")]
async fn a_near_nonce_is_reached_whatever_is_far_above_it() -> Result<()> {
    let Some(world) = World::new().await? else { return Ok(()) };
    let block = world.anvil.ask("eth_getBlockByNumber", json!(["0x1", false]))?;
    let receipt = world.anvil.ask("eth_getTransactionReceipt", json!([block["transactions"][0]]))?;
    let kept = Kept::default();
    let seen = kept.clone();
    // It calls the first done, and the next nonce one that is far away.
    let proxy = Proxy::keeping(world.anvil.address(), &kept, move |request, answer| {
        let first = seen.lock().unwrap_or_else(PoisonError::into_inner).first().cloned();
        let first = first.and_then(|raw| serde_json::from_value::<Bytes>(raw).ok());
        let first = first.map(|raw| json!(keccak256(raw)));
        if request["method"] == "eth_getTransactionCount" {
            answer["result"] = if first.is_some() { json!("0x10000000000") } else { json!("0x2") };
        }
        if request["method"] == "eth_getTransactionReceipt"
            && let Some(first) = first.filter(|first| *first == request["params"][0])
        {
            answer["result"] = receipt.clone();
            answer["result"]["transactionHash"] = first;
        }
    })?;
    let misled = world.poster_at(proxy.url(), "stranger", impatient).await?;
    misled.send(&tell::mint(&world.deployment, Address::repeat_byte(1), 1)).await?;
    ensure!(misled.send(&tell::mint(&world.deployment, Address::repeat_byte(1), 2)).await.is_err());
    drop(misled);
    let honest = open(&world.anvil.url(), &world.path("stranger.sqlite"), "stranger", impatient).await?;
    let late = honest.fill_gap(2).await;
    ensure!(matches!(late, Err(PosterError::Unconfirmed { .. })), "{late:?}");
    let rows = world.watch("stranger.sqlite", |_| true).await?;
    let open = rows.iter().filter(|row| row.state == State::Open);
    ensure!(open.map(|row| row.nonce).eq([1 << 40]), "{rows:?}");
    ensure!(world.anvil.mined_of(honest.address())? == 3);
    Ok(())
}
