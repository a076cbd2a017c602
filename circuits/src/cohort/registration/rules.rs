//! What a part asks, in terms of its columns: gates, and fractions whose sum is zero.

use super::rows::Rows;
use halo2_proofs::{
    halo2curves::bn256::Fr,
    plonk::{Advice, Challenge, Column, ConstraintSystem, Expression, FirstPhase, Instance},
};

/// The columns and challenges that rules are about.
pub(super) struct Ground {
    pub(super) rows: Rows,
    pub(super) instance: Column<Instance>,
    /// Linked to committed columns: the circuit's first.
    pub(super) slots: Vec<Column<Advice>>,
    /// Made from the slots by the prover.
    pub(super) auxiliaries: Vec<Column<Advice>>,
    /// The variable of all fractions.
    pub(super) alpha: Expression<Fr>,
    /// Tells apart what is summed over the same poles.
    pub(super) eta: Expression<Fr>,
    /// Joins a place and its entry to one pole.
    pub(super) delta: Expression<Fr>,
    /// Its powers tell identities apart.
    pub(super) theta: Expression<Fr>,
}

impl Ground {
    /// Columns for so many slots and auxiliaries, and the four challenges, drawn after them.
    pub(super) fn configure(
        meta: &mut ConstraintSystem<Fr>,
        rows: Rows,
        [slots, auxiliaries]: [usize; 2],
    ) -> (Self, [Challenge; 4]) {
        let slots = (0..slots).map(|_| meta.advice_column()).collect();
        let auxiliaries = (0..auxiliaries).map(|_| meta.advice_column()).collect();
        let challenges = std::array::from_fn(|_| meta.challenge_usable_after(FirstPhase));
        let [alpha, eta, delta, theta] = challenges.map(|challenge| challenge.expr());
        let instance = meta.instance_column();
        (Self { rows, instance, slots, auxiliaries, alpha, eta, delta, theta }, challenges)
    }

    /// A power of theta, multiplied from the left, so that the prover's evaluator computes each power once.
    pub(super) fn weight(&self, power: usize) -> Expression<Fr> {
        (0..power).fold(number(1), |product, _| product * self.theta.clone())
    }

    /// Lookups of rows' numbers by these columns: `sum 1/(alpha - x)` for each, and `-sum_j seen_j/(alpha - j)`.
    pub(super) fn range_checks(&self, columns: &[Column<Advice>], seen: Column<Advice>) -> Vec<Fraction> {
        let fraction = |numerator, pole| Fraction { numerator, pole, weight: 0, opening: Opening::Zero };
        let looked_up = columns.iter().map(|column| fraction(number(1), column.cur()));
        looked_up.chain([fraction(-seen.cur(), self.rows.index())]).collect()
    }
}

/// `numerator / (alpha - pole)` in each record row, with no more than degree 2 above and 1 below.
pub(super) struct Fraction {
    pub(super) numerator: Expression<Fr>,
    pub(super) pole: Expression<Fr>,
    /// The power of theta with which its sum counts.
    pub(super) weight: usize,
    pub(super) opening: Opening,
}

/// With what a running sum enters the record rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opening {
    /// Zero.
    Zero,
    /// `1/(alpha - instance)` of each row of the instance column, each times theta to the number of rows after it.
    Instances,
}

/// All rules of a part.
pub(super) struct Rules {
    /// Each is zero in every row; the name says what fails otherwise.
    pub(super) gates: Vec<(&'static str, Expression<Fr>)>,
    /// Their weighted sum over all record rows, openings included, is zero.
    pub(super) fractions: Vec<Fraction>,
}

/// A constant.
pub(super) fn number(value: u64) -> Expression<Fr> {
    Expression::Constant(Fr::from(value))
}

/// Zero exactly when `value` is 0 or 1.
pub(super) fn boolean(value: &Expression<Fr>) -> Expression<Fr> {
    value.clone() * (number(1) - value.clone())
}
