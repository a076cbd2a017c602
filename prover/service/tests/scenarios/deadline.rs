//! A deadline passes: before acceptance, in the queue, while proving.

use crate::{
    clinic::{Clinic, failure, result},
    running::{Running, config, ended, keyed},
    stand_in::StandIn,
};
use anyhow::Result;
use nightingale::client::{ClientError, Options};
use std::time::Duration;

fn within(key: &str, milliseconds: u64) -> Options {
    Options { deadline: Some(Duration::from_millis(milliseconds)), ..keyed(key) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_that_passes_fails_the_job_and_spends_nothing() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let server =
        Running::start(config(folder.path()), StandIn { stops: true, ..StandIn::slow(2000) }).await?;
    let (mut client, mut clinic) = (server.client().await?, Clinic::new()?);
    let request = clinic.file(0, &[1])?;
    let running = client.adjudicate(request.clone(), within("running", 700), false).await?;
    let queued = client.adjudicate(clinic.file(1, &[1])?, within("queued", 600), false).await?;
    for job in [running, queued] {
        let job = ended(&mut client, &job.id).await?;
        assert_eq!(failure(&job)?.code, "DEADLINE_PASSED");
    }
    let again = client.adjudicate(request, within("again", 15_000), true).await?;
    assert!(result(&again)?.approved);
    server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_in_the_past_is_refused() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let server = Running::start(config(folder.path()), StandIn::default()).await?;
    let mut client = server.client().await?;
    let refused = client.adjudicate(Clinic::new()?.file(0, &[1])?, within("late", 0), true).await;
    assert!(matches!(refused, Err(ClientError::Refused { ref reason, .. }) if reason == "DEADLINE_PASSED"));
    assert!(client.jobs(&[], 10).await?.is_empty());
    server.stop().await
}
