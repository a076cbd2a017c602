//! Powers of tau: read, doubted, and made into a setup for cohort statistics.

use super::{
    super::system::rng,
    snarkjs::{hash, run},
    stage::{Stage, contribute, exchanged, powers, put, refusal, section, sections, stage},
};
use halo2_proofs::{
    arithmetic::g_to_lagrange,
    halo2curves::{
        bn256::{Bn256, G1Affine, G2Affine},
        group::prime::PrimeCurveAffine,
        pairing::Engine,
    },
};
use nightingale_circuits::cohort::Layout;
use nightingale_prover::{
    ProveError,
    ceremony::{CeremonyError as Error, CheckedPowers, FileDigest, Ptau, import},
    cohort::Srs,
};
use nightingale_verifier::KeyKind;

/// The check that refuses a file whose digest was announced.
fn refused(file: &[u8]) -> Error {
    CheckedPowers::check(file, &FileDigest::of(file), &mut rng(6)).err().unwrap()
}

fn checked(file: &[u8]) -> CheckedPowers<'_> {
    CheckedPowers::check(file, &FileDigest::of(file), &mut rng(6)).unwrap()
}

#[test]
fn powers_that_are_not_those_of_one_number_are_refused() {
    let Some(stage) = stage() else { return };
    let ptau = &stage.ptau;
    checked(ptau);
    let other = CheckedPowers::check(ptau, &FileDigest::of(b"another file"), &mut rng(6)).err().unwrap();
    assert!(matches!(other, Error::OtherPtau { .. }));
    let wrong = |file: &[u8]| match refused(file) {
        Error::Powers(problem) => problem,
        other => unreachable!("{other}"),
    };
    assert!(wrong(&exchanged(ptau, 2, 64)).contains("generator"));
    // Two powers further on.
    let at = section(ptau, 2) + 100 * 64;
    let swapped = [&ptau[at + 64..at + 128], &ptau[at..at + 64]].concat();
    assert!(wrong(&put(ptau, at, &swapped)).contains("powers of one number"));
    assert!(wrong(&exchanged(ptau, 4, 64)).contains("times alpha"));
    assert!(wrong(&exchanged(ptau, 5, 64)).contains("times beta"));
    let (tau, beta) = (section(ptau, 3) + 128, section(ptau, 6));
    assert!(wrong(&put(ptau, tau, &ptau[beta..beta + 128])).contains("powers of one number"));
    assert!(wrong(&put(ptau, beta, &ptau[tau..tau + 128])).contains("beta is another one in G2"));
    assert!(wrong(&exchanged(ptau, 3, 128)).contains("in G2 is not the generator"));
    // Nobody contributed: tau is one.
    let at = stage.path();
    run(at, "powersoftau new bn128 3 nobody-0.ptau");
    run(at, "powersoftau prepare phase2 nobody-0.ptau nobody.ptau");
    assert!(wrong(&stage.read("nobody.ptau")).contains("nobody contributed"));
}

#[test]
fn lagrange_points_that_are_not_those_of_the_powers_are_refused() {
    let Some(stage) = stage() else { return };
    for number in [12, 14, 15] {
        let at = section(&stage.ptau, number) + (127 + 20) * 64;
        let swapped = [&stage.ptau[at + 64..at + 128], &stage.ptau[at..at + 64]].concat();
        let ptau = put(&stage.ptau, at, &swapped);
        let result = import(&stage.r1cs, &stage.key, &checked(&ptau), &stage.terms(), &mut rng(7));
        assert!(matches!(refusal(result), Error::Powers(problem) if problem.contains("Lagrange")));
    }
}

#[test]
fn files_of_powers_that_are_cut_off_extended_or_unprepared_are_refused() {
    let Some(stage) = stage() else { return };
    let ptau = &stage.ptau;
    assert!(matches!(refused(&stage.read("powers-2.ptau")), Error::NotPrepared));
    assert!(matches!(refused(&stage.key), Error::Format { .. }));
    for (number, range) in sections(ptau) {
        for end in [range.start - 12, range.start - 1, range.start, range.end - 1] {
            let error = Ptau::parse(&ptau[..end]).err().unwrap();
            assert!(matches!(error, Error::Truncated { .. }), "{number}, {end}: {error}");
        }
    }
    assert!(matches!(refused(&[ptau, &b"x"[..]].concat()), Error::Trailing { .. }));
    let power = section(ptau, 1) + 36;
    for power_of in [0u32, 7, 9, 29, u32::MAX] {
        assert!(matches!(refused(&put(ptau, power, &power_of.to_le_bytes())), Error::Format { .. }));
    }
    for (number, at) in [(2, 64), (4, 64), (5, 64), (6, 0), (3, 128)] {
        let at = section(ptau, number) + at;
        assert!(matches!(refused(&put(ptau, at, &[ptau[at] ^ 1])), Error::OffCurve { .. }), "{number}");
        assert!(matches!(refused(&put(ptau, at, &[0xff; 32])), Error::NotReduced { .. }), "{number}");
    }
    let contributions = section(ptau, 7);
    assert!(matches!(refused(&put(ptau, contributions, &[0xff; 4])), Error::Truncated { .. }));
    assert!(matches!(refused(&put(ptau, contributions, &1u32.to_le_bytes())), Error::Trailing { .. }));
}

