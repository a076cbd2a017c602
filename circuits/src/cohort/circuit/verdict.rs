//! The disclosure rule: the gates of a cell's row, of the rest, and of the row that judges where the rule stopped.
//!
//! `docs/statements/cohort.md`, "Disclosure". A cell follows when it is not above the last cell hidden, `(tau, its index)`, in the order of
//! count and index; `UpTo` is 1 up to that index. The rest can only be small: its row hides nothing, holds nothing, and is no cell's
//! last, so that both goals are reached by cells alone.

use super::{
    row::{Row, Value},
    shape::Variable,
};

/// Places of the verdict's free variables: whether any cell or the rest is small, and the inverse of their number.
/// They stand behind the running variables, which the main row holds.
const FIRST: usize = 8;
const ANY: usize = FIRST;
const INVERSE: usize = FIRST + 1;
/// Whether every cell that is not empty is hidden.
const ALL: usize = FIRST + 2;
/// Whether the rule must have reached its goal.
const BOUND: usize = FIRST + 3;
/// Which of its two goals was missed one cell earlier: 1 for the number of cells.
const TOO_FEW: usize = FIRST + 4;
/// By how much it was missed.
const MISSED: usize = FIRST + 5;
/// What must not be negative: cells above two, rows above the threshold, and what was missed.
pub(super) const CHECKED: [usize; 3] = [FIRST + 6, FIRST + 7, FIRST + 8];
/// Number of free variables.
pub(super) const FREE: usize = 9;
/// Where they begin.
pub(super) const FREE_FROM: usize = FIRST;

/// What holds for a cell and for the rest: whether it is small, and what all rows have in common.
pub(super) fn judged<R: Row>(row: &R) -> Vec<R::Value> {
    let number = R::Value::number;
    let get = |variable| row.variable(variable);
    let threshold = get(Variable::Threshold);
    let tested = row.shape().tested();
    let mut gates = Vec::new();
    for (test, &place) in tested.iter().enumerate() {
        let count = get(Variable::Figure(place));
        let (not_zero, below) = (get(Variable::NotZero(test)), get(Variable::Below(test)));
        let under = threshold.clone() - number(1) - count.clone();
        gates.extend([
            count.clone() * get(Variable::Inverse(test)) - not_zero.clone(),
            count.clone() * (number(1) - not_zero.clone()),
            boolean(below.clone()),
            get(Variable::Small(test)) - not_zero * below.clone(),
            // Below: t - 1 - count, else count - t = -under - 1.
            get(Variable::Margin(test))
                - (below.clone() * under.clone() - (number(1) - below) * (under + number(1))),
        ]);
    }
    for link in 0..tested.len() - 1 {
        let before = if link == 0 { get(Variable::Small(0)) } else { get(Variable::Primary(link - 1)) };
        let small = get(Variable::Small(link + 1));
        gates.push(get(Variable::Primary(link)) - (before.clone() + small.clone() - before * small));
    }
    for constant in [Variable::Threshold, Variable::Tau, Variable::Extended] {
        gates.push(row.next_variable(constant) - get(constant));
    }
    gates.push(adds(row, Variable::PrimaryCells, primary(row)));
    gates
}

/// What holds for a cell besides: whether it is hidden, and what it adds.
pub(super) fn cell<R: Row>(row: &R) -> Vec<R::Value> {
    let number = R::Value::number;
    let get = |variable| row.variable(variable);
    let primary = primary(row);
    let (count, tau, up_to) = (get(Variable::Figure(0)), get(Variable::Tau), get(Variable::UpTo));
    let (within, follows, hidden) = (get(Variable::Within), get(Variable::Follows), get(Variable::Hidden));
    let step = up_to.clone() - row.next_variable(Variable::UpTo);
    let above = count.clone() - tau.clone() - up_to.clone();
    let at_most = tau.clone() - count.clone() - number(1) + up_to.clone();
    let shown = get(Variable::NotZero(0)) - hidden.clone();
    vec![
        boolean(within.clone()),
        boolean(up_to.clone()),
        row.next_variable(Variable::UpTo) * (number(1) - up_to),
        get(Variable::Distance) - (within.clone() * at_most + (number(1) - within.clone()) * above),
        follows.clone() - within * get(Variable::NotZero(0)),
        hidden.clone() - (primary.clone() + follows.clone() - primary.clone() * follows),
        // Where `UpTo` ends there is a cell of count tau, hidden and not on its own account.
        step.clone() * (count.clone() - tau),
        step * (number(1) - (hidden.clone() - primary)),
        adds(row, Variable::HiddenCells, hidden.clone()),
        adds(row, Variable::HiddenRows, hidden * count),
        adds(row, Variable::ShownCells, shown),
    ]
}

