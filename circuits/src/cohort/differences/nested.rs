//! What two released cells tell together because of who is in them: the subjects of one are nearly all of the other's.
//!
//! Who leaves a trial has no later visit, and who is in a table of events is in the table of subjects, too: the subjects of the later visit, or of
//! the event, lie within the others, and whoever reads the answers knows it, though no question says so. Where both cells sum a
//! value that a subject has once, the sums' difference is that of the few. Which cells lie in which is taken from the records here.

use super::super::{
    Column, ColumnIndex, Kind, Query, Table, Unit,
    disclosure::hidden,
    evaluate::{cell_of, evaluate},
};
use std::collections::BTreeMap;

/// A cell of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The table; its index among those that were compared.
    pub table: usize,
    /// The question; its index among the table's.
    pub query: usize,
    /// The cell, in the order of [`Query::key`]; `None` for all of them together, where the answer shows all.
    pub cell: Option<usize>,
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
    /// Columns that both sum, with the same value of each subject that is in both, so that the sums of these subjects are told, too.
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
    let sets: Vec<(&Vec<u32>, &Vec<Shown>)> = shown.iter().collect();
    let mut by_first = BTreeMap::<u32, Vec<usize>>::new();
    for (set, (subjects, _)) in sets.iter().enumerate() {
        if let Some(first) = subjects.first() {
            by_first.entry(*first).or_default().push(set);
        }
    }
    let mut found = Vec::new();
    for larger in &sets {
        // Fewer than the threshold are missing from the smaller set: it begins with one of these.
        let begins = larger.0.iter().take(threshold).filter_map(|first| by_first.get(first)).flatten();
        for smaller in begins.filter_map(|set| sets.get(*set)) {
            let more = larger.0.len().saturating_sub(smaller.0.len());
            if (1..threshold).contains(&more)
                && let Some(common) = places_within(smaller.0, larger.0)
            {
                found.extend(told(asked, larger.1, smaller.1, &common, more));
            }
        }
    }
    found
}

/// A cell that an answer shows, and what it sums.
#[derive(PartialEq)]
struct Shown {
    place: Place,
    values: Vec<Values>,
}

/// A column's values of a cell's subjects, in the order of their codes.
#[derive(PartialEq)]
struct Values {
    /// As the schema file writes it; names are alike whatever the case of their letters.
    name: String,
    of: Vec<i128>,
}

/// A cell that is not empty: its subjects' codes, ascending, and each one's values of the question's columns.
#[derive(Default)]
struct Members(BTreeMap<u32, Vec<i128>>);

impl Members {
    fn shown(self, columns: &[&Column], place: Place) -> (Vec<u32>, Shown) {
        let subjects = self.0.keys().copied().collect();
        let values = columns.iter().enumerate().map(|(value, column)| Values {
            name: column.name.clone(),
            of: self.0.values().filter_map(|values| values.get(value)).copied().collect(),
        });
        (subjects, Shown { place, values: values.collect() })
    }
}

/// The cells that are shown, by their subjects; of the same table, subjects and values the first one.
fn shown(asked: &[(&Table, Vec<&Query>)]) -> BTreeMap<Vec<u32>, Vec<Shown>> {
    let mut shown = BTreeMap::<Vec<u32>, Vec<Shown>>::new();
    for (number, (table, queries)) in asked.iter().enumerate() {
        for (place, query) in queries.iter().enumerate() {
            let at = |cell| Place { table: number, query: place, cell };
            let columns: Vec<&Column> =
                query.values().iter().filter_map(|column| table.schema().columns().get(*column)).collect();
            let judged = hidden(&evaluate(query, table), table.schema().threshold());
            let is_hidden = |cell: usize| judged.hidden.get(cell).copied().unwrap_or(true);
            let mut cells = members(query, table);
            let mut found = Vec::new();
            // Of several cells together, where no subject is in two of them.
            if cells.len() > 1 && cells.keys().all(|cell| !is_hidden(*cell)) {
                let count: usize = cells.values().map(|members| members.0.len()).sum();
                let all = cells.values().flat_map(|members| members.0.clone()).collect::<BTreeMap<_, _>>();
                if all.len() == count {
                    found.push(Members(all).shown(&columns, at(None)));
                }
            }
            cells.retain(|cell, _| !is_hidden(*cell));
            found.extend(cells.into_iter().map(|(cell, members)| members.shown(&columns, at(Some(cell)))));
            for (subjects, cell) in found {
                let alike = shown.entry(subjects).or_default();
                if !alike.iter().any(|other| other.place.table == number && other.values == cell.values) {
                    alike.push(cell);
                }
            }
        }
    }
    shown
}

