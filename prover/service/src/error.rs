//! What can go wrong in the service. The variants answer "what now?"; no text ever holds data of a record.

use nightingale_poster::PosterError;
use nightingale_prover::ProveError;
use nightingale_records::{sql::SqlError, trial::TrialError};
use nightingale_verifier::VerifyError;
use std::path::PathBuf;
use thiserror::Error;

/// An error of the service.
#[derive(Debug, Error)]
pub enum ServiceError {
    /// The configuration cannot be used: the operator corrects the key.
    #[error("configuration: {key}: {problem}")]
    Config {
        /// The key, with its section.
        key: String,
        /// What is wrong and what is expected.
        problem: String,
    },
    /// A file or folder cannot be used: the operator looks at its place, rights and free space.
    #[error("{}: {problem}", path.display())]
    Path {
        /// Which.
        path: PathBuf,
        /// What is wrong and what to do.
        problem: String,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {problem}")]
    Listen {
        /// The address.
        address: std::net::SocketAddr,
        /// What is wrong and what to do.
        problem: String,
    },
    /// The keys cannot be used.
    #[error("keys: {0}")]
    Keys(String),
    /// The database refuses.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The gRPC transport broke.
    #[error("transport: {0}")]
    Transport(#[from] tonic::transport::Error),
    /// A defect: report it.
    #[error("internal: {0}")]
    Bug(&'static str),
}

/// An error of the database. A retry reads the variant, never the text.
#[derive(Debug, Error)]
pub enum StoreError {
    /// No space: nothing was written; goes away when there is space.
    #[error("the database cannot grow: the disk or its limit is full; free space, nothing accepted is lost")]
    Full,
    /// The database is locked by another process for long.
    #[error("the database is busy; another process holds it")]
    Busy,
    /// Reading or writing failed below SQLite.
    #[error("the database cannot be read or written: {0}; check the disk and the rights of the data folder")]
    Io(String),
    /// The file is damaged, or not ours.
    #[error("the database is damaged: {0}; restore it from a backup")]
    Corrupt(String),
    /// A sealed value cannot be opened.
    #[error(
        "a sealed value cannot be opened: master.key is another one than it was sealed with, or the row is damaged"
    )]
    Sealed,
    /// A defect: report it.
    #[error("database: {0}")]
    Bug(String),
}

impl StoreError {
    pub(crate) fn io(error: std::io::Error) -> Self {
        Self::Io(error.kind().to_string())
    }

    /// Whether the same call can succeed later without anybody changing the request.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Full | Self::Busy | Self::Io(_))
    }
}

impl From<sqlx::Error> for StoreError {
    /// By SQLite's primary result code (<https://www.sqlite.org/rescode.html>).
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(inner) => {
                let code: u32 = inner.code().and_then(|c| c.parse().ok()).unwrap_or(1);
                let text = inner.message().to_owned();
                match code & 0xff {
                    5 | 6 => Self::Busy,
                    13 => Self::Full,
                    8 | 10 | 14 => Self::Io(text),
                    11 | 26 => Self::Corrupt(text),
                    _ => Self::Bug(text),
                }
            }
            sqlx::Error::Io(inner) => Self::Io(inner.kind().to_string()),
            sqlx::Error::PoolTimedOut => Self::Busy,
            other => Self::Bug(other.to_string()),
        }
    }
}

