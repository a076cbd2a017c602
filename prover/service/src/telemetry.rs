//! What an operator sees: structured logs and metrics. Job identifiers, fixed codes, counts and times; never a value
//! of a record.

pub(crate) mod calls;
pub mod endpoint;
pub mod metrics;
pub(crate) mod readiness;

use tracing_subscriber::EnvFilter;

/// Logs to standard error, one JSON object a line; `NIGHTINGALE_LOG` filters as `RUST_LOG` does elsewhere (`info`
/// when unset). A panic is logged with its place only, because its text can hold data.
pub fn start() {
    let filter = EnvFilter::try_from_env("NIGHTINGALE_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    // A second subscriber in one process (a demo, a test) leaves the first in place.
    let _ = tracing_subscriber::fmt().json().with_env_filter(filter).with_writer(std::io::stderr).try_init();
    std::panic::set_hook(Box::new(|info| {
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "panic");
    }));
}
