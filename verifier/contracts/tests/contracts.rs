//! The contracts on a chain in this process, with real Groth16 proofs.
//!
//! The proofs are of a small circuit whose public inputs are free: so each test chooses exactly the inputs that it is
//! about, and what is shown does not rest on the claim circuit.

mod contracts {
    mod abi;
    mod anvil;
    mod audit;
    mod batch;
    mod business;
    mod ceremony;
    mod cohort;
    mod corpora;
    mod deployment;
    mod escrow;
    mod fixture;
    mod gas;
    mod keys;
    mod proofs;
    mod receipts;
    mod registry;
    mod replay;
    mod single;
    mod tools;
    mod venue;
    mod world;
}
