//! What every device must do, shown on the reference.

use super::system::{element, rng};
use ark_bn254::{Fr, G1Affine, G1Projective, G2Affine, G2Projective};
use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::{AdditiveGroup, Field};
use nightingale_prover::{Device, ProveError, device, reduction::Domain};

#[test]
fn multiplies_like_the_sum_of_single_products() {
    let cpu = device::open("cpu").unwrap();
    let mut rng = rng(1);
    for n in [0usize, 1, 2, 33, 200] {
        let scalars: Vec<Fr> = (0..n).map(|_| element(&mut rng)).collect();
        // Repeated points, opposite points and infinity among them.
        let multiples: Vec<Fr> = (0..n).map(|i| Fr::from((i % 7) as u64) - Fr::from(2u64)).collect();
        let g1: Vec<G1Affine> = multiples.iter().map(|k| (G1Affine::generator() * k).into_affine()).collect();
        let g2: Vec<G2Affine> = multiples.iter().map(|k| (G2Affine::generator() * k).into_affine()).collect();
        let sum1: G1Projective = g1.iter().zip(&scalars).map(|(p, k)| *p * k).sum();
        let sum2: G2Projective = g2.iter().zip(&scalars).map(|(p, k)| *p * k).sum();
        assert_eq!(cpu.msm_g1(&g1, &scalars).unwrap(), sum1);
        assert_eq!(cpu.msm_g2(&g2, &scalars).unwrap(), sum2);
    }
}

#[test]
fn takes_values_to_the_coset_as_the_polynomial_says() {
    let mut rng = rng(2);
    for n in [1usize, 2, 8, 64] {
        let domain = Domain::new(n).unwrap();
        assert_eq!(domain.size(), n);
        assert_eq!(domain.shift().square(), domain.root());
        let coefficients: Vec<Fr> = (0..n).map(|_| element(&mut rng)).collect();
        let at = |x: Fr| coefficients.iter().rev().fold(Fr::ZERO, |sum, c| sum * x + c);
        let points: Vec<Fr> = (0..n).map(|i| domain.root().pow([i as u64])).collect();
        let mut values: Vec<Fr> = points.iter().map(|x| at(*x)).collect();
        device::Cpu.to_coset(&domain, &mut values).unwrap();
        let expected: Vec<Fr> = points.iter().map(|x| at(*x * domain.shift())).collect();
        assert_eq!(values, expected);
    }
}

#[test]
fn refuses_different_lengths_and_unknown_names() {
    let point = [G1Affine::generator()];
    assert!(device::Cpu.msm_g1(&point, &[]).is_err());
    assert!(matches!(device::open("abacus"), Err(ProveError::UnknownDevice(name)) if name == "abacus"));
}
