//! From an assignment to the values that the H query multiplies: the reduction of circom and snarkjs.
//!
//! With A, B, C the polynomials of the left factors, right factors and products over the domain H of size n, A B - C
//! is a multiple of Z = X^n - 1, and of degree below 2n. So it is known by its values on the odd points of the domain
//! of size 2n, the coset of H by that domain's root; the key holds the Lagrange basis there, times 1/delta (snarkjs,
//! `groth16_prove.js`; ffjavascript's domain roots are arkworks', both from 5). Dividing by Z, which arkworks' own
//! reduction does, gives other values: they fit other keys, and silently bad proofs with these.
//!
//! n is the least power of two that holds every constraint and one row `input * 0 = 0` for the one and each public
//! input, which keeps the inputs' polynomials independent (Groth 2016 asks for it; snarkjs and libsnark do the same).

use crate::{
    ProveError,
    device::{Direction, Transform},
    matrix::Matrix,
};
use ark_ff::{AdditiveGroup, FftField, Field};
use ark_poly::{EvaluationDomain, Radix2EvaluationDomain};
use nightingale_circuits::{Fr, r1cs::R1cs};
use rayon::prelude::*;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// The domain H and its coset of odd points.
#[derive(Clone, Copy, Debug)]
pub struct Domain {
    pub(crate) plain: Radix2EvaluationDomain<Fr>,
    pub(crate) coset: Radix2EvaluationDomain<Fr>,
}

impl Domain {
    /// The least domain of at least `rows` points; `None` above 2^27, where its double does not exist.
    #[must_use]
    pub fn new(rows: usize) -> Option<Self> {
        let plain = Radix2EvaluationDomain::new(rows)?;
        let shift = Fr::get_root_of_unity(2 * plain.size)?;
        Some(Self { plain, coset: plain.get_coset(shift)? })
    }

    /// Its size, a power of two.
    #[must_use]
    pub fn size(&self) -> usize {
        self.plain.size()
    }

    /// The root of unity that generates it.
    #[must_use]
    pub fn root(&self) -> Fr {
        self.plain.group_gen
    }

    /// What takes it onto the odd points of the domain of twice the size: a square root of [`Domain::root`].
    #[must_use]
    pub fn shift(&self) -> Fr {
        self.coset.offset
    }

    /// The two transforms that take values on the domain to those on its coset.
    ///
    /// # Errors
    /// Never: arkworks' roots have the order of their size.
    pub fn to_coset(&self) -> Result<[Transform; 2], ProveError> {
        let log_size = self.plain.log_size_of_group;
        let back = Transform::new(log_size, self.root(), Fr::ONE, Direction::Inverse)?;
        Ok([back, Transform::new(log_size, self.root(), self.shift(), Direction::Forward)?])
    }
}

/// A constraint system, ready for proving.
pub struct System {
    public: usize,
    variables: usize,
    a: Matrix,
    b: Matrix,
    c: Matrix,
    domain: Domain,
    digest: [u8; 32],
}

impl System {
    /// Prepares a constraint system.
    ///
    /// # Errors
    /// One that is empty or above 2^27 constraints.
    pub fn new(r1cs: &R1cs) -> Result<Self, ProveError> {
        let unusable = |what: &str| ProveError::Bug(format!("a constraint system {what}"));
        if r1cs.variables <= r1cs.public || r1cs.a.len() != r1cs.b.len() || r1cs.a.len() != r1cs.c.len() {
            return Err(unusable("whose parts have different sizes"));
        }
        let inside = |row: &Vec<(Fr, usize)>| row.iter().all(|(_, column)| *column < r1cs.variables);
        if ![&r1cs.a, &r1cs.b, &r1cs.c].into_iter().flatten().all(inside) {
            return Err(unusable("that names a column it does not have"));
        }
        let matrix = |rows| Matrix::new(rows).ok_or_else(|| unusable("with too many columns"));
        let matrices = [matrix(&r1cs.a)?, matrix(&r1cs.b)?, matrix(&r1cs.c)?];
        Self::from_parts(r1cs.public, r1cs.variables, matrices, digest(r1cs)).map_err(unusable)
    }

