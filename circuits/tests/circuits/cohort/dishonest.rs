//! What a dishonest prover might try inside the circuit. Each test changes one thing of an honest witness and is refused.

use super::{
    agreement::query,
    trial::{AGE, ARM, CHANGE, COST, NARROW, between, table},
};
use halo2_proofs::{
    dev::MockProver,
    halo2curves::{bn256::Fr, ff::Field},
};
use nightingale_circuits::cohort::{
    Answer, Cell, Class, Committed, Query, QueryCircuit, Table, circuit::column_counts, columns,
    instances::instances, slots,
};

const THRESHOLD: u32 = 11;

/// A table and a query with a range filter, a value and groups.
fn asked() -> (Table, Query) {
    let table = table(600, 3);
    let query = query(&table, vec![between(AGE, 10, 70)], &[CHANGE], &[ARM]);
    (table, query)
}

fn honest(table: &Table, query: &Query) -> (QueryCircuit, Answer) {
    QueryCircuit::new(Class::Narrow, NARROW, query, table, THRESHOLD).expect("the query fits")
}

fn is_accepted(circuit: &QueryCircuit, instances: Vec<Vec<Fr>>) -> bool {
    MockProver::run(NARROW.k, circuit, instances).expect("a circuit of this size").verify().is_ok()
}

fn public(table: &Table, query: &Query, threshold: u32, answer: &Answer) -> Vec<Vec<Fr>> {
    instances(Class::Narrow, table.schema(), query, threshold, answer)
        .expect("an answer of the query's shape")
}

/// The circuit over slots of which `change` changed something.
fn with_slots(
    table: &Table,
    query: &Query,
    threshold: u32,
    change: impl FnOnce(&mut Vec<Vec<u64>>),
) -> QueryCircuit {
    let sources = slots::sources(Class::Narrow, NARROW, table.schema(), query);
    let mut values: Vec<Vec<u64>> =
        sources.into_iter().map(|source: Committed| columns::values(table, NARROW, source)).collect();
    change(&mut values);
    QueryCircuit::from_slots(Class::Narrow, NARROW, table.schema(), query, threshold, &values)
        .expect("slots that fit")
}

#[test]
fn accepts_the_honest_witness() {
    let (table, query) = asked();
    let (circuit, answer) = honest(&table, &query);
    assert!(is_accepted(&circuit, public(&table, &query, THRESHOLD, &answer)));
}

#[test]
fn refuses_every_other_figure() {
    let (table, query) = asked();
    let (circuit, answer) = honest(&table, &query);
    for cell in 0..answer.cells.len() {
        let changed = |change: &dyn Fn(&mut nightingale_circuits::cohort::Figures)| {
            let mut answer = answer.clone();
            if let Cell::Shown(figures) = &mut answer.cells[cell] {
                change(figures);
            }
            public(&table, &query, THRESHOLD, &answer)
        };
        if answer.cells[cell] == Cell::Hidden {
            continue;
        }
        assert!(!is_accepted(&circuit, changed(&|figures| figures.count += 1)), "count of cell {cell}");
        assert!(
            !is_accepted(&circuit, changed(&|figures| figures.values[0].nonmissing += 1)),
            "non-missing of cell {cell}"
        );
        assert!(
            !is_accepted(&circuit, changed(&|figures| figures.values[0].codes += 1)),
            "sum of cell {cell}"
        );
        assert!(
            !is_accepted(&circuit, changed(&|figures| figures.values[0].squared_codes += 1)),
            "squares of cell {cell}"
        );
    }
}

#[test]
fn refuses_a_cell_that_is_hidden_or_shown_against_the_rule() {
    let (table, query) = asked();
    let (circuit, answer) = honest(&table, &query);
    for cell in 1..answer.cells.len() {
        let mut hides = answer.clone();
        hides.cells[cell] = Cell::Hidden;
        assert!(!is_accepted(&circuit, public(&table, &query, THRESHOLD, &hides)), "hid cell {cell}");
    }
    // A threshold that hides everything, and the figures that a threshold of 1 would show.
    let (strict, strict_answer) =
        QueryCircuit::new(Class::Narrow, NARROW, &query, &table, 400).expect("the query fits");
    assert!(strict_answer.cells[1..].iter().all(|cell| *cell == Cell::Hidden));
    assert!(is_accepted(&strict, public(&table, &query, 400, &strict_answer)));
    assert!(!is_accepted(&strict, public(&table, &query, 400, &answer)));
    assert!(
        !is_accepted(&circuit, public(&table, &query, 400, &answer)),
        "another threshold than the one proven"
    );
    assert!(
        !is_accepted(&circuit, public(&table, &query, 12, &answer)),
        "another threshold than the one proven"
    );
}

#[test]
fn refuses_another_query() {
    let (table, asked) = asked();
    let (circuit, answer) = honest(&table, &asked);
    for other in [
        query(&table, vec![between(AGE, 11, 70)], &[CHANGE], &[ARM]),
        query(&table, vec![between(AGE, 10, 71)], &[CHANGE], &[ARM]),
        query(&table, vec![], &[CHANGE], &[ARM]),
    ] {
        assert!(!is_accepted(&circuit, public(&table, &other, THRESHOLD, &answer)));
    }
}

