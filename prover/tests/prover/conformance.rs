//! What every device must do: one suite, held against single products, Horner's rule and the reference.

use super::system::{element, random, rng};
use ark_bn254::{Bn254, Fr, G1Affine, G1Projective, G2Affine, G2Projective};
use ark_ec::{AffineRepr, CurveGroup, PrimeGroup};
use ark_ff::{AdditiveGroup, FftField, Field, PrimeField};
use ark_groth16::{Groth16, prepare_verifying_key};
use nightingale_prover::{
    Device, ProveError,
    device::{
        Bases, Cpu, DeviceError, Direction, G1Point, G2Point, Kernel, Pointwise, Reference, Scalars, Slab,
        Transform,
    },
    groth16::{Blinding, Key, Prover},
    reduction::System,
    setup::{Secrets, generate},
};
use rayon::prelude::*;
use std::{ops::ControlFlow, sync::Arc};

/// Everything, at sizes that a slow device can do in a test.
pub(super) fn run(device: &dyn Device) {
    multiplies_like_the_sum_of_single_products(device);
    multiplies_like_the_reference(device);
    transforms_as_the_polynomial_says(device);
    combines_element_by_element(device);
    proves_what_arkworks_verifies(device);
    refuses_what_does_not_fit(device);
    serves_many_threads_at_once(device);
    serves_tasks_of_its_own_pool(device);
}

/// Scalars at the edges of their representation.
fn scalars(n: usize, kind: usize, rng: &mut impl rand::Rng) -> Vec<Fr> {
    let power = |bits: u64| Fr::from(2u64).pow([bits]);
    let edges = [
        Fr::ZERO,
        Fr::ONE,
        -Fr::ONE,
        Fr::from(2u64),
        -Fr::from(2u64),
        power(64) - Fr::ONE,
        power(253),
        power(253) - Fr::ONE,
        -power(200),
        // (r - 1) / 2 and (r + 1) / 2, between which signs change.
        -Fr::ONE / Fr::from(2u64),
        Fr::ONE / Fr::from(2u64),
    ];
    match kind {
        0 => vec![Fr::ZERO; n],
        1 => vec![Fr::ONE; n],
        2 => vec![-Fr::ONE; n],
        3 => (0..n).map(|i| Fr::from((i % 300) as u64)).collect(),
        4 => vec![element(rng) + power(251); n],
        5 => (0..n).map(|i| edges[i % edges.len()]).collect(),
        _ => (0..n).map(|_| element(rng)).collect(),
    }
}
const SCALARS: usize = 7;

/// Points as multiples of the generator: what makes additions exceptional.
fn multiples(n: usize, kind: usize, rng: &mut impl rand::Rng) -> Vec<Fr> {
    match kind {
        // All infinity, all equal, equal and opposite in turn, few points repeated with infinity among them.
        0 => vec![Fr::ZERO; n],
        1 => vec![Fr::from(7u64); n],
        2 => (0..n).map(|i| if i % 2 == 0 { Fr::from(5u64) } else { -Fr::from(5u64) }).collect(),
        3 => (0..n).map(|i| Fr::from((i % 7) as u64) - Fr::from(2u64)).collect(),
        _ => (0..n).map(|_| element(rng)).collect(),
    }
}
const POINTS: usize = 5;

fn points_g1(multiples: &[Fr]) -> Slab<G1Point> {
    let points: Vec<G1Projective> = multiples.iter().map(|k| G1Projective::generator() * k).collect();
    G1Projective::normalize_batch(&points).into_iter().map(G1Point::from).collect::<Vec<_>>().into()
}

fn points_g2(multiples: &[Fr]) -> Slab<G2Point> {
    let points: Vec<G2Projective> = multiples.iter().map(|k| G2Projective::generator() * k).collect();
    G2Projective::normalize_batch(&points).into_iter().map(G2Point::from).collect::<Vec<_>>().into()
}

