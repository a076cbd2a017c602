//! Cheating with contributions: everything that a coordinator, who holds all files, can do to the chain.

use super::stage::{PUBLIC, beacon, contribute, finish, put, section, stage};
use ark_bn254::{Bn254, Fr, G1Projective};
use ark_ec::{CurveGroup, VariableBaseMSM};
use ark_groth16::{Groth16, Proof, prepare_verifying_key};
use nightingale_circuits::claim::SizeClass;
use nightingale_prover::ceremony::{Beacon, CeremonyError as Error, Part, Terms};
use nightingale_verifier::{KeyKind, VerifyingKey};

/// Bytes of a point of G1, and of G2.
const G1: usize = 64;
const G2: usize = 128;
/// Where gamma and both deltas are in the header's section, behind both moduli, three sizes, alpha and both betas.
const GAMMA: usize = 2 * 36 + 12 + 2 * G1 + G2;
const DELTA_G1: usize = GAMMA + G2;
const DELTA_G2: usize = DELTA_G1 + G1;
/// Where the first contribution is in its section, and the parts of one.
const FIRST: usize = 64 + 4;
const BASE: usize = G1;
const PROOF: usize = 3 * G1;
const TRANSCRIPT: usize = PROOF + G2;

/// The file with bytes of its header, or of its contributions, taken from another place of it.
fn moved(file: &[u8], number: u32, from: usize, to: usize, length: usize) -> Vec<u8> {
    let start = section(file, number);
    put(file, start + to, &file[start + from..start + from + length])
}

#[test]
fn a_key_whose_gamma_is_its_delta_forges_and_is_refused() {
    let Some(stage) = stage() else { return };
    // Nobody contributed: this is the key that money was lost to.
    assert!(matches!(stage.refused(&stage.read("0.zkey")), Error::GammaIsDelta));
    let forging = moved(&stage.key, 2, DELTA_G2, GAMMA, G2);
    assert!(matches!(stage.refused(&forging), Error::GammaIsDelta));

    // That it forges: a proof of anything, from the verifying key alone.
    let mut key = stage.import(&stage.key).unwrap().key.verifying().clone();
    key.gamma_g2 = key.delta_g2;
    let inputs: Vec<Fr> = (0..PUBLIC as u64).map(|i| Fr::from(1_000_000 + i)).collect();
    let claimed = G1Projective::msm(&key.gamma_abc_g1[1..], &inputs).unwrap() + key.gamma_abc_g1[0];
    let forged = Proof::<Bn254> { a: key.alpha_g1, b: key.beta_g2, c: (-claimed).into_affine() };
    assert!(Groth16::<Bn254>::verify_proof(&prepare_verifying_key(&key), &forged, &inputs).unwrap());
    for sign in [1, -1] {
        key.gamma_g2 = if sign == 1 { key.delta_g2 } else { -key.delta_g2 };
        assert!(VerifyingKey::new(SizeClass::Two, KeyKind::Production, key.clone()).is_err());
    }
}

#[test]
fn a_dropped_or_replaced_contribution_is_refused() {
    let Some(stage) = stage() else { return };
    let at = stage.path();
    // Without the hospital: a whole, valid chain with the right beacon.
    contribute(at, "0.zkey", "dropped-1.zkey", "insurer");
    finish(at, "dropped-1.zkey", "dropped.zkey");
    assert!(
        super::snarkjs::run(at, "zkey verify circuit.r1cs powers.ptau dropped.zkey").contains("ZKey Ok!")
    );
    let dropped = stage.read("dropped.zkey");
    assert!(matches!(stage.refused(&dropped), Error::Dropped { hash } if *hash == stage.published[0].hash));
    // Another one in the insurer's place, under its name.
    contribute(at, "1.zkey", "replaced-2.zkey", "insurer");
    finish(at, "replaced-2.zkey", "replaced.zkey");
    let replaced = stage.read("replaced.zkey");
    assert!(matches!(stage.refused(&replaced), Error::Dropped { hash } if *hash == stage.published[1].hash));
    // Whoever kept an earlier file need not have published a hash.
    let terms = |names: &[&str]| Terms {
        published: Vec::new(),
        previous: names.iter().map(|name| stage.kept(name)).collect(),
        ..stage.terms()
    };
    assert!(stage.import_on(&stage.key, &terms(&["0.zkey", "1.zkey", "2.zkey"])).is_ok());
    assert!(matches!(stage.refused_on(&replaced, &terms(&["1.zkey", "2.zkey"])), Error::NotContinued(2)));
    assert!(matches!(stage.refused_on(&stage.key, &terms(&["replaced-2.zkey"])), Error::NotContinued(1)));
    // Published in another order than they were made.
    let mut swapped = stage.terms();
    swapped.published.reverse();
    assert!(matches!(stage.refused_on(&stage.key, &swapped), Error::Dropped { .. }));
}

