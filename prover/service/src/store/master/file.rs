//! A master key in a file: 32 random bytes that only the file's owner may read.

use super::{KEY_BYTES, KeyId, MasterError, MasterKeys};
use crate::error::ServiceError;
use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use sha2::{Digest, Sha256};
use std::{
    fs,
    io::Write,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::Path,
};
use zeroize::Zeroizing;

/// How a file's name ends that is not yet a key's.
pub(super) const DRAFT: &str = ".draft";
const NONCE_BYTES: usize = 24;
/// Separates the wrapping key from what earlier releases derived from the same file.
const WRAPPING: &str = "nightingale 2026-11-28 master key: wraps data keys";

/// The key of a file. No `Debug`.
pub struct FileMaster {
    key: Zeroizing<[u8; KEY_BYTES]>,
    id: KeyId,
}

impl FileMaster {
    /// From its bytes.
    #[must_use]
    pub fn of(key: [u8; KEY_BYTES]) -> Self {
        let key = Zeroizing::new(key);
        let id = KeyId(format!("file:{}", hex::encode(fingerprint(&key))));
        Self { key, id }
    }

    /// Reads a key file; `None` when there is none.
    ///
    /// # Errors
    /// A file that is unreadable, of the wrong length, or open to others than its owner.
    pub fn read(path: &Path) -> Result<Option<Self>, ServiceError> {
        let trouble = |problem: String| ServiceError::Path { path: path.to_owned(), problem };
        let found = match fs::metadata(path) {
            Ok(found) => found,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(trouble(format!("cannot be read: {error}"))),
        };
        let mode = found.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(trouble(format!("has mode {mode:o}; only its owner may read it: chmod 600")));
        }
        let bytes = Zeroizing::new(fs::read(path).map_err(|e| trouble(format!("cannot be read: {e}")))?);
        let key: &[u8; KEY_BYTES] = bytes
            .as_slice()
            .try_into()
            .map_err(|_| trouble(format!("has {} bytes, not 32; restore it from a backup", bytes.len())))?;
        Ok(Some(Self::of(*key)))
    }

    /// Makes a new key and writes it, synced, to a file that is not there yet: all of it or nothing.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn create(path: &Path) -> Result<Self, ServiceError> {
        let key = Zeroizing::new(rand::random::<[u8; KEY_BYTES]>());
        write_new(path, key.as_slice()).map_err(|error| ServiceError::Path {
            path: path.to_owned(),
            problem: format!("cannot be written: {error}"),
        })?;
        Ok(Self::of(*key))
    }

    /// Its fingerprint, under which databases of the releases before data keys know it.
    #[must_use]
    pub fn fingerprint(&self) -> [u8; 32] {
        fingerprint(&self.key)
    }

    /// The key of a tenant in databases of the releases before data keys: `SHA-256("nightingale tenant key 1", master, tenant)`. It is wrapped
    /// as the tenant's first data key when such a database is opened, and never derived again.
    pub(crate) fn derived(&self, tenant: &str) -> Zeroizing<[u8; KEY_BYTES]> {
        let mut hash = Sha256::new();
        hash.update(b"nightingale tenant key 1");
        hash.update(self.key.as_slice());
        hash.update(tenant.as_bytes());
        Zeroizing::new(hash.finalize().into())
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        let key = Zeroizing::new(blake3::derive_key(WRAPPING, self.key.as_slice()));
        XChaCha20Poly1305::new(&(*key).into())
    }
}

fn fingerprint(key: &[u8; KEY_BYTES]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(b"nightingale master fingerprint 1");
    hash.update(key.as_slice());
    hash.finalize().into()
}

impl MasterKeys for FileMaster {
    fn id(&self) -> &KeyId {
        &self.id
    }

    fn wrap(&self, plain: &[u8]) -> Result<Vec<u8>, MasterError> {
        let nonce: [u8; NONCE_BYTES] = rand::random();
        let payload = Payload { msg: plain, aad: self.id.as_str().as_bytes() };
        let sealed = self.cipher().encrypt(&XNonce::from(nonce), payload);
        let sealed = sealed.map_err(|_| MasterError::Foreign(self.id.clone()))?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    fn unwrap(&self, wrapped: &[u8]) -> Result<Zeroizing<Vec<u8>>, MasterError> {
        let foreign = || MasterError::Foreign(self.id.clone());
        let (nonce, body) = wrapped.split_first_chunk::<NONCE_BYTES>().ok_or_else(foreign)?;
        let payload = Payload { msg: body, aad: self.id.as_str().as_bytes() };
        let plain = self.cipher().decrypt(&XNonce::from(*nonce), payload);
        plain.map(Zeroizing::new).map_err(|_| foreign())
    }
}

/// Writes, syncs and names a file, so that a crash leaves all of it or nothing.
fn write_new(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let draft = path.with_extension(format!("{:016x}{DRAFT}", rand::random::<u64>()));
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    // Where two processes make the first key at once, one of them is the key, and the other reads it.
    match fs::hard_link(&draft, path) {
        Ok(()) => fs::remove_file(&draft)?,
        Err(error) => {
            fs::remove_file(&draft)?;
            return Err(error);
        }
    }
    sync_folder(path)
}

/// Makes a rename or removal in the file's folder last.
pub(super) fn sync_folder(path: &Path) -> std::io::Result<()> {
    fs::File::open(folder_of(path))?.sync_all()
}

/// The folder of a file.
pub(super) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    type Outcome = Result<(), Box<dyn std::error::Error>>;

    #[test]
    fn the_master_key_is_kept_and_private() -> Outcome {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("master.key");
        assert!(FileMaster::read(&path)?.is_none());
        let first = FileMaster::create(&path)?;
        assert_eq!(fs::metadata(&path)?.permissions().mode() & 0o777, 0o600);
        assert!(FileMaster::create(&path).is_err(), "a key is never overwritten");
        let read = FileMaster::read(&path)?.ok_or("no key")?;
        assert_eq!(read.id(), first.id());
        assert!(!read.id().as_str().contains(&hex::encode(fs::read(&path)?)), "the name shows the key");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644))?;
        assert!(FileMaster::read(&path).is_err(), "readable by others");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        fs::write(&path, b"short")?;
        assert!(FileMaster::read(&path).is_err(), "too short");
        Ok(())
    }
}
