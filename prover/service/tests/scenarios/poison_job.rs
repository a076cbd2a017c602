//! A job ends every worker's process that takes it.

use crate::{
    clinic::failure,
    crowd::Crowd,
    process::{Behaviour, server, worker},
    running::SOON,
    site::{Site, on_both},
};
use anyhow::{Result, ensure};
use nightingale::client::{Client, Options};
use nightingale_proto::v1::JobState;
use std::time::Instant;

on_both!(it_fails_when_it_has_ended_as_many_as_it_may_and_takes_nobody_with_it);

/// Workers that it may end.
const MOST: usize = 4;

async fn it_fails_when_it_has_ended_as_many_as_it_may_and_takes_nobody_with_it(site: Site) -> Result<()> {
    let site = site
        .work("claims = false")
        .work("cohorts = false")
        .work("workers = 3")
        .work("lease_seconds = 1")
        .work(&format!("max_losses = {MOST}"));
    let (file, log, oracle) = (site.file()?, site.log(), site.oracle().await?);
    let mut crowd = Crowd::of(24)?;
    let server = server(&file, &log, &Behaviour::default()).await?;
    let mut client = Client::connect(&server.address, "north").await?;
    // It goes first, always: nothing but the rule keeps it away from the others.
    let first = Options { priority: 100, ..Options::default() };
    let poison = crowd.submit_with(&mut client, 0, first).await?;
    assert!(crowd.submit_all(&client).await?.is_empty());
    let behaviour = Behaviour { deadly: Some(crowd.commitment(0)?), ..Behaviour::slow(50) };
    let (mut ended, begun) = (0, Instant::now());
    // A supervisor that starts the worker again whenever it ends.
    while oracle.number("SELECT COUNT(*) FROM jobs WHERE ended IS NULL").await? > 0 {
        ensure!(begun.elapsed() < 2 * SOON, "the queue does not empty");
        let mut worker = worker(&file, &log, &behaviour).await?;
        tokio::select! {
            status = worker.ended(SOON) => {
                ensure!(!status?.success(), "a worker ended by itself");
                ended += 1;
            }
            settled = crowd.settled(&oracle, SOON) => settled?,
        }
    }
    assert_eq!(ended, MOST, "workers that it ended");
    assert_eq!(failure(&client.job(&poison).await?)?.code, "ATTEMPTS_EXHAUSTED");
    let most = oracle.number("SELECT MAX(losses) FROM jobs WHERE state = 'done'").await?;
    ensure!(most <= 2, "a job that did nothing was lost {most} times beside it");
    crowd.reckon(&mut client, &oracle, &[(0, JobState::Failed)], None).await
}
