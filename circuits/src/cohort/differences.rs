//! What two released answers tell together: the subjects that one counts and the other does not.
//!
//! `WHERE AGE IS NOT NULL` less `WHERE AGE IS NOT NULL AND SEX = 'F'` is the men whose age is known, whether or not anything judged how few they
//! are. The disclosure rule judges one answer at a time; whoever makes a plan holds the records, and can look at two. Whether a cell lies
//! within another follows from the two questions, as whoever reads the answers would reason; conditions on other columns that say the same are
//! not seen, nor what three answers tell. What follows from who is in which rows, and not from the questions, is [`nested`]'s.

pub mod nested;

use super::{ColumnIndex, Interval, Query, Table, Unit, disclosure::hidden, evaluate::evaluate};
use std::collections::BTreeMap;

/// A group of fewer subjects than the threshold that two released answers tell of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The question that counts them; its index among those that were compared.
    pub with: usize,
    /// The question that leaves them out of the same rows; its index.
    pub without: usize,
    /// The first cell of `with` in which they may be.
    pub cell: usize,
    /// How many such cells there are.
    pub cells: usize,
    /// How many they are: rows, which where a subject has several may be fewer subjects.
    pub subjects: u64,
    /// Columns that both sum, so that the sums of these subjects are told, too.
    pub summed: Vec<ColumnIndex>,
    /// Whether the cells are all that the first question hides, of which the table's number of rows tells the count together.
    pub by_rows: bool,
}

/// The differences between each two of `queries`, as the table's threshold has them answered: of each pair the one that tells sums, and of such the fewest
/// subjects.
///
/// For cells `A_i` that one answer shows and the cells `B_j` within them that the other shows, `sum #A_i - sum #B_j` is from 1 to
/// `threshold - 1`. Tried are the cells in which a `B_j` may lie; and, where a question has no condition, all cells that it hides: they hold
/// the rows that it does not show, and how many rows there are is public.
#[must_use]
pub fn differences(table: &Table, queries: &[&Query]) -> Vec<Difference> {
    let answers: Vec<Shown<'_>> = queries.iter().map(|query| Shown::of(table, query)).collect();
    let threshold = u64::from(table.schema().threshold());
    let mut found = Vec::new();
    for (with, larger) in answers.iter().enumerate() {
        for (without, smaller) in answers.iter().enumerate().filter(|(without, _)| *without != with) {
            if let Some(Few { subjects, cell, cells, by_rows }) = larger.less(smaller, threshold) {
                // The number of rows says nothing of sums.
                let both = |column: &&ColumnIndex| !by_rows && smaller.query.values().contains(column);
                let summed = larger.query.values().iter().filter(both).copied().collect();
                found.push(Difference { with, without, cell, cells, subjects, summed, by_rows });
            }
        }
    }
    found
}

/// An answer's counts of the cells that it shows.
struct Shown<'a> {
    query: &'a Query,
    /// Each cell's codes of the groups, and its count; `None` where it is hidden.
    cells: Vec<(Vec<u32>, Option<u64>)>,
    /// The first cell that is hidden, how many are, and their count together, where the number of rows tells it.
    hidden: Option<(usize, usize, u64)>,
}

/// Few subjects in cells of one answer that no cell of another within them counts.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Few {
    by_rows: bool,
    subjects: u64,
    cells: usize,
    cell: usize,
}

/// Cells in which those of another answer may lie.
#[derive(Default)]
struct Region {
    /// Their counts together; `None` where one of them is hidden.
    held: Option<u64>,
    /// The first of them, and how many they are.
    cells: Option<(usize, usize)>,
    /// Whether one of them is shown.
    is_shown: bool,
    /// What the other answer counts of their rows.
    counted: u64,
}

