//! The KZG setup (SRS) of one size, and commitments to columns under it.
//!
//! **The development setup comes from a public text, so anybody can forge under it** (ADR 0009). Its tau is that of the Groth16
//! development keys. All sizes have the same tau: powers of tau are a prefix of those of a larger size, and the Lagrange
//! points of a size depend on tau and the size alone, so a file a size is the same SRS as one large file cut down.
//!
//! A setup file is `NGSR`, a version byte (1), the kind (1 development), k, tau in G2, the powers of tau and the Lagrange points, all
//! as they lie in memory (Montgomery form, little-endian), and the SHA-256 of all that.

use super::{
    commit::{self, Salt},
    files::{self, Readers, Staged},
};
use crate::{ProveError, fixed_base::FixedBase, setup};
use ark_bn254::{G1Affine as ArkG1, G2Affine as ArkG2, g1};
use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::{AdditiveGroup, Field, PrimeField};
use halo2_proofs::{
    halo2curves::{
        bn256::{Bn256, Fq, Fq2, G1Affine, G2Affine},
        ff::PrimeField as _,
        group::prime::PrimeCurveAffine,
        serde::SerdeObject,
    },
    poly::{commitment::ParamsProver, kzg::commitment::ParamsKZG},
};
use nightingale_circuits::{Fr as ArkFr, cohort::Layout};
use nightingale_verifier::{
    KeyKind,
    cohort::{SetupPoints, key::root, link::SALT},
};
use rayon::prelude::*;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

const MAGIC: [u8; 5] = *b"NGSR\x01";
const HEADER: usize = MAGIC.len() + 2 + 128;
const DIGEST: usize = 32;

/// The setup of one layout.
pub struct Srs {
    layout: Layout,
    kind: KeyKind,
    params: ParamsKZG<Bn256>,
    lagrange: Vec<G1Affine>,
    points: SetupPoints,
}

impl Srs {
    /// The development setup.
    ///
    /// # Errors
    /// Never in practice: a tau that lies in the domain.
    pub fn development(layout: Layout) -> Result<Self, ProveError> {
        let bug = || ProveError::Bug("the development tau lies in the domain".to_owned());
        let tau = setup::development_tau();
        let omega = ArkFr::from_le_bytes_mod_order(&root(layout.k).to_repr());
        let powers = successive(ArkFr::ONE, tau, layout.rows());
        let roots = successive(ArkFr::ONE, omega, layout.rows());
        // L_i(tau) = (tau^n - 1) / n * omega^i / (tau - omega^i)
        let vanishing = tau.pow([layout.rows() as u64]) - ArkFr::ONE;
        let size = ArkFr::from(layout.rows() as u64).inverse().ok_or_else(bug)?;
        let mut lagrange: Vec<ArkFr> = roots.par_iter().map(|root| tau - root).collect();
        if lagrange.contains(&ArkFr::ZERO) {
            return Err(bug());
        }
        ark_ff::batch_inversion(&mut lagrange);
        let factor = vanishing * size;
        lagrange.par_iter_mut().zip(&roots).for_each(|(value, root)| *value *= factor * root);

        let multiples = FixedBase::<g1::Config>::new(ArkG1::generator());
        let convert = |scalars: &[ArkFr]| -> Vec<G1Affine> {
            multiples.multiples(scalars).par_iter().map(from_arkworks).collect()
        };
        let in_g2 = (ArkG2::generator() * tau).into_affine();
        let coordinate = |c: ark_bn254::Fq2| Fq2 { c0: coordinate(&c.c0), c1: coordinate(&c.c1) };
        let in_g2 = G2Affine { x: coordinate(in_g2.x), y: coordinate(in_g2.y) };
        Ok(Self::from_points(layout, KeyKind::Development, convert(&powers), convert(&lagrange), in_g2))
    }

    fn from_points(
        layout: Layout,
        kind: KeyKind,
        powers: Vec<G1Affine>,
        lagrange: Vec<G1Affine>,
        tau: G2Affine,
    ) -> Self {
        let identity: Vec<u64> = (0..layout.capacity() as u64).collect();
        let identity = commit::records(&lagrange[layout.head..], &identity);
        let mut span = [G1Affine::identity(); SALT];
        span.copy_from_slice(&lagrange[layout.salt()..]);
        // halo2 has no other constructor.
        let params = ParamsKZG::<Bn256>::new(1).from_parts(
            layout.k,
            powers,
            Some(lagrange.clone()),
            G2Affine::generator(),
            tau,
        );
        Self { layout, kind, params, lagrange, points: SetupPoints { tau, identity, span } }
    }

