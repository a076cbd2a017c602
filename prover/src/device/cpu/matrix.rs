//! Products of a sparse matrix with a vector: rows side by side, each distinct coefficient stored once.

#![cfg_attr(
    target_arch = "x86_64",
    expect(unsafe_code, reason = "calls of functions that need the processor's features")
)]

#[cfg(target_arch = "x86_64")]
mod eights;

use super::super::DeviceError;
use super::kernel::Kernel;
use ark_bn254::Fr;
use ark_ff::{AdditiveGroup, Field};
use rayon::prelude::*;

/// The coefficient 1's place in a table.
pub(crate) const ONE: u32 = 0;
/// The coefficient -1's place in a table.
pub(crate) const MINUS_ONE: u32 = 1;

/// So many rows are a task; a task of [`Kernel::Ifma`] sorts them by length.
const TASK: usize = 1 << 10;

/// A matrix with a row for each but the last of `starts`.
#[derive(Clone, Copy)]
pub(crate) struct Rows<'a> {
    /// Where each row starts in `terms`, and the end of the last.
    pub(crate) starts: &'a [u32],
    /// The coefficient's place in the table, and the column.
    pub(crate) terms: &'a [[u32; 2]],
    /// The distinct coefficients: 1, -1, then the others.
    pub(crate) table: &'a [Fr],
}

impl<'a> Rows<'a> {
    /// The terms of a row; none if there is no such row.
    fn row(&self, row: usize) -> &'a [[u32; 2]] {
        match self.starts.get(row..row + 2) {
            Some(&[start, end]) => self.terms.get(start as usize..end as usize).unwrap_or_default(),
            _ => &[],
        }
    }

    /// A row's product with `values`, term by term. Half of a circuit's coefficients are 1 or -1: those cost an addition
    /// only.
    fn product(&self, row: usize, values: &[Fr]) -> Fr {
        let mut sum = Fr::ZERO;
        let mut waiting = None;
        for [coefficient, column] in self.row(row) {
            let value = values[*column as usize];
            match *coefficient {
                ONE => sum += value,
                MINUS_ONE => sum -= value,
                other => {
                    let factor = self.table[other as usize];
                    // Two products share one reduction.
                    match waiting.take() {
                        Some((v, f)) => sum += Fr::sum_of_products(&[v, value], &[f, factor]),
                        None => waiting = Some((value, factor)),
                    }
                }
            }
        }
        if let Some((value, factor)) = waiting {
            sum += value * factor;
        }
        sum
    }
}

/// All rows' products with `values` into the start of `out`. Every term's column is below the length of `values` and its
/// coefficient's place below that of the table: whoever built the matrix has checked that; if not, this panics.
///
/// # Errors
/// No `starts`, or fewer places than rows.
pub(crate) fn multiply(
    kernel: Kernel,
    rows: Rows<'_>,
    values: &[Fr],
    out: &mut [Fr],
) -> Result<(), DeviceError> {
    let count = rows.starts.len().checked_sub(1);
    let Some(out) = count.and_then(|count| out.get_mut(..count)) else {
        return Err(DeviceError::Input("a matrix with more rows than places for its products".into()));
    };
    out.par_chunks_mut(TASK).enumerate().for_each(|(task, out)| {
        let first = task * TASK;
        #[cfg(target_arch = "x86_64")]
        if kernel == Kernel::Ifma && kernel.is_available() {
            // SAFETY: the processor has the features.
            unsafe { eights::multiply(&rows, first, values, out) };
            return;
        }
        let _ = kernel;
        for (i, out) in out.iter_mut().enumerate() {
            *out = rows.product(first + i, values);
        }
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ark_ff::UniformRand;
    use ark_std::rand::{Rng, SeedableRng, rngs::StdRng};

    fn kernels() -> impl Iterator<Item = Kernel> {
        [
            Kernel::Portable,
            #[cfg(target_arch = "x86_64")]
            Kernel::Ifma,
        ]
        .into_iter()
        .filter(|kernel| kernel.is_available())
    }

    #[test]
    fn products_equal_the_sums_written_out() -> Result<(), DeviceError> {
        let mut rng = StdRng::seed_from_u64(1);
        for (count, longest) in [(0, 1), (1, 3), (7, 1), (8, 4), (9, 9), (3000, 12), (1500, 140), (20, 400)] {
            let columns = 500;
            let edges = [Fr::ZERO, -Fr::ONE, Fr::ONE];
            let any =
                |rng: &mut StdRng| if rng.gen_bool(0.3) { edges[rng.gen_range(0..3)] } else { Fr::rand(rng) };
            let values: Vec<Fr> = (0..columns).map(|_| any(&mut rng)).collect();
            let mut table = vec![Fr::ONE, -Fr::ONE, Fr::ZERO];
            table.extend((0..40).map(|_| any(&mut rng)));
            let (mut starts, mut terms) = (vec![0], vec![]);
            let mut expected = vec![];
            for _ in 0..count {
                let mut sum = Fr::ZERO;
                for _ in 0..rng.gen_range(0..=longest) {
                    let place = if rng.gen_bool(0.5) { rng.gen_range(0..2) } else { rng.gen_range(0..43) };
                    let column = rng.gen_range(0..columns);
                    terms.push([place as u32, column as u32]);
                    sum += table[place] * values[column];
                }
                starts.push(terms.len() as u32);
                expected.push(sum);
            }
            expected.push(Fr::from(77u64));
            for kernel in kernels() {
                let mut out = vec![Fr::from(77u64); count + 1];
                let rows = Rows { starts: &starts, terms: &terms, table: &table };
                multiply(kernel, rows, &values, &mut out)?;
                assert!(out == expected, "{count} rows of up to {longest} terms, {kernel:?}");
            }
        }
        Ok(())
    }

    #[test]
    fn the_greatest_sums_do_not_overflow() -> Result<(), DeviceError> {
        let (table, values) = ([Fr::ONE, -Fr::ONE, -Fr::ONE], [-Fr::ONE]);
        for length in 1..300u32 {
            let terms = vec![[2, 0]; 8 * length as usize];
            let starts: Vec<u32> = (0..=8).map(|row| row * length).collect();
            for kernel in kernels() {
                let mut out = [Fr::ZERO; 8];
                multiply(kernel, Rows { starts: &starts, terms: &terms, table: &table }, &values, &mut out)?;
                assert_eq!(out, [Fr::from(length); 8], "{kernel:?}");
            }
        }
        Ok(())
    }

    #[test]
    fn too_few_places_are_refused() {
        let rows = Rows { starts: &[0, 0, 0], terms: &[], table: &[] };
        for kernel in kernels() {
            assert!(matches!(multiply(kernel, rows, &[], &mut [Fr::ZERO]), Err(DeviceError::Input(_))));
            let none = Rows { starts: &[], ..rows };
            assert!(matches!(multiply(kernel, none, &[], &mut []), Err(DeviceError::Input(_))));
        }
    }
}
