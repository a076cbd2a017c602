//! Cohort answers: tables, consents and proven answers on a real chain. The proofs are those that the contracts' tests keep, for a
//! log at a fixed address; the registration is the verifier's own file.

mod command;
mod consents;
mod crash;
mod fixture;
mod logging;
mod registering;
mod rivals;
mod terms;
mod world;
