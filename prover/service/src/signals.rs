//! The signals that ask a process to end.

use std::{future::Future, io};
use tokio::signal::unix::{SignalKind, signal};

/// Ready when SIGTERM or SIGINT has come. From now on neither ends the process by itself.
///
/// # Errors
/// The system does not let them be caught.
pub fn end() -> io::Result<impl Future<Output = ()> + Send + 'static> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
