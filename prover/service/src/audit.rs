//! The audit log as the service writes it: who did what, under which rule, what was released. `docs/audit.md` has the format and every word.
//!
//! A [`Draft`] takes identifiers, fixed codes and digests only, so that no data of a record finds a way into the log. An entry is committed in the
//! transaction of what it tells of; a result leaves through [`release::clear`], which is the only way to show one.

pub(crate) mod break_glass;
pub mod ecs;
pub(crate) mod release;
pub(crate) mod repeats;

use crate::{
    identity::{Caller, Means},
    jobs::JobId,
    store::master::KeyId,
};
use nightingale_circuits::cohort::Keccak;
use std::collections::BTreeMap;

/// Facts of an entry, by name.
pub type Facts = BTreeMap<String, String>;

/// The longest subject that is kept.
const SUBJECT_CHARACTERS: usize = 256;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// A request became a job.
    Accepted,
    /// A request was refused, for a reason.
    Refused,
    /// The same was refused again, so many times.
    RefusedAgain,
    /// A claim was decided, with proof.
    Decided,
    /// A question was answered, with proof.
    Answered,
    /// A job failed.
    Failed,
    /// A job was cancelled.
    Cancelled,
    /// A result was given to somebody for the first time.
    Released,
    /// The same result was given to the same caller again, so many times.
    ReleasedAgain,
    /// An epoch or an account register was published.
    Published,
    /// A dataset was registered.
    Registered,
    /// Jobs were removed with their results, after their time.
    Purged,
    /// The log was exported.
    Exported,
    /// An accounting of disclosures was made.
    Accounted,
    /// Somebody reads a job of this tenant in an emergency.
    BreakGlass,
    /// A consent was granted.
    Granted,
    /// A consent was revoked.
    Revoked,
    /// The tenant's keys were destroyed.
    Erased,
    /// The master key was changed, or the tenant was given a new data key.
    Rotated,
    /// The database was put back from a copy: what came after the copy is gone.
    Restored,
}

impl Event {
    /// All.
    pub const ALL: [Self; 20] = [
        Self::Accepted,
        Self::Refused,
        Self::RefusedAgain,
        Self::Decided,
        Self::Answered,
        Self::Failed,
        Self::Cancelled,
        Self::Released,
        Self::ReleasedAgain,
        Self::Published,
        Self::Registered,
        Self::Purged,
        Self::Exported,
        Self::Accounted,
        Self::BreakGlass,
        Self::Granted,
        Self::Revoked,
        Self::Erased,
        Self::Rotated,
        Self::Restored,
    ];

    /// Its word in the log.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Refused => "refused",
            Self::RefusedAgain => "refused_again",
            Self::Decided => "decided",
            Self::Answered => "answered",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Released => "released",
            Self::ReleasedAgain => "released_again",
            Self::Published => "published",
            Self::Registered => "registered",
            Self::Purged => "purged",
            Self::Exported => "exported",
            Self::Accounted => "accounted",
            Self::BreakGlass => "break_glass",
            Self::Granted => "granted",
            Self::Revoked => "revoked",
            Self::Erased => "erased",
            Self::Rotated => "rotated",
            Self::Restored => "restored",
        }
    }
}

/// What a disclosure is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A claim's adjudication.
    Payment,
    /// A researcher's question.
    Research,
    /// A regulator's question.
    Oversight,
    /// Break-glass access.
    Emergency,
}

impl Purpose {
    /// Its word in the log.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Payment => "payment",
            Self::Research => "research",
            Self::Oversight => "oversight",
            Self::Emergency => "emergency",
        }
    }
}

/// Who did it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Actor {
    subject: String,
    roles: Vec<&'static str>,
}

impl Actor {
    /// The service itself. No caller has the role of that name.
    #[must_use]
    pub fn service() -> Self {
        Self { subject: "service".to_owned(), roles: vec!["service"] }
    }

    /// A caller. Whoever showed nothing is `anonymous` and has no role.
    #[must_use]
    pub fn caller(caller: &Caller) -> Self {
        if caller.means == Means::Nothing {
            return Self { subject: "anonymous".to_owned(), roles: Vec::new() };
        }
        Self { subject: plain(&caller.subject), roles: caller.roles.iter().map(|role| role.name()).collect() }
    }

    /// Its name in the log.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// Its roles.
    #[must_use]
    pub fn roles(&self) -> &[&'static str] {
        &self.roles
    }
}

/// Text that a caller chose, without what could break a line or a database.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).take(SUBJECT_CHARACTERS).collect()
}

/// An entry that is not in a log yet.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Draft {
    pub(crate) event: Event,
    pub(crate) actor: Actor,
    pub(crate) method: &'static str,
    pub(crate) facts: Facts,
    pub(crate) job: Option<JobId>,
    pub(crate) member: Option<[u8; 32]>,
    pub(crate) dataset: Option<[u8; 32]>,
}

