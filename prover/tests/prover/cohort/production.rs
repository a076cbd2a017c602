//! A setup from powers of tau, kept in a directory: production keys for the cohort circuits, and nothing else taken for them.
//!
//! The powers are of a number that is known here, so that a file of 2^14 takes no minutes to make; what makes a file trustworthy is its
//! digest, and tests of the ceremony have files of snarkjs.

use super::super::system::rng;
use ark_bn254::{Fq, Fr, G1Affine, G1Projective, G2Affine};
use ark_ec::{AffineRepr, CurveGroup, PrimeGroup, ScalarMul};
use ark_ff::{FftField, Field, PrimeField};
use ark_poly::{EvaluationDomain, Radix2EvaluationDomain};
use nightingale_circuits::cohort::{Class, Size};
use nightingale_prover::{
    CohortKeyStore, ProveError,
    ceremony::{CeremonyError, CheckedPowers, FileDigest},
    cohort::{
        Setups,
        keys::{check_production, verifying_keys},
    },
};
use nightingale_verifier::{
    KeyKind, VerifyError,
    cohort::{CircuitName, CohortKeys},
    development,
};
use std::{fs, ops::ControlFlow};

const POWER: u32 = 14;
const QUERY: CircuitName = CircuitName::Query(Class::Narrow);

fn g1(points: &[G1Affine]) -> Vec<u8> {
    let coordinates = points.iter().flat_map(|point| [point.x, point.y]);
    coordinates.flat_map(|c| c.0.0).flat_map(u64::to_le_bytes).collect()
}

fn g2(points: &[G2Affine]) -> Vec<u8> {
    let coordinates = points.iter().flat_map(|p| [p.x.c0, p.x.c1, p.y.c0, p.y.c1]);
    coordinates.flat_map(|c| c.0.0).flat_map(u64::to_le_bytes).collect()
}

/// A file of powers of `tau`, with one contribution by `name`.
fn ptau(tau: u64, name: &str) -> Vec<u8> {
    powers_of([Fr::from(tau), Fr::from(5u64), Fr::from(7u64)], name)
}

/// A file of powers of tau, beside alpha and beta. What nothing reads is zero.
fn powers_of([tau, alpha, beta]: [Fr; 3], name: &str) -> Vec<u8> {
    let rows = 1_usize << POWER;
    let multiples = |scalars: &[Fr]| g1(&G1Projective::generator().batch_mul(scalars));
    let powers = |first: Fr, number: usize| -> Vec<Fr> {
        std::iter::successors(Some(first), |last| Some(*last * tau)).take(number).collect()
    };
    let zeros = |points: usize, bytes: usize| vec![0; points * bytes];
    let (one, two) = (G1Affine::generator(), G2Affine::generator());
    let in_g2 = |scalar: Fr| g2(&[(two * scalar).into_affine()]);
    let mut header = 32_u32.to_le_bytes().to_vec();
    header.extend(Fq::MODULUS.0.iter().flat_map(|limb| limb.to_le_bytes()));
    header.extend([POWER.to_le_bytes(), POWER.to_le_bytes()].concat());
    let domain = Radix2EvaluationDomain::<Fr>::new(rows).unwrap();
    let mut lagrange = zeros(rows - 1, 64);
    lagrange.extend(multiples(&domain.evaluate_all_lagrange_coefficients(tau)));
    lagrange.extend(zeros(2 * rows, 64));
    let mut contribution = 1_u32.to_le_bytes().to_vec();
    for in_g2 in [false, true, false, false, true, false, false, false, false, false, false, true, true, true]
    {
        contribution.extend(if in_g2 { g2(&[two]) } else { g1(&[one]) });
    }
    contribution.extend([0; 216 + 64 + 4]);
    contribution.extend((name.len() as u32 + 2).to_le_bytes());
    contribution.extend([1, name.len() as u8]);
    contribution.extend(name.bytes());
    let sections = [
        (1_u32, header),
        (2, multiples(&powers(Fr::ONE, 2 * rows - 1))),
        (3, [g2(&[two]), in_g2(tau), zeros(rows - 2, 128)].concat()),
        (4, multiples(&powers(alpha, rows))),
        (5, multiples(&powers(beta, rows))),
        (6, in_g2(beta)),
        (7, contribution),
        (12, lagrange),
        (13, zeros(2 * rows - 1, 128)),
        (14, zeros(2 * rows - 1, 64)),
        (15, zeros(2 * rows - 1, 64)),
    ];
    let mut file = b"ptau\x01\0\0\0\x0b\0\0\0".to_vec();
    for (number, content) in sections {
        file.extend(number.to_le_bytes());
        file.extend((content.len() as u64).to_le_bytes());
        file.extend(content);
    }
    file
}

