//! Eight transforms side by side that fit the second-level cache, natural order in, bit-reversed order out.
//!
//! Halving X^m - c^2 into X^(m/2) - c and X^(m/2) + c gives each block one factor c for all of its butterflies, so a
//! table of m/2 factors in bit-reversed order serves every layer. Two layers at a time, depth first: below 128 values a
//! block stays in the first-level cache. Sums grow by 22 p in two layers; where they would pass 2^260 the one addend
//! that no product reduces is reduced first.

use super::super::super::scalars::{ABOVE_PRODUCT, Factor, LIMIT, Lanes, TIGHT};
use ark_bn254::Fr;
use ark_ff::Field;

/// What two layers add to a bound: twice the multiple of p above a product.
const GROWTH: u32 = 2 * 100 * ABOVE_PRODUCT as u32;

/// The factors of a transform of 2^`log_size` values, 3 at least.
pub(super) struct Roots {
    log_size: u32,
    /// root^(i in bit-reversed order), below half the size.
    factors: Vec<Factor>,
    /// Whether each later pair of layers reduces.
    reduces: Vec<bool>,
}

impl Roots {
    pub(super) fn new(log_size: u32, root: Fr) -> Self {
        let squares: Vec<Fr> =
            (1..log_size).scan(root, |power, _| Some(std::mem::replace(power, power.square()))).collect();
        // The highest bit of the exponent is the lowest of the index.
        let mut powers = vec![Fr::ONE];
        for step in squares.iter().rev() {
            powers.extend_from_within(..);
            let half = powers.len() / 2;
            powers[half..].iter_mut().for_each(|power| *power *= step);
        }
        let raised = if log_size.is_multiple_of(2) { 100 * ABOVE_PRODUCT as u32 } else { GROWTH };
        let mut bound = (TIGHT + 300 + raised).max(4 * TIGHT + 1200);
        let last = log_size / 2 - 1;
        let reduces = (1..=last)
            .map(|pair| {
                // A further pair adds a product to a value before it is multiplied.
                let limit = if pair == last { LIMIT } else { LIMIT - GROWTH / 2 };
                let reduces = bound + GROWTH > limit;
                bound = if reduces { 101 } else { bound } + GROWTH;
                reduces
            })
            .collect();
        Self { log_size, factors: powers.into_iter().map(Factor::new).collect(), reduces }
    }

    pub(super) const fn len(&self) -> usize {
        1 << self.log_size
    }

    /// Where the value of index `i` lies afterwards.
    pub(super) const fn place(&self, i: usize) -> usize {
        i.reverse_bits() >> (usize::BITS - self.log_size)
    }

    /// Transforms values of at most [`TIGHT`]; leaves them at most [`LIMIT`].
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(super) fn transform(&self, values: &mut [Lanes]) {
        if self.log_size.is_multiple_of(2) {
            first_layers::<3, 6>(values, &self.factors[1]);
            self.quarters(values, 0, 0);
        } else {
            let (low, high) = values.split_at_mut(self.len() / 2);
            for (x, y) in low.iter_mut().zip(&mut *high) {
                (*x, *y) = (x.plus(y), x.minus::<3>(y));
            }
            first_layers::<6, 12>(low, &self.factors[1]);
            self.two_layers::<false>(high, 1);
            self.quarters(low, 0, 0);
            self.quarters(high, 1, 0);
        }
    }

    #[target_feature(enable = "avx512f,avx512ifma")]
    fn quarters(&self, values: &mut [Lanes], block: usize, depth: usize) {
        if values.len() <= 4 {
            return;
        }
        let quarter = values.len() / 4;
        for (i, values) in values.chunks_exact_mut(quarter).enumerate() {
            if self.reduces[depth] {
                self.two_layers::<true>(values, 4 * block + i);
            } else {
                self.two_layers::<false>(values, 4 * block + i);
            }
            self.quarters(values, 4 * block + i, depth + 1);
        }
    }

