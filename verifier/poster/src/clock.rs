//! This machine's clock, which a node has no say in.

use std::time::{SystemTime, UNIX_EPOCH};

/// The time, in seconds since 1970-01-01 UTC.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
