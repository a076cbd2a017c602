//! Powers of tau that are what they say: one number's powers, in every section, whoever made them.
//!
//! That nobody knows the number is another matter. It follows from the digest, which is that of a file whose ceremony the
//! operator believes in, and from nothing here.

use super::{
    chain::same_ratio,
    digest::FileDigest,
    error::CeremonyError,
    ptau::{Factor, Ptau},
};
use ark_bn254::{G1Affine, G1Projective, G2Affine};
use ark_ec::{AffineRepr, CurveGroup, VariableBaseMSM};
use ark_ff::{BigInt, PrimeField};
use ark_poly::{EvaluationDomain, Radix2EvaluationDomain};
use nightingale_circuits::Fr;
use nightingale_verifier::development;
use rand::CryptoRng;
use std::borrow::Cow;

/// A file of powers of tau with the digest that was asked for, whose points were checked against each other.
pub struct CheckedPowers<'a> {
    ptau: Ptau<'a>,
    digest: FileDigest,
    /// tau^0 to tau^(2n - 2).
    tau: Vec<G1Affine>,
}

/// A scalar that no file can know beforehand.
pub(super) fn scalar(rng: &mut impl CryptoRng) -> Fr {
    let mut bytes = [0; 64];
    rng.fill_bytes(&mut bytes);
    Fr::from_le_bytes_mod_order(&bytes)
}

/// So many of them.
pub(super) fn scalars(number: usize, rng: &mut impl CryptoRng) -> Vec<Fr> {
    (0..number).map(|_| scalar(rng)).collect()
}

impl<'a> CheckedPowers<'a> {
    /// Reads a file and checks it.
    ///
    /// For unknown weights w_i, the sums of `w_i P_i` and of `w_i P_(i+1)` are in the ratio of the generator and tau in G2 only
    /// if every `P_(i+1)` is tau times `P_i`, up to a chance of 2^-128.
    ///
    /// # Errors
    /// Another file than the one with this digest; whatever is not exactly such a file; powers of different numbers, or
    /// of a number that everybody knows.
    pub fn check(
        file: &'a [u8],
        expected: &FileDigest,
        rng: &mut impl CryptoRng,
    ) -> Result<Self, CeremonyError> {
        let digest = FileDigest::of(file);
        if digest != *expected {
            return Err(CeremonyError::OtherPtau { expected: Box::new(*expected), found: Box::new(digest) });
        }
        let ptau = Ptau::parse(file)?;
        let rows = 1 << ptau.power();
        let tau = ptau.powers(Factor::One, 0..2 * rows - 1)?;
        let (g1, g2) = (G1Affine::generator(), G2Affine::generator());
        if tau[0] != g1 {
            return Err(CeremonyError::Powers("its first power is not the generator"));
        }
        // tau^rows is neither 1 nor -1.
        if ptau.contributions().is_empty() || tau[rows].x == g1.x {
            return Err(CeremonyError::Powers("nobody contributed to it, or tau is a root of unity"));
        }
        let powers = Self { ptau, digest, tau };
        powers.check_ratio(&powers.tau, "its powers of tau are not powers of one number", rng)?;
        let alpha = powers.multiples(Factor::Alpha, rows)?;
        powers.check_ratio(&alpha, "its powers times alpha are not those of tau", rng)?;
        let beta = powers.multiples(Factor::Beta, rows)?;
        powers.check_ratio(&beta, "its powers times beta are not those of tau", rng)?;
        if !same_ratio((g1, beta[0]), (g2, powers.ptau.beta_g2)) {
            return Err(CeremonyError::Powers("its beta is another one in G2"));
        }
        let in_g1 = [powers.tau[1], alpha[0], beta[0]];
        if development::has_secret(&in_g1, &[powers.ptau.tau_g2, powers.ptau.beta_g2]) {
            return Err(CeremonyError::Powers(
                "its tau, alpha or beta is a development secret, which everybody knows",
            ));
        }
        Ok(powers)
    }

