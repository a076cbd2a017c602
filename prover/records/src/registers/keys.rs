//! Members' nullifier keys: given one by one, or derived from the custodian's master key.

use super::document::CustodianDocument;
use crate::{
    RecordsError,
    notation::{Notation, id},
};
use nightingale_circuits::{
    claim::{Id, account::Secret},
    field,
};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use zeroize::Zeroizing;

/// The first bytes of every derivation.
const DOMAIN: &[u8] = b"nightingale.nullifier-key.v1";

/// The custodian's keys.
#[derive(Clone)]
pub(super) struct MemberKeys {
    master: Option<Secret>,
    given: BTreeMap<Id, Secret>,
}

impl MemberKeys {
    pub(super) fn read(document: &CustodianDocument) -> Result<Self, RecordsError> {
        let mut given = BTreeMap::new();
        for (i, member) in document.members.iter().enumerate() {
            let element = format!("custodian.members[{i}].member");
            let number = id(&member.member)
                .ok_or_else(|| RecordsError::format(&*element, format!("expected {}", Id::EXPECTED)))?;
            if given.insert(number, member.nk.0.clone()).is_some() {
                return Err(RecordsError::format(element, "has two keys; keep one"));
            }
        }
        Ok(Self { master: document.master_key.as_ref().map(|key| key.0.clone()), given })
    }

    /// The key of a member, `None` when the custodian does not hold it.
    pub(super) fn of(&self, member: Id) -> Option<Secret> {
        self.given.get(&member).cloned().or_else(|| self.master.as_ref().map(|master| derive(master, member)))
    }
}

/// The first 31 bytes, read as a big-endian number, of
/// `SHA-256(DOMAIN | master key, 32 bytes | member number, 16 bytes)`, both big-endian.
fn derive(master: &Secret, member: Id) -> Secret {
    let key = Zeroizing::new(field::to_be_bytes(&master.expose()));
    let digest = Sha256::new().chain_update(DOMAIN).chain_update(key.as_slice());
    let digest: [u8; 32] = digest.chain_update(member.number().to_be_bytes()).finalize().into();
    let mut bytes = Zeroizing::new([0; 32]);
    bytes[1..].copy_from_slice(&Zeroizing::new(digest)[..31]);
    // 248 bits are always below the modulus.
    Secret::new(field::from_be_bytes(&bytes).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use nightingale_circuits::Fr;

    #[test]
    fn derived_keys_differ_between_members_and_masters() {
        let master = |n: u64| Secret::new(Fr::from(n));
        let (ada, bea) = (Id::from_text("ada"), Id::from_text("bea"));
        let all = [derive(&master(1), ada), derive(&master(1), bea), derive(&master(2), ada)];
        assert!(all[0] != all[1] && all[0] != all[2] && all[1] != all[2]);
        assert!(derive(&master(1), ada) == all[0]);
    }

    /// Computed by Python's hashlib, so that another implementation can check itself.
    #[test]
    fn the_derivation_has_a_published_vector() {
        let one = Secret::new(Fr::from(1u64));
        let member = Id::new(2).map(|member| derive(&one, member).expose().write());
        assert_eq!(member.as_deref(), Ok(VECTOR));
    }

    const VECTOR: &str = "0x00c2b6495225fe6b9335e787f6cdd6f67bb6010af30fe42224ef6920b1512034";
}
