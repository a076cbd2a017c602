//! The values of all phase-0 columns, from the slots and the public query.
//!
//! It takes any slot values whatever: what they must be linked to is the link's business, what follows from them the gates'.

use super::{
    endpoint,
    shape::{Internal, Shape, Slot, Variable},
    verdict,
};
use crate::cohort::{
    Figures, disclosure,
    evaluate::Totals,
    instances::{ENDPOINTS, endpoint_row},
};
use halo2_proofs::halo2curves::{bn256::Fr, ff::PrimeField};
use std::collections::BTreeMap;

/// What everybody knows of the query.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    /// The endpoints of each term.
    pub(super) endpoints: Vec<[u64; ENDPOINTS]>,
    /// The key of each cell of the class.
    pub(super) keys: Vec<u64>,
    /// The disclosure threshold.
    pub(super) threshold: u32,
}

/// Phase-0 columns, whole rows up to the salt. Secret: zeroed on drop.
pub(super) struct Witness {
    pub(super) columns: Vec<Vec<Fr>>,
    /// The key of each cell of the class, which is public.
    pub(super) keys: Vec<u64>,
}

impl Drop for Witness {
    fn drop(&mut self) {
        for column in &mut self.columns {
            wipe(column);
        }
    }
}

/// Overwrites field elements, whose type knows nothing of zeroizing.
fn wipe(values: &mut [Fr]) {
    values.fill(Fr::zero());
    // Reads what was written, so that the writing cannot be left out.
    std::hint::black_box(values);
}

/// Builds the columns.
struct Builder<'a> {
    shape: Shape,
    asked: &'a Asked,
    slots: &'a [Vec<u64>],
    columns: Vec<Vec<Fr>>,
    /// Multiplicities of lookups: of row numbers, and of each term's dictionary entries.
    ranged: Vec<u64>,
    looked: Vec<Vec<u64>>,
}

impl Witness {
    /// `slots[s][r]` is slot `s` in record row `r`; each has the layout's capacity.
    pub(super) fn new(shape: Shape, asked: &Asked, slots: &[Vec<u64>]) -> Self {
        let (capacity, terms) = (shape.layout.capacity(), shape.class.terms());
        let rows = shape.layout.salt();
        let mut builder = Builder {
            shape,
            asked,
            slots,
            columns: vec![vec![Fr::zero(); rows]; shape.columns()],
            ranged: vec![0; capacity],
            looked: vec![vec![0; capacity]; terms],
        };
        let filter = builder.filter();
        let totals = builder.totals(&filter);
        builder.disclose(&totals);
        builder.lookups();
        Self { columns: builder.columns, keys: asked.keys.clone() }
    }
}

