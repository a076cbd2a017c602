//! What two released cells tell together because of who is in them: the subjects of one are nearly all of the other's.
//!
//! Who leaves a trial has no later visit, and who is in a table of events is in the table of subjects, too: the subjects of the later visit, or of
//! the event, lie within the others, and whoever reads the answers knows it, though no question says so. Where both cells sum a
//! value that a subject has once, the sums' difference is that of the few. Which cells lie in which is taken from the records here.

use super::super::{ColumnIndex, Query, Table, Unit, disclosure::hidden, evaluate::evaluate};
use std::collections::{BTreeMap, BTreeSet};

/// A cell of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The table; its index among those that were compared.
    pub table: usize,
    /// The question; its index among the table's.
    pub query: usize,
    /// The cell, in the order of [`Query::key`].
    pub cell: usize,
}

/// A cell whose subjects are another's and a few more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nested {
    /// The cell that counts them.
    pub with: Place,
    /// The cell that does not.
    pub without: Place,
    /// How many they are.
    pub subjects: u64,
    /// Columns that both sum and of which a subject has one value, so that the sums of these subjects are told, too.
    pub summed: Vec<String>,
}

/// The pairs of cells that questions of one dataset's tables show, each table with its questions, of which one holds from 1 to
/// `threshold - 1` subjects more than the other and all of the other's; each two sets of subjects once. The threshold is the larger one of both tables.
///
/// Left out are pairs within a table of one row a subject: [`differences`](super::differences) finds those from the questions' words.
#[must_use]
pub fn nested(asked: &[(&Table, Vec<&Query>)]) -> Vec<Nested> {
    if asked.len() < 2 && asked.iter().all(|(table, _)| table.schema().unit() == Unit::Subject) {
        return Vec::new();
    }
    let threshold = asked.iter().map(|(table, _)| table.schema().threshold() as usize).max().unwrap_or(0);
    let shown = shown(asked);
    let sets: Vec<(&Vec<u32>, &Vec<Shown<'_>>)> = shown.iter().collect();
    let mut by_first = BTreeMap::<u32, Vec<usize>>::new();
    for (set, (subjects, _)) in sets.iter().enumerate() {
        if let Some(first) = subjects.first() {
            by_first.entry(*first).or_default().push(set);
        }
    }
    let mut found = Vec::new();
    for (all, larger) in &sets {
        // Fewer than the threshold are missing from the smaller set: it begins with one of these.
        let begins = all.iter().take(threshold).filter_map(|first| by_first.get(first)).flatten();
        for (part, smaller) in begins.filter_map(|set| sets.get(*set)) {
            let more = all.len().saturating_sub(part.len());
            if (1..threshold).contains(&more) && is_within(part, all) {
                found.extend(told(asked, larger, smaller, more));
            }
        }
    }
    found
}

/// A cell that an answer shows, and the values of its subjects that it sums.
struct Shown<'a> {
    place: Place,
    values: BTreeSet<&'a str>,
}

/// The shown cells that are not empty, by their subjects' codes in ascending order.
fn shown<'a>(asked: &[(&'a Table, Vec<&Query>)]) -> BTreeMap<Vec<u32>, Vec<Shown<'a>>> {
    let mut shown = BTreeMap::<Vec<u32>, Vec<Shown<'_>>>::new();
    for (number, (table, queries)) in asked.iter().enumerate() {
        let columns = table.schema().columns();
        let once: Vec<bool> = (0..columns.len()).map(|column| is_once(table, column)).collect();
        for (place, query) in queries.iter().enumerate() {
            let name = |&column: &ColumnIndex| {
                columns.get(column).filter(|_| once.get(column).copied().unwrap_or_default())
            };
            let values: BTreeSet<&str> =
                query.values().iter().filter_map(name).map(|column| column.name.as_str()).collect();
            let judged = hidden(&evaluate(query, table), table.schema().threshold());
            for (cell, subjects) in subjects(query, table) {
                if !judged.hidden.get(cell).copied().unwrap_or_default() {
                    let place = Place { table: number, query: place, cell };
                    shown.entry(subjects).or_default().push(Shown { place, values: values.clone() });
                }
            }
        }
    }
    shown
}

