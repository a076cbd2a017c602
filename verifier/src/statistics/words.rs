//! Codes in words.

use nightingale_circuits::cohort::{
    Column, Kind,
    text::{date, decimal},
};

/// What stands for the missing value; a dictionary may have the same word, so that nothing is decided by it.
const MISSING: &str = "(missing)";

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
