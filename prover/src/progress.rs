//! How far a proof is. The callback that is told may also stop it.

use crate::ProveError;
use std::ops::ControlFlow;

/// What the prover does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The native rules and the circuit's assignment.
    Adjudicating,
    /// The polynomial work.
    Transforming,
    /// The multi-scalar multiplications.
    Multiplying,
    /// Verifying the finished proof.
    Verifying,
}

impl Phase {
    /// About how many hundredths of the work are done when the phase begins, as measured on two cores.
    #[must_use]
    pub const fn percent(self) -> u8 {
        match self {
            Self::Adjudicating => 0,
            Self::Transforming => 5,
            Self::Multiplying => 20,
            Self::Verifying => 99,
        }
    }
}

/// Told each phase as it begins; breaks to cancel.
pub type Progress<'a> = &'a mut dyn FnMut(Phase) -> ControlFlow<()>;

pub(crate) fn tell(progress: Progress<'_>, phase: Phase) -> Result<(), ProveError> {
    if progress(phase).is_break() { Err(ProveError::Cancelled) } else { Ok(()) }
}
