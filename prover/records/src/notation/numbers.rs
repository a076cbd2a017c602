//! Decimals, read digit by digit: an amount never passes through a float.

use super::Notation;
use nightingale_circuits::claim::Units;

/// Why a decimal is not an amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DecimalError {
    /// Not `digits[.digits]`, with or without a sign or an exponent.
    Malformed,
    /// Below zero.
    Negative,
    /// More decimals than the unit has.
    TooFine,
    /// Above the width.
    TooLarge,
}

/// A decimal as an integer of `10^-places`: `"989.75"` with two places is 98,975. An exponent is refused.
fn scaled(text: &str, places: usize, limit: u64) -> Result<u64, DecimalError> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, fraction) = match digits.split_once('.') {
        Some((whole, fraction)) => (whole, fraction),
        None => (digits, ""),
    };
    let numeric = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if (whole.is_empty() && fraction.is_empty()) || !numeric(whole) || !numeric(fraction) {
        return Err(DecimalError::Malformed);
    }
    if negative && digits.bytes().any(|b| (b'1'..=b'9').contains(&b)) {
        return Err(DecimalError::Negative);
    }
    let fraction = fraction.trim_end_matches('0');
    if fraction.len() > places {
        return Err(DecimalError::TooFine);
    }
    let padding = places - fraction.len();
    let all = whole.bytes().chain(fraction.bytes()).chain(std::iter::repeat_n(b'0', padding));
    let value = all
        .map(|b| u64::from(b - b'0'))
        .try_fold(0u64, |sum, digit| sum.checked_mul(10)?.checked_add(digit).filter(|value| *value <= limit));
    value.ok_or(DecimalError::TooLarge)
}

/// Cents of an amount with at most two decimals, up to `limit` cents.
pub(crate) fn cents(text: &str, limit: u64) -> Result<u64, DecimalError> {
    scaled(text, 2, limit)
}

/// Thousandths of a quantity with at most three decimals.
pub(crate) fn thousandths(text: &str) -> Result<u32, DecimalError> {
    scaled(text, 3, u64::from(u32::MAX)).map(|value| value as u32)
}

impl Notation for Units {
    const EXPECTED: &'static str = "units as a decimal string from 0.001 to 16777.215";

    fn read(text: &str) -> Option<Self> {
        Self::from_thousandths(thousandths(text).ok()?).ok()
    }

    fn write(&self) -> String {
        let (whole, rest) = (self.thousandths() / 1000, self.thousandths() % 1000);
        if rest == 0 {
            whole.to_string()
        } else {
            format!("{whole}.{rest:03}").trim_end_matches('0').to_owned()
        }
    }
}

/// A register key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key(pub(crate) u128);

impl Notation for Key {
    const EXPECTED: &'static str = "a register key of 0x and at most 32 hex digits";

    fn read(text: &str) -> Option<Self> {
        let digits = text.strip_prefix("0x")?;
        let hex = !digits.is_empty() && digits.len() <= 32 && digits.bytes().all(|b| b.is_ascii_hexdigit());
        hex.then(|| u128::from_str_radix(digits, 16).ok().map(Self)).flatten()
    }

    fn write(&self) -> String {
        format!("0x{:x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_amounts_digit_by_digit() {
        let line = |text| cents(text, u64::from(u32::MAX));
        assert_eq!(line("125"), Ok(12_500));
        assert_eq!(line("984.1"), Ok(98_410));
        assert_eq!(line("0.29"), Ok(29));
        assert_eq!(line(".5"), Ok(50));
        assert_eq!(line("10.500"), Ok(1_050));
        assert_eq!(line("-0.00"), Ok(0));
        assert_eq!(line("42949672.95"), Ok(u64::from(u32::MAX)));
    }

    #[test]
    fn refuses_what_is_not_an_amount_in_cents() {
        let line = |text| cents(text, u64::from(u32::MAX));
        assert_eq!(line("989.7520000000001"), Err(DecimalError::TooFine));
        assert_eq!(line("-1.00"), Err(DecimalError::Negative));
        assert_eq!(line("42949672.96"), Err(DecimalError::TooLarge));
        assert_eq!(line("99999999999999999999999999"), Err(DecimalError::TooLarge));
        for text in ["", ".", "1e2", "1,000", "0x10", " 1", "--1", "1.2.3", "NaN"] {
            assert_eq!(line(text), Err(DecimalError::Malformed), "{text:?}");
        }
    }

    #[test]
    fn units_have_one_spelling() {
        for (text, thousandths) in [("1", 1000), ("0.5", 500), ("16777.215", 16_777_215)] {
            assert_eq!(Units::read(text).map(Units::thousandths), Some(thousandths));
            assert_eq!(Units::from_thousandths(thousandths).map(|u| u.write()), Ok(text.to_owned()));
        }
        assert_eq!(Units::read("0"), None);
        assert_eq!(Units::read("16777.216"), None);
    }
}
