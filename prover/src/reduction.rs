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

use crate::{Device, ProveError, matrix::Matrix};
use ark_ff::{AdditiveGroup, FftField};
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
}

/// A constraint system, ready for proving.
pub struct System {
    public: usize,
    variables: usize,
    a: Matrix,
    b: Matrix,
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
        let domain =
            Domain::new(r1cs.a.len() + r1cs.public + 1).ok_or_else(|| unusable("above 2^27 constraints"))?;
        let matrix = |rows| Matrix::new(rows).ok_or_else(|| unusable("with too many columns"));
        Ok(Self {
            public: r1cs.public,
            variables: r1cs.variables,
            a: matrix(&r1cs.a)?,
            b: matrix(&r1cs.b)?,
            domain,
            digest: digest(r1cs),
        })
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

    /// The values of A B - C on the odd points, of an assignment `[1, public.., witness..]`.
    ///
    /// # Errors
    /// An assignment of another length, and the device's errors.
    pub fn quotient(&self, device: &dyn Device, values: &[Fr]) -> Result<Zeroizing<Vec<Fr>>, ProveError> {
        if values.len() != self.variables {
            return Err(ProveError::Bug(format!("{} values for {} columns", values.len(), self.variables)));
        }
        let zeros = || Zeroizing::new(vec![Fr::ZERO; self.domain.size()]);
        let (mut a, mut b) = (zeros(), zeros());
        self.a.multiply(values, &mut a);
        self.b.multiply(values, &mut b);
        let rows = self.a.len();
        a[rows..=rows + self.public].copy_from_slice(&values[..=self.public]);
        // On H the products are C's values, if the assignment satisfies the constraints; if not, no proof verifies.
        let mut c: Zeroizing<Vec<Fr>> = Zeroizing::new(a.par_iter().zip(&*b).map(|(a, b)| *a * b).collect());
        for polynomial in [&mut a, &mut b, &mut c] {
            device.to_coset(&self.domain, polynomial)?;
        }
        a.par_iter_mut().zip(&*b).zip(&*c).with_min_len(512).for_each(|((a, b), c)| {
            *a *= b;
            *a -= c;
        });
        Ok(a)
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
