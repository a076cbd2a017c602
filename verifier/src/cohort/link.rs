//! The link: that the slots of a proof hold the registered columns. `docs/statements/cohort.md`, "The link", is the
//! specification; the prover's half is in the prover.
//!
//! A batched Schnorr proof of knowledge: the difference of slot and column commitments lies in the span of the Lagrange
//! points of the salt rows, so slot and column agree in every other row.

use super::{
    CircuitName,
    point::{Words, point_to_words, reduce, scalar_to_word},
};
use crate::VerifyError;
use halo2_proofs::{
    arithmetic::best_multiexp,
    halo2curves::{
        bn256::{Fr, G1, G1Affine},
        ff::Field,
        group::{Curve, Group, prime::PrimeCurveAffine},
    },
};
use nightingale_circuits::cohort::{
    Keccak, Layout,
    digest::{Words as Digest, keccak},
};

/// Number of salt rows: the dimension of the span.
pub const SALT: usize = Layout::SALT;

/// `R` and the responses.
#[derive(Clone, PartialEq, Eq)]
pub struct Link {
    /// `R = sum t_j L_j`.
    pub commitment: G1Affine,
    /// `z_j = t_j + c w_j`.
    pub responses: [Fr; SALT],
}

impl Link {
    /// Bytes of a link.
    pub const LENGTH: usize = 64 + 32 * SALT;

    /// `R` and `z`, big-endian.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let responses = self.responses.iter().flat_map(scalar_to_word);
        point_to_words(&self.commitment).into_iter().flatten().chain(responses).collect()
    }

    /// Reads them, to the last byte.
    ///
    /// # Errors
    /// Another length, or an element that is not canonical.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, VerifyError> {
        if bytes.len() != Self::LENGTH {
            return Err(VerifyError::malformed("link", "must have 320 bytes"));
        }
        let mut words = Words::new(bytes);
        let commitment = words.point("link")?;
        let mut responses = [Fr::ZERO; SALT];
        for response in &mut responses {
            *response = words.scalar("link")?;
        }
        Ok(Self { commitment, responses })
    }
}

/// One slot: its commitment in the proof, and that of the column that it must hold.
#[derive(Clone, Copy)]
pub struct Pair {
    /// `C`.
    pub slot: G1Affine,
    /// `D`; infinity for a slot that must be zero.
    pub column: G1Affine,
}

/// Everything that the link's challenges depend on before `R`.
pub struct Claim {
    pairs: Vec<Pair>,
    base: Keccak,
}

impl Claim {
    /// That in this `proof` by a circuit of size `2^k`, made for `context`, each slot holds its column.
    #[must_use]
    pub fn new(circuit: CircuitName, k: u32, context: &Keccak, proof: &[u8], pairs: Vec<Pair>) -> Self {
        let start = Digest::of("nightingale.cohort.link.1")
            .number(u128::from(circuit.number()))
            .number(u128::from(k))
            .digest(context)
            .digest(&keccak(proof));
        let base = pairs
            .iter()
            .fold(start, |digest, pair| {
                let points = [point_to_words(&pair.slot), point_to_words(&pair.column)];
                digest.words(points.as_flattened())
            })
            .finish();
        Self { pairs, base }
    }

    /// `rho`, drawn after all pairs.
    #[must_use]
    pub fn weight(&self) -> Fr {
        reduce(&self.base)
    }

    /// `c`, drawn after `R`.
    #[must_use]
    pub fn challenge(&self, commitment: &G1Affine) -> Fr {
        let [x, y] = point_to_words(commitment);
        reduce(&keccak(&[self.base, x, y].concat()))
    }

    /// Checks `sum z_j L_j = R + c sum rho^i (C_i - D_i)`, `span` being the points `L_j`.
    ///
    /// # Errors
    /// It does not hold.
    pub fn verify(&self, link: &Link, span: &[G1Affine; SALT]) -> Result<(), VerifyError> {
        let rho = self.weight();
        let mut power = self.challenge(&link.commitment);
        let (mut scalars, mut points) = (link.responses.to_vec(), span.to_vec());
        for pair in &self.pairs {
            let difference = (G1::from(pair.slot) - G1::from(pair.column)).to_affine();
            if !bool::from(difference.is_identity()) {
                scalars.push(-power);
                points.push(difference);
            }
            power *= rho;
        }
        let sum = best_multiexp(&scalars, &points) - G1::from(link.commitment);
        if bool::from(sum.is_identity()) { Ok(()) } else { Err(VerifyError::Link) }
    }
}
