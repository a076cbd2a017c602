//! Cohort statistics from end to end, at k = 14: register, ask, verify, damage, cheat.

mod backend;
mod cheating;
mod directory;
mod golden;
mod keys;
mod production;
mod release;
mod rows;
mod setup;
mod world;
