//! The circuit's columns and gates. Every gate has degree 3 at most, its selector included.

use super::{
    endpoint,
    row::{Draw, Row, draws},
    shape::{Internal, Kind, Shape, Variable},
    sums::{self, Fractions},
    verdict,
};
use crate::cohort::{Class, instances::packing};
use halo2_proofs::{
    circuit::Region,
    halo2curves::{bn256::Fr, ff::PrimeField},
    plonk::{
        Advice, Challenge, Column, ConstraintSystem, Expression, FirstPhase, Fixed, Instance, SecondPhase,
        VirtualCells,
    },
    poly::Rotation,
};
use std::cell::RefCell;

/// Where each kind of row is. Fixed columns take the place of selectors, so that nothing recombines them.
#[derive(Clone, Debug)]
pub(super) struct Kinds {
    /// 1 in record rows.
    pub(super) record: Column<Fixed>,
    /// In rows of the head where no sum moves: 1 among the rows in use, 2 behind them.
    pub(super) idle: Column<Fixed>,
    /// 1 in the rows of cells.
    pub(super) cell: Column<Fixed>,
    /// 1 in the row of the rest.
    pub(super) rest: Column<Fixed>,
    /// 1 in the row of the verdict.
    pub(super) verdict: Column<Fixed>,
    /// 1 in rows of limbs.
    pub(super) limbs: Column<Fixed>,
    /// 1 in the first row and in the row behind the last record.
    pub(super) edge: Column<Fixed>,
    /// 1 in the rows of a term's endpoints, term by term.
    pub(super) endpoints: Vec<Column<Fixed>>,
    /// The number of a record row; of a cell's row; in an endpoint's row 0 for a lower, 1 for an upper one.
    pub(super) number: Column<Fixed>,
}

/// All columns and challenges.
#[derive(Clone, Debug)]
pub struct Config {
    pub(super) shape: Shape,
    pub(super) advice: Vec<Column<Advice>>,
    pub(super) sums: Vec<Column<Advice>>,
    pub(super) kinds: Kinds,
    pub(super) challenges: Vec<(Draw, Challenge)>,
}

/// A row as gates see it.
struct GateRow<'a, 'b> {
    config: &'a Config,
    instances: &'a [Column<Instance>],
    cells: RefCell<&'a mut VirtualCells<'b, Fr>>,
}

impl GateRow<'_, '_> {
    fn fixed(&self, column: Column<Fixed>) -> Expression<Fr> {
        self.cells.borrow_mut().query_fixed(column, Rotation::cur())
    }

    fn instance(&self, place: usize) -> Expression<Fr> {
        self.cells.borrow_mut().query_instance(self.instances[place], Rotation::cur())
    }

    fn any(&self, column: Column<Advice>, rotation: usize) -> Expression<Fr> {
        // Rotations are below 2^11.
        self.cells.borrow_mut().query_advice(column, Rotation(rotation as i32))
    }
}

impl Row for GateRow<'_, '_> {
    type Value = Expression<Fr>;

    fn shape(&self) -> Shape {
        self.config.shape
    }

    fn advice(&self, column: usize, rotation: usize) -> Expression<Fr> {
        self.any(self.config.advice[column], rotation)
    }

    fn number(&self) -> Expression<Fr> {
        self.fixed(self.config.kinds.number)
    }

    fn key(&self) -> Expression<Fr> {
        match self.config.shape.class {
            Class::Narrow => self.number(),
            Class::Wide => self.instance(self.instances.len() - 1),
        }
    }

    fn challenge(&self, draw: Draw) -> Expression<Fr> {
        let found = self.config.challenges.iter().find(|(drawn, _)| *drawn == draw);
        found.map_or(Expression::Constant(Fr::zero()), |(_, challenge)| Expression::Challenge(*challenge))
    }
}

