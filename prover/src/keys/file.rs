//! Proving key files: a header with the digests of the verifying key and of the constraint system, the sections of
//! [`layout`](super::layout), and the BLAKE3 of all that. They are mapped and used in place.
//!
//! The last digest guards against accidents, in a fifth of the time of SHA-256; `keys.json` lists it, and so a file that somebody
//! altered on purpose and gave a right one is refused as well. Where it is not listed, such a file still cannot make the program leave an
//! array or loop, which the layout's reader sees to, or let out a proof that does not verify.

use super::{Entry, layout};
use crate::{ProveError, device, groth16};
use memmap2::Mmap;
use nightingale_verifier::{KeyDigest, KeyKind};
use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

const DIGEST: usize = 32;

/// Where an entry's proving key is.
pub(super) fn path(directory: &Path, entry: &Entry) -> PathBuf {
    directory.join(format!("{}.{}.pk", entry.class.name(), entry.digest))
}

/// Writes a proving key, and returns the digest of its content.
pub(super) fn write(path: &Path, key: &groth16::Key, digest: KeyDigest) -> Result<[u8; DIGEST], ProveError> {
    let parts = layout::write(key, digest);
    let mut hash = blake3::Hasher::new();
    for part in &parts {
        hash.update_rayon(part);
    }
    let sum = hash.finalize();
    let parts: Vec<&[u8]> = parts.iter().map(|part| &**part).chain([&sum.as_bytes()[..]]).collect();
    write_atomically(path, &parts)?;
    Ok(sum.into())
}

/// Maps the proving key of an entry, for this constraint system.
pub(super) fn read(path: &Path, entry: &Entry, system: &[u8; DIGEST]) -> Result<groth16::Key, ProveError> {
    let io = |source| ProveError::Io { path: path.to_owned(), source };
    let corrupt = |problem| ProveError::Corrupt { path: path.to_owned(), problem };
    key(&device::map(path).map_err(io)?, entry, system).map_err(corrupt)
}

/// The key in a file's bytes, or what is wrong with them.
fn key(file: &Arc<Mmap>, entry: &Entry, system: &[u8; DIGEST]) -> Result<groth16::Key, String> {
    let replace = "remove it to have a development key made anew, or restore it from its source";
    let parts = file.split_last_chunk::<DIGEST>();
    let parts = parts.and_then(|(content, sum)| Some((content, sum, layout::Header::read(content)?)));
    let Some((content, sum, header)) = parts else {
        let what = match file.starts_with(b"NGPK\x01") {
            true => "is of a format that this version no longer reads",
            false => "is not a proving key file, or is cut off",
        };
        return Err(format!("{what}; {replace}"));
    };
    // Both look at every byte; the second is safe on any, so it need not wait for the first.
    let sound = || blake3::Hasher::new().update_rayon(content).finalize() == *sum;
    let (sound, key) = rayon::join(sound, || layout::read(file, &header, content.len()));
    if !sound {
        return Err(format!("is corrupt: its digest is not that of its content; {replace}"));
    }
    if header.key != entry.digest.0 {
        return Err(
            "belongs to another verifying key than its name says; restore it from its source".to_owned()
        );
    }
    if header.system != *system {
        return Err(
            "is for another version of the statement's circuit; make or import a key for this version"
                .to_owned(),
        );
    }
    let listed = match (entry.proving, entry.kind) {
        (Some(listed), _) => listed == *sum,
        (None, KeyKind::Development) => true,
        // What was imported is listed with its digest.
        (None, KeyKind::Production) => false,
    };
    if !listed {
        return Err(format!(
            "is not the proving key that keys.json lists: it was altered or exchanged; {replace}"
        ));
    }
    key.map_err(|problem| format!("is corrupt: {problem}; {replace}"))
}

/// The constraint system that a proving key file says it is for; `None` when there is no such file.
pub(super) fn system_of(path: &Path) -> Option<[u8; DIGEST]> {
    let mut bytes = [0; layout::HEADER];
    io::Read::read_exact(&mut File::open(path).ok()?, &mut bytes).ok()?;
    Some(layout::Header::read(&bytes)?.system)
}

/// Writes a file so that its name always stands for a whole one: a temporary file beside it, synced, then renamed.
pub(super) fn write_atomically(path: &Path, parts: &[&[u8]]) -> Result<(), ProveError> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let directory = path.parent().unwrap_or(Path::new("."));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = directory.join(format!(".{name}.{}.{number}", std::process::id()));
    let write = || {
        let mut file = File::create_new(&temporary)?;
        for part in parts {
            file.write_all(part)?;
        }
        file.sync_all()?;
        fs::rename(&temporary, path)?;
        File::open(directory)?.sync_all()
    };
    write().map_err(|source| {
        // What is left of a failed write is of no use to anybody; if it cannot be removed either, it does no harm.
        let _ = fs::remove_file(&temporary);
        ProveError::Io { path: path.to_owned(), source }
    })
}

#[cfg(test)]
mod tests;
