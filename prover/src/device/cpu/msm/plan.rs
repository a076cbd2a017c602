//! The width of the digits, by a model of the cost.

use super::digits::{Layout, SCALAR_BITS};

/// log2 of the buckets that a task takes.
const TASK_BITS: usize = 12;
/// Entries that are in memory at a time.
const ENTRIES: usize = 1 << 23;

/// What a layout costs, in additions.
fn cost(count: usize, bits: usize, sets: usize) -> usize {
    let windows = windows(bits);
    // An entry is sorted besides, and a bucket of the last sums is read and written.
    windows * count * 5 / 4 + (sets << (bits - 1)) * 3 + sets * bits * 10
}

/// Digits of a scalar: one bit more than a magnitude has, for the sign of the last.
fn windows(bits: usize) -> usize {
    (SCALAR_BITS + 1).div_ceil(bits)
}

fn layout(bits: usize, sets: usize) -> Layout {
    Layout { bits, windows: windows(bits), sets, copy: 0, task_bits: TASK_BITS }
}

/// The layout for points without a table.
pub(crate) fn without_table(count: usize) -> Layout {
    let bits = (4..=16).min_by_key(|&bits| cost(count, bits, windows(bits))).unwrap_or(4);
    layout(bits, windows(bits))
}

/// The layout for a table of at most so many copies of the points; `None` where none is of use.
pub(crate) fn with_table(count: usize, copies: usize) -> Option<Layout> {
    if count == 0 || copies < 2 {
        return None;
    }
    let sets = |bits: usize| windows(bits).div_ceil(copies);
    let bits = (4..=17).min_by_key(|&bits| cost(count, bits, sets(bits)))?;
    let best = layout(bits, sets(bits));
    let plain = without_table(count);
    (cost(count, bits, best.sets) < cost(count, plain.bits, plain.sets)).then_some(best)
}

/// How many sets of buckets are filled at a time.
pub(crate) fn sets_at_a_time(layout: &Layout, count: usize) -> usize {
    let entries_of_set = count * layout.windows.div_ceil(layout.sets);
    // Whole tasks.
    let sets_of_task = (1_usize << layout.task_bits).div_ceil(1 << layout.set_bits());
    (ENTRIES / entries_of_set.max(1)).max(1).next_multiple_of(sets_of_task).min(layout.sets)
}
