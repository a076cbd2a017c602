//! A prover who chooses running sums: every cell of every sum is determined.

use super::case::{Form, LAYOUT, SUMS, names, table};
use halo2_proofs::{
    circuit::{Layouter, SimpleFloorPlanner, Value},
    dev::{AdviceCellValue, MockProver},
    halo2curves::bn256::Fr,
    plonk::{Advice, Circuit, Column, ConstraintSystem, Error},
};
use nightingale_circuits::cohort::registration::{Part, RegistrationCircuit, Shape, Statement, plan};
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;
use std::ops::Range;

const START: &str = "a sum starts at zero";
const OPENING: &str = "a sum starts with the instances";
const STEP: &str = "a sum goes on";

/// Rows that gates are about: from 0 to the last record.
const END: usize = LAYOUT.head + LAYOUT.capacity();

/// A registration circuit in which cells of the second phase have been written over.
struct Forged {
    circuit: RegistrationCircuit,
    cells: Vec<(Column<Advice>, usize, Fr)>,
}

impl Circuit<Fr> for Forged {
    type Config = <RegistrationCircuit as Circuit<Fr>>::Config;
    type FloorPlanner = SimpleFloorPlanner;
    type Params = Shape;

    fn without_witnesses(&self) -> Self {
        Self { circuit: self.circuit.without_witnesses(), cells: Vec::new() }
    }

    fn params(&self) -> Shape {
        self.circuit.params()
    }

    fn configure_with_params(meta: &mut ConstraintSystem<Fr>, shape: Shape) -> Self::Config {
        RegistrationCircuit::configure_with_params(meta, shape)
    }

    fn configure(meta: &mut ConstraintSystem<Fr>) -> Self::Config {
        RegistrationCircuit::configure(meta)
    }

    fn synthesize(&self, config: Self::Config, mut layouter: impl Layouter<Fr>) -> Result<(), Error> {
        self.circuit.synthesize(config, layouter.namespace(|| "honest"))?;
        layouter.assign_region(
            || "forged",
            |mut region| {
                for &(column, row, value) in &self.cells {
                    region.assign_advice(column, row, Value::known(value));
                }
                Ok(())
            },
        )
    }
}

/// A true statement of a table of 60 rows, its sums' columns and their values.
struct Honest {
    part: Part,
    circuit: Box<dyn Fn() -> RegistrationCircuit>,
    sums: Vec<(Column<Advice>, Vec<Fr>)>,
}

impl Honest {
    fn new(part: Part) -> Self {
        let form = Form { rows: 60, dimension: true, subjects: 100_000 };
        let table = table(form, &mut ChaCha20Rng::seed_from_u64(7));
        let of_part = |statement: &Statement| statement.part() == part;
        let statement = plan(table.schema(), LAYOUT).into_iter().find(of_part).unwrap();
        let circuit = move || RegistrationCircuit::new(LAYOUT, &statement, &table, None);
        let mut system = ConstraintSystem::default();
        RegistrationCircuit::configure_with_params(&mut system, Shape { layout: LAYOUT, part });
        let mut columns: Vec<Column<Advice>> = system.advice_queries().iter().map(|query| query.0).collect();
        columns.retain(|column| column.column_type().phase() == 1);
        columns.sort_unstable();
        columns.dedup();
        let honest = circuit();
        let prover = MockProver::run(LAYOUT.k, &honest, honest.instances()).unwrap();
        assert_eq!(prover.verify(), Ok(()));
        let value = |cell: &AdviceCellValue<Fr>| match cell {
            AdviceCellValue::Assigned(value) => value.evaluate(),
            AdviceCellValue::Poison(_) => Fr::zero(),
        };
        let values = |column: Column<Advice>| prover.advice_values(column).iter().map(value).collect();
        let sums = columns.into_iter().map(|column| (column, values(column))).collect();
        Self { part, circuit: Box::new(circuit), sums }
    }

    /// What fails when these rows of these sums are raised by so much.
    fn raised(&self, raised: &[(usize, Range<usize>, Fr)]) -> Vec<String> {
        let cells = raised.iter().flat_map(|(sum, rows, by)| {
            let (column, values) = &self.sums[*sum];
            rows.clone().map(move |row| (*column, row, values[row] + by))
        });
        let forged = Forged { circuit: (self.circuit)(), cells: cells.collect() };
        names(MockProver::run(LAYOUT.k, &forged, forged.circuit.instances()).unwrap().verify())
    }

    /// The sum that takes in the instances.
    fn opened(&self, sum: usize) -> bool {
        self.part == Part::Columns && sum + 1 == self.sums.len()
    }
}

#[test]
fn refuses_any_other_value_in_any_row_of_any_sum() {
    for part in Part::ALL {
        let honest = Honest::new(part);
        for sum in 0..honest.sums.len() {
            for row in [LAYOUT.head - 1, LAYOUT.head, LAYOUT.head + 70, END - 1] {
                let failures = honest.raised(&[(sum, row..row + 1, Fr::one())]);
                assert!(failures.contains(&STEP.to_owned()), "{part:?}, sum {sum}, row {row}: {failures:?}");
            }
            let failures = honest.raised(&[(sum, LAYOUT.head + 70..END, Fr::one())]);
            assert_eq!(failures, [STEP, SUMS], "{part:?}, sum {sum}");
        }
    }
}

#[test]
fn refuses_a_sum_that_starts_elsewhere() {
    for part in Part::ALL {
        let honest = Honest::new(part);
        for sum in 0..honest.sums.len() {
            let failures = honest.raised(&[(sum, 0..END, Fr::one())]);
            let start = if honest.opened(sum) { OPENING } else { START };
            assert_eq!(failures, [start, SUMS], "{part:?}, sum {sum}");
        }
        // Two sums of one weight, so that the end is right again.
        if part != Part::Columns {
            let failures = honest.raised(&[(0, 0..END, Fr::one()), (1, 0..END, -Fr::one())]);
            assert_eq!(failures, [START], "{part:?}");
        }
    }
}

#[test]
fn refuses_bounds_that_change_on_their_way_to_the_records() {
    let honest = Honest::new(Part::Columns);
    let last = honest.sums.len() - 1;
    for from in [0, 1, 7, 8, LAYOUT.head - 1] {
        assert_eq!(honest.raised(&[(last, from..END, Fr::one())]), [OPENING, SUMS], "from row {from}");
    }
}
