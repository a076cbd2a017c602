//! A job is cancelled: while it is queued, while it runs, and after it has ended.

use crate::{
    clinic::{Clinic, result},
    running::{Running, config, in_state, keyed},
    stand_in::StandIn,
};
use anyhow::Result;
use nightingale::client::ClientError;
use nightingale_proto::v1::JobState;
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread")]
async fn a_running_job_is_cancelled_and_spends_nothing() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let server =
        Running::start(config(folder.path()), StandIn { stops: true, ..StandIn::slow(3000) }).await?;
    let (mut client, mut clinic) = (server.client().await?, Clinic::new()?);
    let request = clinic.file(0, &[1])?;
    let running = client.adjudicate(request.clone(), keyed("a"), false).await?;
    let queued = client.adjudicate(clinic.file(1, &[1])?, keyed("b"), false).await?;
    in_state(&mut client, &running.id, JobState::Running).await?;
    assert_eq!(client.cancel(&queued.id).await?.state(), JobState::Cancelled);
    let start = Instant::now();
    assert_eq!(client.cancel(&running.id).await?.state(), JobState::Cancelled);
    assert_eq!(client.cancel(&running.id).await?.state(), JobState::Cancelled, "again");
    // The same claim under another key: the cancelled proof has used up neither its lines nor its account.
    let again = client.adjudicate(request, keyed("c"), true).await?;
    assert!(result(&again)?.approved);
    assert!(start.elapsed() < Duration::from_millis(5500), "the cancelled proof was not stopped");
    assert_eq!(client.job(&running.id).await?.state(), JobState::Cancelled, "the late proof came through");
    let ended = client.cancel(&again.id).await;
    assert!(matches!(ended, Err(ClientError::Refused { ref reason, .. }) if reason == "JOB_ENDED"));
    server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prover_that_does_not_stop_is_not_waited_for() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let server = Running::start(config(folder.path()), StandIn::slow(700)).await?;
    let mut client = server.client().await?;
    let job = client.adjudicate(Clinic::new()?.file(0, &[1])?, keyed("a"), false).await?;
    in_state(&mut client, &job.id, JobState::Running).await?;
    client.cancel(&job.id).await?;
    tokio::time::sleep(Duration::from_millis(1200)).await;
    let job = client.job(&job.id).await?;
    assert_eq!(job.state(), JobState::Cancelled);
    assert!(job.outcome.is_none());
    server.stop().await
}
