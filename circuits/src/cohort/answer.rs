//! What a query releases: integers of codes, cell by cell, small cells hidden.
//!
//! Sums here are sums of *codes* (0 = missing). [`ValueFigures::sum`] and the like turn them into sums of values with the column's
//! offset, exactly.

/// The figures of one value column in one cell, in codes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ValueFigures {
    /// Rows in which the value is not missing.
    pub nonmissing: u64,
    /// Sum of codes.
    pub codes: u128,
    /// Sum of squared codes.
    pub squared_codes: u128,
}

impl ValueFigures {
    /// The sum of the values, in scaled units; `offset` is [`super::Column::offset`].
    #[must_use]
    pub fn sum(&self, offset: i64) -> i128 {
        signed(self.codes) + i128::from(offset) * i128::from(self.nonmissing)
    }

    /// The sum of the squared values, in squared scaled units: `(c + o)^2 = c^2 + 2 o c + o^2`.
    #[must_use]
    pub fn squares(&self, offset: i64) -> i128 {
        let offset = i128::from(offset);
        signed(self.squared_codes)
            + 2 * offset * signed(self.codes)
            + offset * offset * i128::from(self.nonmissing)
    }
}

/// The figures of two value columns in the rows where neither is missing, in codes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PairFigures {
    /// Rows in which neither is missing.
    pub pairs: u64,
    /// Sum of the first's codes over these rows.
    pub first_codes: u128,
    /// Sum of the second's codes over these rows.
    pub second_codes: u128,
    /// Sum of products of codes.
    pub product_codes: u128,
}

impl PairFigures {
    /// The sum of products of values: `(a + p)(b + q) = ab + qa + pb + pq`. It has less than 127 bits, and so has each partial sum, where the figures
    /// are no wider than [`super::instances`] packs them and of less than 2^20 rows.
    #[must_use]
    pub fn cross(&self, first_offset: i64, second_offset: i64) -> i128 {
        let (p, q) = (i128::from(first_offset), i128::from(second_offset));
        signed(self.product_codes)
            + q * signed(self.first_codes)
            + p * signed(self.second_codes)
            + p * q * i128::from(self.pairs)
    }
}

/// Sums of codes have at most 84 bits.
fn signed(sum: u128) -> i128 {
    i128::try_from(sum).unwrap_or(i128::MAX)
}

/// What is counted and summed in one cell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Rows; since rows are unique in the table's unit, subjects.
    pub count: u64,
    /// One entry for each value column of the query.
    pub values: Vec<ValueFigures>,
    /// Present when the query has two value columns.
    pub pair: Option<PairFigures>,
}

impl Figures {
    /// Nothing counted yet, for so many value columns.
    #[must_use]
    pub fn none(values: usize) -> Self {
        let pair = (values == 2).then(PairFigures::default);
        Self { count: 0, values: vec![ValueFigures::default(); values], pair }
    }
}

/// One cell of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell {
    /// Its figures.
    Shown(Figures),
    /// Hidden by the disclosure rule.
    Hidden,
}

impl Cell {
    /// The figures, unless hidden.
    #[must_use]
    pub const fn figures(&self) -> Option<&Figures> {
        match self {
            Self::Shown(figures) => Some(figures),
            Self::Hidden => None,
        }
    }
}

/// All cells of a query, in the order of [`super::Query::key`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The cells.
    pub cells: Vec<Cell>,
}