impl Config {
    pub(super) fn new(meta: &mut ConstraintSystem<Fr>, shape: Shape) -> Self {
        let advice = (0..shape.columns()).map(|_| meta.advice_column_in(FirstPhase)).collect();
        let drawn: Vec<_> =
            draws(shape).into_iter().map(|draw| (draw, meta.challenge_usable_after(FirstPhase))).collect();
        let sums = (0..shape.sums()).map(|_| meta.advice_column_in(SecondPhase)).collect();
        let keys = usize::from(shape.class == Class::Wide);
        let instances: Vec<_> =
            (0..packing(shape.class).len() + keys).map(|_| meta.instance_column()).collect();
        let kinds = Kinds {
            record: meta.fixed_column(),
            idle: meta.fixed_column(),
            cell: meta.fixed_column(),
            rest: meta.fixed_column(),
            verdict: meta.fixed_column(),
            limbs: meta.fixed_column(),
            edge: meta.fixed_column(),
            endpoints: (0..shape.class.terms()).map(|_| meta.fixed_column()).collect(),
            number: meta.fixed_column(),
        };
        let config = Self { shape, advice, sums, kinds, challenges: drawn };
        config.gate(meta, &instances, "records", record_gates);
        config.gate(meta, &instances, "cells", cell_gates);
        config.gate(meta, &instances, "verdict", verdict_gates);
        config.gate(meta, &instances, "endpoints", endpoint_gates);
        config.gate(meta, &instances, "sums", sum_gates);
        config
    }

    /// Marks each row with its kind.
    pub(super) fn assign_kinds(&self, region: &mut Region<'_, Fr>) {
        let kinds = &self.kinds;
        let mut mark = |column: Column<Fixed>, row: usize, value: u64| {
            if value != 0 {
                region.assign_fixed(column, row, Fr::from(value));
            }
        };
        for row in 0..self.shape.last() {
            let (column, number) = match self.shape.kind(row) {
                Kind::Record(record) => (kinds.record, record),
                Kind::Cell(cell) => (kinds.cell, cell),
                Kind::Rest => (kinds.rest, 0),
                Kind::Verdict => (kinds.verdict, 0),
                Kind::Endpoint { term, upper } => (kinds.endpoints[term], usize::from(upper)),
                Kind::Limbs => (kinds.limbs, 0),
                Kind::Idle | Kind::Behind => (kinds.idle, 0),
            };
            mark(column, row, if self.shape.kind(row) == Kind::Behind { 2 } else { 1 });
            mark(kinds.number, row, number as u64);
        }
        mark(kinds.edge, 0, 1);
        mark(kinds.edge, self.shape.last(), 1);
    }

    fn gate(
        &self,
        meta: &mut ConstraintSystem<Fr>,
        instances: &[Column<Instance>],
        name: &'static str,
        gates: impl FnOnce(&GateRow<'_, '_>) -> Vec<Expression<Fr>>,
    ) {
        meta.create_gate(name, |cells| {
            gates(&GateRow { config: self, instances, cells: RefCell::new(cells) })
        });
    }
}

fn one() -> Expression<Fr> {
    Expression::Constant(Fr::one())
}

fn under(selector: &Expression<Fr>, gates: Vec<Expression<Fr>>) -> Vec<Expression<Fr>> {
    gates.into_iter().map(|gate| selector.clone() * gate).collect()
}

/// Bits, filter, weighted values; and that no endpoint is counted before the first entry.
fn record_gates(row: &GateRow<'_, '_>) -> Vec<Expression<Fr>> {
    use super::shape::Slot;
    let class = row.shape().class;
    let boolean = |value: Expression<Fr>| value.clone() * (one() - value);
    let mut gates = Vec::new();
    for term in 0..class.terms() {
        let bit = row.internal(Internal::Bit(term));
        let before = match term {
            0 => row.slot(Slot::Consent),
            _ => row.internal(Internal::Pass(term - 1)),
        };
        let passes = row.next_internal(Internal::Low(term)) - row.next_internal(Internal::High(term));
        gates.extend([
            boolean(bit.clone()),
            boolean(passes),
            row.internal(Internal::Pass(term)) - before * bit,
        ]);
    }
    for value in 0..class.values() {
        gates.push(row.internal(Internal::Weighted(value)) - row.filter() * row.slot(Slot::Value(value)));
    }
    if class.values() > 1 {
        gates.push(row.internal(Internal::Both) - row.filter() * row.slot(Slot::Flag(0)));
    }
    let mut gates = under(&row.fixed(row.config.kinds.record), gates);
    let idle = row.fixed(row.config.kinds.idle);
    let behind = idle.clone() * (idle - one());
    for term in 0..class.terms() {
        gates.push(behind.clone() * row.next_internal(Internal::Low(term)));
        gates.push(behind.clone() * row.next_internal(Internal::High(term)));
    }
    gates
}

