//! What a dishonest prover might choose where the disclosure rule stops. Everything that follows from a choice is made as the gates want
//! it, range checks included, so that each test is refused by what it names and by nothing else.

use super::{
    agreement::query,
    trial::{ARM, CHANGE, NARROW, SEX, between, women_and_men},
};
use halo2_proofs::{
    dev::{FailureLocation, MockProver, VerifyFailure},
    halo2curves::{
        bn256::Fr,
        ff::{Field, PrimeField},
    },
};
use nightingale_circuits::cohort::{
    Cell, Class, Query, QueryCircuit, Table, circuit::column_counts, instances::instances,
};

const THRESHOLD: u32 = 11;
/// Rows of the head.
const CELLS: usize = 16;
const REST: usize = 16;
const VERDICT: usize = 17;

/// Places of variables, as `shape.rs` has them for the narrow class.
const UP_TO: usize = 0;
const EXTENDED: usize = 1;
const HIDDEN_CELLS: usize = 2;
const HIDDEN_ROWS: usize = 3;
const PRIMARY_CELLS: usize = 4;
const SHOWN_CELLS: usize = 5;
const TAU: usize = 7;
const COUNT: usize = 8;
const NOT_ZERO: usize = 12;
const PRIMARY: usize = 22;
const WITHIN: usize = 23;
const DISTANCE: usize = 24;
const FOLLOWS: usize = 25;
const HIDDEN: usize = 26;
/// Behind the running variables: any, inverse, all, bound, too few, missed, and three that are looked up.
const JUDGED: usize = 8;

/// What a prover may choose.
#[derive(Clone, Default)]
struct Choice {
    /// Where the cells that follow end: the count, and the last row in which `UpTo` is 1.
    tau: i64,
    last: Option<usize>,
    /// Said to be above it though it is not.
    above: Option<usize>,
    /// What the rest adds to the hidden cells, their rows, the small counts, the cells shown; an honest one adds to the small counts only.
    rest: [i64; 4],
    any: bool,
    all: bool,
    too_few: bool,
    /// Values of the verdict instead of what follows, by place.
    lies: Vec<(usize, i64)>,
}

/// A circuit under a prover's hand.
struct Head {
    circuit: QueryCircuit,
    slots: usize,
}

impl Head {
    fn place(&self, row: usize, place: usize) -> (usize, usize) {
        // Eight columns behind the slots, 32 rows between a row and its continuation.
        (self.slots + place % 8, row + 32 * (place / 8))
    }

    fn get(&self, row: usize, place: usize) -> i64 {
        let (column, row) = self.place(row, place);
        number(self.circuit.cell(column, row).expect("a cell"))
    }

    fn set(&mut self, row: usize, place: usize, value: i64) {
        let (column, row) = self.place(row, place);
        self.circuit.tamper(column, row, field(value));
    }

    /// A value that is looked up: the lookup of what was there is taken back.
    fn looked_up(&mut self, row: usize, place: usize, value: i64) {
        self.count(self.get(row, place), -1);
        self.count(value, 1);
        self.set(row, place, value);
    }

    /// Numbers that are no row's cannot be counted.
    fn count(&mut self, value: i64, change: i64) {
        let Some(record) = usize::try_from(value).ok().filter(|&record| record < NARROW.capacity()) else {
            return;
        };
        let (column, row) = (self.slots + 5, NARROW.row(record));
        let counted = self.circuit.cell(column, row).expect("a cell");
        self.circuit.tamper(column, row, counted + field(change));
    }