impl<'a> Shown<'a> {
    fn of(table: &Table, query: &'a Query) -> Self {
        let totals = evaluate(query, table);
        let judged = hidden(&totals, table.schema().threshold());
        let counts = totals.cells.iter().zip(&judged.hidden);
        let cells = counts.enumerate().map(|(cell, (figures, hidden))| {
            (query.key(table.schema(), cell), (!hidden).then_some(figures.count))
        });
        // Of a table with several rows a subject they may be one subject's.
        let is_told = query.terms().is_empty()
            && table.schema().unit() == Unit::Subject
            && table.consent().iter().all(|consents| *consents);
        let cells_hidden =
            totals.cells.iter().zip(&judged.hidden).enumerate().filter(|(_, (_, hidden))| **hidden);
        let hidden = cells_hidden.filter(|_| is_told).fold(None, |all, (cell, (figures, _))| {
            let (first, cells, held) = all.unwrap_or((cell, 0, 0));
            Some((first, cells + 1, held + figures.count))
        });
        Self { query, cells: cells.collect(), hidden }
    }

    /// The fewest subjects in cells of this answer that no cell of the other one within them counts, where they are few. Those of which sums may be
    /// told go first.
    fn less(&self, other: &Self, threshold: u64) -> Option<Few> {
        let groups = self.query.groups();
        // Of a column that the other answer groups by, each of its cells has one code; of any other column, all of its cells may have the same ones.
        let place = |group: &ColumnIndex| other.query.groups().iter().position(|column| column == group);
        let places: Vec<Option<usize>> = groups.iter().map(place).collect();
        let mut regions = BTreeMap::<Vec<u32>, Region>::new();
        for (key, count) in &other.cells {
            let part = Part { query: other.query, key };
            if let Some(count) = count.filter(|count| *count > 0 && part.passes(self.query)) {
                let codes = places.iter().flatten().filter_map(|place| key.get(*place)).copied();
                let fresh = || Region { held: Some(0), ..Region::default() };
                regions.entry(codes.collect()).or_insert_with(fresh).counted += count;
            }
        }
        if regions.is_empty() {
            return None;
        }
        // A column has at most one term.
        let may_have =
            |group, code| other.query.terms().iter().all(|term| term.column != group || term.holds(code));
        for (cell, (key, count)) in self.cells.iter().enumerate() {
            let mut columns = groups.iter().zip(&places).zip(key);
            if columns.any(|((group, place), code)| place.is_none() && !may_have(*group, *code)) {
                continue;
            }
            let shared = places.iter().zip(key).filter(|(place, _)| place.is_some());
            let codes: Vec<u32> = shared.map(|(_, code)| *code).collect();
            if let Some(region) = regions.get_mut(&codes) {
                region.held = region.held.zip(*count).map(|(held, count)| held + count);
                region.is_shown |= count.is_some();
                let (first, cells) = region.cells.unwrap_or((cell, 0));
                region.cells = Some((first, cells + 1));
            }
        }
        let left = regions.values().filter_map(|region| {
            let ((cell, cells), subjects) = region.cells.zip(region.held?.checked_sub(region.counted))?;
            Some(Few { by_rows: false, subjects, cells, cell })
        });
        let among_hidden = regions.values().filter(|region| region.cells.is_some() && !region.is_shown);
        let counted: u64 = among_hidden.map(|region| region.counted).sum();
        let of_rows = self.hidden.filter(|_| counted > 0).and_then(|(cell, cells, held)| {
            Some(Few { by_rows: true, subjects: held.checked_sub(counted)?, cells, cell })
        });
        left.chain(of_rows).filter(|few| (1..threshold).contains(&few.subjects)).min()
    }
}

/// The rows of one cell, as its question describes them.
struct Part<'a> {
    query: &'a Query,
    key: &'a [u32],
}

/// What a question says of the codes of a column.
enum Codes<'a> {
    One(u32),
    Within(&'a [Interval]),
    Any,
}