    /// The development setup from its file in a directory, which is made where it is missing or for another layout.
    ///
    /// # Errors
    /// A directory or file that cannot be read or written; a file that is damaged.
    pub fn cached(directory: &Path, layout: Layout) -> Result<Self, ProveError> {
        let path = path(directory, layout);
        if path.is_file() {
            return Self::read(&path, layout);
        }
        files::make_directory(directory, Readers::Everybody)?;
        let srs = Self::development(layout)?;
        let bytes = srs.to_bytes();
        let sum = Sha256::digest(&bytes);
        Staged::new(&path, &[&bytes, &sum], Readers::Everybody)?.commit()?;
        Ok(srs)
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER + 128 * self.layout.rows() + DIGEST);
        bytes.extend(MAGIC);
        bytes.extend([1, self.layout.k as u8]);
        bytes.extend(self.points.tau.to_raw_bytes());
        for point in self.params.get_g().iter().chain(&self.lagrange) {
            bytes.extend(raw(&point.x));
            bytes.extend(raw(&point.y));
        }
        bytes
    }

    fn read(path: &Path, layout: Layout) -> Result<Self, ProveError> {
        let corrupt = |problem: &str| ProveError::Corrupt {
            path: path.to_owned(),
            problem: format!("{problem}; remove it to have the development setup made anew"),
        };
        let bytes = files::read(path)?;
        let content = bytes
            .split_last_chunk::<DIGEST>()
            .filter(|(content, sum)| Sha256::digest(content)[..] == sum[..]);
        let (content, _) =
            content.ok_or_else(|| corrupt("is damaged: its digest is not that of its content"))?;
        let header = [&MAGIC[..], &[1, layout.k as u8]].concat();
        if !content.starts_with(&header) || content.len() != HEADER + 128 * layout.rows() {
            return Err(corrupt("is not the development setup of this size"));
        }
        let (tau, points) = content[header.len()..].split_at(128);
        let tau = G2Affine::from_raw_bytes(tau).ok_or_else(|| corrupt("has a tau that is no point"))?;
        let (powers, lagrange) = points.split_at(64 * layout.rows());
        // The digest guards against accidents, as for proving keys; a file altered on purpose makes proofs that do not verify.
        let read = |bytes: &[u8]| -> Vec<G1Affine> {
            bytes.par_chunks_exact(64).map(G1Affine::from_raw_bytes_unchecked).collect()
        };
        Ok(Self::from_points(layout, KeyKind::Development, read(powers), read(lagrange), tau))
    }

    /// Where its rows are.
    #[must_use]
    pub const fn layout(&self) -> Layout {
        self.layout
    }

    /// Where it comes from.
    #[must_use]
    pub const fn kind(&self) -> KeyKind {
        self.kind
    }

    /// halo2's parameters.
    #[must_use]
    pub const fn params(&self) -> &ParamsKZG<Bn256> {
        &self.params
    }

    /// What verifiers need of it.
    #[must_use]
    pub const fn points(&self) -> &SetupPoints {
        &self.points
    }

    /// The Lagrange points of all rows.
    #[must_use]
    pub fn lagrange(&self) -> &[G1Affine] {
        &self.lagrange
    }

    /// The commitment to a column with these values in its record rows and this salt.
    #[must_use]
    pub fn commit(&self, records: &[u64], salt: &Salt) -> G1Affine {
        commit::column(&self.lagrange[self.layout.head..], records, &self.points.span, salt)
    }
}

fn path(directory: &Path, layout: Layout) -> PathBuf {
    directory.join(format!("development.{}.srs", layout.k))
}

/// `first, first * factor, ..`, in parallel.
fn successive(first: ArkFr, factor: ArkFr, length: usize) -> Vec<ArkFr> {
    const CHUNK: usize = 1024;
    let mut all = vec![ArkFr::ZERO; length];
    all.par_chunks_mut(CHUNK).enumerate().for_each(|(chunk, values)| {
        let mut value = first * factor.pow([(chunk * CHUNK) as u64]);
        for slot in values {
            *slot = value;
            value *= factor;
        }
    });
    all
}

/// Both libraries hold a coordinate as four little-endian limbs in Montgomery form with R = 2^256.
fn coordinate(x: &ark_bn254::Fq) -> Fq {
    let mut bytes = [0; 32];
    for (chunk, limb) in bytes.chunks_exact_mut(8).zip(x.0.0) {
        chunk.copy_from_slice(&limb.to_le_bytes());
    }
    Fq::from_raw_bytes_unchecked(&bytes)
}

fn raw(x: &Fq) -> Vec<u8> {
    x.to_raw_bytes()
}

fn from_arkworks(point: &ArkG1) -> G1Affine {
    match point.xy() {
        Some((x, y)) => G1Affine { x: coordinate(&x), y: coordinate(&y) },
        None => G1Affine::identity(),
    }
}
