//! A sparse matrix laid out for many products with a vector: rows side by side, each distinct coefficient stored once.
//!
//! Half of a claim circuit's coefficients are one or minus one; those cost an addition only.

use ark_ff::{AdditiveGroup, Field};
use nightingale_circuits::{Fr, r1cs::Row};
use rayon::prelude::*;
use std::collections::HashMap;

const ONE: u32 = 0;
const MINUS_ONE: u32 = 1;

/// The matrix.
pub(crate) struct Matrix {
    /// Where each row starts in `terms`, and the end of the last.
    starts: Vec<usize>,
    /// `(coefficient's index in the table, column)`.
    terms: Vec<(u32, u32)>,
    /// The distinct coefficients: 1, -1, then the others.
    table: Vec<Fr>,
}

impl Matrix {
    /// From rows; `None` when there are 2^32 columns or coefficients.
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
                terms.push((index, u32::try_from(*column).ok()?));
            }
            starts.push(terms.len());
        }
        Some(Self { starts, terms, table })
    }

    /// Rows.
    pub(crate) const fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// The row's product with `values`, which must have every column.
    fn product(&self, row: usize, values: &[Fr]) -> Fr {
        let mut sum = Fr::ZERO;
        for (coefficient, column) in &self.terms[self.starts[row]..self.starts[row + 1]] {
            let value = values[*column as usize];
            match *coefficient {
                ONE => sum += value,
                MINUS_ONE => sum -= value,
                other => sum += value * self.table[other as usize],
            }
        }
        sum
    }

    /// All rows' products with `values` into the start of `out`.
    pub(crate) fn multiply(&self, values: &[Fr], out: &mut [Fr]) {
        out[..self.len()].par_iter_mut().with_min_len(512).enumerate().for_each(|(row, out)| {
            *out = self.product(row, values);
        });
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
        let mut out = vec![f(5); 4];
        let matrix = Matrix::new(&rows).map(|m| m.multiply(&values, &mut out));
        assert!(matrix.is_some());
        assert_eq!(out, [f(1) - f(100), f(0), f(70 + 700 + 9), f(5)]);
    }
}
