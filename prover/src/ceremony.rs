//! Keys from a ceremony: what is written for snarkjs, and what is read back, with nothing taken on trust.
//!
//! We write no ceremony code: contributions are made with snarkjs, whose tooling is the audited one. This module writes the
//! circuit (`.r1cs`) and, for comparing provers, an assignment (`.wtns`); it reads powers of tau (`.ptau`) and the ceremony's
//! key (`.zkey`) and checks all that a Groth16 key's soundness rests on. docs/ceremony.md has the argument of each check.
//!
//! Readers are pure functions of bytes, and what they allocate is in proportion to the bytes that they are given.

mod chain;
mod check;
mod container;
mod digest;
mod encoding;
mod error;
mod export;
mod import;
mod initial;
mod manifest;
mod overread;
mod powers;
mod ptau;
mod queries;
mod random;
mod terms;
mod zkey;

pub use chain::{Beacon, Contribution};
pub use check::{Checked, check};
pub use digest::{ContributionHash, FileDigest};
pub use error::{CeremonyError, FileKind};
pub use export::{first_empty_row, r1cs, wtns};
pub use import::{Imported, import};
pub use manifest::{Manifest, Part};
pub use powers::CheckedPowers;
pub use ptau::{PowersContribution, Ptau};
pub use terms::{Published, Terms};
pub use zkey::Zkey;

use crate::ProveError;
use std::path::Path;

/// A file's bytes, all in memory: what was hashed is what is used, whoever writes in the file meanwhile.
///
/// # Errors
/// One that cannot be read.
pub fn load(path: &Path) -> Result<Vec<u8>, ProveError> {
    std::fs::read(path).map_err(|source| ProveError::Io { path: path.to_owned(), source })
}
