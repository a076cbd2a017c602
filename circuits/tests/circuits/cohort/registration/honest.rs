//! True tables: one row, a full table, with and without a dimension, columns wide and narrow.

use super::case::{Form, LAYOUT, failures, table};
use nightingale_circuits::cohort::{
    Layout, Size,
    registration::{RegistrationCircuit, plan},
};
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;

fn accepted(layout: Layout, form: Form) {
    let mut table = table(form, &mut ChaCha20Rng::seed_from_u64(form.rows as u64));
    let before = table.consent().to_vec();
    for statement in plan(table.schema(), layout) {
        let circuit = RegistrationCircuit::new(layout, &statement, &table, None);
        assert!(failures(layout, &circuit).is_empty(), "{statement:?} {form:?}");
        assert_eq!(circuit.instances(), statement.instances(form.rows));
    }
    table.revoke(&[0, form.rows / 2]);
    let frame = &plan(table.schema(), layout)[0];
    assert!(failures(layout, &RegistrationCircuit::new(layout, frame, &table, Some(&before))).is_empty());
}

#[test]
fn accepts_a_table_of_one_row() {
    accepted(LAYOUT, Form { rows: 1, dimension: false, subjects: 1 });
    accepted(LAYOUT, Form { rows: 1, dimension: true, subjects: 9 });
}

#[test]
fn accepts_a_table_that_fills_all_rows() {
    accepted(LAYOUT, Form { rows: LAYOUT.capacity(), dimension: false, subjects: 208 });
    accepted(LAYOUT, Form { rows: LAYOUT.capacity(), dimension: true, subjects: 40 });
}

#[test]
fn accepts_a_subject_key_far_above_the_capacity() {
    accepted(LAYOUT, Form { rows: 100, dimension: false, subjects: 100_000_000 });
    accepted(LAYOUT, Form { rows: 100, dimension: true, subjects: 100_000_000 });
}

#[test]
fn accepts_another_layout() {
    accepted(Layout { k: 7, head: 9 }, Form { rows: 50, dimension: true, subjects: 60 });
}

#[test]
fn accepts_a_table_of_the_small_size() {
    accepted(Size::Small.layout(), Form { rows: 14_000, dimension: true, subjects: 14_319 });
}
