//! The one seam through which witnesses and results pass on their way to the disk: XChaCha20-Poly1305 under the tenant's newest
//! data key, bound to the tenant, the job, what the value is, and the key's version.
//!
//! A sealed value is `NGS2`, the version (4 bytes, big-endian), a nonce and the ciphertext. Values of the releases before data keys are a
//! nonce and a ciphertext alone; they open under a tenant's first key where that one was derived by such a release.

use crate::{
    error::StoreError,
    jobs::{JobId, Tenant},
    store::master::KEY_BYTES,
};
use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use nightingale_circuits::claim::Id;
use sha2::{Digest, Sha256};
use std::sync::Arc;
use zeroize::Zeroizing;

const NONCE_BYTES: usize = 24;
const MAGIC: [u8; 4] = *b"NGS2";

/// What a sealed value is; part of what it is bound to.
#[derive(Clone, Copy)]
pub enum Kind {
    /// A request.
    Witness,
    /// A decision.
    Result,
    /// An account.
    Account,
    /// A statement about a consent.
    Consent,
    /// What a request to the ledger of consents was answered.
    ConsentRequest,
}

impl Kind {
    const fn label(self) -> &'static [u8] {
        match self {
            Self::Witness => b"witness",
            Self::Result => b"result",
            Self::Account => b"account",
            Self::Consent => b"consent",
            Self::ConsentRequest => b"consent request",
        }
    }
}

/// A data key, opened. No `Debug`; zeroed on drop.
pub(crate) struct DataKey {
    pub(crate) version: u32,
    pub(crate) key: Zeroizing<[u8; KEY_BYTES]>,
    /// Whether a release before data keys derived it, and may have sealed values without a version.
    pub(crate) derived: bool,
}

/// All data keys of a tenant, the first and the newest at the ends. Never empty.
pub(crate) struct TenantKeys {
    tenant: Tenant,
    first: DataKey,
    later: Vec<DataKey>,
}

impl TenantKeys {
    /// From a tenant's keys in the order of their versions; `None` when there is none.
    pub(crate) fn new(tenant: Tenant, mut keys: Vec<DataKey>) -> Option<Self> {
        if keys.is_empty() {
            return None;
        }
        let later = keys.split_off(1);
        keys.pop().map(|first| Self { tenant, first, later })
    }

    /// The newest, under which is sealed.
    pub(crate) fn newest(&self) -> &DataKey {
        self.later.last().unwrap_or(&self.first)
    }

    fn version(&self, version: u32) -> Option<&DataKey> {
        [&self.first].into_iter().chain(&self.later).find(|key| key.version == version)
    }
}

/// Seals and opens one tenant's values. No `Debug`.
#[derive(Clone)]
pub struct Seal {
    keys: Arc<TenantKeys>,
}

impl Seal {
    pub(crate) const fn new(keys: Arc<TenantKeys>) -> Self {
        Self { keys }
    }

    /// The version of the key under which it seals.
    #[must_use]
    pub fn version(&self) -> u32 {
        self.keys.newest().version
    }

    /// Whose values.
    #[must_use]
    pub fn tenant(&self) -> &Tenant {
        &self.keys.tenant
    }

    /// Seals a value of job `id`.
    ///
    /// # Errors
    /// A value beyond the cipher's 256 GiB.
    pub fn seal(&self, kind: Kind, id: &JobId, plain: &[u8]) -> Result<Vec<u8>, StoreError> {
        let key = self.keys.newest();
        let version = key.version.to_be_bytes();
        let nonce: [u8; NONCE_BYTES] = rand::random();
        let bound = [MAGIC.as_slice(), &version, &self.bound(kind, id)].concat();
        let sealed = cipher(&key.key)
            .encrypt(&XNonce::from(nonce), Payload { msg: plain, aad: &bound })
            .map_err(|_| StoreError::Sealed)?;
        Ok([MAGIC.as_slice(), &version, &nonce, &sealed].concat())
    }

    /// Opens a value of job `id`.
    ///
    /// # Errors
    /// [`StoreError::Sealed`] when it was sealed for anything else, with another key, or is damaged.
    pub fn open(&self, kind: Kind, id: &JobId, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, StoreError> {
        let bound = self.bound(kind, id);
        let versioned = sealed.strip_prefix(&MAGIC).and_then(|rest| rest.split_first_chunk::<4>());
        if let Some((version, body)) = versioned
            && let Some(key) = self.keys.version(u32::from_be_bytes(*version))
        {
            let bound = [MAGIC.as_slice(), version, &bound].concat();
            if let Some(plain) = decrypt(&key.key, &bound, body) {
                return Ok(plain);
            }
        }
        // One nonce in 2^32 of an earlier release looks like a version.
        let earlier = Some(&self.keys.first).filter(|key| key.derived);
        earlier.and_then(|key| decrypt(&key.key, &bound, sealed)).ok_or(StoreError::Sealed)
    }

    /// What stands for a member in the audit log.
    #[must_use]
    pub fn member(&self, patient: Id) -> [u8; 32] {
        self.digest("member", &[&patient.number().to_be_bytes()])
    }

    /// A digest that says nothing to whoever lacks the key: for looking things up without storing them. Always under the tenant's first key, so
    /// that a new data key finds what an earlier one stored.
    #[must_use]
    pub fn digest(&self, label: &str, parts: &[&[u8]]) -> [u8; 32] {
        let key = self.keys.first.key.as_slice();
        let mut inner = Sha256::new();
        inner.update(key);
        for part in [label.as_bytes()].iter().chain(parts) {
            inner.update((part.len() as u64).to_le_bytes());
            inner.update(part);
        }
        let mut outer = Sha256::new();
        outer.update(key);
        outer.update(inner.finalize());
        outer.finalize().into()
    }

    /// A key for one file alone, from the data key of this version and the file's own salt; `None` when the tenant has no such version.
    pub(crate) fn file_key(&self, version: u32, salt: &[u8; 32]) -> Option<Zeroizing<[u8; KEY_BYTES]>> {
        let data_key = self.keys.version(version)?;
        let mut hash = blake3::Hasher::new_keyed(&data_key.key);
        hash.update(b"nightingale sealed file 1");
        hash.update(salt);
        Some(Zeroizing::new(hash.finalize().into()))
    }

    /// What a value is bound to: its kind, the job and the tenant, the only part of variable length last.
    fn bound(&self, kind: Kind, id: &JobId) -> Vec<u8> {
        [kind.label(), b"\0", id.0.as_slice(), self.keys.tenant.as_str().as_bytes()].concat()
    }
}

fn cipher(key: &[u8; KEY_BYTES]) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(&(*key).into())
}

