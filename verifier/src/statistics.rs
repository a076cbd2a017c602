//! Statistics from proven integers: what a paper prints, as a function of the answers of one dataset.
//!
//! Every machine prints the same ten digits. Integers stay integers as long as they can; then come doubles, and on them only
//! what IEEE 754 fixes (`+ - * /` and the square root) and the `libm` crate's own `exp`, `ln`, `erfc` and `lgamma`, never the
//! platform's. Start at [`Statistics::of`]; the modules of the formulas stand on their own and cite where each is from.
//!
//! Null semantics are SQL's: a missing value is in no sum and no mean, a missing group is a group of its own. The latter is
//! counted, but no test compares it. A figure that needs a hidden cell is hidden, and never guessed from others.

pub mod correlation;
mod derive;
pub mod distribution;
pub mod fourfold;
mod interval;
pub mod life_table;
pub mod log_rank;
pub mod number;
pub mod quantile;
mod report;
mod roles;
pub mod sample;
mod source;
pub mod survival;
mod words;

pub use report::{Figure, Finding, Kind, Row, SourceSummary, Statistics, Word};
pub use roles::{Event, Meaning, Roles};
pub use source::{HiddenCell, Source};
