//! `Claim` and `ExplanationOfBenefit` to a claim file.

use super::{
    bundle::{Bundle, Entry},
    item::{self, Item, Surroundings},
    party::{party, provider, within},
    resource::{Coded, Money, Period, Reference, date},
};
use crate::{
    ClaimFile, PlanName,
    ingest::{Defect, Fault},
    notation::Notation,
};
use nightingale_circuits::claim::{ClaimType, Code, types::MAX_DIAGNOSES};
use serde::Deserialize;
use serde_json::value::RawValue;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Claim<'a> {
    status: Option<String>,
    r#type: Option<Coded>,
    r#use: Option<String>,
    #[serde(default, borrow)]
    contained: Vec<&'a RawValue>,
    patient: Option<Reference>,
    created: Option<String>,
    insurer: Option<Reference>,
    provider: Option<Reference>,
    #[serde(default)]
    care_team: Vec<CareTeam>,
    #[serde(default)]
    diagnosis: Vec<Diagnosis>,
    #[serde(default)]
    insurance: Vec<Insurance>,
    billable_period: Option<Period>,
    #[serde(default, borrow)]
    item: Vec<Item<'a>>,
    /// One amount in a `Claim`, a list by category in an `ExplanationOfBenefit`.
    #[serde(borrow)]
    total: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct CareTeam {
    sequence: u32,
    provider: Option<Reference>,
    responsible: Option<bool>,
    role: Option<Coded>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Diagnosis {
    sequence: u32,
    diagnosis_codeable_concept: Option<Coded>,
    diagnosis_reference: Option<Reference>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Insurance {
    #[serde(default)]
    focal: bool,
    coverage: Option<Reference>,
    #[serde(default)]
    pre_auth_ref: Vec<String>,
}

#[derive(Deserialize)]
struct Explained {
    claim: Option<Reference>,
}

#[derive(Deserialize)]
struct Condition {
    code: Option<Coded>,
}

#[derive(Deserialize)]
struct CoverageForm {
    #[serde(default)]
    payor: Vec<Reference>,
    #[serde(default)]
    class: Vec<CoverageClass>,
}

#[derive(Deserialize)]
struct CoverageClass {
    r#type: Option<Coded>,
    value: Option<String>,
}

#[derive(Deserialize)]
struct TotalByCategory<'a> {
    category: Option<Coded>,
    #[serde(borrow)]
    amount: Option<Money<'a>>,
}

fn missing(element: &str, needed: &'static str) -> Fault {
    Fault::new(element, Defect::Missing { needed })
}

/// Whether the claim that an explanation of benefit explains is in this file.
pub(super) fn explains_a_claim_here(bundle: &Bundle<'_>, entry: &Entry<'_>) -> Result<bool, Fault> {
    let explained: Explained = entry.parse().map_err(|fault| fault.within(&entry.name(), '.'))?;
    let literal = explained.claim.and_then(|reference| reference.reference);
    Ok(literal.is_some_and(|literal| bundle.find(&literal).is_some_and(|other| other.kind == "Claim")))
}

pub(super) fn read(bundle: &Bundle<'_>, entry: &Entry<'_>) -> Result<ClaimFile, Fault> {
    let claim: Claim<'_> = entry.borrow()?;
    in_force(&claim)?;
    let contained = contained(&claim)?;
    let insurance = insurance(&claim)?;
    let coverage = coverage(bundle, &contained, insurance);
    let patient = claim.patient.as_ref().and_then(|reference| {
        // A patient described only inside the claim is known by the coverage.
        party(bundle, &contained, reference).or_else(|| coverage.id.clone())
    });
    let patient = patient.ok_or_else(|| missing("patient", "a reference or an identifier"))?;
    let billing = claim.provider.as_ref().and_then(|reference| provider(bundle, &contained, reference));
    let billing = billing.ok_or_else(|| missing("provider", "a reference or an identifier"))?;
    let (diagnoses, sequences) = diagnoses(bundle, &contained, &claim)?;
    let around = Surroundings {
        billable: claim.billable_period.as_ref().map(|period| period.days("billablePeriod")).transpose()?,
        diagnoses: sequences,
        total: total(claim.total)?,
    };
    Ok(ClaimFile {
        id: entry.id.clone().unwrap_or_default(),
        kind: kind(&claim)?,
        insurer: claim.insurer.as_ref().and_then(|r| party(bundle, &contained, r)).or(coverage.payer),
        plan: coverage.plan.map(PlanName::Name),
        // A claim that names no coverage is billed under the patient's own: the registers enrol it by that name.
        coverage: coverage.id.unwrap_or_else(|| patient.clone()),
        patient,
        authorisation: authorisation(insurance)?,
        rendering: rendering(bundle, &contained, &claim)?.unwrap_or_else(|| billing.clone()),
        billing,
        diagnoses,
        lines: item::lines(&claim.item, &around)?,
        received: claim.created.as_ref().map(|text| date(text, "created")).transpose()?,
        salt: None,
    })
}

/// Only a claim for payment that stands is adjudicated.
fn in_force(claim: &Claim<'_>) -> Result<(), Fault> {
    let asked = [("status", &claim.status, "active"), ("use", &claim.r#use, "claim")];
    for (element, found, wanted) in asked {
        match found.as_deref() {
            Some(text) if text == wanted => {}
            Some(_) => {
                return Err(Fault::new(
                    element,
                    Defect::unsupported(format!("only \"{wanted}\" is adjudicated")),
                ));
            }
            None => return Err(missing(element, wanted)),
        }
    }
    Ok(())
}

fn kind(claim: &Claim<'_>) -> Result<ClaimType, Fault> {
    let code = claim.r#type.as_ref().and_then(Coded::first);
    let code = code.ok_or_else(|| missing("type", "a claim type"))?;
    ClaimType::read(code).ok_or_else(|| Fault::new("type", Defect::malformed(ClaimType::EXPECTED)))
}

fn contained<'a>(claim: &Claim<'a>) -> Result<Vec<Entry<'a>>, Fault> {
    let each = claim.contained.iter().enumerate();
    each.map(|(i, raw)| Entry::contained(raw).map_err(|fault| fault.within(&format!("contained[{i}]"), '.')))
        .collect()
}

/// The focal insurance, or the only one.
fn insurance<'c>(claim: &'c Claim<'_>) -> Result<Option<&'c Insurance>, Fault> {
    let focal: Vec<&Insurance> = claim.insurance.iter().filter(|insurance| insurance.focal).collect();
    match (focal.as_slice(), claim.insurance.as_slice()) {
        ([one], _) => Ok(Some(*one)),
        ([], [one]) => Ok(Some(one)),
        ([], []) => Ok(None),
        _ => Err(Fault::new("insurance", Defect::Ambiguous { what: "insurance, or none of several focal," })),
    }
}

#[derive(Default)]
struct CoverageNames {
    id: Option<String>,
    payer: Option<String>,
    plan: Option<String>,
}

/// What the claim's coverage is called, and what its resource, where it is in the file, says of payer and plan.
fn coverage(bundle: &Bundle<'_>, contained: &[Entry<'_>], insurance: Option<&Insurance>) -> CoverageNames {
    let Some(reference) = insurance.and_then(|insurance| insurance.coverage.as_ref()) else {
        return CoverageNames::default();
    };
    // A display alone ("private") names a kind of insurance, not a coverage.
    let nameless = Reference { display: None, ..reference.clone() };
    let entry = reference.reference.as_deref().and_then(|literal| {
        if literal.starts_with('#') { within(contained, literal) } else { bundle.find(literal) }
    });
    let form = entry.and_then(|entry| bundle.referred::<CoverageForm>(entry).ok());
    let payer =
        form.as_ref().and_then(|form| form.payor.first()).and_then(|payor| party(bundle, contained, payor));
    let plan = form.and_then(|form| {
        let is_plan = |class: &CoverageClass| class.r#type.as_ref().and_then(Coded::first) == Some("plan");
        form.class.into_iter().find(is_plan).and_then(|class| class.value)
    });
    CoverageNames { id: party(bundle, contained, &nameless), payer, plan }
}