/// Whether each subject has one code of a column.
fn is_once(table: &Table, column: ColumnIndex) -> bool {
    let mut codes = BTreeMap::new();
    let rows = table.codes(table.schema().subject()).iter().zip(table.codes(column));
    rows.into_iter().all(|(subject, code)| codes.insert(*subject, *code).is_none_or(|before| before == *code))
}

/// The codes of the subjects in each cell that is not empty, ascending.
fn subjects(query: &Query, table: &Table) -> BTreeMap<usize, Vec<u32>> {
    let dimensions = query.dimensions(table.schema());
    let mut cells = BTreeMap::<usize, Vec<u32>>::new();
    let subjects = table.codes(table.schema().subject()).iter().zip(table.consent());
    for (row, (subject, _)) in subjects.enumerate().filter(|(_, (_, consents))| **consents) {
        let code = |column: ColumnIndex| table.codes(column).get(row).copied().unwrap_or_default();
        if query.terms().iter().all(|term| term.holds(code(term.column))) {
            let groups = query.groups().iter().zip(&dimensions);
            let cell = groups.fold(0, |cell, (group, dimension)| cell * dimension + code(*group) as usize);
            cells.entry(cell).or_default().push(*subject);
        }
    }
    for subjects in cells.values_mut() {
        subjects.sort_unstable();
        subjects.dedup();
    }
    cells
}

/// Whether all of `part` are in `all`; both ascend.
fn is_within(part: &[u32], all: &[u32]) -> bool {
    let mut all = all.iter();
    part.iter().all(|one| all.any(|other| other == one))
}

