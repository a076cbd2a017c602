//! The poster against a real anvil, from `target/tools`; skipped, loudly, where `.ci/tools/install` has not run.

mod poster {
    mod anvil;
    mod cohort;
    mod command;
    mod crash;
    mod fees;
    mod file;
    mod gas;
    mod lagging;
    mod nonces;
    mod proofs;
    mod proxy;
    mod real;
    mod receipts;
    mod reorganisation;
    mod repeated;
    mod rivals;
    mod settle;
    mod sponsor;
    mod world;
}
