//! A made-up constraint system of any size with an assignment that satisfies it.

use ark_ff::{AdditiveGroup, Field};
use nightingale_circuits::{
    Fr,
    r1cs::{R1cs, Row},
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha20Rng;

/// A random source with a fixed seed.
pub(super) fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

/// A field element: one of 0, 1, -1, a small one or a full-size one.
pub(super) fn element(rng: &mut impl Rng) -> Fr {
    match rng.random_range(0..8) {
        0 => Fr::ZERO,
        1 | 2 => Fr::ONE,
        3 => -Fr::ONE,
        4 => Fr::from(rng.random::<u16>()),
        _ => (0..4).fold(Fr::ZERO, |sum, _| sum * Fr::from(u64::MAX) + Fr::from(rng.random::<u64>())),
    }
}

/// `constraints` products of random linear forms, each a new column; the public inputs and as many witness values are
/// free.
pub(super) fn random(public: usize, constraints: usize, seed: u64) -> (R1cs, Vec<Fr>) {
    let mut rng = rng(seed);
    let mut values = vec![Fr::ONE];
    values.extend((0..2 * public + 2).map(|_| element(&mut rng)));
    let mut r1cs = R1cs { public, ..R1cs::default() };
    for _ in 0..constraints {
        let mut form = || -> (Row, Fr) {
            let mut columns: Vec<usize> =
                (0..rng.random_range(1..5)).map(|_| rng.random_range(0..values.len())).collect();
            columns.sort_unstable();
            columns.dedup();
            let row: Row = columns.into_iter().map(|column| (element(&mut rng), column)).collect();
            let value = row.iter().map(|(k, i)| *k * values[*i]).sum();
            (row, value)
        };
        let ((a, x), (b, y)) = (form(), form());
        r1cs.a.push(a);
        r1cs.b.push(b);
        r1cs.c.push(vec![(Fr::ONE, values.len())]);
        values.push(x * y);
    }
    r1cs.variables = values.len();
    (r1cs, values)
}
