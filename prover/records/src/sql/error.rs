//! Why SQL is refused: the part, and what to write instead. A query is public, so its own words may be repeated.

use nightingale_circuits::cohort::QueryError;
use thiserror::Error;

/// Why SQL is not a query.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SqlError {
    /// Not SQL.
    #[error("not SQL that can be read: {}", shortened(.0))]
    Syntax(String),
    /// More or fewer statements than one.
    #[error("{given} statements; write one SELECT")]
    Statements {
        /// How many.
        given: usize,
    },
    /// SQL, but nothing that a proof counts.
    #[error("{} is not supported; {nearest}", shortened(part))]
    Unsupported {
        /// The part of the text.
        part: String,
        /// The nearest form that is supported.
        nearest: String,
    },
    /// An unknown table.
    #[error("there is no table {}; the dataset has {tables}", shortened(name))]
    NoTable {
        /// As it was written.
        name: String,
        /// The tables that there are.
        tables: String,
    },
    /// An unknown column.
    #[error("there is no column {}{near}; describe the dataset to see its columns", shortened(name))]
    NoColumn {
        /// As it was written.
        name: String,
        /// Columns with names like it.
        near: String,
    },
    /// A word that the column's dictionary does not have.
    #[error("{:?} is not in the dictionary of {column}{near}", shortened(word))]
    NoWord {
        /// The column.
        column: String,
        /// As it was written.
        word: String,
        /// Words like it.
        near: String,
    },
    /// A constant of another type than the column.
    #[error("{column} is compared with {}; expected {expected}", shortened(given))]
    Constant {
        /// The column.
        column: String,
        /// As it was written.
        given: String,
        /// How constants of this column are written.
        expected: &'static str,
    },
    /// More than a circuit takes.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// A statement of a plan.
    #[error("statement {number} of the plan: {source}")]
    InPlan {
        /// From 1.
        number: usize,
        /// What is wrong with it.
        source: Box<SqlError>,
    },
}

impl SqlError {
    pub(super) fn unsupported(part: impl Into<String>, nearest: impl Into<String>) -> Self {
        Self::Unsupported { part: part.into(), nearest: nearest.into() }
    }
}

/// The most characters of a query that a message repeats.
const SHOWN: usize = 200;

fn shortened(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{} ..", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}
