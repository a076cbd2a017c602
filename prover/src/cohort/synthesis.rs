//! The values of a circuit's advice columns, phase by phase: what a prover other than halo2's own starts from.

use super::{backend::Task, entropy};
use crate::ProveError;
use halo2_proofs::{
    circuit::Value,
    halo2curves::bn256::Fr,
    plonk::{
        Advice as AdviceColumn, Any, Assigned, Assignment, Challenge, Circuit, Column, ConstraintSystem,
        Error, Fixed, FloorPlanner, Instance, Selector,
    },
};

/// A column's values. Secret: no `Debug`, zeroed on drop.
pub struct Advice {
    /// The column's index in the constraint system.
    pub column: usize,
    /// Its values, one a row of the domain.
    pub values: Vec<Fr>,
}

impl Drop for Advice {
    fn drop(&mut self) {
        entropy::erase(&mut self.values);
    }
}

/// The columns of a phase, once the circuit has been told the challenges before it.
pub(super) fn advice<C: Circuit<Fr>>(
    circuit: &C,
    task: &Task<'_>,
    phase: u8,
    challenges: &[Option<Fr>],
) -> Result<Vec<Advice>, ProveError> {
    let bug = |problem: &str| ProveError::Bug(format!("{}: {problem}", task.key.verifying().circuit()));
    let system = task.key.proving().get_vk().cs();
    let rows = task.key.srs().layout().rows();
    let mut own = ConstraintSystem::default();
    let config = C::configure_with_params(&mut own, circuit.params());
    let columns = (0..)
        .zip(system.advice_column_phase())
        .map(|(column, of)| (of == phase).then(|| Advice { column, values: vec![Fr::zero(); rows] }));
    let mut collector = Collector {
        columns: columns.collect(),
        usable: rows.saturating_sub(system.blinding_factors() + 1),
        instances: task.instances,
        challenges,
        amiss: None,
    };
    C::FloorPlanner::synthesize(&mut collector, circuit, config, system.constants().clone())
        .map_err(|error| bug(&error.to_string()))?;
    match collector.amiss {
        Some(problem) => Err(bug(problem)),
        None => Ok(collector.columns.into_iter().flatten().collect()),
    }
}

/// Takes what a circuit assigns to the columns of one phase.
struct Collector<'a> {
    /// By index; only those of the phase.
    columns: Vec<Option<Advice>>,
    usable: usize,
    instances: &'a [&'a [Fr]],
    challenges: &'a [Option<Fr>],
    /// The first thing that went wrong: halo2's assignment of advice cannot fail.
    amiss: Option<&'static str>,
}

impl Assignment<Fr> for Collector<'_> {
    fn enter_region<NR: Into<String>, N: FnOnce() -> NR>(&mut self, _: N) {}

    fn exit_region(&mut self) {}

    fn annotate_column<A: FnOnce() -> AR, AR: Into<String>>(&mut self, _: A, _: Column<Any>) {}

    fn enable_selector<A: FnOnce() -> AR, AR: Into<String>>(
        &mut self,
        _: A,
        _: &Selector,
        _: usize,
    ) -> Result<(), Error> {
        Ok(())
    }

    fn query_instance(&self, column: Column<Instance>, row: usize) -> Result<Value<Fr>, Error> {
        let value = self.instances.get(column.index()).map(|values| values.get(row).copied());
        let value = value.filter(|_| row < self.usable).ok_or(Error::BoundsFailure)?;
        Ok(Value::known(value.unwrap_or_default()))
    }

    /// The value cannot be read back: the cell that is returned is unknown, which no circuit here looks at.
    fn assign_advice<'v>(
        &mut self,
        column: Column<AdviceColumn>,
        row: usize,
        to: Value<Assigned<Fr>>,
    ) -> Value<&'v Assigned<Fr>> {
        let Some(Some(advice)) = self.columns.get_mut(column.index()) else { return Value::unknown() };
        let mut known = None;
        to.map(|value| known = Some(value.evaluate()));
        match (known, advice.values.get_mut(row).filter(|_| row < self.usable)) {
            (Some(value), Some(cell)) => *cell = value,
            (None, _) => self.amiss = self.amiss.or(Some("a cell without a value")),
            (_, None) => self.amiss = self.amiss.or(Some("a cell outside of the usable rows")),
        }
        Value::unknown()
    }

    fn assign_fixed(&mut self, _: Column<Fixed>, _: usize, _: Assigned<Fr>) {}

    fn copy(&mut self, _: Column<Any>, _: usize, _: Column<Any>, _: usize) {}

    fn fill_from_row(&mut self, _: Column<Fixed>, _: usize, _: Value<Assigned<Fr>>) -> Result<(), Error> {
        Ok(())
    }

    fn get_challenge(&self, challenge: Challenge) -> Value<Fr> {
        let known = self.challenges.get(challenge.index()).copied().flatten();
        known.map_or_else(Value::unknown, Value::known)
    }

    fn push_namespace<NR: Into<String>, N: FnOnce() -> NR>(&mut self, _: N) {}

    fn pop_namespace(&mut self, _: Option<String>) {}
}
