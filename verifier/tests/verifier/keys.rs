//! Verifying keys: their file, their digest, and what must never be one.

use super::golden::{bytes, key, path, proof};
use ark_bn254::{Bn254, Fr, G1Affine, G2Affine};
use ark_ec::{AffineRepr, CurveGroup};
use ark_groth16::{Groth16, Proof, prepare_verifying_key};
use nightingale_circuits::claim::SizeClass;
use nightingale_verifier::{
    Context, KeyDigest, KeyDirectory, KeyKind, VerifyError, VerifyingKey, development, key::file_name,
    verify_claim,
};
use std::fs;

fn golden() -> VerifyingKey {
    key(&proof("claim-2-approve"))
}

#[test]
fn the_digest_is_the_sha256_of_the_file() {
    let key = golden();
    let file = bytes(&format!("keys/{}", file_name(key.class(), key.digest())));
    assert_eq!(key.to_bytes(), file);
    assert_eq!(VerifyingKey::from_bytes(&file).unwrap().digest(), key.digest());
    let sha256 = <sha2::Sha256 as sha2::Digest>::digest(&file);
    assert_eq!(key.digest(), KeyDigest(sha256.into()));
}

#[test]
fn every_byte_of_a_key_file_counts() {
    let key = golden();
    let whole = key.to_bytes();
    for i in 0..whole.len() {
        let mut flipped = whole.clone();
        flipped[i] ^= 1;
        let other = VerifyingKey::from_bytes(&flipped);
        assert!(other.is_err() || i == 5, "byte {i}");
        // Byte 5 is the kind: another kind is another key, with another digest.
        assert!(other.map_or(true, |other| other.digest() != key.digest()), "byte {i}");
    }
    assert!(VerifyingKey::from_bytes(&whole[..whole.len() - 1]).is_err());
    assert!(VerifyingKey::from_bytes(&[&whole[..], b"\0"].concat()).is_err());
}

#[test]
fn a_key_that_lets_anybody_forge_is_refused() {
    let refused = |change: &dyn Fn(&mut ark_groth16::VerifyingKey<Bn254>)| {
        let mut groth16 = golden().groth16().clone();
        change(&mut groth16);
        matches!(
            VerifyingKey::new(SizeClass::Two, KeyKind::Development, groth16),
            Err(VerifyError::UnsafeKey(_))
        )
    };
    assert!(!refused(&|_| ()));
    assert!(refused(&|key| key.delta_g2 = key.gamma_g2));
    assert!(refused(&|key| key.delta_g2 = -key.gamma_g2));
    assert!(refused(&|key| key.beta_g2 = key.gamma_g2));
    assert!(refused(&|key| key.beta_g2 = -key.gamma_g2));
    assert!(refused(&|key| key.beta_g2 = key.delta_g2));
    assert!(refused(&|key| key.beta_g2 = -key.delta_g2));
    assert!(refused(&|key| key.alpha_g1 = G1Affine::identity()));
    assert!(refused(&|key| key.gamma_abc_g1[4] = G1Affine::identity()));
    assert!(refused(&|key| key.gamma_abc_g1.truncate(12)));
}

#[test]
fn whoever_finds_beta_in_another_place_of_a_key_forges() {
    let mut key = golden().groth16().clone();
    let inputs: Vec<Fr> = (1..key.gamma_abc_g1.len() as u64).map(|i| Fr::from(1_000_000 + i)).collect();
    let sum = key.gamma_abc_g1[1..].iter().zip(&inputs).map(|(point, input)| *point * input);
    let sum = sum.fold(key.gamma_abc_g1[0].into_group(), |sum, point| sum + point);
    let accepts = |key: &ark_groth16::VerifyingKey<Bn254>, proof| {
        Groth16::<Bn254>::verify_proof(&prepare_verifying_key(key), &proof, &inputs).unwrap()
    };
    let a = (sum + key.alpha_g1).into_affine();
    key.beta_g2 = key.gamma_g2;
    assert!(accepts(&key, Proof { a, b: (key.beta_g2 + key.delta_g2).into_affine(), c: a }));
    key.beta_g2 = key.delta_g2;
    assert!(accepts(&key, Proof { a: sum.into_affine(), b: key.gamma_g2, c: -key.alpha_g1 }));
}