/// Who is in each cell that is not empty.
fn members(query: &Query, table: &Table) -> BTreeMap<usize, Members> {
    let schema = table.schema();
    let dimensions = query.dimensions(schema);
    let mut cells = BTreeMap::<usize, Members>::new();
    let rows = table.codes(schema.subject()).iter().zip(table.consent()).enumerate();
    for (row, (subject, _)) in rows.filter(|(_, (_, consents))| **consents) {
        let code = |column: ColumnIndex| table.codes(column).get(row).copied().unwrap_or_default();
        if let Some(cell) = cell_of(query, &dimensions, code) {
            let of = |column: &ColumnIndex| {
                schema.columns().get(*column).map(|found| value(found, code(*column))).unwrap_or_default()
            };
            let values = query.values().iter().map(of).collect();
            cells.entry(cell).or_default().0.insert(*subject, values);
        }
    }
    cells
}

/// What a code of a column stands for: in billionths, the finest there are, so that two columns of different places are alike.
fn value(column: &Column, code: u32) -> i128 {
    let scale = match column.kind {
        Kind::Integer { scale, .. } => u32::from(scale),
        Kind::Date { .. } | Kind::Category { .. } | Kind::Key { .. } => 0,
    };
    let units = i128::from(column.offset().unwrap_or_default()) + i128::from(code);
    units * 10_i128.pow(9_u32.saturating_sub(scale))
}

/// The places in `all` of those of `part`, where all of them are there; both ascend.
fn places_within(part: &[u32], all: &[u32]) -> Option<Vec<usize>> {
    let mut all = all.iter().enumerate();
    part.iter().map(|one| all.find(|(_, other)| *other == one).map(|(place, _)| place)).collect()
}

