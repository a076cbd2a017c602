//! Number-theoretic transforms. A plan holds the tables of one transform and is used many times, by many threads.
//!
//! Both kernels compute all in the elements' own form and leave the one representative below r, so their results are
//! the same bits.

#![cfg_attr(
    target_arch = "x86_64",
    expect(unsafe_code, reason = "calls of functions that need the processor's features")
)]

#[cfg(target_arch = "x86_64")]
mod ifma;
mod portable;

use super::super::{DeviceError, Direction, Transform};
use super::kernel::Kernel;
use super::pointwise;
use ark_bn254::Fr;
use ark_ff::Field;
use zeroize::Zeroizing;

/// The way of a transform; the inverse one with the root and the coset inverted and 1/n.
#[derive(Clone, Copy)]
enum Sign {
    Forward,
    Inverse { size_inverse: Fr },
}

enum Tables<P, I> {
    Portable(P),
    #[cfg_attr(not(target_arch = "x86_64"), expect(dead_code, reason = "there is only one kernel"))]
    Ifma(I),
}

#[cfg(target_arch = "x86_64")]
type PlanTables = Tables<portable::Plan, ifma::Plan>;
#[cfg(target_arch = "x86_64")]
type CosetTables = Tables<portable::Coset, ifma::Coset>;
#[cfg(not(target_arch = "x86_64"))]
type PlanTables = Tables<portable::Plan, std::convert::Infallible>;
#[cfg(not(target_arch = "x86_64"))]
type CosetTables = Tables<portable::Coset, std::convert::Infallible>;

fn inverse(element: Fr) -> Result<Fr, DeviceError> {
    element.inverse().ok_or_else(|| DeviceError::Input("a transform on the coset of 0".into()))
}

fn size_inverse(log_size: u32) -> Fr {
    (0..log_size).fold(Fr::ONE, |power, _| power * HALF)
}

/// 1/2: (r + 1) / 2 is its integer.
const HALF: Fr =
    ark_ff::MontFp!("10944121435919637611123202872628637544274182200208017171849102093287904247809");

fn same_length(expected: usize, given: usize) -> Result<(), DeviceError> {
    if expected == given {
        Ok(())
    } else {
        Err(DeviceError::Input(format!("{given} elements for a transform of {expected}")))
    }
}

/// A transform, ready.
pub(crate) struct Plan {
    size: usize,
    tables: PlanTables,
}

impl Plan {
    /// Makes the tables. A kernel that the processor or the size does not allow is replaced by the portable one.
    ///
    /// # Errors
    /// None for a transform that [`Transform::new`] made.
    pub(crate) fn new(transform: &Transform, kernel: Kernel) -> Result<Self, DeviceError> {
        let log_size = transform.log_size();
        let (root, coset, sign) = match transform.direction() {
            Direction::Forward => (transform.root(), transform.coset(), Sign::Forward),
            Direction::Inverse => {
                let sign = Sign::Inverse { size_inverse: size_inverse(log_size) };
                (inverse(transform.root())?, inverse(transform.coset())?, sign)
            }
        };
        let tables = match kernel {
            #[cfg(target_arch = "x86_64")]
            Kernel::Ifma if kernel.is_available() && log_size >= ifma::LEAST_LOG_SIZE => {
                Tables::Ifma(ifma::Plan::new(log_size, root, coset, sign))
            }
            _ => Tables::Portable(portable::Plan::new(log_size, root, coset, sign)),
        };
        Ok(Self { size: transform.size(), tables })
    }

    /// Transforms in place.
    ///
    /// # Errors
    /// Another length.
    pub(crate) fn run(&self, values: &mut [Fr]) -> Result<(), DeviceError> {
        same_length(self.size, values.len())?;
        match &self.tables {
            Tables::Portable(plan) => plan.run(values),
            #[cfg(target_arch = "x86_64")]
            // SAFETY: such tables exist only where the processor has the features.
            Tables::Ifma(plan) => unsafe { plan.run(values) },
            #[cfg(not(target_arch = "x86_64"))]
            Tables::Ifma(never) => match *never {},
        }
        Ok(())
    }
}

/// From values on a group of roots of unity to values on its coset.
pub(crate) struct Coset {
    size: usize,
    kernel: Kernel,
    tables: CosetTables,
}

impl Coset {
    /// Makes the tables for the group of `root`, of order 2^`log_size`, and the coset `shift * <root>`.
    ///
    /// # Errors
    /// Those of [`Transform::new`].
    pub(crate) fn new(log_size: u32, root: Fr, shift: Fr, kernel: Kernel) -> Result<Self, DeviceError> {
        let transform = Transform::new(log_size, root, shift, Direction::Forward)?;
        let (root_inverse, size_inverse) = (inverse(root)?, size_inverse(log_size));
        let tables = match kernel {
            #[cfg(target_arch = "x86_64")]
            Kernel::Ifma if kernel.is_available() && log_size >= ifma::LEAST_LOG_SIZE => {
                Tables::Ifma(ifma::Coset::new(log_size, root, root_inverse, shift, size_inverse))
            }
            _ => Tables::Portable(portable::Coset::new(log_size, root, root_inverse, shift, size_inverse)),
        };
        Ok(Self { size: transform.size(), kernel, tables })
    }

    /// On the coset the values of `A B - C`, with A and B the polynomials of less than n coefficients whose values on
    /// the group are `a` and `b`, and C that of their products.
    ///
    /// # Errors
    /// Another length.
    pub(crate) fn quotient(&self, a: &[Fr], b: &[Fr], out: &mut [Fr]) -> Result<(), DeviceError> {
        for length in [a.len(), b.len(), out.len()] {
            same_length(self.size, length)?;
        }
        match &self.tables {
            Tables::Portable(coset) => {
                let copy = |values: &[Fr]| Zeroizing::new(values.to_vec());
                let (mut b_values, mut c) = (copy(b), copy(a));
                out.copy_from_slice(a);
                pointwise::multiply(self.kernel, &mut c, b)?;
                rayon::join(
                    || coset.to_coset(out),
                    || rayon::join(|| coset.to_coset(&mut b_values), || coset.to_coset(&mut c)),
                );
                pointwise::multiply(self.kernel, out, &b_values)?;
                pointwise::subtract(self.kernel, out, &c)?;
            }
            #[cfg(target_arch = "x86_64")]
            // SAFETY: such tables exist only where the processor has the features.
            Tables::Ifma(coset) => unsafe { coset.quotient(a, b, out) },
            #[cfg(not(target_arch = "x86_64"))]
            Tables::Ifma(never) => match *never {},
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
