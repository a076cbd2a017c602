//! Scalars as signed digits, and the digits as entries of buckets.
//!
//! A scalar above half the order stands for its negative, so all magnitudes are below 2^253 and small negative numbers
//! are as cheap as small positive ones. Digits are those of `k + 2^(c-1) (1 + 2^c + 2^2c + ..)` less `2^(c-1)` each: from
//! `-2^(c-1)` to `2^(c-1) - 1`, and no carry ties one to the next.

use crate::device::cpu::{kernel::Kernel, lanes::NEGATIVE};
use ark_bn254::Fr;
use ark_ff::{BigInteger, PrimeField};
use rayon::prelude::*;
use zeroize::Zeroize;

/// The bits of a magnitude.
pub(crate) const SCALAR_BITS: usize = 253;
/// The top bit of the top limb: the scalar is the negative of the magnitude.
const SIGN: u64 = 1 << 63;

/// Scalars of multiplications, made once and used by several. Zeroed when dropped.
pub(crate) struct Integers(Vec<[u64; 4]>);

impl Integers {
    /// Of these scalars.
    #[must_use]
    pub(crate) fn new(scalars: &[Fr], kernel: Kernel) -> Self {
        let mut integers = vec![[0; 4]; scalars.len()];
        integers.par_chunks_mut(PART).zip(scalars.par_chunks(PART)).for_each(|(integers, scalars)| {
            let eights = fold_eights(integers, scalars, kernel);
            for (integer, scalar) in integers.iter_mut().zip(scalars).skip(eights) {
                *integer = fold(scalar);
            }
        });
        Self(integers)
    }

    /// The magnitudes, with signs.
    pub(crate) fn numbers(&self) -> &[[u64; 4]] {
        &self.0
    }
}

impl Drop for Integers {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// Scalars folded together.
const PART: usize = 2048;

/// The magnitude of a scalar, with its sign.
fn fold(scalar: &Fr) -> [u64; 4] {
    let number = scalar.into_bigint();
    let mut negative = Fr::MODULUS;
    negative.sub_with_borrow(&number);
    if negative < number {
        negative.0[3] |= SIGN;
        return negative.0;
    }
    number.0
}

/// Folds as many scalars as there are whole vectors of, where the processor can; gives how many.
fn fold_eights(integers: &mut [[u64; 4]], scalars: &[Fr], kernel: Kernel) -> usize {
    #[cfg(target_arch = "x86_64")]
    if kernel == Kernel::Ifma
        && let Some(ifma) = crate::device::cpu::ifma::words::Ifma::detect()
    {
        let mut numbers: Vec<[u64; 4]> = scalars.iter().map(|scalar| scalar.0.0).collect();
        ifma.run(crate::device::cpu::ifma::integers::Fold { scalars: &numbers, integers, sign: SIGN });
        numbers.zeroize();
        return scalars.len() / 8 * 8;
    }
    let _ = (integers, scalars, kernel);
    0
}

/// How scalars are cut into digits and digits spread over buckets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    /// Bits of a digit.
    pub(crate) bits: usize,
    /// Digits of a scalar.
    pub(crate) windows: usize,
    /// Sets of buckets: windows j with the same `j mod sets` share one.
    pub(crate) sets: usize,
    /// The number of points in a copy of the table; copy t holds the multiples by `2^(bits * sets * t)`.
    pub(crate) copy: usize,
    /// log2 of the buckets of a task.
    pub(crate) task_bits: usize,
}

impl Layout {
    /// log2 of the buckets of a set.
    pub(crate) fn set_bits(&self) -> usize {
        self.bits - 1
    }
}

/// Entries of some scalars, sorted by task.
pub(crate) struct Parcel {
    /// The point, or its negative.
    entries: Vec<u32>,
    /// The bucket in the task.
    buckets: Vec<u16>,
    /// Where each task's entries end.
    ends: Vec<u32>,
}

impl Drop for Parcel {
    fn drop(&mut self) {
        wipe(&mut self.entries);
        wipe(&mut self.buckets);
        wipe(&mut self.ends);
    }
}

