//! The circuit of a registration proof: one type, four parts.
//!
//! First phase: slots and auxiliaries. Then the challenges are drawn. Second phase: running sums. One region, so that offsets are rows.

use super::{
    Part, Statement, Witness, columns, dictionary, frame, keys,
    rows::Rows,
    rules::Ground,
    sums::{Drawn, Sum},
};
use crate::cohort::{Layout, Size, Table};
use halo2_proofs::{
    circuit::{Layouter, Region, SimpleFloorPlanner, Value},
    halo2curves::{bn256::Fr, ff::Field},
    plonk::{Advice, Challenge, Circuit, Column, ConstraintSystem, Error},
};

/// Which circuit: keys are made once for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Shape {
    /// Where its rows are. The head must have a row for each instance, and one more.
    pub layout: Layout,
    /// What it shows.
    pub part: Part,
}

impl Default for Shape {
    fn default() -> Self {
        Self { layout: Size::Small.layout(), part: Part::Frame }
    }
}

/// A registration proof's circuit, with or without a witness.
pub struct RegistrationCircuit {
    shape: Shape,
    witness: Option<Witness>,
}

impl RegistrationCircuit {
    /// For keys.
    #[must_use]
    pub const fn blank(shape: Shape) -> Self {
        Self { shape, witness: None }
    }

    /// For the proof of one statement of the table's plan. `predecessor` is the version of the consents before the table's; `None` before
    /// the first.
    #[must_use]
    pub fn new(layout: Layout, statement: &Statement, table: &Table, predecessor: Option<&[bool]>) -> Self {
        let witness = Witness::new(layout, statement, table, predecessor);
        Self::of(Shape { layout, part: statement.part() }, witness)
    }

    /// With any witness at all, such as a test's.
    #[must_use]
    pub const fn of(shape: Shape, witness: Witness) -> Self {
        Self { shape, witness: Some(witness) }
    }

    /// The instance columns of its witness; zeros without one.
    #[must_use]
    pub fn instances(&self) -> Vec<Vec<Fr>> {
        let blank = vec![0; self.shape.part.instances()];
        let numbers = self.witness.as_ref().map_or(&blank, |witness| &witness.numbers);
        vec![numbers.iter().copied().map(Fr::from).collect()]
    }
}

/// The columns of a part.
#[derive(Clone)]
pub struct Config {
    rows: Rows,
    /// Slots, then auxiliaries.
    first_phase: Vec<Column<Advice>>,
    challenges: [Challenge; 4],
    sums: Vec<Sum>,
}

impl Circuit<Fr> for RegistrationCircuit {
    type Config = Config;
    type FloorPlanner = SimpleFloorPlanner;
    type Params = Shape;

    fn without_witnesses(&self) -> Self {
        Self::blank(self.shape)
    }

    fn params(&self) -> Shape {
        self.shape
    }

    fn configure_with_params(meta: &mut ConstraintSystem<Fr>, Shape { layout, part }: Shape) -> Config {
        let rows = Rows::configure(meta, layout, part.instances());
        let auxiliaries = match part {
            Part::Frame => frame::auxiliary_columns(layout),
            Part::Columns => columns::AUXILIARIES,
            Part::Dictionary => dictionary::auxiliary_columns(layout),
            Part::Keys => keys::auxiliary_columns(layout),
        };
        let (ground, challenges) = Ground::configure(meta, rows, [part.slots(), auxiliaries]);
        let rules = match part {
            Part::Frame => frame::rules(&ground),
            Part::Columns => columns::rules(&ground),
            Part::Dictionary => dictionary::rules(&ground),
            Part::Keys => keys::rules(&ground),
        };
        for (name, gate) in rules.gates {
            meta.create_gate(name, |_| vec![gate]);
        }
        let sums = Sum::configure(meta, &ground, rules.fractions);
        let first_phase = [ground.slots, ground.auxiliaries].concat();
        Config { rows: ground.rows, first_phase, challenges, sums }
    }

    fn configure(meta: &mut ConstraintSystem<Fr>) -> Config {
        Self::configure_with_params(meta, Shape::default())
    }

    fn synthesize(&self, config: Config, mut layouter: impl Layouter<Fr>) -> Result<(), Error> {
        let drawn = drawn(&layouter, &config.challenges);
        layouter.assign_region(
            || "registration",
            |mut region| {
                match (drawn, &self.witness) {
                    (Some(drawn), Some(witness)) => assign_sums(&mut region, &config, witness, &drawn),
                    (None, Some(witness)) => {
                        config.rows.assign(&mut region);
                        assign_first_phase(&mut region, &config, witness);
                    }
                    (_, None) => config.rows.assign(&mut region),
                }
                Ok(())
            },
        )
    }
}

/// The challenges; none in the first phase and where keys are made.
fn drawn(layouter: &impl Layouter<Fr>, challenges: &[Challenge; 4]) -> Option<Drawn> {
    let mut drawn = None;
    let values: Value<Vec<Fr>> =
        challenges.iter().map(|&challenge| layouter.get_challenge(challenge)).collect();
    values.map(|values| drawn = values.try_into().ok());
    drawn
}

fn assign_first_phase(region: &mut Region<'_, Fr>, config: &Config, witness: &Witness) {
    let layout = config.rows.layout();
    let slots = witness.slots.iter().map(|slot| (&[][..], slot));
    let auxiliaries = witness.auxiliaries.iter().map(|auxiliary| (&auxiliary.head[..], &auxiliary.records));
    for (&column, (head, records)) in config.first_phase.iter().zip(slots.chain(auxiliaries)) {
        let head = head.iter().take(layout.head).enumerate();
        let records = records.iter().take(layout.capacity()).enumerate();
        for (row, &value) in head.chain(records.map(|(record, value)| (layout.row(record), value))) {
            // A cell is zero until it is assigned.
            if value != 0 {
                region.assign_advice(column, row, Value::known(Fr::from(value)));
            }
        }
    }
}

fn assign_sums(region: &mut Region<'_, Fr>, config: &Config, witness: &Witness, drawn: &Drawn) {
    for sum in &config.sums {
        for (row, value) in sum.values(&config.rows, witness, drawn).into_iter().enumerate() {
            if value != Fr::ZERO {
                region.assign_advice(sum.column(), row, Value::known(value));
            }
        }
    }
}
