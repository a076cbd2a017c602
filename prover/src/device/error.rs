//! What a device can answer instead of a result. The variant says what to do next; nobody reads the text for that.

use thiserror::Error;

/// Why a device gave no result.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum DeviceError {
    /// Lengths, roots or handles that do not fit: a mistake of the caller, the same on every device.
    #[error("{0}")]
    Input(String),
    /// The device has no such operation, or not at this size: another device does it.
    #[error("{device} cannot do this: {what}")]
    Unsupported {
        /// Which device.
        device: String,
        /// What it cannot do.
        what: String,
    },
    /// There is no such device here: the operator installs it or names another.
    #[error("{device} is not there: {why}")]
    Absent {
        /// Which device.
        device: String,
        /// What was looked for, and what to do.
        why: String,
    },
    /// Its memory is full: a smaller batch or another device may do it.
    #[error("{device} is out of memory: {why}")]
    OutOfMemory {
        /// Which device.
        device: String,
        /// What did not fit.
        why: String,
    },
    /// It stopped answering: its resident data is gone, the work can be repeated elsewhere.
    #[error("{device} was lost: {why}")]
    Lost {
        /// Which device.
        device: String,
        /// What it said last.
        why: String,
    },
    /// It or its library does what it must not, a wrong result among other things: the operator takes it out of use.
    #[error("{device} is broken: {why}")]
    Broken {
        /// Which device.
        device: String,
        /// What it did.
        why: String,
    },
}

impl DeviceError {
    /// Whether the same work may succeed on another device.
    #[must_use]
    pub const fn elsewhere(&self) -> bool {
        !matches!(self, Self::Input(_))
    }

    /// Whether the device must not be given work again before it was opened anew.
    #[must_use]
    pub const fn ends_device(&self) -> bool {
        matches!(self, Self::Absent { .. } | Self::Lost { .. } | Self::Broken { .. })
    }
}
