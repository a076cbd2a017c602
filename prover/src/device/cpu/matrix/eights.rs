//! Eight rows of about equal length at a time: their terms' products are summed unreduced, with one reduction for all.

use super::super::scalars::{Sums, layout};
use super::{ONE, Rows, TASK};
use ark_bn254::Fr;
use ark_ff::AdditiveGroup;

/// The products of the rows from `first` on with `values`, at most [`TASK`] of them.
#[target_feature(enable = "avx512f,avx512dq,avx512ifma")]
pub(super) fn multiply(rows: &Rows<'_>, first: usize, values: &[Fr], out: &mut [Fr]) {
    // Rows by their length, the longest first; where the rows of each length start.
    let mut order = [0u16; TASK];
    let mut starts = [0u16; Sums::TERMS + 1];
    let length = |row: usize| {
        let terms = rows.row(first + row);
        let copies = matches!(terms, [[ONE, _]]);
        if copies || terms.len() > Sums::TERMS { 0 } else { terms.len() }
    };
    for row in 0..out.len() {
        starts[Sums::TERMS - length(row)] += 1;
    }
    let mut sum = 0;
    for start in &mut starts {
        sum += std::mem::replace(start, sum);
    }
    for row in 0..out.len() {
        let start = &mut starts[Sums::TERMS - length(row)];
        order[usize::from(*start)] = row as u16;
        *start += 1;
    }
    let mut results = [Fr::ZERO; 8];
    for eight in order[..out.len()].chunks(8) {
        let mut terms: [&[[u32; 2]]; 8] = [&[]; 8];
        for (terms, row) in terms.iter_mut().zip(eight) {
            if length(usize::from(*row)) > 0 {
                *terms = rows.row(first + usize::from(*row));
            }
        }
        if !terms[0].is_empty() {
            let mut sums = Sums::zero();
            for i in 0..terms[0].len() {
                let mut factors = [&Fr::ZERO; 8];
                let mut elements = [&Fr::ZERO; 8];
                for lane in 0..8 {
                    if let Some([coefficient, column]) = terms[lane].get(i) {
                        factors[lane] = &rows.table[*coefficient as usize];
                        elements[lane] = &values[*column as usize];
                    }
                }
                sums.add_product(&layout::gather::<4>(factors), &layout::gather::<0>(elements));
            }
            layout::store(&sums.reduced().canonical(), &mut results);
        }
        for ((row, result), terms) in eight.iter().zip(&results).zip(terms) {
            out[usize::from(*row)] = match (terms, rows.row(first + usize::from(*row))) {
                ([_, ..], _) => *result,
                (_, [[ONE, column]]) => values[*column as usize],
                _ => rows.product(first + usize::from(*row), values),
            };
        }
    }
}
