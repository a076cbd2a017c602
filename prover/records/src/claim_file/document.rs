//! The claim file's JSON form.

use super::{ClaimFile, PlanName, Services};
use crate::{
    RecordsError,
    notation::{Notation, Written, id, unwritten, written},
};
use nightingale_circuits::claim::{
    Claim, ClaimType, Code, Date, Id, Line, Modifier, Npi, Pointers, Units, account::Secret, types,
};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
#[serde(untagged, expecting = "a plan's number from 1 to 65535 or its name")]
pub(crate) enum PlanDocument {
    Number(u16),
    Name(String),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ClaimDocument {
    #[serde(default)]
    id: String,
    #[serde(rename = "type")]
    kind: Written<ClaimType>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    insurer: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    plan: Option<PlanDocument>,
    coverage: String,
    patient: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    authorisation: Option<String>,
    billing: String,
    rendering: Option<String>,
    #[serde(default)]
    diagnoses: Vec<Written<Code>>,
    lines: Vec<LineDocument>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    received: Option<Written<Date>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    salt: Option<Written<Secret>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LineDocument {
    code: Written<Code>,
    from: Written<Date>,
    #[serde(default)]
    through: Option<Written<Date>>,
    #[serde(default)]
    modifiers: Vec<Written<Modifier>>,
    #[serde(default)]
    diagnoses: Vec<u8>,
    #[serde(default)]
    units: Option<Written<Units>>,
    charge_cents: u32,
    #[serde(default)]
    repeat: Option<u8>,
}

impl LineDocument {
    fn of_line(line: &Line) -> Self {
        Self {
            code: Written(line.code),
            from: Written(line.from),
            through: Some(Written(line.through)),
            modifiers: written(&line.modifiers),
            diagnoses: line.pointers.numbers(),
            units: Some(Written(line.units)),
            charge_cents: line.charge_cents,
            repeat: Some(line.repeat),
        }
    }

    fn into_line(self, before: &mut Services) -> Result<Line, RecordsError> {
        if self.modifiers.len() > types::MODIFIERS {
            return Err(RecordsError::format("modifiers", "expected at most four"));
        }
        let pointers = Pointers::new(&self.diagnoses)
            .map_err(|e| RecordsError::format("diagnoses", format!("expected {}", e.expected)))?;
        let one = Units::from_thousandths(1000).map_err(|e| RecordsError::format("units", e.to_string()))?;
        let mut line = Line {
            code: self.code.0,
            from: self.from.0,
            through: self.through.unwrap_or(self.from).0,
            modifiers: unwritten(self.modifiers),
            pointers,
            units: self.units.map_or(one, |units| units.0),
            charge_cents: self.charge_cents,
            repeat: 0,
        };
        let counted = before.number(&line);
        let numbered = self.repeat.or(counted).filter(|repeat| *repeat < 16);
        line.repeat =
            numbered.ok_or_else(|| RecordsError::format("repeat", "expected a number from 0 to 15"))?;
        Ok(line)
    }
}

fn lines(documents: Vec<LineDocument>) -> Result<Vec<Line>, RecordsError> {
    let (mut lines, mut services) = (Vec::with_capacity(documents.len()), Services::default());
    for (i, document) in documents.into_iter().enumerate() {
        let line = document.into_line(&mut services).map_err(|e| e.within(&format!("lines[{i}]")))?;
        lines.push(line);
    }
    Ok(lines)
}

impl ClaimDocument {
    pub(crate) fn of_file(file: &ClaimFile) -> Self {
        Self {
            id: file.id.clone(),
            kind: Written(file.kind),
            insurer: file.insurer.clone(),
            plan: file.plan.as_ref().map(|plan| match plan {
                PlanName::Number(number) => PlanDocument::Number(*number),
                PlanName::Name(name) => PlanDocument::Name(name.clone()),
            }),
            coverage: file.coverage.clone(),
            patient: file.patient.clone(),
            authorisation: file.authorisation.clone(),
            billing: file.billing.clone(),
            rendering: Some(file.rendering.clone()),
            diagnoses: written(&file.diagnoses),
            lines: file.lines.iter().map(LineDocument::of_line).collect(),
            received: file.received.map(Written),
            salt: file.salt.clone().map(Written),
        }
    }

    pub(crate) fn into_file(self) -> Result<ClaimFile, RecordsError> {
        let texts = [
            ("coverage", Some(&self.coverage)),
            ("patient", Some(&self.patient)),
            ("billing", Some(&self.billing)),
            ("rendering", self.rendering.as_ref()),
            ("insurer", self.insurer.as_ref()),
            ("authorisation", self.authorisation.as_ref()),
        ];
        for (element, text) in texts {
            if text.is_some_and(|text| id(text).is_none()) {
                return Err(RecordsError::format(element, format!("expected {}", Id::EXPECTED)));
            }
        }
        Ok(ClaimFile {
            id: self.id,
            kind: self.kind.0,
            insurer: self.insurer,
            plan: self.plan.map(|plan| match plan {
                PlanDocument::Number(number) => PlanName::Number(number),
                PlanDocument::Name(name) => PlanName::Name(name),
            }),
            coverage: self.coverage,
            patient: self.patient,
            authorisation: self.authorisation,
            rendering: self.rendering.unwrap_or_else(|| self.billing.clone()),
            billing: self.billing,
            diagnoses: unwritten(self.diagnoses),
            lines: lines(self.lines)?,
            received: self.received.map(|date| date.0),
            salt: self.salt.map(|salt| salt.0),
        })
    }

    /// Whether it says when it was received, which a request says once, for itself.
    pub(crate) const fn names_a_receipt(&self) -> bool {
        self.received.is_some()
    }

    /// A claim whose parties are already numbers, as a request holds it.
    pub(crate) fn of_claim(claim: &Claim, salt: &Secret) -> Self {
        Self {
            id: String::new(),
            kind: Written(claim.kind),
            insurer: Some(claim.insurer.write()),
            plan: claim.plan.map(|plan| PlanDocument::Number(plan.number())),
            coverage: claim.coverage.write(),
            patient: claim.patient.write(),
            authorisation: claim.authorisation.map(|reference| reference.write()),
            billing: claim.billing.write(),
            rendering: Some(claim.rendering.write()),
            diagnoses: written(&claim.diagnoses),
            lines: claim.lines.iter().map(LineDocument::of_line).collect(),
            received: None,
            salt: Some(Written(salt.clone())),
        }
    }

    /// The claim and its salt; a request leaves nothing to look up.
    pub(crate) fn into_claim(self) -> Result<(Claim, Secret), RecordsError> {
        let missing = |element: &str| RecordsError::format(element, "missing; a request leaves nothing open");
        let file = self.into_file()?;
        let identifier = |element: &str, text: &str| {
            id(text).ok_or_else(|| RecordsError::format(element, format!("expected {}", Id::EXPECTED)))
        };
        let npi = |element: &str, text: &str| {
            Npi::read(text)
                .ok_or_else(|| RecordsError::format(element, format!("expected {}", Npi::EXPECTED)))
        };
        let plan = match file.plan {
            None => None,
            Some(PlanName::Number(number)) => Some(
                crate::notation::plan_id(number)
                    .ok_or_else(|| RecordsError::format("plan", "expected a number from 1 to 65535"))?,
            ),
            Some(PlanName::Name(_)) => {
                return Err(RecordsError::format("plan", "expected a number; names are for claim files"));
            }
        };
        let insurer = file.insurer.ok_or_else(|| missing("insurer"))?;
        let claim = Claim {
            kind: file.kind,
            insurer: identifier("insurer", &insurer)?,
            plan,
            coverage: identifier("coverage", &file.coverage)?,
            patient: identifier("patient", &file.patient)?,
            authorisation: file.authorisation.map(|text| identifier("authorisation", &text)).transpose()?,
            billing: npi("billing", &file.billing)?,
            rendering: npi("rendering", &file.rendering)?,
            diagnoses: file.diagnoses,
            lines: file.lines,
        };
        Ok((claim, file.salt.ok_or_else(|| missing("salt"))?))
    }
}
