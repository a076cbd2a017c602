//! One answer with what is needed to read it, checked once so that no arithmetic on it overflows.

use super::words::word;
use crate::{VerifyError, cohort::VerifiedQuery};
use nightingale_circuits::cohort::{
    Answer, Cell, Column, Figures, PairFigures, Query, Schema, ValueFigures, text,
};

/// The most rows that an answer may speak of: far above any table, and low enough for exact arithmetic in 128 bits.
const MOST_ROWS: u64 = 2_147_483_647;

/// One answer of a dataset: the integers that a proof showed, and what they were counted from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    schema: Schema,
    query: Query,
    answer: Answer,
    threshold: u32,
    keys: Vec<Vec<u32>>,
}

/// The first hidden cell that a figure needs, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HiddenCell(pub String);

impl Source {
    /// What a proof showed.
    ///
    /// # Errors
    /// As of [`Source::new`].
    pub fn of(verified: &VerifiedQuery) -> Result<Self, VerifyError> {
        let (schema, query, answer) =
            (verified.schema.clone(), verified.query.clone(), verified.answer.clone());
        Self::new(schema, query, answer, verified.threshold)
    }

    /// An answer of `query`, which was made for `schema`; counts below `threshold` are hidden in it: 1 of an exact one.
    ///
    /// # Errors
    /// An answer that is not this query's, or figures that no rows have, such as more values than rows.
    pub fn new(schema: Schema, query: Query, answer: Answer, threshold: u32) -> Result<Self, VerifyError> {
        let number = query.cells(&schema);
        if answer.cells.len() != number {
            return Err(refuse("answer".to_owned(), "must have one cell for each of the query's groups"));
        }
        let keys = (0..number).map(|cell| query.key(&schema, cell)).collect();
        let source = Self { schema, query, answer, threshold, keys };
        let bounds: Vec<u128> = source.values().iter().map(|column| u128::from(column.bound())).collect();
        let mut rows = 0u64;
        for (index, cell) in source.answer.cells.iter().enumerate() {
            if let Some(figures) = cell.figures() {
                check(figures, &bounds)
                    .map_err(|problem| refuse(format!("answer, cell {index}"), problem))?;
                rows = rows.saturating_add(figures.count);
            }
        }
        if rows > MOST_ROWS {
            return Err(refuse("answer".to_owned(), "speaks of more than 2,147,483,647 rows"));
        }
        Ok(source)
    }

    /// What the table's columns mean.
    #[must_use]
    pub const fn schema(&self) -> &Schema {
        &self.schema
    }

    /// What was asked.
    #[must_use]
    pub const fn query(&self) -> &Query {
        &self.query
    }

    /// The query as SQL would write it.
    #[must_use]
    pub fn sql(&self) -> String {
        text::sql(&self.schema, &self.query)
    }

    /// The number of hidden cells.
    #[must_use]
    pub fn hidden_cells(&self) -> usize {
        self.answer.cells.iter().filter(|cell| matches!(cell, Cell::Hidden)).count()
    }

    /// Whether the rows of a cell are different subjects: one row a subject, or the table's other dimension fixed by a group or a
    /// condition.
    #[must_use]
    pub fn counts_subjects(&self) -> bool {
        self.query.counts_subjects(&self.schema)
    }

    /// Counts below this are hidden.
    pub(super) const fn threshold(&self) -> u32 {
        self.threshold
    }

    /// The code that a condition fixes a column to.
    pub(super) fn fixed(&self, column: usize) -> Option<u32> {
        self.query.fixed(column)
    }

    /// The group columns.
    pub(super) fn axes(&self) -> Vec<&Column> {
        self.query.groups().iter().filter_map(|&group| self.schema.columns().get(group)).collect()
    }

    /// The value columns.
    pub(super) fn values(&self) -> Vec<&Column> {
        self.query.values().iter().filter_map(|&value| self.schema.columns().get(value)).collect()
    }

