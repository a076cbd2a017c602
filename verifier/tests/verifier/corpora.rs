//! What fuzzing found and kept, given to the verifier again: nothing panics, and nothing altered verifies.

#[path = "../../fuzz/src/audit.rs"]
#[expect(unreachable_pub, reason = "public in the fuzz package")]
mod audit;
#[path = "../../fuzz/src/claim.rs"]
#[expect(unreachable_pub, reason = "public in the fuzz package")]
mod claim;
#[path = "../../fuzz/src/cohort.rs"]
#[expect(unreachable_pub, reason = "public in the fuzz package")]
mod cohort;
#[path = "../../fuzz/src/keys.rs"]
#[expect(unreachable_pub, reason = "public in the fuzz package")]
mod keys;
#[path = "../../fuzz/src/replay.rs"]
mod replay;

use std::path::Path;

fn replay(test: &str, target: &str, body: fn(&[u8])) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    replay::replay(&format!("verifier::corpora::{test}"), &corpus, 3, body).unwrap();
}

#[test]
fn strangers_claim_proofs_hold_what_fuzzing_asked() {
    replay("strangers_claim_proofs_hold_what_fuzzing_asked", "claim_proof", claim::claim_proof);
}

#[test]
fn strangers_expectations_and_explanations_hold_what_fuzzing_asked() {
    let test = "strangers_expectations_and_explanations_hold_what_fuzzing_asked";
    replay(test, "claim_context", claim::claim_context);
}

#[test]
fn strangers_verifying_keys_hold_what_fuzzing_asked() {
    replay("strangers_verifying_keys_hold_what_fuzzing_asked", "verifying_key", keys::verifying_key);
}

#[test]
fn strangers_datasets_hold_what_fuzzing_asked() {
    replay("strangers_datasets_hold_what_fuzzing_asked", "dataset", cohort::dataset);
}

#[test]
fn strangers_cohort_proofs_hold_what_fuzzing_asked() {
    replay("strangers_cohort_proofs_hold_what_fuzzing_asked", "cohort_proof", cohort::cohort_proof);
}

#[test]
fn altered_halo2_proofs_hold_what_fuzzing_asked() {
    replay("altered_halo2_proofs_hold_what_fuzzing_asked", "halo2_proof", cohort::halo2_proof);
}

#[test]
fn strangers_answers_and_rows_hold_what_fuzzing_asked() {
    replay("strangers_answers_and_rows_hold_what_fuzzing_asked", "answers", cohort::answers);
}

#[test]
fn strangers_audit_exports_hold_what_fuzzing_asked() {
    replay("strangers_audit_exports_hold_what_fuzzing_asked", "audit_log", audit::audit_log);
}
