//! Proving key files: `NGPK`, a version byte (1), the digest of the verifying key, the digest of the constraint
//! system, the key as arkworks writes it uncompressed, and the SHA-256 of all that.
//!
//! The last digest guards against accidents, so the points need no check of their own: they are read as they are. A
//! file that somebody altered on purpose makes proofs that do not verify and are never let out.

use super::Entry;
use crate::ProveError;
use ark_bn254::Bn254;
use ark_groth16::ProvingKey;
use ark_serialize::{CanonicalDeserialize, CanonicalSerialize};
use nightingale_verifier::KeyDigest;
use sha2::{Digest, Sha256};
use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

const MAGIC: [u8; 5] = *b"NGPK\x01";
const DIGEST: usize = 32;
const HEADER: usize = MAGIC.len() + 2 * DIGEST;

/// Where an entry's proving key is.
pub(super) fn path(directory: &Path, entry: &Entry) -> PathBuf {
    directory.join(format!("{}.{}.pk", entry.class.name(), entry.digest))
}

/// Writes a proving key.
pub(super) fn write(
    path: &Path,
    key: &ProvingKey<Bn254>,
    digest: KeyDigest,
    system: &[u8; DIGEST],
) -> Result<(), ProveError> {
    let mut bytes = Vec::with_capacity(HEADER + key.uncompressed_size() + DIGEST);
    bytes.extend([&MAGIC[..], &digest.0, system].concat());
    key.serialize_uncompressed(&mut bytes).map_err(|e| ProveError::Bug(format!("a proving key: {e}")))?;
    let sum = Sha256::digest(&bytes);
    write_atomically(path, &[&bytes, &sum])
}

/// Reads a proving key for this verifying key and constraint system.
pub(super) fn read(
    path: &Path,
    digest: KeyDigest,
    system: &[u8; DIGEST],
) -> Result<ProvingKey<Bn254>, ProveError> {
    let io = |source| ProveError::Io { path: path.to_owned(), source };
    let bytes = fs::read(path).map_err(io)?;
    let corrupt = |problem: &str| ProveError::Corrupt { path: path.to_owned(), problem: problem.to_owned() };
    let replace = "remove it to have a development key made anew, or restore it from its source";
    let header = bytes.get(..HEADER).filter(|header| header.starts_with(&MAGIC));
    let Some(header) = header else {
        return Err(corrupt(&format!("is not a proving key file, or is cut off; {replace}")));
    };
    let content =
        bytes.split_last_chunk::<DIGEST>().filter(|(content, sum)| Sha256::digest(content)[..] == sum[..]);
    let Some((content, _)) = content else {
        return Err(corrupt(&format!("is corrupt: its digest is not that of its content; {replace}")));
    };
    let (named, for_system) = header[MAGIC.len()..].split_at(DIGEST);
    if named != digest.0 {
        return Err(corrupt(
            "belongs to another verifying key than its name says; restore it from its source",
        ));
    }
    if for_system != system {
        return Err(corrupt(
            "is for another version of the statement's circuit; make or import a key for this version",
        ));
    }
    let mut body = content.get(HEADER..).unwrap_or_default();
    let key = ProvingKey::deserialize_uncompressed_unchecked(&mut body)
        .map_err(|e| corrupt(&format!("cannot be read ({e}); {replace}")))?;
    if body.is_empty() { Ok(key) } else { Err(corrupt(&format!("has bytes after the key; {replace}"))) }
}

/// The constraint system that a proving key file says it is for; `None` when there is no such file.
pub(super) fn system_of(path: &Path) -> Option<[u8; DIGEST]> {
    let mut header = [0; HEADER];
    io::Read::read_exact(&mut File::open(path).ok()?, &mut header).ok()?;
    header.strip_prefix(&MAGIC)?.last_chunk::<DIGEST>().copied()
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
