//! What the chain would not take is named before anything is sent.

use super::{
    fixture::{dataset, proof, trial},
    world::{World, log_with, refusal},
};
use alloy_sol_types::SolCall;
use anyhow::{Context, Result, ensure};
use nightingale_circuits::cohort::Cell;
use nightingale_contracts::{bindings::Registry::disableCohortKeyCall, deploy::Request};
use nightingale_poster::cohort::{Outcome, Refusal};

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_for_another_chain_or_log_is_named() -> Result<()> {
    let dataset = trial(1)?;
    let Some(world) = World::with(&dataset).await? else { return Ok(()) };
    for (name, words) in [("elsewhere", "0x6666"), ("abroad", "chain 1,")] {
        let Refusal::OtherVenue(said) = world.refuses(&dataset, name).await? else {
            anyhow::bail!("{name}: another reason")
        };
        let log = world.log()?;
        ensure!(
            said.contains(words) && said.contains(&format!("--chain-id 31337 --contract {log}")),
            "{said}"
        );
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_altered_proof_or_answer_is_not_sent() -> Result<()> {
    let dataset = trial(1)?;
    let Some(world) = World::with(&dataset).await? else { return Ok(()) };
    let poster = world.poster("stranger", |terms| terms).await?;
    let whole = proof(&dataset, "main")?;
    let mut figures = whole.clone();
    let Some(Cell::Shown(cell)) = figures.answer.cells.get_mut(1) else { anyhow::bail!("hidden") };
    cell.count += 1;
    let mut bytes = whole.clone();
    *bytes.proof.proof.last_mut().context("empty")? ^= 1;
    let mut other = whole.clone();
    other.proof.link = proof(&dataset, "sites")?.proof.link;
    let mut lower = whole.clone();
    lower.threshold = 10;
    for altered in [figures, bytes, other, lower] {
        let logging = log_with(&poster, &world.deployment, &dataset, &[altered]).await?;
        let found = refusal(&logging)?;
        ensure!(matches!(found, Refusal::ProofInvalid(_)), "{found:?}");
    }
    ensure!(world.anvil.mined_of(poster.address())? == 0);
    ensure!(log_with(&poster, &world.deployment, &dataset, &[whole]).await?.all_logged());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_is_not_registered_and_a_query_that_is_not_planned_are_named() -> Result<()> {
    let Some(world) = World::with(&dataset("trial", 1, &["main"])?).await? else { return Ok(()) };
    let other = dataset("other", 1, &["main"])?;
    ensure!(world.refuses(&other, "other").await? == Refusal::TableNotRegistered);
    // The same table, whose plan has more than the chain was told.
    ensure!(world.refuses(&trial(1)?, "sites").await? == Refusal::QueryNotPlanned);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_was_disabled_is_named() -> Result<()> {
    let dataset = trial(1)?;
    let Some(world) = World::with(&dataset).await? else { return Ok(()) };
    let digest = world.deployment.cohort.as_ref().context("no cohort")?.key;
    let request = Request {
        purpose: "disable the key".to_owned(),
        to: Some(world.deployment.registry),
        data: disableCohortKeyCall { digest }.abi_encode().into(),
    };
    world.poster("operator", |terms| terms).await?.send(&request).await?;
    ensure!(world.refuses(&dataset, "main").await? == Refusal::KeyNotUsable);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn only_answers_under_the_newest_consents_are_sent_and_older_ones_stay_logged() -> Result<()> {
    let (first, both) = (trial(1)?, trial(2)?);
    let Some(world) = World::with(&first).await? else { return Ok(()) };
    let early = Refusal::ConsentNotPublished { proven: 1, newest: 0 };
    ensure!(world.refuses(&both, "newer").await? == early);
    ensure!(world.logs("stranger", &both, &["main"]).await?.all_logged());
    let sponsor = world.poster("sponsor", |terms| terms).await?;
    sponsor.publish_dataset_consents(&world.deployment, &both, None).await?;
    let late = Refusal::ConsentNotNewest { proven: 0, newest: 1 };
    ensure!(world.refuses(&both, "sites").await? == late);
    let unconfirmed = Refusal::ConsentUnconfirmed { version: 1 };
    ensure!(world.refuses(&both, "newer").await? == unconfirmed);
    let registrar = world.poster("operator", |terms| terms).await?;
    registrar.confirm_dataset_consents(&world.deployment, &both, None).await?;
    ensure!(world.logs("stranger", &both, &["newer"]).await?.all_logged());
    // Logged while it was the newest: by this outbox, and as somebody else sees it.
    ensure!(world.logs("stranger", &both, &["main"]).await?.all_logged());
    let seen = world.logs("rival", &both, &["main"]).await?;
    ensure!(matches!(seen.entries[0].outcome, Outcome::LoggedElsewhere { .. }), "{seen:?}");
    Ok(())
}
