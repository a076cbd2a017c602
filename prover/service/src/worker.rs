//! A worker: a lane of async code that leases jobs and waits, and an OS thread that reads and checks; ready claims go through
//! the [`batcher`] to the threads that own the device.
//!
//! The lane never computes and the threads never wait for the database. A thread that dies is replaced and its job
//! queued again. One lane holds one job, so there are as many lanes as claims that may be proven at once.

pub(crate) mod batcher;
mod cohort;
pub(crate) mod course;
mod rebase;
mod task;
mod thread;

use crate::{
    engine::Engine,
    error::StoreError,
    jobs::{Failure, FailureCode, Instant},
    store::{
        ledger::{Finish, Standing},
        questions::Answered,
        queue::{Lease, SetAside, Share},
    },
};
use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use task::{Proven, Verdict};
use thread::ProverThread;
use tokio::time::{Instant as Moment, MissedTickBehavior};

/// How long an idle lane waits before it looks again by itself.
/// Work that another process accepted is found so: a look costs one read of an index, and no hint that a broken connection
/// could lose has to be waited for.
const IDLE: Duration = Duration::from_millis(250);
/// How long after a job found no device that takes work, or a lane no thread.
const UNSERVED: Duration = Duration::from_secs(2);
/// How long after a database error before the next try.
const PAUSE: Duration = Duration::from_millis(500);

