//! Trial data: SAS transport, CSV and Parquet files become tables of codes, as a schema file says.
//!
//! The way of a file: [`read`] gives a [`RawTable`] of typed cells, [`infer`] proposes a [`SchemaFile`] that a person edits, and
//! [`build`] turns files and schema into a [`Dataset`], refusing by row and column what does not fit. A raw table is
//! nobody's to see: it has no `Debug`, and errors never repeat a cell.

mod build;
mod column;
mod comma;
mod dataset;
mod day;
mod decimal;
mod encode;
mod error;
mod infer;
mod order;
mod parquet;
mod schema_file;
mod xpt;

pub(crate) use column::TextsBuilder;

pub use build::build;
pub use column::{Cells, RawColumn, RawTable, Texts};
pub use dataset::{Dataset, Subjects};
pub use day::Day;
pub use decimal::{Decimal, NotDecimal};
pub use error::{CellProblem, TrialError};
pub use infer::{Inferred, infer};
pub use schema_file::{ColumnEntry, Content, Edge, Reduce, Role, SchemaFile, TableEntry};

use std::path::Path;

/// A file format, chosen by the file's extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Transport,
    Comma,
    Parquet,
}

impl Format {
    fn of(path: &Path) -> Result<Self, TrialError> {
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        match extension.to_ascii_lowercase().as_str() {
            "xpt" => Ok(Self::Transport),
            "csv" => Ok(Self::Comma),
            "parquet" => Ok(Self::Parquet),
            _ => Err(TrialError::file(
                path,
                "its extension is none of .xpt, .csv and .parquet; the extension names the format",
            )),
        }
    }
}

/// Reads one file, in the format that its extension names. The table's name is the file's stem in lower case.
///
/// # Errors
/// A file that cannot be read or is not of its format, or a cell that no column can hold.
pub fn read(path: &Path) -> Result<RawTable, TrialError> {
    let name = table_name(path)?;
    let columns = match Format::of(path)? {
        Format::Transport => xpt::read(path)?,
        Format::Comma => comma::read(path)?,
        Format::Parquet => parquet::read(path)?,
    };
    RawTable::new(name, error::file_name(path), columns)
}

/// Writes one file, in the format that its extension names.
///
/// # Errors
/// A file that cannot be written, or a name or text that the format has no room for.
pub fn write(table: &RawTable, path: &Path) -> Result<(), TrialError> {
    match Format::of(path)? {
        Format::Transport => xpt::write(table, path),
        Format::Comma => comma::write(table, path),
        Format::Parquet => parquet::write(table, path),
    }
}

/// The name that FROM uses: the file's stem.
pub(crate) fn table_name(path: &Path) -> Result<String, TrialError> {
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    if !is_name(stem) {
        let problem = "its stem names the table in FROM: a letter or _ and then letters, digits or _, at most 63; rename the file";
        return Err(TrialError::file(path, problem));
    }
    Ok(stem.to_ascii_lowercase())
}

/// Whether SQL can write `name` without quotes; the rule of [`nightingale_circuits::cohort::Schema`].
fn is_name(name: &str) -> bool {
    let first = name.chars().next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    first && name.len() <= 63 && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}
