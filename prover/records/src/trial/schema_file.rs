//! The schema file: what of a trial's files is registered, and under which rules. TOML, described in `docs/records.md`.
//!
//! One file describes one registration: all its tables share the subject key. Everything in it becomes public.

mod document;
mod print;

use super::{Day, Decimal, TrialError};
use nightingale_circuits::cohort::{Mode, schema::LEAST_THRESHOLD};
use std::{collections::BTreeMap, fmt};

pub(super) use print::print;

/// A registration's description. Tables by name, in lower case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SchemaFile {
    /// The subject key of every table that names no other.
    pub subject: Option<String>,
    /// The disclosure threshold of every table that names no other; 11 where absent.
    pub threshold: Option<u32>,
    /// The plan file with the queries that a researcher may ask, relative to the schema file.
    pub plan: Option<String>,
    /// What each role may ask for; `None` is the default of [`SchemaFile::mode`].
    pub roles: Option<BTreeMap<Role, Mode>>,
    /// The tables.
    pub tables: BTreeMap<String, TableEntry>,
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Gets exact answers, encrypted to its key.
    Regulator,
    /// Gets the queries of the plan, small cells hidden.
    Researcher,
}

impl Role {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Regulator, Self::Researcher];

    /// Its name in files and on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Regulator => "regulator",
            Self::Researcher => "researcher",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TableEntry {
    /// Its subject key, if not the registration's.
    pub subject: Option<String>,
    /// Its threshold, if not the registration's.
    pub threshold: Option<u32>,
    /// The column that tells rows of one subject apart; without one there is one row a subject.
    pub dimension: Option<String>,
    /// What becomes of rows that repeat a unit; without it they are refused.
    pub reduce: Option<Reduce>,
    /// The column that says whether the subject consents; without one all do.
    pub consent: Option<String>,
    /// Texts that stand for a missing cell, such as `NA`.
    pub missing: Vec<String>,
    /// Only rows with one of these words in each of these columns are registered.
    pub keep: BTreeMap<String, Vec<String>>,
    /// What is registered, in the order of the codes' columns.
    pub columns: Vec<ColumnEntry>,
}

/// Which of several rows of one unit is registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reduce {
    /// The first in the file's order.
    First,
}

impl Reduce {
    /// Its name in the schema file.
    #[must_use]
    pub const fn name(self) -> &'static str {
        "first"
    }
}

/// One column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnEntry {
    /// Its name as queries write it.
    pub name: String,
    /// The file's column, if of another name.
    pub source: Option<String>,
    /// What its codes stand for.
    pub content: Content,
}

impl ColumnEntry {
    /// The name of the file's column.
    #[must_use]
    pub fn source(&self) -> &str {
        self.source.as_deref().unwrap_or(&self.name)
    }
}

/// What a column's codes stand for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// Numbers, in the column's own units.
    Number {
        /// The lowest.
        minimum: Decimal,
        /// The highest.
        maximum: Decimal,
        /// Decimals that are kept.
        scale: u8,
        /// Whether further decimals are rounded; otherwise a cell that has some is refused.
        round: bool,
    },
    /// Days.
    Date {
        /// The first.
        minimum: Day,
        /// The last.
        maximum: Day,
    },
    /// Words of a public dictionary.
    Category {
        /// The words, in the order of their codes.
        dictionary: Vec<String>,
    },
    /// Words that stay private.
    Key,
    /// Numbers or days as categories between edges: `<40`, `[40,50)`, `>=50`.
    Bins {
        /// Ascending.
        edges: Vec<Edge>,
    },
}

/// Where a bin ends and the next begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    /// Between numbers.
    Number(Decimal),
    /// Between days.
    Day(Day),
}

impl fmt::Display for Edge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Day(day) => day.fmt(f),
        }
    }
}

/// The words of bins: below the first edge, between neighbours, and from the last one on.
pub(super) fn bin_words(edges: &[Edge]) -> Vec<String> {
    let (Some(first), Some(last)) = (edges.first(), edges.last()) else { return Vec::new() };
    let between = edges.windows(2).map(|pair| format!("[{},{})", pair[0], pair[1]));
    std::iter::once(format!("<{first}")).chain(between).chain([format!(">={last}")]).collect()
}

impl SchemaFile {
    /// Reads a schema file's text.
    ///
    /// # Errors
    /// [`TrialError::SchemaFile`], with the key that is wrong.
    pub fn parse(text: &str) -> Result<Self, TrialError> {
        document::parse(text)
    }

    /// The same with `name` as the subject key of every table: what `--key-column` asks for.
    #[must_use]
    pub fn with_key_column(mut self, name: &str) -> Self {
        self.subject = Some(name.to_owned());
        for table in self.tables.values_mut() {
            table.subject = None;
        }
        self
    }

    /// A table's threshold.
    #[must_use]
    pub fn threshold(&self, table: &str) -> u32 {
        let own = self.tables.get(&table.to_ascii_lowercase()).and_then(|table| table.threshold);
        own.or(self.threshold).unwrap_or(LEAST_THRESHOLD)
    }

    /// How a role gets answers; `None` if it gets none. Without `[roles]`, the regulator gets exact ones and a researcher the plan's.
    #[must_use]
    pub fn mode(&self, role: Role) -> Option<Mode> {
        match (&self.roles, role) {
            (Some(roles), role) => roles.get(&role).copied(),
            (None, Role::Regulator) => Some(Mode::Exact),
            (None, Role::Researcher) => Some(Mode::Plan),
        }
    }

    /// The plan file's path, relative to the schema file.
    #[must_use]
    pub fn plan(&self) -> Option<&str> {
        self.plan.as_deref()
    }
}

impl fmt::Display for SchemaFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        print(self, &BTreeMap::new(), f)
    }
}
