//! The sponsor's signatures: of the dataset's digest, and of each version of the consents with all versions before it.
//!
//! The tables' digests name the sponsor, so that no proof about them fits a copy that somebody else signs. Whoever relies on an answer names the
//! sponsor ([`super::Expectation::sponsor`]) or compares the table's digest and newest consents with the registry on-chain.
//!
//! ECDSA on secp256k1 over EIP-712 in the domain (name `Nightingale`, version `1`), so that a wallet can sign and the sponsor is an
//! address. The types are `Registration(bytes32 dataset)` and `Consents(bytes32 dataset,bytes32 table,uint256 version,bytes32 commitments)`, the
//! last being the Keccak of the commitments of version 0 to this one, two words each.

use super::dataset::{Dataset, TableRecord};
use crate::{VerifyError, encoding::from_hex};
use k256::ecdsa::{self, RecoveryId, VerifyingKey};
use nightingale_circuits::{
    claim::Address,
    cohort::{
        Keccak,
        digest::{Words, keccak},
    },
};

/// A signature in the 64 bytes of EIP-2098: `r`, then `s` with the parity in its top bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signature(pub [u8; 64]);

impl Signature {
    /// `0x` and 128 hexadecimal digits.
    #[must_use]
    pub fn to_hex(&self) -> String {
        format!("0x{}", hex::encode(self.0))
    }

    /// Reads what [`Signature::to_hex`] writes.
    ///
    /// # Errors
    /// Another spelling.
    pub fn from_hex(text: &str, element: &str) -> Result<Self, VerifyError> {
        from_hex(text, element).map(Self)
    }

    /// Who signed this digest; `None` for what is no signature. The form leaves no room for a second one with `n - s`.
    #[must_use]
    pub fn signer(&self, digest: &Keccak) -> Option<Address> {
        let mut bytes = self.0;
        let top = bytes.get_mut(32)?;
        let odd = *top & 0x80 != 0;
        *top &= 0x7f;
        let signature = ecdsa::Signature::from_slice(&bytes).ok()?;
        let key = VerifyingKey::recover_from_prehash(digest, &signature, RecoveryId::new(odd, false)).ok()?;
        let point = key.to_encoded_point(false);
        let (_, coordinates) = point.as_bytes().split_first()?;
        let digest = keccak(coordinates);
        let (_, address) = digest.split_last_chunk::<20>()?;
        Some(Address(*address))
    }
}

/// EIP-712: the digest to sign of a structure's hash.
fn typed(structure: &Keccak) -> Keccak {
    let domain = Words::of("EIP712Domain(string name,string version)")
        .digest(&keccak(b"Nightingale"))
        .digest(&keccak(b"1"))
        .finish();
    keccak(&[&[0x19, 0x01], domain.as_slice(), structure.as_slice()].concat())
}

/// What a sponsor signs to register a dataset.
#[must_use]
pub fn registration_message(dataset: &Keccak) -> Keccak {
    typed(&Words::of("Registration(bytes32 dataset)").digest(dataset).finish())
}

/// What a sponsor signs for a version of a table's consents; `None` for a version that is not there.
#[must_use]
pub fn consent_message(dataset: &Keccak, table: &TableRecord, version: usize) -> Option<Keccak> {
    consent_messages(dataset, table).nth(version)
}

/// The same for each version of a table's consents in turn, each commitment being hashed once.
fn consent_messages(dataset: &Keccak, table: &TableRecord) -> impl Iterator<Item = Keccak> {
    let start = Words::of("Consents(bytes32 dataset,bytes32 table,uint256 version,bytes32 commitments)")
        .digest(dataset)
        .digest(table.digest());
    let versions = table.consents.iter().scan(Words::empty(), |commitments, consent| {
        *commitments = commitments.clone().words(&consent.commitment.words());
        Some(commitments.clone().finish())
    });
    (0..).zip(versions).map(move |(version, commitments)| {
        typed(&start.clone().number(version).digest(&commitments).finish())
    })
}

