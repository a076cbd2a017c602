//! A sparse matrix laid out for many products with a vector: rows side by side, each distinct coefficient stored once.
//!
//! Half of a claim circuit's coefficients are one or minus one; those cost an addition only.

use crate::device::Slab;
use ark_ff::{AdditiveGroup, Field};
use nightingale_circuits::{Fr, r1cs::Row};
use std::collections::HashMap;

const ONE: u32 = 0;
const MINUS_ONE: u32 = 1;

/// The matrix.
pub struct Matrix {
    /// Where each row starts in `terms`, and the end of the last.
    pub(crate) starts: Slab<u32>,
    /// The coefficient's index in the table, and the column.
    pub(crate) terms: Slab<[u32; 2]>,
    /// The distinct coefficients: 1, -1, then the others.
    pub(crate) table: Vec<Fr>,
}

impl Matrix {
    /// From rows; `None` when there are 2^32 terms, columns or coefficients.
    pub(crate) fn new(rows: &[Row]) -> Option<Self> {
        let mut table = vec![Fr::ONE, -Fr::ONE];
        let mut known: HashMap<Fr, u32> = HashMap::from([(Fr::ONE, ONE), (-Fr::ONE, MINUS_ONE)]);
        let mut starts = vec![0];
        let mut terms = Vec::with_capacity(rows.iter().map(Vec::len).sum());
        for row in rows {
            for (coefficient, column) in row {
                let next = u32::try_from(table.len()).ok()?;
                let index = *known.entry(*coefficient).or_insert_with(|| {
                    table.push(*coefficient);
                    next
                });
                terms.push([index, u32::try_from(*column).ok()?]);
            }
            starts.push(u32::try_from(terms.len()).ok()?);
        }
        Some(Self { starts: starts.into(), terms: terms.into(), table })
    }

    /// From its arrays, for systems of this many variables, if no product can leave them: the rows cut all terms
    /// into pieces, each term's coefficient is in the table, and its column is one of the variables.
    pub(crate) fn from_parts(
        starts: Slab<u32>,
        terms: Slab<[u32; 2]>,
        table: Vec<Fr>,
        variables: usize,
    ) -> Result<Self, &'static str> {
        let (rows, all) = (&*starts, &*terms);
        if rows.first() != Some(&0)
            || !rows.is_sorted()
            || rows.last().map(|end| *end as usize) != Some(all.len())
        {
            return Err("the rows of a matrix do not cut its terms into pieces");
        }
        if table.get(..2) != Some(&[Fr::ONE, -Fr::ONE]) {
            return Err("the coefficients of a matrix do not start with 1 and -1");
        }
        let last = |length: usize| length.checked_sub(1).and_then(|last| i32::try_from(last).ok());
        let (Some(coefficients), Some(columns)) = (last(table.len()), last(variables)) else {
            return Err("a matrix has no columns, or 2^31 columns or coefficients");
        };
        // The highest bit of `index | (last - index)` is set just when the index is above the last, which has that bit
        // clear. Two instructions that any processor has for vectors; comparisons and maxima would be thrice as slow.
        let above = |last: i32, index: u32| index | last.cast_unsigned().wrapping_sub(index);
        let outside = all.iter().fold(0, |outside, [coefficient, column]| {
            outside | above(coefficients, *coefficient) | above(columns, *column)
        });
        if outside >> 31 != 0 {
            return Err("a matrix names a coefficient or a column that it does not have");
        }
        Ok(Self { starts, terms, table })
    }

    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Where each row starts in [`Matrix::terms`], and the end of the last.
    #[must_use]
    pub fn starts(&self) -> &[u32] {
        &self.starts
    }

    /// The index in [`Matrix::coefficients`] and the column of each term, row after row.
    #[must_use]
    pub fn terms(&self) -> &[[u32; 2]] {
        &self.terms
    }

    /// The distinct coefficients; the first two are 1 and -1.
    #[must_use]
    pub fn coefficients(&self) -> &[Fr] {
        &self.table
    }

    /// Its arrays, taken once for many products.
    pub(crate) fn rows(&self) -> Rows<'_> {
        Rows { starts: &self.starts, terms: &self.terms, table: &self.table }
    }
}

/// The arrays of a [`Matrix`].
pub(crate) struct Rows<'a> {
    starts: &'a [u32],
    terms: &'a [[u32; 2]],
    table: &'a [Fr],
}

impl Rows<'_> {
    /// The row's product with `values`, which must have every column.
    pub(crate) fn product(&self, row: usize, values: &[Fr]) -> Fr {
        let mut sum = Fr::ZERO;
        for [coefficient, column] in &self.terms[self.starts[row] as usize..self.starts[row + 1] as usize] {
            let value = values[*column as usize];
            match *coefficient {
                ONE => sum += value,
                MINUS_ONE => sum -= value,
                other => sum += value * self.table[other as usize],
            }
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn multiplies_like_the_rows_it_came_from() {
        let f = |x: u64| Fr::from(x);
        let rows = vec![vec![(f(1), 0), (-f(1), 2)], vec![], vec![(f(7), 1), (f(7), 2), (f(9), 0)]];
        let values = [f(1), f(10), f(100)];
        let matrix = Matrix::new(&rows);
        let products = matrix.map(|m| [0, 1, 2].map(|row| m.rows().product(row, &values)));
        assert_eq!(products, Some([f(1) - f(100), f(0), f(70 + 700 + 9)]));
    }

    #[test]
    fn refuses_arrays_that_a_product_would_leave() {
        let table = || vec![Fr::ONE, -Fr::ONE, Fr::from(5u64)];
        let check = |starts: &[u32], terms: &[[u32; 2]], table: Vec<Fr>| {
            Matrix::from_parts(starts.to_vec().into(), terms.to_vec().into(), table, 4).is_ok()
        };
        let terms = [[0, 3], [2, 0], [1, 1]];
        assert!(check(&[0, 0, 2, 3], &terms, table()));
        assert!(check(&[0], &[], table()));
        for starts in [&[][..], &[1, 3], &[0, 2], &[0, 4], &[0, 3, 2, 3], &[0, u32::MAX, 3]] {
            assert!(!check(starts, &terms, table()), "{starts:?}");
        }
        for bad in [
            [3, 0],
            [0, 4],
            [u32::MAX, 0],
            [0, u32::MAX],
            [1 << 31, 0],
            [0, (1 << 31) + 1],
            [0, i32::MAX as u32],
        ] {
            assert!(!check(&[0, 1, 2, 3], &[terms[0], bad, terms[2]], table()), "{bad:?}");
        }
        assert!(!check(&[0, 3], &terms, vec![Fr::ONE, Fr::ONE, Fr::ONE]));
        assert!(!check(&[0], &[], vec![Fr::ONE]));
    }
}
