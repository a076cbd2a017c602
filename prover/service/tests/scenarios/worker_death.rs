//! A worker dies while it proves.

use crate::{
    clinic::{Clinic, failure, result},
    running::{Running, config, ended, keyed},
    stand_in::StandIn,
};
use anyhow::Result;
use nightingale::Config;
use std::sync::Mutex;

#[tokio::test(flavor = "multi_thread")]
async fn another_worker_takes_the_job_over() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let prover = StandIn { panics: Mutex::new(2), ..StandIn::default() };
    let server = Running::start(config(folder.path()), prover).await?;
    let mut client = server.client().await?;
    let request = Clinic::new()?.file(0, &[1])?;
    let job = client.adjudicate(request, keyed("a"), false).await?;
    let job = ended(&mut client, &job.id).await?;
    assert!(result(&job)?.approved);
    assert_eq!(job.attempts, 3);
    server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_kills_every_worker_fails_and_the_next_one_runs() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let prover = StandIn { panics: Mutex::new(3), ..StandIn::default() };
    let server = Running::start(Config { max_losses: 3, ..config(folder.path()) }, prover).await?;
    let (mut client, mut clinic) = (server.client().await?, Clinic::new()?);
    let deadly = client.adjudicate(clinic.file(0, &[1])?, keyed("deadly"), true).await?;
    assert_eq!(failure(&deadly)?.code, "ATTEMPTS_EXHAUSTED");
    let next = client.adjudicate(clinic.file(1, &[1])?, keyed("next"), true).await?;
    assert!(result(&next)?.approved);
    server.stop().await
}
