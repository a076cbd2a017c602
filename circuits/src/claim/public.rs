//! The public inputs, in the order in which every verifier takes them.

use super::types::{DATE_BITS, Date, TOTAL_MONEY_BITS};
use crate::{
    Fr,
    field::{low_u128, pack},
};

/// The statement's version, part of `packed`.
pub const STATEMENT_VERSION: u8 = 1;
/// Public inputs before the nullifiers.
pub const FIXED_INPUTS: usize = 10;

/// A claim proof's public inputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicInputs {
    /// The payer's epoch: its policy, diagnosis, enrolment, provider and authorisation registers, and the venue.
    pub epoch_root: Fr,
    /// The consent authority's register.
    pub consent_root: Fr,
    /// The payer's account register.
    pub account_root: Fr,
    /// The provider's claim.
    pub claim_commitment: Fr,
    /// The billing provider's settlement address, 0 when it is not enrolled.
    pub payee: Fr,
    /// `payable cents | received day << 40 | statement version << 57`.
    pub packed: Fr,
    /// Decision and reasons, salted.
    pub outcome_commitment: Fr,
    /// The spent account version's tag, 0 in a denial.
    pub spend_tag: Fr,
    /// The account's next note, 0 in a denial.
    pub next_note: Fr,
    /// The used authorisation's tag, 0 where none is used.
    pub authorisation_tag: Fr,
    /// One per line of the size class, 0 where the line is not allowed.
    pub nullifiers: Vec<Fr>,
}

impl PublicInputs {
    /// Packs the amount, the date and [`STATEMENT_VERSION`].
    #[must_use]
    pub fn pack_amount(payable_cents: u64, received: Date) -> Fr {
        pack(&[
            (payable_cents.into(), TOTAL_MONEY_BITS),
            (received.days().into(), DATE_BITS),
            (STATEMENT_VERSION.into(), 8),
        ])
    }

    /// Payable cents, received date and statement version; `None` when `packed` is not of that form.
    #[must_use]
    pub fn unpack_amount(&self) -> Option<(u64, Date, u8)> {
        let bits = low_u128(&self.packed);
        if Fr::from(bits) != self.packed || bits >> (TOTAL_MONEY_BITS + DATE_BITS + 8) != 0 {
            return None;
        }
        let cents = (bits & ((1 << TOTAL_MONEY_BITS) - 1)) as u64;
        let days = (bits >> TOTAL_MONEY_BITS & ((1 << DATE_BITS) - 1)) as u32;
        let version = (bits >> (TOTAL_MONEY_BITS + DATE_BITS)) as u8;
        Some((cents, Date::from_days(days).ok()?, version))
    }

    /// In verifier order.
    #[must_use]
    pub fn to_vec(&self) -> Vec<Fr> {
        let mut all = vec![
            self.epoch_root,
            self.consent_root,
            self.account_root,
            self.claim_commitment,
            self.payee,
            self.packed,
            self.outcome_commitment,
            self.spend_tag,
            self.next_note,
            self.authorisation_tag,
        ];
        all.extend(&self.nullifiers);
        all
    }

    /// From verifier order; `None` when there are fewer than ten.
    #[must_use]
    pub fn from_slice(all: &[Fr]) -> Option<Self> {
        let (fixed, nullifiers) = all.split_first_chunk::<FIXED_INPUTS>()?;
        let [epoch_root, consent_root, account_root, claim_commitment, payee, packed, rest @ ..] = *fixed;
        let [outcome_commitment, spend_tag, next_note, authorisation_tag] = rest;
        Some(Self {
            epoch_root,
            consent_root,
            account_root,
            claim_commitment,
            payee,
            packed,
            outcome_commitment,
            spend_tag,
            next_note,
            authorisation_tag,
            nullifiers: nullifiers.to_vec(),
        })
    }
}
