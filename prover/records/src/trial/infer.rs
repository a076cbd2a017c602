//! A first schema file from the files themselves, to be edited by a person before anything is registered.
//!
//! Ranges are widened to round numbers, because the lowest and the highest value of a table are single people's, and the schema is public.

mod range;

use super::{
    Cells, ColumnEntry, Content, RawColumn, RawTable, Reduce, SchemaFile, TableEntry, Texts, TrialError,
    encode::spelled, is_name, schema_file::print,
};
use nightingale_circuits::{cohort::Schema, unseen::is_shown};
use std::{
    collections::{BTreeMap, HashSet},
    fmt,
};

/// A proposed schema file, and what a reader of it should know.
#[derive(Clone, Debug)]
pub struct Inferred {
    /// The proposal.
    pub schema: SchemaFile,
    /// Comments for each table: what was left out, and what was guessed.
    pub notes: BTreeMap<String, Vec<String>>,
}

impl fmt::Display for Inferred {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        print(&self.schema, &self.notes, f)
    }
}

/// The most words of a dictionary.
const MOST_WORDS: usize = 4000;
/// The longest word of a dictionary, in bytes.
const LONGEST_WORD: usize = 120;
/// Columns whose words tell events of one subject apart, in the order of preference: CDISC ADaM's dictionary terms.
const DIMENSIONS: [&str; 4] = ["AEDECOD", "AETERM", "PARAMCD", "TERM"];

/// Proposes a schema: types, ranges, scales and dictionaries from the cells, the unit from the rows of each `key_column`.
///
/// # Errors
/// A file without the key column, or one that holds nothing to register.
pub fn infer(tables: &[RawTable], key_column: &str) -> Result<Inferred, TrialError> {
    let mut schema = SchemaFile { subject: Some(key_column.to_owned()), ..SchemaFile::default() };
    let mut notes = BTreeMap::new();
    for raw in tables {
        let mut of_table = Vec::new();
        let entry = infer_table(raw, key_column, &mut of_table)?;
        notes.insert(raw.name().to_owned(), of_table);
        if schema.tables.insert(raw.name().to_owned(), entry).is_some() {
            let problem = "another file has the same stem; one file is one table".to_owned();
            return Err(TrialError::File { file: raw.file().to_owned(), problem });
        }
    }
    Ok(Inferred { schema, notes })
}

fn infer_table(raw: &RawTable, key_column: &str, notes: &mut Vec<String>) -> Result<TableEntry, TrialError> {
    let Some(key) = raw.find(key_column) else {
        return Err(raw.column_error(
            key_column,
            "the file has no such column; name its subject key with --key-column",
        ));
    };
    let mut columns = Vec::new();
    for column in raw.columns() {
        if columns.len() == Schema::MOST_COLUMNS {
            notes.push(format!(
                "{} and what follows it: left out, a table has at most {} columns",
                column.name(),
                Schema::MOST_COLUMNS
            ));
            break;
        }
        let content = if !is_name(column.name()) {
            Err("its name cannot be written in SQL; give it another with `source`".to_owned())
        } else if column.name() == key.name() {
            Ok((Content::Key, None))
        } else {
            content(column)
        };
        match content {
            Ok((content, note)) => {
                notes.extend(note.map(|note| format!("{}: {note}", column.name())));
                columns.push(ColumnEntry { name: column.name().to_owned(), source: None, content });
            }
            Err(why) => notes.push(format!("{}: left out, {why}", column.name().escape_default())),
        }
    }
    let mut entry = TableEntry { columns, ..TableEntry::default() };
    let unit = unit(raw, key, &entry)?;
    if let Some((dimension, repeated)) = unit {
        if repeated > 0 {
            entry.reduce = Some(Reduce::First);
            notes.push(format!(
                "dimension: {repeated} of {} rows repeat a subject and {dimension}; with reduce only the first of each is registered. Choose rows with keep, or another dimension",
                raw.rows()
            ));
        }
        entry.dimension = Some(dimension);
    }
    Ok(entry)
}

/// What a column could be registered as with a note, or why not.
fn content(column: &RawColumn) -> Result<(Content, Option<String>), String> {
    match column.cells() {
        Cells::Unsupported(_, reason) => Err((*reason).to_owned()),
        Cells::Day(days) => range::of_days(days.iter().flatten().copied()).map(|content| (content, None)),
        Cells::Decimal(numbers) => range::of_numbers(numbers.iter().flatten().copied()),
        Cells::Text(texts) => dictionary(texts).map(|dictionary| (Content::Category { dictionary }, None)),
    }
}

/// The words of a column in ascending order, unless they are none, too many, or what people write freely.
fn dictionary(texts: &Texts) -> Result<Vec<String>, String> {
    let words = texts.words();
    let filled = texts.codes().iter().filter(|&&code| code != 0).count();
    if words.is_empty() {
        return Err("all its cells are missing".to_owned());
    }
    if words.len() > MOST_WORDS {
        return Err(format!("more than {MOST_WORDS} different texts"));
    }
    if words.iter().any(|word| word.len() > LONGEST_WORD || !is_shown(word)) {
        return Err("free text, or with outer white space or characters that do not show".to_owned());
    }
    if words.len() > 20 && words.len() * 2 > filled {
        return Err("nearly every row has a text of its own: a name, an identifier or free text".to_owned());
    }
    let mut dictionary = words.to_vec();
    dictionary.sort_unstable();
    Ok(dictionary)
}

/// The dimension, and how many rows repeat a unit; `None` where there is one row a subject.
fn unit(raw: &RawTable, key: &RawColumn, entry: &TableEntry) -> Result<Option<(String, usize)>, TrialError> {
    let (mut room, unsupported) =
        (None, || raw.column_error(key.name(), "its type cannot be a key; write it as text"));
    let subjects = spelled(key, &mut room).map_err(|_| unsupported())?.codes();
    let rows = raw.rows();
    if subjects.iter().collect::<HashSet<_>>().len() == rows {
        return Ok(None);
    }
    let mut best: Option<(String, usize)> = None;
    let rank = |name: &str| {
        DIMENSIONS.iter().position(|known| known.eq_ignore_ascii_case(name)).unwrap_or(DIMENSIONS.len())
    };
    for column in &entry.columns {
        let Some(Cells::Text(texts)) = raw.find(&column.name).map(RawColumn::cells) else { continue };
        if column.content == Content::Key || texts.codes().contains(&0) {
            continue;
        }
        let pairs = subjects.iter().zip(texts.codes()).collect::<HashSet<_>>().len();
        let repeated = rows - pairs;
        let better =
            best.as_ref().is_none_or(|(name, least)| (rank(&column.name), repeated) < (rank(name), *least));
        if better {
            best = Some((column.name.clone(), repeated));
        }
    }
    let problem = "it repeats, and no text column without missing cells tells its rows apart; write a schema file with a `dimension`";
    best.map(Some).ok_or_else(|| raw.column_error(key.name(), problem))
}