impl Builder<'_> {
    fn slot(&self, slot: Slot) -> &[u64] {
        &self.slots[self.shape.slot(slot)]
    }

    fn set(&mut self, internal: Internal, record: usize, value: u64) {
        let row = self.shape.layout.row(record);
        self.columns[self.shape.internal(internal)][row] = Fr::from(value);
    }

    /// Slots, terms and filter; returns the filter.
    fn filter(&mut self) -> Vec<bool> {
        let (shape, capacity) = (self.shape, self.shape.layout.capacity());
        let slots = self.slots;
        for (column, values) in self.columns.iter_mut().zip(slots) {
            for (cell, &value) in column[shape.layout.head..].iter_mut().zip(values) {
                *cell = Fr::from(value);
            }
        }
        let mut passes: Vec<bool> = self.slot(Slot::Consent).iter().map(|&consent| consent == 1).collect();
        for term in 0..shape.class.terms() {
            let entry_passes = self.term(term);
            let mut seen = vec![0u64; capacity];
            let ranks = &slots[shape.slot(Slot::Rank(term))];
            for (record, &rank) in ranks.iter().enumerate() {
                let rank = usize::try_from(rank).unwrap_or(capacity).min(capacity - 1);
                seen[rank] += 1;
                let bit = entry_passes[rank];
                passes[record] &= bit;
                self.set(Internal::Bit(term), record, u64::from(bit));
                self.set(Internal::Pass(term), record, u64::from(passes[record]));
            }
            for (record, seen) in seen.into_iter().enumerate() {
                self.set(Internal::Seen(term), record, seen);
            }
        }
        for value in 0..shape.class.values() {
            for (record, (&code, &pass)) in
                slots[shape.slot(Slot::Value(value))].iter().zip(&passes).enumerate()
            {
                self.set(Internal::Weighted(value), record, code * u64::from(pass));
            }
        }
        if shape.class.values() > 1 {
            for (record, (&flag, &pass)) in slots[shape.slot(Slot::Flag(0))].iter().zip(&passes).enumerate() {
                self.set(Internal::Both, record, flag * u64::from(pass));
            }
        }
        passes
    }

    /// The endpoints of a term: their rows in the head, and the columns `low` and `high`. Returns which entries pass.
    fn term(&mut self, term: usize) -> Vec<bool> {
        let (shape, capacity) = (self.shape, self.shape.layout.capacity());
        let dictionary = &self.slots[shape.slot(Slot::Dictionary(term))];
        let mut steps = [vec![0u64; capacity + 1], vec![0u64; capacity + 1]];
        for (place, &value) in self.asked.endpoints[term].iter().enumerate() {
            let position = dictionary.partition_point(|&entry| entry < value);
            steps[place % 2][position] += 1;
            self.endpoint(term, place, value, position, dictionary);
        }
        let mut passes = Vec::with_capacity(capacity);
        let mut counts = [0u64; 2];
        for entry in 0..capacity {
            for (count, steps) in counts.iter_mut().zip(&steps) {
                *count += steps[entry];
            }
            passes.push(counts[0] > counts[1]);
            self.set(Internal::Low(term), entry + 1, counts[0]);
            self.set(Internal::High(term), entry + 1, counts[1]);
        }
        passes
    }

    fn endpoint(&mut self, term: usize, place: usize, value: u64, position: usize, dictionary: &[u64]) {
        let (shape, capacity) = (self.shape, self.shape.layout.capacity());
        let row = endpoint_row(shape.class, term) + place;
        let beyond = position == capacity;
        let below = position.checked_sub(1).map_or(0, |before| dictionary[before]);
        let (above, inside) = if beyond { (dictionary[0], 0) } else { (dictionary[position], position) };
        for (place, value) in [
            (endpoint::POSITION, position as u64),
            (endpoint::BELOW, below),
            (endpoint::ABOVE, above),
            (endpoint::BEYOND, u64::from(beyond)),
            (endpoint::PLACE, inside as u64),
        ] {
            self.free(row, place, Fr::from(value));
        }
        self.looked[term][inside] += 1;
        if let Some(before) = position.checked_sub(1) {
            self.looked[term][before] += 1;
        }
        let from_below = value.saturating_sub(1).saturating_sub(below);
        let to_above = if beyond { 0 } else { above.saturating_sub(value) };
        for (continuation, difference) in [(1, from_below), (2, to_above)] {
            let row = row + continuation * shape.stride();
            self.free(row, 0, Fr::from(difference));
            for (limb, value) in endpoint::split(shape, difference).into_iter().enumerate() {
                self.free(row, 1 + limb, Fr::from(value));
                self.range(value);
            }
        }
    }

    fn free(&mut self, row: usize, place: usize, value: Fr) {
        let (column, continuation) = self.shape.free(place);
        self.columns[column][row + continuation * self.shape.stride()] = value;
    }

    fn variable(&mut self, row: usize, variable: Variable, value: Fr) {
        let (column, continuation) = self.shape.variable(variable);
        self.columns[column][row + continuation * self.shape.stride()] = value;
    }

    /// Notes a lookup of a row's number.
    fn range(&mut self, value: u64) {
        if let Some(count) = usize::try_from(value).ok().and_then(|value| self.ranged.get_mut(value)) {
            *count += 1;
        }
    }

    /// A difference that the gates check: looked up where it is not negative.
    fn checked(&mut self, value: i128) -> Fr {
        match u64::try_from(value) {
            Ok(value) => {
                self.range(value);
                Fr::from(value)
            }
            Err(_) => -Fr::from_u128(value.unsigned_abs()),
        }
    }

    /// Figures by cell, and the rest.
    fn totals(&self, passes: &[bool]) -> Totals {
        let class = self.shape.class;
        let cell_of: BTreeMap<u64, usize> =
            self.asked.keys.iter().enumerate().map(|(cell, &key)| (key, cell)).collect();
        let mut cells = vec![Figures::none(class.values()); class.cells()];
        let consent = self.slot(Slot::Consent);
        let left_out = consent.iter().zip(passes).filter(|(consent, pass)| **consent == 1 && !**pass);
        let rest = left_out.count() as u64;
        for record in (0..passes.len()).filter(|&record| passes[record]) {
            let at = |slot: Slot| self.slot(slot)[record];
            let key = (0..class.groups()).map(|group| at(Slot::Group(group)) << (10 * group)).sum::<u64>();
            let Some(figures) = cell_of.get(&key).map(|&cell| &mut cells[cell]) else { continue };
            figures.count += 1;
            for (place, value) in figures.values.iter_mut().enumerate() {
                let code = u128::from(at(Slot::Value(place)));
                value.nonmissing += at(Slot::Flag(place));
                value.codes += code;
                value.squared_codes += code * code;
            }
            if let Some(pair) = &mut figures.pair {
                let [first, second] = [0, 1].map(|place| u128::from(at(Slot::Value(place))));
                let [has_first, has_second] = [0, 1].map(|place| at(Slot::Flag(place)));
                pair.pairs += has_first * has_second;
                pair.first_codes += first * u128::from(has_second);
                pair.second_codes += second * u128::from(has_first);
                pair.product_codes += first * second;
            }
        }
        Totals { cells, rest }
    }

    /// The head's variables of the disclosure rule.
    fn disclose(&mut self, totals: &Totals) {
        let disclosed = disclosure::hidden(totals, self.asked.threshold);
        let follows = |row: &usize| disclosed.hidden[*row] && !disclosed.primary[*row];
        let cells = &totals.cells;
        let last = (0..cells.len()).filter(follows).max_by_key(|&row| (cells[row].count, row));
        // Without such a cell tau is free: 1 keeps the distance of a full cell in range.
        let tau = last.map_or(1, |last| cells[last].count);

        let mut judged = Judged { tau, last, ..Judged::default() };
        for (row, figures) in cells.iter().enumerate() {
            self.carry(row, &judged);
            let primary = self.small(row, figures);
            self.follow(row, figures.count, &judged, disclosed.hidden[row]);
            judged.cells += u64::from(disclosed.hidden[row]);
            judged.rows += if disclosed.hidden[row] { figures.count } else { 0 };
            judged.small += u64::from(primary);
            judged.shown += u64::from(figures.count > 0 && !disclosed.hidden[row]);
        }
        self.carry(cells.len(), &judged);
        let rest = Figures { count: totals.rest, ..Figures::default() };
        judged.small += u64::from(self.small(cells.len(), &rest));
        self.carry(self.shape.verdict(), &judged);
        self.judge(&judged);
    }

    /// What a row takes over from the one before.
    fn carry(&mut self, row: usize, judged: &Judged) {
        for (variable, value) in [
            (Variable::Threshold, u64::from(self.asked.threshold)),
            (Variable::Tau, judged.tau),
            (Variable::UpTo, u64::from(judged.up_to(row))),
            (Variable::Extended, u64::from(judged.last.is_some())),
            (Variable::HiddenCells, judged.cells),
            (Variable::HiddenRows, judged.rows),
            (Variable::PrimaryCells, judged.small),
            (Variable::ShownCells, judged.shown),
        ] {
            self.variable(row, variable, Fr::from(value));
        }
    }

    /// The figures of a cell or of the rest, and whether one of its counts is small.
    fn small(&mut self, row: usize, figures: &Figures) -> bool {
        let threshold = i128::from(self.asked.threshold);
        let statistics = self.shape.statistics();
        for (place, statistic) in statistics.iter().enumerate() {
            self.variable(row, Variable::Figure(place), Fr::from_u128(statistic.of(figures)));
        }
        let mut any_small = false;
        for (test, place) in self.shape.tested().into_iter().enumerate() {
            let count = statistics[place].of(figures);
            let below = i128::try_from(count).is_ok_and(|count| count < threshold);
            let small = below && count > 0;
            any_small |= small;
            let signed = i128::try_from(count).unwrap_or(i128::MAX);
            let margin = if below { threshold - 1 - signed } else { signed - threshold };
            let margin = self.checked(margin);
            let inverse = Fr::from_u128(count).invert().unwrap_or(Fr::zero());
            self.variable(row, Variable::NotZero(test), Fr::from(u64::from(count > 0)));
            self.variable(row, Variable::Inverse(test), inverse);
            self.variable(row, Variable::Below(test), Fr::from(u64::from(below)));
            self.variable(row, Variable::Small(test), Fr::from(u64::from(small)));
            self.variable(row, Variable::Margin(test), margin);
            if test > 0 {
                self.variable(row, Variable::Primary(test - 1), Fr::from(u64::from(any_small)));
            }
        }
        any_small
    }

    /// Whether a cell is not above the last one hidden.
    fn follow(&mut self, row: usize, count: u64, judged: &Judged, hidden: bool) {
        let (tau, up_to) = (judged.tau, judged.up_to(row));
        let within = count < tau || (count == tau && up_to);
        let (signed, tau, tie) = (i128::from(count), i128::from(tau), i128::from(up_to));
        let distance = if within { tau - signed - 1 + tie } else { signed - tau - tie };
        let distance = self.checked(distance);
        let flag = |flag: bool| Fr::from(u64::from(flag));
        self.variable(row, Variable::Within, flag(within));
        self.variable(row, Variable::Distance, distance);
        self.variable(row, Variable::Follows, flag(within && count > 0));
        self.variable(row, Variable::Hidden, flag(hidden));
    }

    fn judge(&mut self, judged: &Judged) {
        let threshold = i128::from(self.asked.threshold);
        let &Judged { cells, rows, small, shown, tau, last } = judged;
        let (any, all) = (small > 0, shown == 0);
        let bound = any && !all;
        let (cells, rows) = (i128::from(cells), i128::from(rows));
        let too_few = cells <= 2;
        let missed = if too_few { 2 - cells } else { threshold - 1 - rows + i128::from(tau) };
        let when = |holds: bool, value: i128| if holds { value } else { 0 };
        let flag = |flag: bool| Fr::from(u64::from(flag));
        let signed = |value: i128| {
            let size = Fr::from_u128(value.unsigned_abs());
            if value < 0 { -size } else { size }
        };
        let values: [Fr; verdict::FREE] = [
            flag(any),
            Fr::from(small).invert().unwrap_or(Fr::zero()),
            flag(all),
            flag(bound),
            flag(too_few),
            signed(missed),
            self.checked(when(bound, cells - 2)),
            self.checked(when(bound, rows - threshold)),
            self.checked(when(last.is_some(), missed)),
        ];
        let row = self.shape.verdict();
        for (place, value) in values.into_iter().enumerate() {
            self.free(row, verdict::FREE_FROM + place, value);
        }
    }

    /// Multiplicities, when all lookups are known.
    fn lookups(&mut self) {
        for (record, count) in std::mem::take(&mut self.ranged).into_iter().enumerate() {
            self.set(Internal::Ranged, record, count);
        }
        for (term, counts) in std::mem::take(&mut self.looked).into_iter().enumerate() {
            for (entry, count) in counts.into_iter().enumerate() {
                self.set(Internal::Looked(term), entry, count);
            }
        }
    }
}

/// What the rows of the rule have come to: totals of the cells before a row.
#[derive(Default)]
struct Judged {
    /// Hidden cells.
    cells: u64,
    /// Rows in them.
    rows: u64,
    /// Primary cells, and the rest where it is small.
    small: u64,
    /// Cells that are shown and not empty.
    shown: u64,
    /// The count of the last cell that followed.
    tau: u64,
    /// Its row.
    last: Option<usize>,
}

impl Judged {
    fn up_to(&self, row: usize) -> bool {
        self.last.is_some_and(|last| row <= last)
    }
}
