//! The cohort query of `compare cohort`: four groups, a count and a sum, a range filter.

use crate::clock::{Cost, measure};
use anyhow::{Context, Result, ensure};
use nightingale_circuits::cohort::{
    Class, Column, Interval, Kind, Mode, Query, Schema, Size, Table, Term, Unit, registration::Part,
};
use nightingale_prover::cohort::{Ask, CohortDataset, CohortKeyStore, Step};
use nightingale_verifier::cohort::{CircuitName, Expectation, Venue, verify_query};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha20Rng;
use serde::Serialize;
use std::{ops::ControlFlow, path::Path};

/// The class that proves it.
const NARROW: CircuitName = CircuitName::Query(Class::Narrow);
const SEED: u64 = 20_260_101;
const ARM: usize = 1;
const AGE: usize = 2;
const VALUE: usize = 3;

/// What a table of so many rows cost.
#[derive(Serialize)]
pub struct Measured {
    /// Rows of the table.
    pub rows: usize,
    /// Registration with all its proofs, once for a table.
    pub register_ms: f64,
    /// The same in CPU time.
    pub register_cpu_ms: f64,
    /// Runs of one query: proof and link, verified before they are returned.
    #[serde(skip)]
    pub proofs: Vec<Cost>,
    /// Runs of the verification alone.
    #[serde(skip)]
    pub verifications: Vec<Cost>,
    /// Bytes of proof and link.
    pub proof_bytes: usize,
}

fn schema() -> Result<Schema> {
    let column = |name: &str, kind| Column { name: name.to_owned(), kind };
    let arms = ["A", "B", "C", "D"].map(str::to_owned).to_vec();
    let columns = vec![
        column("usubjid", Kind::Key { count: 1 << 24 }),
        column("arm", Kind::Category { dictionary: arms }),
        column("age", Kind::Integer { minimum: 0, maximum: 120, scale: 0 }),
        column("value", Kind::Integer { minimum: 0, maximum: (1 << 20) - 1, scale: 0 }),
    ];
    Ok(Schema::new("cohort".to_owned(), columns, 0, Unit::Subject, 11)?)
}

fn table(rows: usize) -> Result<Table> {
    let mut random = ChaCha20Rng::seed_from_u64(SEED);
    let schema = schema()?;
    let mut draw = |column: usize| {
        let bound = schema.columns()[column].bound();
        (0..rows).map(|_| random.random_range(1..=bound)).collect::<Vec<u32>>()
    };
    let columns = vec![(1..).take(rows).collect(), draw(ARM), draw(AGE), draw(VALUE)];
    Ok(Table::new(schema, columns, vec![true; rows])?)
}

/// Registers a table of `rows` rows and proves the query `rounds` times after one run that warms up.
///
/// # Errors
/// A proof that does not verify; keys that cannot be kept in `keys`.
pub fn run(rows: usize, rounds: u16, keys: &Path, tell: &mut dyn FnMut(&str)) -> Result<Measured> {
    let store = CohortKeyStore::development(keys)?;
    let schema = schema()?;
    let ages = Term { column: AGE, intervals: vec![Interval { low: 41, high: 66 }] };
    let query = Query::new(&schema, vec![ages], vec![VALUE], vec![ARM])?;
    let mut progress = |step: Step| {
        tell(&format!("{rows} rows: {step:?}"));
        ControlFlow::Continue(())
    };
    let plan = vec![("cohort".to_owned(), query.clone())];
    let tables = vec![table(rows)?];
    // Keys are not part of what is measured.
    let size =
        Size::holding(rows).with_context(|| format!("no size holds {rows} rows; the most is 1,046,512"))?;
    for circuit in [CircuitName::Registration(Part::Frame), CircuitName::Registration(Part::Columns), NARROW]
    {
        store.key(circuit, size, &mut progress)?;
    }
    let (dataset, registration) =
        measure(|| CohortDataset::register(&store, tables, plan, vec![Mode::Exact], None, &mut progress));
    let dataset = dataset?;
    // A researcher's sum needs a condition on its column as well, for which the narrow class has no room; the circuit is the same.
    let ask = Ask { table: "cohort".to_owned(), query, mode: Mode::Exact, venue: Venue::NONE };
    let (mut proofs, mut verifications, mut proof_bytes) = (Vec::new(), Vec::new(), 0);
    for round in 0..=rounds {
        let (proof, cost) = measure(|| dataset.prove(&store, &ask, &mut progress));
        let proof = proof?;
        proof_bytes = proof.proof.proof.len() + 320;
        let (verified, verification) =
            measure(|| verify_query(dataset.public(), &proof, &Expectation::default(), store.published()));
        ensure!(verified?.answer == proof.answer, "another answer was verified than the one released");
        if round > 0 {
            proofs.push(cost);
            verifications.push(verification);
        }
    }
    Ok(Measured {
        rows,
        register_ms: registration.wall.as_secs_f64() * 1000.0,
        register_cpu_ms: registration.cpu.as_secs_f64() * 1000.0,
        proofs,
        verifications,
        proof_bytes,
    })
}
