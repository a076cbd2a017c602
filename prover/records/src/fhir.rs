//! FHIR R4 claims: a `Bundle`, or a single `Claim` or `ExplanationOfBenefit`.
//!
//! One `Claim` gives one claim. An `ExplanationOfBenefit` repeats a claim and is read only where the bundle does not
//! hold the claim that it explains. `docs/records.md` lists the elements that are used.

mod bundle;
mod claim;
pub(crate) mod consent;
mod days;
mod item;
mod party;
mod resource;

pub(crate) use bundle::{Bundle, Entry};
pub(crate) use party::party;
pub(crate) use resource::{Coded, Period, Reference, date as day};

use crate::ingest::{Defect, Fault, Found, Ingested, Refused, named};

/// Reads the claims of a FHIR file; `file` is what the report calls it.
#[must_use]
pub fn ingest_fhir(bytes: &[u8], file: &str) -> Ingested {
    let mut ingested = Ingested { files: 1, ..Ingested::default() };
    let refuse = |ingested: &mut Ingested, fault: Fault| {
        ingested.refused.push(Refused {
            file: file.to_owned(),
            element: fault.element,
            defect: fault.defect,
        });
    };
    let bundle = match Bundle::read(bytes) {
        Ok((bundle, faults)) => {
            faults.into_iter().for_each(|fault| refuse(&mut ingested, fault));
            bundle
        }
        Err(fault) => {
            refuse(&mut ingested, fault);
            return ingested;
        }
    };
    for entry in bundle.entries() {
        let read = match entry.kind.as_str() {
            "Claim" => claim::read(&bundle, entry),
            "ExplanationOfBenefit" => match claim::explains_a_claim_here(&bundle, entry) {
                Ok(true) => continue,
                Ok(false) => claim::read(&bundle, entry),
                Err(fault) => Err(fault),
            },
            kind if bundle.is_single() => {
                let what =
                    format!("a {kind} holds no claim; give a Claim, an ExplanationOfBenefit or a Bundle");
                Err(Fault::new("resourceType", Defect::unsupported(what)))
            }
            _ => continue,
        };
        match read.and_then(named) {
            Ok(claim) => ingested.claims.push(Found { file: file.to_owned(), claim }),
            Err(fault) => refuse(&mut ingested, fault.within(&entry.name(), '.')),
        }
        if let Some(fault) = bundle.exhausted() {
            // Whatever was read since may lack what it refers to.
            ingested = Ingested { files: 1, ..Ingested::default() };
            refuse(&mut ingested, fault);
            break;
        }
    }
    ingested
}
