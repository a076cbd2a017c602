//! Each function fails in each way, and it is an error of the right kind; afterwards the device works again.

use super::{BAD_ALLOC, FOREIGN_EXCEPTION, GARBAGE, RUNTIME_ERROR, StandIn, THROWN_INT};
use ark_bn254::{Fr, G1Affine, G2Affine};
use ark_ec::AffineRepr;
use ark_ff::{FftField, Field};
use nightingale_prover::{
    Device,
    device::{DeviceError, Direction, G1Point, G2Point, Icicle, Pointwise, Scalars, Transform},
};

/// What a caller may do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Absent,
    Broken,
    /// Never: no fault of the library is a mistake of the caller.
    Input,
    Lost,
    OutOfMemory,
    Unsupported,
}

fn kind(error: &DeviceError) -> Kind {
    match error {
        DeviceError::Absent { .. } => Kind::Absent,
        DeviceError::Broken { .. } => Kind::Broken,
        DeviceError::Lost { .. } => Kind::Lost,
        DeviceError::OutOfMemory { .. } => Kind::OutOfMemory,
        DeviceError::Unsupported { .. } => Kind::Unsupported,
        DeviceError::Input(_) => Kind::Input,
    }
}

/// The codes of `icicle/errors.h` in their order, and two that it does not have.
const CODES: [(i32, Kind); 16] = [
    (1, Kind::Absent),
    (2, Kind::OutOfMemory),
    (3, Kind::Broken),
    (4, Kind::OutOfMemory),
    (5, Kind::Lost),
    (6, Kind::Lost),
    (7, Kind::Lost),
    (8, Kind::Lost),
    (9, Kind::Lost),
    (10, Kind::Unsupported),
    (11, Kind::Broken),
    (12, Kind::Absent),
    (13, Kind::Absent),
    (14, Kind::Lost),
    (15, Kind::Broken),
    (-1, Kind::Broken),
];

/// What work on a device calls, and how often at least.
const WORK: [(&str, u64); 13] = [
    ("icicle_set_device", 12),
    ("icicle_malloc", 5),
    ("icicle_copy_to_device", 5),
    ("icicle_copy_to_host", 1),
    ("bn254_msm", 1),
    ("bn254_g2_msm", 1),
    ("bn254_ntt", 2),
    ("bn254_ntt_init_domain", 2),
    ("bn254_ntt_release_domain", 1),
    ("bn254_get_root_of_unity_from_domain", 2),
    ("bn254_vector_add", 1),
    ("bn254_vector_sub", 1),
    ("bn254_vector_mul", 1),
];

/// Every operation once, the transforms by two roots; true when the answers are right.
fn work(device: &Icicle) -> Result<bool, DeviceError> {
    let two = Fr::from(2);
    let values = [Fr::ONE, two, -Fr::ONE, Fr::ONE, two, two, Fr::ONE, -two];
    let g1 = device.bases_g1(&vec![G1Point::from(G1Affine::generator()); 8].into())?;
    let g2 = device.bases_g2(&vec![G2Point::from(G2Affine::generator()); 8].into())?;
    let mut vector = device.vector(&values)?;
    let other = device.vector(&values)?;
    let root = Fr::get_root_of_unity(8).unwrap();
    for root in [root.pow([3]), root] {
        for direction in [Direction::Forward, Direction::Inverse] {
            vector.transform(&Transform::new(3, root, two, direction)?)?;
        }
    }
    vector.combine(Pointwise::Add, &*other)?;
    vector.combine(Pointwise::Subtract, &*device.vector(&[Fr::ONE; 8])?)?;
    vector.combine(Pointwise::Multiply, &*other)?;
    let mut read = [Fr::default(); 8];
    vector.read(&mut read)?;
    let expected = values.map(|x| (x + x - Fr::ONE) * x);
    let sum: Fr = expected.iter().sum();
    let g1 = g1.multiply(&[Scalars::Resident(&*vector)])?;
    let g2 = g2.multiply(&[Scalars::Host(&expected)])?;
    Ok(read == expected && g1 == [G1Affine::generator() * sum] && g2 == [G2Affine::generator() * sum])
}

#[test]
fn every_code_of_every_function_is_an_error_of_its_kind() {
    let stand_in = StandIn::new();
    let device = stand_in.open("icicle:CUDA:0").unwrap();
    for (function, at_least) in WORK {
        let before = stand_in.calls(function);
        assert!(work(&device).unwrap());
        let calls = stand_in.calls(function) - before;
        assert!(calls >= at_least, "{function} was called {calls} times");
        for (code, expected) in CODES {
            let live = stand_in.live();
            // At its first call and at its last but for those that free memory, whose errors nobody can hear.
            let skips = if function == "icicle_set_device" { 0..6 } else { 0..at_least };
            for skip in skips {
                stand_in.fault(function, code, skip, 1);
                let error = work(&device).unwrap_err();
                assert_eq!(kind(&error), expected, "{function}: {error}");
                assert!(
                    error.to_string().contains(function) && error.to_string().contains("icicle:CUDA:0"),
                    "{error}"
                );
                stand_in.fault(function, 0, 0, 0);
                assert_eq!(stand_in.live(), live, "{function} {code} at {skip}");
            }
            assert!(work(&device).unwrap(), "{function} {code}");
        }
    }
}

