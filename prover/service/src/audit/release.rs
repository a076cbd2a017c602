//! Releases: no result leaves before it is on record who got it.
//!
//! The first release of a job's result to a caller is an entry, committed before a byte of it leaves; the same caller reading the same result again learns
//! nothing new, so that is counted ([`repeats`](super::repeats)). A tenant's releases that come at once share one transaction: whoever comes first
//! commits for all of that tenant's that wait. No tenant's wait for another's.

use super::{Actor, Draft, Event};
use crate::{
    engine::Engine,
    error::StoreError,
    identity::Caller,
    jobs::{Instant, Job, JobId, Tenant},
    store::audit::Release,
    turns::Turns,
};
use nightingale_circuits::field::to_be_bytes;
use sha2::{Digest, Sha256};
use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::oneshot;

/// How many releases are remembered, so that a repeated read asks the database nothing.
const REMEMBERED: usize = 100_000;

/// A job as it may be shown: without a result, or with one whose release to this caller is on record.
pub(crate) struct Cleared(Job);

impl Cleared {
    /// Without a result: nothing of it has to be on record.
    pub(crate) fn bare(mut job: Job) -> Self {
        (job.decision, job.answer) = (None, None);
        Self(job)
    }

    /// Whether nothing changes it any more.
    pub(crate) const fn has_ended(&self) -> bool {
        self.0.state.has_ended()
    }

    pub(crate) fn into_job(self) -> Job {
        self.0
    }
}

type Key = (Tenant, JobId, Actor);

struct Waiting {
    release: Release,
    done: oneshot::Sender<Result<bool, StoreError>>,
}

/// The releases of one server.
#[derive(Default)]
pub(crate) struct Releases {
    known: Mutex<HashSet<Key>>,
    waiting: Mutex<HashMap<Tenant, Vec<Waiting>>>,
    turns: Turns,
}

impl Releases {
    fn known(&self) -> MutexGuard<'_, HashSet<Key>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<Tenant, Vec<Waiting>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a release of a tenant's on record, with whatever else of it waits for that; says whether it is new.
    async fn record(engine: &Arc<Engine>, tenant: &Tenant, release: Release) -> Result<bool, StoreError> {
        let (done, told) = oneshot::channel();
        engine.releases.waiting().entry(tenant.clone()).or_default().push(Waiting { release, done });
        // Of its own, so that a caller who goes away takes nobody's release with it.
        let (own, tenant) = (engine.clone(), tenant.clone());
        tokio::spawn(async move {
            let _turn = own.releases.turns.turn(tenant.as_str()).await;
            let batch = own.releases.waiting().remove(&tenant);
            if let Some(batch) = batch {
                commit(&own, &tenant, batch).await;
            }
        });
        told.await.map_err(|_| StoreError::Io("a release was not put on record".into()))?
    }
}

async fn commit(engine: &Engine, tenant: &Tenant, batch: Vec<Waiting>) {
    let (releases, waiting): (Vec<Release>, Vec<_>) =
        batch.into_iter().map(|waiting| (waiting.release, waiting.done)).unzip();
    match engine.store.record_releases(tenant, &releases, Instant::now()).await {
        Ok(new) => {
            for (done, new) in waiting.into_iter().zip(new) {
                // A caller who has gone gets nothing; that it was to get it stays on record.
                let _ = done.send(Ok(new));
            }
        }
        Err(error) => {
            tracing::error!(%error, tenant = tenant.as_str(), "releases were not put on record, and nothing is shown");
            for done in waiting {
                let _ = done.send(Err(error.again()));
            }
        }
    }
}

/// What is released of a job; nothing where it has no result.
fn released(draft: Draft, job: &Job) -> Option<Draft> {
    let draft = draft.job(&job.id);
    if let Some(decision) = &job.decision {
        let draft = draft
            .digest("proof", &Sha256::digest(&decision.proof_json))
            .digest("key", &decision.key_digest)
            .digest("consent_root", &to_be_bytes(&decision.public.consent_root));
        return Some(draft);
    }
    let answer = job.answer.as_ref()?;
    let draft = draft
        .digest("proof", &Sha256::digest(answer.file.as_bytes()))
        .digest("key", &answer.key_digest)
        .dataset(&answer.dataset)
        .number("consent_version", u64::from(answer.consent_version));
    Some(draft)
}

/// Lets a caller see a job: its result, if it has one, once the release is on record.
///
/// # Errors
/// The tenant was erased since the job was read, or the database does not take the entry: then nothing is shown.
pub(crate) async fn clear(
    engine: &Arc<Engine>,
    caller: &Caller,
    method: &'static str,
    job: Job,
) -> Result<Cleared, StoreError> {
    let draft = Draft::new(Event::Released, caller, method);
    let Some(draft) = released(draft, &job) else { return Ok(Cleared::bare(job)) };
    let key = (job.tenant.clone(), job.id, draft.actor.clone());
    let again = |draft: &Draft| {
        let again = Draft::by(Event::ReleasedAgain, draft.actor.clone(), method);
        engine.repeats.count(&job.tenant, again.job(&job.id))
    };
    if engine.releases.known().contains(&key) && again(&draft) {
        return Ok(Cleared(job));
    }
    let release = Release { job: job.id, draft: draft.clone() };
    if !Releases::record(engine, &job.tenant, release).await? && !again(&draft) {
        let again = Draft::by(Event::ReleasedAgain, draft.actor.clone(), method).job(&job.id);
        engine.store.audit_shown(&job.tenant, again.number("times", 1), Instant::now()).await?;
    }
    let mut known = engine.releases.known();
    if known.len() >= REMEMBERED {
        known.clear();
    }
    known.insert(key);
    drop(known);
    Ok(Cleared(job))
}

/// Shows a job in an emergency: its entry is on record already.
pub(super) fn emergency(job: Job) -> Cleared {
    Cleared(job)
}

/// What an emergency's entry says is shown.
pub(super) fn shown(draft: Draft, job: &Job) -> Draft {
    released(draft.clone(), job).unwrap_or_else(|| draft.job(&job.id))
}
