//! Memory between the passes. It is kept, because fresh pages cost as much as a pass, and zeroed after each use, because
//! what is transformed are witnesses.

use super::super::super::scalars::Lanes;
use rayon::prelude::*;
use std::sync::{Mutex, PoisonError};

/// Unused memory of one plan: as much as was ever used at a time.
#[derive(Default)]
pub(super) struct Pool(Mutex<Vec<Memory>>);

#[derive(Default)]
struct Memory {
    tiles: Vec<Vec<Lanes>>,
    works: Vec<Vec<Lanes>>,
}

/// Memory in use.
pub(super) struct Scratch<'a> {
    pool: &'a Pool,
    memory: Memory,
}

impl Pool {
    /// Takes `count` vectors of `size` values, and working memory of `work` values for each of a few tasks a thread, but
    /// at most `most` of them.
    pub(super) fn take(&self, size: usize, count: usize, work: usize, most: usize) -> Scratch<'_> {
        let mut memory = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default();
        let tasks = match rayon::current_num_threads() {
            1 => 1,
            threads => most.min(4 * threads),
        };
        let fit = |vectors: &mut Vec<Vec<Lanes>>, count: usize, size: usize| {
            vectors.resize_with(count, Vec::new);
            vectors.iter_mut().for_each(|vector| vector.resize(size, Lanes::zero()));
        };
        fit(&mut memory.tiles, count, size);
        fit(&mut memory.works, tasks, work);
        Scratch { pool: self, memory }
    }
}

impl Scratch<'_> {
    /// The vectors and the tasks' memory.
    pub(super) fn parts(&mut self) -> (&mut [Vec<Lanes>], &mut [Vec<Lanes>]) {
        (&mut self.memory.tiles, &mut self.memory.works)
    }
}

impl Drop for Scratch<'_> {
    fn drop(&mut self) {
        let mut memory = std::mem::take(&mut self.memory);
        for vector in memory.tiles.iter_mut().chain(&mut memory.works) {
            // Pages of the pool, which outlives this: the compiler cannot leave the stores out.
            vector.par_chunks_mut(1 << 12).for_each(|part| part.fill(Lanes::zero()));
        }
        self.pool.0.lock().unwrap_or_else(PoisonError::into_inner).push(memory);
    }
}
