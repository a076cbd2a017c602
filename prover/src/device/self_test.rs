//! A device asked what is known, and how fast it is. What an operator runs before giving it work.

mod answers;

use super::{Device, DeviceError, Direction, G1Point, G2Point, Scalars, Slab, Transform, workload};
use crate::ProveError;
use ark_bn254::{G1Affine, G1Projective, G2Affine, G2Projective};
use ark_ff::{FftField, Field};
use nightingale_circuits::Fr;
use std::{
    ops::ControlFlow,
    time::{Duration, Instant},
};

/// Binary logarithms of the sizes that are measured: those of claims.
const G1_LOG: u32 = 16;
const G2_LOG: u32 = 14;
const TRANSFORM_LOG: u32 = 16;
/// Constraints of the made-up proof: its domain is 2^15, that of a claim of two lines.
const CONSTRAINTS: usize = 30_000;
/// Proofs of the measured batch.
const BATCH: usize = 8;
/// Figures that share the time.
const FIGURES: u32 = 5;

/// How fast one operation is.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// What was done.
    pub what: String,
    /// The mean time of one.
    pub each: Duration,
}

impl Figure {
    /// How many a second.
    #[must_use]
    pub fn per_second(&self) -> f64 {
        self.each.as_secs_f64().recip()
    }
}

/// A device that answered right.
#[derive(Clone, Debug, PartialEq)]
pub struct SelfTest {
    /// Answers that were compared with what is known.
    pub answers: usize,
    /// How fast it is.
    pub figures: Vec<Figure>,
}

/// Compares a device's answers with what arithmetic says, then measures it for about `time`. Measured once at least,
/// however long that takes.
///
/// # Errors
/// [`DeviceError::Broken`] for a wrong answer; what fails in the device.
pub fn self_test(device: &dyn Device, time: Duration) -> Result<SelfTest, ProveError> {
    let answers = answers::compare(device)?;
    Ok(SelfTest { answers, figures: figures(device, time)? })
}

fn figures(device: &dyn Device, time: Duration) -> Result<Vec<Figure>, ProveError> {
    let share = time / FIGURES;
    let scalars = workload::system(0, 1 << G1_LOG).1;
    let g1: Vec<G1Point> = points::<G1Affine, _>(&workload::multiples::<G1Projective>(1 << G1_LOG));
    let g1 = device.bases_g1(&Slab::from(g1))?;
    let g2: Vec<G2Point> = points::<G2Affine, _>(&workload::multiples::<G2Projective>(1 << G2_LOG));
    let g2 = device.bases_g2(&Slab::from(g2))?;
    let root = Fr::get_root_of_unity(1 << TRANSFORM_LOG);
    let root = root.ok_or_else(|| DeviceError::Input("no root of unity".to_owned()))?;
    let transform = Transform::new(TRANSFORM_LOG, root, Fr::ONE, Direction::Forward)?;
    let mut vector = device.vector(&scalars[..1 << TRANSFORM_LOG])?;
    let (key, values) = workload::proof(12, CONSTRAINTS)?;
    let key = device.groth16(&key)?;
    let prove = |batch: usize| {
        key.sums(&vec![values.as_slice(); batch], &mut |_| ControlFlow::Continue(())).map(drop)
    };
    let product = |log: u32| [Scalars::Host(&scalars[..1 << log])];
    Ok(vec![
        measure(format!("multiplication of 2^{G1_LOG} points of G1"), 1, share, &mut || {
            Ok(g1.multiply(&product(G1_LOG)).map(drop)?)
        })?,
        measure(format!("multiplication of 2^{G2_LOG} points of G2"), 1, share, &mut || {
            Ok(g2.multiply(&product(G2_LOG)).map(drop)?)
        })?,
        measure(format!("transform of 2^{TRANSFORM_LOG}"), 1, share, &mut || {
            Ok(vector.transform(&transform)?)
        })?,
        measure(format!("proof of {CONSTRAINTS} constraints"), 1, share, &mut || prove(1))?,
        measure(format!("the same in batches of {BATCH}"), BATCH, share, &mut || prove(BATCH))?,
    ])
}

fn points<A: Copy, P: From<A>>(points: &[A]) -> Vec<P> {
    points.iter().map(|point| P::from(*point)).collect()
}

/// The mean of as many calls as fit the time.
fn measure(
    what: String,
    each_call: usize,
    time: Duration,
    call: &mut dyn FnMut() -> Result<(), ProveError>,
) -> Result<Figure, ProveError> {
    let (start, mut calls) = (Instant::now(), 0u32);
    while calls == 0 || start.elapsed() < time {
        call()?;
        calls += 1;
    }
    let operations = calls.saturating_mul(u32::try_from(each_call).unwrap_or(u32::MAX));
    Ok(Figure { what, each: start.elapsed() / operations })
}
