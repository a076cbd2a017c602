//! A small layout, tables for it, and which gates a witness fails.

use halo2_proofs::dev::{MockProver, VerifyFailure};
use nightingale_circuits::cohort::{
    Column, Kind, Layout, Schema, Table, Unit,
    registration::{Part, RegistrationCircuit, Shape, Witness},
};
use rand::{Rng, seq::index::sample};
use rand_chacha::ChaCha20Rng;

/// 208 records.
pub(crate) const LAYOUT: Layout = Layout { k: 8, head: 32 };

/// The gate in which running sums end: what fails when a lookup does.
pub(crate) const SUMS: &str = "the sums close";

/// The names of the gates that fail, each once, in alphabetical order.
pub(crate) fn failures(layout: Layout, circuit: &RegistrationCircuit) -> Vec<String> {
    names(MockProver::run(layout.k, circuit, circuit.instances()).unwrap().verify())
}

/// The names of the gates in a verdict, each once, in alphabetical order.
pub(crate) fn names(verdict: Result<(), Vec<VerifyFailure>>) -> Vec<String> {
    let name = |failure: VerifyFailure| match failure {
        VerifyFailure::ConstraintNotSatisfied { constraint, .. } => {
            constraint.to_string().rsplit('\'').nth(1).unwrap().to_owned()
        }
        other => panic!("not a gate that fails: {other:?}"),
    };
    let mut names: Vec<String> = verdict.err().unwrap_or_default().into_iter().map(name).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// What fails when the slots hold these values, and the auxiliaries are made from them as for true ones.
pub(crate) fn failures_of(part: Part, slots: Vec<Vec<u64>>, numbers: &[u64]) -> Vec<String> {
    failures_with(part, slots, numbers, |_| ())
}

/// The same, with the whole witness at the test's disposal.
pub(crate) fn failures_with(
    part: Part,
    slots: Vec<Vec<u64>>,
    numbers: &[u64],
    change: impl FnOnce(&mut Witness),
) -> Vec<String> {
    let shape = Shape { layout: LAYOUT, part };
    let mut witness = Witness::from_slots(shape, slots, numbers.to_vec());
    change(&mut witness);
    failures(LAYOUT, &RegistrationCircuit::of(shape, witness))
}

/// Which rows a table has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Form {
    pub(crate) rows: usize,
    /// Whether its unit has a dimension.
    pub(crate) dimension: bool,
    /// The number of subjects that its dataset knows.
    pub(crate) subjects: u32,
}

/// A random table: key, category, two narrow and two wide numbers, then nine flags, so that there are two batches of columns.
pub(crate) fn table(form: Form, rng: &mut ChaCha20Rng) -> Table {
    let column = |name: &str, kind: Kind| Column { name: name.to_owned(), kind };
    let number = |maximum: i64| Kind::Integer { minimum: 1, maximum, scale: 0 };
    let words = (0..20).map(|word| format!("term {word}")).collect();
    let mut columns = vec![
        column("usubjid", Kind::Key { count: form.subjects }),
        column("term", Kind::Category { dictionary: words }),
        column("age", number(120)),
        column("started", Kind::Date { minimum: -5, maximum: 3 }),
        column("platelets", number(4_000_000_000)),
        column("weight", number(5_000)),
    ];
    columns.extend((0..9).map(|flag| column(&format!("flag{flag}"), number(1))));
    let unit = if form.dimension { Unit::SubjectAnd(1) } else { Unit::Subject };
    let schema = Schema::new("adae".to_owned(), columns, 0, unit, 11).unwrap();
    let keys = keys(form, rng);
    let codes = (0..schema.columns().len()).map(|index| match index {
        0 => keys.iter().map(|key| key.0).collect(),
        1 if form.dimension => keys.iter().map(|key| key.1).collect(),
        // A third is missing.
        _ => {
            let bound = schema.columns()[index].bound();
            keys.iter()
                .map(|_| if rng.random_ratio(1, 3) { 0 } else { rng.random_range(1..=bound) })
                .collect()
        }
    });
    let codes = codes.collect();
    let consent = (0..form.rows).map(|_| rng.random_ratio(3, 4)).collect();
    Table::new(schema, codes, consent).unwrap()
}

/// Distinct keys, ascending.
fn keys(form: Form, rng: &mut ChaCha20Rng) -> Vec<(u32, u32)> {
    let dimensions = if form.dimension { 20 } else { 1 };
    let mut places = sample(rng, form.subjects as usize * dimensions, form.rows).into_vec();
    places.sort_unstable();
    let key = |place: usize| (place / dimensions + 1, place % dimensions + 1);
    places
        .into_iter()
        .map(key)
        .map(|(subject, term)| (subject.try_into().unwrap(), term.try_into().unwrap()))
        .collect()
}