#[test]
fn too_few_contributions_that_anybody_vouches_for_are_refused() {
    let Some(stage) = stage() else { return };
    let mut terms = stage.terms();
    terms.published.pop();
    // The insurer's is in the key; that it is the insurer's, nobody says.
    assert!(matches!(stage.refused_on(&stage.key, &terms), Error::TooFew { kept: 1, minimum: 2 }));
    terms.published.clear();
    terms.minimum = 0;
    assert!(matches!(stage.refused_on(&stage.key, &terms), Error::TooFew { kept: 0, minimum: 1 }));
    // The beacon is nobody's.
    let all = stage.kept("final.zkey");
    let terms = Terms { minimum: 3, previous: vec![all], ..stage.terms() };
    assert!(matches!(stage.refused_on(&stage.key, &terms), Error::TooFew { kept: 2, minimum: 3 }));
}

#[test]
fn contributions_that_were_published_under_one_name_are_one_contributors() {
    let Some(stage) = stage() else { return };
    let at = stage.path();
    let hash = contribute(at, "1.zkey", "again-2.zkey", "hospital");
    finish(at, "again-2.zkey", "again.zkey");
    let key = stage.read("again.zkey");
    let mut terms = stage.terms();
    terms.published[1].hash = hash.parse().unwrap();
    terms.published[1].name = Some("hospital".to_owned());
    assert!(matches!(stage.refused_on(&key, &terms), Error::TooFew { kept: 1, minimum: 2 }));
    assert!(stage.import_on(&key, &Terms { minimum: 1, ..terms.clone() }).is_ok());
    // Whose a contribution without a name is, the list does not say.
    terms.published[1].name = None;
    assert!(stage.import_on(&key, &terms).is_ok());
}

