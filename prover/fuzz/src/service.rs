//! The service's edge: messages from the wire, and its configuration.

use nightingale::{Config, edge};
use std::path::Path;

/// What a client takes of headers in all, by default; the status has a part of them.
const HEADER_BYTES: usize = 12 << 10;

/// A message of the method that the first byte says: read or refused with a status that a header bears; what is given back reads as itself.
pub fn wire(bytes: &[u8]) {
    let Some((method, message)) = bytes.split_first() else { return };
    let method = method % 4;
    match edge::read(method, message) {
        Ok(given) if !given.is_empty() => {
            let again = edge::read(method, &given);
            assert!(again.is_ok_and(|again| again == given), "a message changes when it is sent again");
        }
        Ok(_) => {}
        Err(status) => {
            assert!(!status.message().is_empty(), "a refusal without a word");
            assert!(status.code() != tonic::Code::Internal, "{}", status.message());
            // The details travel in base64.
            let size = 3 * status.message().len() + status.details().len().div_ceil(3) * 4;
            assert!(size <= HEADER_BYTES, "a status of {size} bytes does not fit into the headers");
        }
    }
}

/// A configuration file: whatever is accepted listens where it may.
pub fn config(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    match Config::parse(text, Path::new("/etc/nightingale")) {
        Ok(config) => {
            assert!(
                config.listen.ip().is_loopback() || text.contains("allow_remote"),
                "listens anywhere unasked"
            );
            assert!(config.metrics.is_none_or(|address| address.ip().is_loopback()));
            assert!(config.workers > 0 && config.request_bytes > 0 && !config.lease.is_zero());
        }
        Err(error) => {
            let text = error.to_string();
            assert!(text.starts_with("configuration: ") && !text.contains('\n'), "{text}");
        }
    }
}
