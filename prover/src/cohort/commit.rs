//! Commitments to columns of small integers with their salt.

use super::entropy;
use crate::ProveError;
use halo2_proofs::halo2curves::{
    bn256::{Fr, G1, G1Affine},
    group::{Curve, Group},
    msm::msm_parallel,
};
use nightingale_circuits::cohort::Layout;
use nightingale_verifier::cohort::point::{scalar_to_word, word_to_scalar};
use rayon::prelude::*;

/// What hides a column: uniform values of its last rows. Secret; zeroed on drop.
#[derive(Clone)]
pub struct Salt([Fr; Layout::SALT]);

impl Salt {
    /// Bytes of a salt in a file.
    pub(super) const LENGTH: usize = 32 * Layout::SALT;

    /// No salt, of a column that everybody can commit to.
    #[must_use]
    pub const fn none() -> Self {
        Self([Fr::zero(); Layout::SALT])
    }

    /// A fresh one.
    ///
    /// # Errors
    /// The system has no randomness.
    pub fn random() -> Result<Self, ProveError> {
        let mut salt = Self::none();
        for value in &mut salt.0 {
            *value = entropy::scalar()?;
        }
        Ok(salt)
    }

    /// The values, for the link.
    #[must_use]
    pub const fn values(&self) -> &[Fr; Layout::SALT] {
        &self.0
    }

    pub(super) fn to_words(&self) -> impl Iterator<Item = [u8; 32]> {
        self.0.iter().map(scalar_to_word)
    }

    pub(super) fn from_words(words: &[[u8; 32]]) -> Option<Self> {
        let mut salt = Self::none();
        if words.len() != salt.0.len() {
            return None;
        }
        for (value, word) in salt.0.iter_mut().zip(words) {
            *value = word_to_scalar(word)?;
        }
        Some(salt)
    }
}

impl Drop for Salt {
    fn drop(&mut self) {
        entropy::erase(&mut self.0);
    }
}

/// `sum records[i] * points[i] + sum salt[j] * span[j]`.
pub(super) fn column(
    points: &[G1Affine],
    records: &[u64],
    span: &[G1Affine; Layout::SALT],
    salt: &Salt,
) -> G1Affine {
    let salted: G1 = span.iter().zip(&salt.0).map(|(point, salt)| *point * salt).sum();
    (sum(points, records) + salted).to_affine()
}

/// `sum records[i] * points[i]`.
pub(super) fn records(points: &[G1Affine], records: &[u64]) -> G1Affine {
    sum(points, records).to_affine()
}

/// Records that are 0 or 1 are plain additions. halo2curves' `msm_parallel` skips the windows above the largest scalar,
/// which its `msm_best` does not.
fn sum(points: &[G1Affine], records: &[u64]) -> G1 {
    const CHUNK: usize = 4096;
    let used = records.iter().rposition(|&record| record != 0).map_or(0, |last| last + 1);
    let (records, points) = (&records[..used], &points[..used]);
    if records.iter().all(|&record| record <= 1) {
        let chunks = records.par_chunks(CHUNK).zip(points.par_chunks(CHUNK));
        let chunk = |(records, points): (&[u64], &[G1Affine])| {
            records
                .iter()
                .zip(points)
                .filter(|(record, _)| **record == 1)
                .fold(G1::identity(), |sum, (_, point)| sum + point)
        };
        return chunks.map(chunk).reduce(G1::identity, |a, b| a + b);
    }
    let scalars: Vec<Fr> = records.par_iter().map(|&record| Fr::from(record)).collect();
    msm_parallel(&scalars, points)
}