impl Dataset {
    /// That an account is the sponsor whom the tables name, the only one who may sign.
    ///
    /// # Errors
    /// They name another, or nobody.
    pub fn require_sponsor(&self, account: Address) -> Result<(), VerifyError> {
        match self.sponsor {
            Some(sponsor) if sponsor.address == account => Ok(()),
            Some(sponsor) => Err(another(sponsor.address, account)),
            None => Err(VerifyError::Context {
                what: "sponsor",
                expected: "nobody: the tables were registered without one, so register them again".to_owned(),
                found: text(account),
            }),
        }
    }

    /// Signs what the sponsor has not signed yet: the dataset, and versions of the consents. `sign` is given digests.
    ///
    /// # Errors
    /// The tables name another sponsor, or nobody; whatever `sign` fails with.
    pub fn sign<E: From<VerifyError>>(
        &mut self,
        sponsor: Address,
        sign: &mut dyn FnMut(&Keccak) -> Result<Signature, E>,
    ) -> Result<(), E> {
        self.require_sponsor(sponsor)?;
        let digest = *self.digest();
        if let Some(registered) = &mut self.sponsor
            && registered.signature.is_none()
        {
            registered.signature = Some(sign(&registration_message(&digest))?);
        }
        for table in self.tables_mut() {
            let messages: Vec<Keccak> = consent_messages(&digest, table).collect();
            for (consent, message) in table.consents.iter_mut().zip(&messages) {
                if consent.signature.is_none() {
                    consent.signature = Some(sign(message)?);
                }
            }
        }
        Ok(())
    }
}

/// Verifies all signatures of a dataset: that they are of the sponsor whom the tables name, and that this is who the reader expects. Returns the
/// sponsor; `None` for tables that name nobody, where nobody is expected.
///
/// # Errors
/// A signature that is missing or not the sponsor's; signatures where no table names a sponsor; another sponsor.
pub fn verify_sponsor(dataset: &Dataset, expected: Option<Address>) -> Result<Option<Address>, VerifyError> {
    let Some(sponsor) = dataset.sponsor() else {
        let mut consents = dataset.tables().iter().flat_map(|table| &table.consents);
        if consents.any(|consent| consent.signature.is_some()) {
            return Err(VerifyError::malformed(
                "consent.signature",
                "is nobody's: the dataset has no sponsor, so its consents have no signatures",
            ));
        }
        return match expected {
            None => Ok(None),
            Some(expected) => Err(VerifyError::Context {
                what: "sponsor",
                expected: text(expected),
                found: "nobody: the dataset is not signed".to_owned(),
            }),
        };
    };
    if let Some(expected) = expected
        && expected != sponsor.address
    {
        return Err(another(expected, sponsor.address));
    }
    let is_theirs = |message: &Keccak, signature: Option<Signature>| {
        signature.is_some_and(|signature| signature.signer(message) == Some(sponsor.address))
    };
    if !is_theirs(&registration_message(dataset.digest()), sponsor.signature) {
        return Err(VerifyError::malformed(
            "sponsor.signature",
            "is missing or not the sponsor's for this dataset: get the dataset file from them again",
        ));
    }
    for table in dataset.tables() {
        let messages = consent_messages(dataset.digest(), table);
        for ((version, consent), message) in table.consents.iter().enumerate().zip(messages) {
            if !is_theirs(&message, consent.signature) {
                return Err(VerifyError::Cohort(format!(
                    "consent version {version} of {} is not signed by the sponsor {}: get the dataset file from them again",
                    table.name(),
                    text(sponsor.address)
                )));
            }
        }
    }
    Ok(Some(sponsor.address))
}

fn another(expected: Address, found: Address) -> VerifyError {
    VerifyError::Context { what: "sponsor", expected: text(expected), found: text(found) }
}

fn text(address: Address) -> String {
    format!("0x{}", hex::encode(address.0))
}
