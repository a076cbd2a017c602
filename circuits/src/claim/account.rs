//! A member's balances for a benefit year, held as a note that only the custodian can open.

use super::types::{ID_BITS, Id, TOTAL_MONEY_BITS};
use crate::{Fr, field::pack, poseidon, tag::Tag};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// What is left of the deductible, the out-of-pocket maximum and the benefit maximum, in cents below 2^40.
///
/// A plan without a maximum says `2^40 - 1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Balances {
    /// Deductible still to be met by the member.
    pub deductible: u64,
    /// What the member still pays at most.
    pub out_of_pocket: u64,
    /// What the plan still pays at most.
    pub maximum: u64,
}

impl Balances {
    /// The largest balance.
    pub const MAX: u64 = (1 << TOTAL_MONEY_BITS) - 1;

    /// `deductible | out_of_pocket << 40 | maximum << 80`.
    #[must_use]
    pub fn pack(&self) -> Fr {
        let field = |cents: u64| (u128::from(cents), TOTAL_MONEY_BITS);
        pack(&[field(self.deductible), field(self.out_of_pocket), field(self.maximum)])
    }

    /// Whether all are below 2^40.
    #[must_use]
    pub fn in_range(&self) -> bool {
        [self.deductible, self.out_of_pocket, self.maximum].iter().all(|cents| *cents <= Self::MAX)
    }
}

/// A secret field element: no `Debug`, zeroed on drop.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Secret(Fr);

impl Secret {
    /// Wraps an element. Salts and keys are uniform; 248 random bits are enough.
    #[must_use]
    pub const fn new(x: Fr) -> Self {
        Self(x)
    }

    /// The element, for hashing or for its file format.
    #[must_use]
    pub const fn expose(&self) -> Fr {
        self.0
    }
}

/// Bits of a version.
pub const VERSION_BITS: u32 = 32;
/// Bits of a year's distance from 1901.
pub const YEAR_BITS: u32 = 8;

/// One version of the account of one coverage for one benefit year (a calendar year).
#[derive(Clone)]
pub struct Account {
    /// The benefit year.
    pub year: u32,
    /// 0 for the opening balances, one more with every approved claim.
    pub version: u32,
    /// What is left.
    pub balances: Balances,
    /// The note's salt.
    pub salt: Secret,
}

impl Account {
    /// `version | (year - 1901) << 32`.
    #[must_use]
    pub fn year_and_version(&self) -> Fr {
        pack(&[
            (u128::from(self.version), VERSION_BITS),
            (u128::from(self.year.saturating_sub(1901)), YEAR_BITS),
        ])
    }

    /// `version | (year - 1901) << 32 | coverage << 40`: without the coverage, two coverages that share a member's key
    /// would share balances.
    fn place(&self, coverage: Id) -> Fr {
        self.year_and_version() + pack(&[(0, VERSION_BITS + YEAR_BITS), (coverage.number(), ID_BITS)])
    }

    /// `P(Note, nk, version | year | coverage, balances, salt)`.
    #[must_use]
    pub fn note(&self, nk: &Secret, coverage: Id) -> Fr {
        poseidon::tagged(
            Tag::Note,
            &[nk.expose(), self.place(coverage), self.balances.pack(), self.salt.expose()],
        )
    }

    /// `P(Spend, nk, version | year | coverage)`: published when the version is used up, and accepted once.
    #[must_use]
    pub fn spend_tag(&self, nk: &Secret, coverage: Id) -> Fr {
        poseidon::tagged(Tag::Spend, &[nk.expose(), self.place(coverage)])
    }
}

/// `P(NullifierKey, nk)`, which the enrolment leaf holds.
#[must_use]
pub fn nullifier_key_hash(nk: &Secret) -> Fr {
    poseidon::tagged(Tag::NullifierKey, &[nk.expose()])
}