fn authorisation(insurance: Option<&Insurance>) -> Result<Option<String>, Fault> {
    match insurance.map_or(&[][..], |insurance| &insurance.pre_auth_ref) {
        [] => Ok(None),
        [one] if !one.is_empty() => Ok(Some(one.clone())),
        [_] => Err(missing("insurance.preAuthRef[0]", "a reference")),
        _ => Err(Fault::new("insurance.preAuthRef", Defect::Ambiguous { what: "authorisation" })),
    }
}

/// Who rendered the services: the care team member that the items name, else the only, responsible or primary one.
fn rendering(
    bundle: &Bundle<'_>,
    contained: &[Entry<'_>],
    claim: &Claim<'_>,
) -> Result<Option<String>, Fault> {
    let mut named: Vec<u32> =
        claim.item.iter().filter_map(|item| item.care_team_sequence.first().copied()).collect();
    named.sort_unstable();
    named.dedup();
    let ambiguous = || Fault::new("careTeam", Defect::Ambiguous { what: "rendering provider" });
    let leads = |member: &&CareTeam| {
        member.responsible == Some(true) || member.role.as_ref().and_then(Coded::first) == Some("primary")
    };
    let member = match (named.as_slice(), claim.care_team.as_slice()) {
        ([], []) => return Ok(None),
        ([], [one]) => one,
        ([], several) => several.iter().find(leads).ok_or_else(ambiguous)?,
        ([one], team) => team.iter().find(|member| member.sequence == *one).ok_or_else(|| {
            Fault::new("item.careTeamSequence", Defect::malformed("a sequence number of the care team"))
        })?,
        _ => return Err(ambiguous()),
    };
    let name = member.provider.as_ref().and_then(|reference| provider(bundle, contained, reference));
    name.map(Some).ok_or_else(|| missing("careTeam.provider", "a reference or an identifier"))
}

type Diagnoses = (Vec<Code>, Vec<u32>);

fn diagnoses(bundle: &Bundle<'_>, contained: &[Entry<'_>], claim: &Claim<'_>) -> Result<Diagnoses, Fault> {
    if claim.diagnosis.len() > MAX_DIAGNOSES {
        return Err(Fault::new("diagnosis", Defect::TooManyDiagnoses));
    }
    let (mut codes, mut sequences) = (Vec::new(), Vec::new());
    for (i, diagnosis) in claim.diagnosis.iter().enumerate() {
        let at = format!("diagnosis[{i}]");
        codes.push(diagnosis_code(bundle, contained, diagnosis).map_err(|fault| fault.within(&at, '.'))?);
        sequences.push(diagnosis.sequence);
    }
    Ok((codes, sequences))
}

