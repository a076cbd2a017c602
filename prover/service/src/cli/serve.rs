//! `nightingale serve`.

use super::{Outcome, Trouble, say, wait};
use clap::Args;
use nightingale::{Config, telemetry};
use std::path::PathBuf;
use tokio::signal::unix::{SignalKind, signal};

#[derive(Args)]
pub(super) struct Serve {
    /// The configuration file; docs/operations.md has a complete one.
    #[arg(long)]
    config: PathBuf,
}

impl Serve {
    pub(super) fn run(&self) -> Outcome {
        let config = Config::read(&self.config)?;
        telemetry::start();
        if !config.listen.ip().is_loopback() {
            tracing::warn!(address = %config.listen, "callers are not authenticated: everybody who reaches this address may submit, read and cancel");
        }
        wait(async {
            let mut terminate = signal(SignalKind::terminate()).map_err(Trouble::unusable)?;
            let mut interrupt = signal(SignalKind::interrupt()).map_err(Trouble::unusable)?;
            let told = async move {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
            };
            Ok(nightingale::run(config, told, |address| say(format_args!("listening {address}"))).await?)
        })
    }
}
