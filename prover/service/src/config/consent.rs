//! `[consent]`: what claims need of the ledger of consents, and who signs datasets' consents.

use super::{
    reference::{FLAG, Key, Range, Section, Usual},
    within,
};
use crate::{error::ServiceError, jobs::Tenant, store::consents::ConsentRules};
use serde::Deserialize;
use std::{
    path::{Path, PathBuf},
    time::Duration,
};

pub(super) static REFERENCE: Section = Section {
    name: "consent",
    meaning: "What claims need of the ledger of consents: see [consent.md](consent.md).",
    optional: false,
    keys: &[
        Key {
            name: "required",
            usual: Usual::Value("false"),
            unit: "",
            range: FLAG,
            meaning: "Whether a claim needs a consent in its tenant's ledger, and a root that this service published.",
        },
        Key {
            name: "grace_seconds",
            usual: Usual::Value("3600"),
            unit: "s",
            range: Range::Whole(0, 30 * 86_400),
            meaning: "How long a superseded root is accepted, where one is required.",
        },
        Key {
            name: "max_age_days",
            usual: Usual::Value("30"),
            unit: "days",
            range: Range::Whole(1, 366),
            meaning: "How long after its last publication any root is, where one is required.",
        },
        Key {
            name: "sponsor_keys",
            usual: Usual::Unset("datasets that a sponsor signed cannot be revoked from here", "\"sponsors\""),
            unit: "",
            range: Range::Text("a folder with `TENANT.key`"),
            meaning: "The keys of sponsors, who sign versions of their datasets' consents.",
        },
    ],
};

/// How consents are kept.
#[derive(Clone, Debug)]
pub struct Consent {
    /// Whether a claim needs a consent in its tenant's ledger, and a root that this service published.
    pub required: bool,
    /// How long a superseded root is accepted, where one is required.
    pub grace: Duration,
    /// How long after its last publication any root is, where one is required.
    pub greatest_age: Duration,
    /// The folder of the sponsors' keys, `TENANT.key`; without it, datasets that a sponsor signed cannot be revoked from here.
    pub sponsor_keys: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct File {
    required: bool,
    grace_seconds: u64,
    max_age_days: u64,
    sponsor_keys: Option<PathBuf>,
}

impl Default for File {
    fn default() -> Self {
        Self { required: false, grace_seconds: 3_600, max_age_days: 30, sponsor_keys: None }
    }
}

impl Default for Consent {
    fn default() -> Self {
        let file = File::default();
        Self {
            required: file.required,
            grace: Duration::from_secs(file.grace_seconds),
            greatest_age: Duration::from_secs(file.max_age_days * 86_400),
            sponsor_keys: None,
        }
    }
}

impl File {
    pub(super) fn check(self, base: &Path) -> Result<Consent, ServiceError> {
        within("consent.grace_seconds", self.grace_seconds, 0, 30 * 86_400)?;
        within("consent.max_age_days", self.max_age_days, 1, 366)?;
        Ok(Consent {
            required: self.required,
            grace: Duration::from_secs(self.grace_seconds),
            greatest_age: Duration::from_secs(self.max_age_days * 86_400),
            sponsor_keys: self.sponsor_keys.map(|folder| base.join(folder)),
        })
    }
}

impl Consent {
    pub(crate) const fn rules(&self) -> ConsentRules {
        ConsentRules { required: self.required, grace: self.grace, greatest_age: self.greatest_age }
    }

    /// Where the key of a tenant's sponsor is, if it has one.
    pub(crate) fn sponsor_key(&self, tenant: &Tenant) -> Option<PathBuf> {
        let path = self.sponsor_keys.as_ref()?.join(format!("{}.key", tenant.as_str()));
        path.is_file().then_some(path)
    }
}
