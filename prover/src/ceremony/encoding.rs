//! Points and field elements as snarkjs has them.
//!
//! In files, a coordinate is the little-endian Montgomery form with R = 2^256, which is what arkworks keeps in memory, and
//! infinity is all zeros. In hashes, it is big-endian and canonical, the imaginary part of an element of Fq2 first.

use super::{
    container::Cursor,
    error::{CeremonyError, FileKind},
};
use ark_bn254::{Fq, Fq2, g1, g2};
use ark_ec::{AffineRepr, short_weierstrass::Affine};
use ark_ff::{BigInt, PrimeField};
use rayon::prelude::*;

/// Bytes of a field element.
pub(super) const WORD: usize = 32;
/// Bytes of a point of G1.
pub(super) const G1: usize = 2 * WORD;
/// Bytes of a point of G2.
pub(super) const G2: usize = 4 * WORD;

/// What is wrong with a point or an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    NotReduced,
    OffCurve,
    OutsideSubgroup,
}

impl Flaw {
    /// The error of a file.
    pub(super) fn at(self, file: FileKind, place: String) -> CeremonyError {
        match self {
            Self::NotReduced => CeremonyError::NotReduced { file, place },
            Self::OffCurve => CeremonyError::OffCurve { file, place },
            Self::OutsideSubgroup => CeremonyError::OutsideSubgroup { file, place },
        }
    }
}

/// 256 bits, little-endian.
pub(super) fn limbs(bytes: &[u8]) -> BigInt<4> {
    let mut limbs = [0; 4];
    for (limb, bytes) in limbs.iter_mut().zip(bytes.as_chunks::<8>().0) {
        *limb = u64::from_le_bytes(*bytes);
    }
    BigInt(limbs)
}

fn coordinate(bytes: &[u8]) -> Result<Fq, Flaw> {
    let limbs = limbs(bytes);
    if limbs >= Fq::MODULUS {
        return Err(Flaw::NotReduced);
    }
    Ok(Fq::new_unchecked(limbs))
}

/// A group whose points are in a file.
pub(super) trait Group: AffineRepr {
    /// Bytes of a point.
    const BYTES: usize;

    /// From so many bytes.
    fn read(bytes: &[u8]) -> Result<Self, Flaw>;

    /// Appends what is hashed of it.
    fn hashed(&self, out: &mut Vec<u8>);
}

fn big_endian(coordinate: &Fq, out: &mut Vec<u8>) {
    let limbs = coordinate.into_bigint().0;
    limbs.iter().rev().for_each(|limb| out.extend(limb.to_be_bytes()));
}

impl Group for Affine<g1::Config> {
    const BYTES: usize = G1;

    fn read(bytes: &[u8]) -> Result<Self, Flaw> {
        if bytes.iter().all(|byte| *byte == 0) {
            return Ok(Self::zero());
        }
        let (x, y) = bytes.split_at(WORD);
        let point = Self::new_unchecked(coordinate(x)?, coordinate(y)?);
        // G1 of BN254 has cofactor 1: on the curve is in the group.
        if point.is_on_curve() { Ok(point) } else { Err(Flaw::OffCurve) }
    }

    fn hashed(&self, out: &mut Vec<u8>) {
        let (x, y) = self.xy().unwrap_or_default();
        [x, y].iter().for_each(|coordinate| big_endian(coordinate, out));
    }
}

impl Group for Affine<g2::Config> {
    const BYTES: usize = G2;

    fn read(bytes: &[u8]) -> Result<Self, Flaw> {
        if bytes.iter().all(|byte| *byte == 0) {
            return Ok(Self::zero());
        }
        let (x, y) = bytes.split_at(2 * WORD);
        let pair = |bytes: &[u8]| {
            let (real, imaginary) = bytes.split_at(WORD);
            Ok(Fq2::new(coordinate(real)?, coordinate(imaginary)?))
        };
        let point = Self::new_unchecked(pair(x)?, pair(y)?);
        if !point.is_on_curve() {
            return Err(Flaw::OffCurve);
        }
        if !point.is_in_correct_subgroup_assuming_on_curve() {
            return Err(Flaw::OutsideSubgroup);
        }
        Ok(point)
    }

    fn hashed(&self, out: &mut Vec<u8>) {
        let (x, y) = self.xy().unwrap_or_default();
        [x.c1, x.c0, y.c1, y.c0].iter().for_each(|coordinate| big_endian(coordinate, out));
    }
}

/// The points that fill a section, or a part of it, of which the first has this number there.
pub(super) fn points<P: Group>(
    bytes: &[u8],
    file: FileKind,
    section: &str,
    first: usize,
) -> Result<Vec<P>, CeremonyError> {
    bytes
        .par_chunks_exact(P::BYTES)
        .enumerate()
        .map(|(i, bytes)| {
            P::read(bytes).map_err(|flaw| flaw.at(file, format!("point {} of {section}", first + i)))
        })
        .collect()
}

/// A finite point.
pub(super) fn point<P: Group>(cursor: &mut Cursor<'_>, name: &str) -> Result<P, CeremonyError> {
    let place = format!("{name} in {}", cursor.place);
    let point = P::read(cursor.bytes(P::BYTES)?).map_err(|flaw| flaw.at(cursor.kind, place.clone()))?;
    if point.is_zero() {
        return Err(CeremonyError::Infinite { file: cursor.kind, place });
    }
    Ok(point)
}

/// What is hashed of points.
pub(super) fn hashed<P: Group>(points: &[P]) -> Vec<u8> {
    let block = |points: &[P]| {
        let mut out = Vec::with_capacity(points.len() * P::BYTES);
        points.iter().for_each(|point| point.hashed(&mut out));
        out
    };
    points.par_chunks(1 << 12).map(block).collect::<Vec<_>>().concat()
}
