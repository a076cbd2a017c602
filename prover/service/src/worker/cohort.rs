//! What a worker does with a question: open the dataset's folder, decide, prove, and hand over the answer with its line in the ledger.

use super::{task::Verdict, thread::ProverThread};
use crate::{
    cohort::{Folder, Question, Released, Understood, answer, step_percent, understand},
    engine::Engine,
    error::CohortError,
    jobs::{Answer, Failure, FailureCode, Phase},
    store::{
        questions::{LedgerLine, StoredQuestion},
        queue::Lease,
    },
};
use nightingale_circuits::claim::Address;
use nightingale_prover::{
    ProveError,
    cohort::{CohortKeyStore, Step},
};
use nightingale_records::trial::Role;
use nightingale_verifier::cohort::Venue;
use std::{
    ops::ControlFlow,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

/// An answer and what the ledger says about it.
pub(super) struct Proven {
    pub(super) answer: Answer,
    pub(super) line: LedgerLine,
}

impl StoredQuestion {
    /// The question that it holds.
    pub(crate) fn question(&self) -> Question {
        Question {
            sql: self.sql.clone(),
            role: if self.regulator { Role::Regulator } else { Role::Researcher },
            venue: Venue { chain_id: self.chain_id, contract: Address(self.contract) },
        }
    }
}

impl LedgerLine {
    /// A question's line.
    pub(crate) fn of(understood: &Understood, folder: &Folder, outcome: Result<u32, String>) -> Self {
        Self {
            dataset: *folder.public().digest(),
            role: understood.role.name().to_owned(),
            query: understood.sql.clone(),
            digest: understood.digest,
            threshold: understood.threshold,
            outcome,
        }
    }
}

pub(super) async fn work(
    engine: &Engine,
    thread: &ProverThread,
    lease: &Lease,
    stop: &Arc<AtomicBool>,
) -> Result<Box<Proven>, Verdict> {
    let Ok(bytes) = &lease.request else { return Err(FailureCode::Unreadable.into()) };
    // It was read before it was accepted: only a release that reads less comes here.
    let stored: StoredQuestion = serde_json::from_slice(bytes).map_err(|_| FailureCode::Refused)?;
    let row =
        engine.store.dataset(&lease.tenant, &stored.dataset).await?.ok_or(FailureCode::DatasetUnavailable)?;
    let path = engine.dataset_folder(&lease.tenant, &row.path);
    let keys = engine.cohort_keys.clone();
    let (phases, mut heard) = tokio::sync::mpsc::unbounded_channel();
    let stopped = stop.clone();
    let proving = thread.run(move |_| {
        let store = keys.open()?;
        prove(&store, &path, &stored, &mut |step| {
            // The lane may have gone.
            let _ = phases.send(phase(step));
            if stopped.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
    });
    tokio::pin!(proving);
    let proven = loop {
        tokio::select! {
            done = &mut proving => break done?,
            Some(phase) = heard.recv() => engine.events.set_phase(lease.id, Some(phase)),
        }
    };
    proven.map_err(|error| verdict(lease, &error))
}

fn phase(step: Step) -> (Phase, u8) {
    let phase = match step {
        Step::Setup(_) | Step::Key(..) | Step::Committing { .. } => Phase::Assigning,
        Step::Proving { .. } | Step::Linking => Phase::Proving,
        Step::Verifying => Phase::Verifying,
    };
    let percent = match step {
        Step::Linking => 95,
        Step::Verifying => 99,
        other => step_percent(other).unwrap_or_default(),
    };
    (phase, percent)
}

fn prove(
    keys: &CohortKeyStore,
    path: &Path,
    stored: &StoredQuestion,
    progress: nightingale_prover::cohort::Progress<'_>,
) -> Result<Box<Proven>, CohortError> {
    let folder = Folder::open_registered(path, &stored.dataset)?;
    let understood = understand(folder.public(), &stored.question())?;
    understood.allow(folder.public())?;
    if stored.regulator && folder.regulator.is_none() {
        return Err(CohortError::NoRegulatorKey);
    }
    let released = answer::prove(&folder, keys, &understood, progress)?;
    let version = u32::try_from(released.proof.consent_version).unwrap_or(u32::MAX);
    let line = LedgerLine::of(&understood, &folder, Ok(version));
    Ok(Box::new(Proven { answer: stored_answer(&understood, released, version)?, line }))
}

fn stored_answer(
    understood: &Understood,
    released: Released,
    consent_version: u32,
) -> Result<Answer, CohortError> {
    let cells = &released.proof.answer.cells;
    let hidden = cells.iter().filter(|cell| cell.figures().is_none()).count();
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    Ok(Answer {
        dataset: released.proof.dataset,
        table: released.proof.table.clone(),
        query: understood.sql.clone(),
        role: understood.role.name().to_owned(),
        threshold: released.proof.threshold,
        consent_version,
        groups: count(cells.len()),
        suppressed: count(hidden),
        sealed: released.sealed,
        key_digest: released.proof.proof.key.0,
        prove_ms: released.prove_ms,
        file: String::from_utf8(released.file)
            .map_err(|_| CohortError::Bug("a proof file that is no text"))?,
    })
}

fn verdict(lease: &Lease, error: &CohortError) -> Verdict {
    match error {
        CohortError::Prove(ProveError::Cancelled) => Verdict::Again,
        refusal if refusal.is_refusal() => {
            Verdict::Failed(Failure { message: refusal.to_string(), ..Failure::new(FailureCode::Refused) })
        }
        CohortError::NoDataset(_)
        | CohortError::Prove(ProveError::Corrupt { .. } | ProveError::Io { .. })
        | CohortError::RegulatorKey(_)
        | CohortError::Path { .. } => {
            // Paths are the operator's to see, not the caller's.
            tracing::error!(job = %lease.id, %error, "the dataset cannot be used");
            FailureCode::DatasetUnavailable.into()
        }
        _ => {
            tracing::error!(job = %lease.id, %error, "answering failed");
            FailureCode::Internal.into()
        }
    }
}
