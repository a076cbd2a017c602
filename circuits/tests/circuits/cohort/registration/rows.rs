//! What the link and the proof's degree rest on: which rows and columns the gates read at all.

use super::case::LAYOUT;
use halo2_proofs::{
    dev::{CellValue, MockProver},
    halo2curves::bn256::Fr,
    plonk::{Circuit, Column, ConstraintSystem, Expression, Fixed},
    poly::Rotation,
};
use nightingale_circuits::cohort::{
    Layout, Size,
    registration::{Part, RegistrationCircuit, Shape, Witness},
};
use std::collections::{BTreeMap, BTreeSet};

fn system(shape: Shape) -> ConstraintSystem<Fr> {
    let mut system = ConstraintSystem::default();
    RegistrationCircuit::configure_with_params(&mut system, shape);
    system
}

fn shapes() -> Vec<Shape> {
    let layouts =
        [LAYOUT, Layout { k: 7, head: 9 }, Size::Small.layout(), Size::Medium.layout(), Size::Large.layout()];
    layouts.into_iter().flat_map(|layout| Part::ALL.map(|part| Shape { layout, part })).collect()
}

#[test]
fn every_gate_has_degree_three_at_most() {
    for shape in shapes() {
        let system = system(shape);
        // `degree` alone is cut off at 5.
        let gates = system.gates().iter();
        let degrees = gates
            .flat_map(|gate| gate.polynomials().iter().map(|polynomial| (gate.name(), polynomial.degree())));
        for (name, degree) in degrees {
            assert!(degree <= 3, "{name}: {degree}");
        }
        assert_eq!(system.degree(), 3);
    }
}

#[test]
fn there_are_no_lookups_no_permutation_and_no_selectors() {
    for shape in shapes() {
        let system = system(shape);
        assert!(system.lookups().is_empty());
        assert!(system.permutation().get_columns().is_empty());
        assert_eq!(system.num_selectors(), 0);
    }
}

#[test]
fn the_unusable_rows_are_rows_of_salt() {
    for shape in shapes() {
        assert!(system(shape).blinding_factors() < Layout::SALT);
    }
}

#[test]
fn slots_are_the_first_columns_of_the_first_phase() {
    for shape in shapes() {
        let phases = system(shape).advice_column_phase();
        assert!(phases.len() > shape.part.slots());
        assert!(phases.is_sorted() && phases[shape.part.slots()] == 0);
    }
}

/// What an expression is worth in one row, as far as fixed columns tell.
#[derive(Clone, PartialEq)]
enum Reading {
    Known(Fr),
    /// The cells of advice (false) and instance (true) columns on which it depends: column and row.
    Cells(BTreeSet<(bool, usize, i64)>),
}

fn join(left: Reading, right: Reading, known: impl Fn(Fr, Fr) -> Fr) -> Reading {
    match (left, right) {
        (Reading::Known(left), Reading::Known(right)) => Reading::Known(known(left, right)),
        (Reading::Cells(left), Reading::Cells(right)) => Reading::Cells(&left | &right),
        (Reading::Cells(cells), _) | (_, Reading::Cells(cells)) => Reading::Cells(cells),
    }
}

fn product(left: Reading, right: Reading) -> Reading {
    let zero = Reading::Known(Fr::zero());
    if left == zero || right == zero { zero } else { join(left, right, |left, right| left * right) }
}

fn read(polynomial: &Expression<Fr>, row: usize, fixed: &BTreeMap<usize, Vec<Fr>>) -> Reading {
    let cell = |instance: bool, column: usize, rotation: Rotation| {
        Reading::Cells(BTreeSet::from([(instance, column, row as i64 + i64::from(rotation.0))]))
    };
    polynomial.evaluate(
        &Reading::Known,
        &|_| panic!("a selector"),
        &|query| {
            assert_eq!(query.rotation(), Rotation::cur());
            Reading::Known(fixed[&query.column_index()][row])
        },
        &|query| cell(false, query.column_index(), query.rotation()),
        &|query| cell(true, query.column_index(), query.rotation()),
        &|_| Reading::Cells(BTreeSet::new()),
        &|value| join(Reading::Known(Fr::zero()), value, |zero, value| zero - value),
        &|left, right| join(left, right, |left, right| left + right),
        &product,
        &|value, factor| product(value, Reading::Known(factor)),
    )
}

/// The fixed columns that gates read, by their index.
fn fixed_columns(shape: Shape, system: &ConstraintSystem<Fr>) -> BTreeMap<usize, Vec<Fr>> {
    let witness = Witness::from_slots(shape, Vec::new(), Vec::new());
    let circuit = RegistrationCircuit::of(shape, witness);
    let prover = MockProver::run(shape.layout.k, &circuit, circuit.instances()).unwrap();
    let value = |cell: &CellValue<Fr>| match cell {
        CellValue::Assigned(value) => *value,
        CellValue::Unassigned | CellValue::Poison(_) => Fr::zero(),
    };
    let values = |column: Column<Fixed>| prover.fixed_values(column).iter().map(value).collect();
    system.fixed_queries().iter().map(|&(column, _)| (column.index(), values(column))).collect()
}

/// Slots are read in the record rows only; other columns nowhere after the last record; instances in their rows. Nothing wraps around.
fn reads_only_its_rows(shape: Shape) {
    let (layout, part, system) = (shape.layout, shape.part, system(shape));
    let fixed = fixed_columns(shape, &system);
    let row = |row: usize| i64::try_from(row).unwrap();
    let records = row(layout.head)..row(layout.row(layout.capacity()));
    for gate in system.gates() {
        for polynomial in gate.polynomials() {
            let mut active = false;
            for place in 0..layout.rows() {
                let Reading::Cells(cells) = read(polynomial, place, &fixed) else { continue };
                active = true;
                for (instance, column, cell) in cells {
                    let allowed = match (instance, column < part.slots()) {
                        (true, _) => 0..row(part.instances()),
                        (false, true) => records.clone(),
                        (false, false) => 0..records.end,
                    };
                    assert!(
                        allowed.contains(&cell),
                        "{part:?}, {}: column {column}, row {cell}",
                        gate.name()
                    );
                }
            }
            assert!(active, "{part:?}, {}: never applies", gate.name());
        }
    }
}

#[test]
fn no_gate_reads_outside_its_rows() {
    for layout in [LAYOUT, Layout { k: 7, head: 16 }] {
        for part in Part::ALL {
            reads_only_its_rows(Shape { layout, part });
        }
    }
}
