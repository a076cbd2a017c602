//! The GPU device, on the emulation of its library: the kernels of `prover/gpu`, compiled for the processor. What only a
//! GPU shows is not tested here; `prover/gpu/README.md` says what is.

mod emulation;
mod loading;

use super::{
    conformance,
    system::{element, random, rng},
};
use ark_ff::Field;
use emulation::{Emulation, Quirk};
use nightingale_circuits::{Fr, r1cs::R1cs};
use nightingale_prover::{
    Device, ProveError,
    device::{
        Cuda, DeviceError, G1Point, Reference, Scalars, Slab, Sums,
        cuda::{LIBRARY_VARIABLE, Options},
    },
    groth16::Key,
    reduction::System,
    setup::{Secrets, generate},
};
use std::{env, ops::ControlFlow, sync::Arc};

/// A key of a made-up system, and assignments that satisfy it, each with other values.
fn key(public: usize, constraints: usize, assignments: usize) -> (Arc<Key>, Vec<Vec<Fr>>) {
    let (r1cs, first) = random(public, constraints, 77);
    let key = generate(&r1cs, &Secrets::development("test").unwrap()).unwrap();
    let mut rng = rng(78);
    let assignments = (0..assignments).map(|_| {
        let free = first.len() - constraints;
        let mut values = vec![Fr::ONE];
        values.extend((1..free).map(|_| element(&mut rng)));
        solve(&r1cs, values)
    });
    let assignments = assignments.collect();
    (Arc::new(Key::new(System::new(&r1cs).unwrap(), &key).unwrap()), assignments)
}

/// The columns that follow from the free ones: row by row the product that a new column is.
fn solve(r1cs: &R1cs, mut values: Vec<Fr>) -> Vec<Fr> {
    for (a, b) in r1cs.a.iter().zip(&r1cs.b) {
        let [x, y] = [a, b].map(|row| row.iter().map(|(k, column)| *k * values[*column]).sum::<Fr>());
        values.push(x * y);
    }
    values
}

fn sums(device: &dyn Device, key: &Arc<Key>, assignments: &[Vec<Fr>]) -> Result<Vec<Sums>, ProveError> {
    let assignments: Vec<&[Fr]> = assignments.iter().map(Vec::as_slice).collect();
    device.groth16(key)?.sums(&assignments, &mut |_| ControlFlow::Continue(()))
}

#[test]
fn the_emulated_gpu_conforms() {
    let Some(emulation) = Emulation::new() else { return };
    // Tables for the small sizes only: on one processor they cost more than they save.
    conformance::run(&emulation.open(&Options { table_bytes: Some(1 << 15), ..Options::default() }).unwrap());
}

/// Not part of any build without a GPU: `NIGHTINGALE_CUDA_LIBRARY` says where the library for one is.
#[test]
fn a_gpu_conforms() {
    if env::var_os(LIBRARY_VARIABLE).is_none() {
        eprintln!("skipped: {LIBRARY_VARIABLE} is not set");
        return;
    }
    conformance::run(&Cuda::open(0, &Options::default()).unwrap());
}

#[test]
fn sums_are_the_same_with_tables_of_any_size_and_on_any_number_of_streams() {
    let Some(emulation) = Emulation::new() else { return };
    let (key, assignments) = key(3, 120, 5);
    let expected = sums(&Reference, &key, &assignments).unwrap();
    // No table, one of a few levels, one for all windows.
    for table_bytes in [1, 20_000, 1 << 20] {
        for streams in [1, 3] {
            let (table_bytes, streams) = (Some(table_bytes), Some(streams));
            let device = emulation.open(&Options { table_bytes, streams, ..Options::default() }).unwrap();
            assert_eq!(sums(&device, &key, &assignments).unwrap(), expected, "{table_bytes:?}, {streams:?}");
        }
    }
}

