//! The KZG setup (SRS) of one size, and commitments to columns under it.
//!
//! **The development setup comes from a public text, so anybody can forge under it** (ADR 0009). Its tau is that of the Groth16
//! development keys. All sizes have the same tau: powers of tau are a prefix of those of a larger size, and the Lagrange
//! points of a size depend on tau and the size alone, so a file a size is the same SRS as one large file cut down.
//!
//! A setup file is `NGSR`, a version byte (1), the kind (1 development, 2 production), k, tau in G2, the powers of tau and the Lagrange points, all
//! as they lie in memory (Montgomery form, little-endian), and the SHA-256 of all that.

use super::{
    commit::{self, Salt},
    files::{self, Readers, Staged},
};
use crate::{ProveError, ceremony::CheckedPowers, fixed_base::FixedBase};
use ark_bn254::{G1Affine as ArkG1, G2Affine as ArkG2, g1};
use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::{AdditiveGroup, FftField, Field, PrimeField};
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
    development,
};
use rand::CryptoRng;
use rayon::prelude::*;
use sha2::{Digest, Sha256};
use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
};

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
        let tau = development::secret("tau");
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
        let in_g2 = in_g2(&(ArkG2::generator() * tau).into_affine());
        Ok(Self::from_points(layout, KeyKind::Development, convert(&powers), convert(&lagrange), in_g2))
    }

    /// The setup of a ceremony: as many of its powers as rows, and their Lagrange points in the order of halo2's root of unity,
    /// which is another than arkworks' and snarkjs' and generates the same domain.
    ///
    /// # Errors
    /// Powers that do not reach so far, or whose Lagrange points are not theirs.
    pub fn ceremony(
        layout: Layout,
        powers: &CheckedPowers<'_>,
        rng: &mut impl CryptoRng,
    ) -> Result<Self, ProveError> {
        let bug =
            || ProveError::Bug("two roots of unity of one order are no powers of each other".to_owned());
        let points = powers.lagrange(layout.k, rng)?;
        let theirs = ArkFr::get_root_of_unity(layout.rows() as u64).ok_or_else(bug)?;
        let omega = ArkFr::from_le_bytes_mod_order(&root(layout.k).to_repr());
        let step = logarithm(omega, theirs, layout.k).ok_or_else(bug)?;
        let mask = layout.rows() - 1;
        let lagrange =
            (0..layout.rows()).into_par_iter().map(|i| from_arkworks(&points[(i * step) & mask])).collect();
        let tau = powers.tau()[..layout.rows()].par_iter().map(from_arkworks).collect();
        Ok(Self::from_points(layout, KeyKind::Production, tau, lagrange, in_g2(powers.tau_g2())))
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

    /// The development setup from its file in a directory, which is made where it is missing or for another layout. Where nobody may
    /// write into the directory it is made and not kept: it comes from a public text, and a folder of keys may be read-only.
    ///
    /// # Errors
    /// A directory or file that cannot be read, or not be written for another reason; a file that is damaged.
    pub fn cached(directory: &Path, layout: Layout) -> Result<Self, ProveError> {
        let path = path(directory, layout);
        if path.is_file() {
            return Self::parse(&path, &files::read(&path)?, layout, KeyKind::Development);
        }
        let srs = Self::development(layout)?;
        match files::make_directory(directory, Readers::Everybody).and_then(|()| srs.write(&path)) {
            Err(ProveError::Io { source, .. })
                if directory.is_dir()
                    && matches!(
                        source.kind(),
                        ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied
                    ) => {}
            kept => drop(kept?),
        }
        Ok(srs)
    }

    /// Writes the setup's file, and returns the SHA-256 of all of it.
    pub(super) fn write(&self, path: &Path) -> Result<[u8; DIGEST], ProveError> {
        let bytes = self.to_bytes();
        let sum = Sha256::digest(&bytes);
        Staged::new(path, &[&bytes, &sum], Readers::Everybody)?.commit()?;
        Ok(Sha256::new().chain_update(&bytes).chain_update(sum).finalize().into())
    }

    /// Reads the setup of a ceremony from its file, which must have this SHA-256.
    ///
    /// # Errors
    /// A file that cannot be read, or another one.
    pub(super) fn production(path: &Path, layout: Layout, digest: &[u8; DIGEST]) -> Result<Self, ProveError> {
        let bytes = files::read(path)?;
        if Sha256::digest(&bytes)[..] != digest[..] {
            return Err(ProveError::Corrupt {
                path: path.to_owned(),
                problem: "is not the setup that setup.json lists: it was damaged or exchanged; import the powers of tau again"
                    .to_owned(),
            });
        }
        Self::parse(path, &bytes, layout, KeyKind::Production)
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER + 128 * self.layout.rows() + DIGEST);
        bytes.extend(MAGIC);
        bytes.extend([kind_byte(self.kind), self.layout.k as u8]);
        bytes.extend(self.points.tau.to_raw_bytes());
        for point in self.powers().iter().chain(&self.lagrange) {
            bytes.extend(raw(&point.x));
            bytes.extend(raw(&point.y));
        }
        bytes
    }

    fn parse(path: &Path, bytes: &[u8], layout: Layout, kind: KeyKind) -> Result<Self, ProveError> {
        let mend = match kind {
            KeyKind::Development => "remove it to have the development setup made anew",
            KeyKind::Production => "import the powers of tau again",
        };
        let corrupt = |problem: &str| ProveError::Corrupt {
            path: path.to_owned(),
            problem: format!("{problem}; {mend}"),
        };
        let content = bytes
            .split_last_chunk::<DIGEST>()
            .filter(|(content, sum)| Sha256::digest(content)[..] == sum[..]);
        let (content, _) =
            content.ok_or_else(|| corrupt("is damaged: its digest is not that of its content"))?;
        let header = [&MAGIC[..], &[kind_byte(kind), layout.k as u8]].concat();
        if !content.starts_with(&header) || content.len() != HEADER + 128 * layout.rows() {
            return Err(corrupt("is not the setup of this size and kind"));
        }
        let (tau, points) = content[header.len()..].split_at(128);
        let tau = G2Affine::from_raw_bytes(tau).ok_or_else(|| corrupt("has a tau that is no point"))?;
        let (powers, lagrange) = points.split_at(64 * layout.rows());
        // The digest guards against accidents, as for proving keys; a file altered on purpose makes proofs that do not verify.
        let read = |bytes: &[u8]| -> Vec<G1Affine> {
            bytes.par_chunks_exact(64).map(G1Affine::from_raw_bytes_unchecked).collect()
        };
        Ok(Self::from_points(layout, kind, read(powers), read(lagrange), tau))
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

    /// The powers of tau in G1, as many as rows.
    #[must_use]
    pub fn powers(&self) -> &[G1Affine] {
        self.params.get_g()
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

const fn kind_byte(kind: KeyKind) -> u8 {
    match kind {
        KeyKind::Development => 1,
        KeyKind::Production => 2,
    }
}

/// The exponent with which a root of unity of order 2^k is a power of another: bit by bit (Pohlig and Hellman 1978).
fn logarithm(power: ArkFr, base: ArkFr, k: u32) -> Option<usize> {
    let mut exponent = 0_usize;
    for bit in 0..k {
        let rest = power * base.pow([exponent as u64]).inverse()?;
        if rest.pow([1 << (k - 1 - bit)]) != ArkFr::ONE {
            exponent |= 1 << bit;
        }
    }
    (base.pow([exponent as u64]) == power).then_some(exponent)
}

fn in_g2(point: &ArkG2) -> G2Affine {
    let coordinate = |c: &ark_bn254::Fq2| Fq2 { c0: coordinate(&c.c0), c1: coordinate(&c.c1) };
    G2Affine { x: coordinate(&point.x), y: coordinate(&point.y) }
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
