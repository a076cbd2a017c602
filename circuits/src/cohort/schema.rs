//! What a table's columns mean: the public half of a registration.
//!
//! A cell is an integer code: 0 is missing, everything else is counted from 1. The schema says how a code reads.

use super::{
    Keccak,
    digest::{Words, keccak},
};
use crate::unseen::is_shown;
use std::fmt;
use thiserror::Error;

/// What a code of a column stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `value = minimum + code - 1`, in units of `10^-scale`: 12.5 with scale 1 is 125.
    Integer {
        /// The value of code 1, scaled.
        minimum: i64,
        /// The value of the highest code, scaled.
        maximum: i64,
        /// Decimals that were kept.
        scale: u8,
    },
    /// `day = minimum + code - 1`, in days since 1970-01-01.
    Date {
        /// The day of code 1.
        minimum: i64,
        /// The day of the highest code.
        maximum: i64,
    },
    /// `dictionary[code - 1]`.
    Category {
        /// The words, without repetition.
        dictionary: Vec<String>,
    },
    /// A subject, or another key, whose dictionary is not published: codes 1 to `count`.
    Key {
        /// Number of distinct keys.
        count: u32,
    },
}

/// One column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name as queries write it.
    pub name: String,
    /// What its codes stand for.
    pub kind: Kind,
}

impl Column {
    /// The highest code; codes are `0..=bound`, 0 being missing.
    #[must_use]
    pub fn bound(&self) -> u32 {
        let span = |minimum: i64, maximum: i64| {
            u32::try_from(i128::from(maximum) - i128::from(minimum) + 1).unwrap_or(u32::MAX)
        };
        match &self.kind {
            Kind::Integer { minimum, maximum, .. } | Kind::Date { minimum, maximum } => {
                span(*minimum, *maximum)
            }
            Kind::Category { dictionary } => u32::try_from(dictionary.len()).unwrap_or(u32::MAX),
            Kind::Key { count } => *count,
        }
    }

    /// What is added to a code to have the value, in scaled units: `minimum - 1`; `None` where codes are not numbers.
    #[must_use]
    pub const fn offset(&self) -> Option<i64> {
        match self.kind {
            Kind::Integer { minimum, .. } | Kind::Date { minimum, .. } => Some(minimum.saturating_sub(1)),
            Kind::Category { .. } | Kind::Key { .. } => None,
        }
    }
}

/// What one row of the table is. Rows are unique in it: the registration proves it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// One row a subject.
    Subject,
    /// One row for each subject and code of this column, such as an adverse-event term.
    SubjectAnd(usize),
}

/// How a role gets answers from a dataset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mode {
    /// Every cell as it is, to the regulator only.
    Exact,
    /// The queries of the registered plan, small cells hidden.
    Plan,
}

impl Mode {
    /// Its name in files and on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Plan => "plan",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The smallest disclosure threshold that may be registered for `plan`: the CMS rule, no cell from 1 to 10.
pub const LEAST_THRESHOLD: u32 = 11;

/// A table's public description.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schema {
    table: String,
    columns: Vec<Column>,
    subject: usize,
    unit: Unit,
    threshold: u32,
}

/// Why a schema is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SchemaError {
    /// A name that SQL could not write, or that is there twice.
    #[error(
        "column {0:?}: a name is a letter or _ and then letters, digits or _, at most 63 characters, and not there twice (case does not matter)"
    )]
    Name(String),
    /// A table without columns, or with too many.
    #[error("table {table}: {columns} columns; a table has 1 to {} of them", Schema::MOST_COLUMNS)]
    Columns {
        /// The table.
        table: String,
        /// How many were given.
        columns: usize,
    },
    /// A range that is empty or wider than 32 bits.
    #[error(
        "column {0}: its range holds no value, or more than 4,294,967,294, or ends beyond 2^53 - 1; give minimum <= maximum, or a coarser scale"
    )]
    Range(String),
    /// More decimals than there is room for.
    #[error("column {0}: a scale is at most 9 decimals")]
    Scale(String),
    /// A dictionary that is empty, has a word twice, or has one that does not show all that it holds.
    #[error(
        "column {0}: its dictionary is empty, or holds one word twice, an empty word, or one with outer white space, a line break or another character that does not show"
    )]
    Dictionary(String),
    /// The subject column, or the unit's dimension, is not what it should be.
    #[error("table {0}: the subject column must be a key, and the unit's dimension another column")]
    Unit(String),
    /// A threshold below the least.
    #[error("table {table}: threshold {given}; it is at least {LEAST_THRESHOLD}")]
    Threshold {
        /// The table.
        table: String,
        /// What was given.
        given: u32,
    },
}

impl Schema {
    /// The most columns of one table.
    pub const MOST_COLUMNS: usize = 64;

