//! The query circuit: what `docs/statements/cohort.md` calls by that name, for both classes and any layout.
//!
//! | file | |
//! |---|---|
//! | `shape` | where columns, rows and variables are |
//! | `row` | one row, as gates and as the witness see it |
//! | `config` | columns and gates |
//! | `endpoint`, `verdict` | the gates of the head |
//! | `sums` | the fractions that the running sums add |
//! | `witness`, `running` | the values |

mod config;
mod endpoint;
mod row;
mod running;
mod shape;
mod sums;
mod verdict;
mod witness;

pub use config::Config;
pub use shape::Shape;

use super::{
    Answer, Class, Layout, Query, Table, columns, disclosure, evaluate,
    instances::{endpoints, key},
    slots,
};
use halo2_proofs::{
    circuit::{Layouter, SimpleFloorPlanner, Value},
    halo2curves::bn256::Fr,
    plonk::{Circuit, ConstraintSystem, Error},
};
use std::sync::Arc;
use thiserror::Error;
use witness::{Asked, Witness};

/// Why a query cannot be proved of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Unprovable {
    /// More rows than the layout holds.
    #[error("{rows} rows; this size holds {capacity}")]
    Rows {
        /// The table's.
        rows: usize,
        /// The layout's.
        capacity: usize,
    },
    /// The query does not fit the class.
    #[error("the query does not fit the {} class", .0.name())]
    Class(Class),
    /// A threshold that no count can be compared with.
    #[error("the threshold is from 1 to {0}")]
    Threshold(usize),
    /// Slots of the wrong number or length.
    #[error("a {} circuit has {expected} slots of {capacity} rows", class.name())]
    Slots {
        /// The class.
        class: Class,
        /// Slots that it has.
        expected: usize,
        /// Rows of each.
        capacity: usize,
    },
}

/// A query proof's circuit: blank for the keys, or with its witness.
#[derive(Clone)]
pub struct QueryCircuit {
    shape: Shape,
    witness: Option<Arc<Witness>>,
}

impl QueryCircuit {
    /// The circuit without a witness, for key generation.
    #[must_use]
    pub const fn blank(class: Class, layout: Layout) -> Self {
        Self { shape: Shape { class, layout }, witness: None }
    }

    /// The circuit that proves what `query` releases of `table` under `threshold`, and that answer.
    ///
    /// # Errors
    /// The table, the query or the threshold does not fit.
    pub fn new(
        class: Class,
        layout: Layout,
        query: &Query,
        table: &Table,
        threshold: u32,
    ) -> Result<(Self, Answer), Unprovable> {
        let sources = slots::sources(class, layout, table.schema(), query);
        if table.rows() > layout.capacity() {
            return Err(Unprovable::Rows { rows: table.rows(), capacity: layout.capacity() });
        }
        let slots: Vec<Vec<u64>> =
            sources.into_iter().map(|source| columns::values(table, layout, source)).collect();
        let circuit = Self::from_slots(class, layout, table.schema(), query, threshold, &slots)?;
        let totals = evaluate::evaluate(query, table);
        let hidden = disclosure::hidden(&totals, threshold);
        Ok((circuit, disclosure::answer(&totals, &hidden)))
    }

    /// The circuit over slot values of whatever origin. It satisfies its gates when they do; that they are the registered columns is
    /// for the link to show.
    ///
    /// # Errors
    /// The query or the threshold does not fit, or the slots are not those of the class.
    pub fn from_slots(
        class: Class,
        layout: Layout,
        schema: &super::Schema,
        query: &Query,
        threshold: u32,
        slots: &[Vec<u64>],
    ) -> Result<Self, Unprovable> {
        let shape = Shape { class, layout };
        let fits = query.terms().len() <= class.terms()
            && query.values().len() <= class.values()
            && query.groups().len() <= class.groups()
            && query.cells(schema) <= class.cells();
        if !fits {
            return Err(Unprovable::Class(class));
        }
        let capacity = layout.capacity();
        if threshold == 0 || threshold as usize > capacity {
            return Err(Unprovable::Threshold(capacity));
        }
        if slots.len() != shape.slots() || slots.iter().any(|slot| slot.len() != capacity) {
            return Err(Unprovable::Slots { class, expected: shape.slots(), capacity });
        }
        let asked = Asked {
            endpoints: (0..class.terms()).map(|term| endpoints(query, term)).collect(),
            keys: (0..class.cells())
                .map(|cell| if class == Class::Narrow { cell as u64 } else { key(schema, query, cell) })
                .collect(),
            threshold,
        };
        let witness = Witness::new(shape, &asked, slots);
        Ok(Self { shape, witness: Some(Arc::new(witness)) })
    }

    /// Overwrites a cell of a phase-0 column, slots first: for tests that cheat.
    #[doc(hidden)]
    pub fn tamper(&mut self, column: usize, row: usize, value: Fr) {
        if let Some(cell) = self
            .witness
            .as_mut()
            .and_then(Arc::get_mut)
            .and_then(|w| w.columns.get_mut(column))
            .and_then(|c| c.get_mut(row))
        {
            *cell = value;
        }
    }

    /// A cell of a phase-0 column: for tests that cheat.
    #[doc(hidden)]
    #[must_use]
    pub fn cell(&self, column: usize, row: usize) -> Option<Fr> {
        self.witness.as_ref()?.columns.get(column)?.get(row).copied()
    }
}

impl Circuit<Fr> for QueryCircuit {
    type Config = Config;
    type FloorPlanner = SimpleFloorPlanner;
    type Params = Shape;

    fn params(&self) -> Shape {
        self.shape
    }

    fn without_witnesses(&self) -> Self {
        Self { shape: self.shape, witness: None }
    }

    fn configure_with_params(meta: &mut ConstraintSystem<Fr>, shape: Shape) -> Config {
        Config::new(meta, shape)
    }

    fn configure(meta: &mut ConstraintSystem<Fr>) -> Config {
        Config::new(meta, Shape::default())
    }

    fn synthesize(&self, config: Config, mut layouter: impl Layouter<Fr>) -> Result<(), Error> {
        let challenges: Option<Vec<Fr>> = config
            .challenges
            .iter()
            .map(|(_, challenge)| known(layouter.get_challenge(*challenge)))
            .collect();
        let sums = match (&self.witness, &challenges) {
            (Some(witness), Some(challenges)) => Some(running::sums(self.shape, witness, challenges)),
            _ => None,
        };
        layouter.assign_region(
            || "query",
            |mut region| {
                config.assign_kinds(&mut region);
                let Some(witness) = &self.witness else { return Ok(()) };
                // The first pass assigns what is committed before the challenges, the second what follows from them.
                let (columns, values) = match &sums {
                    None => (&config.advice, &witness.columns),
                    Some(sums) => (&config.sums, sums),
                };
                for (&column, values) in columns.iter().zip(values) {
                    for (row, &value) in values.iter().enumerate() {
                        region.assign_advice(column, row, Value::known(value));
                    }
                }
                Ok(())
            },
        )
    }
}

fn known(value: Value<Fr>) -> Option<Fr> {
    let mut known = None;
    value.map(|value| known = Some(value));
    known
}

/// The columns of the slots, the first of the proof's commitments, and the number of all phase-0 columns.
#[must_use]
pub const fn column_counts(class: Class, layout: Layout) -> (usize, usize) {
    let shape = Shape { class, layout };
    (shape.slots(), shape.columns())
}
