//! A query in the one form that SQL, the wire and the chain share: column indices and intervals of codes.
//!
//! It is a normal form: the same question, its conditions, values and groups written in another order, is the same query and has the same
//! digest. So no plan holds a question in two orders, in which the disclosure rule would decide ties differently.

use super::{Class, Keccak, Kind, Schema, Unit, digest::Words};
use thiserror::Error;

/// The index of a column in its schema.
pub type ColumnIndex = usize;

/// Codes from `low` to `high`, both included; `low` is at least 1, since a comparison with a missing value is false.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Interval {
    /// The first code.
    pub low: u32,
    /// The last code.
    pub high: u32,
}

impl Interval {
    /// Whether `code` lies in it.
    #[must_use]
    pub const fn holds(self, code: u32) -> bool {
        self.low <= code && code <= self.high
    }
}

/// One term of the filter: the column's code lies in one of the intervals. Without an interval it is never true.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term {
    /// The column.
    pub column: ColumnIndex,
    /// Disjoint, ascending, with a gap between neighbours; at most [`Query::INTERVALS`].
    pub intervals: Vec<Interval>,
}

impl Term {
    /// Whether a row whose code in the column is `code` passes.
    #[must_use]
    pub fn holds(&self, code: u32) -> bool {
        self.intervals.iter().any(|interval| interval.holds(code))
    }
}

/// `SELECT count and sums of values FROM table WHERE all terms GROUP BY groups`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    terms: Vec<Term>,
    values: Vec<ColumnIndex>,
    groups: Vec<ColumnIndex>,
}

/// Why a query cannot be asked of a table.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum QueryError {
    /// An index that the schema does not have.
    #[error("the table has no column {0}; describe the dataset to see its columns")]
    NoColumn(usize),
    /// More columns of one part than any circuit takes.
    #[error("{given} {part}; at most {limit}: ask two queries")]
    TooMany {
        /// What there is too much of.
        part: &'static str,
        /// How many.
        given: usize,
        /// The limit.
        limit: usize,
    },
    /// A term that needs more intervals than a circuit takes.
    #[error("the condition on {column} is more than {} separate ranges; ask two queries", Query::INTERVALS)]
    Intervals {
        /// The column's name.
        column: String,
    },
    /// A value column whose codes are not numbers.
    #[error("{0} is not a number: it can be counted and grouped by, not summed")]
    NotANumber(String),
    /// The subject key used for anything.
    #[error("{0} names subjects: a query may not use it")]
    Key(String),
    /// One column twice among the values or groups.
    #[error("{0} is there twice")]
    Twice(String),
    /// More cells than any circuit takes.
    #[error(
        "GROUP BY makes {cells} cells; at most {limit}. Group by fewer columns, or filter to one group and ask again for the next"
    )]
    Cells {
        /// How many.
        cells: usize,
        /// The limit.
        limit: usize,
    },
}

impl Query {
    /// The most intervals of one term.
    pub const INTERVALS: usize = 4;
    /// The most conditions, and intervals of one, before they are brought into normal form.
    const MOST_WRITTEN: usize = 64;

    /// A query in normal form: terms on one column are intersected, neighbouring intervals joined; terms, values and groups are ordered by
    /// column, whatever the order in which they are given. It is the order of the answer.
    ///
    /// # Errors
    /// What [`QueryError`] names.
    pub fn new(
        schema: &Schema,
        terms: Vec<Term>,
        values: Vec<ColumnIndex>,
        groups: Vec<ColumnIndex>,
    ) -> Result<Self, QueryError> {
        let columns = schema.columns();
        // Before anything is compared with anything: a question from a stranger's file may be of any length.
        if terms.len() > Self::MOST_WRITTEN {
            return Err(QueryError::TooMany {
                part: "conditions",
                given: terms.len(),
                limit: Self::MOST_WRITTEN,
            });
        }
        for &index in terms.iter().map(|term| &term.column).chain(&values).chain(&groups) {
            let column = columns.get(index).ok_or(QueryError::NoColumn(index))?;
            if matches!(column.kind, Kind::Key { .. }) {
                return Err(QueryError::Key(column.name.clone()));
            }
        }
        if let Some(term) = terms.iter().find(|term| term.intervals.len() > Self::MOST_WRITTEN) {
            return Err(QueryError::Intervals { column: columns[term.column].name.clone() });
        }
        let terms = normal(terms, |column| columns[column].bound());
        let [values, groups] = [values, groups].map(|mut list| {
            list.sort_unstable();
            list
        });
        let query = Self { terms, values, groups };
        query.check(schema)?;
        Ok(query)
    }

    fn check(&self, schema: &Schema) -> Result<(), QueryError> {
        let columns = schema.columns();
        let most = Class::Wide;
        for (part, given, limit) in [
            ("conditions", self.terms.len(), most.terms()),
            ("value columns", self.values.len(), most.values()),
            ("group columns", self.groups.len(), most.groups()),
        ] {
            if given > limit {
                return Err(QueryError::TooMany { part, given, limit });
            }
        }
        if let Some(term) = self.terms.iter().find(|term| term.intervals.len() > Self::INTERVALS) {
            return Err(QueryError::Intervals { column: columns[term.column].name.clone() });
        }
        if let Some(&value) = self.values.iter().find(|&&value| columns[value].offset().is_none()) {
            return Err(QueryError::NotANumber(columns[value].name.clone()));
        }
        for list in [&self.values, &self.groups] {
            if let Some(position) = (1..list.len()).find(|&i| list[..i].contains(&list[i])) {
                return Err(QueryError::Twice(columns[list[position]].name.clone()));
            }
        }
        let cells = self.cells(schema);
        if cells > most.cells() {
            return Err(QueryError::Cells { cells, limit: most.cells() });
        }
        Ok(())
    }

