//! `nightingale store`: copies of the database, made and put back.

use super::{Outcome, say, wait, warn};
use clap::Subcommand;
use nightingale::{Config, store::backup};
use nightingale_verifier::consent::time_text;
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

/// Up to when the copy knows of what must not be forgotten, and what to do about what came after.
fn say_lost(copied: &backup::Copied) {
    for (what, at) in [
        ("statement of a consent", copied.statement),
        ("epoch of consents", copied.consent_epoch),
        ("entry of the audit logs", copied.entry),
    ] {
        let at = at.map(|at| time_text(at.0.unsigned_abs() / 1000));
        say(format_args!("the newest {what} in it: {}", at.as_deref().unwrap_or("none")));
    }
    warn(
        "consents that were revoked after that are in force again: stop the workers and start with work.claims and work.cohorts = false, \
         revoke them again and publish, and only then start as usual; anchors and \
         exports of later entries of the audit logs do not answer to this database: docs/operations.md, \"What a restore loses\"",
    );
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
            let backup::Copied { schema, jobs, open, bytes, .. } = copied;
            let path = path.display();
            say(format_args!(
                "{done} {path}: {jobs} jobs, {open} of them open; schema {schema}, {bytes} bytes"
            ));
            if matches!(self, Self::Restore { .. }) {
                say_lost(&copied);
            }
            Ok(())
        })
    }
}
