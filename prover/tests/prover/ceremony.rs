//! A ceremony from end to end, with snarkjs as its other half: set up, contribute, beacon, verify, import, prove; and every way to
//! cheat in it that the import must see.
//!
//! The circuit is small and of the project's own type, with as many public inputs as a claim's. The claim circuit itself takes
//! minutes: `claims_key_of_two_lines_comes_from_a_ceremony` runs when it is asked for.

mod altered;
mod chain;
mod claim;
mod hidden;
mod powers;
mod proving;
mod snarkjs;
mod stage;
