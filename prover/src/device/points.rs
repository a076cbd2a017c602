//! Points and vectors as key files and devices hold them: plain words in memory, owned or mapped from a file.
//!
//! A coordinate is four little-endian limbs of its Montgomery form with R = 2^256, reduced: what arkworks keeps in
//! memory, so that a mapped file is used in place. Infinity is all zeros, which no finite point of either curve is
//! (b is not zero).

use ark_bn254::{Fq, Fq2, G1Affine, G2Affine};
use ark_ec::AffineRepr;
use ark_ff::{BigInt, PrimeField};
use bytemuck::{Pod, Zeroable};
use memmap2::Mmap;
use std::{fmt, marker::PhantomData, ops::Range, sync::Arc};

/// A point of G1: x, y.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C, align(64))]
pub struct G1Point(pub [u64; 8]);

/// A point of G2: x.c0, x.c1, y.c0, y.c1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C, align(64))]
pub struct G2Point(pub [u64; 16]);

fn limbs<const N: usize, const M: usize>(coordinates: [Fq; N]) -> [u64; M] {
    let mut limbs = [0; M];
    for (limbs, coordinate) in limbs.chunks_exact_mut(4).zip(coordinates) {
        limbs.copy_from_slice(&coordinate.0.0);
    }
    limbs
}

/// The coordinate at place `i`. Limbs that are not reduced give an element that equals no reduced one: wrong, not unsafe.
fn coordinate(limbs: &[u64], i: usize) -> Fq {
    let mut words = [0; 4];
    words.copy_from_slice(&limbs[4 * i..4 * i + 4]);
    Fq::new_unchecked(BigInt(words))
}

impl From<G1Affine> for G1Point {
    fn from(point: G1Affine) -> Self {
        Self(point.xy().map_or([0; 8], |(x, y)| limbs([x, y])))
    }
}

impl From<G2Affine> for G2Point {
    fn from(point: G2Affine) -> Self {
        Self(point.xy().map_or([0; 16], |(x, y)| limbs([x.c0, x.c1, y.c0, y.c1])))
    }
}

impl From<G1Point> for G1Affine {
    fn from(point: G1Point) -> Self {
        if point.is_infinity() {
            return Self::zero();
        }
        Self::new_unchecked(coordinate(&point.0, 0), coordinate(&point.0, 1))
    }
}

impl From<G2Point> for G2Affine {
    fn from(point: G2Point) -> Self {
        if point.is_infinity() {
            return Self::zero();
        }
        let [x, y] = [0, 2].map(|i| Fq2::new(coordinate(&point.0, i), coordinate(&point.0, i + 1)));
        Self::new_unchecked(x, y)
    }
}

/// Whether all coordinates are below the modulus.
fn reduced(limbs: &[u64]) -> bool {
    let [.., high] = Fq::MODULUS.0;
    // The highest limb decides all but one in 2^62.
    let below = |limbs: &[u64]| limbs[3] < high || limbs.iter().rev().lt(Fq::MODULUS.0.iter().rev());
    limbs.chunks_exact(4).all(below)
}

impl G1Point {
    /// Whether it is the neutral element.
    #[must_use]
    pub fn is_infinity(&self) -> bool {
        self.0 == [0; 8]
    }

    /// Whether each coordinate is below the modulus, as all arithmetic takes it to be.
    #[must_use]
    pub fn is_reduced(&self) -> bool {
        reduced(&self.0)
    }
}

impl G2Point {
    /// Whether it is the neutral element.
    #[must_use]
    pub fn is_infinity(&self) -> bool {
        self.0 == [0; 16]
    }

    /// Whether each part of a coordinate is below the modulus, as all arithmetic takes it to be.
    #[must_use]
    pub fn is_reduced(&self) -> bool {
        reduced(&self.0)
    }
}

/// A read-only array, shared cheaply: owned, or a part of a mapped file. It reads like a slice.
pub struct Slab<T> {
    memory: Arc<Memory<T>>,
    /// Bytes of a mapped file; unused for owned memory.
    range: Range<usize>,
    element: PhantomData<T>,
}

enum Memory<T> {
    Owned(Vec<T>),
    Mapped(Arc<Mmap>),
}

impl<T> Clone for Slab<T> {
    fn clone(&self) -> Self {
        Self { memory: Arc::clone(&self.memory), range: self.range.clone(), element: PhantomData }
    }
}

impl<T> fmt::Debug for Slab<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slab").finish_non_exhaustive()
    }
}

impl<T> From<Vec<T>> for Slab<T> {
    fn from(elements: Vec<T>) -> Self {
        Self { memory: Arc::new(Memory::Owned(elements)), range: 0..0, element: PhantomData }
    }
}

impl<T: Pod> Slab<T> {
    /// These bytes of a mapped file; `None` when they are outside it, not aligned, or no whole number of elements.
    #[must_use]
    pub fn mapped(file: Arc<Mmap>, range: Range<usize>) -> Option<Self> {
        bytemuck::try_cast_slice::<u8, T>(file.get(range.clone())?).ok()?;
        Some(Self { memory: Arc::new(Memory::Mapped(file)), range, element: PhantomData })
    }
}

impl<T: Pod> std::ops::Deref for Slab<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        match &*self.memory {
            Memory::Owned(elements) => elements,
            // Checked when the slab was made. It costs a few comparisons: inner loops take the slice once.
            Memory::Mapped(file) => bytemuck::cast_slice(&file[self.range.clone()]),
        }
    }
}
