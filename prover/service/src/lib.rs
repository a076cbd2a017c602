//! The proving service: gRPC in front, durable jobs in SQLite or PostgreSQL behind, provers on OS threads of their own.
//!
//! [`run`] is the whole server, [`work::run`] a process beside it, or on another machine, that proves. `store` is its only state, `worker` does the work, `server` speaks the wire contract,
//! [`client`] is the other side of it. The binary's `main.rs` is a table of contents of the command line.

pub mod adjudicator;
pub mod artefacts;
pub mod audit;
pub mod client;
pub mod clock;
pub mod cohort;
pub mod config;
pub mod demo;
mod engine;
pub mod error;
mod events;
mod gate;
pub mod identity;
pub mod jobs;
pub mod process;
mod production;
mod server;
pub mod signals;
pub mod store;
mod supervisor;
pub mod telemetry;
mod transport;
mod turns;
mod watched;
pub mod work;
mod worker;

pub use config::Config;
pub use error::{CohortError, ServiceError, StoreError};
#[doc(hidden)]
pub use server::edge;
pub use server::{Server, run, run_with};