    /// Fills the rows of the rule with a choice and what follows from it; returns which cells are hidden.
    fn choose(&mut self, choice: &Choice) -> Vec<bool> {
        let Choice { tau, last, .. } = *choice;
        let [mut cells, mut rows, mut small, mut shown] = [0; 4];
        let mut hidden_cells = Vec::new();
        for row in 0..=VERDICT {
            let up_to = i64::from(last.is_some_and(|last| row <= last));
            self.set(row, UP_TO, up_to);
            self.set(row, TAU, tau);
            self.set(row, EXTENDED, i64::from(last.is_some()));
            self.set(row, HIDDEN_CELLS, cells);
            self.set(row, HIDDEN_ROWS, rows);
            self.set(row, PRIMARY_CELLS, small);
            self.set(row, SHOWN_CELLS, shown);
            if row < CELLS {
                let count = self.get(row, COUNT);
                let within = i64::from((count - tau - up_to < 0) && choice.above != Some(row));
                let distance = if within == 1 { tau - count - 1 + up_to } else { count - tau - up_to };
                self.looked_up(row, DISTANCE, distance);
                let (primary, not_zero) = (self.get(row, PRIMARY), self.get(row, NOT_ZERO));
                let follows = within * not_zero;
                let hidden = primary.max(follows);
                self.set(row, WITHIN, within);
                self.set(row, FOLLOWS, follows);
                self.set(row, HIDDEN, hidden);
                cells += hidden;
                rows += hidden * count;
                small += primary;
                shown += not_zero - hidden;
                hidden_cells.push(hidden == 1);
            } else if row == REST {
                cells += choice.rest[0];
                rows += choice.rest[1];
                small += choice.rest[2];
                shown += choice.rest[3];
            }
        }
        let (any, all) = (i64::from(choice.any), i64::from(choice.all));
        let bound = any * (1 - all);
        let threshold = i64::from(THRESHOLD);
        let missed = if choice.too_few { 2 - cells } else { threshold - 1 - rows + tau };
        let mut judged = [
            any,
            0,
            all,
            bound,
            i64::from(choice.too_few),
            missed,
            bound * (cells - 2),
            bound * (rows - threshold),
            i64::from(last.is_some()) * missed,
        ];
        for &(place, value) in &choice.lies {
            judged[place] = value;
        }
        for (place, value) in judged.into_iter().enumerate() {
            match place {
                1 => {}
                0..=5 => self.set(VERDICT, JUDGED + place, value),
                _ => self.looked_up(VERDICT, JUDGED + place, value),
            }
        }
        // The inverse of the number of small counts, where it is of use.
        let (column, row) = self.place(VERDICT, JUDGED + 1);
        let inverse = if any == 1 { field(small).invert().unwrap_or(Fr::ZERO) } else { Fr::ZERO };
        self.circuit.tamper(column, row, inverse);
        hidden_cells
    }
}

fn field(value: i64) -> Fr {
    let size = Fr::from(value.unsigned_abs());
    if value < 0 { -size } else { size }
}

/// The small number that this is, or a number that no test has.
fn number(value: Fr) -> i64 {
    let small = |value: Fr| {
        let bytes = value.to_repr();
        let low = bytes.as_ref().iter().take(7).rev().fold(0, |sum, &byte| sum << 8 | i64::from(byte));
        (field(low) == value).then_some(low)
    };
    small(value).or_else(|| small(-value).map(|size| -size)).unwrap_or(i64::MAX)
}

/// Women by arm, with so many known changes, and men, whom the filter leaves out.
#[derive(Clone, Copy)]
struct Case {
    women: [(usize, usize); 3],
    men: usize,
}

/// All changes known.
fn case(women: [usize; 3], men: usize) -> Case {
    Case { women: women.map(|count| (count, count)), men }
}

impl Case {
    fn asked(self) -> (Table, Query) {
        let table = women_and_men(self.women, self.men);
        let query = query(&table, vec![between(SEX, 1, 1)], &[CHANGE], &[ARM]);
        (table, query)
    }

