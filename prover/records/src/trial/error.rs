//! What can be wrong with a trial's files, named by file, row and column. No variant repeats what a cell holds.

use super::Reduce;
use nightingale_circuits::cohort::{SchemaError, TableError};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Why files cannot be read, written or registered. Rows are counted from 1, without a header.
#[derive(Debug, Error)]
pub enum TrialError {
    /// A file cannot be opened, read or written.
    #[error("{}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A file is not of its format, or is not one of the registration's.
    #[error("{file}: {problem}")]
    File {
        /// The file's name.
        file: String,
        /// What was expected, and what to do.
        problem: String,
    },
    /// A column is not what the schema says, or not there.
    #[error("{file}, column {column}: {problem}")]
    Column {
        /// The file's name.
        file: String,
        /// The column's name.
        column: String,
        /// What was expected, and what to do.
        problem: String,
    },
    /// A cell does not fit its column.
    #[error("{file}, row {row}, column {column}: {problem}")]
    Cell {
        /// The file's name.
        file: String,
        /// The row.
        row: usize,
        /// The column's name.
        column: String,
        /// What is wrong.
        problem: CellProblem,
    },
    /// Two rows of one unit.
    #[error("{file}, rows {first} and {second}: {}", repeated(dimension.as_deref()))]
    Repeated {
        /// The file's name.
        file: String,
        /// The earlier row.
        first: usize,
        /// The later row.
        second: usize,
        /// The unit's dimension, if it has one.
        dimension: Option<String>,
    },
    /// More rows than the largest class holds.
    #[error(
        "{file}: {rows} rows; at most {most} can be registered as one table. Split the file by subject into several registrations"
    )]
    Rows {
        /// The file's name.
        file: String,
        /// Its rows.
        rows: usize,
        /// The limit.
        most: usize,
    },
    /// The schema file is not of its documented form.
    #[error("schema file, {key}: {problem}")]
    SchemaFile {
        /// The key, as a path into the file.
        key: String,
        /// What was expected.
        problem: String,
    },
    /// The schema file describes no table that can be registered.
    #[error("schema file, table.{table}: {source}")]
    Schema {
        /// The table.
        table: String,
        /// What is wrong with it.
        source: SchemaError,
    },
    /// Codes that break their own schema: a bug of the builder.
    #[error("{file}: {source}; please report this")]
    Codes {
        /// The file's name.
        file: String,
        /// The rule that was broken.
        source: TableError,
    },
}

/// What is wrong with a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CellProblem {
    /// Text in a column of numbers.
    #[error("not a decimal number; correct the cell, or list the text under `missing`")]
    NotANumber,
    /// NaN, or infinite.
    #[error("not a finite number; a missing cell is an empty one")]
    NotFinite,
    /// More digits than 18.
    #[error("a number of more than 18 digits; leave the column out")]
    TooLarge,
    /// More decimals than declared.
    #[error("more decimals than the declared scale of {scale}; raise `scale`, or set `round = true`")]
    TooFine {
        /// The declared scale.
        scale: u8,
    },
    /// Not a day.
    #[error("not a day of the form YYYY-MM-DD; partial dates cannot be registered as dates")]
    NotADay,
    /// Outside the declared range.
    #[error("outside the declared range; widen `minimum` and `maximum`, or correct the cell")]
    OutOfRange,
    /// Not in the dictionary.
    #[error("not in the declared dictionary; add the word, or correct the cell")]
    NotInDictionary,
    /// A missing subject or dimension, or another key.
    #[error(
        "missing, but rows are keyed by this column; give the row its key, leave it out with `keep`, or do not register the column as a key"
    )]
    NoKey,
    /// A consent that is none.
    #[error("neither 1 nor Y, 0 nor N: whether the subject consents must be said")]
    NoConsent,
    /// Text that is not UTF-8.
    #[error("not UTF-8 text; write the file in UTF-8")]
    NotText,
    /// A subject that the subject table lacks.
    #[error(
        "this subject is in no table of one row a subject; add it there, so that every rate has its denominator"
    )]
    UnknownSubject,
}

fn repeated(dimension: Option<&str>) -> String {
    let option = format!(
        "or set `reduce = \"{}\"` to keep the first of them in the file's order",
        Reduce::First.name()
    );
    match dimension {
        None => format!(
            "one subject twice, and the table has one row a subject; set `dimension` to the column that tells the rows apart, {option}"
        ),
        Some(dimension) => format!("one subject twice with the same {dimension}; correct the file, {option}"),
    }
}

/// A file's name without its folder: what messages show.
pub(super) fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
}

impl TrialError {
    pub(super) fn file(path: &Path, problem: impl Into<String>) -> Self {
        Self::File { file: file_name(path), problem: problem.into() }
    }

    pub(super) fn unreadable(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        |source| Self::Unreadable { path, source }
    }

    pub(super) fn key(key: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::SchemaFile { key: key.into(), problem: problem.into() }
    }
}
