//! The server is asked to stop.

use crate::{
    clinic::{Clinic, result},
    crowd::Crowd,
    fleet::Fleet,
    running::{Running, SOON, config, ended, in_state, keyed},
    site::{Site, on_both},
    stand_in::StandIn,
};
use anyhow::Result;
use nightingale::{Config, client::ClientError};
use nightingale_proto::v1::JobState;
use std::time::Duration;

on_both!(a_fleet_that_is_told_to_stop_loses_nothing_and_repeats_nothing);

/// With server and workers in processes of their own.
async fn a_fleet_that_is_told_to_stop_loses_nothing_and_repeats_nothing(site: Site) -> Result<()> {
    let site = site.work("claims = false").work("cohorts = false").work("max_losses = 1");
    let oracle = site.oracle().await?;
    let mut crowd = Crowd::of(24)?;
    let fleet = Fleet::start(&site, 2, 300).await?;
    assert!(crowd.submit_all(&fleet.client().await?).await?.is_empty());
    oracle.until("leased", 3, SOON).await?;
    // Each process ends with 0, the proofs in hand done.
    fleet.end().await?;
    assert_eq!(oracle.count("leased").await?, 0, "a lease was left behind");
    let fleet = Fleet::start(&site, 2, 10).await?;
    crowd.settled(&oracle, SOON).await?;
    crowd.reckon(&mut fleet.client().await?, &oracle, &[], fleet.keys()).await?;
    assert_eq!(oracle.number("SELECT MAX(attempts) FROM jobs").await?, 1, "a proof was begun twice");
    fleet.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_finishes_the_running_proof_and_keeps_the_queue() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let server = Running::start(config(folder.path()), StandIn::held()).await?;
    let (mut client, mut clinic) = (server.client().await?, Clinic::new()?);
    let running = client.adjudicate(clinic.file(0, &[1])?, keyed("a"), false).await?;
    let queued = client.adjudicate(clinic.file(1, &[1])?, keyed("b"), false).await?;
    in_state(&mut client, &running.id, JobState::Running).await?;
    let mut waiting = server.client().await?;
    let request = clinic.file(2, &[1])?;
    let waiter = tokio::spawn(async move { waiting.adjudicate(request, keyed("c"), true).await });
    while client.jobs(&[], 10).await?.len() < 3 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let prover = server.prover.clone();
    let told = async {
        let told = waiter.await;
        prover.let_go();
        told
    };
    let (stopped, told) = tokio::join!(server.stop(), told);
    stopped?;
    let told = told?;
    assert!(matches!(told, Err(ClientError::Unavailable { ref reason, .. }) if reason == "DRAINING"));
    let server = Running::start(config(folder.path()), StandIn::default()).await?;
    let mut client = server.client().await?;
    let first = client.job(&running.id).await?;
    assert_eq!((first.state(), first.attempts), (JobState::Done, 1));
    for job in client.jobs(&[], 10).await? {
        assert!(result(&ended(&mut client, &job.id).await?)?.approved);
    }
    assert_eq!(client.job(&queued.id).await?.attempts, 1, "the queued job was begun during the drain");
    server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_that_outlasts_the_drain_is_given_back() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let short = Config { drain: Duration::from_millis(100), ..config(folder.path()) };
    let server = Running::start(short, StandIn::held()).await?;
    let mut client = server.client().await?;
    let job = client.adjudicate(Clinic::new()?.file(0, &[1])?, keyed("a"), false).await?;
    in_state(&mut client, &job.id, JobState::Running).await?;
    let prover = server.prover.clone();
    server.stop().await?;
    prover.let_go();
    // One loss is allowed: a job that was given back has none.
    let server =
        Running::start(Config { max_losses: 1, ..config(folder.path()) }, StandIn::default()).await?;
    let mut client = server.client().await?;
    assert!(result(&ended(&mut client, &job.id).await?)?.approved);
    server.stop().await
}
