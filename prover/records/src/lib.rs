//! Reads health records and registers into the statements' types.
//!
//! The way of a claim: [`ingest_fhir`] or [`ingest_x12`] reads a file into [`ClaimFile`]s, [`Registers`] are built
//! into a [`RegisterSet`], which turns a claim file into a request that proves, explains and travels as JSON
//! ([`request`]). Claims come from the file; coverage, consent, providers and plan from the registers. The formats
//! are described in `docs/records.md`.
//!
//! The way of a trial: [`trial::read`] reads files, [`trial::build`] codes them as a schema file says, and [`sql::parse`] turns questions
//! about them into queries.

mod claim_file;
pub mod consent;
mod error;
pub mod explain;
mod fhir;
mod ingest;
mod json;
mod notation;
mod registers;
pub mod request;
pub mod sql;
pub mod synth;
pub mod trial;
mod x12;

pub use claim_file::{ClaimFile, PlanName};
pub use error::RecordsError;
pub use fhir::ingest_fhir;
pub use ingest::{Defect, Found, Ingested, Refused};
pub use registers::{RegisterSet, Registers};
pub use x12::ingest_x12;
