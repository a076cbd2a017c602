//! What two planned answers tell together of a few subjects, in words: for the sponsor, before anything is registered.

use nightingale_circuits::cohort::{self, Difference, Nested, Place, Query, Schema, Table};
use nightingale_verifier::cohort::{check_researcher, text};
use std::fmt;

/// The most that are put into words.
const MOST_NAMED: usize = 10;

/// What pairs of answers tell, the fewest subjects first.
#[derive(Debug, Default)]
pub struct Told {
    /// In words, of some of them.
    pub named: Vec<String>,
    /// How many more there are.
    pub more: usize,
}

impl fmt::Display for Told {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.named.join("; "))?;
        if self.more > 0 {
            write!(formatter, "; and {} more", self.more)?;
        }
        Ok(())
    }
}

/// What pairs tell of sums, and what of counts only.
pub(super) struct Differences {
    pub(super) sums: Told,
    pub(super) counts: Told,
}

/// One pair.
enum Pair {
    Worded { table: usize, told: Difference },
    Nested(Nested),
}

impl Pair {
    const fn subjects(&self) -> u64 {
        match self {
            Self::Worded { told, .. } => told.subjects,
            Self::Nested(told) => told.subjects,
        }
    }

    const fn tells_sums(&self) -> bool {
        match self {
            Self::Worded { told, .. } => !told.summed.is_empty(),
            Self::Nested(told) => !told.summed.is_empty(),
        }
    }
}

/// Compares each two of the plan's answers that researchers get.
pub(super) fn differences(tables: &[Table], plan: &[(String, Query)]) -> Differences {
    let asked = |table| (table, answered(table, plan));
    let asked: Vec<(&Table, Vec<&Query>)> = tables.iter().map(asked).collect();
    let worded = asked.iter().enumerate().flat_map(|(table, (of, queries))| {
        cohort::differences(of, queries).into_iter().map(move |told| Pair::Worded { table, told })
    });
    let mut pairs: Vec<Pair> = worded.chain(cohort::nested(&asked).into_iter().map(Pair::Nested)).collect();
    pairs.sort_by_key(Pair::subjects);
    let (sums, counts) = pairs.into_iter().partition::<Vec<Pair>, _>(Pair::tells_sums);
    let told = |pairs: Vec<Pair>| Told {
        more: pairs.len().saturating_sub(MOST_NAMED),
        named: pairs.iter().take(MOST_NAMED).map(|pair| words(&asked, pair)).collect(),
    };
    Differences { sums: told(sums), counts: told(counts) }
}

/// The planned questions about a table that researchers are answered.
fn answered<'a>(table: &Table, plan: &'a [(String, Query)]) -> Vec<&'a Query> {
    let schema = table.schema();
    let is_answered =
        |(name, query): &&(String, Query)| name == schema.table() && check_researcher(schema, query).is_ok();
    plan.iter().filter(is_answered).map(|(_, query)| query).collect()
}

/// A pair as a sentence.
fn words(asked: &[(&Table, Vec<&Query>)], pair: &Pair) -> String {
    let find = |table: usize, query: usize| {
        let (table, queries) = asked.get(table)?;
        Some((table.schema(), *queries.get(query)?))
    };
    let sql =
        |table, query| find(table, query).map(|(schema, query)| text::sql(schema, query)).unwrap_or_default();
    let place = |Place { table, query, cell }| {
        let found = find(table, query);
        match cell {
            Some(cell) => found.map(|(schema, query)| codes(schema, query, cell)).unwrap_or_default(),
            None => " in all cells together".to_owned(),
        }
    };
    match pair {
        Pair::Worded { table, told } => {
            let schema = asked.get(*table).map(|(table, _)| table.schema());
            let name =
                |column: &usize| schema.and_then(|schema| Some(schema.columns().get(*column)?.name.clone()));
            let summed: Vec<String> = told.summed.iter().filter_map(name).collect();
            let at = match told.cells {
                1 => place(Place { table: *table, query: told.with, cell: Some(told.cell) }),
                cells if told.by_rows => {
                    format!(" in {cells} cells that are hidden, by the number of all rows")
                }
                cells => format!(" in {cells} cells together"),
            };
            let (with, without) = (sql(*table, told.with), sql(*table, told.without));
            format!("{with} less {without} tells {}{at}", figures(told.subjects, &summed))
        }
        Pair::Nested(told) => {
            let cell = |at: Place| format!("{}{}", sql(at.table, at.query), place(at));
            let (with, without) = (cell(told.with), cell(told.without));
            let figures = figures(told.subjects, &told.summed);
            format!("{with} less {without}, whose subjects are all among them, tells {figures}")
        }
    }
}

