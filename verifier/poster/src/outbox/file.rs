//! The outbox's file, which holds signed transactions: readable by its owner alone, and one process's at a time.

use crate::PosterError;
use std::{
    fs::{self, File, Metadata, OpenOptions, TryLockError},
    io::ErrorKind,
    path::{Path, PathBuf},
};

/// Creates the file where it is missing, with what leads to it, and gives its true path: an outbox has one lock, whatever
/// symbolic links lead to it, and no second name. SQLite gives the files beside it the same permissions.
pub(super) fn prepare(path: &Path) -> Result<PathBuf, PosterError> {
    let io = |path: &Path, source| PosterError::Io { path: path.to_owned(), source };
    check_whole(path)?;
    if fs::metadata(path).is_ok_and(|found| has_other_names(&found)) {
        return Err(PosterError::OutboxIsLinked(path.to_owned()));
    }
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder).map_err(|source| io(folder, source))?;
    }
    match private().create_new(true).open(path) {
        Err(source) if source.kind() != ErrorKind::AlreadyExists => return Err(io(path, source)),
        _ => {}
    }
    path.canonicalize().map_err(|source| io(path, source))
}

/// That the log beside the file (`-wal`), in which the newest rows may be after a crash, has the file that it belongs to: SQLite deletes the log of one
/// that is missing or empty, and takes what is in that for all there is.
pub(super) fn check_whole(path: &Path) -> Result<(), PosterError> {
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let size = |path: &Path| fs::metadata(path).map_or(0, |found| found.len());
    let mut log = path.clone().into_os_string();
    log.push("-wal");
    if size(&path) == 0 && size(Path::new(&log)) > 0 {
        return Err(PosterError::OutboxIsTorn(path));
    }
    Ok(())
}

/// A lock that the operating system lets go when the process ends, however it ends.
pub(super) fn hold(path: &Path) -> Result<File, PosterError> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".lock");
    let lock: PathBuf = path.with_file_name(name);
    let io = |source| PosterError::Io { path: lock.clone(), source };
    // Before, so that nothing is created where a link leads; and after, so that none was put there in between.
    if fs::symlink_metadata(&lock).is_ok_and(|found| !found.is_file()) {
        return Err(PosterError::LockIsLink(lock));
    }
    let file = private().create(true).truncate(false).open(&lock).map_err(io)?;
    let (named, opened) = (fs::symlink_metadata(&lock).map_err(io)?, file.metadata().map_err(io)?);
    if !named.is_file() || !is_same(&named, &opened) {
        return Err(PosterError::LockIsLink(lock));
    }
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(PosterError::OutboxBusy(path.to_owned())),
        Err(TryLockError::Error(source)) => Err(PosterError::Io { path: lock, source }),
    }
}

fn private() -> OpenOptions {
    let mut options = File::options();
    options.write(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options
}

#[cfg(unix)]
fn is_same(one: &Metadata, other: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

#[cfg(unix)]
fn has_other_names(file: &Metadata) -> bool {
    file.is_file() && std::os::unix::fs::MetadataExt::nlink(file) > 1
}

#[cfg(not(unix))]
fn has_other_names(_: &Metadata) -> bool {
    false
}

#[cfg(not(unix))]
fn is_same(one: &Metadata, other: &Metadata) -> bool {
    one.is_file() && other.is_file()
}
