//! The public inputs of a query proof: what was asked and what is released, packed into few field elements.
//!
//! Column 0: the released figures of each cell, the threshold, the endpoints of the terms. The wide class has two more columns of
//! figures and one of the cells' keys.

use super::{Answer, Cell, Class, Figures, Query, Schema, query::Interval};
use halo2_proofs::halo2curves::{bn256::Fr, ff::PrimeField};

/// Endpoints of one term: `low` and `high + 1` of each interval.
pub const ENDPOINTS: usize = 2 * Query::INTERVALS;
/// An endpoint above every code: that of an interval that is not there.
pub const NO_ENDPOINT: u64 = 1 << 33;

/// Bits of a packed count.
const COUNT: u32 = 21;
/// Bits of a packed sum of codes.
const SUM: u32 = 52;
/// Bits of a packed sum of squares or products.
const SQUARES: u32 = 84;

/// One statistic of a cell, in the order of the circuit's columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Statistic {
    /// Rows.
    Count,
    /// Rows in which the value is not missing.
    Nonmissing(usize),
    /// Sum of codes of a value.
    Sum(usize),
    /// Sum of squared codes of a value.
    Squares(usize),
    /// Rows in which neither value is missing.
    Pairs,
    /// Sum of the codes of a value where neither is missing.
    PairSum(usize),
    /// Sum of products of codes.
    Products,
}

impl Statistic {
    /// Bits of its field.
    #[must_use]
    pub const fn bits(self) -> u32 {
        match self {
            Self::Count | Self::Nonmissing(_) | Self::Pairs => COUNT,
            Self::Sum(_) | Self::PairSum(_) => SUM,
            Self::Squares(_) | Self::Products => SQUARES,
        }
    }

    /// Its value in a cell's figures.
    #[must_use]
    pub fn of(self, figures: &Figures) -> u128 {
        let value = |place: usize| figures.values.get(place).copied().unwrap_or_default();
        let pair = figures.pair.unwrap_or_default();
        match self {
            Self::Count => u128::from(figures.count),
            Self::Nonmissing(place) => u128::from(value(place).nonmissing),
            Self::Sum(place) => value(place).codes,
            Self::Squares(place) => value(place).squared_codes,
            Self::Pairs => u128::from(pair.pairs),
            Self::PairSum(0) => pair.first_codes,
            Self::PairSum(_) => pair.second_codes,
            Self::Products => pair.product_codes,
        }
    }
}

/// The statistics of a class, element by element, each from the lowest bits; bit 0 of the first element says that the cell is hidden.
#[must_use]
pub const fn packing(class: Class) -> &'static [&'static [Statistic]] {
    use Statistic::{Count, Nonmissing, PairSum, Pairs, Products, Squares, Sum};
    match class {
        Class::Narrow => &[&[Count, Nonmissing(0), Sum(0), Squares(0)]],
        Class::Wide => &[
            &[Count, Nonmissing(0), Nonmissing(1), Pairs, Sum(0), Sum(1), PairSum(0)],
            &[Squares(0), Squares(1), PairSum(1)],
            &[Products],
        ],
    }
}

/// Row of the rest in column 0, which releases nothing: 0.
#[must_use]
pub const fn rest_row(class: Class) -> usize {
    class.cells()
}

/// Row of the threshold in column 0.
#[must_use]
pub const fn threshold_row(class: Class) -> usize {
    class.cells() + 1
}

/// Row of the first endpoint of a term in column 0.
#[must_use]
pub const fn endpoint_row(class: Class, term: usize) -> usize {
    class.cells() + 2 + ENDPOINTS * term
}

/// The endpoints of a term; of one that the query does not have, "present = 1".
#[must_use]
pub fn endpoints(query: &Query, place: usize) -> [u64; ENDPOINTS] {
    let present = [Interval { low: 1, high: 1 }];
    let intervals = query.terms().get(place).map_or(&present[..], |term| &term.intervals);
    let mut endpoints = [NO_ENDPOINT; ENDPOINTS];
    for (pair, interval) in endpoints.chunks_exact_mut(2).zip(intervals) {
        pair.copy_from_slice(&[u64::from(interval.low), u64::from(interval.high) + 1]);
    }
    endpoints
}

/// The key of cell `cell` of the wide class: 10 bits a group column; of a cell that the query does not have, one that no row can have.
#[must_use]
pub fn key(schema: &Schema, query: &Query, cell: usize) -> u64 {
    if cell >= query.cells(schema) {
        return (1 << 31) + cell as u64;
    }
    query.key(schema, cell).iter().enumerate().map(|(place, &code)| u64::from(code) << (10 * place)).sum()
}

/// The instance columns of a proof that `answer` is what `query` releases under `threshold`.
///
/// `None` when the answer does not have the query's shape, or a figure is wider than its field.
#[must_use]
pub fn instances(
    class: Class,
    schema: &Schema,
    query: &Query,
    threshold: u32,
    answer: &Answer,
) -> Option<Vec<Vec<Fr>>> {
    let cells = query.cells(schema);
    if answer.cells.len() != cells || cells > class.cells() || query.terms().len() > class.terms() {
        return None;
    }
    let packing = packing(class);
    let mut columns = vec![vec![Fr::zero(); class.cells()]; packing.len()];
    for (row, cell) in answer.cells.iter().enumerate() {
        match cell {
            Cell::Hidden => columns[0][row] = Fr::one(),
            Cell::Shown(figures) => {
                if !has_shape(query, figures) {
                    return None;
                }
                for (place, (column, statistics)) in columns.iter_mut().zip(packing).enumerate() {
                    column[row] = pack(place == 0, statistics, figures)?;
                }
            }
        }
    }
    columns[0].extend([Fr::zero(), Fr::from(u64::from(threshold))]);
    for term in 0..class.terms() {
        columns[0].extend(endpoints(query, term).map(Fr::from));
    }
    if class == Class::Wide {
        columns.push((0..class.cells()).map(|cell| Fr::from(key(schema, query, cell))).collect());
    }
    Some(columns)
}

/// Whether the figures are those of the query's values.
fn has_shape(query: &Query, figures: &Figures) -> bool {
    figures.values.len() == query.values().len() && figures.pair.is_some() == (query.values().len() == 2)
}

fn pack(first: bool, statistics: &[Statistic], figures: &Figures) -> Option<Fr> {
    let mut shift = if first { Fr::from(2) } else { Fr::one() };
    let mut sum = Fr::zero();
    for statistic in statistics {
        let (value, bits) = (statistic.of(figures), statistic.bits());
        if value >> bits != 0 {
            return None;
        }
        sum += Fr::from_u128(value) * shift;
        shift *= Fr::from_u128(1 << bits);
    }
    Some(sum)
}
