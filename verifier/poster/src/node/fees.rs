//! What a transaction offers for its gas (EIP-1559), and how an offer is raised.

/// An offer, in wei for each unit of gas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fees {
    /// The most that is paid, base fee included.
    pub max_fee: u128,
    /// The most of it that goes to whoever builds the block.
    pub tip: u128,
}

impl Fees {
    /// An offer that nodes accept in the place of this one: at least an eighth more of both (nodes ask for a tenth), or
    /// what is asked `now` if that is more. Never above `limit`; none when the limit leaves no room for a raise.
    #[must_use]
    pub fn raised(self, now: Self, limit: u128) -> Option<Self> {
        let more = |amount: u128| amount.saturating_add(amount.div_ceil(8));
        let least = Self { max_fee: more(self.max_fee), tip: more(self.tip) };
        if least.max_fee > limit {
            return None;
        }
        let max_fee = least.max_fee.max(now.max_fee).min(limit);
        Some(Self { max_fee, tip: least.tip.max(now.tip).min(max_fee) })
    }

    /// The same offer, at most `limit`.
    #[must_use]
    pub fn at_most(self, limit: u128) -> Self {
        let max_fee = self.max_fee.min(limit);
        Self { max_fee, tip: self.tip.min(max_fee) }
    }
}

#[cfg(test)]
mod tests {
    use super::Fees;

    #[test]
    fn a_raise_is_an_eighth_of_both_or_what_is_asked_now() {
        let fees = Fees { max_fee: 800, tip: 1 };
        let low = Fees { max_fee: 10, tip: 1 };
        assert_eq!(fees.raised(low, u128::MAX), Some(Fees { max_fee: 900, tip: 2 }));
        let high = Fees { max_fee: 5_000, tip: 70 };
        assert_eq!(fees.raised(high, u128::MAX), Some(high));
    }

    #[test]
    fn no_raise_passes_the_limit() {
        let fees = Fees { max_fee: 800, tip: 80 };
        let high = Fees { max_fee: 5_000, tip: 4_000 };
        assert_eq!(fees.raised(high, 899), None);
        assert_eq!(fees.raised(high, 1_000), Some(Fees { max_fee: 1_000, tip: 1_000 }));
        assert_eq!(high.at_most(1_000), Fees { max_fee: 1_000, tip: 1_000 });
    }
}
