//! Every kernel against ark-poly.

use super::super::super::{DeviceError, Direction, Transform};
use super::super::kernel::Kernel;
use super::{Coset, Plan};
use ark_bn254::Fr;
use ark_ff::{AdditiveGroup, FftField, Field, UniformRand};
use ark_poly::{EvaluationDomain, Radix2EvaluationDomain};
use ark_std::rand::{Rng, SeedableRng, rngs::StdRng};

fn kernels() -> Vec<Kernel> {
    let all = [
        Kernel::Portable,
        #[cfg(target_arch = "x86_64")]
        Kernel::Ifma,
    ];
    all.into_iter().filter(|kernel| kernel.is_available()).collect()
}

/// The root of order 2^`log_size` from a generator of the multiplicative group: 5 is arkworks', 7 halo2's.
fn root(generator: u64, log_size: u32) -> Fr {
    let of_all = Fr::from(generator).pow(<Fr as ark_ff::PrimeField>::TRACE);
    (log_size..28).fold(of_all, |power, _| power.square())
}

fn domain(root: Fr, log_size: u32, coset: Fr) -> Option<Radix2EvaluationDomain<Fr>> {
    let size = 1u64 << log_size;
    Some(Radix2EvaluationDomain {
        size,
        log_size_of_group: log_size,
        size_as_field_element: Fr::from(size),
        size_inv: Fr::from(size).inverse()?,
        group_gen: root,
        group_gen_inv: root.inverse()?,
        offset: coset,
        offset_inv: coset.inverse()?,
        offset_pow_size: coset.pow([size]),
    })
}

fn random(rng: &mut StdRng, size: usize) -> Vec<Fr> {
    (0..size).map(|_| Fr::rand(rng)).collect()
}

/// Random elements; the greatest one everywhere; one element everywhere; zeros; zeros and the greatest mixed.
fn inputs(rng: &mut StdRng, size: usize) -> Vec<Vec<Fr>> {
    let one = Fr::rand(rng);
    let mixed = (0..size).map(|_| if rng.gen_bool(0.5) { -Fr::ONE } else { Fr::ZERO }).collect();
    vec![random(rng, size), vec![-Fr::ONE; size], vec![one; size], vec![Fr::ZERO; size], mixed]
}

fn check(log_size: u32, root: Fr, coset: Fr, inputs: &[Vec<Fr>]) -> Result<(), DeviceError> {
    for kernel in kernels() {
        for direction in [Direction::Forward, Direction::Inverse] {
            let plan = Plan::new(&Transform::new(log_size, root, coset, direction)?, kernel)?;
            for input in inputs {
                let (mut ours, mut theirs) = (input.clone(), input.clone());
                plan.run(&mut ours)?;
                let domain = domain(root, log_size, coset);
                match direction {
                    Direction::Forward => domain.map(|d| d.fft_in_place(&mut theirs)),
                    Direction::Inverse => domain.map(|d| d.ifft_in_place(&mut theirs)),
                };
                assert!(domain.is_some() && ours == theirs, "2^{log_size}, {kernel:?}, {direction:?}");
            }
        }
    }
    Ok(())
}

#[test]
fn the_domain_built_for_the_tests_is_arkworks_own() {
    let (ours, theirs) = (domain(root(5, 9), 9, Fr::ONE), Radix2EvaluationDomain::<Fr>::new(1 << 9));
    assert_eq!(ours, theirs);
}

#[test]
fn every_size_equals_ark_poly_for_both_families_of_roots() -> Result<(), DeviceError> {
    let mut rng = StdRng::seed_from_u64(1);
    for log_size in 0..=14 {
        let inputs = inputs(&mut rng, 1 << log_size);
        for generator in [5, 7] {
            let root = root(generator, log_size);
            for coset in [Fr::ONE, Fr::GENERATOR, Fr::rand(&mut rng), -Fr::ONE] {
                check(log_size, root, coset, &inputs)?;
            }
        }
    }
    Ok(())
}

#[test]
fn large_sizes_equal_ark_poly() -> Result<(), DeviceError> {
    let mut rng = StdRng::seed_from_u64(2);
    for (log_size, generator) in [(15, 7), (16, 5), (17, 5), (18, 7)] {
        let input = [random(&mut rng, 1 << log_size)];
        check(log_size, root(generator, log_size), Fr::ONE, &input)?;
        check(log_size, root(generator, log_size), Fr::rand(&mut rng), &input)?;
    }
    Ok(())
}

