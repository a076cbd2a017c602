//! A worker: a process of its own that takes jobs from the database which servers accept them into, on the same machine or, with
//! PostgreSQL, on another. The same leases, heartbeats and fences as the servers' own workers.
//!
//! Queue and results are the database's, so nothing else passes between a server and its workers. The binary says what proves;
//! nothing that it links comes into the server.

use crate::{
    adjudicator::{Adjudicator, Progress, ProveFailure, groth16::Groth16},
    config::Config,
    engine::{CohortKeys, Engine},
    error::ServiceError,
    production,
    store::{Store, queue::Share},
    telemetry::{endpoint, metrics::Metrics},
    worker,
};
use nightingale_circuits::claim::Request;
use nightingale_prover::{ProveError, cohort::Backend};
use nightingale_trace::Tracer;
use nightingale_verifier::{ClaimProof, VerifyingKey};
use std::{future::Future, ops::ControlFlow, sync::Arc, time::Duration};
use tokio::task::JoinSet;

/// How long the collector of traces is waited for at the end.
const LINGER: Duration = Duration::from_secs(2);

/// What a worker takes, and what it proves it with.
pub struct Provers {
    /// Which jobs it takes.
    pub share: Share,
    /// What proves claims; [`NoClaims`] for a worker that takes none.
    pub claims: Arc<dyn Adjudicator>,
    /// What proves questions.
    pub questions: Arc<dyn Backend>,
}

impl Provers {
    /// With the keys and the device that `config` names. Blocks.
    ///
    /// # Errors
    /// Keys that cannot be read, or a device that is not there and has no fallback.
    pub fn configured(
        config: &Config,
        share: Share,
        questions: Arc<dyn Backend>,
    ) -> Result<Self, ServiceError> {
        let claims: Arc<dyn Adjudicator> = match share {
            Share::Cohorts => Arc::new(NoClaims),
            Share::Everything | Share::Claims => Arc::new(Groth16::configured(config)?),
        };
        Ok(Self { share, claims, questions })
    }
}

/// Attaches to the database of the servers that `config` is of, rehearses with a made-up question where it takes questions, calls `ready`,
/// and proves until `shutdown` or until a device fails that must not be given more work. Of `config`, the listening address has no
/// meaning here; `metrics` is where this process tells its own.
///
/// # Errors
/// A database that no server of this release has made; a rehearsal that failed; a device that failed: its job is queued again by then.
pub async fn run(
    config: Config,
    provers: Provers,
    shutdown: impl Future<Output = ()>,
    ready: impl FnOnce(),
) -> Result<(), ServiceError> {
    let Provers { share, claims, questions } = provers;
    production::check_claims(&config, &claims.keys())?;
    if share != Share::Claims {
        production::check_cohorts(&Config { cohorts: true, ..config.clone() })?;
    }
    let store = Store::attach(&config).await?;
    store.expect_rules(&config).await?;
    let metrics = match config.metrics {
        Some(address) => Some(endpoint::bind(address).await?),
        None => None,
    };
    tracing::info!(?share, questions = questions.name(), "working");
    let counted = Metrics::new(store.times())?;
    let tracer =
        config.telemetry.as_ref().map_or_else(Tracer::off, |to| Tracer::to(to, "nightingale-worker"));
    let engine = Engine::new(config, store, Some(share), claims, questions, counted, tracer)?;
    let engine = Arc::new(engine);
    if share != Share::Claims {
        let keys = engine.cohort_keys.clone();
        let rehearsed = tokio::task::spawn_blocking(move || rehearse(&keys)).await;
        rehearsed.map_err(|_| ServiceError::Bug("the rehearsal panicked"))??;
    }
    ready();
    let mut background = JoinSet::new();
    for (number, share) in engine.lanes().into_iter().enumerate() {
        background.spawn(worker::lane(engine.clone(), share, number));
    }
    background.spawn(engine.clone().housekeeping(false));
    // Until the end, so that the drain is seen too.
    let mut watch = JoinSet::new();
    if let Some(listener) = metrics {
        watch.spawn(endpoint::serve(engine.clone(), listener));
    }
    let watched = engine.clone();
    watch.spawn(engine.clone().keep_watch(move |seen| {
        watched.supervisor.lives(seen.is_ready());
        std::future::ready(())
    }));
    tokio::select! {
        () = shutdown => {}
        () = engine.drained() => {}
    }
    tracing::info!("draining");
    engine.drain();
    while background.join_next().await.is_some() {}
    watch.shutdown().await;
    engine.store.close().await;
    engine.tracer.flush(LINGER).await;
    tracing::info!("stopped");
    engine.trouble()
}

/// A device that does not work takes no job.
fn rehearse(keys: &CohortKeys) -> Result<(), ServiceError> {
    let trouble = |error: ProveError| match error {
        ProveError::Device(error) => error.into(),
        other => ServiceError::Keys(other.to_string()),
    };
    let store = keys.open().map_err(|error| ServiceError::Keys(error.to_string()))?;
    store.rehearse(&mut |_| ControlFlow::Continue(())).map_err(trouble)
}

/// For a worker that never leases claims.
pub struct NoClaims;

impl Adjudicator for NoClaims {
    fn keys(&self) -> Vec<VerifyingKey> {
        Vec::new()
    }

    fn prove(&self, _: &Request, _: Progress<'_>) -> Result<ClaimProof, ProveFailure> {
        Err(ProveFailure::Bug("a worker for questions was given a claim".to_owned()))
    }
}
