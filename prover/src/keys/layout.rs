//! The bytes of a proving key file, version 2, which are also what the prover computes with: nothing is converted.
//!
//! | bytes | |
//! |---|---|
//! | 8 | `NGPK`, the version (2), three zeros |
//! | 4, 4 | public inputs, columns of the constraint system |
//! | 32, 32 | digests of the verifying key's file and of the constraint system |
//! | 8 each | lengths in bytes of the sections below, in this order |
//! | 24 | zeros |
//!
//! The sections follow, each from the next multiple of 64, so that every array is aligned in a mapped file:
//!
//! 1. in G1: alpha, beta, delta, then the verifying key's points of the one and each public input;
//! 2. in G2: beta, gamma, delta;
//! 3. for A, B and C: where each row starts among the terms and where the last ends (u32), the terms (index of the
//!    coefficient, column: two u32), the distinct coefficients (1, -1, then others);
//! 4. for the A, B and L queries: the columns that have a finite point (u32, ascending);
//! 5. the finite points of A, of B in G1, of B in G2 and of L, and all points of H.
//!
//! H is the Lagrange basis on the odd points, as [`reduction`](crate::reduction) wants it and snarkjs has it; there are keys for no
//! other reduction. One of arkworks' own form does not fit: its H has one point less than the domain.
//!
//! All numbers are little-endian. Points are as in [`device::points`](crate::device::points), coefficients likewise:
//! four limbs of the Montgomery form with R = 2^256. This is the memory of a little-endian machine; there are no others.

use crate::{
    device::{G1Point, G2Point, Slab},
    groth16::{Key, Query},
    matrix::Matrix,
    reduction::System,
};
use ark_ff::{BigInt, PrimeField};
use ark_groth16::VerifyingKey;
use bytemuck::{Pod, Zeroable, bytes_of, cast_slice};
use memmap2::Mmap;
use nightingale_circuits::Fr;
use nightingale_verifier::KeyDigest;
use std::{borrow::Cow, slice, sync::Arc};

#[cfg(target_endian = "big")]
compile_error!("proving key files are used in place, and they are little-endian");

const MAGIC: [u8; 8] = *b"NGPK\x02\0\0\0";
const SECTIONS: usize = 19;
const ALIGNMENT: usize = 64;

/// Bytes of a header.
pub(super) const HEADER: usize = size_of::<Header>();

/// What a file starts with.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub(super) struct Header {
    magic: [u8; 8],
    public: u32,
    variables: u32,
    pub(super) key: [u8; 32],
    pub(super) system: [u8; 32],
    lengths: [u64; SECTIONS],
    zeros: [u64; 3],
}

impl Header {
    /// The header of a file of this version.
    pub(super) fn read(file: &[u8]) -> Option<Self> {
        let header: Self = bytemuck::pod_read_unaligned(file.get(..HEADER)?);
        (header.magic == MAGIC).then_some(header)
    }
}

type Bytes<'a> = Cow<'a, [u8]>;

/// The parts of a file, in order, without the digest at its end.
pub(super) fn write(key: &Key, digest: KeyDigest) -> Vec<Bytes<'_>> {
    let (system, verifying) = (&key.system, &key.verifying);
    let fixed = [verifying.alpha_g1, key.beta_g1, key.delta_g1];
    let in_g1: Vec<G1Point> =
        fixed.iter().chain(&verifying.gamma_abc_g1).map(|p| G1Point::from(*p)).collect();
    let in_g2 = [verifying.beta_g2, verifying.gamma_g2, verifying.delta_g2].map(G2Point::from);
    let mut sections: Vec<Bytes<'_>> =
        vec![cast_slice(&in_g1).to_vec().into(), cast_slice(&in_g2).to_vec().into()];
    for matrix in [system.a(), system.b(), system.c()] {
        let table: Vec<[u64; 4]> = matrix.coefficients().iter().map(|element| element.0.0).collect();
        sections.extend([cast_slice(matrix.starts()).into(), cast_slice(matrix.terms()).into()]);
        sections.push(cast_slice(&table).to_vec().into());
    }
    sections.extend([&key.a.columns, &key.b_g1.columns, &key.l.columns].map(|c| cast_slice(c).into()));
    sections.extend([&key.a.points, &key.b_g1.points].map(|points| cast_slice(points).into()));
    sections.push(cast_slice(&key.b_g2.points).into());
    sections.extend([&key.l.points, &key.h].map(|points| cast_slice(points).into()));

    let mut lengths = [0; SECTIONS];
    for (length, section) in lengths.iter_mut().zip(&sections) {
        *length = section.len() as u64;
    }
    // A system has fewer than 2^32 columns, or its matrices could not be.
    let size = |size: usize| u32::try_from(size).unwrap_or(u32::MAX);
    let header = Header {
        magic: MAGIC,
        public: size(system.public()),
        variables: size(system.variables()),
        key: digest.0,
        system: system.digest(),
        lengths,
        zeros: [0; 3],
    };
    let mut parts: Vec<Bytes<'_>> = vec![bytes_of(&header).to_vec().into()];
    for section in sections {
        let padding = section.len().next_multiple_of(ALIGNMENT) - section.len();
        parts.extend([section, Cow::Borrowed(&[0; ALIGNMENT][..padding])]);
    }
    parts
}

