//! Transforms eight elements at a time, in as few passes over memory as the order of the elements allows.

#![expect(unsafe_code, reason = "several threads write disjoint parts of one slice")]

mod column;
mod passes;
mod scratch;

use super::super::scalars::{Lanes, layout};
use super::Sign;
use ark_bn254::Fr;
use ark_ff::Field;
use passes::{AHEAD, Passes, Scales};
use rayon::prelude::*;
use scratch::Pool;
use std::marker::PhantomData;

/// The least size with eight rows and eight columns.
pub(super) const LEAST_LOG_SIZE: u32 = 6;

/// Elements that threads write in groups of eight, no two threads the same.
struct Output<'a> {
    elements: *mut Fr,
    len: usize,
    slice: PhantomData<&'a mut [Fr]>,
}

// SAFETY: it stands for a `&mut [Fr]`, which threads may share out; `Output::eight` leaves the sharing out to callers.
unsafe impl Sync for Output<'_> {}

impl<'a> Output<'a> {
    fn new(slice: &'a mut [Fr]) -> Self {
        Self { elements: slice.as_mut_ptr(), len: slice.len(), slice: PhantomData }
    }

    /// Asks for the eight elements from `start` on, if there are such.
    fn prefetch(&self, start: usize) {
        layout::prefetch(self.elements.wrapping_add(start), 256);
    }

    /// Stores eight elements from `start`.
    ///
    /// # Safety
    /// No other thread reads or writes these eight meanwhile.
    #[target_feature(enable = "avx512f,avx512dq,avx512ifma")]
    unsafe fn store(&self, start: usize, values: &Lanes) {
        if start + 8 <= self.len {
            // SAFETY: eight elements from `start` are inside the slice, which is borrowed as long as `self` lives.
            let place = unsafe { self.elements.add(start) };
            // SAFETY: as above, and by this function's contract nobody else holds them.
            layout::store(&values.canonical(), unsafe { &mut *place.cast::<[Fr; 8]>() });
        }
    }
}

/// A transform between slices in natural order.
pub(super) struct Plan {
    passes: Passes,
    pool: Pool,
}

impl Plan {
    pub(super) fn new(log_size: u32, root: Fr, coset: Fr, sign: Sign) -> Self {
        let (log_rows, log_columns) = (log_size.div_ceil(2), log_size / 2);
        let far = |bits: u32| (0..bits).fold(coset, |power, _| power.square());
        let shifted = coset != Fr::ONE;
        let scales = match sign {
            Sign::Forward => Scales {
                constant: Fr::ONE,
                column_ratio: coset,
                row_ratio: Fr::ONE,
                before: shifted.then(|| far(log_columns)),
                after: None,
            },
            // `root` and `coset` are inverse already.
            Sign::Inverse { size_inverse } => Scales {
                constant: size_inverse,
                column_ratio: Fr::ONE,
                row_ratio: coset,
                before: None,
                after: shifted.then(|| far(log_rows)),
            },
        };
        Self { passes: Passes::new(log_rows, log_columns, root, &scales), pool: Pool::default() }
    }

    /// Transforms in place. The length is that of the plan.
    #[target_feature(enable = "avx512f,avx512dq,avx512ifma")]
    pub(super) fn run(&self, values: &mut [Fr]) {
        let passes = &self.passes;
        let (rows, columns) = (passes.row_count(), passes.column_count());
        let mut scratch = self.pool.take(values.len() / 8, 1, rows, rows / 8);
        let (tiles, works) = scratch.parts();
        let source = &*values;
        shared_out(rows, columns / 8, &mut tiles[0], works, |group, tiles, work| {
            let work = &mut work[..rows];
            passes.load(source, group, work);
            passes.down_columns(group, work, tiles);
        });
        let tiles = &*tiles[0];
        let output = Output::new(values);
        shared_work(rows / 8, works, |group, work| {
            let work = &mut work[..columns];
            passes.along_rows(tiles, group, work);
            for column in 0..columns {
                output.prefetch((column + AHEAD) * rows + 8 * group);
                // SAFETY: these eight elements are this group's alone.
                unsafe { output.store(column * rows + 8 * group, &passes.along(work, column)) };
            }
        });
    }
}

/// Runs `body` for each of `count` groups, on its `size` of `tiles`, with a part of `works` that it has alone.
fn shared_out(
    size: usize,
    count: usize,
    tiles: &mut [Lanes],
    works: &mut [Vec<Lanes>],
    body: impl Fn(usize, &mut [Lanes], &mut [Lanes]) + Sync,
) {
    let span = count.div_ceil(works.len());
    tiles.par_chunks_mut(size * span).zip(works).enumerate().for_each(|(chunk, (tiles, work))| {
        for (i, tiles) in tiles.chunks_exact_mut(size).enumerate() {
            body(chunk * span + i, tiles, work);
        }
    });
}

