//! A query in its canonical text: the same query has one text, and the text reads back as the query.

use crate::trial::{Day, Decimal};
use nightingale_circuits::cohort::{Column, Interval, Kind, Query, Schema, Term};
use sqlparser::{
    dialect::GenericDialect,
    keywords::{ALL_KEYWORDS, ALL_KEYWORDS_INDEX, RESERVED_FOR_COLUMN_ALIAS},
    parser::Parser,
};

/// The query as SQL, in the columns' own units.
#[must_use]
pub fn write(query: &Query, schema: &Schema) -> String {
    let name = |column: &usize| {
        schema.columns().get(*column).map_or_else(String::new, |column| identifier(&column.name))
    };
    let groups: Vec<String> = query.groups().iter().map(name).collect();
    let values = query.values().iter().map(|column| format!("SUM({})", name(column)));
    let list: Vec<String> = groups.iter().cloned().chain(["COUNT(*)".to_owned()]).chain(values).collect();
    let mut sql = format!("SELECT {} FROM {}", list.join(", "), identifier(schema.table()));
    let terms: Vec<String> = query
        .terms()
        .iter()
        .filter_map(|term| Some(condition(schema.columns().get(term.column)?, term)))
        .collect();
    if !terms.is_empty() {
        sql.push_str(&format!(" WHERE {}", terms.join(" AND ")));
    }
    if !groups.is_empty() {
        sql.push_str(&format!(" GROUP BY {}", groups.join(", ")));
    }
    sql
}

fn condition(column: &Column, term: &Term) -> String {
    let (name, bound) = (identifier(&column.name), column.bound());
    if term.intervals.as_slice() == [(Interval { low: 1, high: bound })] {
        return format!("{name} IS NOT NULL");
    }
    match &column.kind {
        Kind::Category { dictionary } => words(&name, dictionary, &term.intervals),
        _ => ranges(&name, column, &term.intervals),
    }
}

/// IN, or NOT IN where that is shorter.
fn words(name: &str, dictionary: &[String], intervals: &[Interval]) -> String {
    let holds = |code: u32| intervals.iter().any(|interval| interval.holds(code));
    let (inside, outside): (Vec<_>, Vec<_>) =
        dictionary.iter().zip(1u32..).partition(|(_, code)| holds(*code));
    let quoted =
        |words: &[(&String, u32)]| words.iter().map(|(word, _)| quoted(word)).collect::<Vec<_>>().join(", ");
    match (inside.as_slice(), outside.as_slice()) {
        ([], _) => dictionary.first().map_or_else(String::new, |word| {
            let word = self::quoted(word);
            format!("{name} = {word} AND {name} <> {word}")
        }),
        ([_], _) => format!("{name} = {}", quoted(&inside)),
        (_, [_]) => format!("{name} <> {}", quoted(&outside)),
        (some, others) if some.len() <= others.len() => format!("{name} IN ({})", quoted(some)),
        (_, others) => format!("{name} NOT IN ({})", quoted(others)),
    }
}

/// Comparisons, joined by OR where there are several.
fn ranges(name: &str, column: &Column, intervals: &[Interval]) -> String {
    let value = |code: u32| value(column, code);
    let one = |interval: &Interval| match (interval.low, interval.high) {
        (low, high) if low == high => format!("{name} = {}", value(low)),
        (1, high) => format!("{name} <= {}", value(high)),
        (low, high) if high == column.bound() => format!("{name} >= {}", value(low)),
        (low, high) => format!("{name} BETWEEN {} AND {}", value(low), value(high)),
    };
    match intervals {
        [] => format!("{name} < {}", value(1)),
        [interval] => one(interval),
        several if several.iter().all(|interval| interval.low == interval.high) => {
            format!(
                "{name} IN ({})",
                several.iter().map(|interval| value(interval.low)).collect::<Vec<_>>().join(", ")
            )
        }
        several => format!("({})", several.iter().map(one).collect::<Vec<_>>().join(" OR ")),
    }
}

/// A code's number or day.
fn value(column: &Column, code: u32) -> String {
    let units = column.offset().unwrap_or(0).saturating_add(i64::from(code));
    match &column.kind {
        Kind::Date { .. } => {
            Day::from_number(units).map_or_else(|| units.to_string(), |day| format!("'{day}'"))
        }
        Kind::Integer { scale, .. } => Decimal::new(i128::from(units), *scale)
            .map_or_else(|_| units.to_string(), |value| value.to_string()),
        _ => units.to_string(),
    }
}

fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', "''"))
}

/// A name, in double quotes if SQL, or the parser, would take it for something else.
fn identifier(name: &str) -> String {
    let keyword = ALL_KEYWORDS.binary_search(&name.to_ascii_uppercase().as_str()).ok();
    let reserved =
        keyword.is_some_and(|place| RESERVED_FOR_COLUMN_ALIAS.contains(&ALL_KEYWORDS_INDEX[place]));
    let probe = format!(
        "SELECT {name}, SUM({name}) FROM {name} WHERE {name} = 1 AND {name} IS NOT NULL AND ({name} BETWEEN 1 AND 2 OR {name} < '') GROUP BY {name}"
    );
    let as_probed = Parser::parse_sql(&GenericDialect {}, &probe)
        .is_ok_and(|statements| statements.iter().map(ToString::to_string).eq([probe]));
    if as_probed && !reserved { name.to_owned() } else { format!("\"{name}\"") }
}
