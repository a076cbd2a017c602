//! Cohorts in the service: dataset folders, who may ask what, the ledger of what was asked, answers as files.
//!
//! A *folder* is what `nightingale dataset commit` writes: `public/` for everybody, `private/` for the custodian. The command line,
//! the server and the demonstration share this module.

pub mod answer;
pub mod archive;
pub mod folder;
pub mod ledger;
pub mod plan;
pub mod question;
pub mod registration;
pub mod revocation;
pub mod seal;
pub mod sponsor;
pub mod told;

pub use answer::{AnswerJson, Released};
pub use archive::Archive;
pub use folder::Folder;
pub use ledger::{Entry, Ledger, Outcome};
pub use question::{Question, Understood, understand};
pub use registration::{Registered, Registration, register};
pub use revocation::{Revoked, revoke};
pub use seal::{RegulatorKey, RegulatorSecret};
pub use sponsor::Sponsor;

use nightingale_circuits::cohort::Mode;
use nightingale_prover::cohort::Step;
use nightingale_records::trial::Role;
use std::time::{SystemTime, UNIX_EPOCH};

/// How a role is answered: the regulator exactly, a researcher by the plan.
#[must_use]
pub const fn mode(role: Role) -> Mode {
    match role {
        Role::Regulator => Mode::Exact,
        Role::Researcher => Mode::Plan,
    }
}

/// What the prover is doing, in words.
#[must_use]
pub fn step_text(step: Step) -> String {
    match step {
        Step::Setup(size) => format!("setup of 2^{} rows", size.k()),
        Step::Key(circuit, size) => format!("key of {circuit} for 2^{} rows", size.k()),
        Step::Committing { table, tables } => format!("committing to table {} of {tables}", table + 1),
        Step::Proving { circuit, proof, proofs } => format!("proof {} of {proofs}: {circuit}", proof + 1),
        Step::Linking => "linking".to_owned(),
        Step::Verifying => "verifying".to_owned(),
    }
}

/// About how many hundredths of the work are done as a step begins; `None` where it says nothing of that.
#[must_use]
pub fn step_percent(step: Step) -> Option<u8> {
    match step {
        Step::Proving { proof, proofs, .. } if proofs > 1 => u8::try_from(10 + 90 * proof / proofs).ok(),
        Step::Proving { .. } => Some(20),
        Step::Committing { .. } => Some(5),
        Step::Setup(_) | Step::Key(..) | Step::Linking | Step::Verifying => None,
    }
}

/// `YYYY-MM-DDThh:mm:ssZ` of a time in milliseconds since 1970-01-01 UTC.
#[must_use]
pub fn timestamp(milliseconds: i64) -> String {
    let seconds = milliseconds.div_euclid(1000);
    let (day, of_day) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let date = nightingale_verifier::cohort::text::date(day);
    format!("{date}T{:02}:{:02}:{:02}Z", of_day / 3600, of_day / 60 % 60, of_day % 60)
}

pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_in_utc() {
        for (milliseconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_827_696_789, "2000-02-29T12:34:56Z"),
            (1_795_391_999_000, "2026-11-22T23:59:59Z"),
        ] {
            assert_eq!(timestamp(milliseconds), text);
        }
    }
}
