//! The crate from outside: every file format, the registers, the generator, and real records where they are at hand.

#[path = "records/real.rs"]
mod real;
#[path = "records/shared.rs"]
mod shared;
#[path = "records/synthetic.rs"]
mod synthetic;
