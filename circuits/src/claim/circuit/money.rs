//! The payable amount of a line (DESIGN 3.1), and what it leaves of the account.

use super::{
    super::{
        gadgets::numbers::{at_most, bits, divide, minimum, not, select},
        reasons::Reason,
        types::{LINE_MONEY_BITS, TOTAL_MONEY_BITS},
    },
    PricedLine, Shared,
    judge::JudgedLine,
};
use crate::r1cs::{Builder, Wire};

/// Bits of `fee * units / 1000`.
const SCHEDULED_BITS: u32 = 47;
/// Bits of a line's coinsurance and of the member's part of a line.
const SHARE_BITS: u32 = LINE_MONEY_BITS + 2;

/// The account's balances.
#[derive(Clone)]
pub(super) struct BalanceWires {
    pub(super) deductible: Wire,
    pub(super) out_of_pocket: Wire,
    pub(super) maximum: Wire,
}

impl BalanceWires {
    /// As [`super::super::account::Balances::pack`].
    pub(super) fn pack(&self) -> Wire {
        &(&self.deductible + &self.out_of_pocket.shift(TOTAL_MONEY_BITS))
            + &self.maximum.shift(2 * TOTAL_MONEY_BITS)
    }
}

/// Prices a judged line and updates the balances.
///
/// The 835 balance holds by construction: contractual is what the charge exceeds the allowed amount by, the member's
/// parts and the plan's share are differences that are enforced to be non-negative, and their sum telescopes.
pub(super) fn price(
    b: &mut Builder,
    shared: &Shared,
    judged: JudgedLine,
    left: &mut BalanceWires,
) -> PricedLine {
    let JudgedLine { index, covered, mut reasons, authorised, .. } = judged;
    let line = &shared.header.lines[index];
    let row = &shared.lookups.rows[index];

    let product = b.multiply(&row.fee, &line.units);
    let half = b.constant(500u64);
    let scheduled = divide(b, &(&product + &half), 1000, SCHEDULED_BITS);
    let lower = minimum(b, &line.charge, &scheduled, SCHEDULED_BITS);
    let allowed = b.multiply(&covered, &lower);

    // Copay and deductible, each limited to what the one before it leaves.
    let deductible_limit = b.multiply(&row.deductible_applies, &left.deductible);
    let first_limit = select(b, &row.deductible_first, &deductible_limit, &row.copay);
    let second_limit = &(&deductible_limit + &row.copay) - &first_limit;
    let first = minimum(b, &first_limit, &allowed, TOTAL_MONEY_BITS);
    let second = minimum(b, &second_limit, &(&allowed - &first), TOTAL_MONEY_BITS);
    let deductible = select(b, &row.deductible_first, &first, &second);
    let rest = &(&allowed - &first) - &second;
    let product = b.multiply(&rest, &row.basis_points);
    let half = b.constant(5000u64);
    let coinsurance = divide(b, &(&product + &half), 10_000, SHARE_BITS - 1);
    let member = &(&first + &second) + &coinsurance;

    // What exceeds the out-of-pocket maximum comes off the coinsurance, then the deductible, then the copay.
    let capped = minimum(b, &member, &left.out_of_pocket, TOTAL_MONEY_BITS);
    let excess = &member - &capped;
    let from_coinsurance = minimum(b, &excess, &coinsurance, SHARE_BITS);
    let from_deductible = minimum(b, &(&excess - &from_coinsurance), &deductible, SHARE_BITS);
    let deductible = &deductible - &from_deductible;

    let share = &allowed - &capped;
    // Not negative, even where a register holds a coinsurance above 100 percent.
    bits(b, &share, LINE_MONEY_BITS);
    let fits = at_most(b, &share, &left.maximum, TOTAL_MONEY_BITS);
    let pay = select(b, &fits, &share, &left.maximum);
    let nothing_left = b.is_zero(&left.maximum);
    let nothing_due = b.is_zero(&share);
    let due = not(b, &nothing_due);
    let exhausted = b.multiply(&nothing_left, &due);
    reasons[Reason::Maximum as usize] = not(b, &fits);

    // An exhausted line is denied: it has a share to pay, so it was covered, and it pays nothing.
    let is_paid = not(b, &exhausted);
    left.deductible = &left.deductible - &b.multiply(&is_paid, &deductible);
    left.out_of_pocket = &left.out_of_pocket - &b.multiply(&is_paid, &capped);
    left.maximum = &left.maximum - &pay;
    let authorised = b.multiply(&authorised, &is_paid);
    PricedLine { allowed: &covered - &exhausted, reasons, pay, authorised }
}

/// Amounts stay far below the field's size: `2^32 * 2^24 < 2^57` and `2^32 * 2^14 < 2^47`.
const _: () = assert!(SCHEDULED_BITS >= LINE_MONEY_BITS + 24 - 9);
