//! Questions whose answers need no second device: products of multiples of a generator are one multiple of it, a transform's
//! values are those of its polynomial, a proof satisfies the pairing equation.

use crate::{
    ProveError,
    device::{
        Device, DeviceError, Direction, G1Point, G2Point, Pointwise, Scalars, Slab, Transform, pairing,
        workload,
    },
    groth16::Key,
    reduction::System,
    setup::{Secrets, generate},
};
use ark_bn254::{G1Affine, G1Projective, G2Affine, G2Projective};
use ark_ec::{AffineRepr, CurveGroup, PrimeGroup};
use ark_ff::{FftField, Field, Zero};
use nightingale_circuits::Fr;
use std::{ops::ControlFlow, sync::Arc};

/// Points of a product: not a power of two, and enough that buckets fill.
const POINTS: usize = 1111;
const TRANSFORM_LOG: u32 = 8;

/// Compares all; gives how many answers there were.
pub(super) fn compare(device: &dyn Device) -> Result<usize, ProveError> {
    let mut judge = Judge { device: device.name(), answers: 0 };
    products(device, &mut judge)?;
    transforms(device, &mut judge)?;
    pointwise(device, &mut judge)?;
    proofs(device, &mut judge)?;
    Ok(judge.answers)
}

struct Judge<'a> {
    device: &'a str,
    answers: usize,
}

impl Judge<'_> {
    fn expect(&mut self, right: bool, what: &str) -> Result<(), DeviceError> {
        self.answers += 1;
        if right {
            return Ok(());
        }
        Err(DeviceError::Broken { device: self.device.to_owned(), why: format!("a wrong answer: {what}") })
    }
}

/// Zero, one, minus one, small ones, all equal, and full-size ones.
fn scalars() -> [(&'static str, Vec<Fr>); 6] {
    let full = workload::system(0, 2 * POINTS).1;
    let large = full[full.len() - 3];
    [
        ("zeros", vec![Fr::zero(); POINTS]),
        ("ones", vec![Fr::ONE; POINTS]),
        ("minus ones", vec![-Fr::ONE; POINTS]),
        ("small scalars", (0..POINTS).map(|i| Fr::from(i as u64 % 300)).collect()),
        ("equal scalars", vec![large; POINTS]),
        ("large scalars", full[full.len() - POINTS..].to_vec()),
    ]
}

/// Each point's multiple of the generator: ascending, with infinity, repeated and opposite points among them.
fn multiple(i: usize) -> Fr {
    let multiple = Fr::from(i as u64 + 1);
    match i % 16 {
        5 => Fr::zero(),
        6 => Fr::from(7u64),
        7 => -Fr::from(7u64),
        _ => multiple,
    }
}

fn points<G: CurveGroup<ScalarField = Fr>, P: From<G::Affine>>() -> Slab<P> {
    let points: Vec<G> = (0..POINTS).map(|i| <G as PrimeGroup>::generator() * multiple(i)).collect();
    G::normalize_batch(&points).into_iter().map(P::from).collect::<Vec<_>>().into()
}

fn products(device: &dyn Device, judge: &mut Judge<'_>) -> Result<(), ProveError> {
    let g1 = device.bases_g1(&points::<G1Projective, G1Point>())?;
    let g2 = device.bases_g2(&points::<G2Projective, G2Point>())?;
    let all = scalars();
    let batch: Vec<Scalars<'_>> = all.iter().map(|(_, scalars)| Scalars::Host(scalars)).collect();
    let (g1, g2) = (g1.multiply(&batch)?, g2.multiply(&batch)?);
    judge.expect((g1.len(), g2.len()) == (all.len(), all.len()), "the number of products")?;
    for (((what, scalars), g1), g2) in all.iter().zip(g1).zip(g2) {
        let sum: Fr = scalars.iter().enumerate().map(|(i, scalar)| *scalar * multiple(i)).sum();
        judge.expect(g1 == G1Affine::generator() * sum, &format!("{what} in G1"))?;
        judge.expect(g2 == G2Affine::generator() * sum, &format!("{what} in G2"))?;
    }
    Ok(())
}

/// With two primitive roots of one order: a device that assumes one of them is wrong for the other.
fn transforms(device: &dyn Device, judge: &mut Judge<'_>) -> Result<(), ProveError> {
    let size = 1usize << TRANSFORM_LOG;
    let coefficients = workload::system(0, size).1[..size].to_vec();
    let at = |x: Fr| coefficients.iter().rev().fold(Fr::zero(), |sum, c| sum * x + c);
    let root = Fr::get_root_of_unity(size as u64).unwrap_or(Fr::ONE);
    for root in [root, root.pow([7u64])] {
        for coset in [Fr::ONE, Fr::from(5u64)] {
            let values: Vec<Fr> = (0..size).map(|i| at(coset * root.pow([i as u64]))).collect();
            let transform = |direction| Transform::new(TRANSFORM_LOG, root, coset, direction);
            let mut vector = device.vector(&coefficients)?;
            let mut out = vec![Fr::zero(); size];
            vector.transform(&transform(Direction::Forward)?)?;
            vector.read(&mut out)?;
            judge.expect(out == values, "a transform")?;
            vector.transform(&transform(Direction::Inverse)?)?;
            vector.read(&mut out)?;
            judge.expect(out == coefficients, "an inverse transform")?;
        }
    }
    Ok(())
}

/// What an operation does to two elements.
type Native = fn(Fr, Fr) -> Fr;

fn pointwise(device: &dyn Device, judge: &mut Judge<'_>) -> Result<(), ProveError> {
    let values = workload::system(0, 300).1;
    let (left, right) = values.split_at(values.len() / 2);
    let right = &right[..left.len()];
    let other = device.vector(right)?;
    let operations: [(Pointwise, Native); 3] = [
        (Pointwise::Add, |a, b| a + b),
        (Pointwise::Subtract, |a, b| a - b),
        (Pointwise::Multiply, |a, b| a * b),
    ];
    for (operation, native) in operations {
        let mut vector = device.vector(left)?;
        vector.combine(operation, &*other)?;
        let mut out = vec![Fr::zero(); left.len()];
        vector.read(&mut out)?;
        let expected = left.iter().zip(right).map(|(a, b)| native(*a, *b));
        judge.expect(out.iter().copied().eq(expected), "an operation element by element")?;
    }
    Ok(())
}

fn proofs(device: &dyn Device, judge: &mut Judge<'_>) -> Result<(), ProveError> {
    let (r1cs, values) = workload::system(5, 500);
    let key = generate(&r1cs, &Secrets::development("self-test")?)?;
    let key = Arc::new(Key::new(System::new(&r1cs)?, &key)?);
    let batch = [values.as_slice(); 3];
    let sums = device.groth16(&key)?.sums(&batch, &mut |_| ControlFlow::Continue(()))?;
    judge.expect(sums.len() == batch.len(), "the number of proofs")?;
    for sums in &sums {
        judge.expect(pairing::accepts(&key, &values, sums), "a proof")?;
    }
    Ok(())
}
