//! The bodies of the fuzz targets: each takes any bytes, and panics only where a property of a reader does not hold.
//!
//! The tests of the crates that own the readers compile these files too and call every body with every file of its corpus.

pub mod ceremony;
pub mod keys;
pub mod records;
#[cfg(feature = "service")]
pub mod service;
pub mod sql;
pub mod trial;
