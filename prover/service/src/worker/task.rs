//! What a worker does with one job: read it, compare it with what was already approved, move it onto a newer account
//! where that is needed, prove it.

use super::{
    batcher::{Answer, Ticket},
    cohort,
    rebase::rebase,
    thread::{Died, ProverThread},
};
use crate::{
    adjudicator::ProveFailure,
    engine::Engine,
    error::StoreError,
    jobs::{AccountAfter, Decision, Failure, FailureCode, Instant, JobClass, Phase, SpentAccount, Waiting},
    store::{
        consents::Reliance,
        ledger::{Effects, Standing},
        queue::Lease,
    },
};
use nightingale_circuits::claim::{Account, Adjudication, Request, adjudicate};
use std::sync::{Arc, atomic::AtomicBool};
use zeroize::Zeroizing;

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
    SetAside(Waiting, Option<u64>),
    /// Back to the queue.
    Again,
    /// Back to the queue, until a device takes work again.
    Unserved,
    /// Its worker died.
    Died,
}

impl From<Died> for Verdict {
    fn from(died: Died) -> Self {
        match died {
            Died::Before => Self::Again,
            Died::During => Self::Died,
        }
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
    engine.enter(lease, Phase::Checking, 0);
    let done = match lease.class {
        JobClass::Claim(_) => {
            try_work(engine, thread, lease, stop).await.map(|proven| Verdict::Proven(Box::new(proven)))
        }
        JobClass::Cohort(_) => cohort::work(engine, thread, lease, stop).await.map(Verdict::Answered),
    };
    done.unwrap_or_else(|verdict| verdict)
}

/// The opened request. A master key that is not to be had now is no reason to fail a job.
pub(super) async fn request(engine: &Engine, lease: &Lease) -> Result<Zeroizing<Vec<u8>>, Verdict> {
    engine.store.request(lease).await.map_err(|error| {
        tracing::error!(job = %lease.id, %error, "the stored request was not opened");
        match error {
            // None of this tenant's are leased for a while.
            StoreError::KeyService(_) => Verdict::Again,
            error if error.is_transient() => Verdict::Unserved,
            _ => FailureCode::Unreadable.into(),
        }
    })
}

async fn try_work(
    engine: &Engine,
    thread: &ProverThread,
    lease: &Lease,
    stop: &Arc<AtomicBool>,
) -> Result<Proven, Verdict> {
    let bytes = request(engine, lease).await?;
    let mut checked = thread.run(move |_| Checked::read(&bytes)).await?.map_err(Verdict::Failed)?;
    let reliance = Reliance::of(&checked.request);
    if let Some(failure) = engine.store.rely(lease, &reliance, Instant::now()).await?.failure() {
        return Err(Verdict::Failed(failure));
    }
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
    let JobClass::Claim(class) = lease.class else { return Err(FailureCode::Internal.into()) };
    let (phases, mut heard) = tokio::sync::mpsc::unbounded_channel();
    let (answer, mut answered) = tokio::sync::oneshot::channel();
    let busy = thread.hold().await;
    engine.batcher.push(Ticket { class, checked, stop: stop.clone(), phases, answer, busy });
    let Answer { proof, checked, elapsed } = loop {
        tokio::select! {
            biased;
            // First, so that no phase is passed over.
            Some((phase, percent)) = heard.recv() => engine.enter(lease, phase, percent),
            done = &mut answered => break done.map_err(|_| Verdict::Died)?,
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
        ProveFailure::Unserved(error) => {
            tracing::error!(job = %lease.id, error, "no device takes work");
            Verdict::Unserved
        }
        ProveFailure::Bug(error) => {
            tracing::error!(job = %lease.id, error, "proving failed");
            FailureCode::Internal.into()
        }
    }
}
