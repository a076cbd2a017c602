//! Statement 2, cohort statistics: datasets, proofs and rows as files, and their verification.
//!
//! [`verify_registration`] judges a dataset once, [`verify_query`] an answer, [`verify_row`] one opened row. The specification is
//! `docs/statements/cohort.md`.

pub mod answer;
mod circuit_name;
pub mod dataset;
pub mod integer;
pub mod key;
pub mod keys;
pub mod link;
pub mod point;
pub mod proof;
pub mod registration;
pub mod release_rule;
pub mod row;
pub mod schema_file;
pub mod signature;
pub mod transcript;
pub mod verify;

pub use nightingale_circuits::cohort::text;

pub use circuit_name::CircuitName;
pub use dataset::{ConsentVersion, Dataset, LinkedProof, PlannedQuery, Sponsor, TableRecord};
pub use key::{CohortKey, SetupPoints};
pub use keys::{CohortKeys, SetupDigest};
pub use link::Link;
pub use point::Commitment;
pub use proof::{QueryProof, Venue};
pub use registration::{VerifiedRegistration, verify_registration};
pub use release_rule::{check_researcher, not_for_researchers};
pub use row::{RowProof, verify_row};
pub use signature::{Signature, verify_sponsor};
pub use verify::{ConsentExpectation, Expectation, VerifiedQuery, verify_query};
