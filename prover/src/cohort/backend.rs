//! The seam for provers of the cohort circuits: who turns an assigned circuit into halo2's proof.
//!
//! [`Halo2`], the stock prover on the processor, is the default. Another crate brings another, and a [`CohortKeyStore`] that was told of
//! it has every proof made by it. Nobody trusts a backend: each proof is linked and verified before it is let go. What a backend starts
//! from is [`Opening`], the columns committed phase by phase.
//!
//! [`Opening`]: super::Opening
//! [`CohortKeyStore`]: super::CohortKeyStore

use super::{CohortProvingKey, synthesis::Advice};
use crate::{ProveError, device::DeviceError};
use halo2_proofs::{
    halo2curves::bn256::{Bn256, Fr},
    plonk::{Circuit, create_proof},
    poly::kzg::{commitment::KZGCommitmentScheme, multiopen::ProverSHPLONK},
    transcript::TranscriptWriterBuffer,
};
use nightingale_verifier::cohort::transcript::ProofWriter;

/// The generator of a proof's blinding. Whoever knows its seed can undo the blinding.
pub use rand_chacha_for_halo2::ChaCha20Rng as Blinding;

/// A prover of halo2 proofs over BN254 with KZG, SHPLONK and [`ProofWriter`]'s transcript. May be called from several threads.
///
/// The link needs the blinding of the slots, which are the first columns. So the first that a backend draws from the [`Blinding`] is
/// the blinding of the columns of phase 0: column by column, of each the last `blinding_factors + 1` rows, each by `Fr::random`. What it
/// draws after that is its own affair, as long as the proof is zero-knowledge: that, no verifier can check.
pub trait Backend: Send + Sync {
    /// Its name in logs.
    fn name(&self) -> &str;

    /// The bytes of a proof.
    ///
    /// # Errors
    /// [`ProveError::Device`] says whether another backend may do it; a mistake in this program.
    fn prove(&self, task: &Task<'_>, blinding: Blinding) -> Result<Vec<u8>, ProveError>;

    /// What it means that a finished proof of its was refused: that the device must not be given more work.
    fn refused(&self, why: String) -> ProveError {
        DeviceError::Broken { device: self.name().to_owned(), why }.into()
    }
}

/// A proof to be made.
pub struct Task<'a> {
    /// Under this key, which has the setup and halo2's own proving key.
    pub key: &'a CohortProvingKey,
    /// The instance columns, without the zeros behind them.
    pub instances: &'a [&'a [Fr]],
    /// What is proven.
    pub circuit: &'a dyn AssignedCircuit,
}

/// A circuit with its witness, whatever its type.
pub trait AssignedCircuit {
    /// The advice columns of a phase, in order, each with as many rows as the domain; their last `blinding_factors + 1` rows are zero.
    /// `challenges` are those of the phases before it, each at its index.
    ///
    /// # Errors
    /// A circuit that assigns outside of its rows or leaves a value unknown: a mistake in this program.
    fn advice(
        &self,
        task: &Task<'_>,
        phase: u8,
        challenges: &[Option<Fr>],
    ) -> Result<Vec<Advice>, ProveError>;

    /// What [`Halo2`] does, which needs the circuit's type.
    ///
    /// # Errors
    /// A mistake in this program.
    fn prove_by_halo2(&self, task: &Task<'_>, blinding: Blinding) -> Result<Vec<u8>, ProveError>;
}

impl<C: Circuit<Fr>> AssignedCircuit for C {
    fn advice(
        &self,
        task: &Task<'_>,
        phase: u8,
        challenges: &[Option<Fr>],
    ) -> Result<Vec<Advice>, ProveError> {
        super::synthesis::advice(self, task, phase, challenges)
    }

    fn prove_by_halo2(&self, task: &Task<'_>, blinding: Blinding) -> Result<Vec<u8>, ProveError> {
        let verifying = task.key.verifying();
        let mut transcript = ProofWriter::init(Vec::with_capacity(verifying.proof_length()));
        create_proof::<KZGCommitmentScheme<Bn256>, ProverSHPLONK<'_, Bn256>, _, _, _, _>(
            task.key.srs().params(),
            task.key.proving(),
            std::slice::from_ref(self),
            &[task.instances],
            blinding,
            &mut transcript,
        )
        .map_err(|error| ProveError::Bug(format!("{}: {error}", verifying.circuit())))?;
        Ok(transcript.finalize())
    }
}

/// The stock prover of the crate `halo2-axiom`, on the processor.
#[derive(Clone, Copy, Debug, Default)]
pub struct Halo2;

impl Backend for Halo2 {
    fn name(&self) -> &str {
        "halo2"
    }

    fn prove(&self, task: &Task<'_>, blinding: Blinding) -> Result<Vec<u8>, ProveError> {
        task.circuit.prove_by_halo2(task, blinding)
    }

    /// There is no other device to blame.
    fn refused(&self, why: String) -> ProveError {
        ProveError::Bug(why)
    }
}