/// What holds for the rest besides. It is not of the cells, whose sums pass it as they are.
pub(super) fn rest<R: Row>(row: &R) -> Vec<R::Value> {
    let number = R::Value::number;
    let get = |variable| row.variable(variable);
    // Of its figures it has a count only.
    let figures = 1..row.shape().statistics().len();
    let mut gates: Vec<R::Value> = figures.map(|place| get(Variable::Figure(place))).collect();
    gates.extend([
        // `UpTo` has ended at a cell.
        get(Variable::UpTo),
        // Without a last cell nothing followed: here, where the small are the cells' only.
        (number(1) - get(Variable::Extended)) * (get(Variable::HiddenCells) - get(Variable::PrimaryCells)),
    ]);
    for running in [Variable::HiddenCells, Variable::HiddenRows, Variable::ShownCells] {
        gates.push(adds(row, running, number(0)));
    }
    gates
}

fn boolean<V: Value>(value: V) -> V {
    value.clone() * (V::number(1) - value)
}

/// Whether a cell or the rest is small in one of its counts: the last of the chain of ors.
fn primary<R: Row>(row: &R) -> R::Value {
    row.variable(Variable::Primary(row.shape().tested().len() - 2))
}

/// A running variable: the next row has what this one adds to it.
fn adds<R: Row>(row: &R, running: Variable, added: R::Value) -> R::Value {
    row.next_variable(running) - row.variable(running) - added
}

/// What holds in the first row: running variables start at 0, and `Extended` says whether `UpTo` is ever 1.
pub(super) fn edge<R: Row>(row: &R) -> Vec<R::Value> {
    let get = |variable| row.variable(variable);
    vec![
        get(Variable::Extended) - get(Variable::UpTo),
        get(Variable::HiddenCells),
        get(Variable::HiddenRows),
        get(Variable::PrimaryCells),
        get(Variable::ShownCells),
    ]
}

/// The row that judges.
pub(super) fn judge<R: Row>(row: &R) -> Vec<R::Value> {
    let number = R::Value::number;
    let get = |variable| row.variable(variable);
    let (cells, rows) = (get(Variable::HiddenCells), get(Variable::HiddenRows));
    let (small, extended) = (get(Variable::PrimaryCells), get(Variable::Extended));
    let threshold = get(Variable::Threshold);
    let [any, inverse, all, bound, too_few, missed] =
        [ANY, INVERSE, ALL, BOUND, TOO_FEW, MISSED].map(|place| row.free(place));
    let [more_cells, more_rows, short] = CHECKED.map(|place| row.free(place));
    let one_fewer = number(2) - cells.clone();
    let one_less = threshold.clone() - number(1) - rows.clone() + get(Variable::Tau);
    vec![
        small.clone() * inverse - any.clone(),
        small * (number(1) - any.clone()),
        // Where nothing is small, nothing is hidden.
        (number(1) - any.clone()) * cells.clone(),
        all.clone() * (number(1) - all.clone()),
        all.clone() * get(Variable::ShownCells),
        // The goals: two cells, and the threshold's number of rows; unless all are hidden.
        bound.clone() - any.clone() + any * all,
        more_cells - bound.clone() * (cells - number(2)),
        more_rows - bound * (rows - threshold),
        // Without the last cell that followed, one of them was missed.
        too_few.clone() * (number(1) - too_few.clone()),
        missed.clone() - (too_few.clone() * one_fewer + (number(1) - too_few) * one_less),
        short - extended * missed,
    ]
}
