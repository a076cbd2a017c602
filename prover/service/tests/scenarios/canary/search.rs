//! Finds planted values in bytes, whichever way they were written: text, hexadecimal, base64, UTF-16, lists of bytes, integers.

use anyhow::{Context, Result};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};
use std::{
    collections::HashMap,
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

/// A shorter pattern would be found by chance.
const LEAST: usize = 6;

/// A value that must be found nowhere.
#[derive(Clone, Debug)]
pub(crate) enum What {
    /// Words.
    Text(String),
    /// A number of at least 32 bits.
    Number(u64),
    /// Bytes.
    Bytes(Vec<u8>),
}

/// A planted value.
#[derive(Clone, Debug)]
pub(crate) struct Planted {
    /// Where it stands in the record.
    pub(crate) name: String,
    pub(crate) what: What,
}

impl Planted {
    pub(crate) fn text(name: &str, text: &str) -> Self {
        Self { name: name.to_owned(), what: What::Text(text.to_owned()) }
    }

    pub(crate) fn number(name: &str, number: u64) -> Self {
        Self { name: name.to_owned(), what: What::Number(number) }
    }

    pub(crate) fn bytes(name: &str, bytes: &[u8]) -> Self {
        Self { name: name.to_owned(), what: What::Bytes(bytes.to_vec()) }
    }

    /// Every form in which it would give itself away, with the form's name.
    pub(crate) fn forms(&self) -> Vec<(&'static str, Vec<u8>)> {
        let mut forms = Vec::new();
        match &self.what {
            What::Text(text) => text_forms(text, &mut forms),
            What::Bytes(bytes) => {
                byte_forms(bytes, &mut forms);
                let reversed: Vec<u8> = bytes.iter().rev().copied().collect();
                forms.push(("reversed hex", hex::encode(&reversed).into_bytes()));
                forms.push(("reversed", reversed));
            }
            What::Number(number) => {
                text_forms(&number.to_string(), &mut forms);
                forms.push((
                    "cents with a point",
                    format!("{}.{:02}", number / 100, number % 100).into_bytes(),
                ));
                forms.push(("hex number", format!("{number:x}").into_bytes()));
                forms.push(("HEX number", format!("{number:X}").into_bytes()));
                forms.push(("big-endian 8", number.to_be_bytes().to_vec()));
                forms.push(("little-endian 8", number.to_le_bytes().to_vec()));
                forms.push(("big-endian 6", number.to_be_bytes()[2..].to_vec()));
                forms.push(("little-endian 6", number.to_le_bytes()[..6].to_vec()));
                base64_forms(&number.to_be_bytes(), &mut forms);
                base64_forms(&number.to_le_bytes(), &mut forms);
            }
        }
        forms.retain(|(_, pattern)| pattern.len() >= LEAST);
        forms
    }
}

fn text_forms(text: &str, forms: &mut Vec<(&'static str, Vec<u8>)>) {
    byte_forms(text.as_bytes(), forms);
    forms.push(("lower case", text.to_lowercase().into_bytes()));
    forms.push(("upper case", text.to_uppercase().into_bytes()));
    let units: Vec<u16> = text.encode_utf16().collect();
    forms.push(("UTF-16 little-endian", units.iter().flat_map(|unit| unit.to_le_bytes()).collect()));
    forms.push(("UTF-16 big-endian", units.iter().flat_map(|unit| unit.to_be_bytes()).collect()));
    if !text.is_ascii() {
        let escaped = |unit: &u16| match u8::try_from(*unit) {
            Ok(byte) if byte.is_ascii() => char::from(byte).to_string(),
            _ => format!("\\u{unit:04x}"),
        };
        forms.push(("JSON escapes", units.iter().map(escaped).collect::<String>().into_bytes()));
        forms.push(("Rust escapes", text.escape_default().to_string().into_bytes()));
    }
}

fn byte_forms(bytes: &[u8], forms: &mut Vec<(&'static str, Vec<u8>)>) {
    forms.push(("plain", bytes.to_vec()));
    forms.push(("hex", hex::encode(bytes).into_bytes()));
    forms.push(("HEX", hex::encode_upper(bytes).into_bytes()));
    let list: Vec<String> = bytes.iter().map(u8::to_string).collect();
    forms.push(("list of bytes", list.join(", ").into_bytes()));
    forms.push(("JSON list of bytes", list.join(",").into_bytes()));
    base64_forms(bytes, forms);
}

/// What is the same whatever stands in front and behind: for each of the three ways in which it can lie.
fn base64_forms(bytes: &[u8], forms: &mut Vec<(&'static str, Vec<u8>)>) {
    for (name, engine) in [("base64", STANDARD_NO_PAD), ("base64 for URLs", URL_SAFE_NO_PAD)] {
        for before in 0..3 {
            let text = engine.encode([vec![0; before], bytes.to_vec()].concat());
            let (start, end) = ((before * 8).div_ceil(6), (before + bytes.len()) * 8 / 6);
            forms.push((name, text.as_bytes()[start..end].to_vec()));
        }
    }
}

/// A value where it must not be.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Leak {
    pub(crate) place: String,
    pub(crate) name: String,
    pub(crate) form: &'static str,
    pub(crate) offset: usize,
}

/// Looks for all planted values at once.
pub(crate) struct Searcher {
    planted: Vec<Planted>,
    patterns: Vec<(usize, &'static str, Vec<u8>)>,
    /// Patterns by their first four bytes.
    heads: HashMap<[u8; 4], Vec<usize>>,
    /// Whether some pattern begins with these two.
    pairs: Vec<bool>,
}

impl Searcher {
    pub(crate) fn new(planted: Vec<Planted>) -> Self {
        let mut patterns = Vec::new();
        for (number, value) in planted.iter().enumerate() {
            patterns.extend(value.forms().into_iter().map(|(form, pattern)| (number, form, pattern)));
        }
        Self::of(planted, patterns)
    }

    fn of(planted: Vec<Planted>, patterns: Vec<(usize, &'static str, Vec<u8>)>) -> Self {
        let (mut heads, mut pairs) = (HashMap::<[u8; 4], Vec<usize>>::new(), vec![false; 1 << 16]);
        for (place, (_, _, pattern)) in patterns.iter().enumerate() {
            let head = [pattern[0], pattern[1], pattern[2], pattern[3]];
            pairs[usize::from(u16::from_be_bytes([head[0], head[1]]))] = true;
            heads.entry(head).or_default().push(place);
        }
        Self { planted, patterns, heads, pairs }
    }

    pub(crate) fn planted(&self) -> &[Planted] {
        &self.planted
    }

    /// The same without what is in a folder in which nobody has written a record yet: a number of few bytes stands in every database. Also,
    /// how many of the forms it is, and of how many.
    pub(crate) fn without_what_is_in(&self, folder: &Path) -> Result<(Self, usize, usize)> {
        let mut there = vec![false; self.patterns.len()];
        for path in files(folder)? {
            self.matches(&fs::read(path)?, |_, pattern| there[pattern] = true);
        }
        let kept = self.patterns.iter().zip(&there).filter(|(_, there)| !**there);
        let kept: Vec<_> = kept.map(|(pattern, _)| pattern.clone()).collect();
        let left_out = self.patterns.len() - kept.len();
        Ok((Self::of(self.planted.clone(), kept), left_out, self.patterns.len()))
    }

    /// Tells of every place at which one of the patterns stands.
    fn matches(&self, bytes: &[u8], mut tell: impl FnMut(usize, usize)) {
        for (offset, four) in bytes.windows(4).enumerate() {
            if !self.pairs[usize::from(u16::from_be_bytes([four[0], four[1]]))] {
                continue;
            }
            for candidate in self.heads.get(four).into_iter().flatten() {
                if bytes[offset..].starts_with(&self.patterns[*candidate].2) {
                    tell(offset, *candidate);
                }
            }
        }
    }

    /// All that is in these bytes.
    pub(crate) fn find(&self, place: &str, bytes: &[u8]) -> Vec<Leak> {
        let mut leaks = Vec::new();
        self.matches(bytes, |offset, pattern| {
            let (number, form, _) = &self.patterns[pattern];
            let name = self.planted[*number].name.clone();
            leaks.push(Leak { place: place.to_owned(), name, form, offset });
        });
        leaks
    }

    /// All that is in the files of a folder, and in their names; how many bytes were read.
    pub(crate) fn folder(&self, folder: &Path, leaks: &mut Vec<Leak>) -> Result<u64> {
        let mut read = 0;
        for path in files(folder)? {
            let place = path.display().to_string();
            let bytes = match fs::read(&path) {
                // A database that runs removes files of its own: what is gone holds nothing.
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                bytes => bytes.with_context(|| place.clone())?,
            };
            read += bytes.len() as u64;
            leaks.extend(self.find(&place, &bytes));
            leaks.extend(self.find(&format!("the name of {place}"), place.as_bytes()));
        }
        Ok(read)
    }
}

/// Every file under `folder`, links not followed.
pub(crate) fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let kind = match fs::symlink_metadata(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            kind => kind?,
        };
        if kind.is_dir() {
            found.extend(files(&path)?);
        } else if kind.is_file() {
            found.push(path);
        }
    }
    Ok(found)
}

/// The comparison file: what a service that sealed nothing would leave behind.
#[test]
fn every_form_of_every_kind_of_value_is_found_wherever_it_lies() -> Result<()> {
    let planted = vec![
        Planted::text("a name", "Zoë Quillfeather-Brønn"),
        Planted::text("an identifier", "CANARY-MEMBER-7Q1Z"),
        Planted::text("a date", "1947-03-19"),
        Planted::number("an amount", 3_141_592_653),
        Planted::bytes("a salt", &[0x9d, 0x41, 0, 0xff, 0x13, 0x77, 0xc0, 0xde, 0x55, 0xaa, 0x01, 0x02]),
    ];
    let searcher = Searcher::new(planted);
    let folder = tempfile::tempdir()?;
    let mut noise = 0x2545_f491_4f6c_dd1du64;
    let mut byte = || {
        noise ^= noise << 13;
        noise ^= noise >> 7;
        noise ^= noise << 17;
        noise as u8
    };
    let empty: Vec<u8> = (0..100_000).map(|_| byte()).collect();
    assert_eq!(searcher.find("noise", &empty), [], "found by chance");
    let mut forms = 0;
    for planted in searcher.planted() {
        for (form, pattern) in planted.forms() {
            forms += 1;
            // In the middle, at the very start and at the very end of a file, at every distance from a word.
            for offset in [0, 1, 2, 3, 4097] {
                let mut bytes = empty[..offset].to_vec();
                bytes.extend_from_slice(&pattern);
                let path = folder.path().join("unsealed");
                fs::write(&path, &bytes)?;
                let mut leaks = Vec::new();
                searcher.folder(folder.path(), &mut leaks)?;
                let found = leaks
                    .iter()
                    .any(|leak| leak.name == planted.name && leak.form == form && leak.offset == offset);
                assert!(found, "{} as {form} at {offset} was not found", planted.name);
            }
        }
    }
    assert!(forms > 60, "only {forms} forms");
    // Not made by this file's own forms: by others' encoders, in the middle of other bytes.
    let written = [
        serde_json::to_vec(&serde_json::json!({"note": "seen: Zoë Quillfeather-Brønn."}))?,
        format!("{:?}", b"id CANARY-MEMBER-7Q1Z;".to_vec()).into_bytes(),
        format!("{:02x?}", "x").into_bytes(),
        STANDARD_NO_PAD.encode("born 1947-03-19, female").into_bytes(),
        (-1i64).to_be_bytes().into_iter().chain(3_141_592_653i64.to_be_bytes()).collect(),
    ];
    let found: Vec<bool> = written.iter().map(|bytes| !searcher.find("written", bytes).is_empty()).collect();
    assert_eq!(found, [true, true, false, true, true]);
    Ok(())
}