#[test]
fn a_batch_is_done_in_pieces_that_fit_the_memory_or_not_at_all() {
    let Some(emulation) = Emulation::new() else { return };
    let (key, assignments) = key(2, 60, 6);
    let expected = sums(&Reference, &key, &assignments).unwrap();
    let (mut refused, mut done) = (0, 0);
    // From what not even the key fits into to what all fit into at once.
    for step in 0..13 {
        let memory_bytes = 50_000 * 14u64.pow(step) / 10u64.pow(step);
        let options =
            Options { memory_bytes: Some(memory_bytes), table_bytes: Some(1), ..Options::default() };
        let device = emulation.open(&options).unwrap();
        match sums(&device, &key, &assignments) {
            Ok(found) => {
                assert_eq!(found, expected, "{memory_bytes}");
                done += 1;
            }
            Err(ProveError::Device(DeviceError::OutOfMemory { .. })) if done == 0 => refused += 1,
            other => assert!(other.is_ok(), "{memory_bytes}: {other:?}"),
        }
        let (used, budget) = device.memory().unwrap();
        assert!(used <= budget && budget == memory_bytes, "{used} of {budget}");
    }
    assert!(refused > 1 && done > 3, "{refused} refused, {done} done");
}

#[test]
fn a_broken_assignment_is_refused_by_its_first_broken_row() {
    let Some(emulation) = Emulation::new() else { return };
    let device = emulation.open(&Options::default()).unwrap();
    let (key, mut assignments) = key(2, 40, 2);
    // The last column is the last row's product and nobody's factor.
    *assignments[1].last_mut().unwrap() += Fr::ONE;
    let result = sums(&device, &key, &assignments);
    assert!(matches!(result, Err(ProveError::Unsatisfied { row: 39 })), "{result:?}");
    let result = sums(&device, &key, &[assignments[0][1..].to_vec()]);
    assert!(matches!(result, Err(ProveError::Device(DeviceError::Input(_)))), "{result:?}");
    assert!(sums(&device, &key, &[]).unwrap().is_empty());
}

#[test]
fn nothing_of_a_witness_stays_in_the_gpus_memory() {
    let Some(emulation) = Emulation::new() else { return };
    emulation.set(Quirk::Keeping, 1);
    let device = emulation.open(&Options::default()).unwrap();
    let (key, assignments) = key(2, 60, 3);
    let secret = Fr::from(0xfeed_u64).pow([77]);
    {
        // It is there for as long as the vector is: the search finds what it should.
        let vector = device.vector(&[Fr::ONE, secret]).unwrap();
        assert!(emulation.holds(&secret));
        drop(vector);
        assert!(!emulation.holds(&secret));
    }
    sums(&device, &key, &assignments).unwrap();
    let points: Slab<G1Point> = vec![key.a.points[0]; 2].into();
    device.bases_g1(&points).unwrap().multiply(&[Scalars::Host(&[secret, secret])]).unwrap();
    assert!(!emulation.holds(&secret));
    // Small values are also in the key's matrices.
    let secrets: Vec<Fr> = assignments
        .concat()
        .into_iter()
        .filter(|value| value.0.0.iter().all(|limb| *limb > 1 << 40))
        .collect();
    assert!(secrets.len() > 100);
    let coefficients: Vec<Fr> =
        [key.system().a(), key.system().b()].into_iter().flat_map(|m| m.coefficients().to_vec()).collect();
    for value in secrets.iter().filter(|value| !coefficients.contains(value)) {
        assert!(!emulation.holds(value));
    }
}