#[test]
fn random_transforms_equal_ark_poly() -> Result<(), DeviceError> {
    let mut rng = StdRng::seed_from_u64(3);
    for _ in 0..200 {
        let log_size = rng.gen_range(0..11);
        // Any odd power of a root is one too.
        let root = root(5, log_size).pow([2 * rng.gen_range(0..1u64 << 30) + 1]);
        let input = [random(&mut rng, 1 << log_size)];
        check(log_size, root, Fr::rand(&mut rng), &input)?;
    }
    Ok(())
}

fn quotient(log_size: u32, root: Fr, shift: Fr, a: &[Fr], b: &[Fr]) -> Option<Vec<Fr>> {
    let (plain, coset) = (domain(root, log_size, Fr::ONE)?, domain(root, log_size, shift)?);
    let to_coset = |mut values: Vec<Fr>| {
        plain.ifft_in_place(&mut values);
        coset.fft_in_place(&mut values);
        values
    };
    let c = to_coset(a.iter().zip(b).map(|(a, b)| *a * b).collect());
    let a = to_coset(a.to_vec());
    let product = a.iter().zip(to_coset(b.to_vec())).map(|(a, b)| *a * b);
    Some(product.zip(c).map(|(product, c)| product - c).collect())
}

fn check_coset(log_size: u32, root: Fr, shift: Fr, a: &[Fr], b: &[Fr]) -> Result<(), DeviceError> {
    let expected = quotient(log_size, root, shift, a, b);
    for kernel in kernels() {
        let coset = Coset::new(log_size, root, shift, kernel)?;
        let mut quotient = a.to_vec();
        coset.quotient(a, b, &mut quotient)?;
        assert!(expected == Some(quotient), "2^{log_size}, {kernel:?}");
    }
    Ok(())
}

#[test]
fn the_quotient_equals_ark_poly_at_every_size() -> Result<(), DeviceError> {
    let mut rng = StdRng::seed_from_u64(4);
    for log_size in 0..=13 {
        for generator in [5, 7] {
            let root = root(generator, log_size);
            for a in inputs(&mut rng, 1 << log_size) {
                check_coset(log_size, root, Fr::rand(&mut rng), &a, &random(&mut rng, a.len()))?;
                check_coset(log_size, root, Fr::GENERATOR, &a, &a)?;
            }
        }
        let half_step = root(5, log_size + 1);
        let (a, b) = (random(&mut rng, 1 << log_size), random(&mut rng, 1 << log_size));
        check_coset(log_size, root(5, log_size), half_step, &a, &b)?;
    }
    for log_size in [15, 17] {
        let (a, b) = (random(&mut rng, 1 << log_size), random(&mut rng, 1 << log_size));
        check_coset(log_size, root(5, log_size), root(5, log_size + 1), &a, &b)?;
    }
    Ok(())
}

#[test]
fn threads_share_a_plan() -> Result<(), DeviceError> {
    let mut rng = StdRng::seed_from_u64(5);
    let (log_size, shift) = (11, Fr::rand(&mut rng));
    let root = root(7, log_size);
    let a = random(&mut rng, 1 << log_size);
    let expected = quotient(log_size, root, shift, &a, &a);
    for kernel in kernels() {
        let coset = Coset::new(log_size, root, shift, kernel)?;
        let same = std::thread::scope(|scope| {
            let run = || {
                (0..20).all(|_| {
                    let mut values = a.clone();
                    coset.quotient(&a, &a, &mut values).is_ok() && expected.as_ref() == Some(&values)
                })
            };
            let threads: Vec<_> = (0..6).map(|_| scope.spawn(run)).collect();
            threads.into_iter().all(|thread| thread.join().is_ok_and(|same| same))
        });
        assert!(same, "{kernel:?}");
    }
    Ok(())
}

#[test]
fn another_length_is_refused() -> Result<(), DeviceError> {
    for kernel in kernels() {
        let plan = Plan::new(&Transform::new(6, root(5, 6), Fr::ONE, Direction::Forward)?, kernel)?;
        let coset = Coset::new(6, root(5, 6), Fr::GENERATOR, kernel)?;
        for size in [0, 63, 65, 128] {
            let (mut values, a) = (vec![Fr::ONE; size], [Fr::ONE; 64]);
            assert!(matches!(plan.run(&mut values), Err(DeviceError::Input(_))));
            assert!(matches!(coset.quotient(&a, &a, &mut values), Err(DeviceError::Input(_))));
            assert!(matches!(coset.quotient(&values, &a, &mut [Fr::ONE; 64]), Err(DeviceError::Input(_))));
        }
    }
    Ok(())
}
