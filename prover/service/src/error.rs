//! What can go wrong in the service. The variants answer "what now?"; no text ever holds data of a record.

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
