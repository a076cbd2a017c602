//! Files of a ceremony: powers of tau and keys, as snarkjs writes them. The known ones were made with snarkjs from public entropy.
#![expect(clippy::panic, reason = "a property that does not hold ends the process")]

use ark_bn254::Bn254;
use ark_ff::Field;
use ark_groth16::ProvingKey;
use nightingale_circuits::{Fr, r1cs::R1cs};
use nightingale_prover::{
    ProveError,
    ceremony::{Beacon, CheckedPowers, FileDigest, Imported, Ptau, Published, Terms, Zkey, check, import},
};
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;
use std::sync::LazyLock;

const KEY: &[u8] = include_bytes!("../corpus/zkey/final");
const POWERS: &[u8] = include_bytes!("../corpus/ptau/prepared");
/// The power of two that the known powers reach.
const POWER: u32 = 3;
/// Larger files are parsed, and their points left alone: checking them takes long.
const MOST_POWER: u32 = 6;

static KNOWN_POWERS: LazyLock<CheckedPowers<'static>> =
    LazyLock::new(|| known(CheckedPowers::check(POWERS, &FileDigest::of(POWERS), &mut rng())));
static TERMS: LazyLock<Terms> = LazyLock::new(|| {
    let key = known(Zkey::parse(KEY));
    let made = key.contributions().iter().filter(|contribution| contribution.beacon().is_none());
    let published = made.map(|contribution| Published {
        hash: contribution.hash(),
        name: contribution.name().map(ToOwned::to_owned),
    });
    let beacon = key.contributions().last().and_then(|last| last.beacon()).cloned();
    let beacon = beacon.unwrap_or(Beacon { value: Vec::new(), iterations: 0 });
    Terms { minimum: 2, beacon, published: published.collect(), previous: Vec::new() }
});
static KNOWN_KEY: LazyLock<ProvingKey<Bn254>> =
    LazyLock::new(|| known(import_known(KEY).map(|imported| imported.key.to_arkworks())));

fn known<T, E: std::fmt::Display>(read: Result<T, E>) -> T {
    read.unwrap_or_else(|error| panic!("a file of this repository: {error}"))
}

fn rng() -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(7)
}

/// The circuit of the known key: each product takes the one before it, and one or the other public input.
fn circuit() -> R1cs {
    let mut r1cs = R1cs { public: 2, variables: 8, ..R1cs::default() };
    for row in 0..4 {
        let (last, next) = (3 + row, 4 + row);
        let mut b = vec![(Fr::ONE, 1 + row % 2)];
        if row == 3 {
            b.push((Fr::from(3u64), last));
        }
        r1cs.a.push(vec![(Fr::ONE, last)]);
        r1cs.b.push(b);
        r1cs.c.push(vec![(Fr::ONE, next)]);
    }
    r1cs
}

fn import_known(key: &[u8]) -> Result<Imported, ProveError> {
    import(&circuit(), key, &KNOWN_POWERS, &TERMS, &mut rng())
}

/// A key of snarkjs: whatever an import accepts is the key that the known ceremony made.
pub fn zkey(bytes: &[u8]) {
    let checked = check(&circuit(), bytes, &KNOWN_POWERS, &mut rng());
    if let Ok(imported) = import_known(bytes) {
        assert!(imported.key.to_arkworks() == *KNOWN_KEY, "another key is imported");
        assert!(checked.is_ok(), "what is imported is no file of a ceremony");
    }
}

/// Powers of tau: whatever is accepted under its own digest are the known powers.
pub fn ptau(bytes: &[u8]) {
    let Ok(read) = Ptau::parse(bytes) else { return };
    if read.power() > MOST_POWER {
        return;
    }
    let Ok(powers) = CheckedPowers::check(bytes, &FileDigest::of(bytes), &mut rng()) else { return };
    assert!(powers.tau() == KNOWN_POWERS.tau(), "other powers are accepted");
    let of_known = known(KNOWN_POWERS.lagrange(POWER, &mut rng()));
    if let Ok(points) = powers.lagrange(POWER, &mut rng()) {
        assert!(points == of_known, "other Lagrange points are accepted");
    }
}
