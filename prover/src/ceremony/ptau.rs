//! `.ptau` files as snarkjs writes them: powers of tau in G1, times 1, alpha and beta, and for each smaller power of two the
//! Lagrange points of that domain.
//!
//! What is read is checked to be reduced and in its group. Of the powers of tau in G2, the first two and one for each size of
//! key are used; the others and their Lagrange points are not looked at: what G2 holds in a key is compared with G1.

use super::{
    chain::{Beacon, parameters},
    container::{Container, Cursor},
    encoding::{G1, G2, Group, WORD, limbs, point, points},
    error::{CeremonyError, FileKind},
    overread,
};
use ark_bn254::{Fq, G1Affine, G2Affine};
use ark_ec::AffineRepr;
use ark_ff::PrimeField;
use std::ops::Range;

const KIND: FileKind = FileKind::Ptau;
/// Of a file as contributions make it.
const PLAIN: [u32; 7] = [1, 2, 3, 4, 5, 6, 7];
/// Of a file that is prepared for keys of circuits.
const PREPARED: [u32; 11] = [1, 2, 3, 4, 5, 6, 7, 12, 13, 14, 15];
const MOST_POWER: u32 = 28;
/// The hash of a contribution's response as it was before the last block, and the hash after it.
const HASHES: usize = 216 + 64;

/// Which multiples of the powers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Factor {
    One,
    Alpha,
    Beta,
}

impl Factor {
    const fn powers(self) -> u32 {
        match self {
            Self::One => 2,
            Self::Alpha => 4,
            Self::Beta => 5,
        }
    }

    const fn lagrange(self) -> u32 {
        match self {
            Self::One => 12,
            Self::Alpha => 14,
            Self::Beta => 15,
        }
    }
}

/// Who contributed to the powers. Nothing but the digest of the whole file binds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PowersContribution {
    /// What its maker called itself.
    pub name: Option<String>,
    /// The beacon that it was made from, if it was.
    pub beacon: Option<Beacon>,
}

/// A file of powers of tau.
pub struct Ptau<'a> {
    file: &'a [u8],
    container: Container<'a>,
    power: u32,
    pub(super) tau_g2: G2Affine,
    pub(super) beta_g2: G2Affine,
    contributions: Vec<PowersContribution>,
}

impl<'a> Ptau<'a> {
    /// Reads a prepared file. Points are read when they are used.
    ///
    /// # Errors
    /// Whatever is not exactly such a file.
    pub fn parse(file: &'a [u8]) -> Result<Self, CeremonyError> {
        let container = Container::read(file, KIND, *b"ptau")?;
        if container.holds(&PLAIN) {
            return Err(CeremonyError::NotPrepared);
        }
        if !container.holds(&PREPARED) {
            let problem = "its sections are not those of prepared powers of tau";
            return Err(CeremonyError::Format { file: KIND, problem: problem.to_owned() });
        }
        let mut header = container.cursor(1)?;
        if header.u32()? as usize != WORD || limbs(&header.take::<WORD>()?) != Fq::MODULUS {
            return Err(header.format("it is for another curve than BN254"));
        }
        let (power, ceremony) = (header.u32()?, header.u32()?);
        if !(1..=MOST_POWER).contains(&power) || !(power..=MOST_POWER).contains(&ceremony) {
            return Err(header.format("its power is out of range"));
        }
        header.end()?;
        let sized = |number, points: usize, bytes| container.sized(number, points.checked_mul(bytes));
        let rows = 1_usize << power;
        sized(2, 2 * rows - 1, G1)?;
        sized(3, rows, G2)?;
        sized(4, rows, G1)?;
        sized(5, rows, G1)?;
        sized(6, 1, G2)?;
        sized(12, 4 * rows - 1, G1)?;
        sized(13, 2 * rows - 1, G2)?;
        sized(14, 2 * rows - 1, G1)?;
        sized(15, 2 * rows - 1, G1)?;
        let mut in_g2 = container.cursor(3)?;
        if point::<G2Affine>(&mut in_g2, "the first power")? != G2Affine::generator() {
            return Err(CeremonyError::Powers("its first power in G2 is not the generator"));
        }
        let tau_g2 = point(&mut in_g2, "tau")?;
        let beta_g2 = point(&mut container.cursor(6)?, "beta")?;
        let contributions = contributions(container.cursor(7)?)?;
        Ok(Self { file, container, power, tau_g2, beta_g2, contributions })
    }

