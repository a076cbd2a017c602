//! Offers are raised while nothing is mined, under the same nonce and within the limit.

use super::world::World;
use alloy_primitives::U256;
use anyhow::{Result, ensure};
use nightingale_poster::{Cap, Notice, PosterError, administration as tell, outbox::State};
use serde_json::json;
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

#[tokio::test(flavor = "multi_thread")]
async fn an_offer_that_is_not_taken_is_raised_under_the_same_nonce() -> Result<()> {
    let Some(world) = World::new().await? else { return Ok(()) };
    let claim = world.claim("slow").await?;
    world.anvil.automine(false)?;
    let poster = world
        .poster("stranger", |mut terms| {
            terms.raise_after = Duration::from_secs(1);
            terms
        })
        .await?;
    let (deployment, sender) = (world.deployment.clone(), poster.address());
    let posting = tokio::spawn(async move { poster.settle(&deployment, &[claim]).await });
    let rows = world.watch("stranger.sqlite", |rows| rows.iter().any(|row| row.attempts.len() >= 3)).await?;
    for pair in rows[0].attempts.windows(2) {
        let (before, after) = (pair[0].fees, pair[1].fees);
        ensure!(after.max_fee * 10 >= before.max_fee * 11 && after.tip * 10 >= before.tip * 11, "{pair:?}");
    }
    world.anvil.mine(1)?;
    let settlement = posting.await??;
    ensure!(settlement.all_paid() && settlement.transactions.len() == 1);
    let rows = world.watch("stranger.sqlite", |_| true).await?;
    ensure!(rows.len() == 1 && rows[0].state == State::Done);
    ensure!(rows[0].attempts.iter().any(|attempt| attempt.hash == settlement.transactions[0].transaction));
    ensure!(settlement.transactions[0].transaction != rows[0].attempts[0].hash, "the first offer was mined");
    ensure!(world.anvil.mined_of(sender)? == 1 && world.credit().await? == U256::from(12_345));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn no_raise_passes_the_limit_and_what_is_late_stays_in_the_outbox() -> Result<()> {
    let Some(world) = World::new().await? else { return Ok(()) };
    let claim = world.claim("late").await?;
    world.anvil.automine(false)?;
    let limit = 4_000_000_000;
    let poster = world
        .poster("stranger", |mut terms| {
            terms.raise_after = Duration::ZERO;
            terms.timeout = Duration::from_secs(3);
            terms.fee_limit = limit;
            terms
        })
        .await?;
    let late = poster.settle(&world.deployment, std::slice::from_ref(&claim)).await;
    let Err(error @ PosterError::Unconfirmed { .. }) = late else { anyhow::bail!("{late:?}") };
    ensure!(error.to_string().contains("resume") && !error.is_wrong_use());
    let rows = world.watch("stranger.sqlite", |_| true).await?;
    ensure!(rows.len() == 1 && rows[0].state == State::Open && rows[0].attempts.len() > 1);
    ensure!(
        rows[0].attempts.iter().all(|attempt| attempt.fees.max_fee <= limit && attempt.fees.tip <= limit)
    );
    world.anvil.mine(1)?;
    let settlement = poster.settle(&world.deployment, &[claim]).await?;
    ensure!(settlement.all_paid() && settlement.transactions.is_empty());
    ensure!(world.settlements()? == 1 && world.anvil.mined_of(poster.address())? == 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_without_funds_is_told_so_and_nothing_is_signed() -> Result<()> {
    let Some(world) = World::new().await? else { return Ok(()) };
    let claim = world.claim("poor").await?;
    let poster = world.poster("pauper", |terms| terms).await?;
    let refused = poster.settle(&world.deployment, &[claim]).await;
    ensure!(
        matches!(refused, Err(PosterError::FundsTooSmall { .. } | PosterError::Reverted { .. })),
        "{refused:?}"
    );
    ensure!(nightingale_poster::Outbox::list(&world.path("pauper.sqlite")).await?.is_empty());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn no_raise_passes_the_limit_of_the_tip_and_that_is_said_once_while_it_waits() -> Result<()> {
    let Some(world) = World::new().await? else { return Ok(()) };
    let notices: Arc<Mutex<Vec<Notice>>> = Arc::default();
    let heard = notices.clone();
    let poster = world
        .poster("stranger", |mut terms| {
            terms.raise_after = Duration::ZERO;
            terms.timeout = Duration::from_secs(3);
            terms.tip_limit = 4;
            terms
        })
        .await?
        .telling(move |notice| heard.lock().unwrap_or_else(PoisonError::into_inner).push(notice.clone()));
    world.anvil.automine(false)?;
    let mint = tell::mint(&world.deployment, poster.address(), 1);
    let late = poster.send(&mint).await;
    let Err(error @ PosterError::Unconfirmed { .. }) = late else { anyhow::bail!("{late:?}") };
    ensure!(error.to_string().contains("--tip-limit"), "{error}");
    let rows = world.watch("stranger.sqlite", |_| true).await?;
    ensure!(rows.len() == 1 && rows[0].attempts.iter().all(|attempt| attempt.fees.tip <= 4), "{rows:?}");
    let told = notices.lock().unwrap_or_else(PoisonError::into_inner).clone();
    ensure!(matches!(told[..], [Notice::OfferAtLimit { cap: Cap::Tip, .. }]), "{told:?}");
    ensure!(told[0].to_string().contains("--tip-limit"), "{}", told[0]);
    world.anvil.mine(1)?;
    poster.send(&mint).await?;
    ensure!(world.anvil.mined_of(poster.address())? == 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_base_fee_over_the_limit_is_waited_for_and_said() -> Result<()> {
    let Some(world) = World::new().await? else { return Ok(()) };
    let base_fee = |wei: u64| -> Result<()> {
        world.anvil.ask("anvil_setNextBlockBaseFeePerGas", json!([U256::from(wei)]))?;
        world.anvil.mine(1)
    };
    base_fee(100_000_000_000)?;
    let poster = world
        .poster("stranger", |mut terms| {
            terms.fee_limit = 1_000_000_000;
            terms.timeout = Duration::from_secs(5);
            terms
        })
        .await?;
    let mint = tell::mint(&world.deployment, poster.address(), 1);
    let late = poster.send(&mint).await;
    let Err(error @ PosterError::Unconfirmed { .. }) = late else { anyhow::bail!("{late:?}") };
    ensure!(error.to_string().contains("--fee-limit"), "{error}");
    let rows = world.watch("stranger.sqlite", |_| true).await?;
    ensure!(rows.len() == 1 && rows[0].state == State::Open && rows[0].attempts.len() == 1, "{rows:?}");
    base_fee(1_000)?;
    poster.send(&mint).await?;
    ensure!(world.anvil.mined_of(poster.address())? == 1);
    Ok(())
}
