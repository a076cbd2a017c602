//! Codes and queries in words: values in the columns' own units, and a query as canonical SQL.

mod sql;

pub use sql::{condition, condition_on, sql};

use super::{Column, Kind};

/// What a code of a column reads; `None` for missing.
#[must_use]
pub fn value(column: &Column, code: u32) -> Option<String> {
    let place = code.checked_sub(1)?;
    match &column.kind {
        Kind::Integer { minimum, scale, .. } => {
            Some(decimal(i128::from(*minimum) + i128::from(place), *scale))
        }
        Kind::Date { minimum, .. } => Some(date(minimum.saturating_add(i64::from(place)))),
        Kind::Category { dictionary } => {
            usize::try_from(place).ok().and_then(|place| dictionary.get(place)).cloned()
        }
        Kind::Key { .. } => Some(format!("key {code}")),
    }
}

/// A scaled integer as a decimal: 125 with scale 1 is `12.5`.
#[must_use]
pub fn decimal(value: i128, scale: u8) -> String {
    let sign = if value < 0 { "-" } else { "" };
    let width = usize::from(scale);
    let digits = format!("{:0>1$}", value.unsigned_abs(), width + 1);
    let (whole, fraction) = digits.split_at(digits.len().saturating_sub(width));
    if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

/// `YYYY-MM-DD` of a number of days since 1970-01-01, in the proleptic Gregorian calendar (Howard Hinnant, "chrono-Compatible
/// Low-Level Date Algorithms", `civil_from_days`).
#[must_use]
pub fn date(days: i64) -> String {
    let shifted = i128::from(days) + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i128::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_dates_of_the_gregorian_calendar() {
        for (days, text) in
            [(0, "1970-01-01"), (-1, "1969-12-31"), (11_016, "2000-02-29"), (20_779, "2026-11-22")]
        {
            assert_eq!(date(days), text);
        }
    }

    #[test]
    fn scaled_integers_are_decimals() {
        for (value, scale, text) in
            [(125, 1, "12.5"), (-5, 2, "-0.05"), (7, 0, "7"), (0, 3, "0.000"), (-1200, 2, "-12.00")]
        {
            assert_eq!(decimal(value, scale), text);
        }
    }
}
