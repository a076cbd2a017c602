//! A key's bytes, altered: points exchanged, moved off their curve or out of their group, elements that are not reduced, and files
//! cut off or extended.

use super::{
    super::system::random,
    snarkjs::run,
    stage::{PUBLIC, contribute, exchanged, finish, put, refusal, section, sections, stage},
};
use ark_bn254::{Fq, Fq2, Fr, G2Affine, g2};
use ark_ec::short_weierstrass::SWCurveConfig;
use ark_ff::{AdditiveGroup, BigInteger, Field, PrimeField};
use nightingale_prover::ceremony::{
    self, CeremonyError as Error, CheckedPowers, FileDigest, FileKind, Zkey, import,
};

const G1: usize = 64;
const G2: usize = 128;

/// An element as files have it.
pub(super) fn montgomery(x: &Fq) -> Vec<u8> {
    x.0.0.iter().flat_map(|limb| limb.to_le_bytes()).collect()
}

fn in_file(point: &G2Affine) -> Vec<u8> {
    [point.x.c0, point.x.c1, point.y.c0, point.y.c1].iter().flat_map(montgomery).collect()
}

/// A point of the curve that is not of order r.
fn stray() -> G2Affine {
    let points = (1u64..).filter_map(|x| {
        let x = Fq2::new(Fq::from(x), Fq::ONE);
        let y = (x.square() * x + g2::Config::COEFF_B).sqrt()?;
        Some(G2Affine::new_unchecked(x, y))
    });
    let mut strays = points.filter(|point| !point.is_in_correct_subgroup_assuming_on_curve());
    strays.next().unwrap()
}

#[test]
fn points_of_any_query_that_are_exchanged_are_refused() {
    let Some(stage) = stage() else { return };
    for (number, bytes, expected) in [
        (3, G1, "points of the public inputs"),
        (5, G1, "A points"),
        (6, G1, "B points in G1"),
        (7, G2, "B points in G2"),
        (8, G1, "L points"),
        (9, G1, "H points"),
    ] {
        let refused = stage.refused(&exchanged(&stage.key, number, bytes));
        assert!(matches!(refused, Error::Query(query) if query == expected), "{number}: {refused}");
    }
    // The last point of H alone: whoever checks all but one sees nothing.
    let h = section(&stage.key, 9);
    let last = put(&stage.key, h + 127 * G1, &stage.key[h..h + G1]);
    assert!(matches!(stage.refused(&last), Error::Query("H points")));
}

#[test]
fn points_off_the_curve_and_out_of_the_group_are_refused() {
    let Some(stage) = stage() else { return };
    let header = 2 * 36 + 12;
    let firsts = [(2, header), (3, 0), (5, 0), (6, 0), (7, 0), (8, 0), (9, 0), (10, 68)];
    for (number, offset) in firsts {
        let start = section(&stage.key, number) + offset;
        // A finite point of the section, one bit of whose x is another.
        let at = (start..).step_by(if number == 7 { G2 } else { G1 }).find(|at| stage.key[*at] != 0).unwrap();
        let refused = stage.refused(&put(&stage.key, at, &[stage.key[at] ^ 1]));
        assert!(matches!(refused, Error::OffCurve { file: FileKind::Zkey, .. }), "{number}: {refused}");
    }
    let stray = in_file(&stray());
    for (number, offset) in [(2, header + 2 * G1), (2, header + 2 * G1 + G2), (7, 3 * G2), (10, 68 + 3 * G1)]
    {
        let refused = stage.refused(&put(&stage.key, section(&stage.key, number) + offset, &stray));
        assert!(matches!(refused, Error::OutsideSubgroup { .. }), "{number}: {refused}");
    }
    // Infinity is a point of some queries, and nothing that a header or a contribution may have.
    for (number, offset, bytes) in [(2, header, G1), (2, header + 2 * G1 + G2, G2), (10, 68, G1)] {
        let refused = stage.refused(&put(&stage.key, section(&stage.key, number) + offset, &vec![0; bytes]));
        assert!(matches!(refused, Error::Infinite { .. }), "{number}: {refused}");
    }
    assert!(matches!(stage.refused(&put(&stage.key, section(&stage.key, 3), &[0; G1])), Error::Query(_)));
}

#[test]
fn elements_that_are_not_reduced_are_refused() {
    let Some(stage) = stage() else { return };
    let more = |at: usize, modulus: [u64; 4]| {
        let mut words = [0; 4];
        for (word, bytes) in words.iter_mut().zip(stage.key[at..].chunks_exact(8)) {
            *word = u64::from_le_bytes(bytes.try_into().unwrap());
        }
        // The same element, by another name.
        let mut value = ark_ff::BigInt(words);
        assert!(!value.add_with_carry(&ark_ff::BigInt(modulus)));
        put(&stage.key, at, &value.to_bytes_le())
    };
    for (number, offset) in [(2, 84), (3, 0), (5, 0), (6, 32), (7, 96), (8, 0), (9, 32), (10, 68 + 32)] {
        let refused = stage.refused(&more(section(&stage.key, number) + offset, Fq::MODULUS.0));
        assert!(matches!(refused, Error::NotReduced { .. }), "{number}: {refused}");
    }
    let refused = stage.refused(&more(section(&stage.key, 4) + 4 + 12, Fr::MODULUS.0));
    assert!(matches!(refused, Error::NotReduced { .. }), "{refused}");
}

