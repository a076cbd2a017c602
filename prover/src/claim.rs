//! From a request to a verified claim proof.

use crate::{
    ClaimKey, Device, ProveError,
    groth16::{self, Blinding},
    progress::{Phase, Progress, tell},
};
use ark_bn254::Bn254;
use ark_groth16::Proof;
use nightingale_circuits::{
    Fr,
    claim::{
        Adjudication, PublicInputs, Request, SizeClass,
        circuit::{assign, r1cs},
    },
    r1cs::Assignment,
};
use nightingale_verifier::{ClaimProof, Context, KeyKind, OutcomeOpening, verify_claim};
use rand::CryptoRng;
use rayon::prelude::*;
use std::{ops::ControlFlow, sync::Arc};

/// Proves claims of one size class. Cheap to clone; many threads may prove with one at once.
#[derive(Clone)]
pub struct ClaimProver {
    key: Arc<ClaimKey>,
    groth16: Arc<groth16::Prover>,
}

/// A request's decision and everything that its proof needs.
struct Assigned<'a> {
    request: &'a Request,
    adjudication: Adjudication,
    assignment: Assignment,
    public: PublicInputs,
}

impl ClaimProver {
    /// A prover with this key, which the device takes and keeps.
    ///
    /// # Errors
    /// The device's.
    pub fn new(key: Arc<ClaimKey>, device: &dyn Device) -> Result<Self, ProveError> {
        let groth16 = Arc::new(groth16::Prover::new(Arc::clone(key.groth16()), device)?);
        Ok(Self { key, groth16 })
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
        let assigned = self.assign(request)?;
        let blinding = Blinding::random(rng);
        let proof = self
            .groth16
            .prove(&assigned.assignment.values, &blinding, progress)
            .map_err(|error| self.explain(error))?;
        tell(progress, Phase::Verifying)?;
        self.verified(assigned, proof)
    }

    /// Proves several requests in one call of the device; each has its own result, in their order.
    ///
    /// # Errors
    /// The device's, and [`ProveError::Cancelled`]: then none of them has a result.
    pub fn prove_batch(
        &self,
        requests: &[&Request],
        rng: &mut impl CryptoRng,
        progress: Progress<'_>,
    ) -> Result<Vec<Result<ClaimProof, ProveError>>, ProveError> {
        tell(progress, Phase::Adjudicating)?;
        let assigned: Vec<Result<Assigned<'_>, ProveError>> =
            requests.par_iter().map(|request| self.assign(request)).collect();
        let blindings: Vec<Blinding> = requests.iter().map(|_| Blinding::random(rng)).collect();
        let batch: Vec<(&[Fr], &Blinding)> = (assigned.iter().zip(&blindings))
            .filter_map(|(assigned, blinding)| Some((&*assigned.as_ref().ok()?.assignment.values, blinding)))
            .collect();
        let mut proofs =
            self.groth16.prove_batch(&batch, progress).map_err(|error| self.explain(error))?.into_iter();
        tell(progress, Phase::Verifying)?;
        let paired: Vec<_> = assigned.into_iter().map(|one| one.map(|one| (one, proofs.next()))).collect();
        let verify = |one: Result<(Assigned<'_>, Option<Proof<Bn254>>), ProveError>| {
            let (assigned, proof) = one?;
            let lost = || ProveError::Bug("a device lost a proof of its batch".to_owned());
            self.verified(assigned, proof.ok_or_else(lost)?)
        };
        Ok(paired.into_par_iter().map(verify).collect())
    }

    /// The decision, and the assignment of its circuit.
    fn assign<'a>(&self, request: &'a Request) -> Result<Assigned<'a>, ProveError> {
        let (claim, key) = (request.size_class()?, self.class());
        if claim != key {
            return Err(ProveError::WrongClass { claim, key });
        }
        let (adjudication, assignment) = assign(request)?;
        let public = published(&adjudication, &assignment)?;
        Ok(Assigned { request, adjudication, assignment, public })
    }

    /// The proof with its opening, if it verifies.
    fn verified(
        &self,
        Assigned { request, adjudication, assignment, public }: Assigned<'_>,
        proof: Proof<Bn254>,
    ) -> Result<ClaimProof, ProveError> {
        let opening = OutcomeOpening {
            approved: adjudication.approved,
            reasons: adjudication.reasons,
            salt: request.outcome_salt.clone(),
        };
        let key = self.key.verifying().digest();
        let proof = ClaimProof { class: self.class(), key, public, proof, opening: Some(opening) };
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
            Err(error) => Err(self.diagnose(&assignment, &error.to_string())),
        }
    }

    fn explain(&self, error: ProveError) -> ProveError {
        match error {
            ProveError::Unsatisfied { row } => unsatisfied(self.key.verifying().kind(), self.class(), row),
            other => other,
        }
    }

    /// Why a finished proof does not verify.
    fn diagnose(&self, assignment: &Assignment, problem: &str) -> ProveError {
        let broken = r1cs(self.class()).first_unsatisfied(&assignment.values);
        let cause = match broken {
            Some((row, _)) => unsatisfied(self.key.verifying().kind(), self.class(), row).to_string(),
            None => "every constraint is satisfied, so key or device are wrong".to_owned(),
        };
        ProveError::Bug(format!("a finished proof was refused ({problem}): {cause}"))
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

/// Names the rule that an assignment breaks, under development keys only: where records are real, which rule a claim breaks
/// is no log's business.
fn unsatisfied(kind: KeyKind, class: SizeClass, row: usize) -> ProveError {
    match kind {
        KeyKind::Development => {
            let section = r1cs(class).section_of(row);
            ProveError::Bug(format!("constraint {row}, in section `{section}`, is not satisfied"))
        }
        KeyKind::Production => ProveError::Unsatisfied { row },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_development_keys_have_a_broken_rule_named() {
        let row = 1234;
        let named = unsatisfied(KeyKind::Development, SizeClass::Two, row).to_string();
        assert!(named.contains("1234") && named.contains(r1cs(SizeClass::Two).section_of(row)), "{named}");
        let silent = unsatisfied(KeyKind::Production, SizeClass::Two, row).to_string();
        assert_eq!(silent, "the assignment does not satisfy the circuit");
    }
}
