//! What a worker does with one job: read it, compare it with what was already approved, move it onto a newer account
//! where that is needed, prove it.

use super::{
    cohort,
    rebase::rebase,
    thread::{Died, ProverThread},
};
use crate::{
    adjudicator::ProveFailure,
    engine::Engine,
    error::StoreError,
    jobs::{AccountAfter, Decision, Failure, FailureCode, JobClass, Phase, SpentAccount, Waiting},
    store::{
        ledger::{Effects, Standing},
        queue::Lease,
    },
};
use nightingale_circuits::claim::{Account, Adjudication, Request, adjudicate};
use std::{
    ops::ControlFlow,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

/// A decision, and the account that it leads to in an approval.
pub(super) struct Proven {
    pub(super) decision: Decision,
    pub(super) account: Option<Account>,
}

/// What is to become of the job.
pub(super) enum Verdict {
    Proven(Box<Proven>),
    Answered(Box<cohort::Proven>),
    Failed(Failure),
    SetAside(Waiting),
    /// Back to the queue.
    Again,
    /// Its worker died.
    Died,
}

impl From<Died> for Verdict {
    fn from(_: Died) -> Self {
        Self::Died
    }
}

impl From<Waiting> for Verdict {
    fn from(waiting: Waiting) -> Self {
        Self::SetAside(waiting)
    }
}

impl From<FailureCode> for Verdict {
    fn from(code: FailureCode) -> Self {
        Self::Failed(Failure::new(code))
    }
}

impl From<StoreError> for Verdict {
    fn from(error: StoreError) -> Self {
        tracing::warn!(%error, "the database did not answer");
        if error.is_transient() { Self::Again } else { FailureCode::Internal.into() }
    }
}

/// A request and what the rules say about it. No `Debug`.
pub(super) struct Checked {
    pub(super) request: Request,
    pub(super) outcome: Adjudication,
}

impl Checked {
    pub(super) fn new(request: Request) -> Result<Box<Self>, Failure> {
        let outcome = adjudicate(&request).map_err(|refusal| Failure::refused(&refusal))?;
        Ok(Box::new(Self { request, outcome }))
    }

    fn read(bytes: &[u8]) -> Result<Box<Self>, Failure> {
        // It was read before it was accepted: only a release that reads less comes here.
        let request =
            nightingale_records::request::from_json(bytes).map_err(|_| Failure::new(FailureCode::Refused))?;
        Self::new(request)
    }
}

/// Works on a leased job. `stop` asks the prover to stop early.
pub(super) async fn work(
    engine: &Engine,
    thread: &ProverThread,
    lease: &Lease,
    stop: &Arc<AtomicBool>,
) -> Verdict {
    engine.events.set_phase(lease.id, Some((Phase::Checking, 0)));
    let done = match lease.class {
        JobClass::Claim(_) => {
            try_work(engine, thread, lease, stop).await.map(|proven| Verdict::Proven(Box::new(proven)))
        }
        JobClass::Cohort(_) => cohort::work(engine, thread, lease, stop).await.map(Verdict::Answered),
    };
    done.unwrap_or_else(|verdict| verdict)
}

async fn try_work(
    engine: &Engine,
    thread: &ProverThread,
    lease: &Lease,
    stop: &Arc<AtomicBool>,
) -> Result<Proven, Verdict> {
    let Ok(bytes) = &lease.request else { return Err(FailureCode::Unreadable.into()) };
    let bytes = bytes.clone();
    let mut checked = thread.run(move |_| Checked::read(&bytes)).await?.map_err(Verdict::Failed)?;
    let mut standing = engine.store.standing(&lease.tenant, &Effects::of(&checked.outcome.public)).await?;
    if standing == Standing::AccountSpent && lease.spent_account == SpentAccount::Rebase {
        checked = rebase(engine, thread, lease, checked).await?;
        standing = engine.store.standing(&lease.tenant, &Effects::of(&checked.outcome.public)).await?;
    }
    if let Some(failure) = standing.failure() {
        return Err(Verdict::Failed(failure));
    }
    prove(engine, thread, lease, checked, stop).await
}

async fn prove(
    engine: &Engine,
    thread: &ProverThread,
    lease: &Lease,
    checked: Box<Checked>,
    stop: &Arc<AtomicBool>,
) -> Result<Proven, Verdict> {
    let (phases, mut heard) = tokio::sync::mpsc::unbounded_channel();
    let stopped = stop.clone();
    let proving = thread.run(move |adjudicator| {
        let start = Instant::now();
        let mut progress = |phase, percent| {
            // The lane may have gone.
            let _ = phases.send((phase, percent));
            if stopped.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let proof = adjudicator.prove(&checked.request, &mut progress);
        (proof, checked, start.elapsed())
    });
    tokio::pin!(proving);
    let (proof, checked, elapsed) = loop {
        tokio::select! {
            done = &mut proving => break done?,
            Some(phase) = heard.recv() => engine.events.set_phase(lease.id, Some(phase)),
        }
    };
    let proof = proof.map_err(|failure| prove_failure(lease, failure))?;
    let outcome = checked.outcome;
    if proof.public != outcome.public {
        tracing::error!(job = %lease.id, "the proof does not say what the rules say");
        return Err(FailureCode::Internal.into());
    }
    let account = outcome.account_after;
    let account_after = account.as_ref().map(|a| AccountAfter {
        year: a.year,
        version: a.version,
        deductible: a.balances.deductible,
        out_of_pocket: a.balances.out_of_pocket,
        maximum: a.balances.maximum,
    });
    let decision = Decision {
        approved: outcome.approved,
        reasons: outcome.reasons,
        payable: outcome.payable,
        key_digest: proof.key.0,
        proof_json: proof.to_json().into_bytes(),
        public: proof.public,
        account_after,
        prove_ms: u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
    };
    Ok(Proven { decision, account: account.filter(|_| outcome.approved) })
}

fn prove_failure(lease: &Lease, failure: ProveFailure) -> Verdict {
    match failure {
        ProveFailure::Refused(refusal) => Verdict::Failed(Failure::refused(&refusal)),
        ProveFailure::Stopped => Verdict::Again,
        ProveFailure::Key(error) => {
            tracing::error!(job = %lease.id, error, "no key");
            FailureCode::KeyUnavailable.into()
        }
        ProveFailure::Lost(error) => {
            tracing::error!(job = %lease.id, error, "the device is lost");
            Verdict::Died
        }
        ProveFailure::Bug(error) => {
            tracing::error!(job = %lease.id, error, "proving failed");
            FailureCode::Internal.into()
        }
    }
}
