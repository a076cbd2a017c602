//! The prover against independent truths: arkworks' own prover and generator, the pairing equation, files on disk.
#![expect(clippy::unwrap_used, reason = "a test that meets an error has failed")]
#![expect(clippy::print_stderr, reason = "times are told to who runs the tests")]

mod prover {
    mod ceremony;
    mod claims;
    mod cohort;
    mod conformance;
    mod corpora;
    mod cuda;
    mod device;
    mod failover;
    mod golden;
    mod groth16;
    mod icicle;
    mod keys;
    mod system;
}
