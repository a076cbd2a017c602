//! Answers about a trial, built row by row through the reference evaluator, for the tests of what is derived.

use nightingale_circuits::cohort::{
    Column, Interval, Kind, Query, Schema, Table, Term, Unit,
    disclosure::{answer, hidden},
    evaluate::evaluate,
};
use nightingale_verifier::statistics::{Figure, Finding, Kind as Finds, Row, Source, Statistics, Word};

pub(super) fn category(name: &str, words: &[&str]) -> Column {
    let dictionary = words.iter().map(|&word| word.to_owned()).collect();
    Column { name: name.to_owned(), kind: Kind::Category { dictionary } }
}

pub(super) fn number(name: &str, minimum: i64, maximum: i64) -> Column {
    Column { name: name.to_owned(), kind: Kind::Integer { minimum, maximum, scale: 0 } }
}

/// A table of these columns, a subject key before them; `None` is missing. Values of categories are their places from 0.
pub(super) struct Trial {
    pub(super) schema: Schema,
    rows: Vec<Vec<Option<i64>>>,
    /// The subject of each row.
    subjects: Vec<u32>,
}

impl Trial {
    /// One row a subject.
    pub(super) fn new(table: &str, columns: Vec<Column>, rows: Vec<Vec<Option<i64>>>) -> Self {
        let subjects = (1..).take(rows.len()).collect();
        Self::of(table, columns, rows, subjects, Unit::Subject)
    }

    /// One row a subject and code of the first column given; rows are ordered here.
    pub(super) fn events(table: &str, columns: Vec<Column>, rows: Vec<(u32, Vec<Option<i64>>)>) -> Self {
        let mut rows = rows;
        rows.sort_by_key(|(subject, row)| (*subject, row[0]));
        let (subjects, rows) = rows.into_iter().unzip();
        Self::of(table, columns, rows, subjects, Unit::SubjectAnd(1))
    }

    fn of(
        table: &str,
        columns: Vec<Column>,
        rows: Vec<Vec<Option<i64>>>,
        subjects: Vec<u32>,
        unit: Unit,
    ) -> Self {
        let count = subjects.iter().copied().max().unwrap();
        let key = Column { name: "USUBJID".to_owned(), kind: Kind::Key { count } };
        let columns = [vec![key], columns].concat();
        let schema = Schema::new(table.to_owned(), columns, 0, unit, 11).unwrap();
        Self { schema, rows, subjects }
    }

    fn column(&self, name: &str) -> usize {
        self.schema.find(name).unwrap()
    }

    fn code(column: &Column, value: Option<i64>) -> u32 {
        let first = column.offset().map_or(0, |offset| offset + 1);
        value.map_or(0, |value| u32::try_from(value - first + 1).unwrap())
    }

    /// The answer for rows that have these values in these columns; counts from 1 to `threshold - 1` are hidden.
    pub(super) fn ask(
        &self,
        equal: &[(&str, i64)],
        values: &[&str],
        groups: &[&str],
        threshold: u32,
    ) -> Source {
        let terms = equal.iter().map(|&(name, value)| {
            let column = self.column(name);
            let code = Self::code(&self.schema.columns()[column], Some(value));
            Term { column, intervals: vec![Interval { low: code, high: code }] }
        });
        let indices = |names: &[&str]| names.iter().map(|name| self.column(name)).collect::<Vec<_>>();
        let query = Query::new(&self.schema, terms.collect(), indices(values), indices(groups)).unwrap();
        let mut codes = vec![self.subjects.clone()];
        for (index, column) in self.schema.columns().iter().enumerate().skip(1) {
            codes.push(self.rows.iter().map(|row| Self::code(column, row[index - 1])).collect());
        }
        let table = Table::new(self.schema.clone(), codes, vec![true; self.rows.len()]).unwrap();
        let totals = evaluate(&query, &table);
        let answer = answer(&totals, &hidden(&totals, threshold));
        Source::new(self.schema.clone(), query, answer, threshold).unwrap()
    }
}

/// The only finding of a kind.
#[track_caller]
pub(super) fn only(statistics: &Statistics, kind: Finds) -> &Finding {
    let found: Vec<_> = statistics.findings.iter().filter(|finding| finding.kind == kind).collect();
    assert_eq!(found.len(), 1, "{kind:?} in\n{statistics}");
    found[0]
}

/// The row with exactly these groups, `a/b` for two that are compared.
#[track_caller]
pub(super) fn row<'a>(finding: &'a Finding, groups: &[&str]) -> &'a Row {
    let words = |row: &Row| -> Vec<String> {
        let word = |word: &Word| match word {
            Word::One(word) => word.clone(),
            Word::Versus(first, second) => format!("{first}/{second}"),
        };
        row.key.iter().map(|(_, key)| word(key)).collect()
    };
    let found = finding.rows.iter().find(|row| words(row) == groups);
    assert!(found.is_some(), "{groups:?} in\n{finding}");
    found.unwrap()
}

#[track_caller]
pub(super) fn number_of(row: &Row, name: &str) -> f64 {
    let number = match row.figure(name) {
        Some(Figure::Number(number)) => Some(*number),
        Some(Figure::Count(count)) => Some(*count as f64),
        _ => None,
    };
    assert!(number.is_some(), "{name} is no number in {row:?}");
    number.unwrap()
}