    #[target_feature(enable = "avx512f,avx512ifma")]
    fn two_layers<const REDUCES: bool>(&self, values: &mut [Lanes], block: usize) {
        let (upper, left, right) =
            (&self.factors[block], &self.factors[2 * block], &self.factors[2 * block + 1]);
        let quarter = values.len() / 4;
        let (low, high) = values.split_at_mut(2 * quarter);
        let (a, b) = low.split_at_mut(quarter);
        let (c, d) = high.split_at_mut(quarter);
        for (((a, b), c), d) in a.iter_mut().zip(b).zip(c).zip(d) {
            let product = d.times(upper);
            let (sum, difference) = (b.plus(&product), b.minus::<ABOVE_PRODUCT>(&product));
            let product = c.times(upper);
            let first = if REDUCES { a.reduced() } else { *a };
            let (even, odd) = (first.plus(&product), first.minus::<ABOVE_PRODUCT>(&product));
            let product = sum.times(left);
            (*a, *b) = (even.plus(&product), even.minus::<ABOVE_PRODUCT>(&product));
            let product = difference.times(right);
            (*c, *d) = (odd.plus(&product), odd.minus::<ABOVE_PRODUCT>(&product));
        }
    }
}

/// Two layers of a block whose factor is 1; only a fourth root of unity is left of their factors. `BOUND` is at least
/// the values' bound, in multiples of p, and `TWICE` the double.
#[target_feature(enable = "avx512f,avx512ifma")]
fn first_layers<const BOUND: usize, const TWICE: usize>(values: &mut [Lanes], fourth_root: &Factor) {
    let quarter = values.len() / 4;
    let (low, high) = values.split_at_mut(2 * quarter);
    let (a, b) = low.split_at_mut(quarter);
    let (c, d) = high.split_at_mut(quarter);
    for (((a, b), c), d) in a.iter_mut().zip(b).zip(c).zip(d) {
        let product = b.minus::<BOUND>(d).times(fourth_root);
        let (sum, even, odd) = (b.plus(d), a.plus(c), a.minus::<BOUND>(c));
        (*a, *b) = (even.plus(&sum), even.minus::<TWICE>(&sum));
        (*c, *d) = (odd.plus(&product), odd.minus::<ABOVE_PRODUCT>(&product));
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::super::kernel::Kernel;
    use super::super::super::super::scalars::layout;
    use super::*;
    use ark_ff::{AdditiveGroup, FftField, UniformRand};
    use ark_poly::{EvaluationDomain, Radix2EvaluationDomain};
    use ark_std::rand::{SeedableRng, rngs::StdRng};

    /// The transforms of eight columns, each element first raised by p.
    #[target_feature(enable = "avx512f,avx512dq,avx512ifma")]
    fn transformed(roots: &Roots, rows: &[[Fr; 8]]) -> Vec<[Fr; 8]> {
        let mut values: Vec<Lanes> = rows.iter().map(|row| layout::load(row)).collect();
        for value in &mut values {
            *value = value.minus::<1>(&Lanes::zero());
        }
        roots.transform(&mut values);
        let mut out = vec![[Fr::ZERO; 8]; rows.len()];
        for (i, out) in out.iter_mut().enumerate() {
            layout::store(&values[roots.place(i)].canonical(), out);
        }
        out
    }

    #[test]
    fn every_size_keeps_its_bounds_and_equals_ark_poly() {
        if !Kernel::Ifma.is_available() {
            return;
        }
        let mut rng = StdRng::seed_from_u64(1);
        for log_size in 3..=14u32 {
            let size = 1usize << log_size;
            let domain = Radix2EvaluationDomain::<Fr>::new(size);
            let root = Fr::get_root_of_unity(size as u64).unwrap_or(Fr::ZERO);
            let random: Vec<Fr> = (0..size).map(|_| Fr::rand(&mut rng)).collect();
            let columns: [Vec<Fr>; 8] = std::array::from_fn(|column| match column {
                0 => vec![-Fr::ONE; size],
                1 => vec![Fr::ZERO; size],
                // The greatest element alternating with 0: differences and sums at their ends.
                2..5 => {
                    (0..size).map(|i| if i >> (column - 2) & 1 == 0 { -Fr::ONE } else { Fr::ZERO }).collect()
                }
                5 => vec![random[0]; size],
                _ => random.iter().map(|x| *x * Fr::from(column as u64)).collect(),
            });
            let rows: Vec<[Fr; 8]> = (0..size).map(|i| std::array::from_fn(|j| columns[j][i])).collect();
            // SAFETY: the processor has the features.
            let ours = unsafe { transformed(&Roots::new(log_size, root), &rows) };
            for (j, mut column) in columns.into_iter().enumerate() {
                if let Some(domain) = domain {
                    domain.fft_in_place(&mut column);
                }
                assert!(
                    domain.is_some() && ours.iter().zip(&column).all(|(row, x)| row[j] == *x),
                    "2^{log_size}"
                );
            }
        }
    }
}