    /// The gates that fail for a choice, with their rows, in order: what is hidden and the figures of the rest are told as the choice has it.
    fn failures(self, choice: &Choice) -> Vec<(String, usize)> {
        let (table, query) = self.asked();
        let make = |threshold| QueryCircuit::new(Class::Narrow, NARROW, &query, &table, threshold);
        let (circuit, _) = make(THRESHOLD).expect("the query fits");
        let (_, mut answer) = make(1).expect("the query fits");
        let mut head = Head { circuit, slots: column_counts(Class::Narrow, NARROW).0 };
        for (cell, hidden) in answer.cells.iter_mut().zip(head.choose(choice)) {
            if hidden {
                *cell = Cell::Hidden;
            }
        }
        let instances = instances(Class::Narrow, table.schema(), &query, THRESHOLD, &answer)
            .expect("an answer of the query's shape");
        let prover = MockProver::run(NARROW.k, &head.circuit, instances).expect("a circuit of this size");
        prover.verify().err().unwrap_or_default().iter().map(place).collect()
    }
}

fn place(failure: &VerifyFailure) -> (String, usize) {
    match failure {
        VerifyFailure::ConstraintNotSatisfied { constraint, location, .. } => {
            let name = constraint.to_string().rsplit('\'').nth(1).unwrap_or_default().to_owned();
            let row = match location {
                FailureLocation::InRegion { offset, .. } => *offset,
                FailureLocation::OutsideRegion { row } => *row,
            };
            (name, row)
        }
        other => (other.to_string(), 0),
    }
}

/// Refused by one constraint in a row of the gate with this name.
#[track_caller]
fn refused_by(name: &str, row: usize, case: Case, choice: &Choice) {
    assert_eq!(case.failures(choice), [(name.to_owned(), row)]);
}

/// Where the sums must be 0: what a lookup of a number below 0 ends in.
fn sums() -> usize {
    NARROW.row(NARROW.capacity())
}

/// Arms are the cells 1 to 3; 0 is of those without one.
const A: usize = 1;
const B: usize = 2;
const C: usize = 3;

#[test]
fn accepts_what_the_rule_chooses() {
    let honest = Choice { any: true, too_few: true, ..Choice::default() };
    for (case, choice) in [
        (case([5, 50, 50], 20), Choice { tau: 50, last: Some(B), ..honest.clone() }),
        (case([5, 50, 50], 8), Choice { tau: 50, last: Some(B), rest: [0, 0, 1, 0], ..honest.clone() }),
        (case([40, 50, 60], 8), Choice { tau: 50, last: Some(B), rest: [0, 0, 1, 0], ..honest.clone() }),
        (
            case([50, 0, 0], 8),
            Choice { tau: 50, last: Some(A), rest: [0, 0, 1, 0], all: true, ..honest.clone() },
        ),
        (case([0, 0, 0], 8), Choice { rest: [0, 0, 1, 0], all: true, ..honest }),
        (case([40, 50, 60], 20), Choice::default()),
        // A wrong guess of which goal was missed is no matter where both were.
        (case([3, 50, 60], 20), Choice { tau: 50, last: Some(B), any: true, ..Choice::default() }),
    ] {
        assert_eq!(case.failures(&choice), []);
    }
}

#[test]
fn refuses_the_rest_as_a_second_hidden_cell() {
    // 15 women in the first arm, of whom 3 have a known change: enough rows, and a cell too few.
    let case = Case { women: [(15, 3), (50, 50), (50, 50)], men: 20 };
    let alone = Choice { any: true, ..Choice::default() };
    refused_by("cells", REST, case, &Choice { rest: [1, 0, 0, 0], ..alone.clone() });
    // As the rule was: the rest follows.
    let rest = [1, 20, 0, -1];
    let followed = Choice { tau: 20, last: Some(REST), rest, too_few: true, ..alone.clone() };
    assert_eq!(case.failures(&followed), vec![("cells".to_owned(), REST); 4]);
    // As small as it may be.
    let few = Case { men: 8, ..case };
    refused_by("cells", REST, few, &Choice { rest: [1, 0, 1, 0], ..alone.clone() });
    // And without it there is a cell too few.
    refused_by("sums", sums(), case, &alone);
}