/// Runs `body` for each of `count` groups with a part of `works` that it has alone.
fn shared_work(count: usize, works: &mut [Vec<Lanes>], body: impl Fn(usize, &mut [Lanes]) + Sync) {
    let span = count.div_ceil(works.len());
    works.par_iter_mut().enumerate().for_each(|(chunk, work)| {
        for group in (chunk * span..(chunk + 1) * span).take_while(|group| *group < count) {
            body(group, work);
        }
    });
}

/// From values on a group to those on its coset.
pub(super) struct Coset {
    /// From values to coefficients.
    inverse: Passes,
    /// From coefficients to values, the rows of one being the columns of the other: so the order between them is the
    /// same and the middle needs no pass of its own.
    forward: Passes,
    pool: Pool,
}

impl Coset {
    pub(super) fn new(log_size: u32, root: Fr, root_inverse: Fr, shift: Fr, size_inverse: Fr) -> Self {
        let (log_rows, log_columns) = (log_size.div_ceil(2), log_size / 2);
        let plain = Scales {
            constant: Fr::ONE,
            column_ratio: Fr::ONE,
            row_ratio: Fr::ONE,
            before: None,
            after: None,
        };
        let shifted = Scales {
            constant: size_inverse,
            column_ratio: shift,
            row_ratio: Fr::ONE,
            before: Some((0..log_rows).fold(shift, |power, _| power.square())),
            after: None,
        };
        Self {
            inverse: Passes::new(log_rows, log_columns, root_inverse, &plain),
            forward: Passes::new(log_columns, log_rows, root, &shifted),
            pool: Pool::default(),
        }
    }

    /// Runs the passes on `N` polynomials; `load` gives eight columns of one, `finish` takes eight columns of all.
    #[target_feature(enable = "avx512f,avx512dq,avx512ifma")]
    fn run<const N: usize>(
        &self,
        size: usize,
        load: impl Fn(usize, usize, &mut [Lanes]) + Sync,
        finish: impl Fn(usize, [Lanes; N]) + Sync,
    ) {
        let (rows, columns) = (self.inverse.row_count(), self.inverse.column_count());
        let mut scratch = self.pool.take(size / 8, N + 1, N * rows, rows / 8);
        let (tiles, works) = scratch.parts();
        let Some((first, second)) = tiles.split_first_mut() else { return };
        for (polynomial, second) in second.iter_mut().enumerate() {
            shared_out(rows, columns / 8, first, works, |group, tiles, work| {
                let work = &mut work[..rows];
                load(polynomial, group, work);
                self.inverse.down_columns(group, work, tiles);
            });
            let first = &*first;
            shared_out(columns, rows / 8, second, works, |group, tiles, work| {
                let work = &mut work[..columns];
                self.inverse.along_rows(first, group, work);
                self.forward.take_over(work);
                self.forward.down_columns(group, work, tiles);
            });
        }
        let second = &*second;
        shared_work(columns / 8, works, |group, work| {
            for (tiles, work) in second.iter().zip(work.chunks_exact_mut(rows)) {
                self.forward.along_rows(tiles, group, work);
            }
            for row in 0..rows {
                let mut values = [Lanes::zero(); N];
                for (value, work) in values.iter_mut().zip(work.chunks_exact(rows)) {
                    *value = self.forward.along(work, row);
                }
                finish(row * columns + 8 * group, values);
            }
        });
    }

    /// On the coset the values of `A B - C`. All lengths are those of the plan.
    #[target_feature(enable = "avx512f,avx512dq,avx512ifma")]
    pub(super) fn quotient(&self, a: &[Fr], b: &[Fr], out: &mut [Fr]) {
        let size = out.len();
        let columns = self.inverse.column_count();
        let load = |polynomial: usize, group: usize, work: &mut [Lanes]| {
            for (row, work) in work.iter_mut().enumerate() {
                let start = row * columns + 8 * group;
                for source in [a, b] {
                    layout::prefetch(source.as_ptr().wrapping_add(start + AHEAD * columns), 256);
                }
                let (Some(a), Some(b)) = (a[start..].first_chunk(), b[start..].first_chunk()) else {
                    continue;
                };
                *work = match polynomial {
                    0 => layout::load(a),
                    1 => layout::load(b),
                    _ => layout::load(a).sixteenth_product(&layout::load(b)),
                };
            }
        };
        let output = Output::new(out);
        self.run::<3>(size, load, |start, [a, b, c]| {
            output.prefetch(start + AHEAD * columns);
            let sixteenth = a.reduced().sixteenth_product(&b).minus::<2>(&c.reduced());
            // SAFETY: each start comes once.
            unsafe { output.store(start, &sixteenth.sixteenfold()) }
        });
    }
}
