//! Many threads on one device, with roots that take each other's domain away and faults in between: every answer is right
//! or an error.

use super::{RUNTIME_ERROR, StandIn, real, roots::root_of_halo2};
use crate::prover::system::{element, rng};
use ark_bn254::{Fr, G1Affine};
use ark_ec::AffineRepr;
use ark_ff::FftField;
use nightingale_prover::{
    Device,
    device::{DeviceError, Direction, G1Point, Icicle, Reference, Scalars, Transform},
};
use std::{
    sync::atomic::{AtomicU64, Ordering},
    thread,
};

/// One thread's work; how often it was refused.
fn rounds(device: &Icicle, seed: u64, rounds: u32) -> u64 {
    let mut rng = rng(seed);
    let points = vec![G1Point::from(G1Affine::generator()); 16].into();
    let mut refused = 0;
    for round in 0..rounds {
        let log_size = 1 + (u64::from(round) + seed) as u32 % 6;
        let ark = Fr::get_root_of_unity(1 << log_size).unwrap();
        let root = if (u64::from(round) + seed).is_multiple_of(2) { ark } else { root_of_halo2(log_size) };
        let values: Vec<Fr> = (0..1 << log_size).map(|_| element(&mut rng)).collect();
        let scalars: Vec<Fr> = (0..16).map(|_| element(&mut rng)).collect();
        let transform = Transform::new(log_size, root, Fr::from(seed + 2), Direction::Forward).unwrap();
        let answers = |device: &dyn Device| -> Result<_, DeviceError> {
            let mut vector = device.vector(&values)?;
            vector.transform(&transform)?;
            let mut read = values.clone();
            vector.read(&mut read)?;
            Ok((read, device.bases_g1(&points)?.multiply(&[Scalars::Host(&scalars)])?))
        };
        match answers(device) {
            Ok(found) => assert_eq!(found, answers(&Reference).unwrap()),
            Err(_) => refused += 1,
        }
    }
    refused
}

#[test]
fn threads_with_different_roots_never_see_each_others() {
    let stand_in = StandIn::new();
    // Two devices, one of them opened twice.
    let devices = ["icicle:CUDA:0", "icicle:CUDA:0", "icicle:CPU:0"].map(|name| stand_in.open(name).unwrap());
    thread::scope(|scope| {
        for seed in 0..6u64 {
            let device = &devices[seed as usize % 3];
            scope.spawn(move || assert_eq!(rounds(device, seed, 40), 0));
        }
    });
    assert_eq!(stand_in.live(), 0);
}

#[test]
fn faults_among_threads_are_errors_and_no_answer_is_wrong() {
    let stand_in = StandIn::new();
    if !stand_in.can_throw() {
        return;
    }
    let device = stand_in.open("icicle:CUDA:0").unwrap();
    let refused = AtomicU64::new(0);
    thread::scope(|scope| {
        for seed in 0..4 {
            let (device, refused) = (&device, &refused);
            scope.spawn(move || refused.fetch_add(rounds(device, seed, 60), Ordering::Relaxed));
        }
        for (i, function) in [
            "bn254_ntt",
            "bn254_ntt_init_domain",
            "bn254_msm",
            "bn254_ntt_release_domain",
            "icicle_copy_to_host",
        ]
        .iter()
        .cycle()
        .take(20)
        .enumerate()
        {
            stand_in.fault(function, if i % 2 == 0 { RUNTIME_ERROR } else { 14 }, 1, 1);
            thread::sleep(std::time::Duration::from_millis(2));
        }
    });
    assert!(refused.into_inner() > 0);
    assert_eq!(rounds(&device, 7, 10), 0, "works again");
}

#[test]
fn the_real_library_bears_threads() {
    let Some(device) = real() else { return };
    thread::scope(|scope| {
        for seed in 0..4 {
            let device = &device;
            scope.spawn(move || assert_eq!(rounds(device, seed, 20), 0));
        }
    });
}
