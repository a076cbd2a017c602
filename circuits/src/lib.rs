//! What Nightingale proves: each statement's types, its plain Rust reference and its circuit.
//!
//! No I/O, no clock, no threads. The page `docs/statements/claim.md` is the specification; the reference
//! (`claim::rules`) and the circuit (`claim::circuit`) follow it rule by rule.

pub mod claim;
pub mod cohort;
pub mod field;
pub mod merkle;
pub mod poseidon;
pub mod r1cs;
pub mod tag;
pub mod unseen;

pub use field::Fr;
