//! Random changes of true slots: the circuit accepts exactly what the page's rules, written down once more in plain Rust, allow.

use super::case::{Form, LAYOUT, failures, table};
use nightingale_circuits::cohort::registration::{Part, RegistrationCircuit, Shape, Witness, plan};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha20Rng;

/// Whether the slots keep the page's rules.
fn holds(part: Part, slots: &[Vec<u64>], numbers: &[u64]) -> bool {
    match part {
        Part::Frame => frame(slots, numbers[0]),
        Part::Columns => (0..8).all(|place| {
            let (codes, flags) = (&slots[1 + 2 * place], &slots[2 + 2 * place]);
            column(&slots[0], codes, flags, numbers[place])
        }),
        Part::Dictionary => {
            let (codes, ranks, dictionary) = (&slots[1], &slots[3], &slots[4]);
            let ranked = |(&code, &rank): (&u64, &u64)| dictionary.get(rank as usize) == Some(&code);
            column(&slots[0], codes, &slots[2], numbers[0])
                && dictionary[0] == 0
                && dictionary.windows(2).all(|pair| pair[0] < pair[1])
                && codes.iter().zip(ranks).all(ranked)
        }
        Part::Keys => column(&slots[0], &slots[1], &slots[0], numbers[0]),
    }
}

fn frame(slots: &[Vec<u64>], rows: u64) -> bool {
    let [present, subject, dimension, consent, predecessor] = slots else { return false };
    let rows = rows as usize;
    let key = |row: usize| (u128::from(subject[row]) << 32) + u128::from(dimension[row]);
    (1..=present.len()).contains(&rows)
        && present.iter().enumerate().all(|(row, &present)| present == u64::from(row < rows))
        && key(0) >= 1 << 32
        && (1..rows).all(|row| key(row - 1) < key(row))
        && consent
            .iter()
            .zip(predecessor)
            .all(|(&consent, &before)| consent == 0 || (consent == 1 && before == 1))
}

fn column(present: &[u64], codes: &[u64], flags: &[u64], bound: u64) -> bool {
    let row = |((&present, &code), &flag): ((&u64, &u64), &u64)| {
        (present == 1 || code == 0) && code <= bound && flag == u64::from(code != 0)
    };
    present.iter().zip(codes).zip(flags).all(row)
}

/// One cell to something near, to what another row has, or to anything; or two rows exchanged.
fn change(slots: &mut [Vec<u64>], numbers: &mut [u64], rows: usize, rng: &mut ChaCha20Rng) {
    let slot = rng.random_range(0..slots.len());
    let row = rng.random_range(0..(rows + 2).min(LAYOUT.capacity()));
    let other = rng.random_range(0..rows);
    let column = &mut slots[slot];
    let old = column[row];
    match rng.random_range(0..9) {
        0 => column.swap(row, other),
        1 => column[row] = column[other],
        2 => column[row] = old + 1,
        3 => column[row] = old.saturating_sub(1),
        4 => column[row] = rng.random_range(0..1 << 31),
        5 => column[row] = numbers[0],
        6 => {
            let number = rng.random_range(0..numbers.len());
            numbers[number] = rng.random_range(0..=numbers[number] + 1);
        }
        7 => slots.iter_mut().for_each(|column| column.swap(row, other)),
        _ => column[row] = u64::from(old == 0),
    }
}

#[test]
fn the_circuit_accepts_what_the_rules_allow_and_nothing_else() {
    let mut rng = ChaCha20Rng::seed_from_u64(20_261_122);
    // Of each part, how often the changed slots kept the rules, and how often not.
    let mut seen = [[0; 2]; 4];
    for round in 0..160 {
        let rows = rng.random_range(1..=12);
        let form = Form { rows, dimension: round % 2 == 0, subjects: [15, 100_000][round / 2 % 2] };
        let table = table(form, &mut rng);
        for statement in plan(table.schema(), LAYOUT) {
            let shape = Shape { layout: LAYOUT, part: statement.part() };
            let mut slots = Witness::new(LAYOUT, &statement, &table, None).slots.clone();
            let mut numbers = statement.numbers(rows);
            for _ in 0..rng.random_range(1..=2) {
                change(&mut slots, &mut numbers, rows, &mut rng);
            }
            let expected = holds(statement.part(), &slots, &numbers);
            let witness = Witness::from_slots(shape, slots, numbers);
            let failures = failures(LAYOUT, &RegistrationCircuit::of(shape, witness));
            assert_eq!(failures.is_empty(), expected, "round {round}, {statement:?}: {failures:?}");
            let part = Part::ALL.iter().position(|&part| part == statement.part()).unwrap();
            seen[part][usize::from(expected)] += 1;
        }
    }
    assert!(seen.iter().flatten().all(|&count| count >= 5), "{seen:?}");
}
