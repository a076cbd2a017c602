//! Opens one row of a table to whoever may see it: `nightingale_verifier::cohort::verify_row` checks it.

use super::{CohortDataset, CohortKeyStore, dataset::column, srs::Srs};
use crate::ProveError;
use halo2_proofs::{
    arithmetic::best_multiexp,
    halo2curves::{
        bn256::{Fr, G1Affine},
        ff::{BatchInvert, Field},
        group::Curve,
    },
};
use nightingale_circuits::cohort::columns::values;
use nightingale_verifier::{
    VerifyError,
    cohort::{Commitment, Expectation, RowProof, key::root, row::opened, verify_row},
};
use rayon::prelude::*;
use std::ops::ControlFlow;
use zeroize::Zeroizing;

impl CohortDataset {
    /// Opens record `row`, counted from 0, of a table, under its newest consents. The opening is verified before it is returned.
    ///
    /// # Errors
    /// No such table or record.
    pub fn open_row(&self, keys: &CohortKeyStore, table: &str, row: usize) -> Result<RowProof, ProveError> {
        let (record, secret) = self.find(table)?;
        if row >= record.rows() {
            let problem =
                format!("row {row} of {}: it has {} records, counted from 0", record.name(), record.rows());
            return Err(ProveError::Release(VerifyError::Cohort(problem)));
        }
        let srs = keys.setup(record.size(), &mut |_| ControlFlow::Continue(()))?;
        let mut proof = RowProof {
            dataset: *self.public.digest(),
            table: record.name().to_owned(),
            row,
            consent_version: record.newest_consent().unwrap_or_default(),
            consent: secret.table.consent()[row],
            codes: (0..record.schema().columns().len())
                .map(|column| secret.table.codes(column)[row])
                .collect(),
            opening: Commitment::new(G1Affine::generator())
                .ok_or_else(|| ProveError::Bug("no generator".to_owned()))?,
        };
        let weight = proof.weight(record).map_err(ProveError::Release)?;
        let layout = srs.layout();
        let mut combined = vec![Fr::ZERO; layout.rows()];
        let mut power = Fr::ONE;
        for committed in opened(record) {
            let records = Zeroizing::new(values(&secret.table, layout, committed));
            let salt = column(record, secret, committed, srs.points().identity)?.salt;
            combined[layout.head..]
                .par_iter_mut()
                .zip(records.par_iter())
                .for_each(|(sum, value)| *sum += power * Fr::from(*value));
            combined[layout.salt()..]
                .iter_mut()
                .zip(salt.values())
                .for_each(|(sum, value)| *sum += power * value);
            power *= weight;
        }
        let opening = quotient(&srs, &combined, layout.row(row));
        super::entropy::erase(&mut combined);
        proof.opening =
            Commitment::new(opening).ok_or_else(|| ProveError::Bug("an opening at infinity".to_owned()))?;
        verify_row(&self.public, &proof, &Expectation::default(), keys.published())
            .map_err(|error| ProveError::Bug(format!("a finished opening was refused: {error}")))?;
        Ok(proof)
    }
}

/// The commitment to `(p - p(omega^row)) / (X - omega^row)`, of a polynomial given by its values on the domain.
///
/// Off the row the quotient is a division of values; in the row, `q_row = - sum q_j omega^(j - row)` over the other rows, since
/// the vanishing polynomial's derivative at `omega^j` is `n omega^-j`.
fn quotient(srs: &Srs, values: &[Fr], row: usize) -> G1Affine {
    let omega = root(srs.layout().k);
    let roots: Vec<Fr> =
        std::iter::successors(Some(Fr::ONE), |root| Some(*root * omega)).take(values.len()).collect();
    let (point, value) = (roots[row], values[row]);
    let mut quotient: Vec<Fr> = roots.iter().map(|root| *root - point).collect();
    // Zeros, of which the row itself is the only one, are left as they are.
    quotient.iter_mut().batch_invert();
    quotient.par_iter_mut().zip(values).for_each(|(inverse, other)| *inverse *= *other - value);
    // omega^-row is omega^(n - row).
    let back = roots[(values.len() - row) % values.len()];
    let others: Fr = quotient.par_iter().zip(&roots).map(|(quotient, root)| *quotient * root).sum();
    quotient[row] = -others * back;
    let commitment = best_multiexp(&quotient, srs.lagrange()).to_affine();
    super::entropy::erase(&mut quotient);
    commitment
}
