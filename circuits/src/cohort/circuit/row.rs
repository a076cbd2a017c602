//! One row of the circuit, as gates see it (expressions) and as the witness sees it (field elements).
//!
//! The running sums are written once over [`Row`], so that what is proved and what is assigned cannot drift apart.

use super::shape::{Internal, Shape, Slot, Variable};
use halo2_proofs::{halo2curves::bn256::Fr, plonk::Expression};
use std::ops::{Add, Mul, Sub};

/// What rows hold: field elements or expressions for them.
pub(super) trait Value: Clone + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> {
    fn constant(value: Fr) -> Self;

    fn number(value: u64) -> Self {
        Self::constant(Fr::from(value))
    }
}

impl Value for Fr {
    fn constant(value: Fr) -> Self {
        value
    }
}

impl Value for Expression<Fr> {
    fn constant(value: Fr) -> Self {
        Self::Constant(value)
    }
}

/// A challenge, by its use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Draw {
    /// Where the fractions have their poles.
    Alpha,
    /// Separates a row's bit from its being there.
    Eta,
    /// Separates an entry from its place.
    Delta,
    /// Separates the terms' dictionaries.
    Tag,
    /// Separates the identities from each other.
    Weight(Identity),
    /// Separates a statistic (from the second on) from the count.
    Gamma(usize),
}

/// An identity that the running sums prove.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Identity {
    Term(usize),
    Low(usize),
    High(usize),
    Range,
    Rest,
    Group,
    Dictionary,
}

/// All challenges of a shape, in the order in which they are drawn.
pub(super) fn draws(shape: Shape) -> Vec<Draw> {
    let terms = shape.class.terms();
    let mut draws = vec![Draw::Alpha, Draw::Eta, Draw::Delta];
    if terms > 1 {
        draws.push(Draw::Tag);
    }
    for term in 0..terms {
        let identities = [Identity::Term(term), Identity::Low(term), Identity::High(term)];
        draws.extend(identities.map(Draw::Weight));
    }
    let identities = [Identity::Range, Identity::Rest, Identity::Group, Identity::Dictionary];
    draws.extend(identities.map(Draw::Weight));
    draws.extend((1..shape.statistics().len()).map(Draw::Gamma));
    draws
}

/// Reads the cells around one row.
pub(super) trait Row {
    type Value: Value;

    fn shape(&self) -> Shape;
    /// A phase-0 column, `rotation` rows on.
    fn advice(&self, column: usize, rotation: usize) -> Self::Value;
    /// The fixed numbering of rows: record number, cell number, or side of an endpoint.
    fn number(&self) -> Self::Value;
    /// The key of the cell in this row.
    fn key(&self) -> Self::Value;
    fn challenge(&self, draw: Draw) -> Self::Value;

    fn slot(&self, slot: Slot) -> Self::Value {
        self.advice(self.shape().slot(slot), 0)
    }

    fn internal(&self, internal: Internal) -> Self::Value {
        self.advice(self.shape().internal(internal), 0)
    }

    fn next_internal(&self, internal: Internal) -> Self::Value {
        self.advice(self.shape().internal(internal), 1)
    }

    fn variable(&self, variable: Variable) -> Self::Value {
        let (column, continuation) = self.shape().variable(variable);
        self.advice(column, continuation * self.shape().stride())
    }

    fn next_variable(&self, variable: Variable) -> Self::Value {
        let (column, continuation) = self.shape().variable(variable);
        self.advice(column, continuation * self.shape().stride() + 1)
    }

    fn free(&self, place: usize) -> Self::Value {
        let (column, continuation) = self.shape().free(place);
        self.advice(column, continuation * self.shape().stride())
    }

    fn one(&self) -> Self::Value {
        Self::Value::number(1)
    }

    fn filter(&self) -> Self::Value {
        self.internal(Internal::Pass(self.shape().class.terms() - 1))
    }
}
