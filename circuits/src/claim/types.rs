//! The claim and the small types that it is made of. Every constructor checks its range, once, at the edge.

use super::code::Code;
use crate::{
    Fr,
    field::{low_u128, pack},
    poseidon,
    tag::Tag,
};
use thiserror::Error;

/// Bits of an [`Id`].
pub const ID_BITS: u32 = 96;
/// Bits of a [`Date`].
pub const DATE_BITS: u32 = 17;
/// Bits of an amount of one line.
pub const LINE_MONEY_BITS: u32 = 32;
/// Bits of a total or a balance.
pub const TOTAL_MONEY_BITS: u32 = 40;
/// Bits of a [`Units`].
pub const UNITS_BITS: u32 = 24;
/// Bits of a [`Modifier`].
pub const MODIFIER_BITS: u32 = 11;
/// Bits of an [`Npi`].
pub const NPI_BITS: u32 = 34;
/// Bits of a [`Code`].
pub const CODE_BITS: u32 = 64;
/// Bits of a [`PlanId`].
pub const PLAN_BITS: u32 = 16;
/// Bits of a line's repeat index.
pub const REPEAT_BITS: u32 = 4;
/// Modifiers of a line.
pub const MODIFIERS: usize = 4;
/// Diagnoses that one line may point to.
pub const MAX_POINTERS: usize = 4;
/// Lines of the larger size class.
pub const MAX_LINES: usize = 8;
/// Diagnoses of the larger size class.
pub const MAX_DIAGNOSES: usize = 12;

/// A value outside the range of its type.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{what}: expected {expected}")]
pub struct OutOfRange {
    /// What was read.
    pub what: &'static str,
    /// What it must be.
    pub expected: &'static str,
}

pub(super) const fn out_of_range(what: &'static str, expected: &'static str) -> OutOfRange {
    OutOfRange { what, expected }
}

/// A 96-bit identifier: a member, coverage, payer or authorisation number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(u128);

impl Id {
    /// Folds a string into an identifier: the bytes in 31-byte little-endian chunks, absorbed one at a time by
    /// `state = P(tag, state, chunk)` from `state = length in bytes`; the result is the low 96 bits.
    #[must_use]
    pub fn from_text(text: &str) -> Self {
        let start = Fr::from(text.len() as u64);
        let state = text.as_bytes().chunks(31).fold(start, |state, chunk| {
            let bytes: Vec<(u128, u32)> = chunk.iter().map(|b| (u128::from(*b), 8)).collect();
            poseidon::tagged(Tag::Id, &[state, pack(&bytes)])
        });
        let bits = low_u128(&state) & ((1 << ID_BITS) - 1);
        Self(if bits == 0 { 1 } else { bits })
    }

    /// From its number.
    ///
    /// # Errors
    /// 0, or 2^96 and above.
    pub const fn new(number: u128) -> Result<Self, OutOfRange> {
        if number == 0 || number >> ID_BITS != 0 {
            return Err(out_of_range("identifier", "1 to 2^96 - 1"));
        }
        Ok(Self(number))
    }

    /// Its number.
    #[must_use]
    pub const fn number(self) -> u128 {
        self.0
    }
}

/// A plan's number with its payer, 1 to 65,535.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PlanId(u16);

impl PlanId {
    /// From its number.
    ///
    /// # Errors
    /// 0.
    pub const fn new(number: u16) -> Result<Self, OutOfRange> {
        if number == 0 { Err(out_of_range("plan", "1 to 65535")) } else { Ok(Self(number)) }
    }

    /// Its number.
    #[must_use]
    pub const fn number(self) -> u16 {
        self.0
    }
}

/// Days since 1900-01-01, from 1901-01-01 to 2099-12-31, where every fourth year is a leap year.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date(u32);

/// Day number of 1970-01-01.
pub const UNIX_EPOCH_DAY: u32 = 25_567;

impl Date {
    /// The first date, 1901-01-01.
    pub const MIN: Self = Self(365);
    /// The last date, 2099-12-31.
    pub const MAX: Self = Self(73_048);

    /// From days since 1900-01-01.
    ///
    /// # Errors
    /// Before 1901-01-01 or after 2099-12-31.
    pub const fn from_days(days: u32) -> Result<Self, OutOfRange> {
        if days < Self::MIN.0 || days > Self::MAX.0 {
            return Err(out_of_range("date", "1901-01-01 to 2099-12-31"));
        }
        Ok(Self(days))
    }