impl Draft {
    /// Something that a caller did by calling `method`.
    #[must_use]
    pub fn new(event: Event, caller: &Caller, method: &'static str) -> Self {
        Self::by(event, Actor::caller(caller), method)
    }

    /// Something that the service did by itself.
    #[must_use]
    pub fn by_service(event: Event) -> Self {
        Self::by(event, Actor::service(), "")
    }

    pub(crate) fn by(event: Event, actor: Actor, method: &'static str) -> Self {
        Self { event, actor, method, facts: Facts::new(), job: None, member: None, dataset: None }
    }

    fn with(mut self, name: &'static str, value: String) -> Self {
        self.facts.insert(name.to_owned(), value);
        self
    }

    /// About this job.
    #[must_use]
    pub fn job(mut self, id: &JobId) -> Self {
        self.job = Some(*id);
        self.with("job", id.to_string())
    }

    /// About the member with this keyed digest.
    #[must_use]
    pub fn member(mut self, digest: &[u8; 32]) -> Self {
        self.member = Some(*digest);
        self.with("member", hex::encode(digest))
    }

    /// About this dataset.
    #[must_use]
    pub fn dataset(mut self, digest: &Keccak) -> Self {
        self.dataset = Some(*digest);
        self.with("dataset", hex::encode(digest))
    }

    /// A fixed word.
    #[must_use]
    pub fn word(self, name: &'static str, word: &'static str) -> Self {
        self.with(name, word.to_owned())
    }

    /// A number.
    #[must_use]
    pub fn number(self, name: &'static str, number: u64) -> Self {
        self.with(name, number.to_string())
    }

    /// A digest, a root or a public identifier.
    #[must_use]
    pub fn digest(self, name: &'static str, bytes: &[u8]) -> Self {
        self.with(name, hex::encode(bytes))
    }

    /// A reason of refusal or failure: a fixed code.
    #[must_use]
    pub fn reason(self, code: &str) -> Self {
        let is_code = code.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
        self.with("reason", if is_code { code.to_owned() } else { "INTERNAL".to_owned() })
    }

    /// What for, and on which legal basis, as the operator configured it.
    #[must_use]
    pub fn purpose(self, purpose: Purpose, basis: &str) -> Self {
        self.with("purpose", purpose.name().to_owned()).with("basis", plain(basis))
    }

    /// A question: public, as in the ledger of questions.
    #[must_use]
    pub fn question(self, role: &str, sql: &str, digest: &Keccak, threshold: u32) -> Self {
        let mode = if role == "regulator" { "exact" } else { "plan" };
        self.with("asked_as", role.to_owned())
            .word("mode", mode)
            .with("question", sql.to_owned())
            .digest("query", digest)
            .number("threshold", threshold.into())
    }

    /// Which master key wrapped before, and which does now: names, which say nothing about the keys.
    #[must_use]
    pub fn keys(self, from: &KeyId, to: &KeyId) -> Self {
        self.with("from", from.as_str().to_owned()).with("to", to.as_str().to_owned())
    }

    /// Why somebody breaks the glass, in their words.
    pub(crate) fn stated(self, reason: &str) -> Self {
        self.with("stated_reason", reason.to_owned())
    }

    /// What the entry of a job's acceptance says of it, where this one does not say it itself.
    pub(crate) fn inherit(mut self, accepted: &Facts, names: &[&str]) -> Self {
        for name in names {
            if let (Some(value), false) = (accepted.get(*name), self.facts.contains_key(*name)) {
                self.facts.insert((*name).to_owned(), value.clone());
            }
        }
        let bytes = |name: &str| {
            let mut bytes = [0; 32];
            let text = self.facts.get(name)?;
            hex::decode_to_slice(text, &mut bytes).ok().map(|()| bytes)
        };
        (self.member, self.dataset) = (bytes("member"), bytes("dataset"));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::{Role, Roles};

    #[test]
    fn whoever_showed_nothing_is_anonymous_and_has_no_role() {
        let anybody = Actor::caller(&Caller::anybody());
        assert_eq!((anybody.subject(), anybody.roles()), ("anonymous", &[][..]));
        let roles = Roles::of(&[Role::Auditor, Role::Insurer]);
        let known = Caller { subject: "a\nb".into(), tenant: None, roles, means: Means::Token };
        let known = Actor::caller(&known);
        assert_eq!((known.subject(), known.roles()), ("a\u{fffd}b", &["insurer", "auditor"][..]));
    }

    #[test]
    fn a_reason_is_a_code_or_nothing() {
        let reason = |text| Draft::by_service(Event::Failed).reason(text).facts.get("reason").cloned();
        assert_eq!(reason("NOT_IN_PLAN").as_deref(), Some("NOT_IN_PLAN"));
        assert_eq!(reason("patient Ada Lovelace").as_deref(), Some("INTERNAL"));
    }

    #[test]
    fn events_have_one_word_each() {
        let words: std::collections::BTreeSet<&str> = Event::ALL.iter().map(|event| event.name()).collect();
        assert_eq!(words.len(), Event::ALL.len());
    }
}
