//! The one seam through which witnesses and results pass on their way to the disk: XChaCha20-Poly1305 under a key per
//! tenant, bound to the tenant, the job and what the value is.

use crate::{
    error::{ServiceError, StoreError},
    jobs::{JobId, Tenant},
};
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

const NONCE_BYTES: usize = 24;

/// What a sealed value is; part of what it is bound to.
#[derive(Clone, Copy)]
pub enum Kind {
    /// A request.
    Witness,
    /// A decision.
    Result,
    /// An account.
    Account,
}

impl Kind {
    const fn label(self) -> &'static [u8] {
        match self {
            Self::Witness => b"witness",
            Self::Result => b"result",
            Self::Account => b"account",
        }
    }
}

/// The key under the keys of all tenants: 32 random bytes in a file that only its owner may read. No `Debug`.
pub struct MasterKey(Zeroizing<[u8; 32]>);

impl MasterKey {
    /// Reads the key file, or creates it where `may_create`.
    ///
    /// # Errors
    /// A key file that is unreadable, of the wrong length, open to others, or missing beside an existing database.
    pub fn open(path: &Path, may_create: bool) -> Result<Self, ServiceError> {
        let trouble = |problem: String| ServiceError::Path { path: path.to_owned(), problem };
        match fs::metadata(path) {
            Ok(found) => {
                let mode = found.permissions().mode() & 0o777;
                if mode & 0o077 != 0 {
                    return Err(trouble(format!("has mode {mode:o}; only its owner may read it: chmod 600")));
                }
                let bytes =
                    Zeroizing::new(fs::read(path).map_err(|e| trouble(format!("cannot be read: {e}")))?);
                let key: [u8; 32] = bytes.as_slice().try_into().map_err(|_| {
                    trouble(format!("has {} bytes, not 32; restore it from a backup", bytes.len()))
                })?;
                Ok(Self(Zeroizing::new(key)))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && may_create => {
                let key = Zeroizing::new(rand::random::<[u8; 32]>());
                write_new(path, key.as_slice()).map_err(|e| trouble(format!("cannot be written: {e}")))?;
                Ok(Self(key))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Err(trouble("is missing beside an existing database; restore it from a backup".into()))
            }
            Err(error) => Err(trouble(format!("cannot be read: {error}"))),
        }
    }

    /// A tenant's key: `SHA-256("nightingale tenant key 1", master, tenant)`.
    #[must_use]
    pub fn tenant(&self, tenant: &Tenant) -> Seal {
        let mut hash = Sha256::new();
        hash.update(b"nightingale tenant key 1");
        hash.update(self.0.as_slice());
        hash.update(tenant.as_str().as_bytes());
        Seal { key: Zeroizing::new(hash.finalize().into()), tenant: tenant.clone() }
    }

    /// Tells one master key from another without showing it.
    #[must_use]
    pub fn fingerprint(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(b"nightingale master fingerprint 1");
        hash.update(self.0.as_slice());
        hash.finalize().into()
    }
}

/// Writes, syncs and names a file that must not exist, so that a crash leaves all of it or nothing.
fn write_new(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let draft = path.with_extension("draft");
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&draft, path)?;
    if let Some(folder) = path.parent() {
        fs::File::open(folder)?.sync_all()?;
    }
    Ok(())
}

/// Seals and opens one tenant's values. No `Debug`.
pub struct Seal {
    key: Zeroizing<[u8; 32]>,
    tenant: Tenant,
}