    /// The filter, ordered by column.
    #[must_use]
    pub fn terms(&self) -> &[Term] {
        &self.terms
    }

    /// Value columns, ascending.
    #[must_use]
    pub fn values(&self) -> &[ColumnIndex] {
        &self.values
    }

    /// Group columns, ascending.
    #[must_use]
    pub fn groups(&self) -> &[ColumnIndex] {
        &self.groups
    }

    /// The one code that the filter fixes a column to.
    #[must_use]
    pub fn fixed(&self, column: ColumnIndex) -> Option<u32> {
        let term = self.terms.iter().find(|term| term.column == column)?;
        match term.intervals.as_slice() {
            [only] if only.low == only.high => Some(only.low),
            _ => None,
        }
    }

    /// Whether the rows of a cell are different subjects: one row a subject, or the unit's dimension grouped by or fixed to one code.
    #[must_use]
    pub fn counts_subjects(&self, schema: &Schema) -> bool {
        match schema.unit() {
            Unit::Subject => true,
            Unit::SubjectAnd(dimension) => {
                self.groups.contains(&dimension) || self.fixed(dimension).is_some()
            }
        }
    }

    /// How many codes each group column has, missing included.
    #[must_use]
    pub fn dimensions(&self, schema: &Schema) -> Vec<usize> {
        self.groups
            .iter()
            .map(|&group| schema.columns().get(group).map_or(1, |column| column.bound() as usize + 1))
            .collect()
    }

    /// The number of cells: the product of the dimensions.
    #[must_use]
    pub fn cells(&self, schema: &Schema) -> usize {
        self.dimensions(schema).into_iter().fold(1usize, usize::saturating_mul)
    }

    /// The codes of a cell's groups; the last group column runs fastest.
    #[must_use]
    pub fn key(&self, schema: &Schema, cell: usize) -> Vec<u32> {
        let mut rest = cell;
        let mut key: Vec<u32> = self
            .dimensions(schema)
            .into_iter()
            .rev()
            .map(|dimension| {
                let code = rest % dimension;
                rest /= dimension;
                u32::try_from(code).unwrap_or(u32::MAX)
            })
            .collect();
        key.reverse();
        key
    }

    /// The smallest class that proves it.
    #[must_use]
    pub fn class(&self, schema: &Schema) -> Class {
        let narrow = Class::Narrow;
        let fits = self.terms.len() <= narrow.terms()
            && self.values.len() <= narrow.values()
            && self.groups.len() <= narrow.groups()
            && self.cells(schema) <= narrow.cells();
        if fits { narrow } else { Class::Wide }
    }

    /// The digest of the query of the table with this digest.
    #[must_use]
    pub fn digest(&self, table: &Keccak) -> Keccak {
        let list = |words: Words, list: &[usize]| {
            list.iter().fold(words.number(list.len() as u128), |words, &column| words.number(column as u128))
        };
        let start = Words::of("nightingale.cohort.query.1").digest(table).number(self.terms.len() as u128);
        let terms = self.terms.iter().fold(start, |words, term| {
            let words = words.number(term.column as u128).number(term.intervals.len() as u128);
            term.intervals.iter().fold(words, |words, interval| {
                words.number(u128::from(interval.low)).number(u128::from(interval.high))
            })
        });
        list(list(terms, &self.values), &self.groups).finish()
    }
}

/// One term a column, ascending, its intervals clipped to the column's codes.
fn normal(terms: Vec<Term>, bound: impl Fn(usize) -> u32) -> Vec<Term> {
    let mut merged: Vec<Term> = Vec::with_capacity(terms.len());
    for term in terms {
        let intervals = union(term.intervals, bound(term.column));
        match merged.iter_mut().find(|other| other.column == term.column) {
            Some(other) => other.intervals = intersection(&other.intervals, &intervals),
            None => merged.push(Term { column: term.column, intervals }),
        }
    }
    merged.sort_by_key(|term| term.column);
    merged
}

fn union(mut intervals: Vec<Interval>, bound: u32) -> Vec<Interval> {
    intervals.sort_unstable();
    let mut joined: Vec<Interval> = Vec::with_capacity(intervals.len());
    for Interval { low, high } in intervals {
        let (low, high) = (low.max(1), high.min(bound));
        if low > high {
            continue;
        }
        match joined.last_mut() {
            Some(last) if low <= last.high.saturating_add(1) => last.high = last.high.max(high),
            _ => joined.push(Interval { low, high }),
        }
    }
    joined
}

fn intersection(left: &[Interval], right: &[Interval]) -> Vec<Interval> {
    let overlaps = left
        .iter()
        .flat_map(|a| right.iter().map(|b| Interval { low: a.low.max(b.low), high: a.high.min(b.high) }));
    overlaps.filter(|overlap| overlap.low <= overlap.high).collect()
}
