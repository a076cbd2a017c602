//! Registers from FHIR resources: `Coverage` with its `Patient` gives enrolment, `Consent` gives consents.
//!
//! A consent is taken only where it says without doubt that this payer may, or may not, learn of claims (`fhir/consent.rs`); where it says
//! nothing of that, the statement finds no consent and refuses. Nothing here can widen what a patient permitted.

use super::{
    Registers,
    document::{ConsentDocument, EnrolmentDocument, RegistersDocument, first_day, last_day},
};
use crate::{
    RecordsError,
    fhir::{
        Bundle, Coded, Entry, Period, Reference,
        consent::{self, Says},
        day, party,
    },
    ingest::{Defect, Fault, foreign},
    notation::{Notation, Written},
};
use nightingale_circuits::claim::{Consent, Date, Sex};
use serde::Deserialize;

#[derive(Deserialize)]
struct CoverageForm {
    status: Option<String>,
    beneficiary: Option<Reference>,
    period: Option<Period>,
    #[serde(default)]
    payor: Vec<Reference>,
    #[serde(default)]
    class: Vec<Class>,
    network: Option<String>,
}

#[derive(Deserialize)]
struct Class {
    r#type: Option<Coded>,
    value: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PatientForm {
    gender: Option<String>,
    birth_date: Option<String>,
}

pub(super) fn import(document: &mut RegistersDocument, bytes: &[u8]) -> Result<usize, RecordsError> {
    let report = |fault: Fault| RecordsError::format(fault.element, fault.defect.to_string());
    let (bundle, faults) = Bundle::read(bytes).map_err(report)?;
    if let Some(fault) = faults.into_iter().next() {
        return Err(report(fault));
    }
    let mut added = Registers(document.clone());
    let mut count = 0;
    for entry in bundle.entries() {
        let named = |fault: Fault| report(fault.within(&entry.name(), '.'));
        match entry.kind.as_str() {
            "Coverage" => {
                let enrolment = enrolment(&bundle, entry, document).map_err(named)?;
                added.0.enrolment.push(enrolment);
                count += 1;
            }
            "Consent" => {
                if let Some(consent) = consent(&bundle, entry, document).map_err(named)? {
                    added.0.consents.push(consent);
                    count += 1;
                }
            }
            _ => {}
        }
    }
    *document = added.0;
    Ok(count)
}

fn missing(element: &str, needed: &'static str) -> Fault {
    Fault::new(element, Defect::Missing { needed })
}

fn is_payer(document: &RegistersDocument, name: &str) -> bool {
    document.payer == name || document.payer_names.iter().any(|other| other == name)
}

fn enrolment(
    bundle: &Bundle<'_>,
    entry: &Entry<'_>,
    document: &RegistersDocument,
) -> Result<EnrolmentDocument, Fault> {
    let coverage: CoverageForm = entry.parse()?;
    let id = entry.id.as_ref().ok_or_else(|| missing("id", "the coverage's id"))?;
    let payer = coverage.payor.first().and_then(|payor| party(bundle, &[], payor));
    if !payer.is_some_and(|name| is_payer(document, &name)) {
        return Err(Fault::new("payor", Defect::malformed("this payer; add its name here to payer_names")));
    }
    let beneficiary = coverage.beneficiary.as_ref().ok_or_else(|| missing("beneficiary", "a patient"))?;
    let member = party(bundle, &[], beneficiary).ok_or_else(|| missing("beneficiary", "a reference"))?;
    foreign("beneficiary", &member)?;
    let patient = beneficiary.reference.as_deref().and_then(|literal| bundle.find(literal));
    let patient = patient.filter(|entry| entry.kind == "Patient");
    let patient = patient.ok_or_else(|| Fault::new("beneficiary", Defect::Unresolved))?;
    let patient: PatientForm = bundle.referred(patient)?;
    let birth =
        patient.birth_date.as_ref().ok_or_else(|| missing("beneficiary.birthDate", "a birth date"))?;
    let is_plan = |class: &Class| class.r#type.as_ref().and_then(Coded::first) == Some("plan");
    let plan = coverage.class.into_iter().find(is_plan).and_then(|class| class.value);
    let (from, to) = bounds(coverage.period.as_ref(), "period")?;
    let network = coverage.network.as_deref().unwrap_or("0").parse();
    Ok(EnrolmentDocument {
        coverage: format!("Coverage/{id}"),
        member,
        plan: plan.ok_or_else(|| missing("class", "a class of type plan with its value"))?,
        from,
        to,
        active: coverage.status.as_deref() == Some("active"),
        network: network.map_err(|_| Fault::new("network", Defect::malformed("a number from 0 to 65535")))?,
        birth: Written(day(birth, "beneficiary.birthDate")?),
        sex: Written(patient.gender.as_deref().and_then(Sex::read).unwrap_or(Sex::Unknown)),
        opening: None,
        nullifier_key_hash: None,
    })
}

/// A period's bounds, open where it has none.
fn bounds(period: Option<&Period>, element: &str) -> Result<(Written<Date>, Written<Date>), Fault> {
    let bound = |text: Option<&String>, name: &str, open: Written<Date>| {
        text.map_or(Ok(open), |text| day(text, &format!("{element}.{name}")).map(Written))
    };
    let (start, end) = period.map_or((None, None), |period| (period.start.as_ref(), period.end.as_ref()));
    Ok((bound(start, "start", first_day())?, bound(end, "end", last_day())?))
}

/// `None` where the consent is not in force or says nothing about this payer and claims.
fn consent(
    bundle: &Bundle<'_>,
    entry: &Entry<'_>,
    document: &RegistersDocument,
) -> Result<Option<ConsentDocument>, Fault> {
    let read = consent::read(bundle, entry, &|name| is_payer(document, name))?;
    let Says::Stated { from, to, permit } = read.says else { return Ok(None) };
    Ok(Some(ConsentDocument {
        member: read.member,
        payer: None,
        purpose: Consent::PAYMENT,
        data_class: Consent::CLAIMS,
        from: Written(from),
        to: Written(to),
        permit,
    }))
}
