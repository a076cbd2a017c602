//! Keys and powers that fuzzing found and kept: refused, or proven with to an end.

#[path = "../../fuzz/src/ceremony.rs"]
#[expect(unreachable_pub, reason = "public in the fuzz package")]
mod ceremony;
#[path = "../../fuzz/src/keys.rs"]
#[expect(unreachable_pub, reason = "public in the fuzz package")]
mod keys;
#[path = "../../../verifier/fuzz/src/replay.rs"]
mod replay;

use std::path::Path;

fn replay(test: &str, target: &str, body: fn(&[u8])) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    replay::replay(&format!("prover::corpora::{test}"), &corpus, 3, body).unwrap();
}

#[test]
fn strangers_proving_keys_hold_what_fuzzing_asked() {
    replay("strangers_proving_keys_hold_what_fuzzing_asked", "proving_key", keys::proving_key);
}

#[test]
fn strangers_ceremony_keys_hold_what_fuzzing_asked() {
    replay("strangers_ceremony_keys_hold_what_fuzzing_asked", "zkey", ceremony::zkey);
}

#[test]
fn strangers_powers_of_tau_hold_what_fuzzing_asked() {
    replay("strangers_powers_of_tau_hold_what_fuzzing_asked", "ptau", ceremony::ptau);
}
