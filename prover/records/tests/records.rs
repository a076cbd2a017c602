//! The crate from outside: every file format, the registers, the generator, and real records where they are at hand.

#[path = "records/building.rs"]
mod building;
#[path = "records/hostile.rs"]
mod hostile;
#[path = "records/proofs.rs"]
mod proofs;
#[path = "records/real.rs"]
mod real;
#[path = "records/samples.rs"]
mod samples;
#[path = "records/shared.rs"]
mod shared;
#[path = "records/synthetic.rs"]
mod synthetic;
