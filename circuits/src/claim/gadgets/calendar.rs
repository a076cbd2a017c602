//! Dates: years, leap years and "so many years later".

use super::{
    super::types::{Date, year_start},
    numbers::{at_most, bits, number},
};
use crate::{
    Fr,
    field::low_u128,
    r1cs::{Builder, Wire},
};

/// Bits of a day number that may lie after 2099.
pub const FUTURE_DATE_BITS: u32 = 18;
/// Day of the year of 29 February, or of 1 March where there is none.
const END_OF_FEBRUARY: u64 = 59;

/// A year as its distance from 1901.
pub struct Year {
    /// `year - 1901`.
    pub since_1901: Wire,
    /// Day number of 1 January.
    pub start: Wire,
    /// 1 in a leap year.
    pub leap: Wire,
}

/// A date as its year and the days since 1 January.
pub struct YearDay {
    year: Year,
    offset: Wire,
    after_february: Wire,
}

/// The year with this distance from 1901, enforced to be below `2^width`.
///
/// With `distance = 4 q + r`, 1 January is day `365 (distance + 1) + q`, and the year is a leap year when `r = 3`.
pub fn year(b: &mut Builder, distance: &Wire, width: u32) -> Year {
    let digits = bits(b, distance, width);
    let leap = b.multiply(&digits[0], &digits[1]);
    let fours = number(b, &digits[2..]);
    let one = b.constant(1u64);
    let start = &(distance + &one).scale(Fr::from(365u64)) + &fours;
    Year { since_1901: distance.clone(), start, leap }
}

/// Enforces that `offset` is a day of `year`: `0 <= offset <= 364 + leap`.
pub fn day_of_year(b: &mut Builder, year: &Year, offset: &Wire) {
    bits(b, offset, 9);
    let left = &(&b.constant(364u64) + &year.leap) - offset;
    bits(b, &left, 9);
}

/// Splits a date from 1901-01-01 on.
///
/// There is one year: the years' days do not overlap, and the offset is enforced to be one of its year's.
pub fn split(b: &mut Builder, date: &Wire) -> YearDay {
    let days = low_u128(&date.value()) as u32;
    let (y, _) = Date::from_days(days).unwrap_or(Date::MIN).year_and_offset();
    let distance = b.guess(Fr::from(y - 1901));
    debug_assert!(year_start(y) <= days.max(365));
    let year = year(b, &distance, 8);
    let offset = date - &year.start;
    day_of_year(b, &year, &offset);
    let end_of_february = b.constant(END_OF_FEBRUARY);
    let after_february = at_most(b, &end_of_february, &offset, 9);
    YearDay { year, offset, after_february }
}

/// The day number `years` later, for `years` below 2^9: 29 February goes to 28 February where there is none.
pub fn plus_years(b: &mut Builder, date: &YearDay, years: &Wire) -> Wire {
    let target = year(b, &(&date.year.since_1901 + years), 9);
    let moved = b.multiply(&date.after_february, &(&target.leap - &date.year.leap));
    &(&target.start + &date.offset) + &moved
}
