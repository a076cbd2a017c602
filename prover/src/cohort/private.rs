//! The private file of a table: codes, consents and salts. `NGCT`, a version byte (1), the table's digest, the numbers of columns, rows
//! and salts (4 bytes each, little-endian), codes column by column (4 bytes each), consents (a byte each), the salts of the
//! committed columns in their order, and last that of the newest consents.
//!
//! It is read only after its digest in the list of the directory was checked.

use super::commit::Salt;
use crate::ProveError;
use nightingale_circuits::cohort::{Layout, Table, columns::committed};
use nightingale_verifier::cohort::TableRecord;
use std::path::Path;
use zeroize::Zeroizing;

const MAGIC: [u8; 5] = *b"NGCT\x01";

/// The private half of a table.
pub(super) struct PrivateTable {
    pub(super) table: Table,
    /// One for each committed column, in their order.
    pub(super) salts: Vec<Salt>,
    /// Of the newest consents.
    pub(super) consent_salt: Salt,
}

impl PrivateTable {
    /// The file.
    pub(super) fn to_bytes(&self, record: &TableRecord) -> Zeroizing<Vec<u8>> {
        let columns = record.schema().columns().len();
        let size = MAGIC.len()
            + 32
            + 12
            + self.table.rows() * (4 * columns + 1)
            + Salt::LENGTH * (self.salts.len() + 1);
        // Of the right size at once: growing would leave copies behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(size));
        bytes.extend(MAGIC);
        bytes.extend(record.digest());
        for number in [columns, self.table.rows(), self.salts.len()] {
            bytes.extend((number as u32).to_le_bytes());
        }
        for column in 0..columns {
            for code in self.table.codes(column) {
                bytes.extend(code.to_le_bytes());
            }
        }
        bytes.extend(self.table.consent().iter().map(|&consent| u8::from(consent)));
        for salt in self.salts.iter().chain([&self.consent_salt]) {
            salt.to_words().for_each(|word| bytes.extend(word));
        }
        bytes
    }

    /// Reads the file of a registered table.
    pub(super) fn from_bytes(path: &Path, bytes: &[u8], record: &TableRecord) -> Result<Self, ProveError> {
        let corrupt = |problem: &str| ProveError::Corrupt {
            path: path.to_owned(),
            problem: format!("{problem}; restore the dataset directory from its copy"),
        };
        let mut rest =
            bytes.strip_prefix(&MAGIC).ok_or_else(|| corrupt("is not a private table of a dataset"))?;
        let cut = || corrupt("is cut off");
        let mut take = |length: usize| {
            let (taken, after) = rest.split_at_checked(length)?;
            rest = after;
            Some(taken)
        };
        if take(32).ok_or_else(cut)? != record.digest() {
            return Err(corrupt("is of another table"));
        }
        let mut number =
            || take(4).and_then(|four| four.try_into().ok()).map(u32::from_le_bytes).map(|n| n as usize);
        let numbers = [number().ok_or_else(cut)?, number().ok_or_else(cut)?, number().ok_or_else(cut)?];
        let layout: Layout = record.size().layout();
        let expected =
            [record.schema().columns().len(), record.rows(), committed(record.schema(), layout).len()];
        if numbers != expected {
            return Err(corrupt("has another number of columns, rows or salts than the table"));
        }
        let [columns, rows, salts] = expected;
        let mut codes = Vec::with_capacity(columns);
        for _ in 0..columns {
            let column = take(4 * rows).ok_or_else(cut)?;
            let (fours, _) = column.as_chunks::<4>();
            codes.push(fours.iter().map(|four| u32::from_le_bytes(*four)).collect());
        }
        let consent = take(rows).ok_or_else(cut)?.iter().map(|&byte| byte == 1).collect();
        let table = Table::new(record.schema().clone(), codes, consent)
            .map_err(|error| corrupt(&error.to_string()))?;
        let mut salt = || {
            let (words, _) = take(Salt::LENGTH).ok_or_else(cut)?.as_chunks::<32>();
            Salt::from_words(words).ok_or_else(|| corrupt("has a salt that is no scalar"))
        };
        let salts = (0..salts).map(|_| salt()).collect::<Result<Vec<_>, _>>()?;
        let consent_salt = salt()?;
        if rest.is_empty() {
            Ok(Self { table, salts, consent_salt })
        } else {
            Err(corrupt("has bytes after its end"))
        }
    }
}
