//! The headers of a column chunk's pages, read before its pages are. A page's header says how long the page is once it is no longer
//! compressed, and the `parquet` crate makes room for that, and fills it, before it looks at the page: 2 GiB for a few bytes.
//!
//! Headers are structs of Thrift's compact protocol. Of those of pages, the second field is the length without compression and the
//! third the length in the file.

use ::parquet::{
    basic::Compression,
    errors::{ParquetError, Result},
    file::metadata::ColumnChunkMetaData,
};
use std::{
    fs::File,
    io::{BufReader, Read, Seek, SeekFrom},
};

/// What Snappy makes of three bytes at most: a copy.
const LONGEST_COPY: u64 = 64;
/// Structs: a page's header, and by their fields' numbers there what it holds for one kind of page each.
const PAGE: u32 = 0;
const DATA: u32 = 5;
const DICTIONARY: u32 = 7;
const DATA_2: u32 = 8;
pub(super) const UNKNOWN: u32 = u32::MAX;
/// Structs of a footer.
pub(super) const FILE: u32 = 100;
pub(super) const ELEMENT: u32 = 101;
pub(super) const LOGICAL: u32 = 102;
pub(super) const DECIMAL: u32 = 103;
pub(super) const TIME: u32 = 104;
pub(super) const UNIT: u32 = 105;
pub(super) const INTEGER: u32 = 106;
/// Kinds of fields.
const BYTE: u8 = 3;
const NUMBER: u8 = 5;
const TEXT: u8 = 8;
const LIST: u8 = 9;
pub(super) const STRUCT: u8 = 12;
/// How deep structs lie in each other: a page's statistics are at 3.
const DEEPEST: u32 = 4;

/// Refuses a chunk with a page that says it holds more than it can, or is longer than the file.
pub(super) fn check(file: &File, chunk: &ColumnChunkMetaData) -> Result<()> {
    let (start, length) = chunk.byte_range();
    let end = start.checked_add(length).filter(|end| file.metadata().is_ok_and(|file| *end <= file.len()));
    let end = end.ok_or_else(|| ParquetError::EOF("a column ends behind the end of the file".into()))?;
    let mut file = BufReader::with_capacity(256, file);
    let mut at = start;
    while at < end {
        file.seek(SeekFrom::Start(at))?;
        let mut header = Header { bytes: (&mut file).take(end - at), read: 0 };
        let (plain, stored) = header.lengths()?;
        at += header.read + stored;
        if at > end {
            return Err(ParquetError::EOF("a page ends behind the end of its column".into()));
        }
        let most = match chunk.compression() {
            Compression::SNAPPY => stored * LONGEST_COPY / 3,
            _ => stored,
        };
        if plain > most {
            return Err(ParquetError::General(format!(
                "a page says that it holds {plain} bytes, and at most {most} can be there"
            )));
        }
    }
    Ok(())
}

/// The kinds that a field may be of, where it is known: the crate reads it so, whatever the file says that it is.
const fn kinds(of: u32, field: u32) -> &'static [u8] {
    match (of, field) {
        (PAGE | DATA, 1..=4) | (DICTIONARY | DECIMAL, 1..=2) | (DATA_2, 1..=6) => &[NUMBER],
        (FILE, 1) | (ELEMENT, 1..=3 | 5..=9) => &[NUMBER],
        (PAGE, 5..=8) | (DATA, 5) | (DATA_2, 8) | (ELEMENT, 10) | (LOGICAL | UNIT, _) | (TIME, 2) => {
            &[STRUCT]
        }
        (DICTIONARY, 3) | (DATA_2, 7) | (TIME, 1) | (INTEGER, 2) => &[1, 2],
        (ELEMENT, 4) => &[TEXT],
        (FILE, 2) => &[LIST],
        (INTEGER, 1) => &[BYTE],
        _ => &[],
    }
}

/// A header while it is read.
pub(super) struct Header<R> {
    pub(super) bytes: R,
    pub(super) read: u64,
}

pub(super) fn malformed() -> ParquetError {
    ParquetError::General("a page, or the footer, has a malformed header".into())
}

impl<R: Read> Header<R> {
    /// Of the page: without compression, and in the file.
    fn lengths(&mut self) -> Result<(u64, u64)> {
        let (mut last, mut plain, mut stored) = (0, None, None);
        while let Some(kind) = self.field(PAGE, &mut last)? {
            match last {
                2 => plain = Some(self.length()?),
                3 => stored = Some(self.length()?),
                _ => self.skip(kind, last, DEEPEST)?,
            }
        }
        plain.zip(stored).ok_or_else(malformed)
    }