fn decrypt(key: &[u8; KEY_BYTES], bound: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (nonce, body) = sealed.split_first_chunk::<NONCE_BYTES>()?;
    let plain = cipher(key).decrypt(&XNonce::from(*nonce), Payload { msg: body, aad: bound });
    plain.map(Zeroizing::new).ok()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    type Outcome = Result<(), Box<dyn std::error::Error>>;

    /// A seal with these keys, the first for version 1.
    pub(crate) fn seal_of(tenant: &str, keys: &[[u8; KEY_BYTES]], derived: bool) -> Result<Seal, StoreError> {
        let tenant = Tenant::new(tenant).ok_or(StoreError::Sealed)?;
        let key = |(version, key): (u32, &[u8; KEY_BYTES])| DataKey {
            version,
            key: Zeroizing::new(*key),
            derived: derived && version == 1,
        };
        let keys = TenantKeys::new(tenant, (1..).zip(keys).map(key).collect()).ok_or(StoreError::Sealed)?;
        Ok(Seal::new(Arc::new(keys)))
    }

    #[test]
    fn a_sealed_value_opens_only_as_what_it_was_sealed_for() -> Outcome {
        let (mine, other) = (seal_of("mine", &[[1; 32]], true)?, seal_of("other", &[[1; 32]], true)?);
        let (id, another) = (JobId::random(), JobId::random());
        let sealed = mine.seal(Kind::Witness, &id, b"a secret")?;
        assert_eq!(mine.open(Kind::Witness, &id, &sealed)?.as_slice(), b"a secret");
        assert!(!sealed.windows(8).any(|w| w == b"a secret"));
        assert!(mine.open(Kind::Result, &id, &sealed).is_err());
        assert!(mine.open(Kind::Witness, &another, &sealed).is_err());
        assert!(other.open(Kind::Witness, &id, &sealed).is_err(), "another tenant, even with the same key");
        assert!(seal_of("mine", &[[2; 32]], true)?.open(Kind::Witness, &id, &sealed).is_err(), "another key");
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
    fn a_new_data_key_seals_and_the_ones_before_it_still_open() -> Outcome {
        let (before, after) = (seal_of("t", &[[1; 32]], false)?, seal_of("t", &[[1; 32], [2; 32]], false)?);
        let id = JobId::random();
        let (old, new) = (before.seal(Kind::Result, &id, b"v")?, after.seal(Kind::Result, &id, b"v")?);
        assert_eq!(after.open(Kind::Result, &id, &old)?.as_slice(), b"v");
        assert_eq!(after.open(Kind::Result, &id, &new)?.as_slice(), b"v");
        assert!(before.open(Kind::Result, &id, &new).is_err(), "sealed under the old key");
        assert_eq!(before.digest("d", &[b"x"]), after.digest("d", &[b"x"]), "what was stored is still found");
        Ok(())
    }

    #[test]
    fn a_value_without_a_version_opens_only_where_an_earlier_release_may_have_sealed_it() -> Outcome {
        let id = JobId::random();
        let nonce = [3; NONCE_BYTES];
        let bound = [b"witness\0".as_slice(), &id.0, b"t"].concat();
        let body = cipher(&[1; 32]).encrypt(&XNonce::from(nonce), Payload { msg: b"old", aad: &bound });
        let sealed = [nonce.as_slice(), &body.map_err(|_| "not sealed")?].concat();
        assert_eq!(seal_of("t", &[[1; 32]], true)?.open(Kind::Witness, &id, &sealed)?.as_slice(), b"old");
        assert!(seal_of("t", &[[1; 32]], false)?.open(Kind::Witness, &id, &sealed).is_err());
        Ok(())
    }

    #[test]
    fn digests_keep_their_parts_apart() -> Outcome {
        let seal = seal_of("t", &[[1; 32]], false)?;
        assert_ne!(seal.digest("a", &[b"bc", b"d"]), seal.digest("a", &[b"b", b"cd"]));
        assert_ne!(seal.digest("a", &[b"b"]), seal.digest("b", &[b"b"]));
        Ok(())
    }
}
