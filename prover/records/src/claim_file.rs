//! A claim as a provider files it: readable, hand-editable, with names where registers know the numbers.
//!
//! Reading FHIR or X12 gives these; [`crate::RegisterSet::request`] turns one into a request. The format is described
//! in `docs/records.md`, its schema is `schemas/claim.json`.

mod document;

pub(crate) use document::ClaimDocument;

use crate::{RecordsError, json};
use nightingale_circuits::claim::{ClaimType, Code, Date, Line, account::Secret, types::MODIFIERS};
use std::collections::BTreeMap;
use zeroize::Zeroizing;

/// How a claim names its plan.
#[derive(Clone, PartialEq, Eq)]
pub enum PlanName {
    /// By the payer's number.
    Number(u16),
    /// By a name that the registers translate.
    Name(String),
}

/// One claim, its parties named by text.
///
/// Identifiers are folded by [`nightingale_circuits::claim::Id::from_text`]; one written `id:0x` and 24 hex digits
/// is already folded.
#[derive(Clone)]
pub struct ClaimFile {
    /// The provider's own number for it; shown to people, part of no commitment.
    pub id: String,
    /// Sort of claim.
    pub kind: ClaimType,
    /// The payer it is addressed to; when absent, the payer that is asked.
    pub insurer: Option<String>,
    /// The plan, if it names one.
    pub plan: Option<PlanName>,
    /// The coverage under which it is billed.
    pub coverage: String,
    /// The patient.
    pub patient: String,
    /// Prior authorisation reference.
    pub authorisation: Option<String>,
    /// Who bills: an NPI, or a name that the registers list for a provider.
    pub billing: String,
    /// Who rendered the services, likewise.
    pub rendering: String,
    /// Diagnoses, in the claim's order.
    pub diagnoses: Vec<Code>,
    /// Service lines, in the claim's order.
    pub lines: Vec<Line>,
    /// When it was filed (`Claim.created`, BHT04): the day of receipt unless the payer's receipt says another.
    pub received: Option<Date>,
    /// The salt of its commitment; a random one is drawn when absent.
    pub salt: Option<Secret>,
}

impl ClaimFile {
    /// Reads a claim file.
    ///
    /// # Errors
    /// [`RecordsError::Format`] names the element and what was expected.
    pub fn from_json(bytes: &[u8]) -> Result<Self, RecordsError> {
        json::read::<ClaimDocument>(bytes)?.into_file()
    }

    /// Writes a claim file.
    #[must_use]
    pub fn to_json(&self) -> Zeroizing<String> {
        json::write(&ClaimDocument::of_file(self))
    }

    /// The sum of its charges, in cents.
    #[must_use]
    pub fn charge_cents(&self) -> u64 {
        self.lines.iter().map(|line| u64::from(line.charge_cents)).sum()
    }
}

/// Numbers lines that bill one service repeatedly: 0 for the first, 1 for the second, ...
///
/// Lines are the same service when code, modifiers in any order and dates agree: what a nullifier is made of. Counted in a map, since a
/// stranger's claim may have any number of lines.
#[derive(Default)]
pub(crate) struct Services(BTreeMap<(Code, [u16; MODIFIERS], Date, Date), u8>);

impl Services {
    /// The number of the next line; `None` from the seventeenth of one service on.
    pub(crate) fn number(&mut self, line: &Line) -> Option<u8> {
        let mut modifiers = line.modifier_slots();
        modifiers.sort_unstable();
        let next = self.0.entry((line.code, modifiers, line.from, line.through)).or_default();
        let number = *next;
        *next = next.saturating_add(1);
        Some(number).filter(|number| *number < 16)
    }
}
