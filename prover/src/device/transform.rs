//! Number-theoretic transforms with their root and coset said by the caller: the roots of arkworks' domains come from
//! 5, those of halo2 from 7, and a device that assumes either is silently wrong for the other.

use super::DeviceError;
use ark_ff::{AdditiveGroup, Field};
use nightingale_circuits::Fr;

/// Which way a transform goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From coefficients `c_j` to the values `sum_j c_j (coset * root^i)^j`, i = 0..n-1.
    Forward,
    /// From these values to the coefficients.
    Inverse,
}

/// A transform of 2^`log_size` elements, in natural order on both sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transform {
    log_size: u32,
    root: Fr,
    coset: Fr,
    direction: Direction,
}

impl Transform {
    /// A transform on the coset `coset * <root>`.
    ///
    /// # Errors
    /// A size above 2^28, a root that is not of order 2^`log_size`, a coset that is 0.
    pub fn new(log_size: u32, root: Fr, coset: Fr, direction: Direction) -> Result<Self, DeviceError> {
        let input = |what: &str| Err(DeviceError::Input(format!("a transform {what}")));
        if log_size > 28 {
            return input("of more than 2^28 elements: the field has no such root");
        }
        if coset == Fr::ZERO {
            return input("on the coset of 0");
        }
        let half = (1..log_size).fold(root, |power, _| power.square());
        let order_fits = if log_size == 0 { root == Fr::ONE } else { half == -Fr::ONE };
        if !order_fits {
            return input("whose root is not of the order that its size asks for");
        }
        Ok(Self { log_size, root, coset, direction })
    }

    /// How many elements it takes.
    #[must_use]
    pub const fn size(&self) -> usize {
        1 << self.log_size
    }

    /// The logarithm of [`Transform::size`] to base 2.
    #[must_use]
    pub const fn log_size(&self) -> u32 {
        self.log_size
    }

    /// The root of unity.
    #[must_use]
    pub const fn root(&self) -> Fr {
        self.root
    }

    /// The coset's shift; 1 for the group itself.
    #[must_use]
    pub const fn coset(&self) -> Fr {
        self.coset
    }

    /// Which way it goes.
    #[must_use]
    pub const fn direction(&self) -> Direction {
        self.direction
    }
}