#[test]
fn refuses_the_rows_of_the_rest_among_those_of_hidden_cells() {
    let case = case([2, 3, 50], 20);
    let two = Choice { any: true, ..Choice::default() };
    refused_by("cells", REST, case, &Choice { rest: [0, 20, 0, 0], ..two.clone() });
    refused_by("sums", sums(), case, &two);
}

#[test]
fn refuses_a_rest_that_takes_away_a_cell_that_is_shown() {
    let case = case([5, 50, 0], 20);
    let one = Choice { any: true, all: true, ..Choice::default() };
    refused_by("cells", REST, case, &Choice { rest: [0, 0, 0, -1], ..one.clone() });
    refused_by("verdict", VERDICT, case, &one);
}

#[test]
fn refuses_a_last_cell_behind_the_cells() {
    // The rule hides the first two. A count that no cell has would let the last follow as well, and say that it was needed.
    let case = case([5, 50, 51], 20);
    let more = Choice { tau: 200, any: true, ..Choice::default() };
    refused_by("cells", REST, case, &Choice { last: Some(REST), ..more.clone() });
    // Nor may it end at a cell of another count, nor be said never to have begun.
    refused_by("cells", C, case, &Choice { last: Some(C), ..more.clone() });
    refused_by("cells", REST, case, &more);
}

#[test]
fn refuses_to_overlook_that_the_rest_is_small() {
    let case = case([40, 50, 60], 8);
    refused_by("cells", REST, case, &Choice::default());
    let seen = Choice { rest: [0, 0, 1, 0], ..Choice::default() };
    refused_by("verdict", VERDICT, case, &seen);
    // It is seen, and nothing follows from it.
    refused_by("verdict", VERDICT, case, &Choice { any: true, all: true, ..seen.clone() });
    assert_eq!(case.failures(&Choice { any: true, ..seen }), [("sums".to_owned(), sums())]);
}

#[test]
fn refuses_to_hide_where_nothing_is_small() {
    let case = case([40, 50, 60], 20);
    let one = Choice { tau: 40, last: Some(A), too_few: true, ..Choice::default() };
    refused_by("verdict", VERDICT, case, &one);
    let two = Choice { tau: 50, last: Some(B), any: true, too_few: true, ..Choice::default() };
    refused_by("verdict", VERDICT, case, &two);
    // A rest that is said to be small.
    refused_by("cells", REST, case, &Choice { rest: [0, 0, 1, 0], ..two });
}

#[test]
fn refuses_to_stop_early_or_late() {
    let case = case([5, 50, 51], 20);
    let early = Choice { any: true, ..Choice::default() };
    refused_by("sums", sums(), case, &early);
    // Whoever says that all are hidden, that no goal binds, or that one is reached, is refused by what says it.
    refused_by("verdict", VERDICT, case, &Choice { all: true, ..early.clone() });
    let bound = Choice { lies: vec![(3, 0), (6, 0), (7, 0)], ..early.clone() };
    refused_by("verdict", VERDICT, case, &bound);
    let cells = Case { women: [(15, 3), (50, 50), (51, 51)], men: 20 };
    refused_by("verdict", VERDICT, cells, &Choice { lies: vec![(6, 0)], ..early.clone() });
    let rows = self::case([2, 3, 50], 20);
    refused_by("verdict", VERDICT, rows, &Choice { lies: vec![(7, 0)], ..early });
    let late = Choice { tau: 51, last: Some(C), any: true, ..Choice::default() };
    for too_few in [true, false] {
        let late = Choice { too_few, ..late.clone() };
        refused_by("sums", sums(), case, &late);
        refused_by("verdict", VERDICT, case, &Choice { lies: vec![(8, 0)], ..late });
    }
}

#[test]
fn refuses_another_cell_than_the_smallest() {
    // A tie: the lower index follows.
    let tie =
        Choice { tau: 50, last: Some(C), above: Some(B), any: true, too_few: true, ..Choice::default() };
    refused_by("sums", sums(), case([5, 50, 50], 20), &tie);
    let other = Choice { tau: 51, ..tie };
    refused_by("sums", sums(), case([5, 50, 51], 20), &other);
}
