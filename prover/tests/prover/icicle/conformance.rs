//! The suite of all devices, and what is ICICLE's own: memory, and who a vector belongs to.

use super::{StandIn, real};
use crate::prover::conformance;
use ark_bn254::{Fr, G1Affine};
use ark_ec::AffineRepr;
use ark_ff::Field;
use nightingale_prover::{
    Device,
    device::{DeviceError, G1Point, Pointwise, Scalars, Slab},
};

#[test]
fn conforms_as_cpu_device() {
    conformance::run(&StandIn::new().open("icicle:CPU:0").unwrap());
}

#[test]
fn conforms_as_cuda_device() {
    conformance::run(&StandIn::new().open("icicle:CUDA:1").unwrap());
}

#[test]
fn the_real_library_conforms() {
    if let Some(device) = real() {
        conformance::run(&device);
    }
}

#[test]
fn knows_its_own_vectors() {
    let stand_in = StandIn::new();
    let [device, again, other] =
        ["icicle:CUDA:0", "icicle:CUDA:0", "icicle:CUDA:1"].map(|name| stand_in.open(name).unwrap());
    let points: Slab<G1Point> = vec![G1Point::from(G1Affine::generator()); 2].into();
    let bases = device.bases_g1(&points).unwrap();
    let mut vector = device.vector(&[Fr::ONE; 2]).unwrap();
    let foreign = other.vector(&[Fr::ONE; 2]).unwrap();
    assert!(matches!(vector.combine(Pointwise::Add, &*foreign), Err(DeviceError::Input(_))));
    assert!(matches!(bases.multiply(&[Scalars::Resident(&*foreign)]), Err(DeviceError::Input(_))));
    // Opened twice it is still the same device.
    vector.combine(Pointwise::Add, &*again.vector(&[Fr::ONE; 2]).unwrap()).unwrap();
    assert_eq!(
        bases.multiply(&[Scalars::Resident(&*vector)]).unwrap(),
        [G1Affine::generator() * Fr::from(4u64)]
    );
}

#[test]
fn leaves_no_witness_and_no_memory_behind() {
    let stand_in = StandIn::new();
    let device = stand_in.open("icicle:CUDA:0").unwrap();
    let points: Slab<G1Point> = vec![G1Point::from(G1Affine::generator()); 4].into();
    let bases = device.bases_g1(&points).unwrap();
    let (live, unerased) = (stand_in.live(), stand_in.unerased());
    let secret = [-Fr::ONE; 4];
    bases.multiply(&[Scalars::Host(&secret), Scalars::Resident(&*device.vector(&secret).unwrap())]).unwrap();
    assert_eq!((stand_in.live(), stand_in.unerased()), (live, unerased));
    drop(bases);
    assert_eq!((stand_in.live(), stand_in.unerased()), (0, unerased + 1), "points are public");
}
