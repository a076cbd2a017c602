//! A machine sleeps while it proves, its job goes to another one, and then it wakes and writes.

use crate::{
    crowd::Crowd,
    process::{Behaviour, server, worker},
    running::SOON,
    site::{Site, on_both},
};
use anyhow::{Result, ensure};
use nightingale::client::Client;
use std::{fs, time::Duration};

on_both!(a_worker_that_wakes_changes_nothing_and_works_on);

async fn a_worker_that_wakes_changes_nothing_and_works_on(site: Site) -> Result<()> {
    let site = site.work("claims = false").work("cohorts = false").work("workers = 1");
    let (file, log, oracle) = (site.file()?, site.path().join("sleeper"), site.oracle().await?);
    let server = server(&file, &site.log(), &Behaviour::default()).await?;
    let mut client = Client::connect(&server.address, "north").await?;
    let mut crowd = Crowd::of(2)?;
    let sleeper = worker(&file, &log, &Behaviour::slow(600)).await?;
    let id = crowd.submit(&mut client, 0).await?;
    oracle.until("leased", 1, SOON).await?;
    // Nobody writes at that moment: what sleeps with SQLite's lock in its hand holds everybody up, on purpose.
    let held = oracle.hold().await?;
    sleeper.freeze().await?;
    drop(held);
    let other = worker(&file, &site.log(), &Behaviour::default()).await?;
    oracle.until("done", 1, SOON).await?;
    assert_eq!(other.end(SOON).await?.code(), Some(0));
    let first = client.job(&id).await?;
    sleeper.thaw().await?;
    // It goes on where it stood: its proof comes too late, and the next claim is its own.
    crowd.submit(&mut client, 1).await?;
    oracle.until("done", 2, SOON).await?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let said = fs::read_to_string(&log)?;
    ensure!(said.contains("lease gone, work dropped") || said.contains("late result refused"), "{said}");
    ensure!(client.job(&id).await? == first, "the late result changed the job");
    assert_eq!(sleeper.end(SOON).await?.code(), Some(0));
    crowd.reckon(&mut client, &oracle, &[], None).await
}
