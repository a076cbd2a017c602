//! Rank-1 constraints and the builder that writes them.
//!
//! The builder has two uses with one code path: *shape* records the constraints (key generation, tests), *witness*
//! only computes values (proving). Which variables exist, and in which order, never depends on values.

use crate::Fr;
use ark_ff::{Field, Zero};
use std::ops::{Add, Sub};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// A sparse linear form: `(coefficient, column)`, columns ascending.
pub type Row = Vec<(Fr, usize)>;

/// Where the value of a column comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The constant one.
    One,
    /// A public input.
    Public,
    /// Chosen by the prover: part of the statement's private inputs.
    Input,
    /// Follows from earlier columns.
    Derived,
    /// Follows too, but only by an argument beside its constraints (a quotient, a year); each has it in writing.
    Guess,
    /// The inverse of a factor: anything at all where the factor is 0, and read by nothing else.
    Inverse,
}

/// Constraints `(A z) * (B z) = C z`. Column 0 is the constant one, then the public inputs, then the witness.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct R1cs {
    /// Public inputs, without the one.
    pub public: usize,
    /// All columns.
    pub variables: usize,
    /// Left factors.
    pub a: Vec<Row>,
    /// Right factors.
    pub b: Vec<Row>,
    /// Products.
    pub c: Vec<Row>,
    /// Constraints by section, in order: the budget table.
    pub sections: Vec<(&'static str, usize)>,
    /// The origin of each column.
    pub origins: Vec<Origin>,
}

impl R1cs {
    /// The first constraint that `values` does not satisfy, with its section.
    #[must_use]
    pub fn first_unsatisfied(&self, values: &[Fr]) -> Option<(usize, &'static str)> {
        let at = |row: &Row| row.iter().map(|(k, i)| *k * values[*i]).sum::<Fr>();
        let row = (0..self.a.len()).find(|&i| at(&self.a[i]) * at(&self.b[i]) != at(&self.c[i]))?;
        Some((row, self.section_of(row)))
    }

    /// The section of constraint `row`.
    #[must_use]
    pub fn section_of(&self, row: usize) -> &'static str {
        let mut end = 0;
        let found = self.sections.iter().find(|(_, count)| {
            end += count;
            row < end
        });
        found.map_or("", |(name, _)| name)
    }
}

/// A full assignment `[1, public.., witness..]`, zeroed on drop.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Assignment {
    /// The values of all columns.
    pub values: Vec<Fr>,
}

/// A linear combination of variables and its value.
#[derive(Clone)]
pub struct Wire {
    value: Fr,
    /// Ascending columns; empty when only values are wanted.
    terms: Row,
    constant: bool,
}

impl Wire {
    /// Its value in this assignment.
    #[must_use]
    pub const fn value(&self) -> Fr {
        self.value
    }

    /// `factor * self`.
    #[must_use]
    pub fn scale(&self, factor: Fr) -> Self {
        if factor.is_zero() {
            return Self { value: factor, terms: Row::new(), constant: true };
        }
        let terms = self.terms.iter().map(|(k, i)| (*k * factor, *i)).collect();
        Self { value: self.value * factor, terms, constant: self.constant }
    }

    /// `2^bits * self`.
    #[must_use]
    pub fn shift(&self, bits: u32) -> Self {
        self.scale(crate::field::power_of_two(bits))
    }
}

impl Add for &Wire {
    type Output = Wire;

    fn add(self, other: &Wire) -> Wire {
        let (mut left, mut right) = (self.terms.iter().peekable(), other.terms.iter().peekable());
        let mut terms = Row::with_capacity(self.terms.len() + other.terms.len());
        while let (Some((k, i)), Some((l, j))) = (left.peek(), right.peek()) {
            match i.cmp(j) {
                std::cmp::Ordering::Less => terms.extend(left.next().copied()),
                std::cmp::Ordering::Greater => terms.extend(right.next().copied()),
                std::cmp::Ordering::Equal => {
                    let sum = *k + *l;
                    if !sum.is_zero() {
                        terms.push((sum, *i));
                    }
                    left.next();
                    right.next();
                }
            }
        }
        terms.extend(left.chain(right).copied());
        Wire { value: self.value + other.value, terms, constant: self.constant && other.constant }
    }
}

impl Sub for &Wire {
    type Output = Wire;

    fn sub(self, other: &Wire) -> Wire {
        self + &other.scale(-Fr::from(1u64))
    }
}

/// Writes constraints and computes their assignment. Zeroed on drop.
pub struct Builder {
    values: Vec<Fr>,
    shape: Option<R1cs>,
    public: usize,
}

