//! What can be wrong with a file, named by the element that is wrong. No variant repeats what the element holds.

use nightingale_circuits::{claim::Refusal, merkle::RegisterError};
use std::path::PathBuf;
use thiserror::Error;

/// Why a file, or a claim against registers, cannot be used.
#[derive(Debug, Error)]
pub enum RecordsError {
    /// The caller's file is not of its documented form: correct the element.
    #[error("{element}: {problem}")]
    Format {
        /// The element, as a path into the file.
        element: String,
        /// What was expected.
        problem: String,
    },
    /// The registers do not say who is meant: add what is missing to them.
    #[error("{element}: {problem}")]
    Unresolved {
        /// The element of the claim.
        element: &'static str,
        /// What to add, and where.
        problem: &'static str,
    },
    /// Nothing can be proven about the claim.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// A register cannot be built.
    #[error(transparent)]
    Register(#[from] RegisterError),
    /// A file cannot be read.
    #[error("{}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
}

impl RecordsError {
    /// A [`RecordsError::Format`].
    pub(crate) fn format(element: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Format { element: element.into(), problem: problem.into() }
    }

    /// The same, with the element's path continued to the left.
    #[must_use]
    pub(crate) fn within(self, parent: &str) -> Self {
        match self {
            Self::Format { element, problem } => {
                Self::Format { element: format!("{parent}.{element}"), problem }
            }
            other => other,
        }
    }
}