    /// A checked schema. `subject` and the unit's dimension are indices into `columns`.
    ///
    /// # Errors
    /// What [`SchemaError`] names.
    pub fn new(
        table: String,
        columns: Vec<Column>,
        subject: usize,
        unit: Unit,
        threshold: u32,
    ) -> Result<Self, SchemaError> {
        if !is_name(&table) {
            return Err(SchemaError::Name(table));
        }
        if columns.is_empty() || columns.len() > Self::MOST_COLUMNS {
            return Err(SchemaError::Columns { table, columns: columns.len() });
        }
        for (index, column) in columns.iter().enumerate() {
            let again = columns[..index].iter().any(|other| other.name.eq_ignore_ascii_case(&column.name));
            if again || !is_name(&column.name) {
                return Err(SchemaError::Name(column.name.clone()));
            }
            check_kind(column)?;
        }
        let is_key = columns.get(subject).is_some_and(|column| matches!(column.kind, Kind::Key { .. }));
        let has_dimension = match unit {
            Unit::Subject => true,
            Unit::SubjectAnd(dimension) => dimension != subject && dimension < columns.len(),
        };
        if !is_key || !has_dimension {
            return Err(SchemaError::Unit(table));
        }
        if threshold < LEAST_THRESHOLD {
            return Err(SchemaError::Threshold { table, given: threshold });
        }
        Ok(Self { table, columns, subject, unit, threshold })
    }

    /// The table's name, as FROM writes it.
    #[must_use]
    pub fn table(&self) -> &str {
        &self.table
    }

    /// All columns in order.
    #[must_use]
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The index of the subject column.
    #[must_use]
    pub const fn subject(&self) -> usize {
        self.subject
    }

    /// What a row is.
    #[must_use]
    pub const fn unit(&self) -> Unit {
        self.unit
    }

    /// The registered minimum of the disclosure threshold: counts from 1 to one less are hidden.
    #[must_use]
    pub const fn threshold(&self) -> u32 {
        self.threshold
    }

    /// Finds a column by name; case does not matter.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name.eq_ignore_ascii_case(name))
    }

    /// The digest of the whole description.
    #[must_use]
    pub fn digest(&self) -> Keccak {
        let (unit, dimension) = match self.unit {
            Unit::Subject => (0, 0),
            Unit::SubjectAnd(dimension) => (1, dimension as u128),
        };
        let start = Words::of("nightingale.cohort.schema.1")
            .digest(&keccak(self.table.as_bytes()))
            .number(self.subject as u128)
            .number(unit)
            .number(dimension)
            .number(u128::from(self.threshold))
            .number(self.columns.len() as u128);
        self.columns.iter().fold(start, describe).finish()
    }
}

fn describe(words: Words, column: &Column) -> Words {
    // Two's complement in 128 bits: what `number` takes.
    let signed = |value: i64| i128::from(value).cast_unsigned();
    let words = words.digest(&keccak(column.name.as_bytes()));
    match &column.kind {
        Kind::Integer { minimum, maximum, scale } => {
            words.number(1).number(signed(*minimum)).number(signed(*maximum)).number(u128::from(*scale))
        }
        Kind::Date { minimum, maximum } => words.number(2).number(signed(*minimum)).number(signed(*maximum)),
        Kind::Category { dictionary } => {
            dictionary.iter().fold(words.number(3).number(dictionary.len() as u128), |words, word| {
                words.digest(&keccak(word.as_bytes()))
            })
        }
        Kind::Key { count } => words.number(4).number(u128::from(*count)),
    }
}

/// The largest number that every JSON reader holds exactly; squares of such offsets leave room for sums in 128 bits.
const EXACT: i64 = (1 << 53) - 1;

fn check_kind(column: &Column) -> Result<(), SchemaError> {
    let name = || column.name.clone();
    match &column.kind {
        Kind::Integer { minimum, maximum, .. } | Kind::Date { minimum, maximum }
            if minimum > maximum
                || *minimum < -EXACT
                || *maximum > EXACT
                || i128::from(*maximum) - i128::from(*minimum) >= i128::from(u32::MAX) - 1 =>
        {
            Err(SchemaError::Range(name()))
        }
        Kind::Integer { scale, .. } if *scale > 9 => Err(SchemaError::Scale(name())),
        Kind::Category { dictionary } => {
            let mut words: Vec<&String> = dictionary.iter().collect();
            words.sort_unstable();
            let repeated = words.windows(2).any(|pair| pair[0] == pair[1]);
            // Words are printed: none may be another one's with what does not show, look like the end of a line, or like more than itself.
            let unusable = dictionary.is_empty() || !dictionary.iter().all(|word| is_shown(word)) || repeated;
            if unusable { Err(SchemaError::Dictionary(name())) } else { Ok(()) }
        }
        Kind::Key { count: 0 } => Err(SchemaError::Range(name())),
        _ => Ok(()),
    }
}

/// Whether SQL can write `name` without quotes.
fn is_name(name: &str) -> bool {
    let mut characters = name.chars();
    let first = characters.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    first && name.len() <= 63 && characters.all(|c| c.is_ascii_alphanumeric() || c == '_')
}
