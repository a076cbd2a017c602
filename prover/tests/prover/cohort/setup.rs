//! The development setup against halo2's own arithmetic.

use halo2_proofs::{
    arithmetic::g_to_lagrange,
    halo2curves::{
        bn256::{Bn256, Fr, G1Affine, G2Affine},
        ff::Field,
        group::{Curve, prime::PrimeCurveAffine},
        pairing::Engine,
    },
    poly::commitment::ParamsProver,
};
use nightingale_circuits::cohort::Layout;
use nightingale_prover::{
    ProveError,
    cohort::{CohortKeyStore, Srs, commit::Salt},
};
use std::path::Path;

const LAYOUT: Layout = Layout { k: 7, head: 32 };

#[test]
fn its_points_are_powers_of_one_tau_and_their_lagrange_basis() {
    let srs = Srs::development(LAYOUT).unwrap();
    let powers = srs.params().get_g();
    assert_eq!((powers.len(), srs.lagrange().len()), (128, 128));
    assert_eq!(powers[0], G1Affine::generator());
    for pair in powers.windows(2) {
        assert_eq!(
            Bn256::pairing(&pair[1], &G2Affine::generator()),
            Bn256::pairing(&pair[0], &srs.points().tau)
        );
    }
    let lagrange =
        g_to_lagrange::<G1Affine>(powers.iter().map(PrimeCurveAffine::to_curve).collect(), LAYOUT.k);
    assert_eq!(lagrange, srs.lagrange());
    assert_eq!(srs.points().span[..], lagrange[120..]);
}

#[test]
fn sizes_share_their_tau() {
    let (small, large) =
        (Srs::development(LAYOUT).unwrap(), Srs::development(Layout { k: 9, head: 32 }).unwrap());
    assert_eq!(small.params().get_g()[..], large.params().get_g()[..128]);
    assert_eq!(small.points().tau, large.points().tau);
}

#[test]
fn a_commitment_is_the_sum_of_its_rows() {
    let srs = Srs::development(LAYOUT).unwrap();
    let salt = Salt::random().unwrap();
    let columns: [Vec<u64>; 4] = [
        vec![0; 80],
        (0..80).map(|row| row % 2).collect(),
        (0..80).map(|row| row * row * 77_777_777).collect(),
        vec![1, 0, 1],
    ];
    for records in columns {
        let rows = records
            .iter()
            .zip(&srs.lagrange()[LAYOUT.head..])
            .map(|(record, point)| *point * Fr::from(*record));
        let salted = salt.values().iter().zip(&srs.points().span).map(|(salt, point)| *point * salt);
        let expected = rows.chain(salted).reduce(|a, b| a + b).unwrap();
        assert_eq!(srs.commit(&records, &salt), expected.to_affine());
    }
    assert!(salt.values().iter().all(|value| *value != Fr::ZERO));
}

#[test]
fn its_file_is_checked_by_digest() {
    let directory = tempfile::tempdir().unwrap();
    let made = Srs::cached(directory.path(), LAYOUT).unwrap();
    let path = directory.path().join("development.7.srs");
    let read = Srs::cached(directory.path(), LAYOUT).unwrap();
    assert_eq!(made.lagrange(), read.lagrange());
    assert_eq!(made.params().get_g(), read.params().get_g());
    assert_eq!(made.points().tau, read.points().tau);
    let whole = std::fs::read(&path).unwrap();
    for place in [0, 6, 40, 5_000, whole.len() - 1] {
        let mut damaged = whole.clone();
        damaged[place] ^= 4;
        std::fs::write(&path, damaged).unwrap();
        assert!(matches!(Srs::cached(directory.path(), LAYOUT).err(), Some(ProveError::Corrupt { .. })));
    }
}

#[test]
fn where_nothing_can_be_written_it_is_made_and_not_kept() {
    // Nobody makes a file here, root included.
    let directory = Path::new("/sys/kernel");
    assert!(CohortKeyStore::open(directory).is_ok());
    let made = Srs::cached(directory, LAYOUT).unwrap();
    assert_eq!(made.lagrange(), Srs::development(LAYOUT).unwrap().lagrange());
    assert!(!directory.join("development.7.srs").exists());
}

#[test]
fn a_folder_that_is_not_there_and_cannot_be_made_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mistyped");
    std::fs::write(&file, "").unwrap();
    for directory in [file.join("keys"), Path::new("/sys/nightingale").to_owned()] {
        let refused = Srs::cached(&directory, LAYOUT).err();
        assert!(matches!(&refused, Some(ProveError::Io { path, .. }) if *path == directory), "{refused:?}");
    }
}
