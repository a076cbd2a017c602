//! From a request to a verified claim proof.

use crate::{
    ClaimKey, Device, ProveError,
    groth16::Blinding,
    progress::{Phase, Progress, tell},
};
use nightingale_circuits::{
    claim::{
        Adjudication, PublicInputs, Request, SizeClass,
        circuit::{assign, r1cs},
    },
    r1cs::Assignment,
};
use nightingale_verifier::{ClaimProof, Context, OutcomeOpening, verify_claim};
use rand::CryptoRng;
use std::{ops::ControlFlow, sync::Arc};

/// Proves claims of one size class. Cheap to clone; many threads may prove with one at once.
#[derive(Clone)]
pub struct ClaimProver {
    key: Arc<ClaimKey>,
    device: Arc<dyn Device>,
}

impl ClaimProver {
    /// A prover with this key on this device.
    #[must_use]
    pub const fn new(key: Arc<ClaimKey>, device: Arc<dyn Device>) -> Self {
        Self { key, device }
    }

    /// The class that it proves.
    #[must_use]
    pub fn class(&self) -> SizeClass {
        self.key.verifying().class()
    }

    /// Its key.
    #[must_use]
    pub fn key(&self) -> &ClaimKey {
        &self.key
    }

    /// Adjudicates the request and proves the outcome. The proof is verified before it is returned.
    ///
    /// # Errors
    /// A request that cannot be proven or is of another class; the device's errors; a mistake in this program, in
    /// which case nothing is let out.
    pub fn prove(&self, request: &Request, rng: &mut impl CryptoRng) -> Result<ClaimProof, ProveError> {
        self.prove_watched(request, rng, &mut |_| ControlFlow::Continue(()))
    }

    /// Like [`ClaimProver::prove`], telling `progress` each phase as it begins.
    ///
    /// # Errors
    /// As [`ClaimProver::prove`], and [`ProveError::Cancelled`] when `progress` breaks.
    pub fn prove_watched(
        &self,
        request: &Request,
        rng: &mut impl CryptoRng,
        progress: Progress<'_>,
    ) -> Result<ClaimProof, ProveError> {
        tell(progress, Phase::Adjudicating)?;
        let (claim, key) = (request.size_class()?, self.class());
        if claim != key {
            return Err(ProveError::WrongClass { claim, key });
        }
        let (adjudication, assignment) = assign(request)?;
        let public = published(&adjudication, &assignment)?;
        let blinding = Blinding::random(rng);
        let proof = self.key.groth16().prove(&*self.device, &assignment.values, &blinding, progress)?;
        tell(progress, Phase::Verifying)?;
        let opening = OutcomeOpening {
            approved: adjudication.approved,
            reasons: adjudication.reasons,
            salt: request.outcome_salt.clone(),
        };
        let proof = ClaimProof {
            class: claim,
            key: self.key.verifying().digest(),
            public,
            proof,
            opening: Some(opening),
        };
        let context = Context {
            epoch_root: Some(request.epoch.root()),
            consent_root: Some(request.consent_root),
            account_root: Some(request.account_root),
            claim_commitment: Some(request.claim.commitment(&request.claim_salt)),
            received: Some(request.received),
            ..Context::default()
        };
        match verify_claim(self.key.verifying(), &proof, &context) {
            Ok(_) => Ok(proof),
            Err(error) => Err(diagnose(claim, &assignment, &error.to_string())),
        }
    }
}

/// The public inputs, which the assignment and the native rules must agree on.
fn published(adjudication: &Adjudication, assignment: &Assignment) -> Result<PublicInputs, ProveError> {
    let expected = adjudication.public.to_vec();
    if assignment.values.get(1..=expected.len()) == Some(&expected[..]) {
        Ok(adjudication.public.clone())
    } else {
        Err(ProveError::Bug("the circuit publishes something else than the native rules".to_owned()))
    }
}

/// Why a finished proof does not verify, as far as it can be told without saying anything of the claim.
fn diagnose(class: SizeClass, assignment: &Assignment, problem: &str) -> ProveError {
    let cause = r1cs(class).first_unsatisfied(&assignment.values).map_or_else(
        || "every constraint is satisfied, so key or device are wrong".to_owned(),
        |(row, section)| format!("constraint {row}, in section `{section}`, is not satisfied"),
    );
    ProveError::Bug(format!("a finished proof was refused ({problem}): {cause}"))
}
