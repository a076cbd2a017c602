//! Which cells are hidden: the rule of `docs/statements/cohort.md`, section "Disclosure".
//!
//! Judged with the query's cells is the *rest*, consenting rows that the filter left out: whoever knows the total knows it. It is never shown,
//! and no reader is kept from knowing it, so that it can call for hidden cells and is never one of them.

use super::{Answer, Cell, Figures, evaluate::Totals};

/// Which cells are hidden, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hidden {
    /// Hidden on their own account, one entry a cell.
    pub primary: Vec<bool>,
    /// Whether the rest is small, so that cells are hidden even where none is on its own account.
    pub rest: bool,
    /// Hidden, one entry a cell; holds all primary ones.
    pub hidden: Vec<bool>,
}

/// Applies the rule with threshold `threshold`; 1 hides nothing, which is how `exact` answers are made.
///
/// 1. A cell is hidden when its count, or a non-missing count of its values, or its pair count is from 1 to `threshold - 1`.
/// 2. If any is, or the rest has from 1 to `threshold - 1` rows, the smallest remaining cells that are not empty follow, ties by index,
///    until at least two cells are hidden and together they hold at least `threshold` rows, or none remains. The rest is no cell.
#[must_use]
pub fn hidden(totals: &Totals, threshold: u32) -> Hidden {
    let threshold = u64::from(threshold);
    let small = |count: u64| 0 < count && count < threshold;
    let primary: Vec<bool> = totals.cells.iter().map(|cell| small_counts(cell).any(small)).collect();
    let rest = small(totals.rest);
    let counts: Vec<u64> = totals.cells.iter().map(|cell| cell.count).collect();

    let mut hidden = primary.clone();
    let mut number = hidden.iter().filter(|&&hidden| hidden).count();
    if rest || number > 0 {
        let mut held: u64 =
            counts.iter().zip(&hidden).filter(|(_, hidden)| **hidden).map(|(count, _)| count).sum();
        let mut remaining: Vec<usize> =
            (0..counts.len()).filter(|&cell| !hidden[cell] && counts[cell] > 0).collect();
        remaining.sort_by_key(|&cell| (counts[cell], cell));
        for cell in remaining {
            if number >= 2 && held >= threshold {
                break;
            }
            hidden[cell] = true;
            number += 1;
            held += counts[cell];
        }
    }
    Hidden { primary, rest, hidden }
}

/// The counts of subjects that a cell tells.
fn small_counts(cell: &Figures) -> impl Iterator<Item = u64> + '_ {
    let values = cell.values.iter().map(|value| value.nonmissing);
    let pair = cell.pair.iter().map(|pair| pair.pairs);
    std::iter::once(cell.count).chain(values).chain(pair)
}

/// The answer: cells that are not hidden.
#[must_use]
pub fn answer(totals: &Totals, hidden: &Hidden) -> Answer {
    let cells = totals.cells.iter().zip(&hidden.hidden);
    Answer {
        cells: cells
            .map(|(figures, hidden)| if *hidden { Cell::Hidden } else { Cell::Shown(figures.clone()) })
            .collect(),
    }
}
