//! A worker's process is killed, in each phase of its work, and another one takes the job over within two lease periods.

use crate::{
    crowd::Crowd,
    end_to_end::keys,
    process::{Behaviour, Process, real_server, real_worker, server, worker},
    running::SOON,
    site::{Oracle, Site, on_both},
};
use anyhow::{Result, ensure};
use nightingale::client::Client;
use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// How long a lease lasts here.
const LEASE: Duration = Duration::from_secs(3);
/// How often a kill may come too late for the moment that it is meant for.
const TRIES: usize = 20;

on_both!(
    in_each_phase_of_proving,
    before_it_begins_to_prove,
    before_its_commit_and_after_it,
    a_real_worker_while_it_proves,
);

/// A server that proves nothing itself, and a queue.
struct Scene {
    file: PathBuf,
    log: PathBuf,
    oracle: Oracle,
    client: Client,
    _server: Process,
}

/// Jobs are left to workers, one at a time.
fn front(site: Site) -> Site {
    site.work("claims = false").work("cohorts = false").work("workers = 1").work("lease_seconds = 3")
}

impl Scene {
    async fn set(site: &Site) -> Result<Self> {
        let (file, log, oracle) = (site.file()?, site.log(), site.oracle().await?);
        let server = server(&file, &log, &Behaviour::default()).await?;
        let client = Client::connect(&server.address, "north").await?;
        Ok(Self { file, log, oracle, client, _server: server })
    }

    async fn worker(&self, behaviour: &Behaviour) -> Result<Process> {
        worker(&self.file, &self.log, behaviour).await
    }

    /// Kills `doomed` and waits until somebody else has ended so many jobs.
    async fn taken_over(&self, doomed: Process, done: usize) -> Result<()> {
        let next = self.worker(&Behaviour::default()).await?;
        let killed = Instant::now();
        doomed.kill().await?;
        self.oracle.until("done", i64::try_from(done)?, SOON).await?;
        let took = killed.elapsed();
        // Two leases; the rest is for a machine that does something else beside.
        ensure!(took < 2 * LEASE + Duration::from_secs(5), "taken over after {took:?}");
        next.kill().await
    }
}

async fn in_each_phase_of_proving(site: Site) -> Result<()> {
    let site = front(site);
    let mut scene = Scene::set(&site).await?;
    let phases = ["assigning", "proving", "verifying"];
    let mut crowd = Crowd::of(phases.len())?;
    for (claim, phase) in phases.into_iter().enumerate() {
        let mut doomed = scene.worker(&Behaviour::stalling(phase)).await?;
        crowd.submit(&mut scene.client, claim).await?;
        assert_eq!(doomed.says("stalled", SOON).await?, phase);
        scene.taken_over(doomed, claim + 1).await?;
    }
    crowd.reckon(&mut scene.client, &scene.oracle, &[], None).await
}

async fn before_it_begins_to_prove(site: Site) -> Result<()> {
    let site = front(site);
    let mut scene = Scene::set(&site).await?;
    let mut crowd = Crowd::of(TRIES)?;
    for claim in 0..TRIES {
        // Where readers can be held, the worker cannot come further than the comparison with what was used up before.
        let held = scene.oracle.hold_reads("nullifiers").await?;
        let mut doomed = scene.worker(&Behaviour::stalling("assigning")).await?;
        crowd.submit(&mut scene.client, claim).await?;
        scene.oracle.until("leased", 1, SOON).await?;
        let pid = doomed.child.id();
        doomed.child.start_kill()?;
        let early = !doomed.has_said("stalled");
        drop(held);
        assert!(pid.is_some(), "it ended by itself");
        scene.taken_over(doomed, claim + 1).await?;
        if early {
            return crowd.reckon(&mut scene.client, &scene.oracle, &[], None).await;
        }
    }
    anyhow::bail!("each of {TRIES} workers was faster than its kill")
}

async fn before_its_commit_and_after_it(site: Site) -> Result<()> {
    let site = front(site);
    let mut scene = Scene::set(&site).await?;
    let mut crowd = Crowd::of(2)?;
    let mut doomed = scene.worker(&Behaviour::slow(300)).await?;
    crowd.submit(&mut scene.client, 0).await?;
    scene.oracle.until("leased", 1, SOON).await?;
    let held = scene.oracle.hold().await?;
    doomed.says("proven", SOON).await?;
    // Its result is on the way into a table that takes none.
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(scene.oracle.count("leased").await?, 1, "it could commit");
    doomed.child.kill().await?;
    drop(held);
    scene.taken_over(doomed, 1).await?;
    let doomed = scene.worker(&Behaviour::default()).await?;
    crowd.submit(&mut scene.client, 1).await?;
    scene.oracle.until("done", 2, SOON).await?;
    doomed.kill().await?;
    let next = scene.worker(&Behaviour::default()).await?;
    tokio::time::sleep(2 * LEASE).await;
    next.kill().await?;
    crowd.reckon(&mut scene.client, &scene.oracle, &[], None).await
}

async fn a_real_worker_while_it_proves(site: Site) -> Result<()> {
    let keys = keys()?;
    let site = front(site);
    let oracle = site.oracle().await?;
    let (file, log) = (site.file_with_keys(&keys)?, site.log());
    let server = real_server(&file, &log).await?;
    let mut client = Client::connect(&server.address, "north").await?;
    let mut crowd = Crowd::of(3)?;
    let claims = ["--share", "claims", "--device", "cpu", "--workers", "1"];
    let start = async |file: &Path| real_worker(file, &log, &claims).await;
    let doomed = start(&file).await?;
    for claim in 0..crowd.len() {
        crowd.submit(&mut client, claim).await?;
    }
    oracle.until("leased", 1, SOON).await?;
    doomed.kill().await?;
    let next = start(&file).await?;
    crowd.settled(&oracle, 4 * SOON).await?;
    assert_eq!(next.end(SOON).await?.code(), Some(0));
    crowd.reckon(&mut client, &oracle, &[], Some(&keys)).await
}