    /// From a calendar date.
    ///
    /// # Errors
    /// A date that does not exist or is outside 1901 to 2099.
    pub fn from_calendar(year: u32, month: u32, day: u32) -> Result<Self, OutOfRange> {
        let bad = out_of_range("date", "a calendar date from 1901-01-01 to 2099-12-31");
        if !(1901..=2099).contains(&year) || !(1..=12).contains(&month) {
            return Err(bad);
        }
        let lengths = month_lengths(year);
        if day < 1 || day > lengths[month as usize - 1] {
            return Err(bad);
        }
        let before: u32 = lengths[..month as usize - 1].iter().sum();
        Ok(Self(year_start(year) + before + day - 1))
    }

    /// Year, month and day.
    #[must_use]
    pub fn calendar(self) -> (u32, u32, u32) {
        let (year, mut rest) = self.year_and_offset();
        let mut month = 1;
        for length in month_lengths(year) {
            if rest < length {
                break;
            }
            rest -= length;
            month += 1;
        }
        (year, month, rest + 1)
    }

    /// The year and the days since its 1 January.
    #[must_use]
    pub fn year_and_offset(self) -> (u32, u32) {
        let mut year = 1900 + self.0 / 366;
        while year_start(year + 1) <= self.0 {
            year += 1;
        }
        (year, self.0 - year_start(year))
    }

    /// Days since 1900-01-01.
    #[must_use]
    pub const fn days(self) -> u32 {
        self.0
    }

    /// The day number `years` later, 29 February going to 28 February where there is none.
    #[must_use]
    pub fn plus_years(self, years: u32) -> u32 {
        let (year, offset) = self.year_and_offset();
        let target = year + years;
        let offset = if offset >= 59 { offset + leap(target) - leap(year) } else { offset };
        year_start(target) + offset
    }
}

/// Day number of 1 January, for years after 1900 (2100 and later count as if every fourth year were a leap year;
/// they only ever stand for "after every date").
#[must_use]
pub const fn year_start(year: u32) -> u32 {
    365 * (year - 1900) + (year - 1901) / 4
}

const fn leap(year: u32) -> u32 {
    year.is_multiple_of(4) as u32
}

const fn month_lengths(year: u32) -> [u32; 12] {
    [31, 28 + leap(year), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
}

/// Administrative sex, as FHIR's `Patient.gender` and X12's DMG03 give it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Sex {
    /// Not said, or other.
    Unknown = 0,
    /// Male.
    Male = 1,
    /// Female.
    Female = 2,
}

/// A National Provider Identifier: ten digits, not yet checked by Luhn (an invalid one is denied by rule B7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Npi(u64);

impl Npi {
    /// From its ten digits.
    ///
    /// # Errors
    /// 0, or more than ten digits.
    pub const fn new(number: u64) -> Result<Self, OutOfRange> {
        if number == 0 || number > 9_999_999_999 {
            return Err(out_of_range("NPI", "1 to 10 decimal digits, not all zero"));
        }
        Ok(Self(number))
    }

    /// Its number.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0
    }

    /// Its digits, the check digit first.
    #[must_use]
    pub fn digits(self) -> [u8; 10] {
        let mut rest = self.0;
        std::array::from_fn(|_| {
            let digit = (rest % 10) as u8;
            rest /= 10;
            digit
        })
    }

    /// The Luhn check over `80840` and the ten digits (CMS, "Requirements for NPI and NPI Check Digit").
    #[must_use]
    pub fn passes_luhn(self) -> bool {
        let sum: u32 = self
            .digits()
            .iter()
            .enumerate()
            .map(|(i, &d)| {
                let doubled = u32::from(d) * if i % 2 == 1 { 2 } else { 1 };
                if doubled > 9 { doubled - 9 } else { doubled }
            })
            .sum();
        (sum + 24).is_multiple_of(10)
    }
}

/// A two-character procedure modifier as `1 + 36 * first + second` with `0-9` as 0 to 9 and `A-Z` as 10 to 35.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Modifier(u16);

impl Modifier {
    /// The last one, `ZZ`.
    pub const MAX: Self = Self(36 * 36);

