//! `[store]`: where jobs are kept.

use super::{
    bad,
    reference::{Key, Range, Section, Usual},
    within,
};
use crate::error::ServiceError;
use serde::Deserialize;
use std::fmt;
use zeroize::Zeroizing;

/// Where a PostgreSQL database is, and as whom to open it. It may hold a password: `Debug` shows nothing.
#[derive(Clone)]
pub struct DatabaseUrl(Zeroizing<String>);

impl DatabaseUrl {
    /// From its text; `None` unless it is of PostgreSQL.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let known = ["postgres://", "postgresql://"].iter().any(|scheme| text.starts_with(scheme));
        known.then(|| Self(Zeroizing::new(text.to_owned())))
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("postgres://..")
    }
}

pub(super) static REFERENCE: Section = Section {
    name: "store",
    meaning: "Where jobs are kept: SQLite in `data_dir`, or PostgreSQL for more than one machine.",
    optional: false,
    keys: &[
        Key {
            name: "url",
            usual: Usual::Unset("SQLite in `data_dir`", "\"postgres://nightingale@db.example/nightingale\""),
            unit: "",
            range: Range::Text("`postgres://USER@HOST/DATABASE`"),
            meaning: "The PostgreSQL database, version 12 or newer. It may hold a password: the file is its owner's alone then.",
        },
        Key {
            name: "connections",
            usual: Usual::Value("10"),
            unit: "connections",
            range: Range::Whole(3, 1000),
            meaning: "At most so many to PostgreSQL: a third to read, a quarter for leases, the rest for transactions.",
        },
    ],
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct File {
    url: Option<String>,
    pub(super) connections: u32,
}

impl Default for File {
    fn default() -> Self {
        Self { url: None, connections: 10 }
    }
}

impl File {
    pub(super) fn check(self) -> Result<(Option<DatabaseUrl>, u32), ServiceError> {
        within("store.connections", self.connections, 3, 1000)?;
        let unknown =
            || bad("store.url", "is not postgres://USER@HOST/DATABASE; leave it out for SQLite in data_dir");
        let url = self.url.map(|url| DatabaseUrl::new(&url).ok_or_else(unknown)).transpose()?;
        Ok((url, self.connections))
    }
}
