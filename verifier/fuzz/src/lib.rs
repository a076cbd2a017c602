//! The bodies of the fuzz targets: each takes any bytes, and panics only where a property of the verifier does not hold.
//!
//! The tests of the crates that own the readers compile these files too and call every body with every file of its corpus.

pub mod audit;
#[cfg(feature = "contracts")]
pub mod chain;
pub mod claim;
pub mod cohort;
pub mod keys;