    /// It has 2^power powers.
    #[must_use]
    pub const fn power(&self) -> u32 {
        self.power
    }

    /// Who contributed.
    #[must_use]
    pub fn contributions(&self) -> &[PowersContribution] {
        &self.contributions
    }

    /// A range of the powers in G1: tau^0 on. There are `2 * 2^power - 1` of tau itself and `2^power` times alpha or beta.
    pub(super) fn powers(&self, factor: Factor, range: Range<usize>) -> Result<Vec<G1Affine>, CeremonyError> {
        self.points(factor.powers(), range)
    }

    /// A power of tau in G2: there are 2^power of them.
    pub(super) fn power_in_g2(&self, index: usize) -> Result<G2Affine, CeremonyError> {
        let truncated = || CeremonyError::Truncated { file: KIND, place: "section 3".to_owned() };
        let bytes =
            self.container.section(3)?.bytes.get(index * G2..(index + 1) * G2).ok_or_else(truncated)?;
        points(bytes, KIND, "section 3", index)?.pop().ok_or_else(truncated)
    }

    /// The Lagrange points of the domain of `2^power` rows, in the order of arkworks' root of unity.
    pub(super) fn lagrange(&self, factor: Factor, power: u32) -> Result<Vec<G1Affine>, CeremonyError> {
        // The domains lie one behind the other, the smallest first.
        let first = (1 << power) - 1;
        self.points(factor.lagrange(), first..first + (1 << power))
    }

    fn points(&self, number: u32, range: Range<usize>) -> Result<Vec<G1Affine>, CeremonyError> {
        let section = self.container.section(number)?.bytes;
        let bytes = section
            .get(range.start * G1..range.end * G1)
            .ok_or_else(|| CeremonyError::Truncated { file: KIND, place: format!("section {number}") })?;
        points(bytes, KIND, &format!("section {number}"), range.start)
    }

    /// What snarkjs hashes of the point at place `i` of the powers less that at place `j`, when `i` is the first place
    /// behind them.
    pub(super) fn behind_less(&self, i: usize, j: usize) -> Result<Vec<u8>, CeremonyError> {
        let section = self.container.section(2)?;
        let at = section.start + i * G1;
        let truncated = || CeremonyError::Truncated { file: KIND, place: "section 2".to_owned() };
        let behind = self.file.get(at..at + G1).ok_or_else(truncated)?;
        let [power] = self.points(2, j..j + 1)?[..] else { return Err(truncated()) };
        Ok(overread::difference(behind, &power))
    }
}

fn contributions(mut cursor: Cursor<'_>) -> Result<Vec<PowersContribution>, CeremonyError> {
    let number = cursor.u32()?;
    let mut contributions = Vec::new();
    for i in 1..=number {
        cursor.place = format!("contribution {i}");
        // tau, alpha and beta after it, and its key with proofs of knowledge of the three.
        for (in_g2, name) in
            [(false, "tau"), (true, "tau"), (false, "alpha"), (false, "beta"), (true, "beta")]
        {
            read(&mut cursor, in_g2, name)?;
        }
        for in_g2 in [false, false, false, false, false, false, true, true, true] {
            read(&mut cursor, in_g2, "its key")?;
        }
        cursor.bytes(HASHES)?;
        let kind = cursor.u32()?;
        let (name, beacon) = parameters(&mut cursor, kind, char::is_control)?;
        contributions.push(PowersContribution { name, beacon });
    }
    cursor.end()?;
    Ok(contributions)
}

fn read(cursor: &mut Cursor<'_>, in_g2: bool, name: &str) -> Result<(), CeremonyError> {
    if in_g2 { point::<G2Affine>(cursor, name).map(drop) } else { point::<G1Affine>(cursor, name).map(drop) }
}

const _: () = assert!(<G1Affine as Group>::BYTES == G1 && <G2Affine as Group>::BYTES == G2);
