//! What a researcher may be told at all, decided from the question alone.
//!
//! The disclosure rule inside the proof judges counts of rows. These are the questions whose figures would tell more than counts do.

use crate::VerifyError;
use nightingale_circuits::cohort::{Query, Schema, Unit};

/// The fewest codes (missing apart) that a value column of a researcher's question has: of fewer, a sum and a sum of squares are
/// the counts of each code.
const LEAST_CODES: u32 = 4;

/// Whether `query` may be in a researcher's plan.
///
/// 1. Cells count subjects: in a table with several rows a subject, the unit's dimension is a group column or fixed to one code.
/// 2. A value column has at least four codes; one of fewer is grouped by, so that its counts are cells.
/// 3. Two value columns are both filtered to rows where they are not missing, so that no figure covers a few rows more than another.
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
        let codes = schema.columns().get(value).map_or(0, nightingale_circuits::cohort::Column::bound);
        if codes < LEAST_CODES {
            return Err(VerifyError::Cohort(format!(
                "{0} has only {codes} values, so that its sum is a count that nothing hides: a researcher groups by {0} instead",
                name(value)
            )));
        }
    }
    let known = |value: &usize| query.terms().iter().any(|term| term.column == *value);
    if let ([_, _], Some(&value)) = (query.values(), query.values().iter().find(|value| !known(value))) {
        return Err(VerifyError::Cohort(format!(
            "two value columns together tell the rows in which only one is known: a researcher adds `AND {} IS NOT NULL`, for both",
            name(value)
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use nightingale_circuits::cohort::{Column, Interval, Kind, Term};

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

    #[test]
    fn a_column_of_few_values_is_not_summed() {
        assert!(
            refusal(Unit::Subject, &[], &[4], &[]).is_some_and(|said| said.contains("groups by responder"))
        );
        assert_eq!(refusal(Unit::Subject, &[], &[2], &[4]), None);
    }

    #[test]
    fn two_values_are_known_in_the_same_rows() {
        let (base, change) = ((2, 1, 201), (3, 1, 201));
        assert!(refusal(Unit::Subject, &[], &[2, 3], &[]).is_some());
        assert!(
            refusal(Unit::Subject, &[base], &[2, 3], &[])
                .is_some_and(|said| said.contains("change IS NOT NULL"))
        );
        assert_eq!(refusal(Unit::Subject, &[base, change], &[2, 3], &[]), None);
        assert_eq!(refusal(Unit::Subject, &[], &[2], &[]), None);
    }
}
