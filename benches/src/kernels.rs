//! Multi-scalar multiplications and transforms beside those of arkworks, TACEO and halo2curves.

use crate::contest::{Contestant, Measured, interleave};
use anyhow::{Context, Result, anyhow, ensure};
use ark_bn254::{Fq, G1Affine, G1Projective, G2Affine, G2Projective};
use ark_ec::{AffineRepr, CurveGroup, VariableBaseMSM, scalar_mul::BatchMulPreprocessing};
use ark_ff::{BigInteger, Field, PrimeField};
use ark_poly::{EvaluationDomain, Radix2EvaluationDomain};
use halo2_proofs::halo2curves::{
    bn256,
    ff::PrimeField as _,
    group::{Curve, prime::PrimeCurveAffine},
};
use nightingale_circuits::Fr;
use nightingale_prover::{
    Device,
    device::{Direction, G1Point, G2Point, Scalars, Transform},
};
use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha20Rng;

/// Ours by name in the report.
pub type Ours<'a> = (&'a str, &'a dyn Device);

/// Full-size scalars.
#[must_use]
pub fn scalars(count: usize) -> Vec<Fr> {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let mut draw = || {
        let mut bytes = [0; 64];
        rng.fill_bytes(&mut bytes);
        Fr::from_le_bytes_mod_order(&bytes)
    };
    (0..count).map(|_| draw()).collect()
}

/// Random points: the generator's multiples by other random scalars.
fn points<G: CurveGroup<ScalarField = Fr>>(count: usize) -> Vec<G::Affine> {
    let multiples: Vec<Fr> = scalars(count).into_iter().map(|scalar| scalar.square()).collect();
    BatchMulPreprocessing::<G>::new(G::generator(), count).batch_mul(&multiples)
}