#[test]
fn a_name_counts_as_published_only_where_it_was_compared() {
    let Some(stage) = stage() else { return };
    let compared = |terms: &Terms| -> Vec<&str> {
        let manifest = stage.import_on(&stage.key, terms).unwrap().manifest;
        manifest.contributions.iter().map(Part::compared).collect()
    };
    let hash_alone = "hash published, name not compared";
    assert_eq!(compared(&stage.terms()), ["published", "published", "not compared"]);
    // A list that an earlier version wrote, which does not say what was compared of the name.
    let earlier: Part =
        serde_json::from_str(r#"{"hash": "00", "name": "hospital", "published": true}"#).unwrap();
    assert_eq!(earlier.compared(), hash_alone);
    let mut terms = stage.terms();
    terms.published[0].name = None;
    assert_eq!(compared(&terms), [hash_alone, "published", "not compared"]);
    let kept = stage.kept("1.zkey");
    let with = |terms: &Terms| compared(&Terms { previous: vec![kept.clone()], ..terms.clone() });
    terms.published.remove(0);
    assert_eq!(with(&terms), ["file checked, name not compared", "published", "not compared"]);
    assert_eq!(with(&stage.terms()), ["published, file checked", "published", "not compared"]);
}

#[test]
fn a_name_with_characters_that_do_not_show_is_refused() {
    let Some(stage) = stage() else { return };
    let at = stage.key.windows(8).position(|bytes| bytes == b"hospital").unwrap();
    // In place of as many bytes as each has in UTF-8.
    for unseen in [
        '\u{ad}',
        '\u{34f}',
        '\u{3164}',
        '\u{fe0f}',
        '\u{61c}',
        '\u{180e}',
        '\u{200b}',
        '\u{200d}',
        '\u{200f}',
        '\u{2028}',
        '\u{2029}',
        '\u{202a}',
        '\u{202e}',
        '\u{2060}',
        '\u{2066}',
        '\u{2069}',
        '\u{206f}',
        '\u{feff}',
        '\u{fff9}',
        '\u{fffb}',
        '\u{e0001}',
        '\u{e007f}',
        '\n',
        '\u{85}',
        '\u{a0}',
        '\u{2003}',
        '\u{202f}',
        '\u{205f}',
        '\u{2800}',
        '\u{3000}',
    ] {
        let named = put(&stage.key, at, unseen.to_string().as_bytes());
        assert!(matches!(stage.refused(&named), Error::Format { .. }), "{unseen:?}");
    }
    for seen in ['\u{ae}', '\u{e9}', '\u{4e2d}', '\u{1f3e5}', '\u{2010}'] {
        let named = put(&stage.key, at, seen.to_string().as_bytes());
        assert!(matches!(stage.refused(&named), Error::Renamed { number: 1, .. }), "{seen:?}");
    }
}

#[test]
fn a_kept_file_vouches_for_its_own_contribution_and_no_other() {
    let Some(stage) = stage() else { return };
    let kept =
        |name: &str| Terms { published: Vec::new(), previous: vec![stage.kept(name)], ..stage.terms() };
    // The coordinator's last file, which begins with itself, vouches for nobody.
    let all = Terms { previous: vec![stage.kept("final.zkey")], ..kept("0.zkey") };
    assert!(matches!(stage.refused_on(&stage.key, &all), Error::TooFew { kept: 0, minimum: 2 }));
    assert!(matches!(stage.refused_on(&stage.key, &kept("2.zkey")), Error::TooFew { kept: 1, minimum: 2 }));
}

#[test]
fn a_contribution_that_nobody_published_is_not_the_last_before_the_beacon() {
    let Some(stage) = stage() else { return };
    let at = stage.path();
    contribute(at, "2.zkey", "stranger.zkey", "stranger");
    finish(at, "stranger.zkey", "ground.zkey");
    assert!(matches!(stage.refused(&stage.read("ground.zkey")), Error::Unvouched(3)));
    // A beacon of a value that nobody announced is one like any other.
    super::snarkjs::run(at, "zkey beacon 2.zkey chosen.zkey 77 10 -n=chosen");
    finish(at, "chosen.zkey", "steered.zkey");
    assert!(matches!(stage.refused(&stage.read("steered.zkey")), Error::Unvouched(3)));
}

#[test]
fn a_name_that_was_not_published_is_refused_for_no_hash_binds_it() {
    let Some(stage) = stage() else { return };
    let at = stage.key.windows(8).position(|bytes| bytes == b"hospital").unwrap();
    assert!(matches!(stage.refused(&put(&stage.key, at, b"hostiles")), Error::Renamed { number: 1, .. }));
}

#[test]
fn a_missing_or_chosen_beacon_is_refused() {
    let Some(stage) = stage() else { return };
    assert!(matches!(stage.refused(&stage.read("2.zkey")), Error::NoBeacon));
    let other = |beacon: Beacon| stage.refused_on(&stage.key, &Terms { beacon, ..stage.terms() });
    assert!(matches!(other(Beacon { iterations: 11, ..beacon() }), Error::OtherBeacon));
    assert!(matches!(other(Beacon { value: vec![1], ..beacon() }), Error::OtherBeacon));
    // The file says another value than its contribution was made from: the coordinator chose the contribution.
    let value = hex::decode(super::stage::BEACON).unwrap();
    let at = stage.key.windows(value.len()).rposition(|bytes| bytes == value).unwrap();
    assert!(matches!(stage.refused(&put(&stage.key, at, &[9])), Error::Beacon(3)));
    // Its number of iterations stands three bytes before: 2^63 hashes would never end.
    let many = put(&stage.key, at - 3, &[63]);
    assert!(matches!(stage.refused(&many), Error::BeaconCost { number: 3, iterations: 63, most: 30 }));
}

#[test]
fn a_chain_with_any_part_exchanged_is_refused() {
    let Some(stage) = stage() else { return };
    let first = |from, to, length| stage.refused(&moved(&stage.key, 10, FIRST + from, FIRST + to, length));
    // The secret's base becomes delta: the transcript has hashed another.
    assert!(matches!(first(0, BASE, G1), Error::Transcript(1)));
    let flipped = section(&stage.key, 10) + FIRST + TRANSCRIPT;
    assert!(matches!(stage.refused(&put(&stage.key, flipped, &[!stage.key[flipped]])), Error::Transcript(1)));
    // The proof becomes a point that has nothing to do with the secret: the key's beta.
    let beta = section(&stage.key, 2) + GAMMA - G2;
    let proof = section(&stage.key, 10) + FIRST + PROOF;
    let unknown = put(&stage.key, proof, &stage.key[beta..beta + G2]);
    assert!(matches!(stage.refused(&unknown), Error::ProofOfKnowledge(1)));
    // Delta after the first contribution becomes a point of the contributor's own.
    assert!(matches!(first(BASE, 0, G1), Error::Chain(1)));
    // The key's own delta, in one group or the other.
    let header = |from, to, length| stage.refused(&moved(&stage.key, 2, from, to, length));
    assert!(matches!(header(GAMMA - 2 * G2, DELTA_G1, G1), Error::Delta));
    assert!(matches!(header(GAMMA - G2, DELTA_G2, G2), Error::Delta));
    // A circuit hash that the chain did not begin with.
    let hash = section(&stage.key, 10);
    assert!(matches!(stage.refused(&put(&stage.key, hash, &[!stage.key[hash]])), Error::Transcript(1)));
}

/// Every contribution is valid, and all of them were made for something else.
#[test]
fn a_chain_that_began_with_another_circuits_hash_is_refused() {
    let Some(stage) = stage() else { return };
    let at = stage.path();
    let mut initial = stage.read("0.zkey");
    let hash = section(&initial, 10);
    initial[hash] ^= 1;
    stage.write("foreign-0.zkey", &initial);
    let hash = contribute(at, "foreign-0.zkey", "foreign-1.zkey", "hospital");
    finish(at, "foreign-1.zkey", "foreign.zkey");
    let mut terms = Terms { minimum: 1, ..stage.terms() };
    terms.published.truncate(1);
    terms.published[0].hash = hash.parse().unwrap();
    assert!(matches!(stage.refused_on(&stage.read("foreign.zkey"), &terms), Error::CircuitHash));
}
