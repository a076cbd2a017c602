//! Questions: SQL text from strangers, and queries of any form written as SQL.
#![expect(clippy::panic, reason = "a property that does not hold ends the process")]

use nightingale_circuits::cohort::{Column, Interval, Kind, Query, Schema, Term, Unit, text};
use nightingale_records::sql::{self, Asked};
use std::sync::LazyLock;

/// A table of each kind of column, with words and names that SQL must quote.
static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    let column = |name: &str, kind| Column { name: name.to_owned(), kind };
    let words =
        |words: &[&str]| Kind::Category { dictionary: words.iter().map(|word| (*word).to_owned()).collect() };
    let columns = vec![
        column("USUBJID", Kind::Key { count: 1000 }),
        column("ARM", words(&["Control", "it's", "Low; dose", "HIGH", "-- none", "\u{fc}\"x\""])),
        column("BASE", Kind::Integer { minimum: 50, maximum: 140, scale: 1 }),
        column("CHG", Kind::Integer { minimum: -6, maximum: 6, scale: 0 }),
        column("START", Kind::Date { minimum: 16_000, maximum: 16_040 }),
        column("SEX", words(&["F", "M"])),
        column("ORDER", Kind::Integer { minimum: 0, maximum: 9, scale: 0 }),
        column("WIDE", Kind::Integer { minimum: -2_000_000_000, maximum: 2_000_000_000, scale: 9 }),
    ];
    Schema::new("trial".to_owned(), columns, 0, Unit::Subject, 11)
        .unwrap_or_else(|error| panic!("the schema of this target: {error}"))
});

/// Text of one statement, and of a plan: what is understood has one canonical text, which reads back as the same query.
pub fn sql(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    let schemas = std::slice::from_ref(&*SCHEMA);
    match sql::parse(text, schemas) {
        Ok(asked) => stable(&asked),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    if let Ok(plan) = sql::parse_plan(text, schemas) {
        plan.iter().for_each(stable);
    }
}

fn stable(asked: &Asked) {
    let again = sql::parse(&asked.sql, std::slice::from_ref(&*SCHEMA));
    let again = again.unwrap_or_else(|error| panic!("the canonical text is refused: {error}: {}", asked.sql));
    assert!(again.query == asked.query && again.sql == asked.sql, "{} becomes {}", asked.sql, again.sql);
}

/// A query made of bytes, as it comes in files and messages: its text reads back as itself, and its normal form is its own.
pub fn query(bytes: &[u8]) {
    let mut bytes = bytes.iter().copied();
    let mut next = || bytes.next().unwrap_or_default();
    let terms = (0..next() % 70).map(|_| {
        let column = usize::from(next() % 9);
        let intervals = (0..next() % 8).map(|_| {
            let mut code = || u32::from_le_bytes([next(), next(), next() & 1, next() & 0x80]) & 0x8001_ffff;
            Interval { low: code() & 0xff, high: code() }
        });
        Term { column, intervals: intervals.collect() }
    });
    let terms: Vec<Term> = terms.collect();
    let mut list = || (0..next() % 4).map(|_| usize::from(next() % 9)).collect::<Vec<_>>();
    let (values, groups) = (list(), list());
    let Ok(query) = Query::new(&SCHEMA, terms, values, groups) else { return };
    let normal =
        Query::new(&SCHEMA, query.terms().to_vec(), query.values().to_vec(), query.groups().to_vec());
    assert!(normal.is_ok_and(|normal| normal == query), "a normal form is not its own");
    let written = text::sql(&SCHEMA, &query);
    let read = sql::parse(&written, std::slice::from_ref(&*SCHEMA));
    let read = read.unwrap_or_else(|error| panic!("a query's text is refused: {error}: {written}"));
    assert!(read.query == query, "{written} is read as {}", read.sql);
}
