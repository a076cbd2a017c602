//! What a worker does with a question: open the dataset's folder, decide, prove, and hand over the answer with its line in the ledger.

use super::{
    task::{Verdict, request},
    thread::ProverThread,
};
use crate::{
    cohort::{Folder, Question, Released, Understood, answer, step_percent, understand},
    engine::Engine,
    error::CohortError,
    jobs::{Answer, Failure, FailureCode, Instant, Phase},
    store::{
        consents::versions::TableVersion,
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
use nightingale_verifier::cohort::{Dataset, Venue};
use std::{
    ops::ControlFlow,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

/// An answer and what the ledger says about it.
pub(super) struct Proven {
    pub(super) answer: Answer,
    /// Under which consents it was made.
    pub(super) consents: TableVersion,
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
    pub(crate) fn of(understood: &Understood, dataset: &Dataset, outcome: Result<u32, String>) -> Self {
        Self {
            dataset: *dataset.digest(),
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
    let bytes = request(engine, lease).await?;
    // It was read before it was accepted: only a release that reads less comes here.
    let stored: StoredQuestion = serde_json::from_slice(&bytes).map_err(|_| FailureCode::Refused)?;
    // Before the files are opened: a version is among them before it is recorded.
    let recorded = engine.store.recorded_consents(&lease.tenant, &stored.dataset).await?;
    let archive = engine.archive(&lease.tenant, &stored.dataset).await?;
    let archive = archive.ok_or(FailureCode::DatasetUnavailable)?;
    let (dataset, known) = (stored.dataset, recorded.clone());
    let opened = thread.run(move |_| {
        let folder = archive.open()?;
        folder.expect_consents(&known)?;
        Ok::<_, CohortError>(folder)
    });
    let folder = opened.await?.map_err(|error| verdict(engine, lease, &error))?;
    let newest = folder.newest_consents();
    if newest.iter().any(|table| !recorded.contains(table)) {
        engine.store.note_consents(&lease.tenant, &dataset, &newest, Instant::now()).await?;
    }
    let keys = engine.cohort_keys.clone();
    let (phases, mut heard) = tokio::sync::mpsc::unbounded_channel();
    let stopped = stop.clone();
    let proving = thread.run(move |_| {
        let store = keys.open()?;
        prove(&store, &folder, &stored, &mut |step| {
            // The lane may have gone.
            let _ = phases.send(phase(step));
            if stopped.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
    });
    tokio::pin!(proving);
    let proven = loop {
        tokio::select! {
            biased;
            // First, so that no phase is passed over.
            Some((phase, percent)) = heard.recv() => engine.enter(lease, phase, percent),
            done = &mut proving => break done?,
        }
    };
    proven.map_err(|error| verdict(engine, lease, &error))
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
    folder: &Folder,
    stored: &StoredQuestion,
    progress: nightingale_prover::cohort::Progress<'_>,
) -> Result<Box<Proven>, CohortError> {
    let understood = understand(folder.public(), &stored.question())?;
    understood.allow(folder.public())?;
    if stored.regulator && folder.regulator.is_none() {
        return Err(CohortError::NoRegulatorKey);
    }
    let released = answer::prove(folder, keys, &understood, progress)?;
    let version = u32::try_from(released.proof.consent_version).unwrap_or(u32::MAX);
    let line = LedgerLine::of(&understood, folder.public(), Ok(version));
    let answer = stored_answer(&understood, released, version)?;
    let consents = folder.newest_consents().into_iter().find(|held| held.table == answer.table);
    let consents = consents.filter(|held| held.version == version);
    let consents = consents.ok_or(CohortError::Bug("an answer under consents that are not the newest"))?;
    Ok(Box::new(Proven { answer, consents, line }))
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

fn verdict(engine: &Engine, lease: &Lease, error: &CohortError) -> Verdict {
    match error {
        CohortError::Prove(ProveError::Cancelled) => Verdict::Again,
        CohortError::Prove(ProveError::Device(device)) if device.elsewhere() => {
            if device.ends_device() {
                engine.device_failed(device.clone());
            }
            tracing::error!(job = %lease.id, error = %device, "the device did not prove it");
            Verdict::Died
        }
        refusal if refusal.is_refusal() => {
            Verdict::Failed(Failure { message: refusal.to_string(), ..Failure::new(FailureCode::Refused) })
        }
        CohortError::NoDataset(_)
        | CohortError::Prove(ProveError::Corrupt { .. } | ProveError::Io { .. })
        | CohortError::RegulatorKey(_)
        | CohortError::OlderConsents { .. }
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
