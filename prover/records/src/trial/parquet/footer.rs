//! The schema in a file's footer, read before the `parquet` crate reads it: a group says how many children it has, and the crate makes room for
//! that many, 16 GiB for a few bytes, and calls itself for each group in a group.
//!
//! The footer is a struct of Thrift's compact protocol, whose second field is the list of the schema's elements, each group before its children.

use super::headers::{
    DECIMAL, ELEMENT, FILE, Header, INTEGER, LOGICAL, STRUCT, TIME, UNIT, UNKNOWN, malformed,
};
use ::parquet::errors::{ParquetError, Result};
use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
};

/// Behind the footer: its length, and the four bytes that files end with.
const TAIL: u64 = 8;
/// How deep groups may lie in each other. Only flat columns can be registered; others are named as what they are.
const DEEPEST_GROUP: usize = 32;

/// Refuses a file whose schema has a group of more children than elements follow, or groups too deep in each other.
pub(super) fn check(mut file: &File) -> Result<()> {
    let whole = file.metadata()?.len();
    let Some(end) = whole.checked_sub(TAIL) else { return Err(malformed()) };
    file.seek(SeekFrom::Start(end))?;
    let mut length = [0; 4];
    file.read_exact(&mut length)?;
    let length = u64::from(u32::from_le_bytes(length));
    let start = end.checked_sub(length).ok_or_else(malformed)?;
    file.seek(SeekFrom::Start(start))?;
    let mut footer = Vec::new();
    file.take(length).read_to_end(&mut footer)?;
    let children = children(&footer)?;
    file.seek(SeekFrom::Start(0))?;
    is_tree(&children)
}

/// How many children each element of the schema says that it has.
fn children(footer: &[u8]) -> Result<Vec<u64>> {
    let mut reader = Header { bytes: footer, read: 0 };
    let mut last = 0;
    while let Some(kind) = reader.field(FILE, &mut last)? {
        if last >= 2 {
            break;
        }
        reader.skip(kind, UNKNOWN, 0)?;
    }
    if last != 2 {
        return Err(malformed());
    }
    let head = reader.byte()?;
    let elements = if head >> 4 == 15 { reader.varint()? } else { u64::from(head >> 4) };
    if head & 15 != STRUCT || elements > reader.bytes.len() as u64 {
        return Err(malformed());
    }
    (0..elements).map(|_| element(&mut reader)).collect()
}

fn element(reader: &mut Header<&[u8]>) -> Result<u64> {
    let (mut last, mut children) = (0, 0);
    while let Some(kind) = reader.field(ELEMENT, &mut last)? {
        match last {
            5 => children = reader.length()?,
            10 => members(reader, LOGICAL)?,
            _ => reader.skip(kind, UNKNOWN, 0)?,
        }
    }
    Ok(children)
}

/// Reads over a struct of a logical type, whose fields are of the kinds that the crate reads them as.
fn members(reader: &mut Header<&[u8]>, of: u32) -> Result<()> {
    let mut last = 0;
    while let Some(kind) = reader.field(of, &mut last)? {
        match (of, last) {
            (LOGICAL, 5) => members(reader, DECIMAL)?,
            (LOGICAL, 7 | 8) => members(reader, TIME)?,
            (LOGICAL, 10) => members(reader, INTEGER)?,
            (TIME, 2) => members(reader, UNIT)?,
            _ => reader.skip(kind, UNKNOWN, 2)?,
        }
    }
    Ok(())
}

/// Whether the elements are one tree: each group's children follow it, and none is missing.
fn is_tree(children: &[u64]) -> Result<()> {
    let mut missing: Vec<u64> = Vec::new();
    for (place, number) in (1..).zip(children) {
        if let Some(outer) = missing.last_mut() {
            *outer -= 1;
        }
        if *number > (children.len() as u64).saturating_sub(place) {
            let problem =
                format!("a group of its schema says that it has {number} children, which are not there");
            return Err(ParquetError::General(problem));
        }
        missing.push(*number);
        while missing.last() == Some(&0) {
            missing.pop();
        }
        if missing.len() > DEEPEST_GROUP {
            let problem = format!("its schema has more than {DEEPEST_GROUP} groups in each other");
            return Err(ParquetError::General(problem));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A group, or with no children a column of text, whose logical type is a decimal or nothing.
    fn element(children: u8, is_decimal: bool) -> Vec<u8> {
        if children > 0 {
            return vec![0x48, 1, b's', 0x15, 2 * children, 0];
        }
        let logical: &[u8] = if is_decimal { &[0x6c, 0x5c, 0x15, 4, 0x15, 18, 0, 0] } else { &[] };
        [&[0x15, 12, 0x25, 0, 0x18, 1, b'a'], logical, &[0]].concat()
    }

    fn footer(elements: &[Vec<u8>]) -> Vec<u8> {
        let number = u8::try_from(elements.len()).unwrap_or(u8::MAX);
        [&[0x15, 2, 0x19, 0xfc, number][..], &elements.concat(), &[0x16, 0, 0]].concat()
    }

    fn refusal(elements: &[Vec<u8>]) -> Option<String> {
        children(&footer(elements))
            .and_then(|children| is_tree(&children))
            .err()
            .map(|error| error.to_string())
    }

    #[test]
    fn a_group_has_the_children_that_follow_it() {
        let column = || element(0, true);
        assert_eq!(refusal(&[element(2, false), column(), element(0, false)]), None);
        assert_eq!(refusal(&[element(2, false), element(1, false), column(), column()]), None);
        for many in [3, 63] {
            let refused = refusal(&[element(many, false), column(), column()]);
            assert!(refused.is_some_and(|said| said.contains("children")), "{many}");
        }
        assert!(refusal(&[element(1, false), element(2, false), column()]).is_some());
    }

    #[test]
    fn groups_lie_in_each_other_so_deep_and_no_deeper() {
        for (depth, is_refused) in [(32, false), (33, true), (60, true)] {
            let mut elements = vec![element(1, false); depth];
            elements.push(element(0, false));
            assert_eq!(refusal(&elements).is_some(), is_refused, "{depth}");
        }
    }

    /// The crate reads a known field as what it must be, whatever the file says that it is, and would see another number of children behind it.
    #[test]
    fn a_known_field_of_another_kind_is_refused() {
        let whole = footer(&[element(1, false), element(0, true)]);
        assert!(children(&whole).is_ok());
        // Version and list; the group's name and children; the column's type, repetition, name, logical type, decimal, scale, precision.
        for at in [0, 2, 5, 8, 11, 13, 15, 18, 19, 20, 22] {
            for kind in (1..16).filter(|kind| *kind != whole[at] & 15) {
                let mut other = whole.clone();
                other[at] = whole[at] & 0xf0 | kind;
                assert!(children(&other).is_err(), "{at}: {kind}");
            }
        }
        for end in 0..whole.len() - 3 {
            assert!(children(&whole[..end]).is_err(), "{end}");
        }
    }
}