/// Zeroes what tells of scalars, at the speed of memory: `zeroize` writes word by word, a tenth of a multiplication.
pub(crate) fn wipe<T: bytemuck::Pod>(words: &mut [T]) {
    words.fill(T::zeroed());
    // Nobody reads them again, which must not be a reason to leave them.
    std::hint::black_box(words);
}

/// The code of a digit that is zero.
const ZERO: u32 = NEGATIVE - 1;

/// A digit's window, cut out for speed.
#[derive(Clone, Copy)]
struct Cut {
    byte: usize,
    shift: u32,
    /// What to add to the place of a point.
    copy: u32,
    /// What to add to a bucket.
    bucket: u32,
}

impl Parcel {
    /// The entries of the points `first..` with these scalars, for the sets `sets` of buckets, over `tasks` tasks.
    pub(crate) fn new<'a>(
        layout: &Layout,
        sets: std::ops::Range<usize>,
        tasks: usize,
        scalars: impl Iterator<Item = (u32, &'a [u64; 4])>,
    ) -> Self {
        let cuts: Vec<Cut> = (0..layout.windows)
            .filter(|window| sets.contains(&(window % layout.sets)))
            .map(|window| Cut {
                byte: window * layout.bits / 8,
                shift: (window * layout.bits % 8) as u32,
                copy: (window / layout.sets * layout.copy) as u32,
                bucket: ((window % layout.sets - sets.start) << layout.set_bits()) as u32,
            })
            .collect();
        let offset = offset(layout);
        let half = 1_u32 << layout.set_bits();
        let mask = 2 * half - 1;
        let inside = (1_u32 << layout.task_bits) - 1;
        let mut ends = vec![0_u32; tasks];
        let mut bytes = [0; 48];
        // The digits, and of each scalar the point and how many digits.
        let mut codes: Vec<u32> = Vec::with_capacity(scalars.size_hint().1.unwrap_or(0) * cuts.len());
        let mut runs: Vec<[u32; 2]> = Vec::with_capacity(scalars.size_hint().1.unwrap_or(0));
        for (point, scalar) in scalars {
            let before = codes.len();
            each_digit(layout, &cuts, &offset, scalar, &mut bytes, |cut, digits, sign| {
                let digit = digits & mask;
                let magnitude = digit.abs_diff(half);
                let any = u32::from(magnitude != 0);
                let bucket = cut.bucket + magnitude - any;
                ends[(bucket >> layout.task_bits) as usize] += any;
                codes.push(if magnitude == 0 {
                    ZERO
                } else {
                    bucket | sign ^ (u32::from(digit < half) << 31)
                });
            });
            if codes.len() > before {
                runs.push([point, (codes.len() - before) as u32]);
            }
        }
        let mut total = 0;
        for end in &mut ends {
            total += *end;
            *end = total - *end;
        }
        let mut parcel = Self { entries: vec![0; total as usize], buckets: vec![0; total as usize], ends };
        let mut rest = &codes[..];
        for &[point, count] in &runs {
            let (codes, after) = rest.split_at(count as usize);
            rest = after;
            for (&code, cut) in codes.iter().zip(&cuts) {
                if code == ZERO {
                    continue;
                }
                let bucket = code & !NEGATIVE;
                let place = &mut parcel.ends[(bucket >> layout.task_bits) as usize];
                parcel.entries[*place as usize] = (point + cut.copy) | (code & NEGATIVE);
                parcel.buckets[*place as usize] = (bucket & inside) as u16;
                *place += 1;
            }
        }
        bytes.zeroize();
        wipe(&mut runs);
        wipe(&mut codes);
        parcel
    }

    /// The entries of a task and their buckets.
    pub(crate) fn task(&self, task: usize) -> (&[u32], &[u16]) {
        let end = self.ends[task] as usize;
        let start = if task == 0 { 0 } else { self.ends[task - 1] as usize };
        (&self.entries[start..end], &self.buckets[start..end])
    }
}