fn import_on(stage: &Stage, ptau: &[u8]) -> Result<(), ProveError> {
    import(&stage.r1cs, &stage.key, &checked(ptau), &stage.terms(), &mut rng(8)).map(drop)
}

#[test]
fn other_powers_and_too_few_of_the_right_ones_are_refused() {
    let Some(stage) = stage() else { return };
    let at = stage.path();
    powers(at, 7, "others");
    assert!(matches!(refusal(import_on(stage, &stage.read("others.ptau"))), Error::OtherSetup("alpha")));
    run(at, "powersoftau truncate powers.ptau");
    let few = refusal(import_on(stage, &stage.read("powers_06.ptau")));
    assert!(matches!(few, Error::TooSmall { power: 6, needed: 7 }), "{few}");
    // Just enough are enough, with the highest power of H's points or without it: a key that was set up with these is imported as well.
    import_on(stage, &stage.read("powers_07.ptau")).unwrap();
    let exact = stage.read("others.ptau");
    run(at, "groth16 setup circuit.r1cs others.ptau exact-0.zkey");
    let hash = contribute(at, "exact-0.zkey", "exact-1.zkey", "hospital");
    super::stage::finish(at, "exact-1.zkey", "exact.zkey");
    let mut terms = stage.terms();
    terms.minimum = 1;
    terms.published.truncate(1);
    terms.published[0].hash = hash.parse().unwrap();
    import(&stage.r1cs, &stage.read("exact.zkey"), &checked(&exact), &terms, &mut rng(9)).unwrap();
}

#[test]
fn a_key_that_went_through_bellmans_files_is_refused() {
    // Of its H nobody can say any more whether something was hidden there: `hidden.rs`.
    let Some(stage) = stage() else { return };
    let at = stage.path();
    run(at, "zkey export bellman 1.zkey challenge.bellman");
    run(at, "zkey bellman contribute bn128 challenge.bellman response.bellman -e=bellman");
    run(at, "zkey import bellman 1.zkey response.bellman bellman-2.zkey --name=insurer");
    super::stage::finish(at, "bellman-2.zkey", "bellman.zkey");
    let said = run(at, "zkey verify circuit.r1cs powers.ptau bellman.zkey");
    let mut terms = stage.terms();
    terms.published[1].hash = hash(&said, "contribution #2 insurer:").parse().unwrap();
    let key = stage.read("bellman.zkey");
    let refused = refusal(import(&stage.r1cs, &key, &checked(&stage.ptau), &terms, &mut rng(11)));
    assert!(matches!(refused, Error::Query("H points")), "{refused}");
}

#[test]
fn a_setup_from_powers_is_one_that_halo2_would_have_made() {
    let Some(stage) = stage() else { return };
    let powers = checked(&stage.ptau);
    let layout = Layout { k: 7, head: 32 };
    let srs = Srs::ceremony(layout, &powers, &mut rng(10)).unwrap();
    assert_eq!(srs.kind(), KeyKind::Production);
    let points = srs.powers();
    assert_eq!((points.len(), points[0]), (128, G1Affine::generator()));
    for pair in points.windows(2).step_by(16) {
        assert_eq!(
            Bn256::pairing(&pair[1], &G2Affine::generator()),
            Bn256::pairing(&pair[0], &srs.points().tau)
        );
    }
    let lagrange =
        g_to_lagrange::<G1Affine>(points.iter().map(PrimeCurveAffine::to_curve).collect(), layout.k);
    assert_eq!(lagrange, srs.lagrange());
    assert_ne!(srs.points().tau, Srs::development(layout).unwrap().points().tau);
    let large = Srs::ceremony(Layout { k: 9, head: 32 }, &powers, &mut rng(10)).err();
    assert!(matches!(large, Some(ProveError::Ceremony(Error::TooSmall { power: 8, needed: 9 }))));
}
