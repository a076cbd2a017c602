//! Statement 2: registering tables, proving queries of them, opening rows. The specification is `docs/statements/cohort.md`.
//!
//! [`CohortDataset`] holds the private half of a registration. Every proof is verified, link and all, before it is returned.

pub mod backend;
pub mod commit;
pub mod dataset;
mod entropy;
mod files;
pub mod keys;
pub mod opening;
mod private;
pub mod production;
pub mod prove;
mod register;
mod rehearsal;
mod row;
pub mod srs;
pub mod synthesis;

pub use backend::{Backend, Halo2};
pub use dataset::{Ask, CohortDataset};
pub use keys::{CohortKeyStore, CohortProvingKey};
pub use opening::Opening;
pub use production::Setups;
pub use srs::Srs;

use crate::ProveError;
use nightingale_circuits::cohort::Size;
use nightingale_verifier::cohort::CircuitName;
use std::ops::ControlFlow;

/// What the prover does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Makes or loads the setup of a size.
    Setup(Size),
    /// Makes the key of a circuit.
    Key(CircuitName, Size),
    /// Commits to the columns of a table.
    Committing {
        /// Which, from 0.
        table: usize,
        /// Of how many.
        tables: usize,
    },
    /// Makes a proof.
    Proving {
        /// Of this circuit.
        circuit: CircuitName,
        /// Which, from 0.
        proof: usize,
        /// Of how many.
        proofs: usize,
    },
    /// Links it to the registered columns.
    Linking,
    /// Verifies it.
    Verifying,
}

/// Told each step as it begins; breaks to cancel.
pub type Progress<'a> = &'a mut dyn FnMut(Step) -> ControlFlow<()>;

pub(crate) fn tell(progress: Progress<'_>, step: Step) -> Result<(), ProveError> {
    if progress(step).is_break() { Err(ProveError::Cancelled) } else { Ok(()) }
}
