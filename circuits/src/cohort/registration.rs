//! Registration: the proofs that a table's committed columns are what its schema says, made once, so that queries check no data.
//!
//! A table needs one proof of each [`Statement`] of its [`plan`]. Every proof is of one circuit, [`RegistrationCircuit`], in one of four
//! [`Part`]s; its first advice columns are slots, linked to committed columns like those of a query. All instances follow from the schema
//! and the number of rows.

mod circuit;
mod columns;
mod dictionary;
mod frame;
mod keys;
mod limbs;
mod rows;
mod rules;
mod sums;
mod witness;

pub use circuit::{RegistrationCircuit, Shape};
pub use witness::{Auxiliary, Witness};

use super::{Layout, Schema, Unit, columns::Committed, columns::is_wide, schema::Kind};
use halo2_proofs::halo2curves::bn256::Fr;

/// Columns of one proof of [`Part::Columns`].
pub const BATCH: usize = 8;

/// What one proof shows. The rules of each are on the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// Which rows there are, that their keys rise, and who consented.
    Frame,
    /// Ranges and flags of up to [`BATCH`] columns that one lookup holds.
    Columns,
    /// Range, flags, ranks and dictionary of one wide column.
    Dictionary,
    /// Range of one wide key, which is never missing and has no dictionary.
    Keys,
}

impl Part {
    /// All.
    pub const ALL: [Self; 4] = [Self::Frame, Self::Columns, Self::Dictionary, Self::Keys];

    /// Its name in file names and messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Frame => "frame",
            Self::Columns => "columns",
            Self::Dictionary => "dictionary",
            Self::Keys => "keys",
        }
    }

    /// The number of its slots.
    #[must_use]
    pub const fn slots(self) -> usize {
        match self {
            Self::Frame => frame::SLOTS,
            Self::Columns => columns::SLOTS,
            Self::Dictionary => dictionary::SLOTS,
            Self::Keys => keys::SLOTS,
        }
    }

    /// The length of its one instance column.
    #[must_use]
    pub const fn instances(self) -> usize {
        match self {
            Self::Columns => BATCH,
            Self::Frame | Self::Dictionary | Self::Keys => 1,
        }
    }
}

/// What a slot is linked to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// A committed column of the table. [`Committed::Consent`] is the version that the proof is about.
    Column(Committed),
    /// The version of the consents before that; [`Committed::Present`] before the first.
    Predecessor,
}

/// One proof that a table needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    part: Part,
    sources: Vec<Source>,
    bounds: Vec<u32>,
}

impl Statement {
    fn frame(schema: &Schema) -> Self {
        let dimension = match schema.unit() {
            Unit::Subject => Committed::Zero,
            Unit::SubjectAnd(dimension) => Committed::Codes(dimension),
        };
        let columns = [Committed::Present, Committed::Codes(schema.subject()), dimension, Committed::Consent];
        let sources = columns.into_iter().map(Source::Column).chain([Source::Predecessor]).collect();
        Self { part: Part::Frame, sources, bounds: Vec::new() }
    }

    fn columns(schema: &Schema, batch: &[usize]) -> Self {
        let mut columns = vec![Committed::Present];
        let mut bounds: Vec<u32> = batch.iter().map(|&column| bound(schema, column)).collect();
        columns.extend(batch.iter().flat_map(|&column| [Committed::Codes(column), flag(schema, column)]));
        columns.resize(Part::Columns.slots(), Committed::Zero);
        bounds.resize(BATCH, 0);
        Self { part: Part::Columns, sources: columns.into_iter().map(Source::Column).collect(), bounds }
    }

    fn wide(schema: &Schema, column: usize) -> Self {
        let (part, columns) = if is_key(schema, column) {
            (Part::Keys, vec![Committed::Present, Committed::Codes(column)])
        } else {
            let own = [Committed::Codes, Committed::Flag, Committed::Rank, Committed::Dictionary];
            let own = own.into_iter().map(|committed| committed(column));
            (Part::Dictionary, std::iter::once(Committed::Present).chain(own).collect())
        };
        let sources = columns.into_iter().map(Source::Column).collect();
        Self { part, sources, bounds: vec![bound(schema, column)] }
    }

    /// Which circuit proves it.
    #[must_use]
    pub const fn part(&self) -> Part {
        self.part
    }

    /// What each slot is linked to, in the order of the circuit's first advice columns.
    #[must_use]
    pub fn sources(&self) -> &[Source] {
        &self.sources
    }

    /// The instance column of the proof for a table of `rows` rows, as integers.
    #[must_use]
    pub fn numbers(&self, rows: usize) -> Vec<u64> {
        match self.part {
            Part::Frame => vec![rows as u64],
            Part::Columns | Part::Dictionary | Part::Keys => {
                self.bounds.iter().copied().map(u64::from).collect()
            }
        }
    }

    /// The instance columns (one) of the proof for a table of `rows` rows: what a verifier gives to the verifying key.
    #[must_use]
    pub fn instances(&self, rows: usize) -> Vec<Vec<Fr>> {
        vec![self.numbers(rows).into_iter().map(Fr::from).collect()]
    }
}

/// The proofs that a table of this schema needs: the frame first (and again for each version of the consents), then the columns that one
/// lookup holds, eight at a time, then each wide column.
#[must_use]
pub fn plan(schema: &Schema, layout: Layout) -> Vec<Statement> {
    let (wide, narrow): (Vec<usize>, Vec<usize>) =
        (0..schema.columns().len()).partition(|&column| is_wide(schema, layout, column));
    let mut plan = vec![Statement::frame(schema)];
    plan.extend(narrow.chunks(BATCH).map(|batch| Statement::columns(schema, batch)));
    plan.extend(wide.into_iter().map(|column| Statement::wide(schema, column)));
    plan
}

fn bound(schema: &Schema, column: usize) -> u32 {
    schema.columns().get(column).map_or(0, super::Column::bound)
}

fn is_key(schema: &Schema, column: usize) -> bool {
    schema.columns().get(column).is_some_and(|column| matches!(column.kind, Kind::Key { .. }))
}

/// Where a column's flags are: a key is never missing, so that its flag is `present`.
fn flag(schema: &Schema, column: usize) -> Committed {
    if is_key(schema, column) { Committed::Present } else { Committed::Flag(column) }
}
