//! The verifying keys that verifiers have are those of the circuits. `NIGHTINGALE_BLESS=1` writes them anew; k = 17 and 20 take
//! minutes and wait for `NIGHTINGALE_PROVE_ALL=1`.

use super::world::{KEYS, go, keys_directory, setups_directory};
use nightingale_circuits::cohort::Size;
use nightingale_prover::cohort::{CohortProvingKey, Srs};
use nightingale_verifier::cohort::CircuitName;
use std::{
    sync::{Arc, LazyLock},
    time::Instant,
};

/// Writes the keys of the smallest size, when that is asked for, before any test uses them.
pub(super) static BLESSED: LazyLock<()> = LazyLock::new(|| {
    if std::env::var_os("NIGHTINGALE_BLESS").is_some() {
        let srs = Arc::new(Srs::cached(&setups_directory(), Size::Small.layout()).unwrap());
        write(Size::Small, &srs);
    }
});

fn write(size: Size, srs: &Arc<Srs>) {
    for circuit in CircuitName::ALL {
        let key = CohortProvingKey::of_circuit(circuit, Arc::clone(srs)).unwrap();
        std::fs::write(keys_directory().join(circuit.file_name(size)), key.verifying().to_bytes()).unwrap();
    }
}

#[test]
fn cohort_keys_are_those_of_the_circuits() {
    let all = std::env::var_os("NIGHTINGALE_PROVE_ALL").is_some();
    let bless = std::env::var_os("NIGHTINGALE_BLESS").is_some();
    for size in Size::ALL {
        if size != Size::Small && !all {
            continue;
        }
        let begun = Instant::now();
        let srs = KEYS.setup(size, &mut go).unwrap();
        eprintln!("setup k={}: {:.2} s", size.k(), begun.elapsed().as_secs_f64());
        if bless && size != Size::Small {
            write(size, &srs);
            continue;
        }
        for circuit in CircuitName::ALL {
            let begun = Instant::now();
            let key = CohortProvingKey::of_circuit(circuit, Arc::clone(&srs)).unwrap();
            let cs = key.proving().get_vk().cs();
            eprintln!(
                "{}: {:.2} s, {} fixed, {} advice, proof {} bytes",
                circuit.file_name(size),
                begun.elapsed().as_secs_f64(),
                cs.num_fixed_columns(),
                cs.num_advice_columns(),
                key.verifying().proof_length(),
            );
            let path = keys_directory().join(circuit.file_name(size));
            let same = std::fs::read(&path).unwrap() == key.verifying().to_bytes();
            let command = "NIGHTINGALE_BLESS=1 NIGHTINGALE_PROVE_ALL=1 cargo test --release -p nightingale-prover cohort_keys";
            assert!(same, "{} is out of date; run `{command}`", path.display());
        }
    }
}