fn diagnosis_code(
    bundle: &Bundle<'_>,
    contained: &[Entry<'_>],
    diagnosis: &Diagnosis,
) -> Result<Code, Fault> {
    if let Some(concept) = &diagnosis.diagnosis_codeable_concept {
        return concept.code().map_err(|fault| fault.within("diagnosisCodeableConcept", '.'));
    }
    let element = "diagnosisReference";
    let literal = diagnosis.diagnosis_reference.as_ref().and_then(|reference| reference.reference.as_deref());
    let literal =
        literal.ok_or_else(|| missing("diagnosisCodeableConcept", "a diagnosis, or a reference to one"))?;
    let entry = if literal.starts_with('#') { within(contained, literal) } else { bundle.find(literal) };
    let entry = entry.filter(|entry| entry.kind == "Condition");
    let entry = entry.ok_or_else(|| Fault::new(element, Defect::Unresolved))?;
    let condition: Condition = bundle.referred(entry).map_err(|fault| fault.within(element, '.'))?;
    let code = condition.code.ok_or_else(|| missing("diagnosisReference.code", "a diagnosis"))?;
    code.code().map_err(|fault| fault.within("diagnosisReference.code", '.'))
}

/// `Claim.total`, or the `submitted` one of an explanation of benefit.
fn total(raw: Option<&RawValue>) -> Result<Option<Money<'_>>, Fault> {
    let Some(raw) = raw else { return Ok(None) };
    let malformed = || Fault::new("total", Defect::malformed("an amount with its value"));
    if raw.get().trim_start().starts_with('[') {
        let all: Vec<TotalByCategory<'_>> = serde_json::from_str(raw.get()).map_err(|_| malformed())?;
        let submitted =
            |total: &TotalByCategory<'_>| total.category.as_ref().and_then(Coded::first) == Some("submitted");
        return Ok(all.into_iter().find(submitted).and_then(|total| total.amount));
    }
    serde_json::from_str(raw.get()).map(Some).map_err(|_| malformed())
}
