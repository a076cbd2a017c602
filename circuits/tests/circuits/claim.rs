//! The claim statement: the circuit agrees with the reference, every rule can be broken alone, and a dishonest
//! prover finds nothing to choose.

mod agreement;
mod budget;
mod case;
mod constrained;
mod dishonest;
mod money;
mod refusals;
mod rules;
