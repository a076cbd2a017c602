//! The HL hierarchy of an 837P set: who bills, who is insured, who is treated, and the claims below them.

use super::{claim, envelope::Transaction, segment::Segment};
use crate::{
    ClaimFile,
    ingest::{Defect, Fault, named},
    notation::Notation,
};
use nightingale_circuits::claim::{Date, Npi};

/// What stands above a claim.
#[derive(Clone, Default)]
pub(super) struct Above<'a> {
    /// BHT04: when the file was made.
    pub(super) filed: &'a str,
    /// Loop 2010AA, NM1*85.
    pub(super) billing: Option<String>,
    /// Loop 2010BB, NM1*PR: the payer's identifier.
    pub(super) payer: Option<&'a str>,
    subscriber: Person<'a>,
    patient: Option<Person<'a>>,
}

#[derive(Clone, Default)]
struct Person<'a> {
    identifier: &'a str,
    given: &'a str,
    family: &'a str,
    birth: &'a str,
}

impl Above<'_> {
    /// The subscriber's member number; for a dependent, who has none, also birth date and first name:
    /// `JS00111223333:19730501:TED`.
    pub(super) fn patient(&self) -> Result<String, Fault> {
        let subscriber = self.subscriber.identifier;
        if subscriber.is_empty() {
            return Err(Fault::new(
                "2010BA NM1-09",
                Defect::Missing { needed: "the subscriber's member number" },
            ));
        }
        let Some(dependent) = &self.patient else { return Ok(subscriber.to_owned()) };
        if dependent.given.is_empty() && dependent.family.is_empty() {
            return Err(Fault::new("2010CA NM1-04", Defect::Missing { needed: "the patient's name" }));
        }
        if dependent.birth.is_empty() {
            return Err(Fault::new("2010CA DMG-02", Defect::Missing { needed: "the patient's birth date" }));
        }
        let given = if dependent.given.is_empty() { dependent.family } else { dependent.given };
        Ok(format!("{subscriber}:{}:{}", dependent.birth, given.to_uppercase()))
    }
}

/// The claims of a set, and a fault for each CLM that gives none.
pub(super) fn claims(transaction: &Transaction<'_>) -> (Vec<ClaimFile>, Vec<Fault>) {
    let (mut claims, mut faults) = (Vec::new(), Vec::new());
    let mut above = Above::default();
    let segments = &transaction.segments;
    let mut at = 0;
    let mut found = 0;
    while let Some(segment) = segments.get(at) {
        if segment.id() != "CLM" {
            take(segment, &mut above);
            at += 1;
            continue;
        }
        let ends = |other: &Segment<'_>| matches!(other.id(), "CLM" | "HL");
        let end = segments[at + 1..].iter().position(ends).map_or(segments.len(), |offset| at + 1 + offset);
        found += 1;
        match claim::read(&segments[at..end], &above).and_then(named) {
            Ok(claim) => claims.push(claim),
            Err(fault) => {
                let id = segment.element(1);
                let name = if id.is_empty() { format!("CLM[{found}]") } else { format!("CLM {id}") };
                faults.push(fault.within(&name, ' '));
            }
        }
        at = end;
    }
    if found == 0 {
        faults.push(Fault::new("CLM", Defect::Missing { needed: "a claim" }));
    }
    (claims, faults)
}

fn take<'a>(segment: &Segment<'a>, above: &mut Above<'a>) {
    match (segment.id(), segment.element(1)) {
        ("BHT", _) => above.filed = segment.element(4),
        ("HL", _) => descend(segment.element(3), above),
        ("NM1", "85") => above.billing = provider(segment),
        ("NM1", "PR") => above.payer = Some(segment.element(9)).filter(|id| !id.is_empty()),
        ("NM1", "IL") => above.subscriber = person(segment),
        ("NM1", "QC") => above.patient = Some(person(segment)),
        ("DMG", _) => {
            let who = above.patient.as_mut().unwrap_or(&mut above.subscriber);
            who.birth = segment.element(2);
        }
        _ => {}
    }
}

/// A new level forgets what stood below its parent.
fn descend<'a>(level: &str, above: &mut Above<'a>) {
    let kept = Above { filed: above.filed, ..Above::default() };
    match level {
        "20" => *above = kept,
        "22" => *above = Above { billing: above.billing.take(), ..kept },
        "23" => above.patient = None,
        _ => {}
    }
}

fn person<'a>(segment: &Segment<'a>) -> Person<'a> {
    Person {
        identifier: segment.element(9),
        given: segment.element(4),
        family: segment.element(3),
        birth: "",
    }
}

/// The NPI of an NM1, else the name in it for the registers to know, `None` where there is neither.
pub(super) fn provider(segment: &Segment<'_>) -> Option<String> {
    let npi = Some(segment.element(9)).filter(|id| segment.element(8) == "XX" && Npi::read(id).is_some());
    npi.map(ToOwned::to_owned).or_else(|| {
        let name = [segment.element(3), segment.element(4)];
        let name: Vec<&str> = name.into_iter().filter(|part| !part.is_empty()).collect();
        (!name.is_empty()).then(|| name.join(", "))
    })
}

/// A `CCYYMMDD` date.
pub(super) fn date(text: &str, element: &str) -> Result<Date, Fault> {
    let parts = (text.get(..4), text.get(4..6), text.get(6..8));
    let (Some(year), Some(month), Some(day)) = parts else {
        return Err(Fault::new(element, Defect::malformed("a date as CCYYMMDD")));
    };
    Some(format!("{year}-{month}-{day}"))
        .filter(|_| text.len() == 8)
        .and_then(|text| Date::read(&text))
        .ok_or_else(|| Fault::new(element, Defect::malformed("a date as CCYYMMDD from 1901 to 2099")))
}
