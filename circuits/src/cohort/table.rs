//! A table's codes, column by column: the private half of a registration.

use super::{Keccak, Kind, Schema, Unit};
use crate::claim::Address;
use thiserror::Error;
use zeroize::Zeroize;

/// Codes of all columns, and which rows may be used under the consent version in force. Zeroed on drop, never shown.
pub struct Table {
    schema: Schema,
    columns: Vec<Vec<u32>>,
    consent: Vec<bool>,
}

/// Why codes do not fit their schema. Names rows and columns, never values.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TableError {
    /// The wrong number of columns.
    #[error("{given} columns of codes for a schema of {expected}")]
    Columns {
        /// How many.
        given: usize,
        /// How many there should be.
        expected: usize,
    },
    /// Columns of different lengths, or none at all.
    #[error("column {column}: {given} rows, the first column has {expected}; a table has at least one row")]
    Rows {
        /// The column's name.
        column: String,
        /// How many.
        given: usize,
        /// How many there should be.
        expected: usize,
    },
    /// A code above the column's bound.
    #[error("column {column}, row {row}: outside the declared range")]
    OutOfRange {
        /// The column's name.
        column: String,
        /// The row, counted from 1.
        row: usize,
    },
    /// Rows out of the unit's order, or one key twice.
    #[error(
        "row {row}: its key is not above that of the row before it; the table's unit allows each key once, in ascending order"
    )]
    Order {
        /// The row, counted from 1.
        row: usize,
    },
    /// A key or dimension that is missing: every row has all of its keys. That a key is there, its registration proves.
    #[error("column {column}, row {row}: a key is missing")]
    NoKey {
        /// The column's name.
        column: String,
        /// The row, counted from 1.
        row: usize,
    },
}

impl Table {
    /// Checked codes: `columns[c][r]` is the code of column `c` in row `r`; `consent[r]` says whether row `r` may be used.
    ///
    /// # Errors
    /// What [`TableError`] names.
    pub fn new(schema: Schema, columns: Vec<Vec<u32>>, consent: Vec<bool>) -> Result<Self, TableError> {
        let table = Self { schema, columns, consent };
        table.check()?;
        Ok(table)
    }

    fn check(&self) -> Result<(), TableError> {
        let described = self.schema.columns();
        if self.columns.len() != described.len() {
            return Err(TableError::Columns { given: self.columns.len(), expected: described.len() });
        }
        let rows = self.consent.len();
        for (column, codes) in described.iter().zip(&self.columns) {
            if codes.len() != rows || rows == 0 {
                return Err(TableError::Rows {
                    column: column.name.clone(),
                    given: codes.len(),
                    expected: rows,
                });
            }
            let bound = column.bound();
            if let Some(row) = codes.iter().position(|&code| code > bound) {
                return Err(TableError::OutOfRange { column: column.name.clone(), row: row + 1 });
            }
        }
        for (place, (column, codes)) in described.iter().zip(&self.columns).enumerate() {
            let is_key = matches!(column.kind, Kind::Key { .. }) || self.dimension() == Some(place);
            if let Some(row) = codes.iter().position(|&code| code == 0).filter(|_| is_key) {
                return Err(TableError::NoKey { column: column.name.clone(), row: row + 1 });
            }
        }
        match (1..rows).find(|&row| self.key(row - 1) >= self.key(row)) {
            Some(row) => Err(TableError::Order { row: row + 1 }),
            None => Ok(()),
        }
    }

    /// The column of the unit's dimension.
    #[must_use]
    pub const fn dimension(&self) -> Option<usize> {
        match self.schema.unit() {
            Unit::Subject => None,
            Unit::SubjectAnd(dimension) => Some(dimension),
        }
    }

    /// A row's key: subject code and dimension code, 0 where the unit has no dimension.
    fn key(&self, row: usize) -> (u32, u32) {
        let dimension = self.dimension().map_or(0, |dimension| self.columns[dimension][row]);
        (self.columns[self.schema.subject()][row], dimension)
    }

    /// What the columns mean.
    #[must_use]
    pub const fn schema(&self) -> &Schema {
        &self.schema
    }

    /// The number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.consent.len()
    }

    /// A column's codes.
    #[must_use]
    pub fn codes(&self, column: usize) -> &[u32] {
        self.columns.get(column).map_or(&[], Vec::as_slice)
    }

    /// Which rows may be used.
    #[must_use]
    pub fn consent(&self) -> &[bool] {
        &self.consent
    }

    /// Revokes the consent of rows; nothing gives it back.
    pub fn revoke(&mut self, rows: &[usize]) {
        for &row in rows {
            if let Some(consent) = self.consent.get_mut(row) {
                *consent = false;
            }
        }
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        self.columns.iter_mut().for_each(Zeroize::zeroize);
        self.consent.zeroize();
    }
}

/// A table's place on record: everything about it that is public and fixed at its registration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableDigestParts<'a> {
    /// The schema's digest.
    pub schema: Keccak,
    /// The logarithm of the domain's size.
    pub k: u32,
    /// The number of rows.
    pub rows: usize,
    /// Who answers for the table; zero where nobody does. It is bound here, so that no proof about a table fits another's copy of it.
    pub sponsor: Address,
    /// The commitments of all columns, in the order of `docs/statements/cohort.md`: `x`, `y` of each.
    pub commitments: &'a [[Keccak; 2]],
}

impl TableDigestParts<'_> {
    /// The digest that queries name.
    #[must_use]
    pub fn digest(&self) -> Keccak {
        let mut sponsor = [0; 32];
        sponsor[12..].copy_from_slice(&self.sponsor.0);
        super::digest::Words::of("nightingale.cohort.table.1")
            .digest(&self.schema)
            .number(u128::from(self.k))
            .number(self.rows as u128)
            .digest(&sponsor)
            .number(self.commitments.len() as u128)
            .words(self.commitments.iter().flatten())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cohort::Column;

    fn table(other_keys: Vec<u32>) -> Option<Result<Table, TableError>> {
        let column = |name: &str, kind| Column { name: name.to_owned(), kind };
        let columns = vec![
            column("SUBJECT", Kind::Key { count: 3 }),
            column("SITE", Kind::Key { count: 2 }),
            column("AGE", Kind::Integer { minimum: 0, maximum: 99, scale: 0 }),
        ];
        let schema = Schema::new("t".to_owned(), columns, 0, Unit::Subject, 11).ok()?;
        Some(Table::new(schema, vec![vec![1, 2, 3], other_keys, vec![0, 7, 0]], vec![true; 3]))
    }

    #[test]
    fn every_row_has_all_of_its_keys() {
        assert!(table(vec![1, 2, 2]).is_some_and(|built| built.is_ok()));
        let missing = TableError::NoKey { column: "SITE".to_owned(), row: 2 };
        assert_eq!(table(vec![1, 0, 2]).and_then(Result::err), Some(missing));
    }
}