/// An error about a cohort dataset or a question. Questions and schemas are public, so their own words may be repeated.
#[derive(Debug, Error)]
pub enum CohortError {
    /// There is no dataset.
    #[error("{} holds no registered dataset; `nightingale dataset commit` makes one", .0.display())]
    NoDataset(PathBuf),
    /// There is no schema file.
    #[error(
        "{} is not there; run the same command with --infer to have one proposed, read and edit it, then commit without --infer",
        .0.display()
    )]
    NoSchema(PathBuf),
    /// A file or folder that cannot be used.
    #[error("{}: {problem}", path.display())]
    Path {
        /// Which.
        path: PathBuf,
        /// What is wrong and what to do.
        problem: String,
    },
    /// Data or a schema file that cannot be registered.
    #[error(transparent)]
    Trial(#[from] TrialError),
    /// A plan file that holds something else than queries of the dataset.
    #[error("{}: {source}", path.display())]
    Plan {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: SqlError,
    },
    /// SQL that is not a query of the dataset.
    #[error(transparent)]
    Sql(#[from] SqlError),
    /// A role that the dataset does not answer.
    #[error(
        "the dataset does not answer the role {role}, only {held}; ask as such, or register the data anew with this role under [roles]"
    )]
    Role {
        /// Who asked.
        role: &'static str,
        /// Who may.
        held: String,
    },
    /// A researcher's question about a dataset without a plan.
    #[error(
        "no plan was registered with this dataset, and a researcher may ask only what was: list the queries in a file, name it as \
         `plan` in the schema file, and commit the data anew"
    )]
    NoPlan,
    /// A researcher's question that is not planned.
    #[error(
        "not one of the {planned} queries of the plan that was registered with this dataset: {sql}; `nightingale dataset describe` lists \
         them, and a new one is registered by adding it to the plan file and committing the data anew"
    )]
    NotInPlan {
        /// The query in its canonical text.
        sql: String,
        /// How many are planned.
        planned: usize,
    },
    /// A regulator's question about a dataset without a key of its.
    #[error(
        "the dataset was registered without a regulator's key, and exact answers leave this service only sealed to one; commit the data \
         anew with --regulator-key"
    )]
    NoRegulatorKey,
    /// The dataset does not release this.
    #[error(transparent)]
    Release(#[from] VerifyError),
    /// The prover refuses.
    #[error(transparent)]
    Prove(#[from] ProveError),
    /// A ledger that does not hold together.
    #[error("{}, line {line}: the ledger was changed; nothing is answered before it is restored from its copy", path.display())]
    Ledger {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
    },
    /// A regulator's key or a sealed answer that cannot be used.
    #[error("{0}")]
    RegulatorKey(&'static str),
    /// A sponsor's key that cannot be used.
    #[error(transparent)]
    Sponsor(PosterError),
    /// A signed dataset whose consents somebody else would change.
    #[error(
        "the dataset is signed by its sponsor {sponsor}, who signs every version of its consents: give that account's --sponsor-key"
    )]
    NotSponsor {
        /// The sponsor's address.
        sponsor: String,
    },
    /// A subject that the dataset does not have.
    #[error("subject {place} of the list is not in the dataset; write its key as the data file does")]
    NoSubject {
        /// Its place in the list, from 1.
        place: usize,
    },
    /// A row that the table does not have.
    #[error("{0}")]
    NoRow(&'static str),
    /// A defect: report it.
    #[error("internal: {0}")]
    Bug(&'static str),
}

impl CohortError {
    /// A fixed name of the cause.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::NoDataset(_) => "DATASET_UNKNOWN",
            Self::Sql(SqlError::Syntax(_) | SqlError::Statements { .. }) => "SQL_SYNTAX",
            Self::Sql(SqlError::NoTable { .. }) => "TABLE_UNKNOWN",
            Self::Sql(SqlError::NoColumn { .. }) => "COLUMN_UNKNOWN",
            Self::Sql(_) => "SQL_UNSUPPORTED",
            Self::Role { .. } => "ROLE_NOT_HELD",
            Self::NoRegulatorKey => "NO_REGULATOR_KEY",
            Self::NoPlan => "NO_PLAN",
            Self::NotInPlan { .. } => "NOT_IN_PLAN",
            Self::Release(_) | Self::Prove(ProveError::Release(_)) => "NOT_RELEASED",
            Self::Prove(ProveError::Unprovable(_)) => "NOT_PROVABLE",
            Self::Prove(ProveError::Corrupt { .. }) => "DATASET_DAMAGED",
            Self::Ledger { .. } => "LEDGER_DAMAGED",
            Self::NoSubject { .. } | Self::NoRow(_) => "ROW_UNKNOWN",
            Self::RegulatorKey(_) => "REGULATOR_KEY",
            Self::Sponsor(_) | Self::NotSponsor { .. } => "SPONSOR_KEY",
            Self::NoSchema(_) | Self::Trial(_) | Self::Plan { .. } => "DATA_REFUSED",
            Self::Path { .. } | Self::Prove(ProveError::Io { .. }) => "UNREADABLE",
            Self::Prove(_) | Self::Bug(_) => "INTERNAL",
        }
    }

    /// Whether it was understood and refused, and not unreadable or a defect.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Trial(error) => !matches!(error, TrialError::Unreadable { .. }),
            Self::Sql(error) => !matches!(error, SqlError::Syntax(_) | SqlError::Statements { .. }),
            Self::Plan { .. } | Self::Role { .. } | Self::NoPlan | Self::NotInPlan { .. } => true,
            Self::NotSponsor { .. } => true,
            Self::Release(_) | Self::NoRegulatorKey | Self::NoSubject { .. } | Self::NoRow(_) => true,
            Self::Prove(error) => matches!(error, ProveError::Release(_) | ProveError::Unprovable(_)),
            _ => false,
        }
    }
}
