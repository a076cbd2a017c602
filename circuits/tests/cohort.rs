//! Tests of statement 2, cohort statistics.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests say what they expect")]

#[path = "cohort/agreement.rs"]
mod agreement;
#[path = "cohort/dishonest.rs"]
mod dishonest;
#[path = "cohort/edges.rs"]
mod edges;
#[path = "cohort/registration.rs"]
mod registration;
#[path = "cohort/trial.rs"]
mod trial;
