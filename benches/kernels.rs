//! The kernels that a claim proof is made of: Poseidon, multi-scalar multiplication and the coset transform.
#![expect(clippy::unwrap_used, reason = "a benchmark that meets an error has failed")]

use ark_bn254::{G1Affine, G1Projective, G2Affine, G2Projective};
use ark_ec::{AffineRepr, scalar_mul::BatchMulPreprocessing};
use ark_ff::PrimeField;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use nightingale_circuits::{Fr, poseidon, tag::Tag};
use nightingale_prover::{Device, device::Cpu, reduction::Domain};
use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha20Rng;
use std::hint::black_box;

/// Full-size scalars.
fn scalars(count: usize) -> Vec<Fr> {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let mut draw = || {
        let mut bytes = [0; 32];
        rng.fill_bytes(&mut bytes);
        Fr::from_le_bytes_mod_order(&bytes)
    };
    (0..count).map(|_| draw()).collect()
}

fn hashes(c: &mut Criterion) {
    let inputs = scalars(4);
    c.bench_function("poseidon/four inputs", |b| b.iter(|| poseidon::tagged(Tag::Claim, black_box(&inputs))));
}

fn multiplications(c: &mut Criterion) {
    let mut group = c.benchmark_group("msm");
    group.sample_size(10);
    for log in [14, 16] {
        let n = 1 << log;
        let scalars = scalars(n);
        let g1 =
            BatchMulPreprocessing::<G1Projective>::new(G1Affine::generator().into(), n).batch_mul(&scalars);
        let g2 =
            BatchMulPreprocessing::<G2Projective>::new(G2Affine::generator().into(), n).batch_mul(&scalars);
        group.throughput(Throughput::Elements(n as u64));
        group.bench_function(BenchmarkId::new("g1", n), |b| b.iter(|| Cpu.msm_g1(&g1, &scalars).unwrap()));
        group.bench_function(BenchmarkId::new("g2", n), |b| b.iter(|| Cpu.msm_g2(&g2, &scalars).unwrap()));
    }
    group.finish();
}

fn transforms(c: &mut Criterion) {
    let mut group = c.benchmark_group("ntt");
    group.sample_size(20);
    for log in [15, 16, 17] {
        let domain = Domain::new(1 << log).unwrap();
        let values = scalars(domain.size());
        group.throughput(Throughput::Elements(values.len() as u64));
        group.bench_function(BenchmarkId::new("to coset", domain.size()), |b| {
            b.iter_batched(
                || values.clone(),
                |mut values| Cpu.to_coset(&domain, &mut values).unwrap(),
                criterion::BatchSize::LargeInput,
            );
        });
    }
    group.finish();
}

criterion_group!(kernels, hashes, multiplications, transforms);
criterion_main!(kernels);
