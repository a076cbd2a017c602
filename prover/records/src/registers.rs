//! The registers as people write them: one JSON file, or a directory with one file per register.
//!
//! `docs/records.md` describes each member, `schemas/registers.json` is the schema. [`Registers::build`] checks
//! everything and builds the Merkle registers; nothing is repaired or ignored.

mod build;
mod document;
mod import;
mod keys;
mod set;

pub use set::RegisterSet;

pub(crate) use document::{
    AccountDocument, AuthorisationDocument, ConsentDocument, CustodianDocument, EnrolmentDocument,
    FilingDocument, GroupDocument, PlanDocument, PolicyDocument, ProviderDocument, RegistersDocument,
};
pub(crate) use set::random_secret;

use crate::{
    RecordsError, json,
    notation::{Notation, Written},
    request::VenueDocument,
};
use nightingale_circuits::claim::{Address, Consent, Venue};
use serde_json::{Map, Value};
use std::{fs, path::Path};
use zeroize::Zeroizing;

/// A payer's registers, a consent authority's, and what the custodian keeps about its members.
///
/// With the custodian's part they hold keys and balances: treat them as health records.
#[derive(Clone)]
pub struct Registers(pub(crate) RegistersDocument);

impl Registers {
    /// Reads one file with all registers.
    ///
    /// # Errors
    /// [`RecordsError::Format`] names the element and what was expected.
    pub fn from_json(bytes: &[u8]) -> Result<Self, RecordsError> {
        json::read(bytes).map(Self)
    }

    /// Writes all registers into one file.
    #[must_use]
    pub fn to_json(&self) -> Zeroizing<String> {
        json::write(&self.0)
    }

    /// Reads a file, or a directory in which `policy.json` holds the member `policy`, and so on; `registers.json`
    /// there holds whatever members have no file of their own.
    ///
    /// # Errors
    /// A file that cannot be read, a member given twice, or what [`Registers::from_json`] refuses.
    pub fn open(path: &Path) -> Result<Self, RecordsError> {
        if !path.is_dir() {
            return Self::from_json(&read(path)?);
        }
        let rest = path.join("registers.json");
        let mut members: Map<String, Value> = if rest.exists() {
            json::read(&read(&rest)?).map_err(|e| in_file(e, "registers.json"))?
        } else {
            Map::new()
        };
        let unreadable = |source| RecordsError::Unreadable { path: path.to_owned(), source };
        let mut files: Vec<_> =
            fs::read_dir(path).map_err(unreadable)?.collect::<Result<_, _>>().map_err(unreadable)?;
        files.sort_by_key(fs::DirEntry::path);
        for file in files {
            let path = file.path();
            let Some(member) = path.file_stem().and_then(|stem| stem.to_str()).map(ToOwned::to_owned) else {
                continue;
            };
            if path.extension().is_none_or(|extension| extension != "json") || member == "registers" {
                continue;
            }
            let value: Value =
                json::read(&read(&path)?).map_err(|e| in_file(e, &format!("{member}.json")))?;
            if members.insert(member.clone(), value).is_some() {
                return Err(RecordsError::format(
                    member,
                    "stands in registers.json and in its own file; keep one",
                ));
            }
        }
        let all = Zeroizing::new(Value::Object(members).to_string());
        Self::from_json(all.as_bytes())
    }

    /// Sets where the epoch's claims are settled: every proof names it.
    pub fn set_venue(&mut self, venue: Venue) {
        self.0.venue = VenueDocument::of_venue(venue);
    }

    /// Sets where every provider of the registers is paid.
    pub fn set_settlement(&mut self, address: Address) {
        self.0.providers.iter_mut().for_each(|provider| provider.settlement = Written(address));
    }

    /// Checks and builds every register.
    ///
    /// # Errors
    /// [`RecordsError::Format`] names the first element that is wrong: an overlap, a duplicate, a value outside its
    /// width, a name that nothing defines, a member with two nullifier keys.
    pub fn build(&self) -> Result<RegisterSet, RecordsError> {
        build::build(&self.0)
    }

    /// Adds what FHIR resources say: `Coverage` with its `Patient` becomes enrolment, `Consent` becomes a consent.
    ///
    /// The mapping, and what each resource must hold, is in `docs/records.md`. A bundle or a single resource; other
    /// resource types are passed over. Gives the number of entries added.
    ///
    /// # Errors
    /// [`RecordsError::Format`] names the element that cannot be mapped; nothing is added then.
    pub fn import_fhir(&mut self, bytes: &[u8]) -> Result<usize, RecordsError> {
        import::import(&mut self.0, bytes)
    }
}

/// The `consents` member of the registers, with members and payers by their numbers.
pub(crate) fn consents_json(consents: &[Consent]) -> Zeroizing<String> {
    let document = |consent: &Consent| ConsentDocument {
        member: consent.member.write(),
        payer: Some(consent.payer.write()),
        purpose: consent.purpose,
        data_class: consent.data_class,
        from: Written(consent.from),
        to: Written(consent.to),
        permit: consent.permit,
    };
    json::write(&consents.iter().map(document).collect::<Vec<_>>())
}

fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, RecordsError> {
    fs::read(path)
        .map(Zeroizing::new)
        .map_err(|source| RecordsError::Unreadable { path: path.to_owned(), source })
}

fn in_file(error: RecordsError, file: &str) -> RecordsError {
    match error {
        RecordsError::Format { element, problem } => {
            RecordsError::Format { element: format!("{file}: {element}"), problem }
        }
        other => other,
    }
}
