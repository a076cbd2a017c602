//! The claim statement: the circuit agrees with the reference, every rule can be broken alone, and a dishonest
//! prover finds nothing to choose.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "tests fail by panicking")]

#[path = "claim/agreement.rs"]
mod agreement;
#[path = "claim/budget.rs"]
mod budget;
#[path = "claim/case.rs"]
mod case;
#[path = "claim/constrained.rs"]
mod constrained;
#[path = "claim/dishonest.rs"]
mod dishonest;
#[path = "claim/money.rs"]
mod money;
#[path = "claim/refusals.rs"]
mod refusals;
#[path = "claim/rules.rs"]
mod rules;
