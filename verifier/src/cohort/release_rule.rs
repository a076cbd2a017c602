//! What a researcher may be told at all, decided from the question alone.
//!
//! The disclosure rule inside the proof judges counts of rows. These are the questions whose figures would tell more than counts do.

use super::dataset::{Dataset, PlannedQuery};
use crate::VerifyError;
use nightingale_circuits::cohort::{Column, Interval, Query, Schema, Term, Unit};

/// The fewest codes (missing apart) that a value column of a researcher's question has, and that a filter on it leaves: of fewer, a
/// sum and a sum of squares are the counts of each code.
const LEAST_CODES: u32 = 4;

/// Whether `query` may be in a researcher's plan.
///
/// 1. Cells count subjects: in a table with several rows a subject, the unit's dimension is a group column or fixed to one code.
/// 2. A value column has at least four codes; one of fewer is grouped by, so that its counts are cells. A filter on it leaves one range
///    of at least four: of few codes, or of ranges far apart, the sums tell how many rows have which.
/// 3. Every value column is filtered to rows where it is not missing, so that its sum is over exactly the rows that are counted, and those
///    that it leaves out are judged: no figure covers a few rows more than another.
/// 4. In a table with several rows a subject the filter is on the dimension, or leaves out missing values of the one value column: what any
///    other leaves out is judged by its rows, of which one subject may have enough. A column that describes subjects is grouped by instead.
///
/// # Errors
/// Says which, and what to ask instead.
pub fn check_researcher(schema: &Schema, query: &Query) -> Result<(), VerifyError> {
    let name = |column: usize| schema.columns().get(column).map_or("?", |column| column.name.as_str());
    if let Unit::SubjectAnd(dimension) = schema.unit()
        && !query.counts_subjects(schema)
    {
        return Err(VerifyError::Cohort(format!(
            "table {} has several rows for a subject, and a researcher's cells count subjects: group by {dimension}, or ask for one of them (WHERE {dimension} = ..)",
            schema.table(),
            dimension = name(dimension)
        )));
    }
    for &value in query.values() {
        let codes = schema.columns().get(value).map_or(0, Column::bound);
        if codes < LEAST_CODES {
            return Err(VerifyError::Cohort(format!(
                "{0} has only {codes} values, so that its sum is a count that nothing hides: a researcher groups by {0} instead",
                name(value)
            )));
        }
        let filter = query.terms().iter().find(|term| term.column == value);
        if filter.is_some_and(|term| !is_one_range(term)) {
            return Err(VerifyError::Cohort(format!(
                "the condition on {0} leaves other than one range of at least {LEAST_CODES} of its values, so that its sum tells counts that \
                 nothing hides: a researcher asks for the sum over one such range, or for COUNT(*) under this condition",
                name(value)
            )));
        }
    }
    let known = |value: &usize| query.terms().iter().any(|term| term.column == *value);
    if let Some(&value) = query.values().iter().find(|value| !known(value)) {
        return Err(VerifyError::Cohort(format!(
            "a sum of {0} covers fewer rows than are counted where {0} is missing, and nothing hides how few: a researcher adds \
             `{0} IS NOT NULL` to the conditions, as for every column that is summed",
            name(value)
        )));
    }
    match schema.unit() {
        Unit::Subject => Ok(()),
        Unit::SubjectAnd(dimension) => check_left_out(schema, query, dimension),
    }
}

/// Of a table with several rows a subject: that nothing leaves out single subjects.
fn check_left_out(schema: &Schema, query: &Query, dimension: usize) -> Result<(), VerifyError> {
    let name = |column: usize| schema.columns().get(column).map_or("?", |column| column.name.as_str());
    let refuse = |problem: String| {
        Err(VerifyError::Cohort(format!(
            "table {} has several rows for a subject, {problem}",
            schema.table()
        )))
    };
    if query.values().len() > 1 {
        return refuse(
            "so that those in which only one of two values is known may be one subject's: a researcher asks for one value column at a time"
                .to_owned(),
        );
    }
    let is_harmless = |term: &Term| {
        term.column == dimension || (query.values().contains(&term.column) && is_whole(schema, term))
    };
    match query.terms().iter().find(|term| !is_harmless(term)) {
        None => Ok(()),
        Some(term) if query.values().contains(&term.column) => refuse(format!(
            "so that those out of a range may be one subject's: a researcher asks for all known values (`{} IS NOT NULL`)",
            name(term.column)
        )),
        Some(term) => refuse(format!(
            "so that those which a condition leaves out may be one subject's: a researcher groups by {} instead",
            name(term.column)
        )),
    }
}

