//! Statement 2: cohort statistics over a committed table. The specification is `docs/statements/cohort.md`.
//!
//! A table is integer codes, committed once and hidden; a query counts and sums them by group; the answer is integers, small cells
//! hidden. [`evaluate`] and [`disclosure`] say in plain Rust what the circuit proves.

pub mod answer;
pub mod circuit;
pub mod class;
pub mod columns;
pub mod differences;
pub mod digest;
pub mod disclosure;
pub mod evaluate;
pub mod instances;
pub mod query;
pub mod registration;
pub mod schema;
pub mod slots;
pub mod table;
pub mod text;

pub use answer::{Answer, Cell, Figures, PairFigures, ValueFigures};
pub use circuit::{QueryCircuit, Unprovable};
pub use class::{Class, Layout, Size};
pub use columns::Committed;
pub use differences::{
    Difference, differences,
    nested::{Nested, Place, nested},
};
pub use digest::Keccak;
pub use query::{ColumnIndex, Interval, Query, QueryError, Term};
pub use schema::{Column, Kind, Mode, Schema, SchemaError, Unit};
pub use table::{Table, TableError};
