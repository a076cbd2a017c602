//! The first part of a proof, for backends: advice columns filled, blinded and committed phase by phase, challenges drawn in between.
//!
//! The draws and the transcript are those of `halo2-axiom` 0.5.3, so that its prover, or one like it that starts from finished columns,
//! goes on from here: [`Opening::resume`].

use super::{
    backend::{Blinding, Task},
    synthesis::Advice,
};
use crate::ProveError;
use halo2_proofs::{
    halo2curves::{
        bn256::{Fr, G1Affine},
        ff::Field,
    },
    transcript::{EncodedChallenge, Transcript, TranscriptWrite, TranscriptWriterBuffer},
};
use nightingale_verifier::cohort::transcript::{Challenge, ProofWriter};
use std::{collections::BTreeMap, io, mem};

/// Gives the commitments of whole columns.
pub type Commit<'a> = &'a mut dyn FnMut(&[Advice]) -> Result<Vec<G1Affine>, ProveError>;

/// Columns, their commitments, the challenges and the transcript after them.
pub struct Opening {
    advice: Vec<Advice>,
    /// By column.
    commitments: BTreeMap<usize, G1Affine>,
    /// By index.
    challenges: Vec<Option<Challenge>>,
    /// Values that were absorbed before the first commitment: the key and the instances.
    absorbed: usize,
    transcript: ProofWriter,
}

impl Opening {
    /// Fills, blinds and commits the columns of all phases; `commit` gives the commitments of whole columns.
    ///
    /// # Errors
    /// A circuit that cannot be assigned; whatever `commit` fails with.
    pub fn new(task: &Task<'_>, blinding: &mut Blinding, commit: Commit<'_>) -> Result<Self, ProveError> {
        let bug = |error: io::Error| ProveError::Bug(format!("the transcript: {error}"));
        let (verifying, system) = (task.key.proving().get_vk(), task.key.proving().get_vk().cs());
        let blinded = task.key.srs().layout().rows().saturating_sub(system.blinding_factors() + 1);
        let mut transcript = ProofWriter::init(Vec::with_capacity(task.key.verifying().proof_length()));
        verifying.hash_into(&mut transcript).map_err(bug)?;
        for value in task.instances.iter().copied().flatten() {
            transcript.common_scalar(*value).map_err(bug)?;
        }
        let challenge_phases = system.challenge_phase();
        let mut opening = Self {
            advice: Vec::with_capacity(system.num_advice_columns()),
            commitments: BTreeMap::new(),
            challenges: vec![None; challenge_phases.len()],
            absorbed: 1 + task.instances.iter().map(|values| values.len()).sum::<usize>(),
            transcript,
        };
        for phase in 0..=system.advice_column_phase().into_iter().max().unwrap_or_default() {
            let mut columns = task.circuit.advice(task, phase, &opening.challenges())?;
            for column in &mut columns {
                column.values.iter_mut().skip(blinded).for_each(|cell| *cell = Fr::random(&mut *blinding));
            }
            // halo2 draws a blind for each commitment here, of which KZG makes no use.
            columns.iter().for_each(|_| _ = Fr::random(&mut *blinding));
            let commitments = commit(&columns)?;
            if commitments.len() != columns.len() {
                return Err(ProveError::Bug("as many commitments as columns were expected".to_owned()));
            }
            for (column, commitment) in columns.iter().zip(commitments) {
                opening.transcript.write_point(commitment).map_err(bug)?;
                opening.commitments.insert(column.column, commitment);
            }
            for (challenge, _) in (0..).zip(&challenge_phases).filter(|(_, drawn)| **drawn == phase) {
                let drawn = opening.transcript.squeeze_challenge();
                opening.challenges.get_mut::<usize>(challenge).map(|slot| slot.replace(drawn));
            }
            opening.advice.append(&mut columns);
        }
        opening.advice.sort_by_key(|advice| advice.column);
        Ok(opening)
    }

    /// The challenges that are drawn, each at its index.
    #[must_use]
    pub fn challenges(&self) -> Vec<Option<Fr>> {
        self.challenges.iter().map(|challenge| challenge.as_ref().map(Challenge::get_scalar)).collect()
    }

    /// The columns, by index. They are handed over once.
    #[must_use]
    pub fn take_advice(&mut self) -> Vec<Advice> {
        mem::take(&mut self.advice)
    }

    /// A transcript for a prover that begins at the beginning: what it says of the key, the instances and the columns is compared and
    /// not absorbed again, the challenges that it draws for them are those drawn already, whatever their order. Then it goes on.
    pub fn resume(&mut self) -> Resumed<'_> {
        Resumed {
            absorb: self.absorbed,
            points: self.commitments.len(),
            challenges: self.challenges.iter().flatten().copied().collect::<Vec<_>>().into_iter(),
            known: self.commitments.values().copied().collect(),
            transcript: &mut self.transcript,
        }
    }

    /// The proof, once a prover has written the rest of it.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        self.transcript.finalize()
    }
}

/// A transcript whose first part is written already.
pub struct Resumed<'a> {
    /// Values still to be ignored.
    absorb: usize,
    /// Commitments still to be compared.
    points: usize,
    known: Vec<G1Affine>,
    challenges: std::vec::IntoIter<Challenge>,
    transcript: &'a mut ProofWriter,
}

impl Transcript<G1Affine, Challenge> for Resumed<'_> {
    fn squeeze_challenge(&mut self) -> Challenge {
        self.challenges.next().unwrap_or_else(|| self.transcript.squeeze_challenge())
    }

    fn common_point(&mut self, point: G1Affine) -> io::Result<()> {
        self.transcript.common_point(point)
    }

    fn common_scalar(&mut self, scalar: Fr) -> io::Result<()> {
        match self.absorb.checked_sub(1) {
            Some(left) => {
                self.absorb = left;
                Ok(())
            }
            None => self.transcript.common_scalar(scalar),
        }
    }
}

impl TranscriptWrite<G1Affine, Challenge> for Resumed<'_> {
    fn write_point(&mut self, point: G1Affine) -> io::Result<()> {
        match self.points.checked_sub(1) {
            Some(left) => {
                self.points = left;
                if self.known.contains(&point) {
                    Ok(())
                } else {
                    Err(io::Error::other("the prover's commitment to a column is another one"))
                }
            }
            None => self.transcript.write_point(point),
        }
    }

    fn write_scalar(&mut self, scalar: Fr) -> io::Result<()> {
        self.transcript.write_scalar(scalar)
    }
}