/// Whether a filter leaves out missing values and nothing else.
fn is_whole(schema: &Schema, term: &Term) -> bool {
    let bound = schema.columns().get(term.column).map_or(0, Column::bound);
    term.intervals.as_slice() == [Interval { low: 1, high: bound }]
}

/// The queries of a dataset's plan that no researcher is answered, each with why; a regulator may ask them as any other.
#[must_use]
pub fn not_for_researchers(dataset: &Dataset) -> Vec<(&PlannedQuery, VerifyError)> {
    let refusal = |planned: &PlannedQuery| {
        let table = dataset.table(&planned.table).ok()?;
        check_researcher(table.schema(), &planned.query).err()
    };
    dataset.plan().iter().filter_map(|planned| Some((planned, refusal(planned)?))).collect()
}

/// Whether a filter leaves neighbouring codes only, and enough of them.
fn is_one_range(term: &Term) -> bool {
    matches!(term.intervals.as_slice(), [one] if one.high.saturating_sub(one.low) >= LEAST_CODES - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use nightingale_circuits::cohort::Kind;

    fn schema(unit: Unit) -> Option<Schema> {
        let column = |name: &str, kind| Column { name: name.to_owned(), kind };
        let number = |maximum| Kind::Integer { minimum: 0, maximum, scale: 0 };
        let words = |words: &[&str]| Kind::Category {
            dictionary: words.iter().map(|word| (*word).to_owned()).collect(),
        };
        let columns = vec![
            column("usubjid", Kind::Key { count: 99 }),
            column("term", words(&["ache", "rash"])),
            column("base", number(200)),
            column("change", number(200)),
            column("responder", number(1)),
        ];
        Schema::new("t".to_owned(), columns, 0, unit, 11).ok()
    }

    fn refusal(
        unit: Unit,
        terms: &[(usize, u32, u32)],
        values: &[usize],
        groups: &[usize],
    ) -> Option<String> {
        let schema = schema(unit)?;
        let terms =
            terms.iter().map(|&(column, low, high)| Term { column, intervals: vec![Interval { low, high }] });
        let query = Query::new(&schema, terms.collect(), values.to_vec(), groups.to_vec()).ok()?;
        Some(check_researcher(&schema, &query).err()?.to_string())
    }

    #[test]
    fn cells_of_events_count_subjects() {
        let events = Unit::SubjectAnd(1);
        assert!(refusal(events, &[], &[], &[]).is_some_and(|said| said.contains("group by term")));
        assert!(refusal(events, &[(1, 1, 2)], &[], &[]).is_some());
        assert_eq!(refusal(events, &[(1, 2, 2)], &[], &[]), None);
        assert_eq!(refusal(events, &[], &[], &[1]), None);
        assert_eq!(refusal(Unit::Subject, &[], &[], &[]), None);
    }

    /// All known values of the two value columns.
    const BASE: (usize, u32, u32) = (2, 1, 201);
    const CHANGE: (usize, u32, u32) = (3, 1, 201);

    #[test]
    fn what_a_condition_leaves_out_of_events_may_be_one_subjects() {
        // Twelve visits of the only man are twelve rows: by visit, with and without him, the difference is his values.
        let (visits, man) = (Unit::SubjectAnd(1), (4, 1, 1));
        assert!(refusal(visits, &[man], &[], &[1]).is_some_and(|said| said.contains("groups by responder")));
        assert!(refusal(visits, &[BASE, man], &[2], &[1]).is_some());
        // At one visit the rest holds all others, too.
        assert!(refusal(visits, &[(1, 2, 2), man], &[], &[]).is_some());
        assert!(refusal(visits, &[(2, 1, 150)], &[2], &[1]).is_some_and(|said| said.contains("all known")));
        assert!(refusal(visits, &[BASE], &[], &[1]).is_some(), "those of whom a value is known");
        assert!(
            refusal(visits, &[BASE, CHANGE], &[2, 3], &[1])
                .is_some_and(|said| said.contains("one value column"))
        );
        assert_eq!(refusal(visits, &[], &[], &[1, 4]), None);
        assert_eq!(refusal(visits, &[(1, 1, 1)], &[], &[1, 4]), None, "which cells are shown");
        assert_eq!(refusal(visits, &[BASE], &[2], &[1, 4]), None);
        assert_eq!(refusal(visits, &[(1, 2, 2), BASE], &[2], &[4]), None);
        // Where rows are subjects, the rest is judged as subjects; that missing values are among them is said in docs/statements/cohort.md.
        assert_eq!(refusal(Unit::Subject, &[BASE, man], &[2], &[]), None);
    }

    #[test]
    fn a_column_of_few_values_is_not_summed() {
        assert!(
            refusal(Unit::Subject, &[], &[4], &[]).is_some_and(|said| said.contains("groups by responder"))
        );
        assert_eq!(refusal(Unit::Subject, &[BASE], &[2], &[4]), None);
    }

    #[test]
    fn a_filter_leaves_one_range_of_the_values_that_are_summed() {
        // The sum of the codes 90 and 91 is 90 times the count, and as much more as there are rows with 91.
        for few in [(2, 90, 91), (2, 90, 92), (2, 90, 90), (2, 199, 250)] {
            assert!(
                refusal(Unit::Subject, &[few], &[2], &[])
                    .is_some_and(|said| said.contains("condition on base")),
                "{few:?}"
            );
            assert!(refusal(Unit::Subject, &[few], &[2], &[4]).is_some(), "{few:?}");
            assert_eq!(refusal(Unit::Subject, &[few, CHANGE], &[3], &[]), None, "{few:?}");
            assert_eq!(refusal(Unit::Subject, &[few], &[], &[]), None, "{few:?}");
        }
        for many in [(2, 90, 93), (2, 1, 201), (2, 1, 4), (2, 198, 250)] {
            assert_eq!(refusal(Unit::Subject, &[many], &[2], &[]), None, "{many:?}");
        }
        let second = [(2, 1, 201), (3, 5, 6)];
        assert!(refusal(Unit::Subject, &second, &[2, 3], &[]).is_some_and(|said| said.contains("on change")));
    }

    #[test]
    fn values_of_ranges_apart_are_not_summed() {
        let asked = |intervals: &[(u32, u32)]| {
            let schema = schema(Unit::Subject)?;
            let intervals = intervals.iter().map(|&(low, high)| Interval { low, high }).collect();
            let query = Query::new(&schema, vec![Term { column: 2, intervals }], vec![2], Vec::new()).ok()?;
            Some(check_researcher(&schema, &query).is_ok())
        };
        // Of some rows from 0 to 3 and from 197 to 200, the sum divided by 197 is how many have the latter.
        assert_eq!(asked(&[(1, 4), (198, 201)]), Some(false));
        assert_eq!(asked(&[(1, 1), (50, 50), (100, 100), (201, 201)]), Some(false));
        assert_eq!(asked(&[]), Some(false));
        // One range, however it is written.
        assert_eq!(asked(&[(1, 2), (3, 4)]), Some(true));
    }

    #[test]
    fn every_value_is_known_in_all_rows_that_are_counted() {
        // Of 101 known values in all and 100 in the arms that are shown, the last one would be the difference of two sums.
        assert!(
            refusal(Unit::Subject, &[], &[2], &[]).is_some_and(|said| said.contains("`base IS NOT NULL`"))
        );
        assert!(refusal(Unit::Subject, &[CHANGE], &[2], &[4]).is_some(), "another column is known");
        assert_eq!(refusal(Unit::Subject, &[BASE], &[2], &[4]), None);
        assert!(refusal(Unit::Subject, &[], &[2, 3], &[]).is_some());
        assert!(
            refusal(Unit::Subject, &[BASE], &[2, 3], &[])
                .is_some_and(|said| said.contains("`change IS NOT NULL`"))
        );
        assert_eq!(refusal(Unit::Subject, &[BASE, CHANGE], &[2, 3], &[]), None);
    }
}
