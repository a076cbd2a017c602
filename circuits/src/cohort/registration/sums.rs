//! Running sums of fractions: one pole a row, so that every gate is of degree 3.
//!
//! In record row `i`: `(Z_i - Z_{i-1}) (alpha - pole_i) = numerator_i`. The same expressions make the gate and the witness.

use super::{
    rows::Rows,
    rules::{Fraction, Ground, Opening, number},
    witness::Witness,
};
use halo2_proofs::{
    arithmetic::parallelize,
    halo2curves::{
        bn256::Fr,
        ff::{BatchInvert, Field},
    },
    plonk::{Advice, AdviceQuery, Column, ConstraintSystem, Expression, SecondPhase},
    poly::Rotation,
};

/// The values of the challenges alpha, eta, delta and theta, by their index.
pub(super) type Drawn = [Fr; 4];

/// A running sum.
#[derive(Clone)]
pub(super) struct Sum {
    column: Column<Advice>,
    numerator: Expression<Fr>,
    /// `alpha - pole`.
    denominator: Expression<Fr>,
    opening: Opening,
}

impl Sum {
    /// Columns and gates of all running sums, and that their weighted sum is zero at the end.
    pub(super) fn configure(
        meta: &mut ConstraintSystem<Fr>,
        ground: &Ground,
        fractions: Vec<Fraction>,
    ) -> Vec<Self> {
        let mut total = number(0);
        let mut sums = Vec::with_capacity(fractions.len());
        for Fraction { numerator, pole, weight, opening } in fractions {
            let column = meta.advice_column_in(SecondPhase);
            let sum = Self { column, numerator, denominator: ground.alpha.clone() - pole, opening };
            sum.gates(meta, ground);
            total = total + ground.weight(weight) * column.cur();
            sums.push(sum);
        }
        meta.create_gate("the sums close", |_| vec![ground.rows.last() * total]);
        sums
    }

    fn gates(&self, meta: &mut ConstraintSystem<Fr>, ground: &Ground) {
        let (rows, now, before) = (&ground.rows, self.column.cur(), self.column.prev());
        let step = (now.clone() - before.clone()) * self.denominator.clone() - self.numerator.clone();
        meta.create_gate("a sum goes on", |_| vec![rows.record() * step]);
        match self.opening {
            Opening::Zero => meta.create_gate("a sum starts at zero", |_| vec![rows.start() * now]),
            Opening::Instances => {
                let denominator = ground.alpha.clone() - ground.instance.cur();
                let opened = now.clone() * denominator.clone() - number(1);
                let chained = (now.clone() - ground.theta.clone() * before.clone()) * denominator - number(1);
                meta.create_gate("a sum starts with the instances", |_| {
                    vec![rows.top() * opened, rows.chain() * chained, rows.carry() * (now - before)]
                });
            }
        }
    }

    /// Its column.
    pub(super) const fn column(&self) -> Column<Advice> {
        self.column
    }

    /// Its values in the rows from 0 to the last record.
    pub(super) fn values(&self, rows: &Rows, witness: &Witness, drawn: &Drawn) -> Vec<Fr> {
        let layout = rows.layout();
        let mut values = self.head(layout.head, witness, drawn);
        let mut sum = values.last().copied().unwrap_or(Fr::ZERO);
        values.extend(self.terms(rows, witness, drawn).into_iter().map(|term| {
            sum += term;
            sum
        }));
        values
    }

    /// Its values in the head.
    fn head(&self, head: usize, witness: &Witness, [alpha, _, _, theta]: &Drawn) -> Vec<Fr> {
        let mut values = Vec::with_capacity(head);
        if self.opening == Opening::Instances {
            let mut sum = Fr::ZERO;
            for &instance in &witness.numbers {
                // Alpha is drawn after the instances, so that it is none of them but for one case in 2^250.
                sum = sum * theta + (alpha - Fr::from(instance)).invert().unwrap_or(Fr::ZERO);
                values.push(sum);
            }
        }
        values.resize(head, values.last().copied().unwrap_or(Fr::ZERO));
        values
    }

    /// `numerator / denominator` of each record row.
    fn terms(&self, rows: &Rows, witness: &Witness, drawn: &Drawn) -> Vec<Fr> {
        let mut terms = vec![Fr::ZERO; rows.layout().capacity()];
        parallelize(&mut terms, |chunk, start| {
            for (place, term) in chunk.iter_mut().enumerate() {
                *term = evaluate(&self.denominator, rows, witness, drawn, start + place);
            }
            chunk.iter_mut().batch_invert();
            for (place, term) in chunk.iter_mut().enumerate() {
                *term *= evaluate(&self.numerator, rows, witness, drawn, start + place);
            }
        });
        terms
    }
}

/// The value of an expression in a record row.
fn evaluate(expression: &Expression<Fr>, rows: &Rows, witness: &Witness, drawn: &Drawn, record: usize) -> Fr {
    let advice = |query: AdviceQuery| {
        let before = query.rotation() == Rotation::prev();
        Fr::from(witness.cell(rows.layout(), query.column_index(), record, before))
    };
    expression.evaluate(
        &|constant| constant,
        // There is none: selectors are fixed columns, and fractions are not about instances.
        &|_selector| Fr::ZERO,
        &|fixed| rows.value(fixed, record),
        &advice,
        &|_instance| Fr::ZERO,
        &|challenge| drawn.get(challenge.index()).copied().unwrap_or(Fr::ZERO),
        &|value| -value,
        &|left, right| left + right,
        &|left, right| left * right,
        &|value, factor| value * factor,
    )
}
