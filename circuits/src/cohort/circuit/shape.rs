//! Where everything is in a query circuit: its advice columns, the rows of its head, and the cells' variables.

use crate::cohort::{
    Class, Layout,
    instances::{ENDPOINTS, Statistic, endpoint_row, packing, rest_row, threshold_row},
    slots,
};

/// A class over a layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// How much a query may have.
    pub class: Class,
    /// The rows.
    pub layout: Layout,
}

impl Default for Shape {
    fn default() -> Self {
        Self { class: Class::Narrow, layout: crate::cohort::Size::Small.layout() }
    }
}

/// What a phase-0 column behind the slots holds in the record rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Internal {
    /// Whether the row passes a term.
    Bit(usize),
    /// In row `j + 1`: how many lower endpoints are at most entry `j` of the term's dictionary.
    Low(usize),
    /// The same of upper endpoints.
    High(usize),
    /// How many rows have this rank.
    Seen(usize),
    /// Consent and all terms up to this one.
    Pass(usize),
    /// The filter times a value.
    Weighted(usize),
    /// The filter times the first value's flag, where there are two values.
    Both,
    /// How often the head looks up this entry of a term's dictionary.
    Looked(usize),
    /// How often the head looks up this row's number.
    Ranged,
}

/// A slot, by what it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slot {
    Consent,
    Rank(usize),
    Dictionary(usize),
    Value(usize),
    Flag(usize),
    Group(usize),
}

/// What a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// This record, and this entry of every dictionary.
    Record(usize),
    Cell(usize),
    Rest,
    Verdict,
    Endpoint {
        term: usize,
        upper: bool,
    },
    Limbs,
    /// In the head, among the rows in use: no sum moves.
    Idle,
    /// In the head behind them: no sum moves, and no endpoint is counted yet.
    Behind,
}

/// A variable of a row of the head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Variable {
    /// The threshold, the same in all cells' rows.
    Threshold,
    /// Count of the last cell hidden as a secondary one.
    Tau,
    /// 1 up to that cell, 0 after it.
    UpTo,
    /// Whether there is such a cell, the same in all rows.
    Extended,
    /// Running, before this cell: hidden cells, rows in them, primary cells (at the verdict with the rest, if it is small), shown cells
    /// that are not empty.
    HiddenCells,
    HiddenRows,
    PrimaryCells,
    ShownCells,
    /// A statistic of the cell, by its place in the packing.
    Figure(usize),
    /// For each count that is tested: not zero, its inverse, below the threshold, small, the checked difference.
    NotZero(usize),
    Inverse(usize),
    Below(usize),
    Small(usize),
    Margin(usize),
    /// Small among the first tests (a chain of ors); the last is "primary". The rest's variables end here.
    Primary(usize),
    /// Not above the last cell hidden, in the order of count and index.
    Within,
    /// The checked difference for it.
    Distance,
    /// `Within` and not empty.
    Follows,
    /// Hidden.
    Hidden,
}

/// Variables that the next row reads; they stand in the main row.
///
/// The edge gate, which reads the first six, also holds behind the last record, where the columns of `Low` and `High` are not zero.
const RUNNING: [Variable; 8] = [
    Variable::UpTo,
    Variable::Extended,
    Variable::HiddenCells,
    Variable::HiddenRows,
    Variable::PrimaryCells,
    Variable::ShownCells,
    Variable::Threshold,
    Variable::Tau,
];

/// Bits of one limb of a difference of 33-bit numbers.
pub(super) const LIMBS: usize = 3;

impl Shape {
    /// Rows between a row of the head and its continuation.
    pub(super) const fn stride(self) -> usize {
        match self.class {
            Class::Narrow => 32,
            Class::Wide => 560,
        }
    }

    /// Rows of the head in use.
    pub(super) const fn head(self) -> usize {
        match self.class {
            Class::Narrow => 4 * self.stride(),
            Class::Wide => 3 * self.stride(),
        }
    }

    /// Bits of a limb: three make 33 bits, and a limb is a row's number.
    pub(super) const fn limb_bits(self) -> u32 {
        self.layout.capacity().ilog2()
    }

    /// The row of the rest.
    pub(super) const fn rest(self) -> usize {
        rest_row(self.class)
    }

    /// The row that judges the rule's stopping condition.
    pub(super) const fn verdict(self) -> usize {
        threshold_row(self.class)
    }

    /// Number of terms times endpoints.
    pub(super) const fn endpoints(self) -> usize {
        self.class.terms() * ENDPOINTS
    }

    /// The last row that running sums reach.
    pub(super) const fn last(self) -> usize {
        self.layout.row(self.layout.capacity())
    }

    /// The kind of a row before [`Shape::last`].
    pub(super) fn kind(self, row: usize) -> Kind {
        let (first, stride) = (endpoint_row(self.class, 0), self.stride());
        let is_endpoint = |row: usize| (first..first + self.endpoints()).contains(&row);
        if row >= self.layout.head {
            Kind::Record(row - self.layout.head)
        } else if row < self.rest() {
            Kind::Cell(row)
        } else if row == self.rest() {
            Kind::Rest
        } else if row == self.verdict() {
            Kind::Verdict
        } else if is_endpoint(row) {
            Kind::Endpoint { term: (row - first) / ENDPOINTS, upper: (row - first) % 2 == 1 }
        } else if [stride, 2 * stride].into_iter().any(|before| row >= before && is_endpoint(row - before)) {
            Kind::Limbs
        } else if row < self.head() {
            Kind::Idle
        } else {
            Kind::Behind
        }
    }