#[test]
fn a_key_that_is_cut_off_or_extended_anywhere_is_refused() {
    let Some(stage) = stage() else { return };
    let key = &stage.key;
    let mut ends: Vec<usize> = vec![0, 3, 4, 8, 11, 12, key.len() - 1];
    for (_, range) in sections(key) {
        ends.extend([range.start - 12, range.start - 1, range.start, range.start + 1, range.end - 1]);
    }
    for end in ends {
        let refused = Zkey::parse(&key[..end]).err().unwrap();
        let cut = matches!(refused, Error::Truncated { .. })
            || (end < 4 && matches!(refused, Error::Format { .. }));
        assert!(cut, "{end}: {refused}");
    }
    let longer = Zkey::parse(&[key, &b"x"[..]].concat()).err().unwrap();
    assert!(matches!(longer, Error::Trailing { .. }), "{longer}");
    // Within its section, the list of contributions goes on: the section is longer than what it says.
    let (number, range) = sections(key).pop().unwrap();
    assert_eq!(number, 10);
    let mut inner = [key, &b"x"[..]].concat();
    let length = (range.len() as u64 + 1).to_le_bytes();
    inner = put(&inner, range.start - 8, &length);
    assert!(matches!(Zkey::parse(&inner).err().unwrap(), Error::Trailing { .. }));
}

#[test]
fn files_of_another_form_are_refused() {
    let Some(stage) = stage() else { return };
    let key = &stage.key;
    let malformed = |file: &[u8]| matches!(Zkey::parse(file).err().unwrap(), Error::Format { .. });
    assert!(malformed(&stage.ptau));
    assert!(malformed(&put(key, 4, &2u32.to_le_bytes())), "a version");
    assert!(malformed(&put(key, section(key, 5) - 12, &6u32.to_le_bytes())), "a section twice");
    assert!(malformed(&put(key, section(key, 5) - 12, &11u32.to_le_bytes())), "an unknown section");
    assert!(malformed(&put(key, section(key, 1), &2u32.to_le_bytes())), "another protocol");
    assert!(malformed(&put(key, section(key, 2) + 4, &[0])), "another curve");
    assert!(malformed(&put(key, 8, &u32::MAX.to_le_bytes())), "a number of sections");
    // Sizes that would have gigabytes allocated, were they believed.
    for size in [0, 1, 2] {
        let at = section(key, 2) + 72 + 4 * size;
        assert!(malformed(&put(key, at, &0x7fff_ffffu32.to_le_bytes())), "size {size}");
    }
    for (offset, what) in [(0, "number"), (4, "matrix"), (8, "row"), (12, "column")] {
        let refused =
            Zkey::parse(&put(key, section(key, 4) + offset, &0x0fff_ffffu32.to_le_bytes())).err().unwrap();
        assert!(matches!(refused, Error::Format { .. }), "{what}: {refused}");
    }
    let contributions = section(key, 10) + 64;
    // Each that can be read costs pairings, so that no more are read than a ceremony has.
    for (number, is_many) in [(1025, true), (u32::MAX, true), (1024, false)] {
        let refused = Zkey::parse(&put(key, contributions, &number.to_le_bytes())).err().unwrap();
        assert_eq!(refused.to_string().contains("at most 1024"), is_many, "{refused}");
    }
}

#[test]
fn a_key_of_another_circuit_is_refused() {
    let Some(stage) = stage() else { return };
    let at = stage.path();
    let powers =
        CheckedPowers::check(&stage.ptau, &FileDigest::of(&stage.ptau), &mut super::super::system::rng(3))
            .unwrap();
    let mut other = stage.r1cs.clone();
    let place = other.a.iter().position(|row| row[0].0 == Fr::ONE).unwrap();
    other.a[place][0].0 = Fr::from(2u64);
    let (larger, _) = random(PUBLIC, 101, 11);
    let (wider, _) = random(PUBLIC + 1, 98, 11);
    // The key is right, and the circuit that it is imported for is another.
    for circuit in [&other, &larger, &wider] {
        let result = import(circuit, &stage.key, &powers, &stage.terms(), &mut super::super::system::rng(4));
        assert!(matches!(refusal(result), Error::OtherCircuit(_)));
    }
    // Products stand in no section of coefficients: only the queries tell them.
    let mut products = stage.r1cs.clone();
    products.c[7][0].0 = Fr::from(5u64);
    let result = import(&products, &stage.key, &powers, &stage.terms(), &mut super::super::system::rng(4));
    assert!(matches!(refusal(result), Error::Query("L points")));
    // A whole ceremony for it, by the same people.
    stage.write("other.r1cs", &ceremony::r1cs(&products));
    run(at, "groth16 setup other.r1cs powers.ptau other-0.zkey");
    let hash = contribute(at, "other-0.zkey", "other-1.zkey", "hospital");
    finish(at, "other-1.zkey", "other.zkey");
    let mut terms = stage.terms();
    terms.minimum = 1;
    terms.published.truncate(1);
    terms.published[0].hash = hash.parse().unwrap();
    let foreign = stage.read("other.zkey");
    assert!(matches!(stage.refused_on(&foreign, &terms), Error::Query("L points")));
    assert!(import(&products, &foreign, &powers, &terms, &mut super::super::system::rng(5)).is_ok());
    let mut empty = stage.r1cs.clone();
    (empty.a[3], empty.b[3]) = (vec![(Fr::ZERO, 1)], Vec::new());
    let result = import(&empty, &stage.key, &powers, &stage.terms(), &mut super::super::system::rng(4));
    assert!(matches!(refusal(result), Error::EmptyRow(3)));
}
