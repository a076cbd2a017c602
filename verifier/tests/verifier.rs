//! The verifier against golden files that the prover made (`prover/tests/prover/golden.rs` writes them).
#![expect(clippy::unwrap_used, reason = "a test that meets an error has failed")]
#![expect(clippy::indexing_slicing, reason = "a test that reads beyond an end has failed")]
#![expect(clippy::panic, reason = "a test that finds something else has failed")]
#![expect(clippy::print_stderr, reason = "a skipped test says so")]

mod verifier {
    mod audit;
    mod cohort;
    mod command;
    mod context;
    mod corpora;
    mod expectation;
    mod formats;
    mod golden;
    mod keys;
    mod remittance;
    mod schemas;
    mod snarkjs;
    mod statistics;
    mod tampering;
}
