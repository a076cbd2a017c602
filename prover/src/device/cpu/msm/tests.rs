//! Multiplications against arkworks.

use super::{Curve, G1, G2, Integers, Kernel, Prepared};
use crate::device::points::Slab;
use ark_bn254::Fr;
use ark_ec::{AffineRepr, CurveGroup, PrimeGroup, VariableBaseMSM};
use ark_ff::{Field, One, PrimeField, UniformRand, Zero};
use ark_std::{
    rand::{Rng, SeedableRng, rngs::StdRng},
    time::{Duration, Instant},
};

type Affine<C> = <<C as Curve>::Group as CurveGroup>::Affine;

/// A curve whose points arkworks can multiply too.
trait Known: Curve<Group: VariableBaseMSM<ScalarField = Fr>, Point: From<Affine<Self>>> {}

impl Known for G1 {}

impl Known for G2 {}

const KERNELS: [Kernel; 2] = [Kernel::Portable, Kernel::Ifma];

fn slab<C: Known>(points: &[Affine<C>]) -> Slab<C::Point> {
    Slab::from(points.iter().map(|point| C::Point::from(*point)).collect::<Vec<_>>())
}

fn expected<C: Known>(points: &[Affine<C>], scalars: &[Fr]) -> C::Group {
    if points.len() < 64 {
        return points.iter().zip(scalars).map(|(point, scalar)| point.into_group() * scalar).sum();
    }
    let integers: Vec<_> = scalars.iter().map(|scalar| scalar.into_bigint()).collect();
    C::Group::msm_bigint(points, &integers)
}

/// Every kernel, without tables and with tables of `copies`.
fn check<C: Known>(points: &[Affine<C>], scalars: &[Fr], copies: &[usize], name: &str) {
    let expected = expected::<C>(points, scalars);
    let (slab, integers) = (slab::<C>(points), Integers::new(scalars, Kernel::detect()));
    for kernel in KERNELS {
        for &copies in copies {
            let budget = copies * size_of_val::<[C::Point]>(&slab);
            let prepared = Prepared::<C>::new(&slab, kernel, budget);
            assert!(prepared.table_bytes() <= budget);
            let product = prepared.multiply(&integers, None);
            assert_eq!(
                product.into_affine(),
                expected.into_affine(),
                "{name}: {} points, {kernel:?}, {copies} copies",
                points.len()
            );
        }
    }
}

/// Distinct points, in a run.
fn points<C: Known>(count: usize, rng: &mut StdRng) -> Vec<Affine<C>> {
    let (mut point, step) = (C::Group::generator() * Fr::rand(rng), C::Group::generator() * Fr::rand(rng));
    let run: Vec<_> = (0..count)
        .map(|_| {
            point += step;
            point
        })
        .collect();
    C::Group::normalize_batch(&run)
}

fn random(count: usize, rng: &mut StdRng) -> Vec<Fr> {
    (0..count).map(|_| Fr::rand(rng)).collect()
}

fn edges() -> Vec<Fr> {
    let mut edges =
        vec![Fr::zero(), Fr::one(), -Fr::one(), Fr::from(2_u64), -Fr::from(2_u64), Fr::from(3_u64)];
    let half = -Fr::one() / Fr::from(2_u64);
    edges.extend([half, half + Fr::one(), half - Fr::one(), half + Fr::from(2_u64)]);
    for bit in 0..254 {
        let power = Fr::from(2_u64).pow([bit]);
        edges.extend([power, power - Fr::one(), power + Fr::one(), -power]);
    }
    edges
}

fn every_size<C: Known>(sizes: &[usize]) {
    let mut rng = StdRng::seed_from_u64(1);
    for &size in sizes {
        let (points, scalars) = (points::<C>(size, &mut rng), random(size, &mut rng));
        check::<C>(&points, &scalars, &[0, 2, 3, 7, 64], "random");
    }
}

