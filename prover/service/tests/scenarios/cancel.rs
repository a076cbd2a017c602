//! A job is cancelled: while it is queued, while it runs, and after it has ended.

use crate::{
    clinic::{Clinic, result},
    crowd::Crowd,
    process::{Behaviour, server, worker},
    running::{Running, SOON, config, ended, in_state, keyed},
    site::{Site, on_both},
    stand_in::StandIn,
};
use anyhow::{Context, Result, ensure};
use nightingale::client::{Client, ClientError, Options};
use nightingale_proto::v1::JobState;
use std::time::Duration;

on_both!(
    in_each_state_it_is_cancelled_or_stays_as_it_is,
    cancelling_races_with_committing_and_one_of_them_wins
);

fn has_ended<T>(answer: &Result<T, ClientError>) -> bool {
    matches!(answer, Err(ClientError::Refused { reason, .. }) if reason == "JOB_ENDED")
}

/// With the worker in a process of its own.
async fn in_each_state_it_is_cancelled_or_stays_as_it_is(site: Site) -> Result<()> {
    let site = site.work("claims = false").work("cohorts = false").work("workers = 1");
    let (file, log, oracle) = (site.file()?, site.log(), site.oracle().await?);
    let server = server(&file, &log, &Behaviour::default()).await?;
    let mut client = Client::connect(&server.address, "north").await?;
    let mut crowd = Crowd::of(6)?;
    // Queued: nobody works yet.
    let queued = crowd.submit(&mut client, 0).await?;
    assert_eq!(client.cancel(&queued).await?.state(), JobState::Cancelled);
    assert_eq!(client.cancel(&queued).await?.state(), JobState::Cancelled, "again");
    // Running, in each phase, also where the prover never looks up.
    for (claim, phase) in [(1, "assigning"), (2, "proving"), (3, "verifying")] {
        let mut stalled = worker(&file, &log, &Behaviour::stalling(phase)).await?;
        let id = crowd.submit(&mut client, claim).await?;
        stalled.says("stalled", SOON).await?;
        assert_eq!(client.cancel(&id).await?.state(), JobState::Cancelled);
        stalled.kill().await?;
    }
    // Failed and done stay so.
    let late = Options { deadline: Some(Duration::from_millis(300)), ..Options::default() };
    let late = crowd.submit_with(&mut client, 4, late).await?;
    assert_eq!(ended(&mut client, &late).await?.state(), JobState::Failed);
    ensure!(has_ended(&client.cancel(&late).await), "a failed job was cancelled");
    let quick = worker(&file, &log, &Behaviour::default()).await?;
    let done = crowd.submit(&mut client, 5).await?;
    assert_eq!(ended(&mut client, &done).await?.state(), JobState::Done);
    ensure!(has_ended(&client.cancel(&done).await), "a done job was cancelled");
    // Waiting: the account of the last claim moved on, and its newest note is not published.
    let mut clinic = Clinic::of(1, 6)?;
    let waiting = client.adjudicate(clinic.file(5, &[2])?, keyed("waiting"), false).await?;
    in_state(&mut client, &waiting.id, JobState::Waiting).await?;
    assert_eq!(client.cancel(&waiting.id).await?.state(), JobState::Cancelled);
    let ends = oracle.ends().await?;
    assert_eq!(ends.len(), 7, "each ended once: {ends:?}");
    assert_eq!(
        oracle.number("SELECT COUNT(*) FROM spends").await?,
        1,
        "what was cancelled used something up"
    );
    quick.kill().await
}

async fn cancelling_races_with_committing_and_one_of_them_wins(site: Site) -> Result<()> {
    let site = site.work("claims = false").work("cohorts = false").work("workers = 2");
    let (file, log, oracle) = (site.file()?, site.log(), site.oracle().await?);
    let server = server(&file, &log, &Behaviour::default()).await?;
    let mut client = Client::connect(&server.address, "north").await?;
    let mut crowd = Crowd::of(40)?;
    let worker = worker(&file, &log, &Behaviour::slow(5)).await?;
    assert!(crowd.submit_all(&client).await?.is_empty());
    let mut cancelled = Vec::new();
    for claim in 0..crowd.len() {
        let id = crowd.job(claim)?;
        match client.cancel(&id).await {
            Ok(_) => cancelled.push((claim, JobState::Cancelled)),
            Err(refused) => ensure!(has_ended::<()>(&Err(refused)), "refused otherwise"),
        }
    }
    crowd.settled(&oracle, SOON).await?;
    crowd.reckon(&mut client, &oracle, &cancelled, None).await?;
    worker.kill().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_job_is_cancelled_and_spends_nothing() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let prover = StandIn { stops: true, ..StandIn::held() };
    let server = Running::start(config(folder.path()), prover).await?;
    let (mut client, mut clinic) = (server.client().await?, Clinic::new()?);
    let request = clinic.file(0, &[1])?;
    let running = client.adjudicate(request.clone(), keyed("a"), false).await?;
    let queued = client.adjudicate(clinic.file(1, &[1])?, keyed("b"), false).await?;
    in_state(&mut client, &running.id, JobState::Running).await?;
    assert_eq!(client.cancel(&queued.id).await?.state(), JobState::Cancelled);
    assert_eq!(client.cancel(&running.id).await?.state(), JobState::Cancelled);
    assert_eq!(client.cancel(&running.id).await?.state(), JobState::Cancelled, "again");
    // The same claim under another key: the cancelled proof has used up neither its lines nor its account.
    let again = client.adjudicate(request, keyed("c"), false).await?;
    // There is one thread, and nothing ends a proof by itself.
    in_state(&mut client, &again.id, JobState::Running)
        .await
        .context("the cancelled proof was not stopped")?;
    server.prover.let_go();
    let again = ended(&mut client, &again.id).await?;
    assert!(result(&again)?.approved);
    assert_eq!(client.job(&running.id).await?.state(), JobState::Cancelled, "the late proof came through");
    let ended = client.cancel(&again.id).await;
    assert!(matches!(ended, Err(ClientError::Refused { ref reason, .. }) if reason == "JOB_ENDED"));
    server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prover_that_does_not_stop_is_not_waited_for() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let server = Running::start(config(folder.path()), StandIn::held()).await?;
    let (mut client, mut clinic) = (server.client().await?, Clinic::new()?);
    let job = client.adjudicate(clinic.file(0, &[1])?, keyed("a"), false).await?;
    in_state(&mut client, &job.id, JobState::Running).await?;
    client.cancel(&job.id).await?;
    server.prover.let_go();
    // Its thread takes the next one when the cancelled proof is there.
    assert!(result(&client.adjudicate(clinic.file(1, &[1])?, keyed("b"), true).await?)?.approved);
    let job = client.job(&job.id).await?;
    assert_eq!(job.state(), JobState::Cancelled);
    assert!(job.outcome.is_none());
    server.stop().await
}