    /// Number of slots.
    pub(super) const fn slots(self) -> usize {
        slots::number(self.class)
    }

    /// The place of a slot.
    pub(super) const fn slot(self, slot: Slot) -> usize {
        let terms = 1 + 2 * self.class.terms();
        match slot {
            Slot::Consent => 0,
            Slot::Rank(term) => 1 + 2 * term,
            Slot::Dictionary(term) => 2 + 2 * term,
            Slot::Value(value) => terms + 2 * value,
            Slot::Flag(value) => terms + 2 * value + 1,
            Slot::Group(group) => terms + 2 * self.class.values() + group,
        }
    }

    /// Number of phase-0 columns behind the slots.
    pub(super) const fn internals(self) -> usize {
        self.internal(Internal::High(self.class.terms() - 1)) - self.slots() + 1
    }

    /// The place of a column behind the slots, slots included in the count.
    pub(super) const fn internal(self, internal: Internal) -> usize {
        let (terms, values) = (self.class.terms(), self.class.values());
        let wide = values - 1;
        let place = match internal {
            Internal::Bit(term) => term,
            Internal::Seen(term) => terms + term,
            Internal::Pass(term) => 2 * terms + term,
            Internal::Looked(term) => 3 * terms + term,
            Internal::Weighted(value) => 4 * terms + value,
            Internal::Both => 4 * terms + values,
            Internal::Ranged => 4 * terms + values + wide,
            Internal::Low(term) => 4 * terms + values + wide + 1 + term,
            Internal::High(term) => 5 * terms + values + wide + 1 + term,
        };
        self.slots() + place
    }

    /// All phase-0 columns.
    pub(super) const fn columns(self) -> usize {
        self.slots() + self.internals()
    }

    /// Running sums.
    pub(super) const fn sums(self) -> usize {
        2 * self.class.terms() + 2
    }

    /// The statistics of a cell in the order of the packing.
    pub(super) fn statistics(self) -> Vec<Statistic> {
        packing(self.class).concat()
    }

    /// Which statistics count subjects, by their place, the count itself first.
    pub(super) fn tested(self) -> Vec<usize> {
        let counts = |statistic: &Statistic| {
            matches!(statistic, Statistic::Count | Statistic::Nonmissing(_) | Statistic::Pairs)
        };
        let statistics = self.statistics();
        (0..statistics.len()).filter(|&place| counts(&statistics[place])).collect()
    }

    /// The column and the continuation (0 is the main row) of a cell's variable.
    pub(super) fn variable(self, variable: Variable) -> (usize, usize) {
        let place = RUNNING.iter().position(|running| *running == variable).unwrap_or_else(|| {
            let figures = packing(self.class).iter().map(|element| element.len()).sum::<usize>();
            let tests = self.tested().len();
            let from_tests = |kind: usize, test: usize| RUNNING.len() + figures + kind * tests + test;
            match variable {
                Variable::Figure(place) => RUNNING.len() + place,
                Variable::NotZero(test) => from_tests(0, test),
                Variable::Inverse(test) => from_tests(1, test),
                Variable::Below(test) => from_tests(2, test),
                Variable::Small(test) => from_tests(3, test),
                Variable::Margin(test) => from_tests(4, test),
                // An or of k tests is a chain of k - 1.
                Variable::Primary(link) => from_tests(5, link),
                Variable::Within => from_tests(6, 0) - 1,
                Variable::Distance => from_tests(6, 0),
                Variable::Follows => from_tests(6, 1),
                _ => from_tests(6, 2),
            }
        });
        (self.slots() + place % self.internals(), place / self.internals())
    }

    /// The column and the continuation of variable `place` of an endpoint, a limb row or the verdict.
    pub(super) const fn free(self, place: usize) -> (usize, usize) {
        (self.slots() + place % self.internals(), place / self.internals())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cohort::Size;
    use std::collections::BTreeSet;

    #[test]
    fn variables_of_a_cell_have_places_of_their_own_within_the_head() {
        for class in Class::ALL {
            let shape = Shape { class, layout: Size::Small.layout() };
            let tests = shape.tested().len();
            let mut all = RUNNING.to_vec();
            all.extend((0..shape.statistics().len()).map(Variable::Figure));
            for test in 0..tests {
                use Variable::{Below, Inverse, Margin, NotZero, Small};
                all.extend([NotZero(test), Inverse(test), Below(test), Small(test), Margin(test)]);
            }
            all.extend((0..tests - 1).map(Variable::Primary));
            all.extend([Variable::Within, Variable::Distance, Variable::Follows, Variable::Hidden]);
            let places: BTreeSet<_> = all.iter().map(|&variable| shape.variable(variable)).collect();
            assert_eq!(places.len(), all.len());
            let continuations = shape.head() / shape.stride();
            assert!(
                places
                    .iter()
                    .all(|&(column, continuation)| column < shape.columns() && continuation < continuations)
            );
            assert!(RUNNING.iter().all(|&variable| shape.variable(variable).1 == 0));
            assert!(shape.head() <= shape.layout.head);
            assert!(shape.verdict() + 1 + shape.endpoints() <= shape.stride());
        }
    }
}
