//! An answer as JSON: integers of values in the columns' scaled units, group keys in words.
//!
//! The proof speaks of codes. Both forms determine each other exactly: `sum = codes + offset * nonmissing`, and so on.

use super::{integer::Integer, text};
use crate::VerifyError;
use nightingale_circuits::cohort::{
    Answer, Cell, Class, Figures, PairFigures, Query, Schema, ValueFigures,
    instances::{Statistic, packing},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a query releases. A sum is in units of `10^-scale` of its column, a sum of squares in units of `10^-(2 scale)`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnswerFile {
    /// Decimals of each value column.
    pub scales: BTreeMap<String, u8>,
    /// All cells, in the order of the query's groups, the last running fastest, missing first.
    pub groups: Vec<Group>,
}

/// One cell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// The value of each group column, in words; null is missing.
    pub key: BTreeMap<String, Option<String>>,
    /// Hidden by the disclosure rule; then the rest is null.
    pub suppressed: bool,
    /// Subjects, or whatever the table's unit is.
    pub count: Option<u64>,
    /// For each value column, rows in which it is not missing.
    pub nonmissing: Option<BTreeMap<String, u64>>,
    /// For each value column, the sum.
    pub sums: Option<BTreeMap<String, Integer>>,
    /// For each value column, the sum of squares.
    pub squares: Option<BTreeMap<String, Integer>>,
    /// Of two value columns, where neither is missing.
    pub cross: Option<Cross>,
}

/// Figures over the rows in which neither of two values is missing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cross {
    /// How many.
    pub pairs: u64,
    /// The sum of each over them.
    pub sums: BTreeMap<String, Integer>,
    /// The sum of products.
    pub products: Integer,
}

/// A value column: its name, decimals and offset.
struct ValueColumn<'a> {
    name: &'a str,
    scale: u8,
    offset: i64,
}

fn value_columns<'a>(schema: &'a Schema, query: &Query) -> Vec<ValueColumn<'a>> {
    let columns = query.values().iter().filter_map(|&index| schema.columns().get(index));
    let value = |column: &'a nightingale_circuits::cohort::Column| ValueColumn {
        name: &column.name,
        scale: match column.kind {
            nightingale_circuits::cohort::Kind::Integer { scale, .. } => scale,
            _ => 0,
        },
        offset: column.offset().unwrap_or_default(),
    };
    columns.map(value).collect()
}

impl AnswerFile {
    /// The file of an answer.
    #[must_use]
    pub fn new(schema: &Schema, query: &Query, answer: &Answer) -> Self {
        let values = value_columns(schema, query);
        let groups = answer.cells.iter().enumerate();
        Self {
            scales: values.iter().map(|value| (value.name.to_owned(), value.scale)).collect(),
            groups: groups.map(|(index, cell)| group(schema, query, &values, index, cell)).collect(),
        }
    }

    /// The answer in codes.
    ///
    /// # Errors
    /// Another shape than the query's, or figures that no rows have.
    pub fn answer(&self, schema: &Schema, query: &Query) -> Result<Answer, VerifyError> {
        let values = value_columns(schema, query);
        let cells = self.groups.iter().map(|group| cell(&values, group)).collect::<Option<Vec<_>>>();
        let cells = cells.filter(|cells| cells.iter().filter_map(Cell::figures).all(fits));
        let impossible = || VerifyError::malformed("answer", "holds figures that no rows have");
        let answer = Answer { cells: cells.ok_or_else(impossible)? };
        if answer.cells.len() != query.cells(schema) || Self::new(schema, query, &answer) != *self {
            return Err(VerifyError::malformed("answer", "does not have the cells and columns of the query"));
        }
        Ok(answer)
    }
}

