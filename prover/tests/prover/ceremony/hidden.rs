//! The coordinator hides a point of a public input in the points of H before anybody contributes: every contribution divides it by
//! its secret as it does with H, so that the finished key holds what turns a proof into one of other inputs. `snarkjs zkey verify`
//! leaves one combination of H's points out and sees nothing; no honest proof feels it either. Nor need the point stay: who has read it
//! can take it out of the finished key, and with it the one direction in which H was altered.

use super::{
    super::system::rng,
    altered::montgomery,
    proving::{proof_of_snarkjs, snarkjs_accepts},
    snarkjs::run,
    stage::{PUBLIC, Stage, contribute, finish, put, refusal, section, stage},
};
use ark_bn254::{Fq, Fr, G1Affine, G1Projective};
use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::{BigInt, Field};
use ark_groth16::Proof;
use ark_poly::{EvaluationDomain, Radix2EvaluationDomain};
use nightingale_prover::ceremony::{CeremonyError as Error, CheckedPowers, FileDigest, import};

const G1: usize = 64;
const ROWS: usize = 128;

fn point(file: &[u8], number: u32, index: usize) -> G1Affine {
    let at = section(file, number) + index * G1;
    let mut words = [0; 8];
    for (word, bytes) in words.iter_mut().zip(file[at..].chunks_exact(8)) {
        *word = u64::from_le_bytes(bytes.try_into().unwrap());
    }
    let coordinate = |words: &[u64]| Fq::new_unchecked(BigInt(words.try_into().unwrap()));
    G1Affine::new(coordinate(&words[..4]), coordinate(&words[4..]))
}

/// w^(2 i + 1), where w has order 2 ROWS.
fn odd(i: usize) -> Fr {
    Radix2EvaluationDomain::<Fr>::new(2 * ROWS).unwrap().element(2 * i + 1)
}

/// The key with a point in each point of H, by its odd root.
fn hiding(key: &[u8], hidden: G1Affine) -> Vec<u8> {
    (0..ROWS).fold(key.to_vec(), |file, i| {
        let moved = (point(key, 9, i) + hidden * odd(i)).into_affine();
        put(&file, section(key, 9) + i * G1, &[montgomery(&moved.x), montgomery(&moved.y)].concat())
    })
}

#[test]
fn what_no_proof_feels_in_the_points_of_h_is_refused() {
    let Some(stage) = stage() else { return };
    assert!(stage.import(&stage.key).is_ok());
    let hidden = stage.refused(&hiding(&stage.key, G1Affine::generator()));
    assert!(matches!(hidden, Error::Query("H points")), "{hidden}");
}

#[test]
fn a_point_that_the_coordinator_hid_in_h_is_found_though_it_forges_under_a_key_that_snarkjs_accepts() {
    let Some(stage) = stage() else { return };
    let first = stage.read("0.zkey");
    let input = point(&first, 3, 5);
    let hidden = (input - point(&first, 9, 0)) * odd(0).inverse().unwrap();
    stage.write("hiding-0.zkey", &hiding(&first, hidden.into_affine()));
    let mut terms = stage.terms();
    for (i, contributor) in terms.published.iter_mut().enumerate() {
        let (from, to) = (format!("hiding-{i}.zkey"), format!("hiding-{}.zkey", i + 1));
        let name = contributor.name.clone().unwrap();
        contributor.hash = contribute(stage.path(), &from, &to, &name).parse().unwrap();
    }
    finish(stage.path(), "hiding-2.zkey", "hiding.zkey");
    let said = run(stage.path(), "zkey verify circuit.r1cs powers.ptau hiding.zkey");
    assert!(said.contains("ZKey Ok!"), "this snarkjs sees it: say so in docs/ceremony.md. {said}");
    let key = stage.read("hiding.zkey");
    assert!(forges(stage, &key), "the attack is not one");

    let powers = CheckedPowers::check(&stage.ptau, &FileDigest::of(&stage.ptau), &mut rng(1)).unwrap();
    let refused = refusal(import(&stage.r1cs, &key, &powers, &terms, &mut rng(2)));
    assert!(matches!(refused, Error::Query("H points")), "{refused}");

    // H without that direction, as bellman's files would have it, whatever was hidden there.
    let direction: G1Projective =
        (0..ROWS).map(|i| point(&key, 9, i) * (Fr::from(2u64) * odd(i).inverse().unwrap())).sum();
    let moved = direction * -Fr::from(2 * ROWS as u64).inverse().unwrap();
    let cleaned = hiding(&key, moved.into_affine());
    stage.write("cleaned.zkey", &cleaned);
    let said = run(stage.path(), "zkey verify circuit.r1cs powers.ptau cleaned.zkey");
    assert!(said.contains("ZKey Ok!"), "{said}");
    let refused = refusal(import(&stage.r1cs, &cleaned, &powers, &terms, &mut rng(3)));
    assert!(matches!(refused, Error::Query("H points")), "{refused}");
}

