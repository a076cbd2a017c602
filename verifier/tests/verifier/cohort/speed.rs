//! How long a verification takes, keys being loaded.

use super::{DATASET, KEYS, PROOFS, bytes, judge, proof};
use nightingale_circuits::cohort::instances::instances;
use nightingale_verifier::cohort::CircuitName;
use std::time::{Duration, Instant};

/// The fastest of some runs, so that a busy machine does not decide.
fn fastest(mut run: impl FnMut()) -> Duration {
    let times = (0..20).map(|_| {
        let begun = Instant::now();
        run();
        begun.elapsed()
    });
    times.min().unwrap()
}

#[test]
fn a_narrow_proof_verifies_in_ten_milliseconds_and_a_wide_one_in_forty() {
    for (name, most) in PROOFS.into_iter().zip([10, 40]) {
        let proof = proof(name);
        let table = DATASET.table(&proof.table).unwrap();
        let key = KEYS.key(CircuitName::Query(proof.class), table.size()).unwrap();
        let columns =
            instances(proof.class, table.schema(), &proof.query, proof.threshold, &proof.answer).unwrap();
        let bare = fastest(|| key.verify(&columns, &proof.proof.proof).unwrap());
        let file = bytes(name);
        let whole = fastest(|| judge(&file).unwrap());
        eprintln!("{name}: halo2 {bare:.2?}, file, link and all {whole:.2?}");
        assert!(bare < Duration::from_millis(most), "{name}: {bare:?}");
    }
}
