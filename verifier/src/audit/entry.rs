//! One entry, and what its hash is computed over.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// SHA-256 of an entry.
pub type Hash = [u8; 32];

/// What stands for the entry before the first.
pub const BEFORE_FIRST: Hash = [0; 32];

const DOMAIN: &[u8] = b"nightingale audit entry 1";

/// Who did what, when, under which rule, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its place in its tenant's log, from 1.
    pub sequence: u64,
    /// When, in milliseconds since 1970-01-01 UTC.
    pub at: i64,
    /// What happened: one of the words of `docs/audit.md`.
    pub event: String,
    /// Who: the caller's subject, or `service`.
    pub subject: String,
    /// The caller's roles, in order.
    pub roles: Vec<String>,
    /// What was called; empty where the service did it by itself.
    pub method: String,
    /// What else is said of it, by name: identifiers, fixed codes and digests.
    pub facts: BTreeMap<String, String>,
}

/// Numbers as 8 bytes, texts with their length before them: no two entries are the same bytes.
struct Canonical(Sha256);

impl Canonical {
    fn number(&mut self, value: u64) {
        self.0.update(value.to_be_bytes());
    }

    fn count(&mut self, value: usize) {
        // A list in memory is shorter than 2^64.
        self.number(u64::try_from(value).unwrap_or(u64::MAX));
    }

    fn text(&mut self, value: &str) {
        self.count(value.len());
        self.0.update(value.as_bytes());
    }
}

impl Entry {
    /// Its hash, after the entry with hash `previous` in the log of `tenant` that was named `log` when it was begun.
    ///
    /// SHA-256 over, in order: the domain, the tenant, the log, the sequence, the previous hash, the time, event, subject, the number of roles, the
    /// roles, method, the number of facts, and each fact's name and value in the byte order of names. A text is its length in bytes, as 8
    /// bytes, and its UTF-8; numbers are 8 bytes; all big-endian.
    #[must_use]
    pub fn hash(&self, tenant: &str, log: &Hash, previous: &Hash) -> Hash {
        let mut bytes = Canonical(Sha256::new());
        bytes.0.update(DOMAIN);
        bytes.text(tenant);
        bytes.0.update(log);
        bytes.number(self.sequence);
        bytes.0.update(previous);
        bytes.0.update(self.at.to_be_bytes());
        bytes.text(&self.event);
        bytes.text(&self.subject);
        bytes.count(self.roles.len());
        self.roles.iter().for_each(|role| bytes.text(role));
        bytes.text(&self.method);
        bytes.count(self.facts.len());
        for (name, value) in &self.facts {
            bytes.text(name);
            bytes.text(value);
        }
        bytes.0.finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> Entry {
        Entry {
            sequence: 2,
            at: 1_795_391_999_123,
            event: "released".into(),
            subject: "insurer-7".into(),
            roles: vec!["auditor".into(), "insurer".into()],
            method: "JobService.Get".into(),
            facts: [("job".into(), "00".repeat(16)), ("purpose".into(), "payment".into())].into(),
        }
    }

    #[test]
    fn nothing_in_an_entry_changes_without_its_hash() {
        let hash = |entry: &Entry| entry.hash("north", &[9; 32], &[7; 32]);
        let whole = hash(&entry());
        let changes: [fn(&mut Entry); 12] = [
            |e| e.sequence = 3,
            |e| e.at += 1,
            |e| e.at = -e.at,
            |e| e.event.push('x'),
            |e| e.subject.clear(),
            |e| e.roles.reverse(),
            |e| drop(e.roles.pop()),
            |e| e.roles = vec!["auditorinsurer".into()],
            |e| e.method = "JobService.Watch".into(),
            |e| drop(e.facts.remove("job")),
            |e| drop(e.facts.insert("purpose".into(), "research".into())),
            // The same letters with the border elsewhere.
            |e| {
                e.event = "release".into();
                e.subject = "dinsurer-7".into();
            },
        ];
        for (place, change) in changes.iter().enumerate() {
            let mut changed = entry();
            change(&mut changed);
            assert_ne!(hash(&changed), whole, "change {place}");
        }
        assert_ne!(entry().hash("south", &[9; 32], &[7; 32]), whole);
        assert_ne!(entry().hash("north", &[8; 32], &[7; 32]), whole);
        assert_ne!(entry().hash("north", &[9; 32], &[8; 32]), whole);
    }
}
