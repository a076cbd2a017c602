//! The seam between the service and a prover: what a worker thread calls, and what it must know about a failure.

pub mod groth16;

use crate::jobs::Phase;
use nightingale_circuits::claim::{Refusal, Request};
use nightingale_prover::device::failover::Report;
use nightingale_verifier::{ClaimProof, VerifyingKey};
use std::ops::ControlFlow;

/// Told of every phase, and about how many hundredths of the work are done as it begins; [`ControlFlow::Break`] asks
/// the prover to stop as soon as it can.
pub type Progress<'a> = &'a mut dyn FnMut(Phase, u8) -> ControlFlow<()>;

/// How many claims to prove at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batching {
    /// At most so many in one call.
    pub most: usize,
    /// Whether a claim that is ready should wait a little for others.
    pub waits: bool,
}

/// Adjudicates requests with proof. Each worker thread calls one of these; the calls may be concurrent.
pub trait Adjudicator: Send + Sync + 'static {
    /// The keys that proofs verify under.
    fn keys(&self) -> Vec<VerifyingKey>;

    /// A verified proof of the request's adjudication.
    ///
    /// # Errors
    /// Says what now; see [`ProveFailure`].
    fn prove(&self, request: &Request, progress: Progress<'_>) -> Result<ClaimProof, ProveFailure>;

    /// The same for several requests of one size class, in one call and in their order. One that fails leaves the others
    /// as they are; a break of `progress` stops all.
    fn prove_batch(
        &self,
        requests: &[&Request],
        progress: Progress<'_>,
    ) -> Vec<Result<ClaimProof, ProveFailure>> {
        requests.iter().map(|request| self.prove(request, progress)).collect()
    }

    /// How many claims to give it at once: one, where a batch brings nothing.
    fn batching(&self) -> Batching {
        Batching { most: 1, waits: false }
    }

    /// Whether it has every key that it needs open.
    fn is_open(&self) -> bool {
        true
    }

    /// What its devices did so far.
    fn devices(&self) -> Vec<Report> {
        Vec::new()
    }
}

/// Why there is no proof.
#[derive(Debug)]
pub enum ProveFailure {
    /// Nothing can be proven from the request.
    Refused(Refusal),
    /// It was asked to stop.
    Stopped,
    /// The key of the size class is missing or damaged; the text is for the operator's log.
    Key(String),
    /// The device gave no result for this claim: another attempt may do better; the text is for the operator's log.
    Lost(String),
    /// No device takes work for now: no claim's fault, so the job goes back uncounted; the text is for the operator's log.
    Unserved(String),
    /// A defect; the text is for the operator's log.
    Bug(String),
}