    /// From its two characters.
    ///
    /// # Errors
    /// Anything else than two of `0-9A-Z`.
    pub const fn new(text: &str) -> Result<Self, OutOfRange> {
        let bytes = text.as_bytes();
        if bytes.len() != 2 {
            return Err(out_of_range("modifier", "two characters of 0-9 and A-Z"));
        }
        match (base_36(bytes[0]), base_36(bytes[1])) {
            (Some(first), Some(second)) => Ok(Self(1 + 36 * first + second)),
            _ => Err(out_of_range("modifier", "two characters of 0-9 and A-Z")),
        }
    }

    /// Its 11 bits.
    #[must_use]
    pub const fn bits(self) -> u16 {
        self.0
    }

    /// Its two characters.
    #[must_use]
    pub fn text(self) -> String {
        let letter = |digit: u16| char::from_digit(u32::from(digit), 36).unwrap_or('?').to_ascii_uppercase();
        [letter((self.0 - 1) / 36), letter((self.0 - 1) % 36)].iter().collect()
    }
}

const fn base_36(byte: u8) -> Option<u16> {
    match byte {
        b'0'..=b'9' => Some((byte - b'0') as u16),
        b'A'..=b'Z' => Some((byte - b'A') as u16 + 10),
        _ => None,
    }
}

/// The pricing modifiers: the first of these in a line's modifiers sets its modifier class, 1 for the first here.
/// Professional component, technical component, new equipment, rental, used equipment, discontinued, assistant
/// surgeon (CMS, Medicare Claims Processing Manual, chapters 12, 20 and 23).
pub const PRICING_MODIFIERS: [&str; 7] = ["26", "TC", "NU", "RR", "UE", "53", "80"];
/// Bits of a modifier class.
pub const MODIFIER_CLASS_BITS: u32 = 4;

/// Service units in thousandths, 1 to 2^24 - 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Units(u32);

impl Units {
    /// From thousandths of a unit.
    ///
    /// # Errors
    /// 0, or 2^24 and above (16,777.216 units).
    pub const fn from_thousandths(thousandths: u32) -> Result<Self, OutOfRange> {
        if thousandths == 0 || thousandths >> UNITS_BITS != 0 {
            return Err(out_of_range("units", "0.001 to 16777.215, in thousandths"));
        }
        Ok(Self(thousandths))
    }

    /// In thousandths.
    #[must_use]
    pub const fn thousandths(self) -> u32 {
        self.0
    }
}

/// The diagnoses that a line points to: bit `i` is diagnosis `i + 1` of the claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Pointers(u16);

impl Pointers {
    /// From 1-based diagnosis numbers.
    ///
    /// # Errors
    /// A number outside 1 to 12, or more than four different ones.
    pub fn new(numbers: &[u8]) -> Result<Self, OutOfRange> {
        let bad = out_of_range("diagnosis pointers", "at most 4 different numbers from 1 to 12");
        let mut mask = 0u16;
        for &n in numbers {
            if n == 0 || usize::from(n) > MAX_DIAGNOSES {
                return Err(bad);
            }
            mask |= 1 << (n - 1);
        }
        if mask.count_ones() as usize > MAX_POINTERS { Err(bad) } else { Ok(Self(mask)) }
    }

    /// As a mask of 12 bits.
    #[must_use]
    pub const fn mask(self) -> u16 {
        self.0
    }

    /// 1-based numbers, ascending.
    #[must_use]
    pub fn numbers(self) -> Vec<u8> {
        (1..=MAX_DIAGNOSES as u8).filter(|n| self.0 >> (n - 1) & 1 == 1).collect()
    }
}

/// An EVM address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Address(pub [u8; 20]);

impl Address {
    /// As a field element: the number that Solidity's `uint160(address)` gives.
    #[must_use]
    pub fn to_field(self) -> Fr {
        self.0.iter().fold(Fr::from(0u64), |sum, byte| sum * Fr::from(256u64) + Fr::from(*byte))
    }
}

/// What sort of claim it is; no rule reads it, the commitment binds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ClaimType {
    /// Professional.
    Professional = 1,
    /// Institutional.
    Institutional = 2,
    /// Dental.
    Oral = 3,
    /// Pharmacy.
    Pharmacy = 4,
    /// Vision.
    Vision = 5,
}

