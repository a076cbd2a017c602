//! Tests of statement 2, cohort statistics.

mod agreement;
mod dishonest;
mod edges;
mod registration;
mod rule;
mod trial;