    pub(super) fn byte(&mut self) -> Result<u8> {
        let mut byte = [0];
        self.bytes.read_exact(&mut byte)?;
        self.read += 1;
        Ok(byte[0])
    }

    /// The next field's number, in the place of the last one's, and its kind; nothing at the end.
    pub(super) fn field(&mut self, of: u32, last: &mut u32) -> Result<Option<u8>> {
        let byte = self.byte()?;
        let (step, kind) = (u32::from(byte >> 4), byte & 15);
        if kind == 0 {
            return Ok(None);
        }
        *last += step;
        // Fields have rising numbers, each a short step from the one before it.
        let is_known = match kinds(of, *last) {
            [] => true,
            kinds => kinds.contains(&kind),
        };
        if step > 0 && is_known { Ok(Some(kind)) } else { Err(malformed()) }
    }

    pub(super) fn varint(&mut self) -> Result<u64> {
        let mut value = 0;
        for place in 0..9 {
            let byte = self.byte()?;
            value |= u64::from(byte & 127) << (7 * place);
            if byte < 128 {
                return Ok(value);
            }
        }
        Err(malformed())
    }

    /// A number of 32 bits that is not negative.
    pub(super) fn length(&mut self) -> Result<u64> {
        let value = self.varint()?;
        if value & 1 == 1 || value >= 1 << 32 {
            return Err(malformed());
        }
        Ok(value / 2)
    }

    /// Reads over a field with this number. No page's header has lists, sets or maps.
    pub(super) fn skip(&mut self, kind: u8, number: u32, depth: u32) -> Result<()> {
        match kind {
            // A truth value is its field's kind.
            1 | 2 => Ok(()),
            3 => self.byte().map(drop),
            // A number of 64 bits may take ten bytes.
            4..=6 => {
                while self.byte()? >= 128 {}
                Ok(())
            }
            7 => self.over(8),
            8 => {
                let length = self.varint()?;
                self.over(length)
            }
            STRUCT if depth > 0 => {
                // Only the structs of the page itself are known.
                let (of, mut last) = (if depth == DEEPEST { number } else { UNKNOWN }, 0);
                while let Some(kind) = self.field(of, &mut last)? {
                    self.skip(kind, last, depth - 1)?;
                }
                Ok(())
            }
            _ => Err(malformed()),
        }
    }

    fn over(&mut self, length: u64) -> Result<()> {
        let there = std::io::copy(&mut (&mut self.bytes).take(length), &mut std::io::sink())?;
        self.read += there;
        if there == length { Ok(()) } else { Err(malformed()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lengths(bytes: &[u8]) -> Option<(u64, u64, u64)> {
        let mut header = Header { bytes, read: 0 };
        let (plain, stored) = header.lengths().ok()?;
        Some((plain, stored, header.read))
    }

    /// Of a dictionary of 3 entries: 32 bytes, 20 in the file.
    const DICTIONARY: [u8; 14] = [0x15, 4, 0x15, 64, 0x15, 40, 0x4c, 0x15, 6, 0x15, 0, 0x11, 0, 0];

    #[test]
    fn lengths_are_those_of_the_header_and_nothing_is_read_behind_it() {
        assert_eq!(lengths(&DICTIONARY), Some((32, 20, 14)));
        assert_eq!(lengths(&[&DICTIONARY[..], &[1, 2, 3]].concat()), Some((32, 20, 14)));
        for end in 0..DICTIONARY.len() {
            assert_eq!(lengths(&DICTIONARY[..end]), None, "{end}");
        }
    }

    /// The crate reads a known field as what it must be: where the file says another kind, the two would see other pages.
    #[test]
    fn a_known_field_of_another_kind_is_refused() {
        for at in [0, 2, 4, 6, 7, 9, 11] {
            let mut header = DICTIONARY;
            for kind in 1..=15 {
                header[at] = DICTIONARY[at] & 0xf0 | kind;
                let is_truth = at == 11 && kind <= 2;
                let may_be = kind == DICTIONARY[at] & 15 || is_truth;
                assert_eq!(lengths(&header).is_some(), may_be, "{at}: {kind}");
            }
        }
        // A fourth field that is said to be a truth value.
        assert_eq!(lengths(&[0x15, 2, 0x15, 16, 0x15, 16, 0x11, 0, 0]), None);
    }
}
