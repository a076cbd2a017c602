//! Records that nobody here wrote, where they are at hand.

use anyhow::{Context, Result};
use std::{
    env, fs,
    path::{Path, PathBuf},
};

/// The shared claims, `None` where they are absent; that is said, and the test ends.
pub(crate) fn claims() -> Option<PathBuf> {
    folder("claims")
}

/// The CDISC pilot study in SAS transport files, as above.
pub(crate) fn pilot() -> Option<PathBuf> {
    folder("trial/phuse_tdf_xpt")
}

fn folder(name: &str) -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let root = env::var_os("NIGHTINGALE_SHARED_DATA").map_or_else(beside, PathBuf::from);
    let folder = root.join(name);
    if folder.is_dir() {
        return Some(folder);
    }
    #[expect(clippy::print_stderr, reason = "a skipped test must say so")]
    {
        eprintln!("skipped: shared data absent");
    }
    None
}

/// The files of a folder whose names start and end so, in order, with their bytes.
pub(crate) fn files(folder: &Path, start: &str, end: &str) -> Result<Vec<(String, Vec<u8>)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with(start) && name.ends_with(end) {
            found.push((name, fs::read(entry.path())?));
        }
    }
    found.sort();
    Ok(found)
}