impl Drop for Builder {
    fn drop(&mut self) {
        self.values.zeroize();
    }
}

impl Builder {
    /// A builder that records the constraints as well as the values.
    #[must_use]
    pub fn shape() -> Self {
        let shape = R1cs { origins: vec![Origin::One], ..R1cs::default() };
        Self { values: vec![Fr::from(1u64)], shape: Some(shape), public: 0 }
    }

    /// A builder that only computes values, at most `columns` of them: a growing vector would leave copies behind.
    #[must_use]
    pub fn witness_only(columns: usize) -> Self {
        let mut values = Vec::with_capacity(columns);
        values.push(Fr::from(1u64));
        Self { values, shape: None, public: 0 }
    }

    /// The constraints (empty when only values were wanted) and the assignment.
    #[must_use]
    pub fn finish(mut self) -> (R1cs, Assignment) {
        let mut r1cs = self.shape.take().unwrap_or_default();
        r1cs.public = self.public;
        r1cs.variables = self.values.len();
        (r1cs, Assignment { values: std::mem::take(&mut self.values) })
    }

    /// Starts a section of the budget table.
    pub fn section(&mut self, name: &'static str) {
        if let Some(shape) = &mut self.shape
            && shape.sections.last().is_none_or(|(last, _)| *last != name)
        {
            shape.sections.push((name, 0));
        }
    }

    /// A constant.
    #[must_use]
    pub fn constant(&self, value: impl Into<Fr>) -> Wire {
        let value = value.into();
        let terms = if self.shape.is_some() && !value.is_zero() { vec![(value, 0)] } else { Row::new() };
        Wire { value, terms, constant: true }
    }

    /// A new public input; all come before the first witness.
    pub fn public(&mut self, value: Fr) -> Wire {
        debug_assert_eq!(self.public + 1, self.values.len(), "public inputs come first");
        self.public += 1;
        self.column(value, Origin::Public)
    }

    /// A new witness variable that the prover chooses.
    pub fn input(&mut self, value: Fr) -> Wire {
        self.column(value, Origin::Input)
    }

    /// A new witness variable that its constraints determine.
    pub fn witness(&mut self, value: Fr) -> Wire {
        self.column(value, Origin::Derived)
    }

    /// A new witness variable that its constraints determine by an argument given where it is used.
    pub fn guess(&mut self, value: Fr) -> Wire {
        self.column(value, Origin::Guess)
    }

    fn column(&mut self, value: Fr, origin: Origin) -> Wire {
        let column = self.values.len();
        self.values.push(value);
        let mut terms = Row::new();
        if let Some(shape) = &mut self.shape {
            shape.origins.push(origin);
            terms.push((Fr::from(1u64), column));
        }
        Wire { value, terms, constant: false }
    }

    /// `a * b = c`.
    pub fn enforce(&mut self, a: &Wire, b: &Wire, c: &Wire) {
        let Some(shape) = &mut self.shape else { return };
        shape.a.push(a.terms.clone());
        shape.b.push(b.terms.clone());
        shape.c.push(c.terms.clone());
        if shape.sections.is_empty() {
            shape.sections.push(("", 0));
        }
        if let Some((_, count)) = shape.sections.last_mut() {
            *count += 1;
        }
    }

    /// `a = b`.
    pub fn equal(&mut self, a: &Wire, b: &Wire) {
        let one = self.constant(1u64);
        self.enforce(&(a - b), &one, &self.constant(0u64));
    }

    /// `when * (a - b) = 0`.
    pub fn equal_when(&mut self, when: &Wire, a: &Wire, b: &Wire) {
        self.enforce(when, &(a - b), &self.constant(0u64));
    }

    /// The product; no constraint when a factor is constant.
    pub fn multiply(&mut self, a: &Wire, b: &Wire) -> Wire {
        if a.constant {
            return b.scale(a.value);
        }
        if b.constant {
            return a.scale(b.value);
        }
        let product = self.witness(a.value * b.value);
        self.enforce(a, b, &product);
        product
    }

    /// Whether `x` is 0, as a bit: with a hint `h`, `x h = 1 - z` and `x z = 0`.
    pub fn is_zero(&mut self, x: &Wire) -> Wire {
        let zero = self.witness(Fr::from(u64::from(x.value.is_zero())));
        let hint = self.column(x.value.inverse().unwrap_or_default(), Origin::Inverse);
        let one = self.constant(1u64);
        self.enforce(x, &hint, &(&one - &zero));
        self.enforce(x, &zero, &self.constant(0u64));
        zero
    }
}
