//! Files of a dataset: written whole or not at all, the private ones for their owner alone, and listed with their digests.

use crate::ProveError;
use sha2::{Digest, Sha256};
use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::Write,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

/// Who may read a file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Readers {
    Everybody,
    Owner,
}

pub(super) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> ProveError + '_ {
    move |source| ProveError::Io { path: path.to_owned(), source }
}

/// Makes a directory and those above it.
pub(super) fn make_directory(path: &Path, readers: Readers) -> Result<(), ProveError> {
    let mode = if readers == Readers::Owner { 0o700 } else { 0o755 };
    DirBuilder::new().recursive(true).mode(mode).create(path).map_err(io(path))
}

/// A file under a temporary name beside its own, synced; [`Staged::commit`] renames it.
pub(super) struct Staged {
    temporary: PathBuf,
    path: PathBuf,
    committed: bool,
}

impl Staged {
    pub(super) fn new(path: &Path, content: &[&[u8]], readers: Readers) -> Result<Self, ProveError> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let directory = path.parent().unwrap_or(Path::new("."));
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let temporary = directory.join(format!(".{name}.{}.{number}", std::process::id()));
        let staged = Self { temporary, path: path.to_owned(), committed: false };
        let mode = if readers == Readers::Owner { 0o600 } else { 0o644 };
        let write = || {
            let mut file =
                OpenOptions::new().write(true).create_new(true).mode(mode).open(&staged.temporary)?;
            for part in content {
                file.write_all(part)?;
            }
            file.sync_all()
        };
        write().map_err(io(path))?;
        Ok(staged)
    }

    pub(super) fn commit(mut self) -> Result<(), ProveError> {
        replace(&self.temporary, &self.path)?;
        self.committed = true;
        Ok(())
    }
}

/// Renames a file over another of the same directory, for good.
pub(super) fn replace(from: &Path, to: &Path) -> Result<(), ProveError> {
    fs::rename(from, to).map_err(io(to))?;
    let directory = to.parent().unwrap_or(Path::new("."));
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(io(to))
}

impl Drop for Staged {
    fn drop(&mut self) {
        if !self.committed {
            // What is left of a failed write is of no use to anybody; if it cannot be removed either, it does no harm.
            let _ = fs::remove_file(&self.temporary);
        }
    }
}

/// Reads a whole file.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, ProveError> {
    fs::read(path).map_err(io(path))
}

/// The digest of a file's content, as `sha256sum` prints it.
pub(super) fn digest(parts: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    parts.iter().for_each(|part| hash.update(part));
    hex::encode(hash.finalize())
}
