//! What the benchmarks and the comparison share: inputs, peers, clocks and the report.
//!
//! Every contestant gets the same input (of a proof: constraint system, key, witness and randomness), and every result is
//! checked.

pub mod clock;
pub mod cohort;
pub mod contest;
pub mod kernels;
pub mod peers;
pub mod report;
pub mod split;
pub mod workload;
