//! What a prover puts into the columns before any challenge is drawn: integers, in the record rows.
//!
//! A test may put anything there. Honest and dishonest provers go the same way: from slots to auxiliaries to running sums.

use super::{Part, Shape, Source, Statement, columns, dictionary, frame, keys};
use crate::cohort::{
    Layout, Table,
    columns::{Committed, values},
};
use zeroize::Zeroize;

/// A column that the prover makes from the slots. Zeroed on drop, never shown.
pub struct Auxiliary {
    /// What it holds in the rows of the head; zero from its end on.
    pub head: Vec<u64>,
    /// What it holds in the record rows.
    pub records: Vec<u64>,
}

impl Auxiliary {
    /// Zero in the head.
    pub(super) const fn of(records: Vec<u64>) -> Self {
        Self { head: Vec::new(), records }
    }

    /// `held` in every row of the head.
    pub(super) fn held(layout: Layout, held: u64, records: Vec<u64>) -> Self {
        Self { head: vec![held; layout.head], records }
    }
}

/// The columns of the first phase. Zeroed on drop, never shown.
pub struct Witness {
    /// The slots in the record rows.
    pub slots: Vec<Vec<u64>>,
    /// Everything else.
    pub auxiliaries: Vec<Auxiliary>,
    /// The instance column.
    pub numbers: Vec<u64>,
}

impl Witness {
    /// The witness of a table for one statement of its plan. `predecessor` is the version of the consents before the table's; `None`
    /// before the first.
    #[must_use]
    pub fn new(layout: Layout, statement: &Statement, table: &Table, predecessor: Option<&[bool]>) -> Self {
        let column = |source: &Source| match (*source, predecessor) {
            (Source::Column(committed), _) => values(table, layout, committed),
            (Source::Predecessor, None) => values(table, layout, Committed::Present),
            (Source::Predecessor, Some(consent)) => {
                let mut column: Vec<u64> = consent.iter().map(|&consent| u64::from(consent)).collect();
                column.resize(layout.capacity(), 0);
                column
            }
        };
        let slots = statement.sources().iter().map(column).collect();
        Self::from_slots(Shape { layout, part: statement.part() }, slots, statement.numbers(table.rows()))
    }

    /// The witness whose slots hold these values, true or not: auxiliaries are computed as for true ones. Missing slots, rows and
    /// instances are zero, superfluous ones are left out.
    #[must_use]
    pub fn from_slots(shape: Shape, mut slots: Vec<Vec<u64>>, mut numbers: Vec<u64>) -> Self {
        let Shape { layout, part } = shape;
        slots.resize(part.slots(), Vec::new());
        slots.iter_mut().for_each(|slot| slot.resize(layout.capacity(), 0));
        numbers.resize(part.instances(), 0);
        let auxiliaries = match part {
            Part::Frame => frame::auxiliaries(layout, &slots, &numbers),
            Part::Columns => columns::auxiliaries(layout, &slots, &numbers),
            Part::Dictionary => dictionary::auxiliaries(layout, &slots, &numbers),
            Part::Keys => keys::auxiliaries(layout, &slots, &numbers),
        };
        Self { slots, auxiliaries, numbers }
    }

    /// The cell of advice column `column` of the first phase in record row `record`, or in the row `before` it.
    pub(super) fn cell(&self, layout: Layout, column: usize, record: usize, before: bool) -> u64 {
        let auxiliary = column.checked_sub(self.slots.len()).and_then(|place| self.auxiliaries.get(place));
        let (head, records) = match (auxiliary, self.slots.get(column)) {
            (Some(auxiliary), _) => (auxiliary.head.get(layout.head - 1), &auxiliary.records),
            (None, Some(slot)) => (None, slot),
            (None, None) => return 0,
        };
        let cell = match record.checked_sub(usize::from(before)) {
            Some(place) => records.get(place),
            None => head,
        };
        cell.copied().unwrap_or(0)
    }
}

impl Drop for Auxiliary {
    fn drop(&mut self) {
        self.head.zeroize();
        self.records.zeroize();
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.slots.iter_mut().for_each(Zeroize::zeroize);
    }
}
