//! Calendar days, counted from 1970-01-01 as the schema counts them.

use std::fmt;
use zeroize::Zeroize;

/// A day of the proleptic Gregorian calendar, in the years 1 to 9999.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Zeroize)]
pub struct Day(i32);

impl Day {
    /// The first day of SAS, 1960-01-01.
    pub const SAS_EPOCH: Self = Self(-3653);
    const FIRST: i64 = -719_162;
    const LAST: i64 = 2_932_896;

    /// From days since 1970-01-01; `None` outside the years 1 to 9999.
    #[must_use]
    pub fn from_number(number: i64) -> Option<Self> {
        let within = (Self::FIRST..=Self::LAST).contains(&number);
        if within { i32::try_from(number).ok().map(Self) } else { None }
    }

    /// Days since 1970-01-01.
    #[must_use]
    pub const fn number(self) -> i64 {
        self.0 as i64
    }

    /// Reads `YYYY-MM-DD`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let shape = bytes.len() == 10 && bytes[4] == b'-' && bytes[7] == b'-';
        if !shape || !bytes.iter().enumerate().all(|(at, byte)| at == 4 || at == 7 || byte.is_ascii_digit()) {
            return None;
        }
        Self::from_calendar(text[..4].parse().ok()?, text[5..7].parse().ok()?, text[8..].parse().ok()?)
    }

    /// From the calendar; `None` for a day that there is not.
    #[must_use]
    pub fn from_calendar(year: i64, month: i64, day: i64) -> Option<Self> {
        // The year starts in March, so that the leap day is its last: "chrono-Compatible Low-Level Date Algorithms",
        // H. Hinnant, `days_from_civil`.
        let shifted = if month <= 2 { year - 1 } else { year };
        let (era, of_era) = (shifted.div_euclid(400), shifted.rem_euclid(400));
        let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
        let number = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
        let found = Self::from_number(number)?;
        // A day that the month does not have comes back as another.
        (found.calendar() == (year, month, day)).then_some(found)
    }

    /// Year, month and day: `civil_from_days` of the same page.
    #[must_use]
    pub fn calendar(self) -> (i64, i64, i64) {
        let shifted = self.number() + 719_468;
        let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
        let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year + year / 4 - year / 100);
        let month = (5 * of_year + 2) / 153;
        let day = of_year - (153 * month + 2) / 5 + 1;
        let month = if month < 10 { month + 3 } else { month - 9 };
        (year + era * 400 + i64::from(month <= 2), month, day)
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.calendar();
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

/// Boundaries of a schema are public; a cell is never formatted for debugging.
impl fmt::Debug for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_from_1970() {
        for (text, number) in [
            ("1970-01-01", 0),
            ("1960-01-01", -3653),
            ("2000-02-29", 11_016),
            ("2014-07-02", 16_253),
            ("0001-01-01", -719_162),
            ("9999-12-31", 2_932_896),
        ] {
            let day = Day::parse(text);
            assert_eq!(day.map(Day::number), Some(number), "{text}");
            assert_eq!(day.map(|day| day.to_string()).as_deref(), Some(text));
        }
    }

    #[test]
    fn refuses_days_that_there_are_not() {
        for text in [
            "2001-02-29",
            "2000-13-01",
            "2000-00-10",
            "2000-01-32",
            "2000-1-1",
            "20000101",
            "2000-01-01T00",
            "0000-01-01",
            "２000-01-0",
        ] {
            assert!(Day::parse(text).is_none(), "{text}");
        }
    }
}
