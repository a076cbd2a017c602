//! A worker's process is killed, in each phase of its work, and another one takes the job over within two lease periods.

use crate::{
    audit::execute,
    crowd::Crowd,
    end_to_end::keys,
    process::{Behaviour, Process, real_server, real_worker, server, worker},
    running::SOON,
    site::{Oracle, Site, on_both, record},
};
use anyhow::{Context, Result, ensure};
use nightingale::client::Client;
use sqlx::Executor;
use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// How long a lease lasts here.
const LEASE: Duration = Duration::from_secs(5);
/// How often a kill may come too late for the moment that it is meant for.
const TRIES: usize = 20;

on_both!(
    in_each_phase_of_proving,
    before_it_begins_to_prove,
    before_its_commit_and_after_it,
    between_its_update_and_its_commit,
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
    site.work("claims = false").work("cohorts = false").work("workers = 1").work("lease_seconds = 5")
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
        ensure!(took < 2 * LEASE, "taken over after {took:?}");
        record(&format!("worker's death: taken over and ended after {took:?}, a lease is {LEASE:?}"))?;
        next.kill().await
    }
}

/// A trigger of the test's own that holds the transaction which ends a claim, once everything is written but the commit.
enum Stall {
    /// It counts to a number that nobody reaches.
    Sqlite,
    /// It waits for a lock that the test has.
    Postgres(sqlx::Transaction<'static, sqlx::Postgres>),
}

const LOCK: &str = "SELECT pg_advisory_xact_lock(4711)";

impl Stall {
    async fn before_the_commit(oracle: &Oracle) -> Result<Self> {
        Ok(match oracle {
            Oracle::Sqlite(_) => {
                let made = "CREATE VIEW endless AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) \
                            SELECT COUNT(*) AS many FROM n WHERE i < 0; \
                            CREATE TRIGGER stall AFTER INSERT ON audit_entries WHEN NEW.event = 'decided' \
                            BEGIN SELECT many FROM endless; END";
                execute(oracle, made).await?;
                Self::Sqlite
            }
            Oracle::Postgres(pool) => {
                let made = "CREATE FUNCTION stall() RETURNS trigger LANGUAGE plpgsql AS \
                            'BEGIN PERFORM pg_advisory_xact_lock(4711); RETURN NEW; END'; \
                            CREATE TRIGGER stall AFTER INSERT ON audit_entries FOR EACH ROW \
                            WHEN (NEW.event = 'decided') EXECUTE FUNCTION stall()";
                execute(oracle, made).await?;
                let mut held = pool.begin().await?;
                held.execute(LOCK).await?;
                Self::Postgres(held)
            }
        })
    }

    /// Waits until it holds somebody.
    async fn holds(&self, oracle: &Oracle) -> Result<()> {
        let wait = async {
            let mut looks = 0;
            while looks < 5 {
                looks = if is_held(oracle).await? { looks + 1 } else { 0 };
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            anyhow::Ok(())
        };
        tokio::time::timeout(SOON, wait).await.context("nobody comes to the end of a transaction")?
    }

    /// Lets go, and removes it.
    async fn end(self, oracle: &Oracle) -> Result<()> {
        let removed = match self {
            Self::Sqlite => "DROP TRIGGER stall; DROP VIEW endless",
            Self::Postgres(held) => {
                held.rollback().await?;
                "DROP TRIGGER stall ON audit_entries"
            }
        };
        execute(oracle, removed).await
    }
}

/// Whether somebody is held: on SQLite has the right to write and does not give it back, on PostgreSQL waits for the lock.
async fn is_held(oracle: &Oracle) -> Result<bool> {
    match oracle {
        Oracle::Sqlite(pool) => {
            let mut connection = pool.acquire().await?;
            sqlx::query("PRAGMA busy_timeout = 1").execute(&mut *connection).await?;
            let taken = sqlx::query("BEGIN IMMEDIATE").execute(&mut *connection).await.is_ok();
            if taken {
                sqlx::query("ROLLBACK").execute(&mut *connection).await?;
            }
            sqlx::query("PRAGMA busy_timeout = 5000").execute(&mut *connection).await?;
            Ok(!taken)
        }
        Oracle::Postgres(_) => {
            let waiting = "SELECT COUNT(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 4711 AND NOT granted \
                 AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
            Ok(oracle.number(waiting).await? == 1)
        }
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

/// The transaction that ends a job has written everything by then but its commit: none of it is there.
async fn between_its_update_and_its_commit(site: Site) -> Result<()> {
    let site = front(site);
    let mut scene = Scene::set(&site).await?;
    let mut crowd = Crowd::of(1)?;
    let stall = Stall::before_the_commit(&scene.oracle).await?;
    let mut doomed = scene.worker(&Behaviour::default()).await?;
    crowd.submit(&mut scene.client, 0).await?;
    doomed.says("proven", SOON).await?;
    stall.holds(&scene.oracle).await?;
    doomed.kill().await?;
    stall.end(&scene.oracle).await?;
    assert_eq!(scene.oracle.count("done").await?, 0, "it was committed");
    for trace in [
        "SELECT COUNT(*) FROM jobs WHERE result IS NOT NULL OR ended IS NOT NULL",
        "SELECT COUNT(*) FROM nullifiers",
        "SELECT COUNT(*) FROM spends",
        "SELECT COUNT(*) FROM audit_entries WHERE event = 'decided'",
        "SELECT COUNT(*) FROM story_ends",
    ] {
        assert_eq!(scene.oracle.number(trace).await?, 0, "{trace}");
    }
    let next = scene.worker(&Behaviour::default()).await?;
    scene.oracle.until("done", 1, SOON).await?;
    next.kill().await?;
    assert_eq!(scene.oracle.number("SELECT COUNT(*) FROM audit_entries WHERE event = 'decided'").await?, 1);
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
