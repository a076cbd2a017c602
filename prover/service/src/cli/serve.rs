//! `nightingale serve`.

use super::{Outcome, Trouble, say, wait};
use clap::Args;
use nightingale::{Config, signals, telemetry};
use std::path::PathBuf;

#[derive(Args)]
pub(super) struct Serve {
    /// The configuration file; `nightingale config reference` says what may stand in it.
    #[arg(long)]
    config: PathBuf,
}

impl Serve {
    pub(super) fn run(&self) -> Outcome {
        let config = Config::read(&self.config)?;
        telemetry::start();
        if !config.listen.ip().is_loopback() && !config.identity.is_required() {
            tracing::warn!(address = %config.listen, "callers are not authenticated: everybody who reaches this address may submit, read and cancel");
        }
        wait(async {
            let told = signals::end().map_err(Trouble::unusable)?;
            Ok(nightingale::run(config, told, |address| say(format_args!("listening {address}"))).await?)
        })
    }
}