#[test]
fn a_proof_is_judged_by_the_key_that_it_names_and_no_other() {
    let (two, eight) = (proof("claim-2-approve"), proof("claim-8-approve"));
    assert!(matches!(
        verify_claim(&key(&eight), &two, &Context::default()),
        Err(VerifyError::WrongKey { proof, key }) if proof == two.key && key == eight.key
    ));
    // Nor under another than the one whose digest the reader was told.
    let told = |digest| Context { key: Some(digest), ..Context::default() };
    assert!(verify_claim(&key(&two), &two, &told(two.key)).is_ok());
    let refused = verify_claim(&key(&two), &two, &told(eight.key)).unwrap_err();
    assert!(matches!(refused, VerifyError::Context { what: "key", .. }), "{refused}");
}

#[test]
fn a_key_from_the_development_secrets_is_no_production_key() {
    // Its label changed, it is refused. Each of the points that give it away is enough; the other points are somebody's.
    let relabelled = |groth16: &ark_groth16::VerifyingKey<Bn254>| {
        VerifyingKey::new(SizeClass::Two, KeyKind::Production, groth16.clone())
    };
    let development = golden().groth16().clone();
    assert!(matches!(relabelled(&development), Err(VerifyError::UnsafeKey(_))));
    let mut file = golden().to_bytes();
    file[5] = 2;
    assert!(matches!(VerifyingKey::from_bytes(&file), Err(VerifyError::UnsafeKey(_))));
    let (g1, g2) = (G1Affine::generator(), G2Affine::generator());
    let others = ark_groth16::VerifyingKey {
        alpha_g1: (g1 * Fr::from(5)).into_affine(),
        beta_g2: (g2 * Fr::from(6)).into_affine(),
        delta_g2: (g2 * Fr::from(7)).into_affine(),
        ..development.clone()
    };
    assert!(relabelled(&others).is_ok());
    let eight = key(&proof("claim-8-approve")).groth16().clone();
    type Change<'a> = &'a dyn Fn(&mut ark_groth16::VerifyingKey<Bn254>);
    let changes: [Change<'_>; 5] = [
        &|key| key.alpha_g1 = development.alpha_g1,
        &|key| key.alpha_g1 = -development.alpha_g1,
        &|key| key.beta_g2 = development.beta_g2,
        &|key| key.delta_g2 = -development.delta_g2,
        &|key| key.delta_g2 = eight.delta_g2,
    ];
    for (number, change) in changes.iter().enumerate() {
        let mut altered = others.clone();
        change(&mut altered);
        assert!(matches!(relabelled(&altered), Err(VerifyError::UnsafeKey(_))), "change {number}");
    }
    // Nor does a secret become unknown in another's place.
    for name in ["tau", "alpha", "beta", "delta/claim-2", "delta/claim-8"] {
        let secret = development::secret(name);
        let in_g2 = (g2 * secret).into_affine();
        let places: [Change<'_>; 3] =
            [&|key| key.alpha_g1 = (g1 * secret).into_affine(), &|key| key.beta_g2 = in_g2, &|key| {
                key.delta_g2 = -in_g2
            }];
        for (place, change) in places.iter().enumerate() {
            let mut altered = others.clone();
            change(&mut altered);
            assert!(
                matches!(relabelled(&altered), Err(VerifyError::UnsafeKey(_))),
                "{name} in place {place}"
            );
        }
    }
}

#[test]
fn a_replaced_or_missing_key_file_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let keys = KeyDirectory::new(directory.path());
    let (two, eight) = (proof("claim-2-approve"), proof("claim-8-approve"));
    assert!(
        matches!(keys.key(two.class, two.key), Err(VerifyError::UnknownKey { digest, .. }) if digest == two.key)
    );
    let from = path("keys").join(file_name(eight.class, eight.key));
    fs::copy(from, directory.path().join(file_name(two.class, two.key))).unwrap();
    let error = keys.key(two.class, two.key).unwrap_err().to_string();
    assert!(error.contains("corrupt or was replaced"), "{error}");
}