/// Of the cells with these two sets of subjects, two that tell sums, or two that tell counts.
fn told(
    asked: &[(&Table, Vec<&Query>)],
    larger: &[Shown<'_>],
    smaller: &[Shown<'_>],
    more: usize,
) -> Option<Nested> {
    let several =
        |table: usize| asked.get(table).is_some_and(|(table, _)| table.schema().unit() != Unit::Subject);
    let pairs = larger.iter().flat_map(|with| smaller.iter().map(move |without| (with, without)));
    let pairs =
        pairs.filter(|(with, without)| with.place.table != without.place.table || several(with.place.table));
    let summed = |with: &Shown<'_>, without: &Shown<'_>| -> Vec<String> {
        with.values.intersection(&without.values).map(|name| (*name).to_owned()).collect()
    };
    let (with, without) = pairs.min_by_key(|(with, without)| summed(with, without).is_empty())?;
    Some(Nested {
        with: with.place,
        without: without.place,
        subjects: more as u64,
        summed: summed(with, without),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cohort::{Column, Interval, Kind, Schema, Term};

    const AGE: (usize, u32, u32) = (3, 1, 91);

    fn table(name: &str, unit: Unit, rows: &[[u32; 4]]) -> Option<Table> {
        let column = |name: &str, kind| Column { name: name.to_owned(), kind };
        let words = |words: &[&str]| Kind::Category {
            dictionary: words.iter().map(|word| (*word).to_owned()).collect(),
        };
        let columns = vec![
            column("usubjid", Kind::Key { count: 999 }),
            column("visit", words(&["1", "2", "3"])),
            column("arm", words(&["A", "B"])),
            column("age", Kind::Integer { minimum: 0, maximum: 90, scale: 0 }),
        ];
        let schema = Schema::new(name.to_owned(), columns, 0, unit, 11).ok()?;
        let codes = (0..4).map(|column| rows.iter().map(|row| row[column]).collect()).collect();
        Table::new(schema, codes, vec![true; rows.len()]).ok()
    }

    /// Who has a row for each visit: subjects from 1 on, arms by turns, everybody another age unless it `changes` from visit to visit.
    fn visits(attend: [u32; 3], changes: bool) -> Vec<[u32; 4]> {
        let row = |subject: u32, visit: u32| {
            [subject, visit, 1 + subject % 2, 1 + (subject + if changes { visit } else { 0 }) % 90]
        };
        let visits = |subject: u32| (1..).zip(attend).filter(move |(_, attend)| subject <= *attend);
        (1..=120).flat_map(|subject| visits(subject).map(move |(visit, _)| row(subject, visit))).collect()
    }

    fn query(
        table: &Table,
        terms: &[(usize, u32, u32)],
        values: &[usize],
        groups: &[usize],
    ) -> Option<Query> {
        let term = |&(column, low, high): &(usize, u32, u32)| Term {
            column,
            intervals: vec![Interval { low, high }],
        };
        Query::new(table.schema(), terms.iter().map(term).collect(), values.to_vec(), groups.to_vec()).ok()
    }

    type Told = ((usize, usize, usize), (usize, usize, usize), u64, Vec<String>);

    fn pairs(asked: &[(&Table, Vec<&Query>)]) -> Vec<Told> {
        let place = |place: Place| (place.table, place.query, place.cell);
        let told = nested(asked).into_iter();
        told.map(|told| (place(told.with), place(told.without), told.subjects, told.summed)).collect()
    }

    #[test]
    fn who_left_between_two_visits_is_told_by_one_answer() -> Result<(), &'static str> {
        let unit = Unit::SubjectAnd(1);
        let table = table("advs", unit, &visits([120, 119, 119], false)).ok_or("a table")?;
        let by_arm = query(&table, &[AGE], &[3], &[2, 1]).ok_or("a question")?;
        // Number 120, of the arm of even numbers. The last two visits have the same subjects, and the first of them is named.
        let age = vec!["age".to_owned()];
        assert_eq!(pairs(&[(&table, vec![&by_arm])]), [((0, 0, 4), (0, 0, 7), 1, age)]);
        // By two questions, each of one visit; and of counts alone.
        let at = |visit| query(&table, &[(1, visit, visit)], &[], &[2]);
        let (first, third) = (at(1).ok_or("a question")?, at(3).ok_or("a question")?);
        assert_eq!(pairs(&[(&table, vec![&first, &third])]), [((0, 0, 1), (0, 1, 1), 1, vec![])]);
        Ok(())
    }

    #[test]
    fn a_value_of_each_visit_is_told_by_no_difference_of_sums() -> Result<(), &'static str> {
        let unit = Unit::SubjectAnd(1);
        let table = table("advs", unit, &visits([120, 119, 119], true)).ok_or("a table")?;
        let by_arm = query(&table, &[AGE], &[3], &[2, 1]).ok_or("a question")?;
        assert_eq!(pairs(&[(&table, vec![&by_arm])]), [((0, 0, 4), (0, 0, 7), 1, vec![])]);
        Ok(())
    }

    #[test]
    fn many_who_left_are_not_told_nor_who_is_hidden() -> Result<(), &'static str> {
        let unit = Unit::SubjectAnd(1);
        let table = table("advs", unit, &visits([120, 96, 96], false)).ok_or("a table")?;
        let by_arm = query(&table, &[AGE], &[3], &[2, 1]).ok_or("a question")?;
        assert_eq!(pairs(&[(&table, vec![&by_arm])]), [], "twelve of each arm");
        let by_arm = query(&table, &[], &[], &[2, 1]).ok_or("a question")?;
        let table = self::table("advs", unit, &visits([10, 9, 9], false)).ok_or("a table")?;
        assert_eq!(pairs(&[(&table, vec![&by_arm])]), [], "all are hidden");
        Ok(())
    }

    #[test]
    fn who_has_no_row_in_a_second_table_is_told_by_both() -> Result<(), &'static str> {
        let all: Vec<[u32; 4]> = visits([120, 0, 0], false);
        let subjects = table("adsl", Unit::Subject, &all).ok_or("a table")?;
        let others = table("adrs", Unit::Subject, all.get(..118).ok_or("rows")?).ok_or("a table")?;
        let ages = query(&subjects, &[AGE], &[3], &[2]).ok_or("a question")?;
        let (with, without) = (vec![&ages], vec![&ages]);
        let age = vec!["age".to_owned()];
        let told = [((0, 0, 2), (1, 0, 2), 1, age.clone()), ((0, 0, 1), (1, 0, 1), 1, age)];
        assert_eq!(pairs(&[(&subjects, with), (&others, without)]), told);
        // Within one such table words say it all.
        let women = query(&subjects, &[AGE, (2, 1, 1)], &[3], &[]).ok_or("a question")?;
        assert_eq!(pairs(&[(&subjects, vec![&ages, &women])]), []);
        assert_eq!(pairs(&[(&subjects, vec![&ages, &women]), (&others, vec![])]), []);
        Ok(())
    }
}