/// Of the cells with these two sets of subjects, two that tell sums, or two that tell counts. The smaller set's subjects are at the `common` places
/// of the larger one.
fn told(
    asked: &[(&Table, Vec<&Query>)],
    larger: &[Shown],
    smaller: &[Shown],
    common: &[usize],
    more: usize,
) -> Option<Nested> {
    let schema = |place: Place| asked.get(place.table).map(|(table, _)| table.schema());
    let threshold = |place| schema(place).map_or(0, |schema| schema.threshold() as usize);
    let several = |place| schema(place).is_some_and(|schema| schema.unit() != Unit::Subject);
    let mut counts = None;
    for (with, without) in larger.iter().flat_map(|with| smaller.iter().map(move |without| (with, without))) {
        let (one, other) = (with.place, without.place);
        let told_by_words = one.table == other.table && !several(one);
        if told_by_words || more >= threshold(one).max(threshold(other)) {
            continue;
        }
        let is_alike = |values: &&Values| {
            let mut others =
                without.values.iter().filter(|other| values.name.eq_ignore_ascii_case(&other.name));
            others.any(|other| common.iter().map(|place| values.of.get(*place)).eq(other.of.iter().map(Some)))
        };
        let summed: Vec<String> =
            with.values.iter().filter(is_alike).map(|values| values.name.clone()).collect();
        let told = Nested { with: one, without: other, subjects: more as u64, summed };
        if !told.summed.is_empty() {
            return Some(told);
        }
        counts = counts.or(Some(told));
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::{super::tests::query, *};
    use crate::cohort::Schema;

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

    type At = (usize, usize, Option<usize>);
    type Told = (At, At, u64, Vec<String>);

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
        assert_eq!(pairs(&[(&table, vec![&by_arm])]), [((0, 0, Some(4)), (0, 0, Some(7)), 1, age)]);
        // By two questions, each of one visit; and of counts alone.
        let at = |visit| query(&table, &[(1, visit, visit)], &[], &[2]);
        let (first, third) = (at(1).ok_or("a question")?, at(3).ok_or("a question")?);
        assert_eq!(
            pairs(&[(&table, vec![&first, &third])]),
            [((0, 0, None), (0, 1, None), 1, vec![]), ((0, 0, Some(1)), (0, 1, Some(1)), 1, vec![])]
        );
        Ok(())
    }

    #[test]
    fn a_value_of_each_visit_is_told_by_no_difference_of_sums() -> Result<(), &'static str> {
        let unit = Unit::SubjectAnd(1);
        let table = table("advs", unit, &visits([120, 119, 119], true)).ok_or("a table")?;
        let by_arm = query(&table, &[AGE], &[3], &[2, 1]).ok_or("a question")?;
        assert_eq!(pairs(&[(&table, vec![&by_arm])]), [((0, 0, Some(4)), (0, 0, Some(7)), 1, vec![])]);
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
    fn a_value_that_some_lack_at_one_visit_is_summed_all_the_same() -> Result<(), &'static str> {
        let mut rows = visits([120, 119, 118], false);
        // Twelve at the first visit, so that nothing is hidden for them. Of the second less the third, number 119 is told.
        rows.iter_mut().filter(|row| row[0] <= 12 && row[1] == 1).for_each(|row| row[3] = 0);
        let table = table("advs", Unit::SubjectAnd(1), &rows).ok_or("a table")?;
        let by_visit = query(&table, &[AGE], &[3], &[1]).ok_or("a question")?;
        let age = vec!["age".to_owned()];
        assert_eq!(pairs(&[(&table, vec![&by_visit])]), [((0, 0, Some(2)), (0, 0, Some(3)), 1, age)]);
        Ok(())
    }

    #[test]
    fn two_tables_are_compared_by_the_larger_of_their_own_thresholds() -> Result<(), &'static str> {
        let all = visits([120, 0, 0], false);
        let subjects = table("adsl", Unit::Subject, &all).ok_or("a table")?;
        let others = table("adrs", Unit::Subject, all.get(..106).ok_or("rows")?).ok_or("a table")?;
        let (schema, rows) = (subjects.schema(), subjects.rows());
        let codes = (0..4).map(|column| subjects.codes(column).to_vec()).collect();
        let named =
            |column: &Column| Column { name: column.name.to_ascii_uppercase(), kind: column.kind.clone() };
        let columns = schema.columns().iter().map(named).collect();
        let strict = Schema::new("strict".to_owned(), columns, 0, Unit::Subject, 20).ok();
        let strict =
            strict.and_then(|schema| Table::new(schema, codes, vec![true; rows]).ok()).ok_or("a table")?;
        let ages = query(&subjects, &[AGE], &[3], &[]).ok_or("a question")?;
        let asked = |table| (table, vec![&ages]);
        assert_eq!(pairs(&[asked(&subjects), asked(&others), (&strict, vec![])]), [], "fourteen are not few");
        // Names are alike whatever the case of their letters.
        let told = ((0, 0, Some(0)), (1, 0, Some(0)), 14, vec!["AGE".to_owned()]);
        assert_eq!(pairs(&[asked(&strict), asked(&others)]), [told]);
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
        let told = [
            ((0, 0, None), (1, 0, None), 2, age.clone()),
            ((0, 0, Some(2)), (1, 0, Some(2)), 1, age.clone()),
            ((0, 0, Some(1)), (1, 0, Some(1)), 1, age),
        ];
        assert_eq!(pairs(&[(&subjects, with), (&others, without)]), told);
        // Within one such table words say it all.
        let women = query(&subjects, &[AGE, (2, 1, 1)], &[3], &[]).ok_or("a question")?;
        assert_eq!(pairs(&[(&subjects, vec![&ages, &women])]), []);
        assert_eq!(pairs(&[(&subjects, vec![&ages, &women]), (&others, vec![])]), []);
        Ok(())
    }
}
