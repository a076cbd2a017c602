//! Keys and provers for Nightingale's statements: a synchronous library.
//!
//! [`KeyStore`] holds keys on disk, [`ClaimProver`] turns a request into a proof that was verified before it is
//! returned. The group and polynomial work goes through a [`Device`], chosen by value. Nothing here reads records,
//! listens on a socket or starts a thread of its own; rayon's pool does the parallel work.

pub mod arkworks;
pub mod ceremony;
pub mod claim;
pub mod cohort;
pub mod device;
mod error;
mod fixed_base;
pub mod groth16;
pub mod keys;
mod matrix;
mod progress;
pub mod reduction;
pub mod setup;

pub use claim::ClaimProver;
pub use cohort::{CohortDataset, CohortKeyStore};
pub use device::Device;
pub use error::ProveError;
pub use keys::{ClaimKey, KeyStore};
pub use progress::{Phase, Progress};
