//! A file's resources, and how references between them resolve.

use super::resource::Identifier;
use crate::{
    ingest::{Defect, Fault},
    json,
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::value::RawValue;
use std::{cell::Cell, collections::BTreeMap};

/// Resources that others refer to are read again at each reference: in all at most so many times the bytes of the file.
const MOST_READ_AGAIN: usize = 64;

/// The resources of one file.
pub(crate) struct Bundle<'a> {
    entries: Vec<Entry<'a>>,
    /// Indices by full URL and by `Type/id`.
    places: BTreeMap<String, usize>,
    single: bool,
    /// How many bytes may still be read again; `None` after more were asked for.
    left: Cell<Option<usize>>,
}

/// One resource, not yet read.
pub(crate) struct Entry<'a> {
    pub(crate) kind: String,
    pub(crate) id: Option<String>,
    pub(crate) identifier: Option<Identifier>,
    place: usize,
    raw: &'a RawValue,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    resource_type: String,
    id: Option<String>,
}

/// Whatever can be told of any resource; its `identifier` is one value or a list, by type.
#[derive(Deserialize)]
struct Identified {
    #[serde(default)]
    identifier: Option<OneOrMany>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    Many(Vec<Identifier>),
    One(Identifier),
}

#[derive(Deserialize)]
struct BundleForm<'a> {
    #[serde(default, borrow)]
    entry: Vec<EntryForm<'a>>,
}

#[derive(Deserialize)]
struct EntryForm<'a> {
    #[serde(rename = "fullUrl")]
    full_url: Option<String>,
    #[serde(borrow)]
    resource: Option<&'a RawValue>,
}

fn read<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Fault> {
    let mut json = serde_json::Deserializer::from_str(text);
    serde_path_to_error::deserialize(&mut json).map_err(|e| {
        let path = e.path().to_string();
        let element = if path == "." { "resource".to_owned() } else { path };
        Fault::new(element, Defect::malformed(expectation(&json::problem(e.inner()))))
    })
}

/// A message of the JSON reader, after "expected".
fn expectation(problem: &str) -> String {
    problem.strip_prefix("expected ").map_or_else(|| format!("a sound element: {problem}"), ToOwned::to_owned)
}

impl<'a> Bundle<'a> {
    /// Reads the outer form. Entries that are no resources are faults; the others are kept.
    pub(crate) fn read(bytes: &'a [u8]) -> Result<(Self, Vec<Fault>), Fault> {
        let text = std::str::from_utf8(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes))
            .map_err(|_| Fault::new("document", Defect::malformed("UTF-8 text")))?;
        let whole: &RawValue = serde_json::from_str(text)
            .map_err(|e| Fault::new("document", Defect::malformed(expectation(&json::problem(&e)))))?;
        let head: Head = read(text)?;
        let left = Cell::new(Some(text.len().saturating_mul(MOST_READ_AGAIN)));
        if head.resource_type != "Bundle" {
            let entry = Entry::new(whole, head, 0);
            let places = BTreeMap::new();
            return Ok((Self { entries: vec![entry], places, single: true, left }, Vec::new()));
        }
        let form: BundleForm<'a> = read(text)?;
        let mut bundle = Self { entries: Vec::new(), places: BTreeMap::new(), single: false, left };
        let mut faults = Vec::new();
        for (place, form) in form.entry.into_iter().enumerate() {
            let Some(raw) = form.resource else { continue };
            match read::<Head>(raw.get()) {
                Ok(head) => {
                    let entry = Entry::new(raw, head, place);
                    let index = bundle.entries.len();
                    bundle.places.extend(form.full_url.map(|url| (url, index)));
                    bundle.places.extend(entry.id.as_ref().map(|id| (format!("{}/{id}", entry.kind), index)));
                    bundle.entries.push(entry);
                }
                Err(fault) => faults.push(fault.within(&format!("entry[{place}].resource"), '.')),
            }
        }
        Ok((bundle, faults))
    }

    pub(crate) fn entries(&self) -> &[Entry<'a>] {
        &self.entries
    }

    /// Whether the file is one resource and no bundle.
    pub(crate) const fn is_single(&self) -> bool {
        self.single
    }

    /// The resource that a literal reference names, `None` where it is not in this file.
    pub(crate) fn find(&self, reference: &str) -> Option<&Entry<'a>> {
        let version = reference.find("/_history/").unwrap_or(reference.len());
        self.places.get(&reference[..version]).and_then(|index| self.entries.get(*index))
    }
}

impl Bundle<'_> {
    /// Reads a resource that another one refers to.
    ///
    /// A stranger's file may refer to one long resource from every line: what is read for references is bounded by the file's length, and
    /// [`Bundle::exhausted`] says when it was too much.
    pub(crate) fn referred<T: DeserializeOwned>(&self, entry: &Entry<'_>) -> Result<T, Fault> {
        let left = self.left.get().and_then(|left| left.checked_sub(entry.raw.get().len()));
        self.left.set(left);
        match self.exhausted() {
            Some(fault) => Err(fault),
            None => entry.parse(),
        }
    }

    /// The fault of a file whose references ask for too much: nothing that was read of it is whole.
    pub(crate) fn exhausted(&self) -> Option<Fault> {
        let expected = "resources that refer to long ones less often; split the file";
        self.left.get().is_none().then(|| Fault::new("document", Defect::malformed(expected)))
    }
}

impl<'a> Entry<'a> {
    fn new(raw: &'a RawValue, head: Head, place: usize) -> Self {
        let identifier = serde_json::from_str::<Identified>(raw.get()).ok().and_then(|i| i.identifier);
        let identifier = identifier.and_then(|some| match some {
            OneOrMany::Many(all) => all.into_iter().next(),
            OneOrMany::One(one) => Some(one),
        });
        Self { kind: head.resource_type, id: head.id, identifier, place, raw }
    }

    /// A resource inside another.
    pub(crate) fn contained(raw: &'a RawValue) -> Result<Self, Fault> {
        read::<Head>(raw.get()).map(|head| Self::new(raw, head, 0))
    }

    /// How refusals call it.
    pub(crate) fn name(&self) -> String {
        match &self.id {
            Some(id) => format!("{}/{id}", self.kind),
            None => format!("entry[{}].{}", self.place, self.kind),
        }
    }

    /// Reads it as a resource of a known type.
    pub(crate) fn parse<T: DeserializeOwned>(&self) -> Result<T, Fault> {
        read(self.raw.get())
    }

    /// Reads it, borrowing its text.
    pub(crate) fn borrow<T: Deserialize<'a>>(&self) -> Result<T, Fault> {
        read(self.raw.get())
    }
}
