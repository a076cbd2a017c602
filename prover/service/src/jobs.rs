//! What a job is: its names, its states, and how it can end. Everything here is free of record data.

mod failure;

pub use failure::{Failure, FailureCode};

use nightingale_circuits::{
    claim::{PublicInputs, Reasons, SizeClass},
    cohort::{Class, Keccak},
};
use std::fmt;

/// Milliseconds since 1970-01-01 UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instant(pub i64);

impl Instant {
    /// Now, by the clock that jobs go by ([`crate::clock`]).
    #[must_use]
    pub fn now() -> Self {
        Self(crate::clock::now())
    }

    /// So much later.
    #[must_use]
    pub fn plus(self, duration: std::time::Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }

    /// So much earlier.
    #[must_use]
    pub fn minus(self, duration: std::time::Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }
}

/// The name under which the operator's own log is kept.
const OPERATOR: &str = ".operator";

/// Whose data it is. Every row has one, and every read is scoped by one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tenant(String);

impl Tenant {
    /// From its name; `None` unless it is 1 to 64 of `a-z`, `0-9`, `-`, `_` and `.`, the first not `.`: a folder has its name.
    #[must_use]
    pub fn new(name: &str) -> Option<Self> {
        let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(&b);
        let usable = (1..=64).contains(&name.len()) && !name.starts_with('.') && name.bytes().all(fits);
        usable.then(|| Self(name.to_owned()))
    }

    /// Whose log tells what the operator does to all tenants: nobody's data. No caller can have or name it, because a tenant's name does
    /// not begin so.
    #[must_use]
    pub fn operator() -> Self {
        Self(OPERATOR.to_owned())
    }

    /// Its name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A job's identifier: 128 random bits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct JobId(pub [u8; 16]);

impl JobId {
    /// A new one.
    #[must_use]
    pub fn random() -> Self {
        Self(rand::random())
    }

    /// From its 32 hexadecimal digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 16];
        hex::decode_to_slice(text, &mut bytes).ok().map(|()| Self(bytes))
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// What is proven: a claim or a question, and in which circuit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobClass {
    /// A claim.
    Claim(SizeClass),
    /// A question about a cohort.
    Cohort(Class),
}

impl JobClass {
    /// All.
    pub const ALL: [Self; 4] = [
        Self::Claim(SizeClass::ALL[0]),
        Self::Claim(SizeClass::ALL[1]),
        Self::Cohort(Class::Narrow),
        Self::Cohort(Class::Wide),
    ];

    /// Its name in the database, on the wire and in metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Claim(class) => class.name(),
            Self::Cohort(Class::Narrow) => "cohort-narrow",
            Self::Cohort(Class::Wide) => "cohort-wide",
        }
    }

    /// From its name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.name() == name)
    }
}

/// Where a job is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// No worker has it.
    Queued,
    /// A worker has it under a lease.
    Running,
    /// It cannot go on before something else happens.
    Waiting,
    /// Ended with a proof.
    Done,
    /// Ended without one.
    Failed,
    /// Ended by its owner.
    Cancelled,
}

impl State {
    /// All.
    pub const ALL: [Self; 6] =
        [Self::Queued, Self::Running, Self::Waiting, Self::Done, Self::Failed, Self::Cancelled];

    /// Its name in the database and in metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "leased",
            Self::Waiting => "waiting",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// From its name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.name() == name)
    }

    /// Whether nothing changes it any more.
    #[must_use]
    pub const fn has_ended(self) -> bool {
        matches!(self, Self::Done | Self::Failed | Self::Cancelled)
    }
}

/// What a running job is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Reading the request and comparing it with what was already approved.
    Checking,
    /// Computing every value of the circuit.
    Assigning,
    /// Computing the proof.
    Proving,
    /// Verifying it.
    Verifying,
}

/// What a waiting job waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// The account moved on; the payer has not yet published its newest note.
    AccountUnpublished,
}

impl Waiting {
    /// Its fixed name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AccountUnpublished => "ACCOUNT_UNPUBLISHED",
        }
    }

    /// What has to happen.
    #[must_use]
    pub const fn message(self) -> &'static str {
        match self {
            Self::AccountUnpublished => {
                "an earlier approval moved the member's account on; waiting until the payer publishes an account register \
                 that holds the newest note"
            }
        }
    }
}

