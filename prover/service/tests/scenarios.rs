//! What the service does, and does when things go wrong: one file per story.
//!
//! Most stories run on a prover that the test steers ([`stand_in`]); `end_to_end` runs the real one.

#[path = "scenarios/account_race.rs"]
mod account_race;
#[path = "scenarios/cancel.rs"]
mod cancel;
#[path = "scenarios/clinic.rs"]
mod clinic;
#[path = "scenarios/cohort_command.rs"]
mod cohort_command;
#[path = "scenarios/cohort_pilot.rs"]
mod cohort_pilot;
#[path = "scenarios/cohort_service.rs"]
mod cohort_service;
#[path = "scenarios/deadline.rs"]
mod deadline;
#[path = "scenarios/demo.rs"]
mod demo;
#[path = "scenarios/disk_full.rs"]
mod disk_full;
#[path = "scenarios/drain.rs"]
mod drain;
#[path = "scenarios/duplicate_line.rs"]
mod duplicate_line;
#[path = "scenarios/duplicate_submit.rs"]
mod duplicate_submit;
#[path = "scenarios/end_to_end.rs"]
mod end_to_end;
#[path = "scenarios/epochs.rs"]
mod epochs;
#[path = "scenarios/late_result.rs"]
mod late_result;
#[path = "scenarios/order.rs"]
mod order;
#[path = "scenarios/refusals.rs"]
mod refusals;
#[path = "scenarios/running.rs"]
mod running;
#[path = "scenarios/secrecy.rs"]
mod secrecy;
#[path = "scenarios/server_kill.rs"]
mod server_kill;
#[path = "scenarios/stand_in.rs"]
mod stand_in;
#[path = "scenarios/stream.rs"]
mod stream;
#[path = "scenarios/surroundings.rs"]
mod surroundings;
#[path = "scenarios/tenants.rs"]
mod tenants;
#[path = "scenarios/worker_death.rs"]
mod worker_death;
