//! Nightingale's contracts, for Rust: what they are compiled to, how to talk to them, and a chain in this process.
//!
//! Nothing here opens a socket or a file. [`deploy::Plan`] and [`calldata`] only say what to send; [`chain::Chain`]
//! executes it in this process, and the poster sends the same bytes to a node.

pub mod artefacts;
pub mod bindings;
pub mod calldata;
pub mod chain;
pub mod deploy;
mod error;

pub use error::Error;

/// A payer's 96-bit number, as contracts see it.
pub type PayerId = alloy_primitives::aliases::U96;
