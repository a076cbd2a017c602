//! The seam between the service and a prover: what a worker thread calls, and what it must know about a failure.

pub mod groth16;

use crate::jobs::Phase;
use nightingale_circuits::claim::{Refusal, Request};
use nightingale_verifier::{ClaimProof, VerifyingKey};
use std::ops::ControlFlow;

/// Told of every phase, and about how many hundredths of the work are done as it begins; [`ControlFlow::Break`] asks
/// the prover to stop as soon as it can.
pub type Progress<'a> = &'a mut dyn FnMut(Phase, u8) -> ControlFlow<()>;

/// Adjudicates requests with proof. Each worker thread calls one of these; the calls may be concurrent.
pub trait Adjudicator: Send + Sync + 'static {
    /// The keys that proofs verify under.
    fn keys(&self) -> Vec<VerifyingKey>;

    /// A verified proof of the request's adjudication.
    ///
    /// # Errors
    /// Says what now; see [`ProveFailure`].
    fn prove(&self, request: &Request, progress: Progress<'_>) -> Result<ClaimProof, ProveFailure>;
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
    /// The device is lost or out of memory: another attempt may do better; the text is for the operator's log.
    Lost(String),
    /// A defect; the text is for the operator's log.
    Bug(String),
}
