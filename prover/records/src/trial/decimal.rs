//! Decimal numbers as scaled integers: no cell passes through binary arithmetic.
//!
//! A number has at most nine decimals. Digits beyond are rounded, half away from zero: they are the noise of a file that went
//! through binary floating point.

use std::{cmp::Ordering, fmt};
use thiserror::Error;
use zeroize::Zeroize;

/// `units * 10^-scale`, in lowest terms.
#[derive(Clone, Copy, PartialEq, Eq, Zeroize)]
pub struct Decimal {
    units: i64,
    scale: u8,
}

/// Why something is not a decimal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NotDecimal {
    /// Not digits with a sign, a point and an exponent at most.
    #[error("not a decimal number")]
    Malformed,
    /// Not a number, or infinite.
    #[error("not a finite number")]
    NotFinite,
    /// More than 18 digits.
    #[error("a number of more than 18 digits")]
    TooLarge,
}

impl Decimal {
    /// The most decimals.
    pub const MOST_SCALE: u8 = 9;

    /// `units * 10^-scale`, brought to lowest terms; decimals beyond [`Self::MOST_SCALE`] are rounded.
    ///
    /// # Errors
    /// [`NotDecimal::TooLarge`].
    pub fn new(units: i128, scale: u8) -> Result<Self, NotDecimal> {
        let (mut units, mut scale) = (units, scale);
        while scale > Self::MOST_SCALE {
            let extra = u32::from(scale - Self::MOST_SCALE).min(38);
            units = halved_away(units, 10i128.pow(extra));
            scale -= u8::try_from(extra).unwrap_or(scale);
        }
        while scale > 0 && units % 10 == 0 {
            units /= 10;
            scale -= 1;
        }
        i64::try_from(units).map(|units| Self { units, scale }).map_err(|_| NotDecimal::TooLarge)
    }

    /// A whole number.
    #[must_use]
    pub const fn whole(units: i64) -> Self {
        Self { units, scale: 0 }
    }

    /// Reads `[+-]digits[.digits][e[+-]digits]`, digit by digit.
    ///
    /// # Errors
    /// [`NotDecimal`].
    pub fn parse(text: &str) -> Result<Self, NotDecimal> {
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => {
                (mantissa, exponent.parse::<i32>().map_err(|_| NotDecimal::Malformed)?)
            }
            None => (text, 0),
        };
        let (negative, digits) = match mantissa.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, mantissa.strip_prefix('+').unwrap_or(mantissa)),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let all = || whole.bytes().chain(fraction.bytes());
        if all().next().is_none() || !all().all(|digit| digit.is_ascii_digit()) {
            return Err(NotDecimal::Malformed);
        }
        // Ten decimals are read, so that the tenth rounds.
        let point = i64::try_from(whole.len()).unwrap_or(i64::MAX).saturating_add(i64::from(exponent));
        let wanted = point.saturating_add(i64::from(Self::MOST_SCALE) + 1);
        let mut units: i128 = 0;
        let mut position = 0i64;
        for digit in all() {
            if position >= wanted {
                break;
            }
            units = next_digit(units, digit - b'0')?;
            position += 1;
        }
        // A zero stays zero however far the point is.
        while units != 0 && position < point {
            units = next_digit(units, 0)?;
            position += 1;
        }
        let scale = if units == 0 { 0 } else { u8::try_from(position - point).unwrap_or(0) };
        Self::new(if negative { -units } else { units }, scale)
    }

    /// The shortest decimal that is this binary number, rounded to nine decimals.
    ///
    /// # Errors
    /// [`NotDecimal::NotFinite`] or [`NotDecimal::TooLarge`].
    pub fn from_binary(value: f64) -> Result<Self, NotDecimal> {
        if !value.is_finite() {
            return Err(NotDecimal::NotFinite);
        }
        // Exact below 2^53, and the way of nearly every cell.
        if value.fract() == 0.0 && value.abs() < 9e15 {
            return Ok(Self::whole(value as i64));
        }
        // `Display` writes the shortest digits that read back as this number, without an exponent.
        Self::parse(&value.to_string())
    }

    /// Its decimals.
    #[must_use]
    pub const fn scale(self) -> u8 {
        self.scale
    }

    /// The number in units of `10^-scale`; `None` if it has more decimals than that, or too many digits.
    #[must_use]
    pub fn exactly(self, scale: u8) -> Option<i64> {
        let more = scale.checked_sub(self.scale)?;
        self.units.checked_mul(10i64.checked_pow(u32::from(more))?)
    }

    /// The number in units of `10^-scale`, rounded half away from zero; `None` if it has too many digits.
    #[must_use]
    pub fn rounded(self, scale: u8) -> Option<i64> {
        match self.scale.checked_sub(scale) {
            Some(fewer) => {
                i64::try_from(halved_away(i128::from(self.units), 10i128.pow(u32::from(fewer)))).ok()
            }
            None => self.exactly(scale),
        }
    }

    /// In units of `10^-9`, for comparison.
    fn finest(self) -> i128 {
        i128::from(self.units) * 10i128.pow(u32::from(Self::MOST_SCALE.saturating_sub(self.scale)))
    }
}

