//! Field elements, points and small integers as bytes: big-endian, canonical, the layout of EIP-197. Reasons as codes.
//!
//! One value has one encoding. A coordinate at or above the modulus, a point off its curve or outside the group of
//! order r, and the point at infinity (which no honest prover or setup yields) are all refused.

use crate::VerifyError;
use ark_bn254::{Fq, Fq2, G1Affine, G2Affine};
use ark_ec::AffineRepr;
use ark_ff::{BigInt, BigInteger, PrimeField};
use nightingale_circuits::{
    Fr,
    claim::{Reason, Reasons},
    field,
};

/// Bytes of a field element.
pub(crate) const WORD: usize = 32;
/// A field element's bytes.
pub(crate) type Word = [u8; WORD];

/// A base field element as a word.
pub(crate) fn coordinate_to_word(x: &Fq) -> Word {
    let mut word = [0; WORD];
    for (out, byte) in word.iter_mut().zip(x.into_bigint().to_bytes_be()) {
        *out = byte;
    }
    word
}

fn coordinate(word: &Word, element: &str) -> Result<Fq, VerifyError> {
    let mut limbs = [0u64; 4];
    for (limb, bytes) in limbs.iter_mut().rev().zip(word.as_chunks::<8>().0) {
        *limb = u64::from_be_bytes(*bytes);
    }
    let problem = "is not below the base field's modulus; the encoding must be canonical";
    Fq::from_bigint(BigInt::new(limbs)).ok_or_else(|| VerifyError::malformed(element, problem))
}

/// A scalar from its word.
pub(crate) fn scalar(word: &Word, element: &str) -> Result<Fr, VerifyError> {
    let problem = "is not below the scalar field's modulus; the encoding must be canonical";
    field::from_be_bytes(word).ok_or_else(|| VerifyError::malformed(element, problem))
}

/// `x, y`.
pub(crate) fn g1_to_words(point: &G1Affine) -> [Word; 2] {
    let (x, y) = point.xy().unwrap_or_default();
    [coordinate_to_word(&x), coordinate_to_word(&y)]
}

/// From `x, y`.
pub(crate) fn g1(words: &[Word; 2], element: &str) -> Result<G1Affine, VerifyError> {
    let [x, y] = words;
    if [x, y].into_iter().flatten().all(|byte| *byte == 0) {
        return Err(VerifyError::malformed(element, "is the point at infinity"));
    }
    let point = G1Affine::new_unchecked(coordinate(x, element)?, coordinate(y, element)?);
    // G1 of BN254 has cofactor 1: on the curve is in the group.
    if point.is_on_curve() { Ok(point) } else { Err(VerifyError::malformed(element, "is not on the curve")) }
}

/// `x` and `y`, the imaginary part of each first.
pub(crate) fn g2_to_words(point: &G2Affine) -> [[Word; 2]; 2] {
    let (x, y) = point.xy().unwrap_or_default();
    [x, y].map(|c| [coordinate_to_word(&c.c1), coordinate_to_word(&c.c0)])
}

/// From `x` and `y`, the imaginary part of each first.
pub(crate) fn g2(words: &[[Word; 2]; 2], element: &str) -> Result<G2Affine, VerifyError> {
    if words.iter().flatten().flatten().all(|byte| *byte == 0) {
        return Err(VerifyError::malformed(element, "is the point at infinity"));
    }
    let part = |[imaginary, real]: &[Word; 2]| {
        Ok::<_, VerifyError>(Fq2::new(coordinate(real, element)?, coordinate(imaginary, element)?))
    };
    let [x, y] = words;
    let point = G2Affine::new_unchecked(part(x)?, part(y)?);
    if !point.is_on_curve() {
        return Err(VerifyError::malformed(element, "is not on the curve"));
    }
    if !point.is_in_correct_subgroup_assuming_on_curve() {
        return Err(VerifyError::malformed(element, "is outside the group of order r"));
    }
    Ok(point)
}

/// Reads a byte string from its start to its very end.
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) fn take<const N: usize>(&mut self, element: &str) -> Result<[u8; N], VerifyError> {
        let (taken, rest) = self
            .rest
            .split_first_chunk::<N>()
            .ok_or_else(|| VerifyError::malformed(element, "is cut off; the file is truncated"))?;
        self.rest = rest;
        Ok(*taken)
    }

    pub(crate) fn byte(&mut self, element: &str) -> Result<u8, VerifyError> {
        self.take::<1>(element).map(|[byte]| byte)
    }

    pub(crate) fn scalar(&mut self, element: &str) -> Result<Fr, VerifyError> {
        scalar(&self.take(element)?, element)
    }

    pub(crate) fn g1(&mut self, element: &str) -> Result<G1Affine, VerifyError> {
        g1(&[self.take(element)?, self.take(element)?], element)
    }

    pub(crate) fn g2(&mut self, element: &str) -> Result<G2Affine, VerifyError> {
        let x = [self.take(element)?, self.take(element)?];
        let y = [self.take(element)?, self.take(element)?];
        g2(&[x, y], element)
    }

    pub(crate) fn end(self) -> Result<(), VerifyError> {
        if self.rest.is_empty() {
            return Ok(());
        }
        Err(VerifyError::malformed("end of file", "has bytes after it; the file was extended"))
    }
}

/// `0x` and 64 lower-case hexadecimal digits.
pub(crate) fn to_hex(word: &Word) -> String {
    format!("0x{}", hex::encode(word))
}

/// A scalar as [`to_hex`] writes it.
pub(crate) fn scalar_to_hex(x: &Fr) -> String {
    to_hex(&field::to_be_bytes(x))
}

/// Reads `0x` and `2 * N` lower-case hexadecimal digits; upper case is refused, so that one value has one text.
pub(crate) fn from_hex<const N: usize>(text: &str, element: &str) -> Result<[u8; N], VerifyError> {
    let problem = "must be 0x and the exact number of lower-case hexadecimal digits";
    let bad = || VerifyError::malformed(element, problem);
    let digits = text.strip_prefix("0x").ok_or_else(bad)?;
    if digits.bytes().any(|b| b.is_ascii_uppercase()) {
        return Err(bad());
    }
    let mut out = [0; N];
    hex::decode_to_slice(digits, &mut out).map_err(|_| bad())?;
    Ok(out)
}

/// A scalar from `0x` and 64 lower-case hexadecimal digits.
pub(crate) fn scalar_from_hex(text: &str, element: &str) -> Result<Fr, VerifyError> {
    scalar(&from_hex(text, element)?, element)
}

/// The set of these codes; `None` when one is unknown, repeated or out of order. A set has one spelling: an 835 writes the charge of a line
/// under the reason that comes first.
pub(crate) fn reasons_from_codes(codes: &[String]) -> Option<Reasons> {
    let mut reasons = Reasons::default();
    for code in codes {
        reasons.set(Reason::ALL.into_iter().find(|reason| reason.carc() == code)?, true);
    }
    reasons.iter().map(Reason::carc).eq(codes.iter().map(String::as_str)).then_some(reasons)
}