/// One service line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Procedure or product.
    pub code: Code,
    /// First day of service.
    pub from: Date,
    /// Last day of service.
    pub through: Date,
    /// Up to four modifiers, in the claim's order.
    pub modifiers: Vec<Modifier>,
    /// The diagnoses that support it.
    pub pointers: Pointers,
    /// Units.
    pub units: Units,
    /// Charge in cents, below 2^32.
    pub charge_cents: u32,
    /// 0 for the first such service of the day, 1 for the second, ... below 16.
    pub repeat: u8,
}

impl Line {
    /// The four modifier slots, 0 where unused.
    #[must_use]
    pub fn modifier_slots(&self) -> [u16; MODIFIERS] {
        std::array::from_fn(|i| self.modifiers.get(i).map_or(0, |m| m.bits()))
    }

    /// The modifier slots in ascending order.
    #[must_use]
    pub fn sorted_modifiers(&self) -> [u16; MODIFIERS] {
        let mut slots = self.modifier_slots();
        slots.sort_unstable();
        slots
    }

    /// Whether both would have one nullifier: the same code, days, modifiers in any order, and repeat index.
    #[must_use]
    pub fn is_same_service(&self, other: &Self) -> bool {
        let service =
            |line: &Self| (line.code, line.from, line.through, line.sorted_modifiers(), line.repeat);
        service(self) == service(other)
    }

    /// The modifier class that prices it: 0, or the place of the first pricing modifier in [`PRICING_MODIFIERS`].
    #[must_use]
    pub fn modifier_class(&self) -> u8 {
        let class = |m: &Modifier| PRICING_MODIFIERS.iter().position(|p| *p == m.text());
        self.modifiers.iter().find_map(class).map_or(0, |i| i as u8 + 1)
    }
}

/// A provider's claim, as the provider commits to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Sort of claim.
    pub kind: ClaimType,
    /// The payer that it is addressed to.
    pub insurer: Id,
    /// The plan that it names, if it names one.
    pub plan: Option<PlanId>,
    /// The coverage under which it is billed.
    pub coverage: Id,
    /// The patient.
    pub patient: Id,
    /// Prior authorisation reference, if any.
    pub authorisation: Option<Id>,
    /// Who bills and is paid.
    pub billing: Npi,
    /// Who rendered the services.
    pub rendering: Npi,
    /// Diagnoses, in the claim's order.
    pub diagnoses: Vec<Code>,
    /// Service lines, in the claim's order.
    pub lines: Vec<Line>,
}

#[cfg(test)]
mod tests {
    use super::*;

    type Outcome = Result<(), OutOfRange>;

    #[test]
    fn dates_count_days_since_1900() -> Outcome {
        assert_eq!(Date::from_calendar(1970, 1, 1)?.days(), UNIX_EPOCH_DAY);
        assert_eq!(Date::from_calendar(2000, 2, 29)?.days(), 36_583);
        assert_eq!(Date::from_calendar(1901, 1, 1)?, Date::MIN);
        assert_eq!(Date::from_calendar(2099, 12, 31)?, Date::MAX);
        for days in Date::MIN.days()..=Date::MAX.days() {
            let (y, m, d) = Date::from_days(days)?.calendar();
            assert_eq!(Date::from_calendar(y, m, d)?.days(), days);
        }
        assert!(Date::from_calendar(2023, 2, 29).is_err());
        Ok(())
    }

    #[test]
    fn a_year_after_29_february_is_28_february() -> Outcome {
        let leap_day = Date::from_calendar(2024, 2, 29)?;
        assert_eq!(leap_day.plus_years(1), Date::from_calendar(2025, 2, 28)?.days());
        assert_eq!(leap_day.plus_years(4), Date::from_calendar(2028, 2, 29)?.days());
        let march = Date::from_calendar(2023, 3, 1)?;
        assert_eq!(march.plus_years(1), Date::from_calendar(2024, 3, 1)?.days());
        Ok(())
    }

    #[test]
    fn luhn_accepts_the_published_npi() -> Outcome {
        assert!(Npi::new(1_234_567_893)?.passes_luhn());
        assert!(!Npi::new(1_234_567_894)?.passes_luhn());
        Ok(())
    }

    #[test]
    fn modifiers_round_trip() -> Outcome {
        for text in ["26", "TC", "00", "ZZ", "A1"] {
            assert_eq!(Modifier::new(text)?.text(), text);
        }
        assert!(Modifier::new("ZZ")?.bits() < 1 << MODIFIER_BITS);
        assert!(Modifier::new("z9").is_err());
        Ok(())
    }
}
