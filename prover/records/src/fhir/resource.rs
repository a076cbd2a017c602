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

impl Coding {
    /// The code, where its vocabulary is this one, or none is named.
    pub(crate) fn of(&self, vocabulary: &str) -> Option<&str> {
        let fits = self.system.as_ref().is_none_or(|system| system == vocabulary);
        self.code.as_deref().filter(|_| fits)
    }
}

/// `CodeableConcept`.
#[derive(Clone, Default, Deserialize)]
pub(crate) struct Coded {
    #[serde(default)]
    pub(crate) coding: Vec<Coding>,
}

/// 1970-01-01 in days since 1900-01-01.
const UNIX_EPOCH_DAY: i64 = 25_567;

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

    /// The code of its only coding, where that is of this vocabulary or of none that is named.
    pub(crate) fn only(&self, vocabulary: &str) -> Option<&str> {
        match &self.coding[..] {
            [coding] => coding.of(vocabulary),
            _ => None,
        }
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

/// The seconds since 1970-01-01 UTC of a FHIR instant, without what it says of a second.
pub(crate) fn instant(text: &str, element: &str) -> Result<i64, Fault> {
    let expected = "an instant as YYYY-MM-DDThh:mm:ssZ, or with an offset";
    let bad = || Fault::new(element, Defect::malformed(expected));
    let number = |range: std::ops::Range<usize>, most: i64| {
        let digits = text.get(range).filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()))?;
        digits.parse::<i64>().ok().filter(|number| *number <= most)
    };
    let day = i64::from(date(text, element)?.days()) - UNIX_EPOCH_DAY;
    let separated = text.get(13..14) == Some(":") && text.get(16..17) == Some(":");
    let time = (number(11..13, 23), number(14..16, 59), number(17..19, 60));
    let (Some(hour), Some(minute), Some(second), true) = (time.0, time.1, time.2, separated) else {
        return Err(bad());
    };
    let rest = text.get(19..).unwrap_or_default();
    let zone =
        rest.strip_prefix('.').map_or(rest, |rest| rest.trim_start_matches(|c: char| c.is_ascii_digit()));
    let offset = match zone.as_bytes() {
        b"Z" => 0,
        [sign @ (b'+' | b'-'), _, _, b':', _, _] => {
            let start = text.len() - 5;
            let (hours, minutes) = (number(start..start + 2, 14), number(start + 3..start + 5, 59));
            let (Some(hours), Some(minutes)) = (hours, minutes) else { return Err(bad()) };
            let seconds = hours * 3_600 + minutes * 60;
            if *sign == b'+' { seconds } else { -seconds }
        }
        _ => return Err(bad()),
    };
    Ok(day * 86_400 + hour * 3_600 + minute * 60 + second - offset)
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

#[cfg(test)]
mod tests {
    use super::instant;

    /// Computed by Python's datetime.
    #[test]
    fn an_instant_is_read_with_its_offset() {
        for (text, seconds) in [
            ("2015-02-07T13:28:17.239+02:00", Some(1_423_308_497)),
            ("2015-02-07T11:28:17Z", Some(1_423_308_497)),
            ("2015-02-07T06:28:17-05:00", Some(1_423_308_497)),
            ("1970-01-01T00:00:00Z", Some(0)),
            ("2015-02-07", None),
            ("2015-02-07T13:28:17", None),
            ("2015-02-07T13:28:17.239", None),
            ("2015-02-07T13-28-17Z", None),
            ("2015-02-07T24:28:17Z", None),
            ("2015-02-07T13:28:17+2:00", None),
            ("2015-02-07T13:28:17+99:00", None),
        ] {
            assert_eq!(instant(text, "at").ok(), seconds, "{text}");
        }
    }
}
