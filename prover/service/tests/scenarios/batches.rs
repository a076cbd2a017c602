//! Claims that are proven together: how batches form, and that what one does is not felt by the others.

use crate::{
    clinic::{Clinic, failure, result},
    running::{Running, config, ended, in_state, keyed},
    stand_in::StandIn,
};
use anyhow::Result;
use nightingale::{Config, adjudicator::Batching};
use nightingale_proto::v1::JobState;
use std::{sync::Mutex, time::Duration};

fn batches(most: usize) -> StandIn {
    StandIn { batching: Some(Batching { most, waits: true }), stops: true, ..StandIn::default() }
}

fn patient(folder: &std::path::Path) -> Config {
    Config { batch_delay: Duration::from_secs(3), ..config(folder) }
}

fn sizes(server: &Running) -> Vec<usize> {
    server.prover.batches.lock().map(|sizes| sizes.clone()).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn claims_that_come_together_are_proven_together() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let server = Running::start(patient(folder.path()), batches(3)).await?;
    let (mut client, mut clinic) = (server.client().await?, Clinic::new()?);
    let mut jobs = Vec::new();
    for member in 0..3 {
        let request = clinic.file(member, &[1])?;
        jobs.push(client.adjudicate(request, keyed(&format!("{member}")), false).await?);
    }
    for job in &jobs {
        let job = ended(&mut client, &job.id).await?;
        assert!(result(&job)?.approved);
        assert_eq!(job.attempts, 1);
    }
    assert_eq!(sizes(&server), [3]);
    // One alone waits for the delay and goes.
    let alone = client.adjudicate(clinic.file(4, &[1])?, keyed("alone"), true).await?;
    assert!(result(&alone)?.approved);
    assert_eq!(sizes(&server), [3], "a batch of one is no batch");
    server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_claim_leaves_the_others_of_its_batch() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let prover = StandIn { held: true.into(), ..batches(3) };
    let server = Running::start(patient(folder.path()), prover).await?;
    let (mut client, mut clinic) = (server.client().await?, Clinic::new()?);
    let mut jobs = Vec::new();
    for member in 0..3 {
        let request = clinic.file(member, &[1])?;
        jobs.push(client.adjudicate(request, keyed(&format!("{member}")), false).await?);
    }
    in_state(&mut client, &jobs[2].id, JobState::Running).await?;
    assert_eq!(client.cancel(&jobs[1].id).await?.state(), JobState::Cancelled);
    server.prover.let_go();
    for job in [&jobs[0], &jobs[2]] {
        assert!(result(&ended(&mut client, &job.id).await?)?.approved);
    }
    assert_eq!(client.job(&jobs[1].id).await?.state(), JobState::Cancelled);
    server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_that_kills_its_prover_takes_no_other_with_it() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut clinic = Clinic::new()?;
    let (good, deadly) = (clinic.request(0, vec![crate::clinic::visit(1)?])?, clinic.file(1, &[1])?);
    let good = nightingale_records::request::to_json(&good).as_bytes().to_vec();
    let parsed = nightingale_records::request::from_json(&deadly)?;
    let poison = Mutex::new(Some(parsed.claim.commitment(&parsed.claim_salt)));
    let config = Config { max_losses: 2, ..patient(folder.path()) };
    let server = Running::start(config, StandIn { poison, ..batches(2) }).await?;
    let mut client = server.client().await?;
    let deadly = client.adjudicate(deadly, keyed("deadly"), false).await?;
    let good = client.adjudicate(good, keyed("good"), false).await?;
    let good = ended(&mut client, &good.id).await?;
    assert!(result(&good)?.approved);
    assert_eq!(good.attempts, 1, "the good claim was lost with its neighbour");
    assert_eq!(failure(&ended(&mut client, &deadly.id).await?)?.code, "ATTEMPTS_EXHAUSTED");
    server.stop().await
}
