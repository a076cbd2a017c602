//! The poster against a real anvil, from `target/tools`; skipped, loudly, where `.ci/tools/install` has not run.

mod poster {
    mod answers;
    mod anvil;
    mod audit;
    mod cohort;
    mod collector;
    mod command;
    mod consents;
    mod crash;
    mod creation;
    mod estimates;
    mod fees;
    mod file;
    mod gap;
    mod gas;
    mod lagging;
    mod lying;
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
    mod traces;
    mod world;
}