#[test]
fn a_file_that_would_have_a_contributor_divide_something_else_is_refused_before_and_afterwards() {
    let Some(stage) = stage() else { return };
    // Whoever contributes is handed these, and whoever imports is given them as kept.
    let kept =
        ["0.zkey", "1.zkey", "2.zkey", "final.zkey"].map(|name| stage.kept(name).contributions().len());
    assert_eq!(kept, [0, 1, 2, 3]);
    for name in ["0.zkey", "1.zkey"] {
        let file = stage.read(name);
        let hidden = refusal(stage.check(&hiding(&file, G1Affine::generator())));
        assert!(matches!(hidden, Error::Query("H points")), "{hidden}");
        for number in [8, 9] {
            let longer = refusal(stage.check(&appended(&file, number, point(&file, 3, 5))));
            assert!(matches!(longer, Error::Trailing { .. } | Error::Format { .. }), "{longer}");
        }
    }
    // Whoever does divide one hands out what forges, and once it is cut off the file is right and has the contributor's hash: so the file
    // counts that the contributor kept, and none that is found elsewhere.
    stage.write("longer-0.zkey", &appended(&stage.read("0.zkey"), 9, point(&stage.read("0.zkey"), 3, 5)));
    let hash = contribute(stage.path(), "longer-0.zkey", "longer-1.zkey", "unaware");
    let cut = stage.check(&shortened(&stage.read("longer-1.zkey"), 9)).unwrap();
    assert_eq!(cut.contributions()[0].hash().to_string(), hash);
    // A whole chain with another delta than its own, before anybody contributed.
    let first = stage.read("0.zkey");
    let delta = section(&first, 2) + 2 * 36 + 3 * 4 + 2 * G1 + 2 * 128;
    let forging = refusal(stage.check(&put(&first, delta, &stage.read("1.zkey")[delta..delta + G1])));
    assert!(matches!(forging, Error::Delta), "{forging}");
}

/// A section with one point more.
fn appended(file: &[u8], number: u32, point: G1Affine) -> Vec<u8> {
    let range = super::stage::sections(file).into_iter().find(|(found, _)| *found == number).unwrap().1;
    let longer = (range.len() + G1) as u64;
    let point = [montgomery(&point.x), montgomery(&point.y)].concat();
    let head = put(file, range.start - 8, &longer.to_le_bytes());
    [&head[..range.end], &point[..], &head[range.end..]].concat()
}

/// A section with one point fewer.
fn shortened(file: &[u8], number: u32) -> Vec<u8> {
    let range = super::stage::sections(file).into_iter().find(|(found, _)| *found == number).unwrap().1;
    let head = put(file, range.start - 8, &((range.len() - G1) as u64).to_le_bytes());
    [&head[..range.end - G1], &head[range.end..]].concat()
}

/// Makes an honest proof with the key and, from it and the key alone, one of another fifth input that verifies.
fn forges(stage: &Stage, key: &[u8]) -> bool {
    run(stage.path(), "groth16 prove hiding.zkey values.wtns hiding.proof.json hiding.public.json");
    run(stage.path(), "zkey export verificationkey hiding.zkey hiding.key.json");
    let honest = proof_of_snarkjs(&serde_json::from_slice(&stage.read("hiding.proof.json")).unwrap());
    let inputs = &stage.values[1..=PUBLIC];
    assert!(snarkjs_accepts(stage, &honest, inputs, "hiding.key.json"));
    // The fifth input's point, by delta.
    let by_delta = point(key, 9, 0);
    let mut others = inputs.to_vec();
    others[4] = Fr::from(1u64 << 40);
    let c = (honest.c + by_delta * (inputs[4] - others[4])).into_affine();
    assert!(!c.is_zero() && others != inputs);
    snarkjs_accepts(stage, &Proof { c, ..honest }, &others, "hiding.key.json")
}
