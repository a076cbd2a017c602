//! Domain tags: the first input of every hash that is not a Merkle node. One tag, one use.
//!
//! A node has exactly four inputs and no tag. It cannot be taken for anything else: paths have a fixed depth per
//! register, and every other hash starts with one of these small numbers, of which nobody knows a preimage that
//! is also a node.

/// The domain of one hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Tag {
    /// A string identifier folded to 96 bits.
    Id = 1,
    /// Enrolment register leaf.
    Enrolment = 2,
    /// Provider register leaf.
    Provider = 3,
    /// Prior-authorisation register leaf.
    Authorisation = 4,
    /// Policy row register leaf.
    PolicyRow = 5,
    /// Diagnosis group register leaf.
    DiagnosisGroup = 6,
    /// Account register leaf.
    Account = 7,
    /// Consent register leaf.
    Consent = 8,
    /// An account's note.
    Note = 9,
    /// An account version's spend tag.
    Spend = 10,
    /// Hash of the member's nullifier key.
    NullifierKey = 11,
    /// Nullifier of an allowed line.
    Nullifier = 12,
    /// Tag of a used prior authorisation.
    AuthorisationUse = 13,
    /// A claim's lines.
    Lines = 14,
    /// A claim.
    Claim = 15,
    /// Decision and reasons.
    Outcome = 16,
    /// A payer's epoch.
    Epoch = 17,
    /// Key of a consent in its register.
    ConsentKey = 18,
}

impl From<Tag> for crate::Fr {
    fn from(tag: Tag) -> Self {
        Self::from(tag as u64)
    }
}
