//! Trial files: SAS transport, CSV, Parquet, and the schema file that says what of them is registered.
#![expect(clippy::panic, reason = "a property that does not hold ends the process")]

use nightingale_records::trial::{self, Cells, RawTable, SchemaFile};
use std::{env, fs, path::PathBuf, process};

/// A CSV file: what is read is written so that it reads as the same.
pub fn csv(bytes: &[u8]) {
    if let Some(table) = read(bytes, "csv") {
        assert!(read_back(&table, "csv") == Some(cells(&table)), "a CSV file changes when it is written");
        propose(table);
    }
}

/// A SAS transport file: likewise, where the format has room for what it wrote.
pub fn xpt(bytes: &[u8]) {
    if let Some(table) = read(bytes, "xpt") {
        if let Some(again) = read_back(&table, "xpt") {
            assert!(again == cells(&table), "a transport file changes when it is written");
        }
        propose(table);
    }
}

/// A Parquet file.
pub fn parquet(bytes: &[u8]) {
    if let Some(table) = read(bytes, "parquet") {
        propose(table);
    }
}

/// A schema file, printed and read again; one that describes a table of two columns is tried on it.
pub fn trial_schema(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    let Ok(schema) = SchemaFile::parse(text) else { return };
    let again = SchemaFile::parse(&schema.to_string());
    assert!(again.is_ok_and(|again| again == schema), "a schema file changes when it is printed");
    if let Some(table) = read(b"K,C\na,1\nb,2.50\nc,\n", "csv") {
        let _ = trial::build(&[table], &schema);
    }
}

/// Reads a file from where this process keeps it.
fn read(bytes: &[u8], extension: &str) -> Option<RawTable> {
    let path = place(extension);
    fs::write(&path, bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let table = trial::read(&path);
    let _ = fs::remove_file(&path);
    if let Err(error) = &table {
        assert!(!error.to_string().is_empty());
    }
    table.ok()
}

/// The table's cells after it was written and read; `None` where the format has no room for them.
fn read_back(table: &RawTable, extension: &str) -> Option<Vec<Vec<Option<String>>>> {
    let path = place(extension);
    let written = trial::write(table, &path);
    let read = written.ok().map(|()| trial::read(&path));
    let _ = fs::remove_file(&path);
    read.map(|read| cells(&read.unwrap_or_else(|error| panic!("what was written is refused: {error}"))))
}

fn place(extension: &str) -> PathBuf {
    env::temp_dir().join(format!("t{}.{extension}", process::id()))
}

fn cells(table: &RawTable) -> Vec<Vec<Option<String>>> {
    let of_row =
        |row| table.columns().iter().map(move |column| column.text(row).map(|text| text.into_owned()));
    (0..table.rows()).map(|row| of_row(row).collect()).collect()
}

/// A proposed schema file is one, whatever the names and words of the file, and builds or is refused.
fn propose(table: RawTable) {
    let key = table.columns().iter().find(|column| matches!(column.cells(), Cells::Text(_)));
    let Some(key) = key.map(|column| column.name().to_owned()) else { return };
    let Ok(proposal) = trial::infer(std::slice::from_ref(&table), &key) else { return };
    let printed = proposal.to_string();
    let read = SchemaFile::parse(&printed);
    assert!(read.is_ok_and(|read| read == proposal.schema), "a proposal does not read back:\n{printed}");
    let _ = trial::build(&[table], &proposal.schema);
}
