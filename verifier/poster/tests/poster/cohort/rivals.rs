//! Somebody else logs the answer first; blocks vanish.

use super::{
    super::{
        proxy::{Moment, Proxy},
        world::{account, open},
    },
    fixture::{proof, statement, trial},
    world::{World, log_with, refusal},
};
use alloy_primitives::{Address, B256, U256, hex};
use anyhow::{Context, Result, ensure};
use nightingale_poster::{
    How, PosterError, Terms,
    cohort::{Outcome, Refusal},
};
use serde_json::json;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

fn three_deep(mut terms: Terms) -> Terms {
    terms.confirmations = 3;
    terms
}

async fn until_mined(world: &World, sender: Address) -> Result<()> {
    while world.anvil.mined_of(sender)? == 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_answer_by_somebody_else_is_success_and_nothing_is_sent() -> Result<()> {
    let dataset = trial(1)?;
    let Some(world) = World::with(&dataset).await? else { return Ok(()) };
    // Cells that the query does not have may be sent along, as zeros: it is the same answer.
    let by = world.send_altered("rival", &dataset, "main", |cells| cells.push(U256::ZERO)).await?;
    let logging = world.logs("stranger", &dataset, &["main"]).await?;
    let found = &logging.entries[0].outcome;
    ensure!(matches!(found, Outcome::LoggedElsewhere { transaction, .. } if *transaction == by), "{found:?}");
    ensure!(logging.all_logged() && world.anvil.mined_of(account("stranger")?.address())? == 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn other_figures_under_the_same_consents_are_named_with_their_transaction() -> Result<()> {
    let dataset = trial(1)?;
    let Some(world) = World::with(&dataset).await? else { return Ok(()) };
    // A verifier that accepts everything: PUSH1 1, PUSH0, MSTORE, PUSH1 32, PUSH0, RETURN.
    let verifier = world.deployment.cohort.as_ref().context("no cohort")?.verifier;
    world.anvil.ask("anvil_setCode", json!([verifier, "0x60015f5260205ff3"]))?;
    let by = world.send_altered("rival", &dataset, "main", |cells| cells[1] += U256::from(2)).await?;
    ensure!(world.refuses(&dataset, "main").await? == Refusal::LoggedDifferently { by });
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_else_is_faster_between_trial_and_block() -> Result<()> {
    let dataset = trial(1)?;
    let Some(world) = World::with(&dataset).await? else { return Ok(()) };
    let proxy = Proxy::holding(world.anvil.address(), "eth_sendRawTransaction", 0, Moment::Before)?;
    let poster = world.poster_at(proxy.url(), "stranger").await?;
    let (deployment, proofs, sender) =
        (world.deployment.clone(), [proof(&dataset, "main")?], poster.address());
    let about = dataset.clone();
    let posting = tokio::spawn(async move { log_with(&poster, &deployment, &about, &proofs).await });
    tokio::task::block_in_place(|| proxy.reached())?;
    let rival = world.logs("rival", &dataset, &["main"]).await?;
    proxy.release();
    let logging = posting.await??;
    let Outcome::Logged { mined, .. } = rival.entries[0].outcome else { anyhow::bail!("{rival:?}") };
    let found = &logging.entries[0].outcome;
    ensure!(
        matches!(found, Outcome::LoggedElsewhere { transaction, .. } if *transaction == mined.transaction),
        "{found:?}"
    );
    ensure!(world.anvil.mined_of(sender)? == 1 && world.logged(statement("main")?.digest)?.len() == 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_whose_block_vanishes_is_sent_again_with_the_same_bytes() -> Result<()> {
    let dataset = trial(1)?;
    let Some(world) = World::with(&dataset).await? else { return Ok(()) };
    let poster = world.poster("stranger", three_deep).await?;
    let (deployment, proofs, sender) =
        (world.deployment.clone(), [proof(&dataset, "main")?], poster.address());
    let snapshot = world.anvil.ask("evm_snapshot", json!([]))?;
    let posting = tokio::spawn(async move { log_with(&poster, &deployment, &dataset, &proofs).await });
    until_mined(&world, sender).await?;
    let query = statement("main")?.digest;
    world.anvil.mine(1)?;
    tokio::time::sleep(Duration::from_millis(500)).await;
    ensure!(!posting.is_finished(), "two blocks are not three");
    // The node counts a transaction before it shows the events.
    let before = world.logged(query)?;
    world.anvil.ask("evm_revert", json!([snapshot]))?;
    ensure!(world.logged(query)?.is_empty());
    until_mined(&world, sender).await?;
    world.anvil.mine(2)?;
    let logging = posting.await??;
    ensure!(matches!(logging.entries[0].outcome, Outcome::Logged { how: How::Sent, .. }), "{logging:?}");
    let after = world.logged(query)?;
    ensure!(after.len() == 1 && before[0]["transactionHash"] == after[0]["transactionHash"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_vanishes_deeper_than_wanted_is_sent_again_by_the_next_call() -> Result<()> {
    let dataset = trial(1)?;
    let Some(world) = World::with(&dataset).await? else { return Ok(()) };
    let snapshot = world.anvil.ask("evm_snapshot", json!([]))?;
    let first = world.logs("stranger", &dataset, &["main"]).await?;
    world.anvil.ask("evm_revert", json!([snapshot]))?;
    world.anvil.mine(1)?;
    let again = world.logs("stranger", &dataset, &["main"]).await?;
    let transaction = |logging: &nightingale_poster::cohort::Logging| match logging.entries[0].outcome {
        Outcome::Logged { mined, .. } => Some(mined.transaction),
        _ => None,
    };
    ensure!(transaction(&first).is_some() && transaction(&first) == transaction(&again), "{again:?}");
    ensure!(world.answered(statement("main")?.digest).await? == U256::ONE);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_else_logged_counts_when_it_is_deep_and_is_sent_after_all_when_it_vanishes()
-> Result<()> {
    let dataset = trial(1)?;
    let Some(world) = World::with(&dataset).await? else { return Ok(()) };
    let snapshot = world.anvil.ask("evm_snapshot", json!([]))?;
    ensure!(world.logs("rival", &dataset, &["main"]).await?.all_logged());
    // Not deep enough when time runs out: said, and nothing sent.
    let hasty = world
        .poster("stranger", |terms| Terms { timeout: Duration::from_millis(300), ..three_deep(terms) })
        .await?;
    let proofs = [proof(&dataset, "main")?];
    let found = refusal(&log_with(&hasty, &world.deployment, &dataset, &proofs).await?)?;
    ensure!(found == Refusal::LoggedNotDeep, "{found:?}");
    drop(hasty);
    let poster = world.poster("stranger", three_deep).await?;
    let (deployment, sender) = (world.deployment.clone(), poster.address());
    let posting = tokio::spawn(async move { log_with(&poster, &deployment, &dataset, &proofs).await });
    tokio::time::sleep(Duration::from_millis(700)).await;
    ensure!(!posting.is_finished(), "one block is not three");
    world.anvil.ask("evm_revert", json!([snapshot]))?;
    until_mined(&world, sender).await?;
    world.anvil.mine(2)?;
    let logging = posting.await??;
    ensure!(matches!(logging.entries[0].outcome, Outcome::Logged { how: How::Sent, .. }), "{logging:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_takes_all_the_time_takes_none_from_the_others() -> Result<()> {
    let dataset = trial(1)?;
    let Some(world) = World::with(&dataset).await? else { return Ok(()) };
    world.logs("rival", &dataset, &["main"]).await?;
    world.anvil.mine(5)?;
    // A node that never shows the first as deep as wanted.
    let [slow, fast] = [statement("main")?, statement("sites")?].map(|one| hex::encode(one.digest));
    let looks: [Arc<AtomicBool>; 2] = Default::default();
    let looked = looks.clone();
    let proxy = Proxy::lying(world.anvil.address(), move |request, answer| {
        let asked = request["params"].to_string();
        if request["method"] != "eth_call" {
            return;
        }
        if asked.contains(&slow) && request["params"][1] != "latest" {
            answer["result"] = json!(B256::ZERO);
            looked[0].store(true, Ordering::SeqCst);
        }
        if asked.contains(&fast) {
            looked[1].store(true, Ordering::SeqCst);
        }
    })?;
    let terms = |terms| Terms { timeout: Duration::from_secs(6), ..three_deep(terms) };
    let poster = open(proxy.url(), &world.path("stranger.sqlite"), "stranger", terms).await?;
    let proofs = [proof(&dataset, "main")?, proof(&dataset, "sites")?];
    let (deployment, about) = (world.deployment.clone(), dataset.clone());
    let posting = tokio::spawn(async move { log_with(&poster, &deployment, &about, &proofs).await });
    let seen = async |which: usize, within: Duration| {
        let start = Instant::now();
        while !looks[which].load(Ordering::SeqCst) && start.elapsed() < within {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    // Somebody else logs the second while the first is waited for, after a look at both.
    seen(0, Duration::from_secs(60)).await;
    let start = Instant::now();
    seen(1, Duration::from_secs(2)).await;
    world.logs("rival", &dataset, &["sites"]).await?;
    tokio::time::sleep(Duration::from_secs(8).saturating_sub(start.elapsed())).await;
    world.anvil.mine(2)?;
    let entries = posting.await??.entries;
    ensure!(matches!(entries[0].outcome, Outcome::Refused(Refusal::LoggedNotDeep)), "{entries:?}");
    ensure!(matches!(entries[1].outcome, Outcome::LoggedElsewhere { .. }), "{entries:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_shows_a_receipt_and_not_its_transaction_is_not_asked_for_ever() -> Result<()> {
    let dataset = trial(1)?;
    let Some(world) = World::with(&dataset).await? else { return Ok(()) };
    ensure!(world.logs("stranger", &dataset, &["main"]).await?.entries.len() == 1);
    let proxy = Proxy::lying(world.anvil.address(), |request, answer| {
        if request["method"] == "eth_getBlockByNumber" && request["params"][1] == true {
            answer["result"]["transactions"] = json!([]);
        }
    })?;
    let poster = world.poster_within(Duration::from_secs(2), proxy.url(), "stranger").await?;
    let proofs = [proof(&dataset, "main")?];
    let asked = tokio::time::timeout(
        Duration::from_secs(30),
        log_with(&poster, &world.deployment, &dataset, &proofs),
    );
    let refused = asked.await.context("it asks on")?;
    ensure!(matches!(refused, Err(PosterError::NodeBehind { .. })), "{refused:?}");
    Ok(())
}
