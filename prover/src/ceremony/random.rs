//! The numbers that snarkjs draws from a hash: ChaCha20 as in ffjavascript, and field elements and points made of it.
//!
//! A transcript's point in G2, to which a contributor's proof of knowledge is made, and a beacon's whole contribution are
//! drawn so. They are points whose logarithm nobody knows; that is all that their use rests on.

use ark_bn254::{Fq, Fq2, G1Affine, G2Affine, g1, g2};
use ark_ec::{
    AffineRepr, CurveGroup,
    short_weierstrass::{Affine, SWCurveConfig},
};
use ark_ff::{AdditiveGroup, BigInt, Field, PrimeField};
use nightingale_circuits::Fr;
use rand_chacha::{
    ChaCha20Rng,
    rand_core::{RngCore, SeedableRng},
};

/// A source of such numbers.
pub(super) struct Source(ChaCha20Rng);

impl Source {
    /// Seeded with the first 32 bytes of a hash, as eight big-endian words.
    pub(super) fn new(hash: &[u8]) -> Self {
        let mut seed = [0; 32];
        for (word, bytes) in seed.as_chunks_mut::<4>().0.iter_mut().zip(hash.as_chunks::<4>().0) {
            // The generator reads its seed's words little-endian.
            *word = u32::from_be_bytes(*bytes).to_le_bytes();
        }
        Self(ChaCha20Rng::from_seed(seed))
    }

    /// Two words, the higher half first.
    fn limb(&mut self) -> u64 {
        let high = u64::from(self.0.next_u32());
        high << 32 | u64::from(self.0.next_u32())
    }

    /// 254 bits below a modulus, which are the element's Montgomery form.
    fn below(&mut self, modulus: &BigInt<4>) -> BigInt<4> {
        loop {
            let mut limbs = [(); 4].map(|()| self.limb());
            limbs[3] &= u64::MAX >> 2;
            if BigInt(limbs) < *modulus {
                return BigInt(limbs);
            }
        }
    }

    /// A scalar.
    pub(super) fn scalar(&mut self) -> Fr {
        Fr::new_unchecked(self.below(&Fr::MODULUS))
    }

    fn coordinate(&mut self) -> Fq {
        Fq::new_unchecked(self.below(&Fq::MODULUS))
    }

    /// A point of G1.
    pub(super) fn g1(&mut self) -> G1Affine {
        self.on_curve::<g1::Config>(Self::coordinate, is_negative)
    }

    /// A point of G2: on the curve, then times the cofactor.
    pub(super) fn g2(&mut self) -> G2Affine {
        let point = self.on_curve::<g2::Config>(
            |source| Fq2::new(source.coordinate(), source.coordinate()),
            |y| if y.c1 == Fq::ZERO { is_negative(&y.c0) } else { is_negative(&y.c1) },
        );
        point.mul_bigint(<g2::Config as ark_ec::CurveConfig>::COFACTOR).into_affine()
    }

    fn on_curve<C: SWCurveConfig>(
        &mut self,
        draw: impl Fn(&mut Self) -> C::BaseField,
        negative: impl Fn(&C::BaseField) -> bool,
    ) -> Affine<C> {
        loop {
            let x = draw(self);
            let greatest = self.0.next_u32() & 1 == 1;
            if let Some(y) = (x.square() * x + C::COEFF_B).sqrt() {
                let y = if negative(&y) == greatest { y } else { -y };
                return Affine::new_unchecked(x, y);
            }
        }
    }
}

/// Whether an element is in the upper half.
fn is_negative(x: &Fq) -> bool {
    x.into_bigint() > Fq::MODULUS_MINUS_ONE_DIV_TWO
}

/// The point in G2 that a transcript stands for.
pub(super) fn hash_to_g2(transcript: &[u8]) -> G2Affine {
    Source::new(transcript).g2()
}
