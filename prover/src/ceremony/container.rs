//! The binary container of iden3's tools: a magic, a version, a number of sections, and each section with its number and
//! its length. All numbers are little-endian.
//!
//! A reader that skips what it does not know, or takes the last of two equal sections, reads another file than somebody
//! else's tool does. So here each section is there exactly once, none is unknown, and the last ends with the file.

use super::error::{CeremonyError, FileKind};
use std::collections::BTreeMap;

/// Where a section is.
pub(super) struct Section<'a> {
    /// Its content.
    pub(super) bytes: &'a [u8],
    /// Where that starts in the file.
    pub(super) start: usize,
}

/// The sections of a file, by number.
pub(super) struct Container<'a> {
    kind: FileKind,
    sections: BTreeMap<u32, Section<'a>>,
}

/// More sections than any of the formats has.
const MOST: u32 = 32;

impl<'a> Container<'a> {
    /// Reads the table of a file of version 1.
    pub(super) fn read(file: &'a [u8], kind: FileKind, magic: [u8; 4]) -> Result<Self, CeremonyError> {
        let format = |problem: &str| CeremonyError::Format { file: kind, problem: problem.to_owned() };
        let mut cursor = Cursor::new(file, kind, "its header");
        if cursor.take::<4>().ok() != Some(magic) {
            return Err(format("it does not start as such a file does; name the right file"));
        }
        if cursor.u32()? != 1 {
            return Err(format("its version is not 1; make it with snarkjs 0.7"));
        }
        let number = cursor.u32()?;
        if number > MOST {
            return Err(format("it has more sections than its format"));
        }
        let mut sections = BTreeMap::new();
        for _ in 0..number {
            cursor.place = "its table of sections".to_owned();
            let (id, length) = (cursor.u32()?, cursor.u64()?);
            cursor.place = format!("section {id}");
            let start = file.len() - cursor.rest.len();
            let length = usize::try_from(length).map_err(|_| cursor.truncated())?;
            let section = Section { bytes: cursor.bytes(length)?, start };
            if sections.insert(id, section).is_some() {
                return Err(format(&format!("section {id} is there twice")));
            }
        }
        cursor.place = "its last section".to_owned();
        cursor.end()?;
        Ok(Self { kind, sections })
    }

    /// Whether these are exactly the sections that there are.
    pub(super) fn holds(&self, numbers: &[u32]) -> bool {
        self.sections.keys().copied().eq(numbers.iter().copied())
    }

    /// A section.
    pub(super) fn section(&self, number: u32) -> Result<&Section<'a>, CeremonyError> {
        let problem = || format!("section {number} is missing; make it with snarkjs 0.7");
        self.sections
            .get(&number)
            .ok_or_else(|| CeremonyError::Format { file: self.kind, problem: problem() })
    }

    /// A section that must have so many bytes.
    pub(super) fn sized(&self, number: u32, length: Option<usize>) -> Result<&'a [u8], CeremonyError> {
        let bytes = self.section(number)?.bytes;
        if Some(bytes.len()) == length {
            return Ok(bytes);
        }
        let problem = format!("section {number} has another length than its header says");
        Err(CeremonyError::Format { file: self.kind, problem })
    }

    /// A section from its start.
    pub(super) fn cursor(&self, number: u32) -> Result<Cursor<'a>, CeremonyError> {
        Ok(Cursor::new(self.section(number)?.bytes, self.kind, &format!("section {number}")))
    }
}

/// Reads bytes from the first to the last.
pub(super) struct Cursor<'a> {
    pub(super) rest: &'a [u8],
    pub(super) kind: FileKind,
    /// What is being read.
    pub(super) place: String,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(rest: &'a [u8], kind: FileKind, place: &str) -> Self {
        Self { rest, kind, place: place.to_owned() }
    }

    pub(super) fn truncated(&self) -> CeremonyError {
        CeremonyError::Truncated { file: self.kind, place: self.place.clone() }
    }

    pub(super) fn format(&self, problem: &str) -> CeremonyError {
        CeremonyError::Format { file: self.kind, problem: format!("{}: {problem}", self.place) }
    }

    pub(super) fn bytes(&mut self, length: usize) -> Result<&'a [u8], CeremonyError> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or_else(|| self.truncated())?;
        self.rest = rest;
        Ok(taken)
    }

    pub(super) fn take<const N: usize>(&mut self) -> Result<[u8; N], CeremonyError> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or_else(|| self.truncated())?;
        self.rest = rest;
        Ok(*taken)
    }

    pub(super) fn byte(&mut self) -> Result<u8, CeremonyError> {
        self.take::<1>().map(|[byte]| byte)
    }

    pub(super) fn u32(&mut self) -> Result<u32, CeremonyError> {
        self.take().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, CeremonyError> {
        self.take().map(u64::from_le_bytes)
    }

    pub(super) fn end(self) -> Result<(), CeremonyError> {
        if self.rest.is_empty() {
            return Ok(());
        }
        Err(CeremonyError::Trailing { file: self.kind, place: self.place })
    }
}

/// Writes a container.
pub(super) struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    pub(super) fn new(magic: [u8; 4], version: u32, sections: u32) -> Self {
        let mut bytes = magic.to_vec();
        bytes.extend(version.to_le_bytes());
        bytes.extend(sections.to_le_bytes());
        Self { bytes }
    }

    pub(super) fn with_capacity(mut self, more: usize) -> Self {
        self.bytes.reserve_exact(more);
        self
    }

    /// Writes a section with what `content` appends.
    pub(super) fn section(&mut self, number: u32, content: impl FnOnce(&mut Vec<u8>)) {
        self.bytes.extend(number.to_le_bytes());
        let at = self.bytes.len();
        self.bytes.extend([0; 8]);
        content(&mut self.bytes);
        let length = (self.bytes.len() - at - 8) as u64;
        self.bytes[at..at + 8].copy_from_slice(&length.to_le_bytes());
    }

    pub(super) fn finish(self) -> Vec<u8> {
        self.bytes
    }
}