#[test]
fn memory_that_runs_out_is_an_error_and_the_device_goes_on() {
    let Some(emulation) = Emulation::new() else { return };
    let (key, assignments) = key(2, 200, 2);
    let device = emulation.open(&Options { memory_bytes: Some(1 << 18), ..Options::default() }).unwrap();
    let result = sums(&device, &key, &assignments);
    assert!(matches!(result, Err(ProveError::Device(DeviceError::OutOfMemory { .. }))), "{result:?}");
    let result = device.vector(&vec![Fr::ONE; 1 << 17]);
    assert!(matches!(result.err(), Some(DeviceError::OutOfMemory { .. })));
    let mut out = [Fr::default()];
    device.vector(&[Fr::from(5u64)]).unwrap().read(&mut out).unwrap();
    assert_eq!(out, [Fr::from(5u64)]);
    // The budget allows it, the GPU does not have it.
    emulation.set(Quirk::Memory, 1 << 18);
    let device = emulation.open(&Options { memory_bytes: Some(1 << 30), ..Options::default() }).unwrap();
    let result = sums(&device, &key, &assignments);
    assert!(matches!(result, Err(ProveError::Device(DeviceError::OutOfMemory { .. }))), "{result:?}");
    emulation.set(Quirk::Memory, 1 << 30);
    assert_eq!(sums(&device, &key, &assignments).unwrap(), sums(&Reference, &key, &assignments).unwrap());
}

#[test]
fn memory_is_given_back() {
    let Some(emulation) = Emulation::new() else { return };
    let device = emulation.open(&Options::default()).unwrap();
    let (key, assignments) = key(2, 50, 2);
    let round = || {
        sums(&device, &key, &assignments).unwrap();
        device.vector(&[Fr::ONE; 100]).map(drop).unwrap();
        device.memory().unwrap().0
    };
    let first = round();
    assert!((0..3).all(|_| round() == first));
}

#[test]
fn a_gpu_that_is_lost_in_a_batch_says_so_until_it_is_opened_anew() {
    let Some(emulation) = Emulation::new() else { return };
    let (key, assignments) = key(2, 50, 3);
    let is_lost = |result: Result<Vec<Sums>, ProveError>| {
        let lost = matches!(&result, Err(ProveError::Device(error @ DeviceError::Lost { .. })) if error.ends_device());
        assert!(lost, "{result:?}");
    };
    // At the first launch, and at some that are within transforms, sorts and sums.
    for launch in [1, 7, 20, 40, 55] {
        let device = emulation.open(&Options::default()).unwrap();
        let resident = device.groth16(&key).unwrap();
        let batch: Vec<&[Fr]> = assignments.iter().map(Vec::as_slice).collect();
        emulation.set(Quirk::Loss, launch);
        is_lost(resident.sums(&batch, &mut |_| ControlFlow::Continue(())));
        emulation.set(Quirk::Loss, 0);
        is_lost(resident.sums(&batch, &mut |_| ControlFlow::Continue(())));
        is_lost(sums(&device, &key, &assignments));
        drop(resident);
        let anew = emulation.open(&Options::default()).unwrap();
        assert_eq!(sums(&anew, &key, &assignments).unwrap(), sums(&Reference, &key, &assignments).unwrap());
    }
}

#[test]
fn a_gpu_that_computes_falsely_gives_sums_that_differ() {
    let Some(emulation) = Emulation::new() else { return };
    let (key, assignments) = key(2, 50, 1);
    let device = emulation.open(&Options::default()).unwrap();
    emulation.set(Quirk::Falsehood, 1);
    assert_ne!(sums(&device, &key, &assignments).unwrap(), sums(&Reference, &key, &assignments).unwrap());
}

#[test]
fn vectors_of_one_device_are_refused_by_another() {
    let Some(emulation) = Emulation::new() else { return };
    let [one, other] = [(); 2].map(|()| -> Cuda { emulation.open(&Options::default()).unwrap() });
    let vector = one.vector(&[Fr::ONE]).unwrap();
    let points: Slab<G1Point> = vec![G1Point([0; 8])].into();
    let result = other.bases_g1(&points).unwrap().multiply(&[Scalars::Resident(&*vector)]);
    assert!(matches!(result, Err(DeviceError::Input(_))));
}
