//! `nightingale store`: copies of the database, made and put back.

use super::{Outcome, say, wait};
use clap::Subcommand;
use nightingale::{Config, store::backup};
use std::path::PathBuf;

#[derive(Subcommand)]
pub(super) enum Store {
    /// Copy the SQLite database while the server goes on. The master key is not in the copy, and nothing opens without it: keep
    /// it elsewhere.
    Backup {
        /// The server's configuration file.
        #[arg(long)]
        config: PathBuf,
        /// The copy: a file that does not exist yet.
        #[arg(long)]
        out: PathBuf,
    },
    /// Put a copy into a data folder without a database. Put the master key beside it, then start the server.
    Restore {
        /// The server's configuration file.
        #[arg(long)]
        config: PathBuf,
        /// The copy.
        #[arg(long)]
        from: PathBuf,
    },
}

impl Store {
    pub(super) fn run(&self) -> Outcome {
        wait(async {
            let (done, path, copied) = match self {
                Self::Backup { config, out } => {
                    ("copied to", out, backup::backup(&Config::read(config)?, out).await?)
                }
                Self::Restore { config, from } => {
                    ("restored from", from, backup::restore(&Config::read(config)?, from).await?)
                }
            };
            let backup::Copied { schema, jobs, open, bytes } = copied;
            let path = path.display();
            say(format_args!(
                "{done} {path}: {jobs} jobs, {open} of them open; schema {schema}, {bytes} bytes"
            ));
            Ok(())
        })
    }
}
