//! Groth16 `.zkey` files as snarkjs writes them. All that is checked here is that the bytes are such a file: the sizes fit,
//! every element is reduced and every point is in its group. What it says is checked by [`check`](super::check()).

use super::{
    chain::Contribution,
    container::{Container, Cursor},
    digest::LENGTH,
    encoding::{Flaw, G1, G2, Group, WORD, limbs, point, points},
    error::{CeremonyError, FileKind},
};
use ark_bn254::{Fq, Fr, G1Affine, G2Affine};
use ark_ff::{BigInt, PrimeField};
use rayon::prelude::*;

const KIND: FileKind = FileKind::Zkey;
const SECTIONS: [u32; 10] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];
/// Bytes of a coefficient: matrix, row, column, value.
const COEFFICIENT: usize = 12 + WORD;
/// The largest domain: its double is the largest that there is.
const MOST_ROWS: usize = 1 << 27;
/// The most contributions that are read; ceremonies have tens.
const MOST_CONTRIBUTIONS: u32 = 1 << 10;

/// A Groth16 key of snarkjs.
pub struct Zkey<'a> {
    pub(super) variables: usize,
    pub(super) public: usize,
    pub(super) domain: usize,
    pub(super) alpha_g1: G1Affine,
    pub(super) beta_g1: G1Affine,
    pub(super) beta_g2: G2Affine,
    pub(super) gamma_g2: G2Affine,
    pub(super) delta_g1: G1Affine,
    pub(super) delta_g2: G2Affine,
    /// The one's and the public inputs' points.
    pub(super) inputs: Vec<G1Affine>,
    /// The coefficients of A and B, with their number before them.
    pub(super) coefficients: &'a [u8],
    pub(super) a: Vec<G1Affine>,
    pub(super) b_g1: Vec<G1Affine>,
    pub(super) b_g2: Vec<G2Affine>,
    pub(super) l: Vec<G1Affine>,
    pub(super) h: Vec<G1Affine>,
    pub(super) circuit_hash: [u8; LENGTH],
    pub(super) contributions: Vec<Contribution>,
}

impl<'a> Zkey<'a> {
    /// Reads a file.
    ///
    /// # Errors
    /// Whatever is not exactly such a file.
    pub fn parse(file: &'a [u8]) -> Result<Self, CeremonyError> {
        let container = Container::read(file, KIND, *b"zkey")?;
        if !container.holds(&SECTIONS) {
            let problem = "its sections are not those of a Groth16 key; make it with `snarkjs groth16 setup`";
            return Err(CeremonyError::Format { file: KIND, problem: problem.to_owned() });
        }
        let mut protocol = container.cursor(1)?;
        if protocol.u32()? != 1 {
            return Err(protocol.format("it is not a Groth16 key; make it with `snarkjs groth16 setup`"));
        }
        protocol.end()?;

        let mut header = container.cursor(2)?;
        modulus(&mut header, &Fq::MODULUS)?;
        modulus(&mut header, &Fr::MODULUS)?;
        let mut size = || header.u32().map(|size| size as usize);
        let (variables, public, domain) = (size()?, size()?, size()?);
        if variables <= public || !domain.is_power_of_two() || domain > MOST_ROWS {
            return Err(header.format("its sizes do not fit each other"));
        }
        let alpha_g1 = point(&mut header, "alpha")?;
        let beta_g1 = point(&mut header, "beta in G1")?;
        let beta_g2 = point(&mut header, "beta in G2")?;
        let gamma_g2 = point(&mut header, "gamma")?;
        let delta_g1 = point(&mut header, "delta in G1")?;
        let delta_g2 = point(&mut header, "delta in G2")?;
        header.end()?;

        // The lengths before any point: what is allocated is in proportion to what is there.
        let in_g1 = |number, length: usize| container.sized(number, length.checked_mul(G1));
        let inputs = in_g1(3, public + 1)?;
        let (a, b_g1) = (in_g1(5, variables)?, in_g1(6, variables)?);
        let b_g2 = container.sized(7, variables.checked_mul(G2))?;
        let (l, h) = (in_g1(8, variables - public - 1)?, in_g1(9, domain)?);
        let coefficients = container.section(4)?.bytes;
        check_coefficients(container.cursor(4)?, variables, domain)?;
        let (circuit_hash, contributions) = contributions(container.cursor(10)?)?;
        Ok(Self {
            variables,
            public,
            domain,
            alpha_g1,
            beta_g1,
            beta_g2,
            gamma_g2,
            delta_g1,
            delta_g2,
            inputs: section(inputs, 3)?,
            coefficients,
            a: section(a, 5)?,
            b_g1: section(b_g1, 6)?,
            b_g2: section(b_g2, 7)?,
            l: section(l, 8)?,
            h: section(h, 9)?,
            circuit_hash,
            contributions,
        })
    }

    /// Who contributed, in order.
    #[must_use]
    pub fn contributions(&self) -> &[Contribution] {
        &self.contributions
    }
}

fn section<P: Group>(bytes: &[u8], number: u32) -> Result<Vec<P>, CeremonyError> {
    points(bytes, KIND, &format!("section {number}"), 0)
}

/// A field's length and modulus.
pub(super) fn modulus(cursor: &mut Cursor<'_>, expected: &BigInt<4>) -> Result<(), CeremonyError> {
    if cursor.u32()? as usize != WORD || limbs(&cursor.take::<WORD>()?) != *expected {
        return Err(cursor.format("it is for another curve than BN254"));
    }
    Ok(())
}

/// Whether the coefficients are as many as it says, each of a matrix, row and column that there are, and reduced.
fn check_coefficients(mut cursor: Cursor<'_>, variables: usize, domain: usize) -> Result<(), CeremonyError> {
    let number = cursor.u32()? as usize;
    if number.checked_mul(COEFFICIENT) != Some(cursor.rest.len()) {
        return Err(cursor.format("it has another length than its number of coefficients says"));
    }
    let word = |bytes: &[u8], i: usize| limbs(&bytes[4 * i..]).0[0] as u32 as usize;
    let bad = cursor.rest.par_chunks_exact(COEFFICIENT).enumerate().find_map_first(|(i, bytes)| {
        let place = || format!("coefficient {i} of {}", cursor.place);
        if limbs(&bytes[12..]) >= Fr::MODULUS {
            return Some(Flaw::NotReduced.at(KIND, place()));
        }
        let inside = word(bytes, 0) < 2 && word(bytes, 1) < domain && word(bytes, 2) < variables;
        let problem = || format!("{} is of a matrix, row or column that is not there", place());
        (!inside).then(|| CeremonyError::Format { file: KIND, problem: problem() })
    });
    bad.map_or(Ok(()), Err)
}

fn contributions(mut cursor: Cursor<'_>) -> Result<([u8; LENGTH], Vec<Contribution>), CeremonyError> {
    let circuit_hash = cursor.take()?;
    let number = cursor.u32()?;
    if number > MOST_CONTRIBUTIONS {
        // Each costs pairings before it can be found to be wrong.
        return Err(
            cursor.format(&format!("it says {number} contributions; at most {MOST_CONTRIBUTIONS} are read"))
        );
    }
    let mut contributions = Vec::new();
    for i in 1..=number {
        cursor.place = format!("contribution {i}");
        contributions.push(Contribution::read(&mut cursor)?);
    }
    cursor.end()?;
    Ok((circuit_hash, contributions))
}
