//! The clock is set while jobs run: hours ahead, and hours back.
//!
//! Each process of these stories reads how far its clock is ahead from a file of its own.

use crate::{
    clinic::failure,
    crowd::Crowd,
    process::{Behaviour, server, worker},
    running::{SOON, ended},
    site::{Site, on_both},
};
use anyhow::{Result, ensure};
use nightingale::client::{Client, Options};
use nightingale_proto::v1::JobState;
use std::{
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

on_both!(a_jump_takes_no_lease_and_a_dead_worker_is_found_all_the_same, a_deadline_goes_by_one_clock,);

const HOUR: i64 = 3_600_000;

fn clock(site: &Site, name: &str) -> Result<PathBuf> {
    let file = site.path().join(name);
    set(&file, 0)?;
    Ok(file)
}

/// Renamed into place: nobody reads half of it.
fn set(file: &PathBuf, milliseconds: i64) -> Result<()> {
    let new = file.with_extension("new");
    fs::write(&new, milliseconds.to_string())?;
    Ok(fs::rename(new, file)?)
}

async fn a_jump_takes_no_lease_and_a_dead_worker_is_found_all_the_same(site: Site) -> Result<()> {
    let site =
        site.work("claims = false").work("cohorts = false").work("workers = 1").work("lease_seconds = 2");
    let (file, log, oracle) = (site.file()?, site.log(), site.oracle().await?);
    let (servers, workers) = (clock(&site, "servers")?, clock(&site, "workers")?);
    let front = Behaviour { clock: Some(servers.clone()), ..Behaviour::default() };
    let server = server(&file, &log, &front).await?;
    let mut client = Client::connect(&server.address, "north").await?;
    let mut crowd = Crowd::of(3)?;
    let slow = Behaviour { clock: Some(workers.clone()), ..Behaviour::slow(2500) };
    let living = worker(&file, &log, &slow).await?;
    for (claim, by) in [(0, 5 * HOUR), (1, -7 * HOUR)] {
        let id = crowd.submit(&mut client, claim).await?;
        oracle.until("leased", 1, SOON).await?;
        set(&servers, by)?;
        tokio::time::sleep(Duration::from_millis(900)).await;
        set(&workers, by)?;
        oracle.until("done", i64::try_from(claim)? + 1, SOON).await?;
        assert_eq!(client.job(&id).await?.attempts, 1, "a jump of {by} ms took a lease");
        set(&servers, 0)?;
        set(&workers, 0)?;
    }
    living.end(SOON).await?;
    // A worker dies, and then the clock goes back: nobody waits until it comes round again.
    let stalled = Behaviour { clock: Some(workers.clone()), ..Behaviour::stalling("proving") };
    let mut dead = worker(&file, &log, &stalled).await?;
    crowd.submit(&mut client, 2).await?;
    dead.says("stalled", SOON).await?;
    let quick = Behaviour { clock: Some(workers.clone()), ..Behaviour::default() };
    let next = worker(&file, &log, &quick).await?;
    let killed = Instant::now();
    dead.kill().await?;
    set(&servers, -5 * HOUR)?;
    set(&workers, -5 * HOUR)?;
    oracle.until("done", 3, SOON).await?;
    ensure!(killed.elapsed() < Duration::from_secs(20), "taken over after {:?}", killed.elapsed());
    crowd.reckon(&mut client, &oracle, &[], None).await?;
    next.kill().await
}

async fn a_deadline_goes_by_one_clock(site: Site) -> Result<()> {
    let several = site.url.is_some();
    let site = site.work("claims = false").work("cohorts = false").work("workers = 1");
    let (file, log, oracle) = (site.file()?, site.log(), site.oracle().await?);
    let (servers, workers) = (clock(&site, "servers")?, clock(&site, "workers")?);
    let front = Behaviour { clock: Some(servers.clone()), ..Behaviour::default() };
    let server = server(&file, &log, &front).await?;
    let mut client = Client::connect(&server.address, "north").await?;
    let mut crowd = Crowd::of(1)?;
    let due = Options { deadline: Some(Duration::from_secs(2 * 3600)), ..Options::default() };
    let id = crowd.submit_with(&mut client, 0, due).await?;
    set(&servers, 3 * HOUR)?;
    set(&workers, 3 * HOUR)?;
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let behaviour = Behaviour { clock: Some(workers.clone()), ..Behaviour::default() };
    let worker = worker(&file, &log, &behaviour).await?;
    let job = ended(&mut client, &id).await?;
    if several {
        // Machines whose clocks are wrong go by the database's, which is right.
        crowd.reckon(&mut client, &oracle, &[], None).await?;
    } else {
        // There is one clock, and by it the deadline has passed.
        assert_eq!(failure(&job)?.code, "DEADLINE_PASSED");
        crowd.reckon(&mut client, &oracle, &[(0, JobState::Failed)], None).await?;
    }
    worker.kill().await
}

/// A clock that is wrong at the start, where no jump is seen, and after a restart, which has seen none.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_purged_for_a_day_by_a_clock_that_is_far_ahead_at_the_start() -> Result<()> {
    const DAY: i64 = 24 * HOUR;
    let site = Site::sqlite()?;
    let (file, log, oracle) = (site.file()?, site.log(), site.oracle().await?);
    let clock = clock(&site, "clock")?;
    let behaviour = Behaviour { clock: Some(clock.clone()), ..Behaviour::default() };
    let first = server(&file, &log, &behaviour).await?;
    let mut client = Client::connect(&first.address, "north").await?;
    Crowd::of(1)?.submit(&mut client, 0).await?;
    oracle.until("done", 1, SOON).await?;
    first.end(SOON).await?;
    // Kept for thirty days. The second time, the clock has run on for an hour; then it was set right, and is wrong again.
    for ahead in [40 * DAY, 40 * DAY + HOUR, 0, 45 * DAY] {
        set(&clock, ahead)?;
        let server = server(&file, &log, &behaviour).await?;
        tokio::time::sleep(Duration::from_secs(2)).await;
        ensure!(oracle.count("done").await? == 1, "purged by a clock that is {ahead} ms ahead");
        server.end(SOON).await?;
    }
    ensure!(fs::read_to_string(&log)?.contains("ahead of the last purge"));
    // A day later it is believed: a service that was really off for so long purges in the end.
    set(&clock, 46 * DAY + HOUR)?;
    let last = server(&file, &log, &behaviour).await?;
    let wait = async {
        while oracle.count("done").await? > 0 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(SOON, wait).await??;
    last.end(SOON).await?;
    Ok(())
}
