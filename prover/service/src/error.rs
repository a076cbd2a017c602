//! What can go wrong in the service. The variants answer "what now?"; no text ever holds data of a record.

use nightingale_poster::PosterError;
use nightingale_prover::{ProveError, device::DeviceError};
use nightingale_records::{sql::SqlError, trial::TrialError};
use nightingale_verifier::VerifyError;
use sqlx::postgres::PgDatabaseError;
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
    /// The machine has no thread for proving.
    #[error(
        "cannot start a prover's thread: {0}; raise the limit of tasks (TasksMax, pids.max, ulimit -u) or free memory"
    )]
    Threads(String),
    /// The keys cannot be used.
    #[error("keys: {0}")]
    Keys(String),
    /// A device cannot be used, or no longer.
    #[error("{0}; what it had in hand is queued again")]
    Device(#[from] DeviceError),
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
    /// Reading or writing failed below the database, or it cannot be reached.
    #[error(
        "the database cannot be read or written: {0}; check the database server, or the disk and the rights of the data folder"
    )]
    Io(String),
    /// The file is damaged, or not ours.
    #[error("the database is damaged: {0}; restore it from a backup")]
    Corrupt(String),
    /// A sealed value cannot be opened.
    #[error(
        "a sealed value cannot be opened: the master key is another one than it was sealed with, or the row is damaged"
    )]
    Sealed,
    /// The tenant's keys were destroyed: nothing is done for it any more.
    #[error("this tenant was erased; nothing of it can be read, and nothing is accepted for it")]
    TenantErased,
    /// The master key is not to be had now: its service does not answer, or it was rotated and is not here yet.
    #[error("the master key is not to be had now: {0}")]
    KeyService(String),
    /// Another transaction made the same thing in the same moment.
    #[error("the database has it already")]
    Taken,
    /// A defect: report it.
    #[error("database: {0}")]
    Bug(String),
}

impl StoreError {
    /// The names of all kinds, for metrics.
    pub(crate) const KINDS: [&str; 9] =
        ["busy", "corrupt", "defect", "erased", "full", "io", "key_service", "sealed", "taken"];

    /// The name of its kind.
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::Busy => "busy",
            Self::Corrupt(_) => "corrupt",
            Self::Bug(_) => "defect",
            Self::Full => "full",
            Self::Io(_) => "io",
            Self::Sealed => "sealed",
            Self::Taken => "taken",
            Self::TenantErased => "erased",
            Self::KeyService(_) => "key_service",
        }
    }

    pub(crate) fn io(error: std::io::Error) -> Self {
        Self::Io(error.kind().to_string())
    }

    /// By PostgreSQL's SQLSTATE (<https://www.postgresql.org/docs/current/errcodes-appendix.html>). Its messages may hold values, its
    /// codes do not.
    fn of_state(state: &str, message: &str) -> Self {
        match (state.get(..2).unwrap_or_default(), state) {
            (_, "23505") => Self::Taken,
            (_, "53100" | "53200") => Self::Full,
            ("40" | "53" | "55", _) | (_, "57014" | "25P03") => Self::Busy,
            // A standby, or a server that is made one: it takes writes later, or another one does.
            ("08" | "57" | "58", _) | (_, "25006") => Self::Io(format!("SQLSTATE {state}")),
            ("XX", _) => Self::Corrupt(format!("SQLSTATE {state}")),
            ("28" | "3D", _) => {
                Self::Io(format!("{message} (SQLSTATE {state}): check store.url and pg_hba.conf"))
            }
            ("42", _) => Self::Bug(format!("SQLSTATE {state}: {message}")),
            _ => Self::Bug(format!("SQLSTATE {state}")),
        }
    }

    /// The same error for another that waited for the same.
    pub(crate) fn again(&self) -> Self {
        match self {
            Self::Full => Self::Full,
            Self::Busy => Self::Busy,
            Self::Taken => Self::Taken,
            Self::Sealed => Self::Sealed,
            Self::TenantErased => Self::TenantErased,
            Self::KeyService(text) => Self::KeyService(text.clone()),
            Self::Io(text) => Self::Io(text.clone()),
            Self::Corrupt(text) => Self::Corrupt(text.clone()),
            Self::Bug(text) => Self::Bug(text.clone()),
        }
    }

    /// Whether the same call can succeed later without anybody changing the request.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Full | Self::Busy | Self::Taken | Self::Io(_) | Self::KeyService(_))
    }
}

