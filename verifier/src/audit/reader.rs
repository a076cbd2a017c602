//! Reads an export line by line and says whether it is a part of one unbroken log.
//!
//! Every line must be, byte for byte, what this program would write for what it says, so no two files say the same.

use super::{Anchor, Anchors, BEFORE_FIRST, Entry, Hash, broken, from_hex};
use crate::VerifyError;
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    io::{BufRead, Read},
};

/// The format's name and version.
pub const EXPORT_FORMAT: &str = "nightingale audit export 1";
/// The longest line: a question of the largest request, escaped.
const MOST_LINE_BYTES: u64 = 256 << 20;

/// The first line of an export.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Opening {
    /// [`EXPORT_FORMAT`].
    pub format: String,
    /// Whose log.
    pub tenant: String,
    /// The name of the log: random bytes, drawn when it was begun.
    pub log: String,
    /// The sequence of the first entry that follows.
    pub first: u64,
    /// The hash of the entry before that; zeros before the first.
    pub previous: String,
}

/// The last line of an export: without it the file was cut off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Closing {
    /// The sequence of the last entry.
    pub last: u64,
    /// Its hash.
    pub head: String,
}

/// A line in between.
#[derive(Serialize, Deserialize)]
struct EntryLine {
    #[serde(flatten)]
    entry: Entry,
    hash: String,
}

impl Opening {
    /// Of an export from entry `first` on, which follows `previous`.
    #[must_use]
    pub fn new(tenant: &str, log: &Hash, first: u64, previous: &Hash) -> Self {
        let (tenant, previous) = (tenant.to_owned(), hex::encode(previous));
        Self { format: EXPORT_FORMAT.to_owned(), tenant, log: hex::encode(log), first, previous }
    }
}

/// An entry's line, without its end.
#[must_use]
pub fn entry_line(entry: &Entry, hash: &Hash) -> String {
    line(&EntryLine { entry: entry.clone(), hash: hex::encode(hash) })
}

/// The opening's or closing's line, without its end.
#[must_use]
pub fn line<T: Serialize>(value: &T) -> String {
    // Texts, numbers and lists of them always have a JSON form.
    serde_json::to_string(value).unwrap_or_default()
}

/// What an unbroken export is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Whose log.
    pub tenant: String,
    /// The first entry that it holds.
    pub first: u64,
    /// The last.
    pub last: u64,
    /// The last one's hash.
    pub head: Hash,
    /// The log's name.
    pub log: Hash,
    /// How many entries there are of each event.
    pub events: BTreeMap<String, u64>,
    /// The sequences of break-glass entries.
    pub break_glass: Vec<u64>,
    /// The newest anchor that the export agrees with.
    pub anchored: Option<Anchor>,
}

/// Reads an export. It is given line after line; nothing of it is kept.
pub struct Reader<'a> {
    anchors: &'a [Anchors],
    opening: Option<Opening>,
    closed: bool,
    number: u64,
    last: u64,
    head: Hash,
    log: Hash,
    events: BTreeMap<String, u64>,
    break_glass: Vec<u64>,
    anchored: Option<Anchor>,
}

impl<'a> Reader<'a> {
    /// For an export that must agree with all of these anchors.
    #[must_use]
    pub const fn new(anchors: &'a [Anchors]) -> Self {
        Self {
            anchors,
            opening: None,
            closed: false,
            number: 0,
            last: 0,
            head: BEFORE_FIRST,
            log: BEFORE_FIRST,
            events: BTreeMap::new(),
            break_glass: Vec::new(),
            anchored: None,
        }
    }

    /// Reads a whole export; `each` is given every entry that holds, in order.
    ///
    /// # Errors
    /// The first place where it is not one unbroken log, or not the anchored one; a file that cannot be read.
    pub fn read(
        mut self,
        mut source: impl BufRead,
        mut each: impl FnMut(&Entry, &Hash),
    ) -> Result<Verified, VerifyError> {
        let mut bytes = Vec::new();
        loop {
            bytes.clear();
            let unreadable = |problem: String| VerifyError::Unreadable { what: "audit export", problem };
            let mut one = source.by_ref().take(MOST_LINE_BYTES);
            one.read_until(b'\n', &mut bytes).map_err(|error| unreadable(error.to_string()))?;
            if bytes.is_empty() {
                return self.finish();
            }
            self.line(&bytes, &mut each)?;
        }
    }

