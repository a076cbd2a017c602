//! The proving service: gRPC in front, durable jobs in SQLite behind, provers on OS threads of their own.
//!
//! [`run`] is the whole server. `store` is its only state, `worker` does the work, `server` speaks the wire contract,
//! [`client`] is the other side of it. The binary's `main.rs` is a table of contents of the command line.

pub mod adjudicator;
pub mod client;
pub mod cohort;
pub mod config;
pub mod demo;
mod engine;
pub mod error;
mod events;
pub mod jobs;
mod server;
pub mod store;
pub mod telemetry;
mod worker;

pub use config::Config;
pub use error::{CohortError, ServiceError};
pub use server::{Server, run};
