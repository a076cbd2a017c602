//! CSV files: UTF-8, a header, commas, an empty cell is missing.
//!
//! A column is numbers if every cell is one, days if every cell is `YYYY-MM-DD`, text otherwise. Numbers are read digit by digit.

use super::{Cells, Day, Decimal, RawColumn, RawTable, Texts, TrialError, column::TextsBuilder};
use std::{fs::File, path::Path};

/// All columns.
pub(super) fn read(path: &Path) -> Result<Vec<RawColumn>, TrialError> {
    let file = File::open(path).map_err(TrialError::unreadable(path))?;
    // The error tells line and number of fields, never a field.
    let broken = |error: csv::Error| TrialError::file(path, format!("not a CSV file: {error}"));
    let mut reader = csv::ReaderBuilder::new().buffer_capacity(1 << 20).from_reader(file);
    let header = reader.headers().map_err(broken)?.clone();
    let names: Vec<String> =
        header.iter().map(|name| name.trim().trim_start_matches('\u{feff}').to_owned()).collect();
    if let [only] = names.as_slice()
        && only.contains([';', '\t'])
    {
        return Err(TrialError::file(
            path,
            "its header has no comma; write it with commas between the fields",
        ));
    }
    let mut columns: Vec<TextsBuilder> = names.iter().map(|_| TextsBuilder::default()).collect();
    let mut record = csv::StringRecord::new();
    while reader.read_record(&mut record).map_err(broken)? {
        for (cell, column) in record.iter().zip(&mut columns) {
            column.push(cell.trim());
        }
    }
    Ok(names
        .into_iter()
        .zip(columns)
        .map(|(name, column)| RawColumn::new(name, typed(column.finish())))
        .collect())
}

/// Numbers or days where all words are.
fn typed(texts: Texts) -> Cells {
    if let Some(numbers) = all(&texts, number) {
        return Cells::Decimal(numbers);
    }
    match all(&texts, Day::parse) {
        Some(days) => Cells::Day(days),
        None => Cells::Text(texts),
    }
}

/// Every row's value, if every word has one and there is a word.
fn all<T: Copy>(texts: &Texts, value: impl Fn(&str) -> Option<T>) -> Option<Vec<Option<T>>> {
    let values: Vec<T> = texts.words().iter().map(|word| value(word)).collect::<Option<_>>()?;
    let at = |code: &u32| (*code as usize).checked_sub(1).and_then(|index| values.get(index).copied());
    if values.is_empty() { None } else { Some(texts.codes().iter().map(at).collect()) }
}

/// A number, unless its spelling says that it is a label: `007`.
fn number(word: &str) -> Option<Decimal> {
    let digits = word.trim_start_matches(['-', '+']);
    let label = digits.len() > 1
        && digits.starts_with('0')
        && digits.as_bytes().get(1).is_some_and(u8::is_ascii_digit);
    if label { None } else { Decimal::parse(word).ok() }
}

/// Writes a header and all rows.
pub(super) fn write(table: &RawTable, path: &Path) -> Result<(), TrialError> {
    let broken = |error: csv::Error| TrialError::file(path, format!("cannot be written: {error}"));
    let file = File::create(path).map_err(TrialError::unreadable(path))?;
    let mut writer = csv::WriterBuilder::new().buffer_capacity(1 << 20).from_writer(file);
    writer.write_record(table.columns().iter().map(RawColumn::name)).map_err(broken)?;
    for row in 0..table.rows() {
        for column in table.columns() {
            writer.write_field(column.text(row).unwrap_or_default().as_ref()).map_err(broken)?;
        }
        writer.write_record(None::<&[u8]>).map_err(broken)?;
    }
    writer.flush().map_err(TrialError::unreadable(path))
}
