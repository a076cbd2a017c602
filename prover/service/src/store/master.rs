//! The key above all keys, behind a trait: what wraps the tenants' data keys, and is all that has to be kept apart from a backup.
//!
//! [`file::FileMaster`] holds it in a file, [`command::CommandMaster`] leaves it to a key management service that a program of the
//! operator's speaks to. Neither sees a record: only data keys pass here.

pub mod command;
pub mod file;
pub mod source;

use crate::jobs::Tenant;
use sha2::{Digest, Sha256};
use std::fmt;
use zeroize::Zeroizing;

/// Bytes of a data key.
pub const KEY_BYTES: usize = 32;

/// Tells one master key from another without showing it: `file:` and a fingerprint, or `kms:` and the service's name for it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KeyId(String);

impl KeyId {
    /// From its text; `None` for what no master key is called.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let name = text.strip_prefix("file:").or_else(|| text.strip_prefix("kms:"))?;
        let usable = (1..=512).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_graphic());
        usable.then(|| Self(text.to_owned()))
    }

    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What a key management service calls it, where it is one's.
    #[must_use]
    pub fn of_service(&self) -> Option<&str> {
        self.0.strip_prefix("kms:")
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a master key did not wrap or unwrap.
#[derive(Debug, thiserror::Error)]
pub enum MasterError {
    /// It was wrapped by another key, for something else, or is damaged.
    #[error("a wrapped data key does not open with master key {0}: it was wrapped by another, or is damaged")]
    Foreign(KeyId),
    /// The service that holds it does not answer; it may later.
    #[error("the key service does not answer: {0}")]
    Unavailable(String),
}

/// Wraps and unwraps data keys. Calls block: a service may be far away.
///
/// What is wrapped is authenticated: [`MasterKeys::unwrap`] gives back exactly what was wrapped, or an error.
pub trait MasterKeys: Send + Sync {
    /// Which key it is. Constant.
    fn id(&self) -> &KeyId;

    /// Encrypts and authenticates.
    ///
    /// # Errors
    /// The key cannot be used now.
    fn wrap(&self, plain: &[u8]) -> Result<Vec<u8>, MasterError>;

    /// Opens what [`MasterKeys::wrap`] gave.
    ///
    /// # Errors
    /// It is not of this key or damaged; the key cannot be used now.
    fn unwrap(&self, wrapped: &[u8]) -> Result<Zeroizing<Vec<u8>>, MasterError>;
}

/// Bytes that are wrapped: a data key and what it is for.
const PLAIN: usize = KEY_BYTES + 32;

/// What a data key is for, wrapped together with it: a row that is moved to another tenant does not open there, whatever the master key
/// is, so that no value is ever sealed under a key that its tenant's erasure does not destroy.
fn purpose(tenant: &Tenant, version: u32) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(b"nightingale data key 1");
    hash.update(version.to_be_bytes());
    hash.update(tenant.as_str().as_bytes());
    hash.finalize().into()
}

/// Wraps a tenant's data key.
///
/// # Errors
/// The master key cannot be used now.
pub fn wrap(
    master: &dyn MasterKeys,
    tenant: &Tenant,
    version: u32,
    key: &[u8; KEY_BYTES],
) -> Result<Vec<u8>, MasterError> {
    let mut plain = Zeroizing::new(Vec::with_capacity(PLAIN));
    plain.extend_from_slice(key);
    plain.extend_from_slice(&purpose(tenant, version));
    master.wrap(&plain)
}

/// Unwraps a tenant's data key.
///
/// # Errors
/// It is another tenant's or version's, of another master key, or damaged; the master key cannot be used now.
pub fn unwrap(
    master: &dyn MasterKeys,
    tenant: &Tenant,
    version: u32,
    wrapped: &[u8],
) -> Result<Zeroizing<[u8; KEY_BYTES]>, MasterError> {
    let foreign = || MasterError::Foreign(master.id().clone());
    let plain = master.unwrap(wrapped)?;
    let (key, bound) = plain.split_first_chunk::<KEY_BYTES>().ok_or_else(foreign)?;
    if bound != purpose(tenant, version) {
        return Err(foreign());
    }
    Ok(Zeroizing::new(*key))
}

#[cfg(test)]
mod tests {
    use super::*;

    type Outcome = Result<(), Box<dyn std::error::Error>>;

    #[test]
    fn a_data_key_opens_only_as_the_tenants_and_version_that_it_was_wrapped_for() -> Outcome {
        let master = file::FileMaster::of([7; KEY_BYTES]);
        let tenant = |name| Tenant::new(name).ok_or("a name");
        let (mine, other) = (tenant("mine")?, tenant("other")?);
        let wrapped = wrap(&master, &mine, 1, &[5; KEY_BYTES])?;
        assert_eq!(*unwrap(&master, &mine, 1, &wrapped)?, [5; KEY_BYTES]);
        assert!(unwrap(&master, &other, 1, &wrapped).is_err(), "another tenant");
        assert!(unwrap(&master, &mine, 2, &wrapped).is_err(), "another version");
        assert!(unwrap(&file::FileMaster::of([8; KEY_BYTES]), &mine, 1, &wrapped).is_err(), "another master");
        for place in 0..wrapped.len() {
            let mut damaged = wrapped.clone();
            if let Some(byte) = damaged.get_mut(place) {
                *byte ^= 1;
            }
            assert!(unwrap(&master, &mine, 1, &damaged).is_err(), "byte {place}");
        }
        Ok(())
    }

    #[test]
    fn names_of_keys_are_one_line_of_print() {
        for text in ["file:00", "kms:projects/p/keys/k/1"] {
            assert!(KeyId::parse(text).is_some(), "{text}");
        }
        for text in ["", "file:", "kms:a b", "vault:x", "kms:a\nb"] {
            assert!(KeyId::parse(text).is_none(), "{text:?}");
        }
    }
}
