//! A device has one domain of roots. Whoever asks for another root gets right values or an error, never wrong values.

use super::{StandIn, WRONG};
use crate::prover::system::{element, rng};
use ark_bn254::Fr;
use ark_ff::{FftField, Field, PrimeField};
use nightingale_prover::{
    Device,
    device::{DeviceError, Direction, Icicle, Reference, Transform},
};

/// A root of order 2^`log_size` from halo2's generator 7.
pub(super) fn root_of_halo2(log_size: u32) -> Fr {
    let odd = Fr::from(7).pow(Fr::TRACE);
    (log_size..Fr::TWO_ADICITY).fold(odd, |root, _| root.square())
}

/// One of the same order from arkworks' generator 5.
fn root_of_arkworks(log_size: u32) -> Fr {
    Fr::get_root_of_unity(1 << log_size).unwrap()
}

/// Whether a transform of random values is the reference's.
fn right(device: &Icicle, log_size: u32, root: Fr) -> Result<bool, DeviceError> {
    let mut rng = rng(9);
    let values: Vec<Fr> = (0..1 << log_size).map(|_| element(&mut rng)).collect();
    let transform = Transform::new(log_size, root, Fr::from(11), Direction::Forward)?;
    let read = |device: &dyn Device| {
        let mut vector = device.vector(&values)?;
        vector.transform(&transform)?;
        let mut out = values.clone();
        vector.read(&mut out).map(|()| out)
    };
    Ok(read(device)? == read(&Reference)?)
}

#[test]
fn one_domain_serves_all_smaller_sizes_of_its_family() {
    let stand_in = StandIn::new();
    let device = stand_in.open("icicle:CUDA:0").unwrap();
    assert!(right(&device, 8, root_of_arkworks(8)).unwrap());
    let made = stand_in.calls("bn254_ntt_init_domain");
    for log_size in 1..=8 {
        assert!(right(&device, log_size, root_of_arkworks(log_size)).unwrap());
    }
    assert_eq!(stand_in.calls("bn254_ntt_init_domain"), made);
    // Another root of order 2 does not exist.
    assert!(right(&device, 1, root_of_halo2(1)).unwrap());
    assert_eq!(stand_in.calls("bn254_ntt_init_domain"), made);
    assert!(right(&device, 8, root_of_halo2(8)).unwrap());
    assert!(right(&device, 9, root_of_halo2(9)).unwrap());
    assert_eq!(stand_in.calls("bn254_ntt_init_domain"), made + 2);
}

#[test]
fn two_openings_of_a_device_share_its_domain_and_two_devices_do_not() {
    let stand_in = StandIn::new();
    let [first, second] = ["icicle:CUDA:0"; 2].map(|name| stand_in.open(name).unwrap());
    let other = stand_in.open("icicle:CUDA:1").unwrap();
    for _ in 0..3 {
        assert!(right(&first, 5, root_of_arkworks(5)).unwrap());
        assert!(right(&second, 5, root_of_halo2(5)).unwrap());
    }
    assert!(right(&other, 5, root_of_arkworks(5)).unwrap());
    let made = stand_in.calls("bn254_ntt_init_domain");
    assert!(right(&second, 5, root_of_halo2(5)).unwrap());
    assert!(right(&other, 5, root_of_arkworks(5)).unwrap());
    assert_eq!(stand_in.calls("bn254_ntt_init_domain"), made);
}

#[test]
fn a_domain_that_somebody_else_left_is_replaced() {
    let stand_in = StandIn::new();
    let mut device = [0u8; 68];
    device[..3].copy_from_slice(b"CPU");
    let (root, config) = (root_of_halo2(3).into_bigint().0, [0u8; 24]);
    let set = stand_in.function::<unsafe extern "C" fn(*const [u8; 68]) -> i32>("icicle_set_device");
    // SAFETY: as the stand-in declares it.
    assert_eq!(unsafe { set(&raw const device) }, 0);
    let init = stand_in
        .function::<unsafe extern "C" fn(*const [u64; 4], *const [u8; 24]) -> i32>("bn254_ntt_init_domain");
    // SAFETY: as the stand-in declares it.
    assert_eq!(unsafe { init(&raw const root, &raw const config) }, 0);
    let device = stand_in.open("icicle:CPU:0").unwrap();
    assert!(right(&device, 8, root_of_arkworks(8)).unwrap());
}

#[test]
fn a_device_that_keeps_its_first_root_is_broken() {
    let stand_in = StandIn::new();
    let device = stand_in.open("icicle:CPU:0").unwrap();
    // Says that it released the domain, and did not.
    stand_in.fault("bn254_ntt_release_domain", WRONG, 0, 2);
    let error = right(&device, 8, root_of_arkworks(8)).unwrap_err();
    assert!(matches!(error, DeviceError::Broken { .. }), "{error}");
    // Takes another root than the one it was given.
    stand_in.fault("bn254_ntt_release_domain", 0, 0, 0);
    stand_in.fault("bn254_ntt_init_domain", WRONG, 0, 2);
    let error = right(&device, 8, root_of_arkworks(8)).unwrap_err();
    assert!(matches!(error, DeviceError::Broken { .. }), "{error}");
    assert!(right(&device, 8, root_of_arkworks(8)).unwrap());
}

#[test]
fn after_a_failed_change_no_root_is_believed() {
    let stand_in = StandIn::new();
    let device = stand_in.open("icicle:CPU:0").unwrap();
    assert!(right(&device, 8, root_of_arkworks(8)).unwrap());
    for function in
        ["bn254_ntt_release_domain", "bn254_ntt_init_domain", "bn254_get_root_of_unity_from_domain"]
    {
        // An out-of-memory while twiddles are made, or a failure to answer.
        stand_in.fault(function, 2, 0, 2);
        right(&device, 8, root_of_halo2(8)).unwrap_err();
        stand_in.fault(function, 0, 0, 0);
        assert!(right(&device, 8, root_of_arkworks(8)).unwrap(), "{function}");
        assert!(right(&device, 8, root_of_halo2(8)).unwrap(), "{function}");
        assert!(right(&device, 8, root_of_arkworks(8)).unwrap(), "{function}");
    }
}
