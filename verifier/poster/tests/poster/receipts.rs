//! Receipts that somebody else had recorded: the same day is success, as deep as wanted; another day is an error.

use super::{
    anvil::TODAY,
    proxy::{Kept, Proxy},
    world::{World, account, payer},
};
use anyhow::{Context, Result, ensure};
use nightingale_circuits::claim::Date;
use nightingale_poster::{
    How, PosterError, Received, administration as tell, endorsement::commitment, report::PostedReport,
};
use serde_json::json;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_that_somebody_else_had_recorded_today_is_success() -> Result<()> {
    let Some(world) = World::new().await? else { return Ok(()) };
    let claim = commitment(&world.claim("a").await?.proof);
    let poster = world.poster("stranger", |terms| terms).await?;
    let found = poster.receive(&world.deployment, payer(), claim, None).await?;
    ensure!(matches!(found, Received::Elsewhere { by: Some(_), .. }), "{found:?}");
    let report = serde_json::to_value(PostedReport::from(&found))?;
    ensure!(report["how"] == "elsewhere" && report["transaction"].is_string(), "{report}");
    ensure!(report["day"] == "2026-01-15" && PostedReport::from(&found).line().contains("for 2026-01-15"));
    ensure!(world.anvil.mined_of(poster.address())? == 0);
    // A day later, the chain would not record the same.
    world.anvil.ask("evm_increaseTime", json!([86_400]))?;
    world.anvil.mine(1)?;
    let other = poster.receive(&world.deployment, payer(), claim, None).await;
    let Err(error @ PosterError::ReceiptDiffers { .. }) = other else { anyhow::bail!("{other:?}") };
    ensure!(error.to_string().contains("2026-01-15") && error.to_string().contains("2026-01-16"), "{error}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_payers_receipt_is_looked_for_where_the_payer_speaks() -> Result<()> {
    let Some(world) = World::new().await? else { return Ok(()) };
    let claim = commitment(&world.claim("a").await?.proof);
    let day = Some(Date::from_days(TODAY - 3)?);
    let poster = world.poster("operator", |terms| terms).await?;
    // The chain's receipt of today is another witness's: this one has not spoken.
    let posted = poster.receive(&world.deployment, payer(), claim, day).await?;
    ensure!(matches!(&posted, Received::Posted { posted, .. } if posted.how == How::Sent), "{posted:?}");
    ensure!(serde_json::to_value(PostedReport::from(&posted))?["day"] == "2026-01-12");
    let again = poster.receive(&world.deployment, payer(), claim, day).await?;
    ensure!(matches!(&again, Received::Posted { posted, .. } if posted.how == How::AlreadyDone), "{again:?}");
    let twin = world.path("twin.sqlite");
    let twin = super::world::open(&world.anvil.url(), &twin, "operator", |terms| terms).await?;
    let found = twin.receive(&world.deployment, payer(), claim, day).await?;
    ensure!(matches!(found, Received::Elsewhere { by: Some(_), .. }), "{found:?}");
    let other = twin.receive(&world.deployment, payer(), claim, Some(Date::from_days(TODAY - 2)?)).await;
    ensure!(matches!(other, Err(PosterError::ReceiptDiffers { .. })), "{other:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_elses_receipt_counts_only_when_it_is_as_deep_as_wanted() -> Result<()> {
    let Some(world) = World::new().await? else { return Ok(()) };
    let claim = super::proofs::root("a commitment");
    let poster = world
        .poster("stranger", |mut terms| {
            terms.confirmations = 3;
            terms
        })
        .await?;
    world.prepare(&[tell::receive_claim(&world.deployment, payer(), claim)]).await?;
    let deployment = world.deployment.clone();
    let waiting = tokio::spawn(async move { poster.receive(&deployment, payer(), claim, None).await });
    tokio::time::sleep(Duration::from_millis(700)).await;
    ensure!(!waiting.is_finished(), "one block is not three");
    world.anvil.mine(2)?;
    let found = waiting.await.context("it was not waited for")??;
    ensure!(matches!(found, Received::Elsewhere { .. }), "{found:?}");
    ensure!(world.anvil.mined_of(account("stranger")?.address())? == 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_that_is_recorded_on_a_later_day_than_it_was_asked_for_is_no_success() -> Result<()> {
    let Some(world) = World::new().await? else { return Ok(()) };
    let (claim, kept) = (super::proofs::root("a commitment"), Kept::default());
    let proxy = Proxy::keeping(world.anvil.address(), &kept, |_, _| {})?;
    let hasty = world
        .poster_at(proxy.url(), "stranger", |mut terms| {
            terms.timeout = Duration::from_millis(300);
            terms
        })
        .await?;
    let late = hasty.receive(&world.deployment, payer(), claim, None).await;
    ensure!(matches!(late, Err(PosterError::Unconfirmed { .. })), "{late:?}");
    drop(hasty);
    // Two days later by any clock, the same bytes are sent, and the chain records its own day.
    let time = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs() + 2 * 86_400;
    world.anvil.ask("evm_setNextBlockTimestamp", json!([time]))?;
    let poster = world.poster("stranger", |terms| terms).await?;
    for _ in 0..2 {
        let later = poster.receive(&world.deployment, payer(), claim, None).await;
        ensure!(matches!(later, Err(PosterError::ReceiptDiffers { .. })), "{later:?}");
    }
    ensure!(world.anvil.mined_of(poster.address())? == 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_of_another_contract_or_claim_names_no_transaction() -> Result<()> {
    let Some(world) = World::new().await? else { return Ok(()) };
    let claim = commitment(&world.claim("a").await?.proof);
    for field in ["address", "topics"] {
        let proxy = Proxy::lying(world.anvil.address(), move |request, answer| {
            for log in answer["result"].as_array_mut().into_iter().flatten() {
                match (request["method"] == "eth_getLogs", field) {
                    (true, "address") => log["address"] = json!(format!("0x{}", "99".repeat(20))),
                    (true, _) => log["topics"][2] = json!(super::proofs::root("another claim")),
                    (false, _) => {}
                }
            }
        })?;
        let poster = world.poster_at(proxy.url(), "stranger", |terms| terms).await?;
        let found = poster.receive(&world.deployment, payer(), claim, None).await?;
        ensure!(matches!(found, Received::Elsewhere { by: None, .. }), "{field}: {found:?}");
    }
    Ok(())
}
