//! Transforms in plain Rust: layers from the widest to the narrowest leave the values in bit-reversed order, layers from
//! the narrowest to the widest take them from there. Depth first, so that a block is finished once it is in the cache.

use super::Sign;
use ark_bn254::Fr;
use ark_ff::Field;
use rayon::prelude::*;
use zeroize::Zeroizing;

/// Below this many elements a block is one thread's.
const ALONE: usize = 1 << 11;

/// The first `count` powers of `base`, times `start`.
fn powers(start: Fr, base: Fr, count: usize) -> Vec<Fr> {
    std::iter::successors(Some(start), |power| Some(*power * base)).take(count).collect()
}

const fn reversed(index: usize, bits: u32) -> usize {
    if bits == 0 { 0 } else { index.reverse_bits() >> (usize::BITS - bits) }
}

/// For each layer, by the logarithm of its half, the powers of its root.
struct Layers(Vec<Vec<Fr>>);

impl Layers {
    fn new(log_size: u32, root: Fr) -> Self {
        let widest = powers(Fr::ONE, root, 1 << log_size >> 1);
        Self(
            (0..log_size)
                .map(|log_half| widest.iter().step_by(widest.len() >> log_half).copied().collect())
                .collect(),
        )
    }

    fn of(&self, half: usize) -> &[Fr] {
        &self.0[half.trailing_zeros() as usize]
    }

    /// From natural to bit-reversed order.
    fn narrowing(&self, values: &mut [Fr]) {
        let half = values.len() / 2;
        if half == 0 {
            return;
        }
        let (low, high) = values.split_at_mut(half);
        let butterfly = |((x, y), factor): ((&mut Fr, &mut Fr), &Fr)| {
            let difference = *x - *y;
            *x += *y;
            *y = difference * factor;
        };
        if half < ALONE {
            if let ([x, low @ ..], [y, high @ ..]) = (&mut *low, &mut *high) {
                (*x, *y) = (*x + *y, *x - *y);
                low.iter_mut().zip(high).zip(&self.of(half)[1..]).for_each(butterfly);
            }
            self.narrowing(low);
            self.narrowing(high);
        } else {
            let factors = self.of(half);
            low.par_iter_mut().zip(&mut *high).zip(factors).with_min_len(ALONE).for_each(butterfly);
            rayon::join(|| self.narrowing(low), || self.narrowing(high));
        }
    }

    /// From bit-reversed to natural order.
    fn widening(&self, values: &mut [Fr]) {
        let half = values.len() / 2;
        if half == 0 {
            return;
        }
        let (low, high) = values.split_at_mut(half);
        let butterfly = |((x, y), factor): ((&mut Fr, &mut Fr), &Fr)| {
            let product = *y * factor;
            (*x, *y) = (*x + product, *x - product);
        };
        if half < ALONE {
            self.widening(low);
            self.widening(high);
            if let ([x, low @ ..], [y, high @ ..]) = (low, high) {
                (*x, *y) = (*x + *y, *x - *y);
                low.iter_mut().zip(high).zip(&self.of(half)[1..]).for_each(butterfly);
            }
        } else {
            rayon::join(|| self.widening(low), || self.widening(high));
            low.par_iter_mut().zip(high).zip(self.of(half)).with_min_len(ALONE).for_each(butterfly);
        }
    }
}

fn scale(values: &mut [Fr], factors: &[Fr]) {
    values.par_iter_mut().zip(factors).with_min_len(ALONE).for_each(|(value, factor)| *value *= factor);
}

/// A transform between slices in natural order.
pub(super) struct Plan {
    log_size: u32,
    layers: Layers,
    before: Option<Vec<Fr>>,
    after: Option<Vec<Fr>>,
}

impl Plan {
    pub(super) fn new(log_size: u32, root: Fr, coset: Fr, sign: Sign) -> Self {
        let size = 1usize << log_size;
        let (before, after) = match sign {
            Sign::Forward => ((coset != Fr::ONE).then(|| powers(Fr::ONE, coset, size)), None),
            Sign::Inverse { size_inverse } => (None, Some(powers(size_inverse, coset, size))),
        };
        Self { log_size, layers: Layers::new(log_size, root), before, after }
    }

    /// Transforms in place. The length is that of the plan.
    pub(super) fn run(&self, values: &mut [Fr]) {
        if let Some(before) = &self.before {
            scale(values, before);
        }
        self.layers.narrowing(values);
        let copy = Zeroizing::new(values.to_vec());
        let place = |i: usize| reversed(i, self.log_size);
        let numbered = values.par_iter_mut().with_min_len(ALONE).enumerate();
        match &self.after {
            Some(after) => numbered.for_each(|(i, value)| *value = copy[place(i)] * after[i]),
            None => numbered.for_each(|(i, value)| *value = copy[place(i)]),
        }
    }
}

/// From values on a group to those on its coset, the coefficients between them in bit-reversed order.
pub(super) struct Coset {
    inverse: Layers,
    /// shift^i / n, in bit-reversed order.
    scales: Vec<Fr>,
    forward: Layers,
}

impl Coset {
    pub(super) fn new(log_size: u32, root: Fr, root_inverse: Fr, shift: Fr, size_inverse: Fr) -> Self {
        let scales = powers(size_inverse, shift, 1 << log_size);
        Self {
            inverse: Layers::new(log_size, root_inverse),
            scales: (0..scales.len()).map(|i| scales[reversed(i, log_size)]).collect(),
            forward: Layers::new(log_size, root),
        }
    }

    /// Takes values on the group to those on the coset. The length is that of the plan.
    pub(super) fn to_coset(&self, values: &mut [Fr]) {
        self.inverse.narrowing(values);
        scale(values, &self.scales);
        self.forward.widening(values);
    }
}