/// With points that are known multiples of the generator, the sum is one multiple too.
fn multiplies_like_the_sum_of_single_products(device: &dyn Device) {
    let mut rng = rng(1);
    for n in [0usize, 1, 2, 3, 7, 8, 9, 33, 200] {
        for points in 0..POINTS {
            let multiples = multiples(n, points, &mut rng);
            let (g1, g2) = (points_g1(&multiples), points_g2(&multiples));
            let (g1, g2) = (device.bases_g1(&g1).unwrap(), device.bases_g2(&g2).unwrap());
            assert_eq!((g1.len(), g2.len()), (n, n));
            let batch: Vec<Vec<Fr>> = (0..SCALARS).map(|kind| scalars(n, kind, &mut rng)).collect();
            let host: Vec<Scalars<'_>> = batch.iter().map(|scalars| Scalars::Host(scalars)).collect();
            let sums: Vec<Fr> = batch
                .iter()
                .map(|scalars| scalars.iter().zip(&multiples).map(|(k, m)| *k * m).sum())
                .collect();
            let g1: Vec<G1Affine> =
                g1.multiply(&host).unwrap().into_iter().map(|p| p.into_affine()).collect();
            let g2: Vec<G2Affine> =
                g2.multiply(&host).unwrap().into_iter().map(|p| p.into_affine()).collect();
            for (kind, sum) in sums.iter().enumerate() {
                let what = format!("{}: {n} points of kind {points}, scalars of kind {kind}", device.name());
                assert_eq!(g1[kind], (G1Affine::generator() * sum).into_affine(), "G1, {what}");
                assert_eq!(g2[kind], (G2Affine::generator() * sum).into_affine(), "G2, {what}");
            }
        }
    }
}

/// Larger sizes, where buckets fill and windows change.
fn multiplies_like_the_reference(device: &dyn Device) {
    let mut rng = rng(2);
    for (n, kind) in [(1000, 6), (4101, 6), (4101, 1), (2500, 4)] {
        let distinct = multiples(64, 4, &mut rng);
        // Sums of two of few multiples: distinct enough, and cheap to make.
        let multiples: Vec<Fr> = (0..n).map(|i| distinct[i % 64] + distinct[i / 64 % 64]).collect();
        let scalars = scalars(n, kind, &mut rng);
        let resident = device.vector(&scalars).unwrap();
        let sum: Fr = scalars.iter().zip(&multiples).map(|(k, m)| *k * m).sum();
        let g1 = device.bases_g1(&points_g1(&multiples)).unwrap();
        let both = g1.multiply(&[Scalars::Host(&scalars), Scalars::Resident(&*resident)]).unwrap();
        assert!(
            both.iter().all(|found| *found == G1Affine::generator() * sum),
            "{}: {n} in G1",
            device.name()
        );
        let g2 = device.bases_g2(&points_g2(&multiples)).unwrap();
        let found = g2.multiply(&[Scalars::Host(&scalars)]).unwrap();
        assert_eq!(found, [G2Affine::generator() * sum], "{}: {n} in G2", device.name());
    }
}

/// A root of order 2^log that comes from 7, as halo2's do: 7 to the power of (r - 1) / 2^log.
fn root_of_halo2(log: u32) -> Fr {
    let mut exponent = Fr::MODULUS;
    exponent.0[0] -= 1;
    exponent >>= log;
    Fr::from(7u64).pow(exponent)
}

fn transforms_as_the_polynomial_says(device: &dyn Device) {
    let mut rng = rng(3);
    for log in 0..=7u32 {
        let n = 1usize << log;
        let coefficients: Vec<Fr> = (0..n).map(|_| element(&mut rng)).collect();
        for root in [Fr::get_root_of_unity(n as u64).unwrap(), root_of_halo2(log)] {
            for coset in [Fr::ONE, Fr::from(5u64), element(&mut rng) + Fr::from(1u64 << 40)] {
                let at = |x: Fr| coefficients.iter().rev().fold(Fr::ZERO, |sum, c| sum * x + c);
                let values: Vec<Fr> = (0..n).map(|i| at(coset * root.pow([i as u64]))).collect();
                let [forward, inverse] = [Direction::Forward, Direction::Inverse]
                    .map(|direction| Transform::new(log, root, coset, direction).unwrap());
                assert_eq!(through(device, &coefficients, &[forward]), values, "{} 2^{log}", device.name());
                assert_eq!(through(device, &values, &[inverse]), coefficients, "{} 2^{log}", device.name());
            }
        }
    }
    // Larger ones against the reference, the two steps that Groth16 takes and a root of halo2's.
    for log in [10u32, 13] {
        let values: Vec<Fr> = (0..1usize << log).map(|_| element(&mut rng)).collect();
        let coset = element(&mut rng) + Fr::from(3u64);
        for root in [Fr::get_root_of_unity(1 << log).unwrap(), root_of_halo2(log)] {
            let inverse = Transform::new(log, root, Fr::ONE, Direction::Inverse).unwrap();
            let forward = Transform::new(log, root, coset, Direction::Forward).unwrap();
            let steps = [inverse, forward];
            assert_eq!(through(device, &values, &steps), through(&Reference, &values, &steps), "2^{log}");
        }
    }
}