impl Seal {
    /// Seals a value of job `id`: a random nonce and the ciphertext.
    ///
    /// # Errors
    /// A value beyond the cipher's 256 GiB.
    pub fn seal(&self, kind: Kind, id: &JobId, plain: &[u8]) -> Result<Vec<u8>, StoreError> {
        let nonce: [u8; NONCE_BYTES] = rand::random();
        let bound = self.bound(kind, id);
        let sealed = self
            .cipher()
            .encrypt(&XNonce::from(nonce), Payload { msg: plain, aad: &bound })
            .map_err(|_| StoreError::Sealed)?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    /// Opens a value of job `id`.
    ///
    /// # Errors
    /// [`StoreError::Sealed`] when it was sealed for anything else, with another key, or is damaged.
    pub fn open(&self, kind: Kind, id: &JobId, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, StoreError> {
        let (nonce, body) = sealed.split_first_chunk::<NONCE_BYTES>().ok_or(StoreError::Sealed)?;
        let bound = self.bound(kind, id);
        let plain = self.cipher().decrypt(&XNonce::from(*nonce), Payload { msg: body, aad: &bound });
        plain.map(Zeroizing::new).map_err(|_| StoreError::Sealed)
    }

    /// A digest that says nothing to whoever lacks the key: for looking things up without storing them.
    #[must_use]
    pub fn digest(&self, label: &str, parts: &[&[u8]]) -> [u8; 32] {
        let mut inner = Sha256::new();
        inner.update(self.key.as_slice());
        for part in [label.as_bytes()].iter().chain(parts) {
            inner.update((part.len() as u64).to_le_bytes());
            inner.update(part);
        }
        let mut outer = Sha256::new();
        outer.update(self.key.as_slice());
        outer.update(inner.finalize());
        outer.finalize().into()
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&(*self.key).into())
    }

    /// What a value is bound to: its kind, the job and the tenant, the only part of variable length last.
    fn bound(&self, kind: Kind, id: &JobId) -> Vec<u8> {
        [kind.label(), b"\0", id.0.as_slice(), self.tenant.as_str().as_bytes()].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Outcome = Result<(), Box<dyn std::error::Error>>;

    fn tenant(name: &str) -> Result<Tenant, StoreError> {
        Tenant::new(name).ok_or(StoreError::Sealed)
    }

    #[test]
    fn a_sealed_value_opens_only_as_what_it_was_sealed_for() -> Outcome {
        let folder = tempfile::tempdir()?;
        let master = MasterKey::open(&folder.path().join("master.key"), true)?;
        let (mine, other) = (master.tenant(&tenant("mine")?), master.tenant(&tenant("other")?));
        let (id, another) = (JobId::random(), JobId::random());
        let sealed = mine.seal(Kind::Witness, &id, b"a secret")?;
        assert_eq!(mine.open(Kind::Witness, &id, &sealed)?.as_slice(), b"a secret");
        assert!(!sealed.windows(8).any(|w| w == b"a secret"));
        assert!(mine.open(Kind::Result, &id, &sealed).is_err());
        assert!(mine.open(Kind::Witness, &another, &sealed).is_err());
        assert!(other.open(Kind::Witness, &id, &sealed).is_err());
        for place in 0..sealed.len() {
            let mut damaged = sealed.clone();
            if let Some(byte) = damaged.get_mut(place) {
                *byte ^= 1;
            }
            assert!(mine.open(Kind::Witness, &id, &damaged).is_err(), "byte {place}");
        }
        assert!(mine.open(Kind::Witness, &id, &[]).is_err());
        Ok(())
    }

    #[test]
    fn the_master_key_is_kept_and_private() -> Outcome {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("master.key");
        assert!(MasterKey::open(&path, false).is_err(), "created beside an existing database");
        let first = MasterKey::open(&path, true)?.fingerprint();
        assert_eq!(fs::metadata(&path)?.permissions().mode() & 0o777, 0o600);
        assert_eq!(MasterKey::open(&path, true)?.fingerprint(), first);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644))?;
        assert!(MasterKey::open(&path, true).is_err(), "readable by others");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        fs::write(&path, b"short")?;
        assert!(MasterKey::open(&path, true).is_err(), "too short");
        Ok(())
    }

    #[test]
    fn digests_keep_their_parts_apart() -> Outcome {
        let folder = tempfile::tempdir()?;
        let seal = MasterKey::open(&folder.path().join("master.key"), true)?.tenant(&tenant("t")?);
        assert_ne!(seal.digest("a", &[b"bc", b"d"]), seal.digest("a", &[b"b", b"cd"]));
        assert_ne!(seal.digest("a", &[b"b"]), seal.digest("b", &[b"b"]));
        Ok(())
    }
}
