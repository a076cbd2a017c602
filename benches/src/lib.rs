//! What the benchmarks and the comparison share: inputs, peers, clocks and the report.
//!
//! Every prover gets the same constraint system, key, witness and randomness, and every proof is verified.

pub mod clock;
pub mod cohort;
pub mod peers;
pub mod report;
pub mod workload;