fn next_digit(units: i128, digit: u8) -> Result<i128, NotDecimal> {
    units.checked_mul(10).and_then(|units| units.checked_add(i128::from(digit))).ok_or(NotDecimal::TooLarge)
}

/// `units / divisor`, rounded half away from zero.
fn halved_away(units: i128, divisor: i128) -> i128 {
    let (quotient, rest) = (units / divisor, units % divisor);
    if rest.abs() >= divisor - rest.abs() { quotient + units.signum() } else { quotient }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        self.finest().cmp(&other.finest())
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (magnitude, scale) = (self.units.unsigned_abs(), usize::from(self.scale));
        let sign = if self.units < 0 { "-" } else { "" };
        if scale == 0 {
            return write!(f, "{sign}{magnitude}");
        }
        let unit = 10u64.pow(u32::from(self.scale));
        write!(f, "{sign}{}.{:0scale$}", magnitude / unit, magnitude % unit)
    }
}

/// Boundaries of a schema are public; a cell is never formatted for debugging.
impl fmt::Debug for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(input: &str) -> Result<String, NotDecimal> {
        Decimal::parse(input).map(|decimal| decimal.to_string())
    }

    #[test]
    fn reads_digit_by_digit() {
        for (input, output) in [
            ("0", "0"),
            ("-0.0", "0"),
            ("12.50", "12.5"),
            ("-3.14", "-3.14"),
            ("+7", "7"),
            (".5", "0.5"),
            ("5.", "5"),
            ("1e3", "1000"),
            ("2.5E-2", "0.025"),
            ("0e99999", "0"),
            ("1e-99", "0"),
            ("900719925474099.3", "900719925474099.3"),
            ("2.2000000000000002", "2.2"),
            ("0.3333333333333333", "0.333333333"),
            ("0.0000000005", "0.000000001"),
            ("-0.0000000005", "-0.000000001"),
            ("999999999999999999", "999999999999999999"),
        ] {
            assert_eq!(text(input).as_deref(), Ok(output), "{input}");
        }
    }

    #[test]
    fn refuses_what_is_no_number() {
        for input in ["", ".", "-", "1,5", "1 ", "0x10", "NaN", "1e", "1e+-2", "e5", "--1"] {
            assert_eq!(text(input), Err(NotDecimal::Malformed), "{input}");
        }
        for input in ["1e30", "99999999999999999999", "1e2147483647"] {
            assert_eq!(text(input), Err(NotDecimal::TooLarge), "{input}");
        }
        assert_eq!(Decimal::from_binary(f64::NAN), Err(NotDecimal::NotFinite));
        assert_eq!(Decimal::from_binary(f64::INFINITY), Err(NotDecimal::NotFinite));
    }

    #[test]
    fn a_binary_number_is_the_shortest_decimal_that_it_is() {
        for (value, output) in [
            (0.1, "0.1"),
            (0.1 + 0.2, "0.3"),
            (-17.35, "-17.35"),
            (1e15, "1000000000000000"),
            (5e-10, "0.000000001"),
        ] {
            assert_eq!(Decimal::from_binary(value).map(|decimal| decimal.to_string()).as_deref(), Ok(output));
        }
    }

    #[test]
    fn scales_exactly_or_says_that_it_cannot() -> Result<(), NotDecimal> {
        let number = Decimal::parse("-12.345")?;
        assert_eq!(
            (number.exactly(3), number.exactly(4), number.exactly(2)),
            (Some(-12_345), Some(-123_450), None)
        );
        assert_eq!(
            (number.rounded(2), number.rounded(1), number.rounded(0)),
            (Some(-1235), Some(-123), Some(-12))
        );
        assert!(Decimal::parse("-12.345")? < Decimal::parse("-12.34")?);
        Ok(())
    }
}
