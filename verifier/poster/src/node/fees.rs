//! What a transaction offers for its gas (EIP-1559), and how an offer is raised.

/// An offer, in wei for each unit of gas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fees {
    /// The most that is paid, base fee included.
    pub max_fee: u128,
    /// The most of it that goes to whoever builds the block.
    pub tip: u128,
}

/// What is never passed, in wei for each unit of gas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// For the whole.
    pub fee: u128,
    /// For the tip.
    pub tip: u128,
}

/// Which limit leaves no room for a raise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cap {
    /// That of the whole.
    Fee,
    /// That of the tip.
    Tip,
}

impl Cap {
    /// The command line's name of it.
    #[must_use]
    pub const fn argument(self) -> &'static str {
        match self {
            Self::Fee => "--fee-limit",
            Self::Tip => "--tip-limit",
        }
    }
}

impl Fees {
    /// An offer that nodes accept in the place of this one: at least an eighth more of both (nodes ask for a tenth), or
    /// what is asked `now` if that is more. Never above `limits`.
    ///
    /// # Errors
    /// The limit that leaves no room for a raise.
    pub fn raised(self, now: Self, limits: Limits) -> Result<Self, Cap> {
        let more = |amount: u128| amount.saturating_add(amount.div_ceil(8));
        let least = Self { max_fee: more(self.max_fee), tip: more(self.tip) };
        if least.max_fee > limits.fee {
            return Err(Cap::Fee);
        }
        if least.tip > limits.tip {
            return Err(Cap::Tip);
        }
        let highest = Self { max_fee: least.max_fee.max(now.max_fee), tip: least.tip.max(now.tip) };
        Ok(highest.at_most(limits))
    }

    /// The same offer, within `limits`.
    #[must_use]
    pub fn at_most(self, limits: Limits) -> Self {
        let max_fee = self.max_fee.min(limits.fee);
        Self { max_fee, tip: self.tip.min(limits.tip).min(max_fee) }
    }
}

#[cfg(test)]
mod tests {
    use super::{Cap, Fees, Limits};

    const NONE: Limits = Limits { fee: u128::MAX, tip: u128::MAX };

    #[test]
    fn a_raise_is_an_eighth_of_both_or_what_is_asked_now() {
        let fees = Fees { max_fee: 800, tip: 1 };
        let low = Fees { max_fee: 10, tip: 1 };
        assert_eq!(fees.raised(low, NONE), Ok(Fees { max_fee: 900, tip: 2 }));
        let high = Fees { max_fee: 5_000, tip: 70 };
        assert_eq!(fees.raised(high, NONE), Ok(high));
    }

    #[test]
    fn no_raise_passes_a_limit_and_each_limit_is_named() {
        let fees = Fees { max_fee: 800, tip: 80 };
        let high = Fees { max_fee: 5_000, tip: 4_000 };
        assert_eq!(fees.raised(high, Limits { fee: 899, tip: 1_000 }), Err(Cap::Fee));
        assert_eq!(fees.raised(high, Limits { fee: 1_000, tip: 89 }), Err(Cap::Tip));
        let limits = Limits { fee: 1_000, tip: 300 };
        assert_eq!(fees.raised(high, limits), Ok(Fees { max_fee: 1_000, tip: 300 }));
        assert_eq!(high.at_most(limits), Fees { max_fee: 1_000, tip: 300 });
        assert_eq!(high.at_most(Limits { fee: 200, tip: 300 }), Fees { max_fee: 200, tip: 200 });
    }
}
