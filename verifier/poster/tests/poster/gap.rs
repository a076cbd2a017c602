//! A nonce that is too high by a node's word: what is missing below it is used for nothing, where that is asked for.

use super::{
    proxy::{Kept, Proxy},
    world::{World, open, said, secret},
};
use alloy_primitives::Address;
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
