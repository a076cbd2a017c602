//! Files of the command line: read whole, written whole or not at all.

use super::Trouble;
use nightingale_circuits::claim::Request;
use std::{
    fs,
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

pub(super) fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, Trouble> {
    let bytes = fs::read(path).map_err(|error| Trouble::Unusable(format!("{}: {error}", path.display())))?;
    Ok(Zeroizing::new(bytes))
}

/// A request file.
pub(super) fn request(path: &Path) -> Result<Request, Trouble> {
    let bytes = read(path)?;
    let request = nightingale_records::request::from_json(&bytes);
    request.map_err(|error| Trouble::Unusable(format!("{}: {error}", path.display())))
}

/// Writes a file that only its owner may read: it holds, or opens, a record.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), Trouble> {
    write_as(path, bytes, 0o600)
}

/// Writes a file for everybody.
pub(super) fn publish(path: &Path, bytes: &[u8]) -> Result<(), Trouble> {
    write_as(path, bytes, 0o644)
}

fn write_as(path: &Path, bytes: &[u8], mode: u32) -> Result<(), Trouble> {
    let mut draft = path.as_os_str().to_owned();
    draft.push(format!(".{:016x}.draft", rand::random::<u64>()));
    let draft = PathBuf::from(draft);
    let write = || {
        // A file of its own: never one that is there already, with its mode or behind a link.
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(&draft)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&draft, path)
    };
    write().map_err(|error: std::io::Error| {
        // Whatever was written of it is of no use.
        let _ = fs::remove_file(&draft);
        Trouble::Unusable(format!("{}: cannot be written: {error}", path.display()))
    })
}

pub(super) fn folder(path: &Path) -> Result<(), Trouble> {
    fs::create_dir_all(path)
        .map_err(|error| Trouble::Unusable(format!("{}: cannot be created: {error}", path.display())))
}
