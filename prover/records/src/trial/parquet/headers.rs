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

/// A header while it is read.
struct Header<R> {
    bytes: R,
    read: u64,
}

fn malformed() -> ParquetError {
    ParquetError::General("a page has a malformed header".into())
}

impl<R: Read> Header<R> {
    /// Of the page: without compression, and in the file.
    fn lengths(&mut self) -> Result<(u64, u64)> {
        let (mut last, mut plain, mut stored) = (0, None, None);
        while let Some((step, kind)) = self.field()? {
            // Fields have rising numbers, each a short step from the one before it.
            last += if step == 0 { return Err(malformed()) } else { step };
            match last {
                2 => plain = Some(self.length(kind)?),
                3 => stored = Some(self.length(kind)?),
                _ => self.skip(kind, DEEPEST)?,
            }
        }
        plain.zip(stored).ok_or_else(malformed)
    }

    fn byte(&mut self) -> Result<u8> {
        let mut byte = [0];
        self.bytes.read_exact(&mut byte)?;
        self.read += 1;
        Ok(byte[0])
    }

    /// The step to the next field's number and the field's kind, or the end.
    fn field(&mut self) -> Result<Option<(u32, u8)>> {
        let byte = self.byte()?;
        Ok((byte & 15 != 0).then_some((u32::from(byte >> 4), byte & 15)))
    }

    fn varint(&mut self) -> Result<u64> {
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
    fn length(&mut self, kind: u8) -> Result<u64> {
        let value = self.varint()?;
        if kind != 5 || value & 1 == 1 || value >= 1 << 32 {
            return Err(malformed());
        }
        Ok(value / 2)
    }

    /// Reads over a field. No page's header has lists, sets or maps.
    fn skip(&mut self, kind: u8, depth: u32) -> Result<()> {
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
            12 if depth > 0 => {
                while let Some((step, kind)) = self.field()? {
                    if step == 0 {
                        return Err(malformed());
                    }
                    self.skip(kind, depth - 1)?;
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
