//! Whole claims of both classes: the proof and its verification.
#![expect(clippy::unwrap_used, reason = "a benchmark that meets an error has failed")]

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use nightingale_benches::{peers::Bench, workload};
use nightingale_prover::device;
use std::path::Path;

fn proofs(c: &mut Criterion) {
    let mut group = c.benchmark_group("claim");
    group.sample_size(10);
    let keys = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/development-keys");
    let cpu = device::open("cpu", &device::Options::default()).unwrap();
    for case in workload::cases(Path::new(keys), |name| name.starts_with("claim")).unwrap() {
        let name = case.name;
        let bench = Bench::new(case, &[&*cpu]).unwrap();
        let mut ours = bench.contestants().swap_remove(0);
        group.bench_function(BenchmarkId::new("prove and verify", name), |b| {
            b.iter(|| (ours.work)(0).unwrap());
        });
    }
    group.finish();
}

criterion_group!(claims, proofs);
criterion_main!(claims);
