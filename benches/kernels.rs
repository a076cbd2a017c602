//! The kernels that a claim proof is made of: Poseidon, multi-scalar multiplication and the transforms.
#![expect(clippy::unwrap_used, reason = "a benchmark that meets an error has failed")]

use ark_bn254::{G1Affine, G1Projective, G2Affine, G2Projective};
use ark_ec::{AffineRepr, scalar_mul::BatchMulPreprocessing};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use nightingale_benches::kernels::scalars;
use nightingale_circuits::{poseidon, tag::Tag};
use nightingale_prover::{
    Device,
    device::{self, G1Point, G2Point, Scalars},
    reduction::Domain,
};
use std::{hint::black_box, sync::Arc};

fn cpu() -> Arc<dyn Device> {
    device::open("cpu", &device::Options::default()).unwrap()
}

fn hashes(c: &mut Criterion) {
    let inputs = scalars(4);
    c.bench_function("poseidon/four inputs", |b| b.iter(|| poseidon::tagged(Tag::Claim, black_box(&inputs))));
}

fn multiplications(c: &mut Criterion) {
    let mut group = c.benchmark_group("msm");
    group.sample_size(10);
    let cpu = cpu();
    for log in [14, 16] {
        let n = 1 << log;
        let scalars = scalars(n);
        let g1 =
            BatchMulPreprocessing::<G1Projective>::new(G1Affine::generator().into(), n).batch_mul(&scalars);
        let g2 =
            BatchMulPreprocessing::<G2Projective>::new(G2Affine::generator().into(), n).batch_mul(&scalars);
        let g1 = cpu.bases_g1(&g1.into_iter().map(G1Point::from).collect::<Vec<_>>().into()).unwrap();
        let g2 = cpu.bases_g2(&g2.into_iter().map(G2Point::from).collect::<Vec<_>>().into()).unwrap();
        group.throughput(Throughput::Elements(n as u64));
        let batch = [Scalars::Host(&scalars)];
        group.bench_function(BenchmarkId::new("g1", n), |b| b.iter(|| g1.multiply(&batch).unwrap()));
        group.bench_function(BenchmarkId::new("g2", n), |b| b.iter(|| g2.multiply(&batch).unwrap()));
    }
    group.finish();
}

fn transforms(c: &mut Criterion) {
    let mut group = c.benchmark_group("ntt");
    group.sample_size(20);
    let cpu = cpu();
    for log in [15, 16, 17] {
        let domain = Domain::new(1 << log).unwrap();
        let values = scalars(domain.size());
        let steps = domain.to_coset().unwrap();
        group.throughput(Throughput::Elements(values.len() as u64));
        group.bench_function(BenchmarkId::new("to coset", domain.size()), |b| {
            b.iter_batched(
                || cpu.vector(&values).unwrap(),
                |mut vector| steps.iter().for_each(|step| vector.transform(step).unwrap()),
                criterion::BatchSize::LargeInput,
            );
        });
    }
    group.finish();
}

criterion_group!(kernels, hashes, multiplications, transforms);
criterion_main!(kernels);
