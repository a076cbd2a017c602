//! A transform of rows x columns elements in two passes over memory (Bailey 1990): transforms down the columns, a
//! factor for each element, transforms along the rows. Element (row r, column c) is number r columns + c before and
//! number c' rows + r' after, so both sides are in natural order; the bit reversals stay inside the cache.
//!
//! Between the passes a tile of 8 rows and 8 columns is turned over, so that the lanes are first columns, then rows.

use super::super::super::scalars::{Factor, Factors, Lanes, layout};
use super::column::Roots;
use ark_bn254::Fr;
use ark_ff::Field;
use rayon::prelude::*;

/// Up to this size each element's factor is stored; above, two tables of about its square root are multiplied.
const LOG_STORED: u32 = 13;

/// So many strides ahead memory is asked for: the processor does not follow strides of pages by itself.
pub(super) const AHEAD: usize = 12;

/// What a transform does besides its roots: element number (column c, row r) of the middle times
/// `constant column_ratio^c row_ratio^r`, and powers before and after.
pub(super) struct Scales {
    pub(super) constant: Fr,
    pub(super) column_ratio: Fr,
    pub(super) row_ratio: Fr,
    /// Row r times this to the r-th, before.
    pub(super) before: Option<Fr>,
    /// Row c' times this to the c'-th, after.
    pub(super) after: Option<Fr>,
}

/// The tables of one transform.
pub(super) struct Passes {
    columns: Roots,
    rows: Roots,
    before: Option<Vec<Factor>>,
    after: Option<Vec<Factor>>,
    /// For each eight columns, the factors of the first 2^`log_fine` rows.
    fine: Vec<Factors>,
    log_fine: u32,
    /// For each eight columns, the factors of every 2^`log_fine`-th row; empty when all are in `fine`.
    coarse: Vec<Factors>,
}

/// The first `count` powers.
fn powers(base: Fr, count: usize) -> Vec<Fr> {
    std::iter::successors(Some(Fr::ONE), |power| Some(*power * base)).take(count).collect()
}

/// `start ratio^i` in every lane, `count` of them.
fn progressions(start: [Fr; 8], ratio: [Fr; 8], count: usize) -> Vec<Factors> {
    let next = |now: &[Fr; 8]| Some(std::array::from_fn(|lane| now[lane] * ratio[lane]));
    std::iter::successors(Some(start), next).take(count).map(Factors::new).collect()
}

impl Passes {
    /// Of a transform with `root` of order 2^(`log_rows` + `log_columns`); each logarithm is 3 at least.
    pub(super) fn new(log_rows: u32, log_columns: u32, root: Fr, scales: &Scales) -> Self {
        let (rows, columns) = (1usize << log_rows, 1usize << log_columns);
        let log_fine = if log_rows + log_columns <= LOG_STORED { log_rows } else { log_rows.div_ceil(2) };
        let table = |base: Option<Fr>, count| {
            base.map(|base| powers(base, count).into_iter().map(Factor::new).collect::<Vec<_>>())
        };
        let groups: Vec<(Vec<Factors>, Vec<Factors>)> = (0..columns / 8)
            .into_par_iter()
            .map(|group| {
                let column = |lane: usize| [(8 * group + lane) as u64];
                let start = std::array::from_fn(|i| scales.constant * scales.column_ratio.pow(column(i)));
                let ratio: [Fr; 8] = std::array::from_fn(|i| scales.row_ratio * root.pow(column(i)));
                let fine = progressions(start, ratio, 1 << log_fine);
                let far = ratio.map(|ratio| (0..log_fine).fold(ratio, |power, _| power.square()));
                let count = if log_fine == log_rows { 0 } else { rows >> log_fine };
                (fine, progressions([Fr::ONE; 8], far, count))
            })
            .collect();
        let (fine, coarse): (Vec<_>, Vec<_>) = groups.into_iter().unzip();
        let order = |bits: u32| (0..bits).fold(root, |power, _| power.square());
        Self {
            columns: Roots::new(log_rows, order(log_columns)),
            rows: Roots::new(log_columns, order(log_rows)),
            before: table(scales.before, rows),
            after: table(scales.after, columns),
            fine: fine.concat(),
            log_fine,
            coarse: coarse.concat(),
        }
    }

    pub(super) const fn row_count(&self) -> usize {
        self.columns.len()
    }

    pub(super) const fn column_count(&self) -> usize {
        self.rows.len()
    }

    /// Loads eight columns, lanes along the columns, in the order of rows.
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(super) fn load(&self, values: &[Fr], group: usize, work: &mut [Lanes]) {
        for (row, work) in values.chunks_exact(self.column_count()).zip(&mut *work) {
            layout::prefetch(row.as_ptr().wrapping_add(AHEAD * self.column_count() + 8 * group), 256);
            if let Some(elements) = row[8 * group..].first_chunk() {
                *work = layout::load(elements);
            }
        }
        if let Some(before) = &self.before {
            for (work, factor) in work.iter_mut().zip(before) {
                *work = work.times_tightly(factor);
            }
        }
    }

    /// Takes the values that [`Passes::along_rows`] of a transform of as many rows as this has columns left for a group
    /// of eight of its rows, as a group of eight columns.
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(super) fn take_over(&self, work: &mut [Lanes]) {
        for i in 0..work.len() {
            let j = self.columns.place(i);
            if i <= j {
                (work[i], work[j]) = match &self.before {
                    Some(before) => (work[j].times_tightly(&before[i]), work[i].times_tightly(&before[j])),
                    None => (work[j].reduced(), work[i].reduced()),
                };
            }
        }
    }

    /// Transforms eight columns in `work` and leaves them, times the middle factors, in `tiles`: for each eight rows
    /// eight columns, lanes along the rows.
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(super) fn down_columns(&self, group: usize, work: &mut [Lanes], tiles: &mut [Lanes]) {
        self.columns.transform(work);
        let fine = &self.fine[group << self.log_fine..];
        let coarse_rows = self.row_count() >> self.log_fine;
        for (first, tile) in tiles.chunks_exact_mut(8).enumerate() {
            let Some(tile) = tile.first_chunk_mut::<8>() else { continue };
            for (i, out) in tile.iter_mut().enumerate() {
                let row = 8 * first + i;
                let value = &work[self.columns.place(row)];
                *out = value.times_each(&fine[row & ((1 << self.log_fine) - 1)]);
                if !self.coarse.is_empty() {
                    *out = out.times_each(&self.coarse[group * coarse_rows + (row >> self.log_fine)]);
                }
            }
            layout::transpose(tile);
        }
    }

    /// Gathers the tiles of eight rows and transforms them; the order is that of [`Passes::along`].
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(super) fn along_rows(&self, tiles: &[Lanes], group: usize, work: &mut [Lanes]) {
        for (tile, work) in tiles.chunks_exact(self.row_count()).zip(work.chunks_exact_mut(8)) {
            layout::prefetch(
                tile.as_ptr().wrapping_add(self.row_count() + 8 * group),
                8 * size_of::<Lanes>(),
            );
            work.copy_from_slice(&tile[8 * group..8 * group + 8]);
        }
        self.rows.transform(work);
    }

    /// The values with column number `column` of what [`Passes::along_rows`] left, up to 2^260.
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(super) fn along(&self, work: &[Lanes], column: usize) -> Lanes {
        let value = &work[self.rows.place(column)];
        match &self.after {
            Some(after) => value.times_tightly(&after[column]),
            None => *value,
        }
    }
}
