//! The crate from outside: every file format, the registers, tables and SQL, the generators, and real records where they are at hand.

#[path = "records/building.rs"]
mod building;
#[path = "records/consents.rs"]
mod consents;
#[path = "records/corpora.rs"]
mod corpora;
#[path = "records/explanations.rs"]
mod explanations;
#[path = "records/hostile.rs"]
mod hostile;
#[path = "records/linear.rs"]
mod linear;
#[path = "records/proofs.rs"]
mod proofs;
#[path = "records/real.rs"]
mod real;
#[path = "records/samples.rs"]
mod samples;
#[path = "records/shared.rs"]
mod shared;
#[path = "records/sql.rs"]
mod sql;
#[path = "records/sql_meaning.rs"]
mod sql_meaning;
#[path = "records/synthetic.rs"]
mod synthetic;
#[path = "records/trial_files.rs"]
mod trial_files;
#[path = "records/trial_pilot.rs"]
mod trial_pilot;
#[path = "records/trial_schema.rs"]
mod trial_schema;
#[path = "records/trial_tables.rs"]
mod trial_tables;