    fn check_ratio(
        &self,
        points: &[G1Affine],
        problem: &'static str,
        rng: &mut impl CryptoRng,
    ) -> Result<(), CeremonyError> {
        let weight = |_| {
            // 128 bits.
            BigInt([rng.next_u64(), rng.next_u64(), 0, 0])
        };
        let weights: Vec<BigInt<4>> = (1..points.len()).map(weight).collect();
        let low = G1Projective::msm_bigint(&points[..points.len() - 1], &weights).into_affine();
        let high = G1Projective::msm_bigint(&points[1..], &weights).into_affine();
        if same_ratio((low, high), (G2Affine::generator(), self.ptau.tau_g2)) {
            return Ok(());
        }
        Err(CeremonyError::Powers(problem))
    }

    /// The file.
    #[must_use]
    pub const fn ptau(&self) -> &Ptau<'a> {
        &self.ptau
    }

    /// Its digest.
    #[must_use]
    pub const fn digest(&self) -> &FileDigest {
        &self.digest
    }

    /// tau in G2.
    pub const fn tau_g2(&self) -> &G2Affine {
        &self.ptau.tau_g2
    }

    /// A power of tau in G2, the same as in G1.
    pub(super) fn in_g2(&self, index: usize) -> Result<G2Affine, CeremonyError> {
        let power = self.ptau.power_in_g2(index)?;
        if same_ratio((G1Affine::generator(), self.tau[index]), (G2Affine::generator(), power)) {
            return Ok(power);
        }
        Err(CeremonyError::Powers("a power of tau is another one in G2"))
    }

    /// The powers of tau in G1, from the generator on: one less than twice [`Ptau::power`] says.
    pub fn tau(&self) -> &[G1Affine] {
        &self.tau
    }

    /// The first powers of tau, times something.
    pub(super) fn multiples(
        &self,
        factor: Factor,
        number: usize,
    ) -> Result<Cow<'_, [G1Affine]>, CeremonyError> {
        match factor {
            Factor::One => Ok(Cow::Borrowed(&self.tau[..number])),
            Factor::Alpha | Factor::Beta => Ok(Cow::Owned(self.ptau.powers(factor, 0..number)?)),
        }
    }

    /// Refuses powers that do not reach to a domain of 2^power rows.
    pub(super) fn reach(&self, power: u32) -> Result<(), CeremonyError> {
        if power > self.ptau.power() {
            return Err(CeremonyError::TooSmall { power: self.ptau.power(), needed: power });
        }
        Ok(())
    }

    /// The Lagrange points of the domain of 2^power rows, in the order of arkworks' root of unity, checked against the powers.
    ///
    /// # Errors
    /// Powers that do not reach so far; points that are not those of the powers.
    pub fn lagrange(&self, power: u32, rng: &mut impl CryptoRng) -> Result<Vec<G1Affine>, CeremonyError> {
        self.lagrange_of(Factor::One, power, rng)
    }

    /// The same, times something: for unknown weights the sum of the points is that of the powers, weighted with the
    /// coefficients of the polynomial that has the weights for values.
    pub(super) fn lagrange_of(
        &self,
        factor: Factor,
        power: u32,
        rng: &mut impl CryptoRng,
    ) -> Result<Vec<G1Affine>, CeremonyError> {
        self.reach(power)?;
        let points = self.ptau.lagrange(factor, power)?;
        let problem = CeremonyError::Powers("its Lagrange points are not those of its powers");
        let Some(domain) = Radix2EvaluationDomain::<Fr>::new(points.len()) else { return Err(problem) };
        let mut weights = scalars(points.len(), rng);
        let found = G1Projective::msm_unchecked(&points, &weights);
        domain.ifft_in_place(&mut weights);
        if found != G1Projective::msm_unchecked(&self.multiples(factor, points.len())?, &weights) {
            return Err(problem);
        }
        Ok(points)
    }
}