/// `sum scalars[i] * points[i]` in G1 of 2^log random terms.
///
/// # Errors
/// A device's, or sums that differ.
pub fn msm_g1(log: u32, ours: &[Ours<'_>], rounds: u16) -> Result<Measured> {
    let count = 1 << log;
    let (points, scalars) = (points::<G1Projective>(count), scalars(count));
    let packed = points.iter().map(|point| G1Point::from(*point)).collect::<Vec<_>>().into();
    let expected = G1Projective::msm_unchecked(&points, &scalars).into_affine();
    let mut contestants = Vec::new();
    for (name, device) in ours {
        let bases = device.bases_g1(&packed)?;
        let scalars = &scalars;
        contestants.push(Contestant::new(*name, move |_| {
            let sum = bases.multiply(&[Scalars::Host(scalars)])?.pop().context("no sum")?;
            Ok(sum.into_affine())
        }));
    }
    contestants.push(Contestant::new("ark-ec", |_| {
        Ok(G1Projective::msm_unchecked(&points, &scalars).into_affine())
    }));
    contestants.push(Contestant::new("taceo-ark-algebra", |_| {
        Ok(taceo_ark_algebra::msm::msm_unchecked(&points, &scalars).into_affine())
    }));
    let (theirs, their_scalars) = (halo2_points(&points)?, halo2_scalars(&scalars)?);
    contestants.push(Contestant::new("halo2curves", move |_| {
        let sum = halo2_proofs::halo2curves::msm::msm_best(&their_scalars, &theirs).to_affine();
        Ok(G1Affine::new_unchecked(coordinate(&sum.x.to_repr()), coordinate(&sum.y.to_repr())))
    }));
    interleave(format!("g1-2^{log}"), contestants, rounds, |_, sum| {
        ensure!(*sum == expected, "another sum than arkworks'");
        Ok(())
    })
}

/// The same in G2.
///
/// # Errors
/// A device's, or sums that differ.
pub fn msm_g2(log: u32, ours: &[Ours<'_>], rounds: u16) -> Result<Measured> {
    let count = 1 << log;
    let (points, scalars) = (points::<G2Projective>(count), scalars(count));
    let packed = points.iter().map(|point| G2Point::from(*point)).collect::<Vec<_>>().into();
    let expected: G2Affine = G2Projective::msm_unchecked(&points, &scalars).into_affine();
    let mut contestants = Vec::new();
    for (name, device) in ours {
        let bases = device.bases_g2(&packed)?;
        let scalars = &scalars;
        contestants.push(Contestant::new(*name, move |_| {
            let sum = bases.multiply(&[Scalars::Host(scalars)])?.pop().context("no sum")?;
            Ok(sum.into_affine())
        }));
    }
    contestants.push(Contestant::new("ark-ec", |_| {
        Ok(G2Projective::msm_unchecked(&points, &scalars).into_affine())
    }));
    contestants.push(Contestant::new("taceo-ark-algebra", |_| {
        Ok(taceo_ark_algebra::msm::msm_unchecked(&points, &scalars).into_affine())
    }));
    interleave(format!("g2-2^{log}"), contestants, rounds, |_, sum| {
        ensure!(*sum == expected, "another sum than arkworks'");
        Ok(())
    })
}

/// A transform of 2^log random coefficients to their values on the domain, in natural order, its input copied.
///
/// # Errors
/// A device's, or values that differ.
pub fn ntt(log: u32, ours: &[Ours<'_>], rounds: u16) -> Result<Measured> {
    let coefficients = scalars(1 << log);
    let domain = Radix2EvaluationDomain::<Fr>::new(1 << log).context("a domain")?;
    let expected = domain.fft(&coefficients);
    let transform = Transform::new(log, domain.group_gen, Fr::ONE, Direction::Forward)?;
    let mut contestants: Vec<Contestant<'_, Vec<Fr>>> = Vec::new();
    for (name, device) in ours {
        let coefficients = &coefficients;
        contestants.push(Contestant::new(*name, move |_| {
            let mut vector = device.vector(coefficients)?;
            vector.transform(&transform)?;
            let mut values = vec![Fr::default(); vector.len()];
            vector.read(&mut values)?;
            Ok(values)
        }));
    }
    contestants.push(Contestant::new("ark-poly", |_| {
        let mut values = coefficients.clone();
        domain.fft_in_place(&mut values);
        Ok(values)
    }));
    let taceo = taceo_ark_algebra::fft::Domain::<Fr>::with_group_gen(1 << log, domain.group_gen)
        .context("a domain")?;
    let coefficients = &coefficients;
    contestants.push(Contestant::new("taceo-ark-algebra", move |_| {
        let mut values = coefficients.clone();
        taceo.fft_in_to_out(&mut values);
        taceo_ark_algebra::fft::bit_reverse(&mut values);
        Ok(values)
    }));
    let measured = interleave(format!("ntt-2^{log}"), contestants, rounds, |_, values| {
        ensure!(*values == expected, "other values than arkworks'");
        Ok(())
    })?;
    halo2_ntt(log, &domain, coefficients, &expected, rounds, measured)
}

/// halo2curves' transform has elements of its own: it runs after the others, in as many rounds, and joins their list.
fn halo2_ntt(
    log: u32,
    domain: &Radix2EvaluationDomain<Fr>,
    coefficients: &[Fr],
    expected: &[Fr],
    rounds: u16,
    mut measured: Measured,
) -> Result<Measured> {
    let root = halo2_scalars(&[domain.group_gen])?;
    let (theirs, expected) = (halo2_scalars(coefficients)?, halo2_scalars(expected)?);
    let contestant = Contestant::new("halo2curves", |_| {
        let mut values = theirs.clone();
        halo2_proofs::halo2curves::fft::best_fft(&mut values, root[0], log);
        Ok(values)
    });
    let case = measured.case.clone();
    let theirs = interleave(case, vec![contestant], rounds, |_, values| {
        ensure!(*values == expected, "other values than arkworks'");
        Ok(())
    })?;
    measured.contestants.extend(theirs.contestants);
    Ok(measured)
}

fn coordinate(bytes: &[u8]) -> Fq {
    Fq::from_le_bytes_mod_order(bytes)
}

fn bytes<const N: usize>(element: impl PrimeField) -> Result<[u8; N]> {
    element.into_bigint().to_bytes_le().try_into().map_err(|_| anyhow!("an element of another length"))
}

fn halo2_scalars(scalars: &[Fr]) -> Result<Vec<bn256::Fr>> {
    let one = |scalar: &Fr| Option::from(bn256::Fr::from_repr(bytes(*scalar)?)).context("a scalar");
    scalars.iter().map(one).collect()
}

fn halo2_points(points: &[G1Affine]) -> Result<Vec<bn256::G1Affine>> {
    let coordinate = |value: Fq| -> Result<bn256::Fq> {
        Option::from(bn256::Fq::from_repr(bytes(value)?)).context("a coordinate")
    };
    let one = |point: &G1Affine| match point.xy() {
        Some((x, y)) => Ok(bn256::G1Affine { x: coordinate(x)?, y: coordinate(y)? }),
        None => Ok(bn256::G1Affine::identity()),
    };
    points.iter().map(one).collect()
}