    /// Cells with the codes of their groups.
    pub(super) fn cells(&self) -> impl Iterator<Item = (&[u32], &Cell)> {
        self.keys.iter().map(Vec::as_slice).zip(&self.answer.cells)
    }

    /// The sum of the cells whose codes satisfy `keep`.
    ///
    /// # Errors
    /// One of them is hidden.
    pub(super) fn total(&self, keep: impl Fn(&[u32]) -> bool) -> Result<Figures, HiddenCell> {
        let mut total = Figures {
            count: 0,
            values: vec![ValueFigures::default(); self.query.values().len()],
            pair: (self.query.values().len() == 2).then(PairFigures::default),
        };
        for (key, cell) in self.cells().filter(|(key, _)| keep(key)) {
            let figures = cell.figures().ok_or_else(|| self.hidden(key))?;
            add(&mut total, figures);
        }
        Ok(total)
    }

    /// Names a hidden cell.
    fn hidden(&self, key: &[u32]) -> HiddenCell {
        let parts: Vec<String> = self
            .axes()
            .iter()
            .zip(key)
            .map(|(column, &code)| format!("{} = {}", column.name, word(column, code)))
            .collect();
        HiddenCell(if parts.is_empty() { "the only cell".to_owned() } else { parts.join(", ") })
    }
}

/// Adds figures of other rows; [`Source::new`] made sure that nothing overflows.
fn add(total: &mut Figures, more: &Figures) {
    total.count = total.count.saturating_add(more.count);
    for (sum, value) in total.values.iter_mut().zip(&more.values) {
        sum.nonmissing = sum.nonmissing.saturating_add(value.nonmissing);
        sum.codes = sum.codes.saturating_add(value.codes);
        sum.squared_codes = sum.squared_codes.saturating_add(value.squared_codes);
    }
    if let (Some(sum), Some(pair)) = (&mut total.pair, &more.pair) {
        sum.pairs = sum.pairs.saturating_add(pair.pairs);
        sum.first_codes = sum.first_codes.saturating_add(pair.first_codes);
        sum.second_codes = sum.second_codes.saturating_add(pair.second_codes);
        sum.product_codes = sum.product_codes.saturating_add(pair.product_codes);
    }
}

fn check(figures: &Figures, bounds: &[u128]) -> Result<(), &'static str> {
    if figures.count > MOST_ROWS {
        return Err("counts more than 2,147,483,647 rows");
    }
    if figures.values.len() != bounds.len() || figures.pair.is_some() != (bounds.len() == 2) {
        return Err("must have the figures of the query's value columns");
    }
    for (value, bound) in figures.values.iter().zip(bounds) {
        let n = u128::from(value.nonmissing);
        if value.nonmissing > figures.count {
            return Err("has more values than rows");
        }
        // Each code is from 1 to the bound, so a sum is between, and a sum of squares between that and the bound's share.
        let possible = (n..=n * bound).contains(&value.codes)
            && (value.codes..=value.codes * bound).contains(&value.squared_codes)
            && value.codes * value.codes <= n * value.squared_codes;
        if !possible {
            return Err("has sums that no codes of its column have");
        }
    }
    let Some(pair) = &figures.pair else {
        return Ok(());
    };
    if figures.values.iter().any(|value| pair.pairs > value.nonmissing) {
        return Err("has more pairs than values");
    }
    let n = u128::from(pair.pairs);
    let possible = [pair.first_codes, pair.second_codes]
        .iter()
        .zip(bounds)
        .zip(&figures.values)
        .all(|((sum, bound), value)| (n..=n * bound).contains(sum) && *sum <= value.codes)
        && bounds.last().is_some_and(|bound| pair.product_codes <= pair.first_codes * bound)
        && pair.product_codes >= pair.first_codes;
    if possible { Ok(()) } else { Err("has cross sums that no codes of its columns have") }
}

fn refuse(element: String, problem: &'static str) -> VerifyError {
    VerifyError::Malformed { element, problem }
}
