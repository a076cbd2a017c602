//! Codes and queries in words.

use crate::cohort::text::{date, decimal};
use nightingale_circuits::cohort::{Column, Kind, Query, Schema, Term};

/// What stands for the missing value.
pub(super) const MISSING: &str = "(missing)";

/// What a code of a column means.
pub(super) fn word(column: &Column, code: u32) -> String {
    match (&column.kind, code.checked_sub(1)) {
        (_, None) => MISSING.to_owned(),
        (Kind::Category { dictionary }, Some(index)) => usize::try_from(index)
            .ok()
            .and_then(|index| dictionary.get(index))
            .map_or_else(|| format!("code {code}"), Clone::clone),
        (Kind::Key { .. }, Some(_)) => format!("code {code}"),
        _ => value(column, code).map_or_else(|| format!("code {code}"), |value| written(column, value)),
    }
}

/// The number, or day, that a code stands for, in scaled units; `None` of the missing one and where codes are not numbers.
pub(super) fn value(column: &Column, code: u32) -> Option<i64> {
    if code == 0 { None } else { column.offset()?.checked_add(i64::from(code)) }
}

/// A number or day of a column in words.
pub(super) fn written(column: &Column, value: i64) -> String {
    match column.kind {
        Kind::Integer { scale, .. } => decimal(i128::from(value), scale),
        Kind::Date { .. } => date(value),
        Kind::Category { .. } | Kind::Key { .. } => value.to_string(),
    }
}

/// The query as SQL would write it.
pub(super) fn sql(schema: &Schema, query: &Query) -> String {
    let column = |index: &usize| schema.columns().get(*index);
    let name = |index: &usize| column(index).map_or("?", |column| column.name.as_str());
    let mut selected: Vec<String> = query.groups().iter().map(|group| name(group).to_owned()).collect();
    selected.push("COUNT(*)".to_owned());
    selected.extend(query.values().iter().map(|value| format!("SUM({})", name(value))));
    let mut text = format!("SELECT {} FROM {}", selected.join(", "), schema.table());
    let terms: Vec<String> =
        query.terms().iter().filter_map(|term| Some(condition(column(&term.column)?, term))).collect();
    if !terms.is_empty() {
        text.push_str(" WHERE ");
        text.push_str(&terms.join(" AND "));
    }
    if !query.groups().is_empty() {
        let groups: Vec<&str> = query.groups().iter().map(name).collect();
        text.push_str(" GROUP BY ");
        text.push_str(&groups.join(", "));
    }
    text
}

/// One term in words.
pub(super) fn condition(column: &Column, term: &Term) -> String {
    let name = &column.name;
    let quoted = |code: u32| match column.kind {
        Kind::Integer { .. } => word(column, code),
        _ => format!("'{}'", word(column, code).replace('\'', "''")),
    };
    let categories = matches!(column.kind, Kind::Category { .. });
    let parts: Vec<String> = match term.intervals.as_slice() {
        [] => return "FALSE".to_owned(),
        [all] if all.low == 1 && all.high == column.bound() => return format!("{name} IS NOT NULL"),
        intervals if categories => {
            let words: Vec<String> =
                intervals.iter().flat_map(|i| i.low..=i.high).take(100).map(quoted).collect();
            return match words.as_slice() {
                [word] => format!("{name} = {word}"),
                words => format!("{name} IN ({})", words.join(", ")),
            };
        }
        intervals => intervals
            .iter()
            .map(|interval| match (interval.low, interval.high) {
                (low, high) if low == high => format!("{name} = {}", quoted(low)),
                (1, high) => format!("{name} <= {}", quoted(high)),
                (low, high) if high == column.bound() => format!("{name} >= {}", quoted(low)),
                (low, high) => format!("{name} BETWEEN {} AND {}", quoted(low), quoted(high)),
            })
            .collect(),
    };
    match parts.as_slice() {
        [part] => part.clone(),
        parts => format!("({})", parts.join(" OR ")),
    }
}