impl From<sqlx::Error> for StoreError {
    /// By SQLite's primary result code (<https://www.sqlite.org/rescode.html>) or PostgreSQL's SQLSTATE.
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(inner) if inner.try_downcast_ref::<PgDatabaseError>().is_some() => {
                Self::of_state(inner.code().as_deref().unwrap_or_default(), inner.message())
            }
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
            sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed | sqlx::Error::Protocol(_) => {
                Self::Io("the connection broke".into())
            }
            sqlx::Error::Tls(_) => Self::Io("TLS with the database failed".into()),
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
    /// Somebody else is changing the folder.
    #[error("{}: another command is changing this dataset; try again when it is done", .0.display())]
    Busy(PathBuf),
    /// A server or its workers prove from the folder.
    #[error(
        "{}: a server that runs, or a worker of it, proves from this folder; revoke through it, `nightingale consent revoke-subjects`, so that \
         no answer under the older consents ends after the revocation",
        .0.display()
    )]
    Served(PathBuf),
    /// The folder has older consents than were recorded, or others that were not made from them.
    #[error(
        "{}: the consents of table {table} are older than those that were recorded as the newest, or were not made from them: somebody who \
         revoked would be counted; restore the newest copy of the folder",
        path.display()
    )]
    OlderConsents {
        /// The folder.
        path: PathBuf,
        /// The table.
        table: String,
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
    /// A plan of which two answers tell together what the disclosure rule hides in one.
    #[error(
        "two planned answers would tell of too few subjects: {0}; leave one of the two out of the plan, or group by the column of the \
         condition, or register it all the same with --accept-differences"
    )]
    Differences(String),
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
    /// A dataset that is registered under another path.
    #[error("path: this dataset is registered at another path; use that one")]
    Elsewhere,
    /// The database, or a key or artefact store behind it.
    #[error(transparent)]
    Store(#[from] StoreError),
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
            Self::Prove(ProveError::Corrupt { .. }) | Self::OlderConsents { .. } => "DATASET_DAMAGED",
            Self::Elsewhere => "DATASET_ELSEWHERE",
            Self::Store(StoreError::TenantErased) => "TENANT_ERASED",
            Self::Store(_) => "STORAGE",
            Self::Busy(_) => "DATASET_BUSY",
            Self::Served(_) => "DATASET_SERVED",
            Self::Ledger { .. } => "LEDGER_DAMAGED",
            Self::NoSubject { .. } | Self::NoRow(_) => "ROW_UNKNOWN",
            Self::RegulatorKey(_) => "REGULATOR_KEY",
            Self::Sponsor(_) | Self::NotSponsor { .. } => "SPONSOR_KEY",
            Self::NoSchema(_) | Self::Trial(_) | Self::Plan { .. } | Self::Differences(_) => "DATA_REFUSED",
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
            Self::Plan { .. }
            | Self::Differences(_)
            | Self::Role { .. }
            | Self::NoPlan
            | Self::NotInPlan { .. } => true,
            Self::NotSponsor { .. } | Self::Served(_) | Self::Elsewhere => true,
            Self::Release(_) | Self::NoRegulatorKey | Self::NoSubject { .. } | Self::NoRow(_) => true,
            Self::Prove(error) => {
                matches!(error, ProveError::Release(_) | ProveError::Unprovable(_) | ProveError::Ceremony(_))
            }
            _ => false,
        }
    }
}