fn through(device: &dyn Device, elements: &[Fr], steps: &[Transform]) -> Vec<Fr> {
    let mut vector = device.vector(elements).unwrap();
    assert_eq!(vector.len(), elements.len());
    steps.iter().for_each(|step| vector.transform(step).unwrap());
    let mut out = vec![Fr::ZERO; elements.len()];
    vector.read(&mut out).unwrap();
    out
}

/// What an operation does to two elements.
type Native = fn(Fr, Fr) -> Fr;

fn combines_element_by_element(device: &dyn Device) {
    let mut rng = rng(4);
    for n in [0usize, 1, 5, 64, 1000] {
        let [a, b]: [Vec<Fr>; 2] = [(); 2].map(|()| (0..n).map(|_| element(&mut rng)).collect());
        let right = device.vector(&b).unwrap();
        let all: [(Pointwise, Native); 3] = [
            (Pointwise::Add, |a, b| a + b),
            (Pointwise::Subtract, |a, b| a - b),
            (Pointwise::Multiply, |a, b| a * b),
        ];
        for (operation, native) in all {
            let mut left = device.vector(&a).unwrap();
            left.combine(operation, &*right).unwrap();
            let mut out = vec![Fr::ZERO; n];
            left.read(&mut out).unwrap();
            let expected: Vec<Fr> = a.iter().zip(&b).map(|(a, b)| native(*a, *b)).collect();
            assert_eq!(out, expected, "{} {operation:?} of {n}", device.name());
        }
    }
}

fn key(public: usize, constraints: usize, seed: u64) -> (Arc<Key>, Vec<Fr>) {
    let (r1cs, values) = random(public, constraints, seed);
    let key = generate(&r1cs, &Secrets::development("test").unwrap()).unwrap();
    (Arc::new(Key::new(System::new(&r1cs).unwrap(), &key).unwrap()), values)
}

fn proves_what_arkworks_verifies(device: &dyn Device) {
    let mut go_on = |_| ControlFlow::Continue(());
    for (public, constraints) in [(1, 3), (12, 500), (5, 2042)] {
        let (key, values) = key(public, constraints, constraints as u64);
        let (ours, reference) =
            (Prover::new(key.clone(), device).unwrap(), Prover::new(key.clone(), &Reference).unwrap());
        let blindings: Vec<Blinding> =
            (0..3u64).map(|i| Blinding::fixed(Fr::from(11 + i), -Fr::from(7 + i))).collect();
        let batch: Vec<(&[Fr], &Blinding)> =
            blindings.iter().map(|blinding| (values.as_slice(), blinding)).collect();
        let proofs = ours.prove_batch(&batch, &mut go_on).unwrap();
        let prepared = prepare_verifying_key(key.verifying());
        assert_eq!(proofs.len(), 3);
        for (proof, blinding) in proofs.iter().zip(&blindings) {
            assert_eq!(*proof, reference.prove(&values, blinding, &mut go_on).unwrap(), "{}", device.name());
            assert!(Groth16::<Bn254>::verify_proof(&prepared, proof, &values[1..=public]).unwrap());
        }
        assert!(ours.prove_batch(&[], &mut go_on).unwrap().is_empty());
        // One bad assignment among good ones is refused before anything is multiplied.
        let mut broken = values.clone();
        *broken.last_mut().unwrap() += Fr::ONE;
        let batch = [(values.as_slice(), &blindings[0]), (broken.as_slice(), &blindings[1])];
        let mut multiplying = false;
        let result = ours.prove_batch(&batch, &mut |phase| {
            multiplying |= phase == nightingale_prover::Phase::Verifying;
            ControlFlow::Continue(())
        });
        assert!(!multiplying && matches!(result, Err(ProveError::Unsatisfied { .. })), "{}", device.name());
        let stopped = ours.prove(&values, &blindings[0], &mut |_| ControlFlow::Break(()));
        assert!(matches!(stopped, Err(ProveError::Cancelled)), "{}", device.name());
    }
}

