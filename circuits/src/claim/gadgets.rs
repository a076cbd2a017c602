//! The circuit's vocabulary: bits and comparisons, integer division, hashes and paths, dates.
//!
//! Comparisons are only sound on values whose width is already enforced; each says which.

pub mod calendar;
pub mod hashing;
pub mod numbers;
