//! Where the command line keeps the cohort circuits' setup.

use super::Trouble;
use clap::Args;
use nightingale_prover::cohort::CohortKeyStore;
use std::{env, path::PathBuf};

/// The folder of the setup.
#[derive(Args)]
pub(super) struct Keys {
    /// The folder in which the setup is kept, made at its first use; when absent, `nightingale/keys` in the user's cache.
    #[arg(long, value_name = "DIR")]
    keys: Option<PathBuf>,
}

impl Keys {
    /// Opens, or makes, it.
    pub(super) fn open(&self) -> Result<CohortKeyStore, Trouble> {
        let folder = self.keys.clone().or_else(cache).ok_or_else(|| {
            Trouble::Unusable("no home folder to keep the setup in; name a folder with --keys".to_owned())
        })?;
        Ok(CohortKeyStore::open(folder)?)
    }
}

/// By the XDG base directory specification, 0.8.
fn cache() -> Option<PathBuf> {
    let absolute = |name: &str| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")))?;
    Some(cache.join("nightingale/keys"))
}