/// Every phase-0 cell that carries something, moved by one, is noticed.
#[test]
fn leaves_no_internal_cell_free() {
    let (table, query) = asked();
    let (circuit, answer) = honest(&table, &query);
    let instances = public(&table, &query, THRESHOLD, &answer);
    let (slots, all) = column_counts(Class::Narrow, NARROW);
    let records = [0, 1, 5, 599, 600, NARROW.capacity() - 1].map(|record| NARROW.row(record));
    // Two cells, the rest, the verdict, a lower and an upper endpoint and one that is not there, with their continuations.
    let head =
        [1, 3, 16, 17, 18, 19, 25].into_iter().flat_map(|row| (0..4).map(move |part| row + STRIDE * part));
    for row in head.chain(records) {
        for column in slots..all {
            let mut cheat = honest(&table, &query).0;
            let value = circuit.cell(column, row).expect("a cell");
            cheat.tamper(column, row, value + Fr::ONE);
            let free = is_accepted(&cheat, instances.clone());
            assert_eq!(
                free,
                row < NARROW.head && is_unused(column - slots, row),
                "column {column}, row {row}"
            );
        }
    }
}

/// Rows between a row of the head and its continuation, in the narrow class; it has eight columns behind the slots.
const STRIDE: usize = 32;

/// Whether a cell of the head holds no variable, or one that is multiplied by zero in this query.
fn is_unused(column: usize, row: usize) -> bool {
    let (row, part) = (row % STRIDE, row / STRIDE);
    let place = part * 8 + column;
    match row {
        // A cell: 27 variables. The rest: 23, and the inverse of the non-missing count, which is 0.
        0..=15 => place >= 27,
        16 => place >= 23 || place == 15,
        // The verdict: 16 behind `UpTo`, and the inverse of the number of small counts, of which there are none.
        17 => place >= 17 || place == 9 || place == 0,
        // An endpoint: five variables, then two rows of a difference and its limbs.
        _ => column >= [5, 4, 4, 0][part],
    }
}

#[test]
fn refuses_a_row_that_is_dropped_moved_or_counted_twice() {
    let (table, query) = asked();
    let (_, answer) = honest(&table, &query);
    let instances = public(&table, &query, THRESHOLD, &answer);
    // The slots are honest for another table; only the link tells. With the honest answer even the circuit refuses.
    let row = (0..600)
        .find(|&row| table.consent()[row] && query.terms()[0].holds(table.codes(AGE)[row]))
        .expect("a row that passes");
    let dropped = with_slots(&table, &query, THRESHOLD, |slots| slots[0][row] = 0);
    let moved = with_slots(&table, &query, THRESHOLD, |slots| slots[5][row] = 1 + slots[5][row] % 3);
    let twice = with_slots(&table, &query, THRESHOLD, |slots| {
        for slot in slots {
            slot[601] = slot[row];
        }
    });
    for cheat in [dropped, moved, twice] {
        assert!(!is_accepted(&cheat, instances.clone()));
    }
}

#[test]
fn refuses_a_group_that_no_cell_has() {
    let (table, query) = asked();
    let (_, answer) = honest(&table, &query);
    let row = (0..600)
        .find(|&row| table.consent()[row] && query.terms()[0].holds(table.codes(AGE)[row]))
        .expect("a row that passes");
    let outside = with_slots(&table, &query, THRESHOLD, |slots| slots[5][row] = 17);
    let mut without = answer;
    let arm = table.codes(ARM)[row] as usize;
    if let Cell::Shown(figures) = &mut without.cells[arm] {
        figures.count -= 1;
    }
    assert!(!is_accepted(&outside, public(&table, &query, THRESHOLD, &without)));
}

#[test]
fn refuses_a_dictionary_that_does_not_hold_the_rank() {
    let table = table(600, 3);
    let query = query(&table, vec![between(COST, 1_000_000_000, 3_000_000_000)], &[CHANGE], &[ARM]);
    let (_, answer) = honest(&table, &query);
    let instances = public(&table, &query, THRESHOLD, &answer);
    // An entry just inside the range is said to be just outside: the row's bit changes, and the answer with it.
    let cheat = with_slots(&table, &query, THRESHOLD, |slots| {
        let inside = slots[2].partition_point(|&entry| entry < 1_000_000_000);
        slots[2][inside] = 999_999_999;
    });
    assert!(!is_accepted(&cheat, instances.clone()));
    let rank_beyond = with_slots(&table, &query, THRESHOLD, |slots| slots[1][0] = NARROW.capacity() as u64);
    assert!(!is_accepted(&rank_beyond, instances));
}

#[test]
fn refuses_noise_before_there_is_noise() {
    let (table, query) = asked();
    let (circuit, _) = honest(&table, &query);
    let (slots, _) = column_counts(Class::Narrow, NARROW);
    // The slot exists and nothing reads it: its zero is the link's to show.
    assert_eq!(slots, 7);
    assert_eq!(circuit.cell(slots - 1, NARROW.row(0)), Some(Fr::ZERO));
}
