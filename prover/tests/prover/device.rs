//! Devices by name, and transforms that no device should be asked for.

use ark_bn254::Fr;
use ark_ff::{AdditiveGroup, FftField, Field};
use nightingale_prover::{
    ProveError,
    device::{self, DeviceError, Direction, Transform},
    reduction::Domain,
};

#[test]
fn refuses_unknown_names() {
    assert!(
        matches!(device::open("abacus", &device::Options::default()), Err(ProveError::UnknownDevice(name)) if name == "abacus")
    );
}

#[test]
fn refuses_transforms_whose_root_has_another_order() {
    let root = Fr::get_root_of_unity(8).unwrap();
    let new = |log, root, coset| Transform::new(log, root, coset, Direction::Forward);
    assert!(new(3, root, Fr::ONE).is_ok());
    for (log, root, coset) in [
        (2, root, Fr::ONE),
        (4, root, Fr::ONE),
        (3, root.square(), Fr::ONE),
        (3, Fr::ONE, Fr::ONE),
        (0, -Fr::ONE, Fr::ONE),
        (3, Fr::ZERO, Fr::ONE),
        (3, root, Fr::ZERO),
        (29, root, Fr::ONE),
    ] {
        assert!(matches!(new(log, root, coset), Err(DeviceError::Input(_))));
    }
    assert!(new(0, Fr::ONE, Fr::ONE).is_ok());
}

#[test]
fn the_coset_of_a_domain_is_its_odd_points() {
    for n in [1usize, 2, 8, 64] {
        let domain = Domain::new(n).unwrap();
        assert_eq!(domain.size(), n);
        assert_eq!(domain.shift().square(), domain.root());
        let [back, forth] = domain.to_coset().unwrap();
        assert_eq!((back.coset(), forth.coset(), back.root()), (Fr::ONE, domain.shift(), domain.root()));
    }
}