    fn line(&mut self, bytes: &[u8], each: &mut impl FnMut(&Entry, &Hash)) -> Result<(), VerifyError> {
        self.number += 1;
        let next = self.last.saturating_add(1);
        if self.closed {
            return Err(broken(next, format!("line {} stands after the closing line", self.number)));
        }
        let cut = || broken(next, format!("line {} is cut off: it has no end", self.number));
        let text = bytes.strip_suffix(b"\n").ok_or_else(cut)?;
        let Some(opening) = &self.opening else {
            let opening = self.opening_line(text)?;
            self.log = from_hex(&opening.log).unwrap_or_default();
            (self.last, self.head) = (opening.first - 1, from_hex(&opening.previous).unwrap_or_default());
            self.opening = Some(opening);
            return self.hold_against_anchors();
        };
        if text.starts_with(b"{\"last\":") {
            let closing: Closing = exact(text).ok_or_else(|| self.altered(next))?;
            if closing.last != self.last || closing.head != hex::encode(self.head) {
                let (told, found) = (closing.last, self.last);
                let problem = format!("the export closes with entry {told}, but entry {found} came last");
                return Err(broken(self.last, problem));
            }
            self.closed = true;
            return Ok(());
        }
        let EntryLine { entry, hash } = exact(text).ok_or_else(|| self.altered(next))?;
        if entry.sequence != next {
            let problem = format!(
                "line {} holds entry {} instead: entries were removed, inserted or moved",
                self.number, entry.sequence
            );
            return Err(broken(next, problem));
        }
        let expected = entry.hash(&opening.tenant, &self.log, &self.head);
        if hash != hex::encode(expected) {
            return Err(broken(next, "it was altered, or does not follow the entry before it"));
        }
        (self.last, self.head) = (next, expected);
        self.hold_against_anchors()?;
        if entry.event == "break_glass" {
            self.break_glass.push(next);
        }
        *self.events.entry(entry.event.clone()).or_default() += 1;
        each(&entry, &expected);
        Ok(())
    }

    fn opening_line(&self, text: &[u8]) -> Result<Opening, VerifyError> {
        let unreadable =
            |problem: &str| VerifyError::Unreadable { what: "audit export", problem: problem.into() };
        let opening: Opening =
            exact(text).ok_or_else(|| unreadable("its first line is not an opening line"))?;
        if opening.format != EXPORT_FORMAT {
            return Err(unreadable("its first line names another format; this program knows version 1"));
        }
        let named = |text: &str| from_hex(text).ok_or_else(|| unreadable("its opening names no hash"));
        let (_, previous) = (named(&opening.log)?, named(&opening.previous)?);
        if opening.first == 0 || (opening.first == 1) != (previous == BEFORE_FIRST) {
            return Err(broken(opening.first, "the opening line says something else of what is before it"));
        }
        Ok(opening)
    }

    fn altered(&self, sequence: u64) -> VerifyError {
        broken(sequence, format!("line {} is not what the service wrote", self.number))
    }

    /// Compares the entry that was read last with what was anchored of it.
    fn hold_against_anchors(&mut self) -> Result<(), VerifyError> {
        for anchors in self.anchors {
            if anchors.log.is_some_and(|log| log != self.log) {
                return Err(broken(self.last, "it is of another log than the one that was anchored"));
            }
            let found = anchors.all.binary_search_by_key(&self.last, |anchor| anchor.sequence);
            let Some(anchor) = found.ok().and_then(|place| anchors.all.get(place)) else { continue };
            if anchor.head != self.head {
                let problem = format!(
                    "its hash is {}, anchored was {} ({}): the log was written anew at or before this entry",
                    hex::encode(self.head),
                    hex::encode(anchor.head),
                    anchor.place
                );
                return Err(broken(self.last, problem));
            }
            if self.anchored.as_ref().is_none_or(|held| held.sequence < anchor.sequence) {
                self.anchored = Some(anchor.clone());
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<Verified, VerifyError> {
        let Some(opening) = self.opening else {
            return Err(VerifyError::Unreadable { what: "audit export", problem: "it is empty".into() });
        };
        if !self.closed {
            return Err(broken(
                self.last.saturating_add(1),
                "the export is cut off: its closing line is missing",
            ));
        }
        let beyond =
            self.anchors.iter().filter_map(Anchors::newest).find(|anchor| anchor.sequence > self.last);
        if let Some(anchor) = beyond {
            let problem = format!(
                "it is missing: entry {} was anchored ({}), the export ends with entry {}",
                anchor.sequence, anchor.place, self.last
            );
            return Err(broken(self.last.saturating_add(1), problem));
        }
        Ok(Verified {
            tenant: opening.tenant,
            first: opening.first,
            last: self.last,
            head: self.head,
            log: self.log,
            events: self.events,
            break_glass: self.break_glass,
            anchored: self.anchored,
        })
    }
}

/// What a line says, if it is the one way to say it.
fn exact<T: Serialize + for<'de> Deserialize<'de>>(text: &[u8]) -> Option<T> {
    let value: T = serde_json::from_slice(text).ok()?;
    (line(&value).as_bytes() == text).then_some(value)
}
