//! The real thing: Groth16 with the keys of a folder, read when the server starts, on the configured device.

use super::{Adjudicator, Batching, Progress, ProveFailure};
use crate::{config::Config, error::ServiceError, jobs::Phase};
use nightingale_circuits::claim::{Request, SizeClass};
use nightingale_prover::{
    ClaimProver, Device, KeyStore, Phase as Step, ProveError,
    device::{
        Failover, Selection,
        failover::{Event, Listener, Report},
        select,
    },
};
use nightingale_verifier::{ClaimProof, VerifyingKey};
use std::{ops::ControlFlow, path::Path, sync::Arc};

/// Proves claims of both size classes.
pub struct Groth16 {
    provers: Vec<ClaimProver>,
    device: Failover,
    batching: Batching,
}

/// Threads that one proof keeps busy. Beyond so many cores the processor proves several at a time.
const THREADS_A_PROOF: usize = 4;

impl Groth16 {
    /// Reads and checks the keys of both size classes, and takes them onto the processor.
    ///
    /// # Errors
    /// A folder without keys, or a key file that is missing or damaged.
    pub fn open(keys: &Path) -> Result<Self, ServiceError> {
        let device = select::serve(&Selection::Cpu, None, &select::Options::default(), log());
        Self::on(keys, device.map_err(ProveError::from).map_err(trouble)?)
    }

    /// The same on the configured device.
    ///
    /// # Errors
    /// As [`Groth16::open`], and a device that is not there and has no fallback.
    pub fn configured(config: &Config) -> Result<Self, ServiceError> {
        let fallback = config.fallback.as_ref();
        let device = select::serve(&config.device, fallback, &config.device_options, log());
        let device = device.map_err(|error| ServiceError::Config {
            key: "work.device".to_owned(),
            problem: error.to_string(),
        })?;
        let accelerated = device.name().parse::<Selection>().is_ok_and(|name| name.is_accelerator());
        let most = if accelerated {
            device.batch()
        } else {
            let threads = std::thread::available_parallelism().map_or(1, usize::from);
            (threads / THREADS_A_PROOF).clamp(1, device.batch())
        };
        tracing::info!(device = device.name(), most, "proving");
        Ok(Self::on(&config.keys_dir, device)?.with_batching(Batching { most, waits: accelerated }))
    }

    /// The same on a given device, one claim at a time.
    ///
    /// # Errors
    /// As [`Groth16::open`], and the device's.
    pub fn on(keys: &Path, device: Failover) -> Result<Self, ServiceError> {
        let store = KeyStore::open(keys).map_err(trouble)?;
        let prover = |class| ClaimProver::new(store.claim_key(class)?, &device);
        let provers = SizeClass::ALL.into_iter().map(prover).collect::<Result<_, _>>().map_err(trouble)?;
        Ok(Self { provers, device, batching: Batching { most: 1, waits: false } })
    }

    /// The same with batches.
    #[must_use]
    pub fn with_batching(self, batching: Batching) -> Self {
        Self { batching, ..self }
    }

    fn prover(&self, request: &Request) -> Result<&ClaimProver, ProveFailure> {
        let class = request.size_class().map_err(ProveFailure::Refused)?;
        let prover = self.provers.iter().find(|prover| prover.class() == class);
        prover.ok_or_else(|| ProveFailure::Key(format!("no key of class {}", class.name())))
    }
}

fn trouble(error: ProveError) -> ServiceError {
    ServiceError::Keys(error.to_string())
}

/// Brings what happens to devices into the log. Their texts know nothing of records.
fn log() -> Listener {
    Arc::new(|event| match event {
        Event::Measured { .. } | Event::Reopened(_) => tracing::info!(%event, "device"),
        Event::Failed(_) | Event::Halved { .. } | Event::Unmeasured { .. } => {
            tracing::warn!(%event, "device");
        }
        Event::Retired { .. } => tracing::error!(%event, "device"),
    })
}

/// The service's words for the prover's phases.
fn told(progress: Progress<'_>) -> impl FnMut(Step) -> ControlFlow<()> {
    |step| {
        let phase = match step {
            Step::Adjudicating => Phase::Assigning,
            Step::Transforming | Step::Multiplying => Phase::Proving,
            Step::Verifying => Phase::Verifying,
        };
        progress(phase, step.percent())
    }
}

impl Adjudicator for Groth16 {
    fn keys(&self) -> Vec<VerifyingKey> {
        self.provers.iter().map(|prover| prover.key().verifying().clone()).collect()
    }

    fn prove(&self, request: &Request, progress: Progress<'_>) -> Result<ClaimProof, ProveFailure> {
        let prover = self.prover(request)?;
        prover.prove_watched(request, &mut rand::rng(), &mut told(progress)).map_err(failure)
    }

    fn prove_batch(
        &self,
        requests: &[&Request],
        progress: Progress<'_>,
    ) -> Vec<Result<ClaimProof, ProveFailure>> {
        let Some(Ok(prover)) = requests.first().map(|request| self.prover(request)) else {
            return requests.iter().map(|request| self.prove(request, progress)).collect();
        };
        let proofs = prover.prove_batch(requests, &mut rand::rng(), &mut told(progress));
        match proofs {
            Ok(proofs) => proofs.into_iter().map(|proof| proof.map_err(failure)).collect(),
            Err(ProveError::Cancelled) => requests.iter().map(|_| Err(ProveFailure::Stopped)).collect(),
            // Whatever it was: alone, each shows whether it was the cause.
            Err(_) => requests.iter().map(|request| self.prove(request, progress)).collect(),
        }
    }

    fn batching(&self) -> Batching {
        self.batching
    }

    fn is_open(&self) -> bool {
        SizeClass::ALL.iter().all(|class| self.provers.iter().any(|prover| prover.class() == *class))
    }

    fn devices(&self) -> Vec<Report> {
        self.device.reports()
    }
}

fn failure(error: ProveError) -> ProveFailure {
    match error {
        ProveError::Refused(refusal) => ProveFailure::Refused(refusal),
        ProveError::Cancelled => ProveFailure::Stopped,
        ProveError::NoKey { .. }
        | ProveError::Corrupt { .. }
        | ProveError::UnsafeKey(_)
        | ProveError::Ceremony(_)
        | ProveError::NoSetup { .. }
        | ProveError::Locked { .. }
        | ProveError::Io { .. }
        | ProveError::WrongClass { .. } => ProveFailure::Key(error.to_string()),
        ProveError::Device(ref device) if device.ends_device() => ProveFailure::Unserved(error.to_string()),
        ProveError::Device(ref device) if device.elsewhere() => ProveFailure::Lost(error.to_string()),
        ProveError::Device(_) => ProveFailure::Bug(error.to_string()),
        ProveError::UnknownDevice(_) | ProveError::Processor => ProveFailure::Lost(error.to_string()),
        ProveError::Unsatisfied { .. } => ProveFailure::Bug(error.to_string()),
        ProveError::Bug(text) => ProveFailure::Bug(text),
        ProveError::Release(_) | ProveError::Unprovable(_) => ProveFailure::Bug(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_assignment_that_breaks_a_rule_says_nothing_of_it_in_the_log() {
        let ProveFailure::Bug(text) = failure(ProveError::Unsatisfied { row: 4711 }) else {
            unreachable!("a broken assignment is a defect")
        };
        assert_eq!(text, "the assignment does not satisfy the circuit");
    }
}
