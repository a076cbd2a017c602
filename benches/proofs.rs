//! Whole claims of both classes: the assignment, the proof, the verification.
#![expect(clippy::unwrap_used, reason = "a benchmark that meets an error has failed")]

use ark_bn254::Fr;
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use nightingale_benches::{
    peers::{Bench, Peer},
    workload,
};
use std::path::Path;

fn proofs(c: &mut Criterion) {
    let mut group = c.benchmark_group("claim");
    group.sample_size(10);
    let keys = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/development-keys");
    for bench in workload::cases(Path::new(keys)).unwrap().into_iter().map(Bench::new) {
        let name = bench.case().class.name();
        let (r, s) = (Fr::from(3u64), Fr::from(5u64));
        group.bench_function(BenchmarkId::new("prove", name), |b| {
            b.iter(|| bench.prove(Peer::Ours, r, s).unwrap());
        });
        let proof = bench.prove(Peer::Ours, r, s).unwrap();
        group.bench_function(BenchmarkId::new("verify", name), |b| b.iter(|| bench.verifies(&proof)));
    }
    group.finish();
}

criterion_group!(claims, proofs);
criterion_main!(claims);