#[test]
fn powers_of_a_secret_that_everybody_knows_are_refused() {
    let theirs = [2u64, 3, 4].map(Fr::from);
    for name in ["tau", "alpha", "beta", "delta/claim-2", "delta/claim-8"] {
        // Whatever it is the secret of, it is known in every place.
        for place in 0..3 {
            let mut secrets = theirs;
            secrets[place] = development::secret(name);
            let file = powers_of(secrets, "somebody");
            let refused = CheckedPowers::check(&file, &FileDigest::of(&file), &mut rng(1)).err().unwrap();
            assert!(
                matches!(refused, CeremonyError::Powers(why) if why.contains("development secret")),
                "{name} in place {place}"
            );
        }
    }
}

#[test]
fn powers_of_a_root_of_unity_are_refused() {
    for power in [1, POWER, POWER + 1] {
        let tau = Fr::get_root_of_unity(1 << power).unwrap();
        let file = powers_of([tau, Fr::from(3u64), Fr::from(4u64)], "somebody");
        let refused = CheckedPowers::check(&file, &FileDigest::of(&file), &mut rng(1)).err().unwrap();
        assert!(
            matches!(refused, CeremonyError::Powers(why) if why.contains("root of unity")),
            "of order 2^{power}"
        );
    }
}

#[test]
fn a_directory_of_a_ceremonys_setup_has_production_keys_and_refuses_exchanged_ones() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    assert_eq!(CohortKeyStore::open(at).unwrap().kind(), KeyKind::Development);
    assert!(matches!(CohortKeyStore::production(at), Err(ProveError::NoSetup { .. })));
    assert!(matches!(check_production(at), Err(ProveError::NoSetup { .. })));
    let nothing = r#"{"ptau": "", "power": 14, "contributions": [], "sizes": []}"#;
    fs::write(at.join("setup.json"), nothing).unwrap();
    let lists_none = || matches!(check_production(at), Err(ProveError::Corrupt { problem, .. }) if problem.contains("lists no setup"));
    assert!(lists_none());
    // Sizes that there are not, alone or beside one that there is.
    let listed = |k: u32| format!(r#"{{"k": {k}, "sha256": "{0}", "digest": "{0}"}}"#, "00".repeat(32));
    for sizes in [listed(15), [listed(14), listed(15)].join(",")] {
        fs::write(at.join("setup.json"), nothing.replace("[]}", &format!("[{sizes}]}}"))).unwrap();
        assert!(lists_none(), "{sizes}");
    }
    fs::remove_file(at.join("setup.json")).unwrap();

    let file = ptau(123_456_789, "somebody");
    let powers = CheckedPowers::check(&file, &FileDigest::of(&file), &mut rng(1)).unwrap();
    let go = &mut |_| ControlFlow::Continue(());
    let setups = CohortKeyStore::import(at, &powers, &[Size::Small], &mut rng(2), go).unwrap();
    assert_eq!((setups.power, &*setups.contributions), (POWER, &["somebody".to_owned()][..]));
    assert_eq!(Setups::read(at).unwrap(), Some(setups));
    let too_large = CohortKeyStore::import(at, &powers, &[Size::Medium], &mut rng(2), go);
    assert!(matches!(too_large, Err(ProveError::Ceremony(CeremonyError::TooSmall { .. }))));

    // It proves, links and verifies, under keys that a verifier reads from the directory and takes for production keys.
    let store = CohortKeyStore::production(at).unwrap();
    check_production(at).unwrap();
    assert_eq!(store.smallest(), Size::Small);
    store.rehearse(go).unwrap();
    let (keys, kind) = verifying_keys(at).unwrap();
    let key = keys.key(QUERY, Size::Small).unwrap();
    assert_eq!((kind, key.kind()), (KeyKind::Production, KeyKind::Production));
    let development = CohortKeys::development().key(QUERY, Size::Small).unwrap();
    assert!(development.digest() != key.digest() && development.setup() != key.setup());
    let missing = store.setup(Size::Medium, go);
    assert!(
        matches!(missing, Err(ProveError::Corrupt { problem, .. }) if problem.contains("no setup of this size"))
    );

    // Whoever makes it again from the same powers finds the same digest; other powers give another.
    let digest = keys.setup_digest(Size::Small).unwrap();
    let again = tempfile::tempdir().unwrap();
    CohortKeyStore::import(again.path(), &powers, &[Size::Small], &mut rng(9), go).unwrap();
    assert_eq!(CohortKeys::directory(again.path()).setup_digest(Size::Small).unwrap(), digest);

    // Other powers would make everything worthless that was registered under these.
    let other = ptau(987_654_321, "somebody");
    let others = CheckedPowers::check(&other, &FileDigest::of(&other), &mut rng(3)).unwrap();
    let replaced = CohortKeyStore::import(at, &others, &[Size::Small], &mut rng(4), go);
    assert!(
        matches!(replaced, Err(ProveError::Corrupt { problem, .. }) if problem.contains("other powers of tau"))
    );

    // A setup that somebody exchanged, whole and right in itself.
    let elsewhere = tempfile::tempdir().unwrap();
    CohortKeyStore::import(elsewhere.path(), &others, &[Size::Small], &mut rng(5), go).unwrap();
    assert_ne!(CohortKeys::directory(elsewhere.path()).setup_digest(Size::Small).unwrap(), digest);
    let name = "production.14.srs";
    let right = fs::read(at.join(name)).unwrap();
    fs::copy(elsewhere.path().join(name), at.join(name)).unwrap();
    let exchanged = CohortKeyStore::production(at).unwrap().setup(Size::Small, go);
    assert!(
        matches!(exchanged, Err(ProveError::Corrupt { problem, .. }) if problem.contains("setup.json lists"))
    );
    fs::write(at.join(name), right).unwrap();
    // The verifying keys, all of them: another setup, whole and right in itself.
    for circuit in CircuitName::ALL {
        let key = circuit.file_name(Size::Small);
        fs::copy(elsewhere.path().join(&key), at.join(&key)).unwrap();
    }
    let (keys, _) = verifying_keys(at).unwrap();
    assert!(matches!(keys.key(QUERY, Size::Small), Err(VerifyError::UnpinnedSetup(_))));
    let store = CohortKeyStore::production(at).unwrap();
    assert!(matches!(
        store.key(QUERY, Size::Small, go),
        Err(ProveError::UnsafeKey(VerifyError::UnpinnedSetup(_)))
    ));
    assert!(matches!(check_production(at), Err(ProveError::UnsafeKey(VerifyError::UnpinnedSetup(_)))));
    // The list too: found by whoever compares the digest with the one that was published.
    fs::copy(elsewhere.path().join("setup.json"), at.join("setup.json")).unwrap();
    assert_ne!(verifying_keys(at).unwrap().0.setup_digest(Size::Small).unwrap(), digest);
}