fn group(schema: &Schema, query: &Query, values: &[ValueColumn<'_>], index: usize, cell: &Cell) -> Group {
    let columns = query.groups().iter().filter_map(|&group| schema.columns().get(group));
    let key = columns
        .zip(query.key(schema, index))
        .map(|(column, code)| (column.name.clone(), text::value(column, code)))
        .collect();
    let Some(figures) = cell.figures() else {
        return Group {
            key,
            suppressed: true,
            count: None,
            nonmissing: None,
            sums: None,
            squares: None,
            cross: None,
        };
    };
    let each = || values.iter().zip(&figures.values);
    let name = |value: &ValueColumn<'_>| value.name.to_owned();
    Group {
        key,
        suppressed: false,
        count: Some(figures.count),
        nonmissing: Some(each().map(|(value, of)| (name(value), of.nonmissing)).collect()),
        sums: Some(each().map(|(value, of)| (name(value), Integer(of.sum(value.offset)))).collect()),
        squares: Some(each().map(|(value, of)| (name(value), Integer(of.squares(value.offset)))).collect()),
        cross: figures.pair.as_ref().and_then(|pair| cross(values, pair)),
    }
}

fn cross(values: &[ValueColumn<'_>], pair: &PairFigures) -> Option<Cross> {
    let [first, second] = values else { return None };
    let sum = |codes: u128, offset: i64| {
        Integer(ValueFigures { nonmissing: pair.pairs, codes, squared_codes: 0 }.sum(offset))
    };
    Some(Cross {
        pairs: pair.pairs,
        sums: BTreeMap::from([
            (first.name.to_owned(), sum(pair.first_codes, first.offset)),
            (second.name.to_owned(), sum(pair.second_codes, second.offset)),
        ]),
        products: Integer(pair.cross(first.offset, second.offset)),
    })
}

/// The cell in codes; `None` where a figure is missing, or would be negative or enormous.
fn cell(values: &[ValueColumn<'_>], group: &Group) -> Option<Cell> {
    if group.suppressed {
        return Some(Cell::Hidden);
    }
    let figure = |value: &ValueColumn<'_>| {
        let nonmissing = *group.nonmissing.as_ref()?.get(value.name)?;
        let (sum, squares) =
            (group.sums.as_ref()?.get(value.name)?.0, group.squares.as_ref()?.get(value.name)?.0);
        let (offset, rows) = (i128::from(value.offset), i128::from(nonmissing));
        let codes = sum.checked_sub(offset.checked_mul(rows)?)?;
        // (c + o)^2 = c^2 + 2 o c + o^2
        let shift = offset
            .checked_mul(2)?
            .checked_mul(codes)?
            .checked_add(offset.checked_mul(offset)?.checked_mul(rows)?)?;
        Some(ValueFigures {
            nonmissing,
            codes: natural(codes)?,
            squared_codes: natural(squares.checked_sub(shift)?)?,
        })
    };
    let pair = match (values, &group.cross) {
        ([first, second], Some(cross)) => Some(pair(first, second, cross)?),
        (_, None) => None,
        _ => return None,
    };
    let values = values.iter().map(figure).collect::<Option<_>>()?;
    Some(Cell::Shown(Figures { count: group.count?, values, pair }))
}

fn pair(first: &ValueColumn<'_>, second: &ValueColumn<'_>, cross: &Cross) -> Option<PairFigures> {
    let (p, q, rows) = (i128::from(first.offset), i128::from(second.offset), i128::from(cross.pairs));
    let codes = |value: &ValueColumn<'_>, offset: i128| {
        cross.sums.get(value.name)?.0.checked_sub(offset.checked_mul(rows)?)
    };
    let (a, b) = (codes(first, p)?, codes(second, q)?);
    // (a + p)(b + q) = ab + qa + pb + pq
    let shift = q
        .checked_mul(a)?
        .checked_add(p.checked_mul(b)?)?
        .checked_add(p.checked_mul(q)?.checked_mul(rows)?)?;
    Some(PairFigures {
        pairs: cross.pairs,
        first_codes: natural(a)?,
        second_codes: natural(b)?,
        product_codes: natural(cross.products.0.checked_sub(shift)?)?,
    })
}

/// No table has as many rows.
const MOST_ROWS: u128 = 1 << 20;

/// Whether each figure is one of the public inputs of a proof, and no count above all rows: with offsets below 2^54 the sums of values,
/// of their squares and of their products then have less than 127 bits, in whatever order they are added up.
fn fits(figures: &Figures) -> bool {
    let fits = |statistic: &Statistic| {
        let counts = matches!(statistic, Statistic::Count | Statistic::Nonmissing(_) | Statistic::Pairs);
        let figure = statistic.of(figures);
        figure >> statistic.bits() == 0 && (!counts || figure < MOST_ROWS)
    };
    packing(Class::Wide).iter().copied().flatten().all(fits)
}

/// A sum of codes, or of their products, has at most 84 bits; far beyond, the arithmetic of its values would not be exact.
fn natural(sum: i128) -> Option<u128> {
    u128::try_from(sum).ok().filter(|sum| *sum >> 84 == 0)
}
