//! A query as SQL, made from query and schema alone, so that what a person reads is what is proven: a query has one text, and the text reads back as
//! the query.

use super::value;
use crate::cohort::{Column, ColumnIndex, Interval, Kind, Query, Schema, Term};
use std::{iter, ops::Range};

/// The query.
#[must_use]
pub fn sql(schema: &Schema, query: &Query) -> String {
    let name = |column: &ColumnIndex| {
        schema.columns().get(*column).map_or_else(String::new, |column| identifier(&column.name))
    };
    let groups: Vec<String> = query.groups().iter().map(name).collect();
    let values = query.values().iter().map(|column| format!("SUM({})", name(column)));
    let selected: Vec<String> = groups.iter().cloned().chain(["COUNT(*)".to_owned()]).chain(values).collect();
    let mut text = format!("SELECT {} FROM {}", selected.join(", "), identifier(schema.table()));
    let columns = |term: &Term| schema.columns().get(term.column);
    let terms: Vec<String> =
        query.terms().iter().filter_map(|term| Some(condition(columns(term)?, term))).collect();
    if !terms.is_empty() {
        text.push_str(&format!(" WHERE {}", terms.join(" AND ")));
    }
    if !groups.is_empty() {
        text.push_str(&format!(" GROUP BY {}", groups.join(", ")));
    }
    text
}

/// One of its terms, which is about this column.
#[must_use]
pub fn condition(column: &Column, term: &Term) -> String {
    condition_on(&column.name, column, term)
}

/// The same, the column being called by another name.
#[must_use]
pub fn condition_on(name: &str, column: &Column, term: &Term) -> String {
    let name = identifier(name);
    if term.intervals.as_slice() == [(Interval { low: 1, high: column.bound() })] {
        return format!("{name} IS NOT NULL");
    }
    match &column.kind {
        Kind::Category { dictionary } => words(&name, dictionary, &term.intervals),
        _ => ranges(&name, column, &term.intervals),
    }
}

/// IN, or NOT IN where that is shorter. The work is that of the words which are written, not of the dictionary: a stranger's file may ask often of a
/// long one.
fn words(name: &str, dictionary: &[String], intervals: &[Interval]) -> String {
    // Places from 0, the end not included.
    let place = |code: u32| usize::try_from(code).unwrap_or(usize::MAX).min(dictionary.len());
    let inside: Vec<Range<usize>> = intervals
        .iter()
        .map(|interval| place(interval.low.saturating_sub(1))..place(interval.high))
        .collect();
    let starts = iter::once(0).chain(inside.iter().map(|range| range.end));
    let ends = inside.iter().map(|range| range.start).chain([dictionary.len()]);
    let outside: Vec<Range<usize>> = starts.zip(ends).map(|(start, end)| start..end).collect();
    let count = |ranges: &[Range<usize>]| ranges.iter().map(ExactSizeIterator::len).sum::<usize>();
    let list = |ranges: &[Range<usize>]| {
        let words = ranges.iter().filter_map(|range| dictionary.get(range.clone())).flatten();
        words.map(|word| quoted(word)).collect::<Vec<_>>().join(", ")
    };
    match (count(&inside), count(&outside)) {
        (0, _) => dictionary.first().map_or_else(String::new, |word| {
            let word = quoted(word);
            format!("{name} = {word} AND {name} <> {word}")
        }),
        (1, _) => format!("{name} = {}", list(&inside)),
        (_, 1) => format!("{name} <> {}", list(&outside)),
        (some, others) if some <= others => format!("{name} IN ({})", list(&inside)),
        _ => format!("{name} NOT IN ({})", list(&outside)),
    }
}

/// Comparisons, joined by OR where there are several.
fn ranges(name: &str, column: &Column, intervals: &[Interval]) -> String {
    let literal = |code: u32| {
        let value = value(column, code).unwrap_or_default();
        if matches!(column.kind, Kind::Date { .. }) { quoted(&value) } else { value }
    };
    let one = |interval: &Interval| match (interval.low, interval.high) {
        (low, high) if low == high => format!("{name} = {}", literal(low)),
        (1, high) => format!("{name} <= {}", literal(high)),
        (low, high) if high == column.bound() => format!("{name} >= {}", literal(low)),
        (low, high) => format!("{name} BETWEEN {} AND {}", literal(low), literal(high)),
    };
    match intervals {
        [] => format!("{name} < {}", literal(1)),
        [interval] => one(interval),
        several if several.iter().all(|interval| interval.low == interval.high) => {
            let values: Vec<String> = several.iter().map(|interval| literal(interval.low)).collect();
            format!("{name} IN ({})", values.join(", "))
        }
        several => format!("({})", several.iter().map(one).collect::<Vec<_>>().join(" OR ")),
    }
}

fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', "''"))
}

/// A name, in double quotes if SQL would take it for something else; a schema lets only letters, digits and `_` into names.
fn identifier(name: &str) -> String {
    if RESERVED.binary_search(&name.to_ascii_uppercase().as_str()).is_ok() {
        format!("\"{name}\"")
    } else {
        name.to_owned()
    }
}

/// Words that are no names without quotes, in alphabetical order: a test over all keywords of the parser keeps it complete.
#[rustfmt::skip]
const RESERVED: [&str; 70] = [
    "ALL", "AND", "ANY", "AS", "ASC", "BETWEEN", "BY", "CASE", "CAST", "CROSS", "CUBE", "CURRENT_CATALOG",
    "CURRENT_DATE", "CURRENT_TIME", "CURRENT_TIMESTAMP", "CURRENT_USER", "DESC", "DISTINCT", "ELSE", "END", "EXCEPT",
    "EXISTS", "FALSE", "FETCH", "FROM", "FULL", "GROUP", "HAVING", "IN", "INNER", "INTERSECT", "INTERVAL", "INTO", "IS",
    "JOIN", "LATERAL", "LEFT", "LIKE", "LIMIT", "LOCALTIME", "LOCALTIMESTAMP", "NATURAL", "NOT", "NULL", "OFFSET", "ON",
    "OR", "ORDER", "OUTER", "RETURNING", "RIGHT", "ROLLUP", "SELECT", "SESSION_USER", "SET", "SOME", "STRUCT", "TABLE",
    "THEN", "TOP", "TRIM", "TRUE", "UNION", "UNNEST", "USER", "USING", "VALUES", "WHEN", "WHERE", "WITH",
];