fn refuses_what_does_not_fit(device: &dyn Device) {
    let is_input = |error: Option<DeviceError>| matches!(error, Some(DeviceError::Input(_)));
    let bases = device.bases_g1(&points_g1(&[Fr::ONE, Fr::ONE])).unwrap();
    for n in [0, 1, 3] {
        let scalars = vec![Fr::ONE; n];
        assert!(is_input(bases.multiply(&[Scalars::Host(&scalars)]).err()), "{}", device.name());
    }
    let mut two = device.vector(&[Fr::ONE, Fr::ONE]).unwrap();
    assert!(is_input(two.read(&mut [Fr::ZERO]).err()));
    let four = Transform::new(2, Fr::get_root_of_unity(4).unwrap(), Fr::ONE, Direction::Forward).unwrap();
    assert!(is_input(two.transform(&four).err()));
    assert!(is_input(two.combine(Pointwise::Add, &*device.vector(&[Fr::ONE]).unwrap()).err()));
    if device.name() != Reference.name() {
        let foreign = Reference.vector(&[Fr::ONE, Fr::ONE]).unwrap();
        assert!(is_input(two.combine(Pointwise::Add, &*foreign).err()), "{}", device.name());
        assert!(is_input(bases.multiply(&[Scalars::Resident(&*foreign)]).err()), "{}", device.name());
    }
    // The device is as good as before.
    assert_eq!(
        bases.multiply(&[Scalars::Resident(&*two)]).unwrap(),
        [G1Affine::generator() * Fr::from(2u64)]
    );
}

fn serves_many_threads_at_once(device: &dyn Device) {
    let (key, values) = key(3, 200, 8);
    let prover = Prover::new(key, device).unwrap();
    let blinding = Blinding::fixed(Fr::from(3u64), Fr::from(4u64));
    let expected = prover.prove(&values, &blinding, &mut |_| ControlFlow::Continue(())).unwrap();
    let bases = device.bases_g1(&points_g1(&multiples(50, 4, &mut rng(5)))).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4u64 {
            let (prover, values, blinding, expected, bases) =
                (&prover, &values, &blinding, &expected, &bases);
            scope.spawn(move || {
                let mut rng = rng(100 + thread);
                for _ in 0..3 {
                    let proof = prover.prove(values, blinding, &mut |_| ControlFlow::Continue(())).unwrap();
                    assert_eq!(proof, *expected);
                    agree_on_one_product(&**bases, &scalars(50, 6, &mut rng));
                }
            });
        }
    });
}

/// As a program does that cuts its own work into tasks of the pool which the device works on.
fn serves_tasks_of_its_own_pool(device: &dyn Device) {
    let log = 8;
    let root = Fr::get_root_of_unity(1 << log).unwrap();
    let values: Vec<Fr> = (0..1u64 << log).map(Fr::from).collect();
    (1..=64u64).into_par_iter().for_each(|coset| {
        let [forward, inverse] = [Direction::Forward, Direction::Inverse]
            .map(|direction| Transform::new(log, root, Fr::from(coset), direction).unwrap());
        assert_eq!(through(device, &values, &[forward, inverse]), values);
    });
}

/// Twice the scalars give twice the sum.
fn agree_on_one_product(bases: &dyn Bases<G1Projective>, scalars: &[Fr]) {
    let doubled: Vec<Fr> = scalars.iter().map(|k| k.double()).collect();
    let sums = bases.multiply(&[Scalars::Host(scalars), Scalars::Host(&doubled)]).unwrap();
    assert_eq!(sums[0].double(), sums[1]);
}

#[test]
fn the_reference_conforms() {
    run(&Reference);
}

#[test]
fn the_processor_conforms_with_each_of_its_kernels_and_with_tables_of_any_size() {
    for kernel in [Kernel::Portable, Kernel::detect()] {
        for table_bytes in [0, 1 << 17, 1 << 30] {
            run(&Cpu::with(kernel, table_bytes));
        }
    }
}