impl Part<'_> {
    fn codes(&self, column: ColumnIndex) -> Codes<'_> {
        let mut groups = self.query.groups().iter().zip(self.key);
        if let Some((_, &code)) = groups.find(|(group, _)| **group == column) {
            return Codes::One(code);
        }
        let term = self.query.terms().iter().find(|term| term.column == column);
        term.map_or(Codes::Any, |term| Codes::Within(&term.intervals))
    }

    /// Whether all of them pass the filter of `query`.
    fn passes(&self, query: &Query) -> bool {
        query.terms().iter().all(|term| match self.codes(term.column) {
            Codes::One(code) => term.holds(code),
            Codes::Within(intervals) => intervals.iter().all(|inner| {
                term.intervals.iter().any(|outer| outer.low <= inner.low && inner.high <= outer.high)
            }),
            Codes::Any => false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cohort::{Column, Kind, Schema, Term};

    const ARM: usize = 1;
    const SEX: usize = 2;
    const AGE: usize = 3;
    /// All known ages.
    const KNOWN: (usize, u32, u32) = (AGE, 1, 91);
    const FEMALE: (usize, u32, u32) = (SEX, 1, 1);

    /// A row is (arm, sex, age), repeated.
    fn table(rows: &[(u32, u32, u32, usize)]) -> Option<Table> {
        let column = |name: &str, kind| Column { name: name.to_owned(), kind };
        let words = |words: &[&str]| Kind::Category {
            dictionary: words.iter().map(|word| (*word).to_owned()).collect(),
        };
        let columns = vec![
            column("usubjid", Kind::Key { count: 999 }),
            column("arm", words(&["A", "B", "C"])),
            column("sex", words(&["F", "M"])),
            column("age", Kind::Integer { minimum: 0, maximum: 90, scale: 0 }),
        ];
        let schema = Schema::new("t".to_owned(), columns, 0, Unit::Subject, 11).ok()?;
        let all: Vec<(u32, u32, u32)> =
            rows.iter().flat_map(|&(arm, sex, age, times)| vec![(arm, sex, age); times]).collect();
        let codes = vec![
            (1..).take(all.len()).collect(),
            all.iter().map(|row| row.0).collect(),
            all.iter().map(|row| row.1).collect(),
            all.iter().map(|row| row.2).collect(),
        ];
        Table::new(schema, codes, vec![true; all.len()]).ok()
    }

    pub(super) fn query(
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

    /// Which of two questions less which other, the cell, how many, and the columns that are summed.
    type Told = (usize, (usize, usize), u64, Vec<usize>);

    fn told(table: &Table, first: Option<Query>, second: Option<Query>) -> Option<Vec<Told>> {
        let (first, second) = (first?, second?);
        let found = differences(table, &[&first, &second]);
        Some(
            found
                .into_iter()
                .map(|told| (told.with, (told.cell, told.cells), told.subjects, told.summed))
                .collect(),
        )
    }

    #[test]
    fn one_man_among_missing_ages_is_told_by_a_condition_beside_a_known_value() -> Result<(), &'static str> {
        // Eleven men without an age: the rest of the second question has twelve rows, so that it hides nothing.
        let table =
            table(&[(1, 1, 40, 60), (2, 1, 50, 60), (1, 2, 0, 11), (2, 2, 77, 1)]).ok_or("a table")?;
        let all = query(&table, &[KNOWN], &[AGE], &[]);
        let women = query(&table, &[KNOWN, FEMALE], &[AGE], &[]);
        assert_eq!(told(&table, all.clone(), women), Some(vec![(0, (0, 1), 1, vec![AGE])]));
        // By arm, too, and where the larger one is not by arm.
        let by_arm = query(&table, &[KNOWN, FEMALE], &[AGE], &[ARM]);
        assert_eq!(told(&table, by_arm, all), Some(vec![(1, (0, 1), 1, vec![AGE])]));
        Ok(())
    }

    #[test]
    fn a_small_rest_is_told_where_its_row_is_in_a_cell_that_is_shown() -> Result<(), &'static str> {
        let table =
            table(&[(1, 1, 40, 20), (2, 1, 50, 21), (3, 1, 50, 60), (3, 2, 77, 1)]).ok_or("a table")?;
        let (all, women) = (query(&table, &[], &[], &[ARM]), query(&table, &[FEMALE], &[], &[ARM]));
        assert_eq!(told(&table, all, women), Some(vec![(0, (3, 1), 1, vec![])]));
        Ok(())
    }

    #[test]
    fn what_a_finer_grouping_hides_is_told_by_the_coarser_one() -> Result<(), &'static str> {
        // Both cells of men are hidden, and each arm has one of them.
        let table =
            table(&[(1, 1, 40, 60), (2, 1, 50, 60), (1, 2, 30, 7), (2, 2, 77, 5)]).ok_or("a table")?;
        let (by_arm, by_both) = (query(&table, &[], &[], &[ARM]), query(&table, &[], &[], &[ARM, SEX]));
        assert_eq!(told(&table, by_arm.clone(), by_both), Some(vec![(0, (2, 1), 5, vec![])]));
        // Of the women and the men, no cell lies within an arm.
        assert_eq!(told(&table, by_arm, query(&table, &[], &[], &[SEX])), Some(vec![]));
        Ok(())
    }

    #[test]
    fn cells_together_tell_what_none_of_them_does() -> Result<(), &'static str> {
        let table = table(&[(1, 1, 40, 60), (2, 1, 50, 60), (1, 2, 30, 1), (2, 2, 30, 2), (2, 2, 0, 11)]);
        let table = table.ok_or("a table")?;
        let by_arm = query(&table, &[KNOWN], &[], &[ARM]);
        let women = query(&table, &[KNOWN, FEMALE], &[], &[]);
        assert_eq!(told(&table, by_arm.clone(), women), Some(vec![(0, (0, 4), 3, vec![])]));
        let old = query(&table, &[(AGE, 45, 91)], &[], &[]);
        assert_eq!(told(&table, by_arm.clone(), old), Some(vec![]), "they are many");
        // In two arms, of which the other question does not tell one from the other.
        let two = query(&table, &[KNOWN, (ARM, 1, 2)], &[], &[SEX]);
        assert_eq!(
            told(&table, by_arm.clone(), two),
            Some(vec![]),
            "it hides the men, and the women with them"
        );
        let two = query(&table, &[FEMALE, KNOWN, (ARM, 1, 2)], &[AGE], &[]);
        assert_eq!(told(&table, by_arm, two), Some(vec![(0, (1, 2), 3, vec![])]));
        Ok(())
    }

    #[test]
    fn a_finer_grouping_less_a_condition_by_the_coarser_one_tells_a_few() -> Result<(), &'static str> {
        // Of ages over 50 the second question counts none: eleven in all, one of them in the third arm.
        let rows =
            [(1, 1, 40, 60), (1, 2, 40, 60), (1, 1, 60, 10), (3, 1, 40, 40), (3, 2, 40, 59), (3, 1, 60, 1)];
        let table = table(&rows).ok_or("a table")?;
        let by_both = query(&table, &[KNOWN], &[AGE], &[ARM, SEX]);
        let by_arm = query(&table, &[(AGE, 1, 50)], &[AGE], &[ARM]);
        assert_eq!(told(&table, by_both, by_arm), Some(vec![(0, (9, 3), 1, vec![AGE])]));
        Ok(())
    }

    #[test]
    fn what_two_cells_hide_together_is_told_by_the_rows_and_one_of_them() -> Result<(), &'static str> {
        let table = table(&[(1, 1, 40, 5), (2, 1, 50, 20), (3, 1, 50, 100)]).ok_or("a table")?;
        let by_arm = query(&table, &[], &[], &[ARM]);
        let second = query(&table, &[(ARM, 2, 2)], &[], &[]);
        assert_eq!(told(&table, by_arm.clone(), second), Some(vec![(0, (1, 2), 5, vec![])]));
        // The third is shown by both; and of a condition's rows nobody is told how many they are.
        assert_eq!(told(&table, by_arm, query(&table, &[(ARM, 3, 3)], &[], &[])), Some(vec![]));
        let known = query(&table, &[KNOWN], &[], &[ARM]);
        assert_eq!(told(&table, known, query(&table, &[KNOWN, (ARM, 2, 2)], &[], &[])), Some(vec![]));
        Ok(())
    }

    #[test]
    fn a_narrower_range_is_within_a_wider_one_and_others_are_not() -> Result<(), &'static str> {
        let table =
            table(&[(1, 1, 40, 60), (1, 1, 60, 4), (1, 1, 20, 60), (1, 1, 0, 11)]).ok_or("a table")?;
        let (wide, narrow) =
            (query(&table, &[KNOWN], &[AGE], &[]), query(&table, &[(AGE, 1, 50)], &[AGE], &[]));
        assert_eq!(told(&table, narrow.clone(), wide), Some(vec![(1, (0, 1), 4, vec![AGE])]));
        let overlapping = query(&table, &[(AGE, 30, 91)], &[AGE], &[]);
        assert_eq!(told(&table, narrow.clone(), overlapping), Some(vec![]));
        assert_eq!(told(&table, narrow.clone(), narrow), Some(vec![]));
        Ok(())
    }
}
