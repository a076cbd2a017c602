//! A made-up question, proven, linked and verified: what a worker does before it takes a job, so that a device that does not work takes none.

use super::{
    CohortKeyStore, Progress,
    commit::Salt,
    prove::{Column, prove},
};
use crate::ProveError;
use halo2_proofs::halo2curves::{bn256::G1Affine, group::prime::PrimeCurveAffine};
use nightingale_circuits::cohort::{
    self, Class, Committed, Kind, Query, Schema, Table, Unit, circuit::QueryCircuit, columns::values,
    instances::instances, slots,
};
use nightingale_verifier::cohort::CircuitName;

/// Subjects of the made-up table.
const SUBJECTS: u32 = 64;
/// The disclosure threshold.
const THRESHOLD: u32 = 11;
/// What its proof is bound to: no dataset's context, which is a digest.
const CONTEXT: cohort::Keccak = [0; 32];

impl CohortKeyStore {
    /// Proves how many of 64 made-up subjects are in each of two groups, with the keys and the backend of this store, and forgets the proof.
    ///
    /// # Errors
    /// What any proof fails with.
    pub fn rehearse(&self, progress: Progress<'_>) -> Result<(), ProveError> {
        let bug = |problem: String| ProveError::Bug(format!("the rehearsal: {problem}"));
        let column = |name: &str, kind| cohort::Column { name: name.to_owned(), kind };
        let groups = vec!["A".to_owned(), "B".to_owned()];
        let columns = vec![
            column("SUBJECT", Kind::Key { count: SUBJECTS }),
            column("PART", Kind::Category { dictionary: groups }),
        ];
        let schema = Schema::new("rehearsal".to_owned(), columns, 0, Unit::Subject, THRESHOLD)
            .map_err(|error| bug(error.to_string()))?;
        let codes = vec![(1..=SUBJECTS).collect(), (0..SUBJECTS).map(|subject| 1 + subject % 2).collect()];
        let table = Table::new(schema.clone(), codes, vec![true; SUBJECTS as usize])
            .map_err(|error| bug(error.to_string()))?;
        let query =
            Query::new(&schema, Vec::new(), Vec::new(), vec![1]).map_err(|error| bug(error.to_string()))?;
        let (class, size) = (Class::Narrow, self.smallest());
        let key = self.key(CircuitName::Query(class), size, progress)?;
        let (circuit, answer) = QueryCircuit::new(class, size.layout(), &query, &table, THRESHOLD)?;
        let inputs = instances(class, &schema, &query, THRESHOLD, &answer)
            .ok_or_else(|| bug("an answer that has no public inputs".to_owned()))?;
        let srs = key.srs();
        let registered = |source: Committed| match source {
            Committed::Zero => Ok(Column { commitment: G1Affine::identity(), salt: Salt::none() }),
            Committed::Identity => Ok(Column { commitment: srs.points().identity, salt: Salt::none() }),
            _ => {
                let salt = Salt::random()?;
                Ok(Column { commitment: srs.commit(&values(&table, size.layout(), source), &salt), salt })
            }
        };
        let columns = slots::sources(class, size.layout(), &schema, &query)
            .into_iter()
            .map(registered)
            .collect::<Result<Vec<_>, ProveError>>()?;
        prove(&key, &circuit, &inputs, &columns, &CONTEXT, progress).map(drop)
    }
}