/// What to do with a claim whose account version is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpentAccount {
    /// Wait for the newest note to be published, move onto it, prove again.
    Rebase,
    /// Fail.
    Fail,
}

/// What is left in an account after a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, zeroize::Zeroize)]
pub struct AccountAfter {
    /// Benefit year.
    pub year: u32,
    /// Version.
    pub version: u32,
    /// Deductible still to be met, in cents.
    pub deductible: u64,
    /// What the member still pays at most, in cents.
    pub out_of_pocket: u64,
    /// What the plan still pays at most, in cents.
    pub maximum: u64,
}

/// A decision with its proof, as it is stored (sealed) and answered. No `Debug`: it opens the outcome.
#[derive(Clone)]
pub struct Decision {
    /// Whether any line is allowed.
    pub approved: bool,
    /// Why lines are not.
    pub reasons: Reasons,
    /// What the plan pays, in cents.
    pub payable: u64,
    /// What the proof publishes.
    pub public: PublicInputs,
    /// Digest of the verifying key.
    pub key_digest: [u8; 32],
    /// The proof file in its JSON form.
    pub proof_json: Vec<u8>,
    /// The account afterwards.
    pub account_after: Option<AccountAfter>,
    /// How long the proof took, in milliseconds.
    pub prove_ms: u64,
}

/// A proven answer, as it is stored (sealed) and given. No `Debug`: it may hold exact figures.
#[derive(Clone, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// The dataset's digest.
    pub dataset: Keccak,
    /// The table.
    pub table: String,
    /// The query in its canonical text.
    pub query: String,
    /// Who asked.
    pub role: String,
    /// The disclosure threshold.
    pub threshold: u32,
    /// The version of the consents.
    pub consent_version: u32,
    /// Cells.
    pub groups: u32,
    /// Hidden cells.
    pub suppressed: u32,
    /// Whether the file is sealed to the regulator.
    pub sealed: bool,
    /// Digest of the verifying key.
    pub key_digest: [u8; 32],
    /// How long the proof took, in milliseconds.
    pub prove_ms: u64,
    /// The proof file, or the proof file sealed.
    pub file: String,
}

/// A job as its tenant sees it.
#[derive(Clone)]
pub struct Job {
    /// Whose it is.
    pub tenant: Tenant,
    /// Its identifier.
    pub id: JobId,
    /// Its place in the order of acceptance.
    pub sequence: i64,
    /// Where it is in its life.
    pub state: State,
    /// What is proven.
    pub class: JobClass,
    /// Higher goes first.
    pub priority: i32,
    /// When it was accepted.
    pub accepted: Instant,
    /// When it fails unless it has ended.
    pub deadline: Option<Instant>,
    /// When a worker first took it.
    pub started: Option<Instant>,
    /// When it ended.
    pub ended: Option<Instant>,
    /// How often a worker took it.
    pub attempts: u32,
    /// How often it was moved onto a newer account version.
    pub rebases: u32,
    /// What it waits for.
    pub waiting: Option<Waiting>,
    /// Why it failed.
    pub failure: Option<Failure>,
    /// Its decision, where the read asked for it.
    pub decision: Option<Decision>,
    /// Its answer, where the read asked for it.
    pub answer: Option<Answer>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for state in State::ALL {
            assert_eq!(State::parse(state.name()), Some(state));
        }
        for code in FailureCode::ALL {
            assert_eq!(FailureCode::parse(code.name()), Some(code));
        }
        for class in JobClass::ALL {
            assert_eq!(JobClass::parse(class.name()), Some(class));
        }
        let id = JobId::random();
        assert_eq!(JobId::parse(&id.to_string()), Some(id));
    }

    #[test]
    fn refuses_tenants_that_could_be_anything_else() {
        for name in ["a", "north-clinic", "t.0_1", &"x".repeat(64)] {
            assert!(Tenant::new(name).is_some(), "{name}");
        }
        for name in ["", "A", "a b", "a/b", "ä", "a\n", &"x".repeat(65)] {
            assert!(Tenant::new(name).is_none(), "{name:?}");
        }
    }
}
