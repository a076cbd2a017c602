//! Parses and verifies Nightingale's proofs; what a third party depends on.
//!
//! Start at [`verify_claim`]. A proof is judged against a [`VerifyingKey`], whose digest it names, and against a
//! [`Context`]: what the reader already knows about the claim. Nothing here is asynchronous, talks to a database or
//! can prove anything, and no input makes it panic.
//!
//! **Proof bytes are no identity.** From a valid Groth16 proof (A, B, C) anybody can make others of the same
//! statement, (-A, -B, C) among them. What may happen once is guarded by nullifiers and spend tags, never by a hash
//! of the proof.
#![forbid(unsafe_code)]
#![deny(clippy::indexing_slicing, clippy::as_conversions)]

pub mod audit;
pub mod calldata;
pub mod claim;
pub mod cohort;
pub mod consent;
pub mod development;
mod encoding;
mod error;
pub mod expectation;
pub mod explanation;
pub mod fhir;
mod groth16;
mod json;
pub mod key;
pub mod money;
pub mod proof;
pub mod snarkjs;
pub mod statistics;
pub mod x12;

pub use claim::{Context, Decision, Verified, verify_claim};
pub use consent::{ConsentEpoch, ConsentEpochs, ConsentRule};
pub use error::VerifyError;
pub use explanation::Explanation;
pub use key::{KeyDigest, KeyDirectory, KeyKind, VerifyingKey};
pub use proof::{ClaimProof, OutcomeOpening};