/// Works until the drain begins and the job in hand is ended or given back.
pub(crate) async fn lane(engine: Arc<Engine>, share: Share, number: usize) {
    let mut thread = ProverThread::start(engine.adjudicator.clone(), number);
    while !engine.is_draining() {
        // A proof that nobody wants any more still holds the thread: lease nothing until it is free.
        tokio::select! {
            () = thread.idle() => {}
            () = engine.drained() => break,
        }
        // Neither without a thread, whose jobs would be lost one after the other: other processes have theirs.
        if thread.has_died() {
            thread = thread.replacement();
        }
        if thread.has_died() {
            tokio::select! {
                () = tokio::time::sleep(UNSERVED) => {}
                () = engine.drained() => {}
            }
            continue;
        }
        match engine.store.lease(share, Instant::now(), engine.config.lease).await {
            Ok(Some(lease)) => attend(&engine, &thread, &lease).await,
            Ok(None) => {
                tokio::select! {
                    () = engine.events.work() => {}
                    () = tokio::time::sleep(IDLE) => {}
                    () = engine.drained() => {}
                }
            }
            Err(error) => {
                tracing::warn!(%error, "leasing failed");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// One lease, from taken to settled.
async fn attend(engine: &Engine, thread: &ProverThread, lease: &Lease) {
    tracing::info!(job = %lease.id, fence = lease.fence, "leased");
    // Where one job was there may be more, and a hint wakes one lane only.
    engine.events.work_arrived();
    let waited = Instant::now().0.saturating_sub(lease.accepted.0).max(0);
    if lease.fence == 1 {
        engine.metrics.queued_seconds.observe(Duration::from_millis(waited.unsigned_abs()).as_secs_f64());
    }
    lease.course.begin(&engine.tracer, lease.id, lease.class, lease.fence, lease.accepted);
    let stop = Arc::new(AtomicBool::new(false));
    tokio::select! {
        verdict = task::work(engine, thread, lease, &stop) => {
            let unserved = matches!(verdict, Verdict::Unserved);
            tokio::select! {
                () = settle(engine, lease, verdict) => {}
                never = keep(engine, lease) => match never {},
            }
            if unserved {
                tokio::select! {
                    () = tokio::time::sleep(UNSERVED) => {}
                    () = engine.drained() => {}
                }
            }
        }
        () = lost(engine, lease) => {
            engine.metrics.late_results.inc();
            lease.course.note("LEASE_GONE");
            tracing::info!(job = %lease.id, fence = lease.fence, "lease gone, work dropped");
        }
        () = drain_over(engine) => {
            lease.course.note("DRAINED");
            tracing::info!(job = %lease.id, "drained: job given back");
            if let Err(error) = engine.store.release(lease).await {
                tracing::warn!(%error, job = %lease.id, "giving back failed; the next start takes it back");
            }
        }
    }
    stop.store(true, Ordering::Relaxed);
    lease.course.end(&engine.metrics);
    engine.events.set_phase(lease.id, None);
    engine.events.work_arrived();
}

/// Returns when the lease is held no more, whoever took it. Keeps it until then.
async fn lost(engine: &Engine, lease: &Lease) {
    let mut watcher = engine.events.watch(lease.id);
    let mut beat = tokio::time::interval(engine.config.lease / 3);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = beat.tick() => {}
            () = watcher.changed() => {}
        }
        match engine.store.heartbeat(lease, Instant::now().plus(engine.config.lease)).await {
            Ok(true) => {}
            Ok(false) => return,
            // The lease may run out meanwhile; then the next heartbeat says so, and so does the fence.
            Err(error) => tracing::warn!(%error, job = %lease.id, "heartbeat failed"),
        }
    }
}

/// Keeps a lease while its outcome waits for its turn in the database. Whether it is still held, the outcome is told there.
async fn keep(engine: &Engine, lease: &Lease) -> Infallible {
    let period = engine.config.lease / 3;
    // Most outcomes are in the database before the first.
    let mut beat = tokio::time::interval_at(Moment::now() + period / 2, period);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        beat.tick().await;
        if let Err(error) = engine.store.heartbeat(lease, Instant::now().plus(engine.config.lease)).await {
            tracing::warn!(%error, job = %lease.id, "heartbeat failed");
        }
    }
}

async fn drain_over(engine: &Engine) {
    engine.drained().await;
    tokio::time::sleep(engine.config.drain).await;
}

/// Brings a verdict into the database, again and again while the database cannot take it. Without a key the job is given back: another machine may
/// have it, and none of its tenant's are leased here for a while.
async fn settle(engine: &Engine, lease: &Lease, verdict: Verdict) {
    let mut verdict = verdict;
    loop {
        match try_settle(engine, lease, &verdict).await {
            Ok(()) => {}
            Err(StoreError::TenantErased) => late(engine, lease),
            Err(error @ StoreError::KeyService(_)) => {
                tracing::error!(%error, job = %lease.id, "the outcome cannot be sealed, and the job is given back");
                verdict = Verdict::Again;
                continue;
            }
            Err(error) if error.is_transient() && !engine.is_draining() => {
                tracing::error!(%error, job = %lease.id, "the outcome is kept in memory until the database takes it");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
            Err(error) => {
                tracing::error!(%error, job = %lease.id, "the outcome is lost; the job is taken back when its lease ends");
            }
        }
        return;
    }
}

async fn try_settle(engine: &Engine, lease: &Lease, verdict: &Verdict) -> Result<(), StoreError> {
    match verdict {
        Verdict::Proven(proven) => finish(engine, lease, proven).await,
        Verdict::Answered(proven) => answer(engine, lease, proven).await,
        Verdict::Failed(failure) => fail(engine, lease, failure).await,
        Verdict::SetAside(waiting, seen) => {
            tracing::info!(job = %lease.id, reason = waiting.name(), "waiting");
            match engine.store.set_aside(lease, *waiting, *seen).await? {
                SetAside::Waiting => {
                    lease.course.note("WAITING");
                    engine.events.set_phase(lease.id, None);
                    engine.events.changed(lease.id);
                }
                SetAside::Overtaken => {
                    lease.course.note("RELEASED");
                    engine.events.changed(lease.id);
                }
                SetAside::Gone => late(engine, lease),
            }
            Ok(())
        }
        Verdict::Again | Verdict::Unserved => {
            engine.store.release(lease).await?;
            lease.course.note("RELEASED");
            engine.events.changed(lease.id);
            Ok(())
        }
        Verdict::Died => {
            tracing::error!(job = %lease.id, "the worker died");
            engine.metrics.leases_lost.inc();
            engine.store.lose(lease, engine.config.max_losses, Instant::now()).await?;
            lease.course.note("LOST");
            engine.events.changed(lease.id);
            Ok(())
        }
    }
}

async fn finish(engine: &Engine, lease: &Lease, proven: &Proven) -> Result<(), StoreError> {
    let account = proven.account.as_ref();
    match engine.store.finish(lease, &proven.decision, account, Instant::now).await? {
        Finish::Committed => {
            let seconds = Duration::from_millis(proven.decision.prove_ms).as_secs_f64();
            engine.metrics.prove_seconds.with_label_values(&[lease.class.name()]).observe(seconds);
            engine.settled(lease, if proven.decision.approved { "APPROVED" } else { "DENIED" });
        }
        Finish::Stale => late(engine, lease),
        Finish::Conflict(Standing::AccountSpent) => {
            // Taken again, it is moved onto the newer account, or fails, as its submission said.
            engine.store.release(lease).await?;
            lease.course.note("RELEASED");
            engine.events.changed(lease.id);
        }
        Finish::Conflict(standing) => {
            let failure = standing.failure().unwrap_or_else(|| Failure::new(FailureCode::Internal));
            fail(engine, lease, &failure).await?;
        }
    }
    Ok(())
}

async fn answer(engine: &Engine, lease: &Lease, proven: &cohort::Proven) -> Result<(), StoreError> {
    let cohort::Proven { answer, consents, line } = proven;
    match engine.store.finish_question(lease, answer, consents, line, Instant::now).await? {
        Answered::Committed => {
            let seconds = Duration::from_millis(answer.prove_ms).as_secs_f64();
            engine.metrics.prove_seconds.with_label_values(&[lease.class.name()]).observe(seconds);
            engine.settled(lease, "ANSWERED");
        }
        Answered::Stale => late(engine, lease),
        Answered::Superseded => {
            // Taken again, it is proven under the newest consents.
            tracing::info!(job = %lease.id, "newer consents, proven anew");
            engine.store.release(lease).await?;
            engine.events.changed(lease.id);
        }
    }
    Ok(())
}

async fn fail(engine: &Engine, lease: &Lease, failure: &Failure) -> Result<(), StoreError> {
    if engine.store.fail(lease, failure, Instant::now()).await? {
        engine.settled(lease, failure.code.name());
    } else {
        late(engine, lease);
    }
    Ok(())
}

fn late(engine: &Engine, lease: &Lease) {
    engine.metrics.late_results.inc();
    lease.course.note("LATE");
    tracing::warn!(job = %lease.id, fence = lease.fence, "late result refused");
}