/// `2^(c-1) (1 + 2^c + ..)`, a term for each window.
fn offset(layout: &Layout) -> [u64; 5] {
    let mut offset = [0; 5];
    for window in 0..layout.windows {
        let bit = window * layout.bits + layout.bits - 1;
        offset[bit / 64] |= 1 << (bit % 64);
    }
    offset
}

/// Calls for each digit that can be other than zero with its bits and some more above, and the scalar's sign.
#[inline(always)]
fn each_digit(
    layout: &Layout,
    cuts: &[Cut],
    offset: &[u64; 5],
    scalar: &[u64; 4],
    bytes: &mut [u8; 48],
    mut call: impl FnMut(&Cut, u32, u32),
) {
    let magnitude = [scalar[0], scalar[1], scalar[2], scalar[3] & !SIGN];
    let Some(top) = (0..4).rev().find(|&limb| magnitude[limb] != 0) else { return };
    let bits = 64 * (top + 1) - magnitude[top].leading_zeros() as usize;
    // Below 2^(c w - 2) with half of 2^(c w) and lower terms added, nothing is carried out of window w - 1.
    let windows = (bits + 2).div_ceil(layout.bits);
    let mut carry = false;
    for limb in 0..5 {
        let (sum, over) = magnitude.get(limb).copied().unwrap_or(0).overflowing_add(offset[limb]);
        let (sum, over_again) = sum.overflowing_add(u64::from(carry));
        carry = over | over_again;
        bytes[8 * limb..8 * limb + 8].copy_from_slice(&sum.to_le_bytes());
    }
    let sign = ((scalar[3] & SIGN) >> 32) as u32;
    for cut in cuts {
        // The cuts are in the order of the windows.
        if 8 * cut.byte + cut.shift as usize >= windows * layout.bits {
            break;
        }
        let mut word = [0; 8];
        word.copy_from_slice(&bytes[cut.byte..cut.byte + 8]);
        call(cut, (u64::from_le_bytes(word) >> cut.shift) as u32, sign);
    }
}

/// Entries sorted by bucket.
pub(crate) struct Sorted {
    /// The points, or their negatives.
    pub(crate) entries: Vec<u32>,
    /// Where each bucket's end.
    pub(crate) ends: Vec<u32>,
}

impl Sorted {
    /// One task's entries out of all parcels.
    pub(crate) fn new(parcels: &[Parcel], task: usize, buckets: usize) -> Self {
        let mut ends = vec![0_u32; buckets];
        for parcel in parcels {
            for &bucket in parcel.task(task).1 {
                ends[usize::from(bucket)] += 1;
            }
        }
        let mut total = 0;
        for end in &mut ends {
            total += *end;
            *end = total - *end;
        }
        let mut entries = vec![0; total as usize];
        for parcel in parcels {
            let (points, buckets) = parcel.task(task);
            for (&point, &bucket) in points.iter().zip(buckets) {
                let place = &mut ends[usize::from(bucket)];
                entries[*place as usize] = point;
                *place += 1;
            }
        }
        Self { entries, ends }
    }
}

impl Drop for Sorted {
    fn drop(&mut self) {
        wipe(&mut self.entries);
        wipe(&mut self.ends);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ark_ff::{Field, UniformRand};

    #[test]
    fn vectors_fold_as_arkworks_does() {
        let mut rng = ark_std::test_rng();
        let mut scalars: Vec<Fr> = (0..PART + 100).map(|_| Fr::rand(&mut rng)).collect();
        let half = -Fr::ONE / Fr::from(2_u64);
        scalars[..6].copy_from_slice(&[
            Fr::from(0_u64),
            Fr::ONE,
            -Fr::ONE,
            half,
            half + Fr::ONE,
            -Fr::from(2_u64),
        ]);
        let expected: Vec<_> = scalars.iter().map(fold).collect();
        for kernel in [Kernel::Portable, Kernel::detect()] {
            assert_eq!(Integers::new(&scalars, kernel).numbers(), expected);
        }
        assert_eq!(expected[2], [1, 0, 0, SIGN]);
    }
}
