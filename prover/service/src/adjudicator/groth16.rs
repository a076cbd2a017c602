//! The real thing: Groth16 with the keys of a folder, read when the server starts.

use super::{Adjudicator, Progress, ProveFailure};
use crate::{error::ServiceError, jobs::Phase};
use nightingale_circuits::claim::{Request, SizeClass};
use nightingale_prover::{ClaimProver, Device, KeyStore, Phase as Step, ProveError, device};
use nightingale_verifier::{ClaimProof, VerifyingKey};
use std::{path::Path, sync::Arc};

/// Proves claims of both size classes.
pub struct Groth16 {
    provers: Vec<ClaimProver>,
}

impl Groth16 {
    /// Reads and checks the keys of both size classes.
    ///
    /// # Errors
    /// A folder without keys, or a key file that is missing or damaged.
    pub fn open(keys: &Path) -> Result<Self, ServiceError> {
        let trouble = |error: ProveError| ServiceError::Keys(error.to_string());
        let store = KeyStore::open(keys).map_err(trouble)?;
        let device: Arc<dyn Device> = device::open("cpu").map_err(trouble)?;
        let prover = |class| Ok(ClaimProver::new(store.claim_key(class)?, device.clone()));
        let provers = SizeClass::ALL.into_iter().map(prover).collect::<Result<_, _>>().map_err(trouble)?;
        Ok(Self { provers })
    }
}

impl Adjudicator for Groth16 {
    fn keys(&self) -> Vec<VerifyingKey> {
        self.provers.iter().map(|prover| prover.key().verifying().clone()).collect()
    }

    fn prove(&self, request: &Request, progress: Progress<'_>) -> Result<ClaimProof, ProveFailure> {
        let class = request.size_class().map_err(ProveFailure::Refused)?;
        let prover = self.provers.iter().find(|prover| prover.class() == class);
        let prover = prover.ok_or_else(|| ProveFailure::Key(format!("no key of class {}", class.name())))?;
        let mut told = |step: Step| {
            let phase = match step {
                Step::Adjudicating => Phase::Assigning,
                Step::Transforming | Step::Multiplying(_) => Phase::Proving,
                Step::Verifying => Phase::Verifying,
            };
            progress(phase, step.percent())
        };
        prover.prove_watched(request, &mut rand::rng(), &mut told).map_err(failure)
    }
}

fn failure(error: ProveError) -> ProveFailure {
    match error {
        ProveError::Refused(refusal) => ProveFailure::Refused(refusal),
        ProveError::Cancelled => ProveFailure::Stopped,
        ProveError::NoKey { .. }
        | ProveError::Corrupt { .. }
        | ProveError::UnsafeKey(_)
        | ProveError::Io { .. }
        | ProveError::WrongClass { .. } => ProveFailure::Key(error.to_string()),
        ProveError::UnknownDevice(_) | ProveError::Processor => ProveFailure::Lost(error.to_string()),
        ProveError::Bug(text) => ProveFailure::Bug(text),
        ProveError::Release(_) | ProveError::Unprovable(_) => ProveFailure::Bug(error.to_string()),
    }
}
