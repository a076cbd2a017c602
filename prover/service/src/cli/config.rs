//! `nightingale config`: what can be configured, and whether a file does it.

use super::{Outcome, say};
use clap::Subcommand;
use nightingale::{Config as Checked, config::reference};
use std::path::PathBuf;

#[derive(Subcommand)]
pub(super) enum Config {
    /// Print every key with its default, unit, range and meaning.
    Reference,
    /// Print a file with every key.
    Example,
    /// Read and check a file as `serve` does, and start nothing.
    Check {
        /// The configuration file.
        file: PathBuf,
    },
}

impl Config {
    pub(super) fn run(&self) -> Outcome {
        match self {
            Self::Reference => say(reference::markdown().trim_end()),
            Self::Example => say(reference::example().trim_end()),
            Self::Check { file } => {
                Checked::read(file)?;
                say(format_args!("{} can be used", file.display()));
            }
        }
        Ok(())
    }
}