#[test]
fn every_code_at_opening_is_an_error_of_its_kind() {
    for function in ["icicle_load_backend", "icicle_get_registered_devices", "icicle_get_device_count"] {
        for (code, expected) in CODES {
            let stand_in = StandIn::new();
            stand_in.fault(function, code, 0, 1);
            let error = stand_in.open("icicle:CUDA:0").err().unwrap();
            assert_eq!(kind(&error), expected, "{function}: {error}");
            stand_in.open("icicle:CUDA:0").unwrap();
        }
    }
}

#[test]
fn an_exception_from_any_function_is_an_error() {
    let stand_in = StandIn::new();
    if !stand_in.can_throw() {
        return;
    }
    let device = stand_in.open("icicle:CUDA:0").unwrap();
    for (function, _) in WORK {
        for thrown in [RUNTIME_ERROR, BAD_ALLOC, THROWN_INT, FOREIGN_EXCEPTION] {
            let live = stand_in.live();
            stand_in.fault(function, thrown, 0, 1);
            let error = work(&device).unwrap_err();
            let expected = if thrown == BAD_ALLOC { Kind::OutOfMemory } else { Kind::Broken };
            assert_eq!(kind(&error), expected, "{function}: {error}");
            assert!(error.to_string().contains(function), "{error}");
            assert_eq!(error.to_string().contains("told to"), thrown == RUNTIME_ERROR, "{error}");
            assert_eq!(stand_in.live(), live, "{function}");
            assert!(work(&device).unwrap());
        }
    }
    for function in ["icicle_load_backend", "icicle_get_registered_devices", "icicle_get_device_count"] {
        let stand_in = StandIn::new();
        stand_in.fault(function, RUNTIME_ERROR, 0, 1);
        assert_eq!(kind(&stand_in.open("icicle:CUDA:0").err().unwrap()), Kind::Broken, "{function}");
    }
}

#[test]
fn an_exception_while_memory_is_freed_ends_nothing() {
    let stand_in = StandIn::new();
    if !stand_in.can_throw() {
        return;
    }
    let device = stand_in.open("icicle:CUDA:0").unwrap();
    for function in ["icicle_free", "icicle_memset"] {
        for fault in [RUNTIME_ERROR, FOREIGN_EXCEPTION, 5] {
            stand_in.fault(function, fault, 0, 3);
            assert!(work(&device).unwrap());
        }
    }
}

#[test]
fn thousands_of_exceptions_leave_nothing_behind() {
    let stand_in = StandIn::new();
    if !stand_in.can_throw() {
        return;
    }
    let device = stand_in.open("icicle:CPU:0").unwrap();
    stand_in.fault("icicle_malloc", RUNTIME_ERROR, 0, 5_000);
    for _ in 0..5_000 {
        assert!(device.vector(&[Fr::ONE]).is_err());
    }
    assert!(work(&device).unwrap());
}

#[test]
fn what_is_no_point_and_no_element_is_broken() {
    let stand_in = StandIn::new();
    let device = stand_in.open("icicle:CUDA:0").unwrap();
    for function in ["bn254_msm", "bn254_g2_msm", "icicle_copy_to_host"] {
        stand_in.fault(function, GARBAGE, 0, 1);
        assert_eq!(kind(&work(&device).unwrap_err()), Kind::Broken);
        assert!(work(&device).unwrap());
    }
    stand_in.fault("icicle_malloc", super::WRONG, 0, 1);
    assert_eq!(kind(&work(&device).unwrap_err()), Kind::Broken, "success without memory");
}

#[test]
fn what_does_not_fit_is_out_of_memory_and_what_fits_goes_on() {
    let stand_in = StandIn::new();
    let device = stand_in.open("icicle:CUDA:0").unwrap();
    stand_in.memory(4096);
    let large = vec![Fr::ONE; 1000];
    let error = device.vector(&large).err().unwrap();
    assert!(kind(&error) == Kind::OutOfMemory && !error.ends_device() && error.elsewhere());
    let points: Vec<G1Point> = vec![G1Affine::generator().into(); 1000];
    assert_eq!(kind(&device.bases_g1(&points.into()).err().unwrap()), Kind::OutOfMemory);
    assert!(work(&device).unwrap());
}
