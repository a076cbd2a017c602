//! The audit log of a service, verified offline: each entry's hash covers the entry before it, so what was altered, removed, inserted or
//! moved shows, and an anchored head shows what was cut off or written anew.
//!
//! Start at [`Reader`]. The format, with a test vector, stands in `docs/audit.md`; the service that writes the log uses [`Entry::hash`] of this
//! module. An entry holds no data of a record.

mod anchors;
mod entry;
mod reader;

pub use anchors::{Anchor, Anchors, MOST_ANCHOR_BYTES};
pub use entry::{BEFORE_FIRST, Entry, Hash};
pub use reader::{Closing, EXPORT_FORMAT, Opening, Reader, Verified, entry_line, line};

use crate::VerifyError;

/// An entry, or a line of a file, that does not hold together.
fn broken(sequence: u64, problem: impl Into<String>) -> VerifyError {
    VerifyError::Audit { sequence, problem: problem.into() }
}

/// Bytes as a file shows them: 64 lower-case digits.
fn from_hex(text: &str) -> Option<Hash> {
    let mut bytes = [0; 32];
    hex::decode_to_slice(text, &mut bytes).ok()?;
    (hex::encode(bytes) == text).then_some(bytes)
}
