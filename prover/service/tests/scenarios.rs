//! What the service does, and does when things go wrong: one file per story.
//!
//! Most stories run on a prover that the test steers ([`stand_in`]); `end_to_end` runs the real one.

#[path = "scenarios/account_race.rs"]
mod account_race;
#[path = "scenarios/anvil.rs"]
mod anvil;
#[path = "scenarios/append_only.rs"]
mod append_only;
#[path = "scenarios/archive.rs"]
mod archive;
#[path = "scenarios/audit.rs"]
mod audit;
#[path = "scenarios/audit_access.rs"]
mod audit_access;
#[path = "scenarios/audit_repeats.rs"]
mod audit_repeats;
#[path = "scenarios/audit_rotation.rs"]
mod audit_rotation;
#[path = "scenarios/authority.rs"]
mod authority;
#[path = "scenarios/backup.rs"]
mod backup;
#[path = "scenarios/batches.rs"]
mod batches;
#[path = "scenarios/canary.rs"]
mod canary;
#[path = "scenarios/cancel.rs"]
mod cancel;
#[path = "scenarios/ceremony_command.rs"]
mod ceremony_command;
#[path = "scenarios/ceremony_whole.rs"]
mod ceremony_whole;
#[path = "scenarios/certificates.rs"]
mod certificates;
#[path = "scenarios/clinic.rs"]
mod clinic;
#[path = "scenarios/clock_jump.rs"]
mod clock_jump;
#[path = "scenarios/cohort_command.rs"]
mod cohort_command;
#[path = "scenarios/cohort_pilot.rs"]
mod cohort_pilot;
#[path = "scenarios/cohort_service.rs"]
mod cohort_service;
#[path = "scenarios/cohort_worker.rs"]
mod cohort_worker;
#[path = "scenarios/collector.rs"]
mod collector;
#[path = "scenarios/consent_by_hand.rs"]
mod consent_by_hand;
#[path = "scenarios/consent_chain.rs"]
mod consent_chain;
#[path = "scenarios/consent_claims.rs"]
mod consent_claims;
#[path = "scenarios/consent_cohorts.rs"]
mod consent_cohorts;
#[path = "scenarios/consent_ledger.rs"]
mod consent_ledger;
#[path = "scenarios/consent_numbers.rs"]
mod consent_numbers;
#[path = "scenarios/consent_race.rs"]
mod consent_race;
#[path = "scenarios/corpora.rs"]
mod corpora;
#[path = "scenarios/crowd.rs"]
mod crowd;
#[path = "scenarios/custody.rs"]
mod custody;
#[path = "scenarios/database_kill.rs"]
mod database_kill;
#[path = "scenarios/deadline.rs"]
mod deadline;
#[path = "scenarios/demo.rs"]
mod demo;
#[path = "scenarios/desk.rs"]
mod desk;
#[path = "scenarios/device_loss.rs"]
mod device_loss;
#[path = "scenarios/disk_full.rs"]
mod disk_full;
#[path = "scenarios/drain.rs"]
mod drain;
#[path = "scenarios/dump.rs"]
mod dump;
#[path = "scenarios/duplicate_line.rs"]
mod duplicate_line;
#[path = "scenarios/duplicate_submit.rs"]
mod duplicate_submit;
#[path = "scenarios/earlier_release.rs"]
mod earlier_release;
#[path = "scenarios/end_to_end.rs"]
mod end_to_end;
#[path = "scenarios/epochs.rs"]
mod epochs;
#[path = "scenarios/erasure.rs"]
mod erasure;
#[path = "scenarios/everything_killed.rs"]
mod everything_killed;
#[path = "scenarios/fleet.rs"]
mod fleet;
#[path = "scenarios/folder_race.rs"]
mod folder_race;
#[path = "scenarios/half_import.rs"]
mod half_import;
#[path = "scenarios/hostile_transport.rs"]
mod hostile_transport;
#[path = "scenarios/idempotency.rs"]
mod idempotency;
#[path = "scenarios/identity_command.rs"]
mod identity_command;
#[path = "scenarios/isolation.rs"]
mod isolation;
#[path = "scenarios/isolation_table.rs"]
mod isolation_table;
#[path = "scenarios/issuer.rs"]
mod issuer;
#[path = "scenarios/large_messages.rs"]
mod large_messages;
#[path = "scenarios/lasting.rs"]
mod lasting;
#[path = "scenarios/late_result.rs"]
mod late_result;
#[path = "scenarios/limits.rs"]
mod limits;
#[path = "scenarios/long_queue.rs"]
mod long_queue;
#[path = "scenarios/long_reads.rs"]
mod long_reads;
#[path = "scenarios/long_transaction.rs"]
mod long_transaction;
#[path = "scenarios/machines.rs"]
mod machines;
#[path = "scenarios/memory.rs"]
mod memory;
#[path = "scenarios/network_cut.rs"]
mod network_cut;
#[path = "scenarios/order.rs"]
mod order;
#[path = "scenarios/overload.rs"]
mod overload;
#[path = "scenarios/poison_job.rs"]
mod poison_job;
#[path = "scenarios/postgres.rs"]
mod postgres;
#[path = "scenarios/process.rs"]
mod process;
#[path = "scenarios/production.rs"]
mod production;
#[path = "scenarios/quiet_lease.rs"]
mod quiet_lease;
#[path = "scenarios/raw_call.rs"]
mod raw_call;
#[path = "scenarios/refusals.rs"]
mod refusals;
#[path = "scenarios/release_race.rs"]
mod release_race;
#[path = "scenarios/retention.rs"]
mod retention;
#[path = "scenarios/roles.rs"]
mod roles;
#[path = "scenarios/running.rs"]
mod running;
#[path = "scenarios/schema_before.rs"]
mod schema_before;
#[path = "scenarios/secrecy.rs"]
mod secrecy;
#[path = "scenarios/server_kill.rs"]
mod server_kill;
#[path = "scenarios/site.rs"]
mod site;
#[path = "scenarios/slow_client.rs"]
mod slow_client;
#[path = "scenarios/stale_write.rs"]
mod stale_write;
#[path = "scenarios/stand_in.rs"]
mod stand_in;
#[path = "scenarios/steered.rs"]
mod steered;
#[path = "scenarios/stream.rs"]
mod stream;
#[path = "scenarios/surroundings.rs"]
mod surroundings;
#[path = "scenarios/tenants.rs"]
mod tenants;
#[path = "scenarios/tokens.rs"]
mod tokens;
#[path = "scenarios/traces.rs"]
mod traces;
#[path = "scenarios/undumpable.rs"]
mod undumpable;
#[path = "scenarios/upgrade.rs"]
mod upgrade;
#[path = "scenarios/watching.rs"]
mod watching;
#[path = "scenarios/worker_death.rs"]
mod worker_death;
#[path = "scenarios/worker_kill.rs"]
mod worker_kill;