fn every_edge<C: Known>(size: usize) {
    let mut rng = StdRng::seed_from_u64(2);
    let edges = edges();
    let run = points::<C>(size, &mut rng);
    let identity = Affine::<C>::zero();
    let negative = |point: &Affine<C>| (-point.into_group()).into_affine();
    let chosen =
        |rng: &mut StdRng| -> Vec<Fr> { (0..size).map(|_| edges[rng.gen_range(0..edges.len())]).collect() };
    let sets: Vec<(&str, Vec<Affine<C>>)> = vec![
        ("distinct", run.clone()),
        ("all equal", vec![run[0]; size]),
        ("all infinity", vec![identity; size]),
        (
            "some infinity",
            run.iter().enumerate().map(|(i, p)| if i % 3 == 0 { identity } else { *p }).collect(),
        ),
        ("repeated", (0..size).map(|i| run[i / 5]).collect()),
        (
            "opposite",
            (0..size).map(|i| if i % 2 == 0 { run[i / 2] } else { negative(&run[i / 2]) }).collect(),
        ),
        ("few", (0..size).map(|i| if i % 7 < 3 { run[i % 3] } else { negative(&run[i % 3]) }).collect()),
    ];
    for (name, points) in &sets {
        let small = Fr::from(rng.r#gen::<u16>());
        let mut scalars = vec![chosen(&mut rng), random(size, &mut rng)];
        for scalar in [Fr::zero(), Fr::one(), -Fr::one(), small, -small, Fr::rand(&mut rng)] {
            scalars.push(vec![scalar; size]);
        }
        for scalars in &scalars {
            check::<C>(points, scalars, &[0, 4, 64], name);
        }
    }
}

#[test]
fn multiplies_every_size_in_g1() {
    every_size::<G1>(&[0, 1, 2, 3, 7, 8, 9, 33, 1000, (1 << 12) + 5]);
}

#[test]
fn multiplies_every_size_in_g2() {
    every_size::<G2>(&[0, 1, 2, 3, 7, 8, 9, 33, 1000]);
}

#[test]
fn multiplies_many_points() {
    let mut rng = StdRng::seed_from_u64(3);
    let (points, scalars) = (points::<G1>(1 << 15, &mut rng), random(1 << 15, &mut rng));
    check::<G1>(&points, &scalars, &[0, 5, 64], "many");
}

#[test]
fn multiplies_every_exception_in_g1() {
    every_edge::<G1>(17);
    every_edge::<G1>(700);
}

#[test]
fn multiplies_every_exception_in_g2() {
    every_edge::<G2>(17);
    every_edge::<G2>(300);
}

#[test]
fn takes_every_edge_scalar_alone() {
    let mut rng = StdRng::seed_from_u64(4);
    let point = points::<G1>(1, &mut rng);
    for scalar in edges() {
        check::<G1>(&point, &[scalar], &[0, 64], "edge");
    }
}

#[test]
fn takes_scalars_by_column_and_missing_ones_as_zero() {
    let mut rng = StdRng::seed_from_u64(5);
    let (points, scalars) = (points::<G1>(500, &mut rng), random(100, &mut rng));
    let columns: Vec<u32> = (0..500).map(|_| rng.gen_range(0..110)).collect();
    let spread: Vec<Fr> =
        columns.iter().map(|column| scalars.get(*column as usize).copied().unwrap_or_default()).collect();
    let expected = expected::<G1>(&points, &spread);
    for kernel in KERNELS {
        for budget in [0, 1 << 20] {
            let prepared = Prepared::<G1>::new(&slab::<G1>(&points), kernel, budget);
            assert_eq!(
                prepared.multiply(&Integers::new(&scalars, Kernel::detect()), Some(&columns)),
                expected
            );
        }
    }
}

#[test]
fn multiplies_in_several_threads_at_once() {
    let mut rng = StdRng::seed_from_u64(6);
    let points = points::<G1>(3000, &mut rng);
    let prepared = Prepared::<G1>::new(&slab::<G1>(&points), Kernel::detect(), 1 << 21);
    let cases: Vec<(Vec<Fr>, _)> = (0..4)
        .map(|_| {
            let scalars = random(3000, &mut rng);
            let expected = expected::<G1>(&points, &scalars);
            (scalars, expected)
        })
        .collect();
    std::thread::scope(|scope| {
        for (scalars, expected) in &cases {
            scope.spawn(|| {
                for _ in 0..5 {
                    assert_eq!(prepared.multiply(&Integers::new(scalars, Kernel::detect()), None), *expected);
                }
            });
        }
    });
    let (a, b) = rayon::join(
        || prepared.multiply(&Integers::new(&cases[0].0, Kernel::detect()), None),
        || prepared.multiply(&Integers::new(&cases[1].0, Kernel::detect()), None),
    );
    assert_eq!((a, b), (cases[0].1, cases[1].1));
}

#[test]
fn survives_numbers_that_are_no_points() {
    let mut rng = StdRng::seed_from_u64(7);
    let scalars = random(300, &mut rng);
    for kernel in KERNELS {
        for budget in [0, 1 << 20] {
            for fill in [u64::MAX, 1] {
                let mut numbers = vec![crate::device::points::G1Point([fill; 8]); 300];
                numbers[5].0 = [0, 0, 0, 0, 1, 0, 0, 0];
                let modulus = ark_bn254::Fq::MODULUS.0;
                numbers[6].0[..4].copy_from_slice(&modulus);
                numbers[6].0[4..].copy_from_slice(&modulus);
                for point in &mut numbers[100..] {
                    point.0 = std::array::from_fn(|_| rng.r#gen());
                }
                let prepared = Prepared::<G1>::new(&Slab::from(numbers), kernel, budget);
                let _ = prepared.multiply(&Integers::new(&scalars, Kernel::detect()), None);
                let numbers = vec![crate::device::points::G2Point(std::array::from_fn(|_| rng.r#gen())); 300];
                let prepared = Prepared::<G2>::new(&Slab::from(numbers), kernel, budget);
                let _ = prepared.multiply(&Integers::new(&scalars, Kernel::detect()), None);
            }
        }
    }
}

/// Random sizes, points from few and scalars from everything, for some seconds.
#[test]
fn agrees_with_arkworks_on_drawn_cases() {
    let seconds = std::env::var("MSM_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(3);
    let (start, edges) = (Instant::now(), edges());
    let mut rng = StdRng::seed_from_u64(8);
    while start.elapsed() < Duration::from_secs(seconds) {
        let size = 1 << rng.gen_range(0..11);
        let size = rng.gen_range(size / 2..=size);
        let few = points::<G1>(rng.gen_range(1..=size.max(1)), &mut rng);
        let points: Vec<_> = (0..size)
            .map(|_| match rng.gen_range(0..20) {
                0 => Affine::<G1>::zero(),
                1..4 => -few[rng.gen_range(0..few.len())],
                _ => few[rng.gen_range(0..few.len())],
            })
            .collect();
        let plain = rng.gen_range(0..4);
        let scalars: Vec<Fr> = (0..size)
            .map(|_| match rng.gen_range(0..4) {
                0 => edges[rng.gen_range(0..edges.len())],
                1 => Fr::from(rng.gen_range(0..4_u64)),
                _ if plain == 0 => Fr::one(),
                _ => Fr::rand(&mut rng),
            })
            .collect();
        let copies = rng.gen_range(0..40);
        check::<G1>(&points, &scalars, &[0, copies], "drawn");
    }
}