/// The key in the first `end` bytes of a file, whatever they are, if its parts fit each other.
///
/// Provers and devices compute with it as if they had built it themselves, and some index without looking. That is
/// sound because nothing of the file is reached but through these checks:
///
/// * a section is a [`Slab`], which is inside the file, aligned, and a whole number of elements, all of whose bits are
///   values of their type; sections cannot overlap, for each starts where the one before it ended;
/// * in a matrix the starts ascend from 0 to the number of terms, and each term's coefficient and column exist
///   ([`Matrix::from_parts`]); the matrices have equally many rows, and with the inputs those fit the domain, whose
///   size follows from them ([`System::from_parts`]);
/// * a query has as many points as columns, the columns ascend and exist, and the L query's are of the witness; H has
///   a point for each element of the domain ([`Key::check`]);
/// * there are no more witness columns than terms, so what is allocated by the number of columns is in proportion to
///   the file; assignments of another length than the columns are refused by the prover;
/// * coordinates and coefficients are below their moduli, as field arithmetic assumes.
pub(super) fn read(file: &Arc<Mmap>, header: &Header, end: usize) -> Result<Key, &'static str> {
    let (public, variables) = (header.public as usize, header.variables as usize);
    let mut sections = Sections { file, at: HEADER, end, lengths: header.lengths.iter().copied() };
    let in_g1 = sections.next::<G1Point>()?;
    let in_g2 = sections.next::<G2Point>()?;
    let [a, b, c] = [sections.matrix()?, sections.matrix()?, sections.matrix()?];
    let [a_columns, b_columns, l_columns] = [sections.next()?, sections.next()?, sections.next()?];
    let [a_points, b_points] = [sections.next()?, sections.next()?];
    let b_g2_points = sections.next()?;
    let [l_points, h] = [sections.next()?, sections.next()?];
    if sections.at != end || header.zeros != [0; 3] {
        return Err("its sections do not fill it");
    }

    let terms = a.terms.len() + b.terms.len() + c.terms.len();
    if variables > public.saturating_add(1 + terms) {
        return Err("the constraint system has columns that are in no constraint");
    }
    let build =
        |arrays: Arrays| Matrix::from_parts(arrays.starts, arrays.terms, table(&arrays.table)?, variables);
    let (a, (b, c)) = rayon::join(|| build(a), || rayon::join(|| build(b), || build(c)));
    let system = System::from_parts(public, variables, [a?, b?, c?], header.system)
        .map_err(|_| "the parts of the constraint system do not fit each other")?;

    if !in_g1.iter().all(G1Point::is_reduced) || !in_g2.iter().all(G2Point::is_reduced) {
        return Err("the verifying key has a point that is not reduced");
    }
    let ([alpha_g1, beta_g1, delta_g1, inputs @ ..], [beta_g2, gamma_g2, delta_g2]) = (&*in_g1, &*in_g2)
    else {
        return Err("the verifying key lacks points");
    };
    let key = Key {
        verifying: VerifyingKey {
            alpha_g1: (*alpha_g1).into(),
            beta_g2: (*beta_g2).into(),
            gamma_g2: (*gamma_g2).into(),
            delta_g2: (*delta_g2).into(),
            gamma_abc_g1: inputs.iter().map(|point| (*point).into()).collect(),
        },
        beta_g1: (*beta_g1).into(),
        delta_g1: (*delta_g1).into(),
        a: Query { columns: a_columns, points: a_points },
        // One list of columns for both groups.
        b_g2: Query { columns: b_columns.clone(), points: b_g2_points },
        b_g1: Query { columns: b_columns, points: b_points },
        l: Query { columns: l_columns, points: l_points },
        h,
        system,
    };
    key.check()?;
    Ok(key)
}

/// The sections of a file that are still to be taken.
struct Sections<'a> {
    file: &'a Arc<Mmap>,
    /// Where the next one starts: a multiple of the alignment.
    at: usize,
    end: usize,
    lengths: std::iter::Copied<slice::Iter<'a, u64>>,
}

/// The arrays of a matrix.
struct Arrays {
    starts: Slab<u32>,
    terms: Slab<[u32; 2]>,
    table: Slab<[u64; 4]>,
}

impl Sections<'_> {
    fn next<T: Pod>(&mut self) -> Result<Slab<T>, &'static str> {
        let length = self.lengths.next().and_then(|length| usize::try_from(length).ok());
        let end = length.and_then(|length| self.at.checked_add(length)).filter(|end| *end <= self.end);
        let end = end.ok_or("a section is outside the file")?;
        let slab = Slab::mapped(Arc::clone(self.file), self.at..end);
        // No overflow: a mapping ends below the last page of the address space.
        self.at = end.next_multiple_of(ALIGNMENT);
        slab.ok_or("a section is not a whole number of elements")
    }

    fn matrix(&mut self) -> Result<Arrays, &'static str> {
        Ok(Arrays { starts: self.next()?, terms: self.next()?, table: self.next()? })
    }
}

/// Coefficients as field elements.
fn table(limbs: &[[u64; 4]]) -> Result<Vec<Fr>, &'static str> {
    let element = |limbs: &[u64; 4]| {
        let below = BigInt(*limbs) < Fr::MODULUS;
        below.then(|| Fr::new_unchecked(BigInt(*limbs)))
    };
    limbs.iter().map(element).collect::<Option<_>>().ok_or("a coefficient is not reduced")
}