/// What is told of so many subjects.
fn figures(subjects: u64, summed: &[String]) -> String {
    let sums: String = summed.iter().map(|name| format!(" and the sum of {name}")).collect();
    format!("the count{sums} of {subjects} subject{}", if subjects == 1 { "" } else { "s" })
}

/// A cell's groups.
fn codes(schema: &Schema, query: &Query, cell: usize) -> String {
    let code = |(&group, code): (&usize, u32)| {
        let column = schema.columns().get(group);
        let word = column.and_then(|column| text::value(column, code));
        let name = column.map_or("?", |column| column.name.as_str());
        format!(" with {name} {}", word.as_deref().unwrap_or("missing"))
    };
    query.groups().iter().zip(query.key(schema, cell)).map(code).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use nightingale_circuits::cohort::{Column, Interval, Kind, Term, Unit};

    /// So many subjects, one row each, by turns in two arms, and each of another age.
    fn table(name: &str, subjects: u32) -> Option<Table> {
        let column = |name: &str, kind| Column { name: name.to_owned(), kind };
        let columns = vec![
            column("usubjid", Kind::Key { count: 120 }),
            column("arm", Kind::Category { dictionary: vec!["A".to_owned(), "B".to_owned()] }),
            column("age", Kind::Integer { minimum: 0, maximum: 200, scale: 0 }),
        ];
        let schema = Schema::new(name.to_owned(), columns, 0, Unit::Subject, 11).ok()?;
        let codes = vec![
            (1..=subjects).collect(),
            (1..=subjects).map(|subject| 1 + subject % 2).collect(),
            (1..=subjects).collect(),
        ];
        Table::new(schema, codes, vec![true; subjects as usize]).ok()
    }

    #[test]
    fn a_sentence_names_both_questions_their_cells_and_what_is_told() -> Result<(), &'static str> {
        let tables = [table("adsl", 120).ok_or("a table")?, table("adrs", 119).ok_or("a table")?];
        let known = Term { column: 2, intervals: vec![Interval { low: 1, high: 201 }] };
        let ask = |table: &Table, values: Vec<usize>| {
            let query = Query::new(table.schema(), vec![known.clone()], values, vec![1]).ok()?;
            Some((table.schema().table().to_owned(), query))
        };
        let asked = |values: &[usize]| tables.iter().map(|table| ask(table, values.to_vec())).collect();
        let plan: Option<Vec<(String, Query)>> = asked(&[2]);
        let told = differences(&tables, &plan.ok_or("a plan")?);
        let [together, arm] = &told.sums.named[..] else { return Err("two sentences") };
        assert!(together.contains("GROUP BY arm in all cells together less SELECT"), "{together}");
        assert_eq!(
            arm,
            "SELECT arm, COUNT(*), SUM(age) FROM adsl WHERE age IS NOT NULL GROUP BY arm with arm A less \
             SELECT arm, COUNT(*), SUM(age) FROM adrs WHERE age IS NOT NULL GROUP BY arm with arm A, whose subjects are all among them, \
             tells the count and the sum of age of 1 subject"
        );
        assert!(told.counts.named.is_empty());
        let plan: Option<Vec<(String, Query)>> = asked(&[]);
        let told = differences(&tables, &plan.ok_or("a plan")?);
        assert!(told.sums.named.is_empty());
        assert!(told.counts.to_string().ends_with("tells the count of 1 subject"), "{}", told.counts);
        Ok(())
    }

    #[test]
    fn of_many_pairs_some_are_put_into_words() {
        let told = Told { named: vec!["one".to_owned(), "two".to_owned()], more: 3 };
        assert_eq!(told.to_string(), "one; two; and 3 more");
    }
}