/// The rule for each cell and the rest, and what is released.
fn cell_gates(row: &GateRow<'_, '_>) -> Vec<Expression<Fr>> {
    let kinds = &row.config.kinds;
    let (cell, rest) = (row.fixed(kinds.cell), row.fixed(kinds.rest));
    let mut gates = under(&(cell.clone() + rest.clone()), verdict::judged(row));
    gates.extend(under(&cell, verdict::cell(row)));
    gates.extend(under(&rest, verdict::rest(row)));
    gates.push(rest * row.instance(0));
    gates.extend(under(&cell, released(row)));
    gates.extend(under(&row.fixed(kinds.edge), verdict::edge(row)));
    gates
}

/// Each element of the release is `hidden + (1 - hidden) * packed figures`; only the first says hidden.
fn released(row: &GateRow<'_, '_>) -> Vec<Expression<Fr>> {
    let hidden = row.variable(Variable::Hidden);
    let mut figure = 0;
    let mut gates = Vec::new();
    for (place, statistics) in packing(row.shape().class).iter().enumerate() {
        let mut shift = Fr::from(if place == 0 { 2 } else { 1 });
        let mut packed = Expression::Constant(Fr::zero());
        for statistic in *statistics {
            packed = packed + row.variable(Variable::Figure(figure)) * shift;
            shift *= Fr::from_u128(1 << statistic.bits());
            figure += 1;
        }
        let shown = (one() - hidden.clone()) * packed;
        let release = if place == 0 { shown + hidden.clone() } else { shown };
        gates.push(row.instance(place) - release);
    }
    gates
}

fn verdict_gates(row: &GateRow<'_, '_>) -> Vec<Expression<Fr>> {
    let mut gates = verdict::judge(row);
    gates.push(row.variable(Variable::Threshold) - row.instance(0));
    under(&row.fixed(row.config.kinds.verdict), gates)
}

fn endpoint_gates(row: &GateRow<'_, '_>) -> Vec<Expression<Fr>> {
    let kinds = &row.config.kinds;
    let any = kinds.endpoints.iter().map(|&column| row.fixed(column)).reduce(|sum, column| sum + column);
    let mut gates = under(&any.unwrap_or_else(one), endpoint::gates(row, row.instance(0)));
    gates.push(row.fixed(kinds.limbs) * endpoint::limb_gate(row));
    gates
}

/// `next - sum = fraction` in each kind of row; all sums together are 0 at both edges.
fn sum_gates(row: &GateRow<'_, '_>) -> Vec<Expression<Fr>> {
    let kinds = &row.config.kinds;
    let mut parts: Vec<(Expression<Fr>, Fractions<Expression<Fr>>)> = vec![
        (row.fixed(kinds.record), sums::record(row)),
        (row.fixed(kinds.cell), sums::cell(row)),
        (row.fixed(kinds.rest), sums::rest(row)),
        (row.fixed(kinds.verdict), sums::verdict(row)),
        (row.fixed(kinds.limbs), sums::limbs(row)),
    ];
    for (term, &column) in kinds.endpoints.iter().enumerate() {
        parts.push((row.fixed(column), sums::endpoint(row, term)));
    }
    let idle = row.fixed(kinds.idle);
    let mut gates: Vec<Expression<Fr>> = Vec::new();
    for (place, &sum) in row.config.sums.iter().enumerate() {
        let moved = row.any(sum, 1) - row.any(sum, 0);
        let mut gate = idle.clone() * moved.clone();
        for (kind, fractions) in &parts {
            let holds = match &fractions[place] {
                Some(fraction) => moved.clone() * fraction.pole.clone() - fraction.numerator.clone(),
                None => moved.clone(),
            };
            gate = gate + kind.clone() * holds;
        }
        gates.push(gate);
    }
    let total = row.config.sums.iter().map(|&sum| row.any(sum, 0)).reduce(|total, sum| total + sum);
    gates.push(row.fixed(kinds.edge) * total.unwrap_or_else(one));
    gates
}
