//! Points and scalars of halo2 as words: big-endian, canonical, the layout of EIP-197, like `encoding.rs` for arkworks.

use crate::{VerifyError, encoding::from_hex};
use halo2_proofs::halo2curves::{
    CurveAffine,
    bn256::{Fq, Fr, G1Affine},
    ff::{FromUniformBytes, PrimeField},
    group::prime::PrimeCurveAffine,
};
use nightingale_circuits::cohort::Keccak;
use std::fmt;

/// A registered column's commitment: a point of G1 that is not zero.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Commitment(G1Affine);

impl Commitment {
    /// A commitment to a column; `None` for the point at infinity, which commits to no salted column.
    #[must_use]
    pub fn new(point: G1Affine) -> Option<Self> {
        (!bool::from(point.is_identity())).then_some(Self(point))
    }

    /// The point.
    #[must_use]
    pub const fn point(&self) -> G1Affine {
        self.0
    }

    /// `x` and `y`, as digests take them.
    #[must_use]
    pub fn words(&self) -> [Keccak; 2] {
        point_to_words(&self.0)
    }

    /// `0x` and 128 hexadecimal digits.
    #[must_use]
    pub fn to_hex(&self) -> String {
        format!("0x{}", hex::encode(self.words().concat()))
    }

    /// Reads what [`Commitment::to_hex`] writes.
    ///
    /// # Errors
    /// Another spelling, or no point of the group.
    pub fn from_hex(text: &str, element: &str) -> Result<Self, VerifyError> {
        let bytes = from_hex::<64>(text, element)?;
        let mut words = Words::new(&bytes);
        Ok(Self(words.point(element)?))
    }
}

impl fmt::Debug for Commitment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Commitment({})", self.to_hex())
    }
}

/// A point as `x, y`; infinity is zeros.
#[must_use]
pub fn point_to_words(point: &G1Affine) -> [Keccak; 2] {
    [point.x, point.y].map(|coordinate| reversed(coordinate.to_repr()))
}

/// A scalar as a word.
#[must_use]
pub fn scalar_to_word(scalar: &Fr) -> Keccak {
    reversed(scalar.to_repr())
}

/// A digest as a scalar, reduced: how challenges are drawn.
#[must_use]
pub fn reduce(digest: &Keccak) -> Fr {
    let mut wide = [0; 64];
    for (byte, value) in wide.iter_mut().zip(digest.iter().rev()) {
        *byte = *value;
    }
    Fr::from_uniform_bytes(&wide)
}

/// A scalar from its word; `None` at or above the modulus.
#[must_use]
pub fn word_to_scalar(word: &Keccak) -> Option<Fr> {
    Fr::from_repr(reversed(*word)).into()
}

/// A point from its words; `None` for infinity, a coordinate that is not below the modulus, or a point off the curve.
#[must_use]
pub fn words_to_point([x, y]: &[Keccak; 2]) -> Option<G1Affine> {
    let coordinate = |word: &Keccak| Option::<Fq>::from(Fq::from_repr(reversed(*word)));
    let point: G1Affine = Option::from(G1Affine::from_xy(coordinate(x)?, coordinate(y)?))?;
    (!bool::from(point.is_identity())).then_some(point)
}

fn reversed(mut word: [u8; 32]) -> [u8; 32] {
    word.reverse();
    word
}

/// Reads words from a byte string.
pub(crate) struct Words<'a> {
    rest: &'a [u8],
}

impl<'a> Words<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) fn word(&mut self, element: &str) -> Result<Keccak, VerifyError> {
        let cut = || VerifyError::malformed(element, "is cut off");
        let (word, rest) = self.rest.split_first_chunk::<32>().ok_or_else(cut)?;
        self.rest = rest;
        Ok(*word)
    }

    pub(crate) fn point(&mut self, element: &str) -> Result<G1Affine, VerifyError> {
        let words = [self.word(element)?, self.word(element)?];
        words_to_point(&words).ok_or_else(|| VerifyError::malformed(element, "is not a point of the group"))
    }

    pub(crate) fn scalar(&mut self, element: &str) -> Result<Fr, VerifyError> {
        let problem = "is not below the scalar field's modulus; the encoding must be canonical";
        word_to_scalar(&self.word(element)?).ok_or_else(|| VerifyError::malformed(element, problem))
    }
}
