//! Many multiples of one point, as the setup needs them: windows of signed digits over a table, added in affine form
//! with one field inversion for a whole block (half of the multiplications of additions in Jacobian form).

use ark_ec::{
    AffineRepr, CurveGroup,
    short_weierstrass::{Affine, Projective, SWCurveConfig},
};
use ark_ff::{AdditiveGroup, Field, PrimeField};
use nightingale_circuits::Fr;
use rayon::prelude::*;

/// Bits of a digit. 20 windows of 4,096 points make a table of G1 that fits the second-level cache.
const WINDOW: usize = 13;
/// Windows of a scalar with a carry out of its 254 bits.
const WINDOWS: usize = (254 + 1_usize).div_ceil(WINDOW);
/// Points that share an inversion.
const BLOCK: usize = 512;

/// The multiples of a base: `windows[k][d - 1] = d * 2^(13 k) * base`, d from 1 to 2^12.
pub(crate) struct FixedBase<C: SWCurveConfig> {
    windows: Vec<Vec<Affine<C>>>,
}

impl<C: SWCurveConfig<ScalarField = Fr>> FixedBase<C> {
    pub(crate) fn new(base: Affine<C>) -> Self {
        let mut first = base.into_group();
        let firsts: Vec<Projective<C>> = (0..WINDOWS)
            .map(|_| {
                let this = first;
                (0..WINDOW).for_each(|_| {
                    first.double_in_place();
                });
                this
            })
            .collect();
        let window = |first: Projective<C>| {
            let multiples: Vec<_> = std::iter::successors(Some(first), |last| Some(*last + first))
                .take(1 << (WINDOW - 1))
                .collect();
            Projective::normalize_batch(&multiples)
        };
        Self { windows: firsts.into_par_iter().map(window).collect() }
    }

    /// Each scalar's multiple of the base.
    pub(crate) fn multiples(&self, scalars: &[Fr]) -> Vec<Affine<C>> {
        scalars.par_chunks(BLOCK).flat_map_iter(|block| self.block(block)).collect()
    }

    fn block(&self, scalars: &[Fr]) -> Vec<Affine<C>> {
        let digits: Vec<[i32; WINDOWS]> = scalars.iter().map(digits).collect();
        let mut sums = vec![Affine::<C>::zero(); scalars.len()];
        // `(which sum, addend, x of the addend minus x of the sum)`
        let mut pending: Vec<(usize, Affine<C>, C::BaseField)> = Vec::with_capacity(scalars.len());
        for (k, window) in self.windows.iter().enumerate() {
            for (i, (sum, digits)) in sums.iter_mut().zip(&digits).enumerate() {
                let digit = digits[k];
                if digit == 0 {
                    continue;
                }
                let multiple = window[digit.unsigned_abs() as usize - 1];
                let addend = if digit < 0 { -multiple } else { multiple };
                if sum.is_zero() {
                    *sum = addend;
                } else if sum.x == addend.x {
                    // Equal or opposite points, where the chord's slope does not exist.
                    *sum = (*sum + addend).into_affine();
                } else {
                    pending.push((i, addend, addend.x - sum.x));
                }
            }
            add(&mut sums, &pending);
            pending.clear();
        }
        sums
    }
}

/// Adds each pending point to its sum by the chord's slope, with one inversion for all (Montgomery's trick).
fn add<C: SWCurveConfig>(sums: &mut [Affine<C>], pending: &[(usize, Affine<C>, C::BaseField)]) {
    let mut product = C::BaseField::ONE;
    let before: Vec<C::BaseField> = pending
        .iter()
        .map(|(_, _, difference)| {
            let before = product;
            product *= difference;
            before
        })
        .collect();
    // No difference is zero, so neither is their product.
    let mut inverse = product.inverse().unwrap_or(C::BaseField::ZERO);
    for ((i, addend, difference), before) in pending.iter().zip(before).rev() {
        let sum = &mut sums[*i];
        let slope = (addend.y - sum.y) * (inverse * before);
        inverse *= difference;
        let x = slope.square() - sum.x - addend.x;
        let y = slope * (sum.x - x) - sum.y;
        *sum = Affine::new_unchecked(x, y);
    }
}

/// Digits from -2^12 + 1 to 2^12, the lowest first.
fn digits(scalar: &Fr) -> [i32; WINDOWS] {
    let limbs = scalar.into_bigint().0;
    let mut carry = 0;
    std::array::from_fn(|k| {
        let (limb, shift) = (k * WINDOW / 64, k * WINDOW % 64);
        let low = limbs.get(limb).map_or(0, |l| l >> shift);
        let high = if shift == 0 { 0 } else { limbs.get(limb + 1).map_or(0, |l| l << (64 - shift)) };
        let digit = ((low | high) & ((1 << WINDOW) - 1)) as i32 + carry;
        carry = i32::from(digit > 1 << (WINDOW - 1));
        digit - (carry << WINDOW)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ark_bn254::{G1Affine, G2Affine, g1, g2};

    fn scalars() -> Vec<Fr> {
        let power = |n: u64| Fr::from(2u64).pow([n]);
        let mut all: Vec<Fr> = (0..5000u64).map(|i| Fr::from(i).pow([37]) + Fr::from(i % 3)).collect();
        all.extend((0..254).flat_map(|n| [power(n), power(n) - Fr::ONE, -power(n)]));
        all.extend([Fr::ZERO, Fr::ONE, -Fr::ONE, Fr::from(4096u64), Fr::from(4097u64), Fr::from(8192u64)]);
        all
    }

    #[test]
    fn equals_single_multiplications() {
        let scalars = scalars();
        let g1 = FixedBase::<g1::Config>::new(G1Affine::generator()).multiples(&scalars);
        assert!(scalars.iter().zip(&g1).all(|(k, p)| *p == (G1Affine::generator() * k).into_affine()));
        let some = &scalars[scalars.len() - 300..];
        let g2 = FixedBase::<g2::Config>::new(G2Affine::generator()).multiples(some);
        assert!(some.iter().zip(&g2).all(|(k, p)| *p == (G2Affine::generator() * k).into_affine()));
    }

    #[test]
    fn digits_add_up_to_the_scalar() {
        for scalar in scalars() {
            let base = Fr::from(1u64 << WINDOW);
            let sum = digits(&scalar).iter().rev().fold(Fr::ZERO, |sum, digit| {
                let digit = Fr::from(digit.unsigned_abs()) * if *digit < 0 { -Fr::ONE } else { Fr::ONE };
                sum * base + digit
            });
            assert_eq!(sum, scalar);
        }
    }
}