    /// From matrices for this many variables, if they fit each other. Nobody checks the digest against them.
    pub(crate) fn from_parts(
        public: usize,
        variables: usize,
        [a, b, c]: [Matrix; 3],
        digest: [u8; 32],
    ) -> Result<Self, &'static str> {
        if variables <= public || a.len() != b.len() || a.len() != c.len() {
            return Err("whose parts have different sizes");
        }
        let rows = a.len().checked_add(public).filter(|rows| *rows < 1 << 27);
        let domain = rows.and_then(|rows| Domain::new(rows + 1)).ok_or("above 2^27 constraints")?;
        Ok(Self { public, variables, a, b, c, domain, digest })
    }

    /// Public inputs, without the one.
    #[must_use]
    pub const fn public(&self) -> usize {
        self.public
    }

    /// All columns.
    #[must_use]
    pub const fn variables(&self) -> usize {
        self.variables
    }

    /// Its domain.
    #[must_use]
    pub const fn domain(&self) -> &Domain {
        &self.domain
    }

    /// [`digest`] of the constraint system.
    #[must_use]
    pub const fn digest(&self) -> [u8; 32] {
        self.digest
    }

    /// The left factors' matrix.
    #[must_use]
    pub const fn a(&self) -> &Matrix {
        &self.a
    }

    /// The right factors' matrix.
    #[must_use]
    pub const fn b(&self) -> &Matrix {
        &self.b
    }

    /// The products' matrix.
    #[must_use]
    pub const fn c(&self) -> &Matrix {
        &self.c
    }

    /// Whether an assignment has the right length.
    ///
    /// # Errors
    /// It has not.
    pub(crate) fn fits(&self, values: &[Fr]) -> Result<(), ProveError> {
        if values.len() == self.variables {
            return Ok(());
        }
        Err(ProveError::Bug(format!("{} values for {} columns", values.len(), self.variables)))
    }

    /// The values on H of A and B, of an assignment `[1, public.., witness..]`.
    ///
    /// # Errors
    /// An assignment of another length, or one that does not satisfy the constraints.
    pub fn factors(&self, values: &[Fr]) -> Result<[Zeroizing<Vec<Fr>>; 2], ProveError> {
        self.fits(values)?;
        let zeros = || Zeroizing::new(vec![Fr::ZERO; self.domain.size()]);
        let (mut a, mut b) = (zeros(), zeros());
        let rows = self.a.len();
        let [left, right, product] = [&self.a, &self.b, &self.c].map(Matrix::rows);
        let unsatisfied = (a[..rows].par_iter_mut().zip(&mut b[..rows]))
            .enumerate()
            .with_min_len(512)
            .filter_map(|(row, (a, b))| {
                *a = left.product(row, values);
                *b = right.product(row, values);
                (*a * *b != product.product(row, values)).then_some(row)
            })
            .min();
        if let Some(row) = unsatisfied {
            return Err(ProveError::Unsatisfied { row });
        }
        a[rows..=rows + self.public].copy_from_slice(&values[..=self.public]);
        Ok([a, b])
    }
}

/// SHA-256 of a constraint system: its sizes, then each row's terms as little-endian column and coefficient.
#[must_use]
pub fn digest(r1cs: &R1cs) -> [u8; 32] {
    let mut hash = Sha256::new();
    for size in [r1cs.public, r1cs.variables, r1cs.a.len()] {
        hash.update((size as u64).to_le_bytes());
    }
    for rows in [&r1cs.a, &r1cs.b, &r1cs.c] {
        for row in rows {
            hash.update((row.len() as u64).to_le_bytes());
            for (coefficient, column) in row {
                hash.update((*column as u64).to_le_bytes());
                // The Montgomery form's limbs: as unique as the canonical ones, and already there.
                coefficient.0.0.iter().for_each(|limb| hash.update(limb.to_le_bytes()));
            }
        }
    }
    hash.finalize().into()
}
