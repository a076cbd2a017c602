//! The parts of FHIR R4 types that are used. Other elements are passed over; decimals stay text.

use crate::{
    ingest::{Defect, Fault},
    notation::{Notation, cents},
};
use nightingale_circuits::claim::{Code, CodeSystem, Date};
use serde::Deserialize;
use serde_json::value::RawValue;

#[derive(Clone, Default, Deserialize)]
pub(crate) struct Identifier {
    pub(crate) system: Option<String>,
    pub(crate) value: Option<String>,
}

impl Identifier {
    /// `system|value`, as FHIR searches write it.
    pub(crate) fn text(&self) -> Option<String> {
        let value = self.value.as_ref()?;
        Some(self.system.as_ref().map_or_else(|| value.clone(), |system| format!("{system}|{value}")))
    }
}

#[derive(Clone, Default, Deserialize)]
pub(crate) struct Reference {
    pub(crate) reference: Option<String>,
    pub(crate) identifier: Option<Identifier>,
    pub(crate) display: Option<String>,
}

#[derive(Clone, Default, Deserialize)]
pub(crate) struct Coding {
    pub(crate) system: Option<String>,
    pub(crate) code: Option<String>,
}

/// `CodeableConcept`.
#[derive(Clone, Default, Deserialize)]
pub(crate) struct Coded {
    #[serde(default)]
    pub(crate) coding: Vec<Coding>,
}

/// The vocabularies that FHIR names by these URIs (terminology.hl7.org, "Code systems"; HL7 OIDs).
const VOCABULARIES: [(&str, CodeSystem); 13] = [
    ("http://www.ama-assn.org/go/cpt", CodeSystem::Cpt),
    ("urn:oid:2.16.840.1.113883.6.12", CodeSystem::Cpt),
    ("https://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets", CodeSystem::Cpt),
    ("http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets", CodeSystem::Cpt),
    ("urn:oid:2.16.840.1.113883.6.285", CodeSystem::Cpt),
    ("http://snomed.info/sct", CodeSystem::Snomed),
    ("http://hl7.org/fhir/sid/cvx", CodeSystem::Cvx),
    ("http://www.nlm.nih.gov/research/umls/rxnorm", CodeSystem::RxNorm),
    ("http://hl7.org/fhir/sid/icd-10-cm", CodeSystem::Icd10Cm),
    ("http://hl7.org/fhir/sid/icd-10", CodeSystem::Icd10Cm),
    ("http://hl7.org/fhir/sid/icd-9-cm", CodeSystem::Icd9Cm),
    ("http://hl7.org/fhir/sid/icd-9-cm/diagnosis", CodeSystem::Icd9Cm),
    ("http://terminology.hl7.org/CodeSystem/icd9cm", CodeSystem::Icd9Cm),
];

/// The vocabulary of a URI.
fn vocabulary(system: Option<&str>) -> Option<CodeSystem> {
    VOCABULARIES.into_iter().find(|(uri, _)| Some(*uri) == system).map(|(_, vocabulary)| vocabulary)
}

impl Coded {
    /// The first coding of a known vocabulary; without one the first coding, as one of the plan's own codes.
    pub(crate) fn code(&self) -> Result<Code, Fault> {
        let known = self.coding.iter().enumerate().find_map(|(i, coding)| {
            vocabulary(coding.system.as_deref()).map(|vocabulary| (i, coding, vocabulary))
        });
        let chosen = known.or_else(|| self.coding.first().map(|coding| (0, coding, CodeSystem::PlanLocal)));
        let missing = || Fault::new("coding", Defect::Missing { needed: "a coding with a code" });
        let (i, coding, vocabulary) = chosen.ok_or_else(missing)?;
        let text = coding.code.as_deref().ok_or_else(missing)?;
        Code::new(vocabulary, text)
            .map_err(|e| Fault::new(format!("coding[{i}].code"), Defect::malformed(e.expected)))
    }

    /// The first coding's code, for FHIR's own small vocabularies.
    pub(crate) fn first(&self) -> Option<&str> {
        self.coding.iter().find_map(|coding| coding.code.as_deref())
    }
}

#[derive(Clone, Deserialize)]
pub(crate) struct Period {
    pub(crate) start: Option<String>,
    pub(crate) end: Option<String>,
}

/// The day of a FHIR date or dateTime, as written: a time zone does not move it.
pub(crate) fn date(text: &str, element: &str) -> Result<Date, Fault> {
    text.get(..10)
        .filter(|_| text.len() == 10 || text.as_bytes().get(10) == Some(&b'T'))
        .and_then(Date::read)
        .ok_or_else(|| Fault::new(element, Defect::malformed(Date::EXPECTED)))
}

impl Period {
    /// First and last day; a period of one bound is that day.
    pub(crate) fn days(&self, element: &str) -> Result<(Date, Date), Fault> {
        let bound = |text: &Option<String>, name: &str| {
            text.as_ref().map(|text| date(text, &format!("{element}.{name}"))).transpose()
        };
        match (bound(&self.start, "start")?, bound(&self.end, "end")?) {
            (Some(start), Some(end)) if start <= end => Ok((start, end)),
            (Some(_), Some(_)) => {
                Err(Fault::new(format!("{element}.end"), Defect::malformed("no earlier than start")))
            }
            (Some(day), None) | (None, Some(day)) => Ok((day, day)),
            (None, None) => Err(Fault::new(element, Defect::Missing { needed: "a start or an end" })),
        }
    }
}

#[derive(Clone, Deserialize)]
pub(crate) struct Money<'a> {
    #[serde(borrow)]
    pub(crate) value: Option<&'a RawValue>,
    pub(crate) currency: Option<String>,
}

impl Money<'_> {
    /// Cents up to `limit`, read from the digits as they stand in the file.
    pub(crate) fn cents(&self, element: &str, limit: u64) -> Result<u64, Fault> {
        let element = format!("{element}.value");
        let value =
            self.value.ok_or_else(|| Fault::new(&*element, Defect::Missing { needed: "an amount" }))?;
        cents(value.get(), limit).map_err(|e| Fault::new(element, e.into()))
    }
}
