//! Queries and codes in words: values in the columns' own units, and a query as canonical SQL.
//!
//! The SQL is made from the query and the schema alone, so that what a person reads is what is proven.

use nightingale_circuits::cohort::{Column, Interval, Kind, Query, Schema, Term};

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

/// The query as SQL. Two spellings of one question have one text.
#[must_use]
pub fn sql(schema: &Schema, query: &Query) -> String {
    let name = |index: usize| schema.columns().get(index).map_or("?", |column| column.name.as_str());
    let groups: Vec<&str> = query.groups().iter().map(|&group| name(group)).collect();
    let mut selected: Vec<String> = groups.iter().map(|&group| group.to_owned()).collect();
    selected.push("COUNT(*)".to_owned());
    selected.extend(query.values().iter().map(|&value| format!("AVG({})", name(value))));
    let mut text = format!("SELECT {} FROM {}", selected.join(", "), schema.table());
    let terms: Vec<String> = query.terms().iter().map(|term| condition(schema, term)).collect();
    if !terms.is_empty() {
        text.push_str(&format!(" WHERE {}", terms.join(" AND ")));
    }
    if !groups.is_empty() {
        text.push_str(&format!(" GROUP BY {}", groups.join(", ")));
    }
    text
}

fn condition(schema: &Schema, term: &Term) -> String {
    let Some(column) = schema.columns().get(term.column) else { return "FALSE".to_owned() };
    if let [Interval { low: 1, high }] = term.intervals.as_slice()
        && *high == column.bound()
    {
        return format!("{} IS NOT NULL", column.name);
    }
    let literal = |code: u32| {
        let value = value(column, code).unwrap_or_default();
        match column.kind {
            Kind::Integer { .. } => value,
            _ => format!("'{}'", value.replace('\'', "''")),
        }
    };
    if matches!(column.kind, Kind::Category { .. }) {
        let codes = term.intervals.iter().flat_map(|interval| interval.low..=interval.high);
        let words: Vec<String> = codes.map(literal).collect();
        return match words.as_slice() {
            [] => "FALSE".to_owned(),
            [word] => format!("{} = {word}", column.name),
            _ => format!("{} IN ({})", column.name, words.join(", ")),
        };
    }
    let range = |interval: &Interval| {
        let (low, high) = (literal(interval.low), literal(interval.high));
        if interval.low == interval.high {
            format!("{} = {low}", column.name)
        } else if interval.low == 1 {
            format!("{} <= {high}", column.name)
        } else if interval.high == column.bound() {
            format!("{} >= {low}", column.name)
        } else {
            format!("{} BETWEEN {low} AND {high}", column.name)
        }
    };
    let ranges: Vec<String> = term.intervals.iter().map(range).collect();
    match ranges.as_slice() {
        [] => "FALSE".to_owned(),
        [range] => range.clone(),
        _ => format!("({})", ranges.join(" OR ")),
    }
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
