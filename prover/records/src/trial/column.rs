//! A file's cells, typed but not yet coded: text, decimals, days.
//!
//! Text is kept as distinct words and indices into them, so that a word is parsed, looked up and held once however many rows repeat it.

use super::{CellProblem, Day, Decimal, TrialError};
use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
    hash::{BuildHasher, RandomState},
};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// One file's columns. Zeroed on drop, never shown.
pub struct RawTable {
    name: String,
    file: String,
    rows: usize,
    columns: Vec<RawColumn>,
}

/// A column.
pub struct RawColumn {
    name: String,
    cells: Cells,
}

/// A column's cells; `None` is missing.
#[derive(Zeroize, ZeroizeOnDrop)]
pub enum Cells {
    /// Text.
    Text(Texts),
    /// Numbers.
    Decimal(Vec<Option<Decimal>>),
    /// Days.
    Day(Vec<Option<Day>>),
    /// A type that cannot be registered: the number of its rows, and why.
    Unsupported(usize, #[zeroize(skip)] &'static str),
}

/// Words, and for each row 0 (missing) or the index of its word plus 1.
#[derive(Default, Zeroize, ZeroizeOnDrop)]
pub struct Texts {
    words: Vec<String>,
    codes: Vec<u32>,
}

impl Texts {
    /// The distinct words, in the order in which they first appear.
    #[must_use]
    pub fn words(&self) -> &[String] {
        &self.words
    }

    /// One entry a row.
    #[must_use]
    pub fn codes(&self) -> &[u32] {
        &self.codes
    }

    fn word(&self, row: usize) -> Option<&str> {
        let code = *self.codes.get(row)? as usize;
        self.words.get(code.checked_sub(1)?).map(String::as_str)
    }
}

/// Collects text row by row.
#[derive(Default)]
pub(crate) struct TextsBuilder {
    texts: Texts,
    hasher: RandomState,
    /// Hash of a word, or the next free number after it, to the word's code: no copy of the word.
    index: HashMap<u64, u32>,
}

impl TextsBuilder {
    /// One more row; empty text is missing.
    pub(crate) fn push(&mut self, text: &str) {
        let code = if text.is_empty() { 0 } else { self.code(text) };
        self.texts.codes.push(code);
    }

    fn code(&mut self, text: &str) -> u32 {
        let mut at = self.hasher.hash_one(text);
        loop {
            match self.index.get(&at) {
                Some(&code) if self.texts.words[code as usize - 1] == text => return code,
                Some(_) => at = at.wrapping_add(1),
                None => {
                    self.texts.words.push(text.to_owned());
                    // A file of more than 2^32 words does not fit into memory.
                    let code = u32::try_from(self.texts.words.len()).unwrap_or(u32::MAX);
                    self.index.insert(at, code);
                    return code;
                }
            }
        }
    }

    pub(crate) fn rows(&self) -> usize {
        self.texts.codes.len()
    }

    pub(crate) fn finish(self) -> Texts {
        self.texts
    }
}

impl Cells {
    /// The number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        match self {
            Self::Text(texts) => texts.codes.len(),
            Self::Decimal(cells) => cells.len(),
            Self::Day(cells) => cells.len(),
            Self::Unsupported(rows, _) => *rows,
        }
    }
}

impl RawColumn {
    /// A column.
    #[must_use]
    pub fn new(name: impl Into<String>, cells: Cells) -> Self {
        Self { name: name.into(), cells }
    }

    /// Its name in the file.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its cells.
    #[must_use]
    pub const fn cells(&self) -> &Cells {
        &self.cells
    }

    /// Whether a cell is missing, or of an unsupported type.
    #[must_use]
    pub fn is_missing(&self, row: usize) -> bool {
        match &self.cells {
            Cells::Text(texts) => texts.codes.get(row).is_none_or(|&code| code == 0),
            Cells::Decimal(cells) => cells.get(row).is_none_or(Option::is_none),
            Cells::Day(cells) => cells.get(row).is_none_or(Option::is_none),
            Cells::Unsupported(..) => true,
        }
    }

    /// A cell as text in its one spelling; `None` when it is missing or its type is unsupported.
    #[must_use]
    pub fn text(&self, row: usize) -> Option<Cow<'_, str>> {
        match &self.cells {
            Cells::Text(texts) => texts.word(row).map(Cow::Borrowed),
            Cells::Decimal(cells) => cells.get(row)?.map(|number| Cow::Owned(number.to_string())),
            Cells::Day(cells) => cells.get(row)?.map(|day| Cow::Owned(day.to_string())),
            Cells::Unsupported(..) => None,
        }
    }
}

impl RawTable {
    /// A table of columns of one length; names differ, whatever their case.
    ///
    /// # Errors
    /// No columns or rows, lengths that differ, or a name that is there twice.
    pub fn new(name: String, file: String, columns: Vec<RawColumn>) -> Result<Self, TrialError> {
        let rows = columns.first().map_or(0, |column| column.cells.rows());
        if rows == 0 {
            return Err(TrialError::File { file, problem: "it holds no rows".to_owned() });
        }
        // Not each with each: a file may have as many columns as commas.
        let mut names = HashSet::with_capacity(columns.len());
        for column in &columns {
            let problem = if column.cells.rows() != rows {
                "it has another number of rows than the first column"
            } else if !names.insert(column.name.to_ascii_lowercase()) {
                "its name is there twice (case does not matter); rename one"
            } else {
                continue;
            };
            return Err(TrialError::Column {
                file,
                column: column.name.clone(),
                problem: problem.to_owned(),
            });
        }
        Ok(Self { name, file, rows, columns })
    }

    /// The table's name, as FROM writes it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file's name, without its folder.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The number of rows.
    #[must_use]
    pub const fn rows(&self) -> usize {
        self.rows
    }

    /// All columns in the file's order.
    #[must_use]
    pub fn columns(&self) -> &[RawColumn] {
        &self.columns
    }

    /// A column by name; case does not matter.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&RawColumn> {
        self.columns.iter().find(|column| column.name.eq_ignore_ascii_case(name))
    }

    pub(super) fn require(&self, name: &str) -> Result<&RawColumn, TrialError> {
        self.find(name).ok_or_else(|| {
            self.column_error(name, "the file has no such column; its header names what there is")
        })
    }

    pub(super) fn column_error(&self, column: &str, problem: &str) -> TrialError {
        TrialError::Column { file: self.file.clone(), column: column.to_owned(), problem: problem.to_owned() }
    }

    /// `row` is counted from 0 here and from 1 in the message.
    pub(super) fn cell_error(&self, row: usize, column: &str, problem: CellProblem) -> TrialError {
        TrialError::Cell { file: self.file.clone(), row: row + 1, column: column.to_owned(), problem }
    }
}
