//! One claim: loop 2300 with its providers and service lines.

use super::{
    hierarchy::{Above, date, provider},
    segment::Segment,
    service::{self, Service},
};
use crate::{
    ClaimFile,
    claim_file::Services,
    ingest::{Defect, Fault},
    notation::cents,
};
use nightingale_circuits::claim::{
    ClaimType, Code, CodeSystem,
    types::{MAX_DIAGNOSES, MAX_LINES},
};

/// Where in the claim a segment stands: that decides what a repeated NM1 or REF means.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Loop {
    /// 2300 and 2310.
    Claim,
    /// 2320 and 2330, what another payer knows.
    OtherPayer,
    /// 2400 and below.
    Line,
}

#[derive(Default)]
struct Parts<'s, 'a> {
    diagnoses: Vec<Code>,
    rendering: Option<&'s Segment<'a>>,
    authorisation: Option<&'a str>,
    services: Vec<Service<'s, 'a>>,
}

pub(super) fn read(segments: &[Segment<'_>], above: &Above<'_>) -> Result<ClaimFile, Fault> {
    let Some((header, rest)) = segments.split_first() else {
        return Err(Fault::new("CLM", Defect::Missing { needed: "a claim" }));
    };
    original(header)?;
    let parts = parts(rest)?;
    let patient = above.patient()?;
    let missing = |element: &str, needed| Fault::new(element, Defect::Missing { needed });
    let billing = above.billing.clone().ok_or_else(|| missing("2010AA NM1", "a billing provider"))?;
    let rendering = parts.rendering()?.unwrap_or_else(|| billing.clone());
    Ok(ClaimFile {
        id: header.element(1).to_owned(),
        kind: ClaimType::Professional,
        insurer: Some(
            above.payer.ok_or_else(|| missing("2010BB NM1-09", "the payer's identifier"))?.to_owned(),
        ),
        // An 837P names a group or policy number (SBR03), which is the employer's, not the plan's.
        plan: None,
        coverage: patient.clone(),
        patient,
        authorisation: parts.authorisation()?.map(ToOwned::to_owned),
        billing,
        rendering,
        lines: parts.lines(header)?,
        diagnoses: parts.diagnoses,
        received: Some(date(above.filed, "BHT-04")?),
        salt: None,
    })
}

/// CLM05 is place of service, its qualifier and the frequency; only original claims (1) are adjudicated.
fn original(header: &Segment<'_>) -> Result<(), Fault> {
    match header.components(5).as_slice() {
        [_, _, "1"] => Ok(()),
        [_, _, _] => {
            Err(Fault::new(header.at(5), Defect::unsupported("replacement, void and interim claims")))
        }
        _ => {
            let expected =
                "place, qualifier and frequency between the component separators that ISA-16 declares";
            Err(Fault::new(header.at(5), Defect::malformed(expected)))
        }
    }
}

fn parts<'s, 'a>(segments: &'s [Segment<'a>]) -> Result<Parts<'s, 'a>, Fault> {
    let mut parts = Parts::default();
    let mut here = Loop::Claim;
    for segment in segments {
        match (segment.id(), segment.element(1)) {
            ("SBR", _) if here == Loop::Claim => here = Loop::OtherPayer,
            ("LX", _) => {
                if parts.services.len() == MAX_LINES {
                    return Err(Fault::new("2400", Defect::TooManyLines));
                }
                here = Loop::Line;
                parts.services.push(Service::default());
            }
            ("HI", _) if here == Loop::Claim => diagnoses(segment, &mut parts.diagnoses)?,
            ("NM1", "82") if here == Loop::Claim => parts.rendering = Some(segment),
            ("REF", "G1") if here == Loop::Claim => {
                parts.authorisation = Some(segment.required(2, "an authorisation number")?);
            }
            _ => {
                if let Some(service) = parts.services.last_mut().filter(|_| here == Loop::Line) {
                    service.take(segment);
                }
            }
        }
    }
    Ok(parts)
}

/// Diagnoses are `ABK` and `ABF` (ICD-10-CM) or `BK` and `BF` (ICD-9-CM); HI carries other things too.
fn diagnoses(segment: &Segment<'_>, all: &mut Vec<Code>) -> Result<(), Fault> {
    for n in 1..=segment.len() {
        let components = segment.components(n);
        let at = || format!("2300 {}", segment.at(n));
        let vocabulary = match components.first().copied() {
            Some("ABK" | "ABF") => CodeSystem::Icd10Cm,
            Some("BK" | "BF") => CodeSystem::Icd9Cm,
            _ => continue,
        };
        let text = components.get(1).copied().unwrap_or_default();
        let code = Code::new(vocabulary, text);
        all.push(code.map_err(|e| Fault::new(at(), Defect::malformed(e.expected)))?);
        if all.len() > MAX_DIAGNOSES {
            return Err(Fault::new(at(), Defect::TooManyDiagnoses));
        }
    }
    Ok(())
}

impl Parts<'_, '_> {
    /// Loop 2310B, or 2420A where all lines have the same.
    fn rendering(&self) -> Result<Option<String>, Fault> {
        let named = |element: &str, segment: &Segment<'_>| {
            let needed = "the rendering provider's NPI or name";
            provider(segment).ok_or_else(|| Fault::new(element, Defect::Missing { needed }))
        };
        let mut chosen = self.rendering.map(|segment| named("2310B NM1", segment)).transpose()?;
        let own =
            self.services.iter().map(|service| service.rendering.map(|s| named("2420A NM1", s)).transpose());
        let own = own.collect::<Result<Vec<Option<String>>, Fault>>()?;
        let ambiguous = || Fault::new("2420A NM1-09", Defect::Ambiguous { what: "rendering provider" });
        if own.iter().any(Option::is_some) {
            // A line without its own is rendered by the claim's; so all must come to the same.
            let mut each = own.into_iter().map(|line| line.or_else(|| chosen.clone()));
            let first = each.next().flatten();
            if each.any(|other| other != first) {
                return Err(ambiguous());
            }
            chosen = first;
        }
        Ok(chosen)
    }

    /// REF*G1 of the claim, or of its lines where they agree.
    fn authorisation(&self) -> Result<Option<&str>, Fault> {
        let mut named =
            self.authorisation.into_iter().chain(self.services.iter().filter_map(|s| s.authorisation));
        let first = named.next();
        if named.any(|other| Some(other) != first) {
            return Err(Fault::new("2400 REF-02", Defect::Ambiguous { what: "authorisation" }));
        }
        Ok(first)
    }

    /// The service lines, whose charges must add up to CLM02.
    fn lines(&self, header: &Segment<'_>) -> Result<Vec<nightingale_circuits::claim::Line>, Fault> {
        if self.services.is_empty() {
            return Err(Fault::new("2400", Defect::Missing { needed: "at least one service line" }));
        }
        let (mut lines, mut numbered) = (Vec::with_capacity(self.services.len()), Services::default());
        for (i, service) in self.services.iter().enumerate() {
            let mut line = service::line(service, self.diagnoses.len())
                .map_err(|f| f.within(&format!("2400[{}]", i + 1), ' '))?;
            line.repeat = numbered.number(&line).ok_or_else(|| Fault::new("2400", Defect::TooManyLines))?;
            lines.push(line);
        }
        let total = header.required(2, "the claim's total charge")?;
        let limit = u64::from(u32::MAX) * MAX_LINES as u64;
        let total = cents(total, limit).map_err(|e| Fault::new(header.at(2), e.into()))?;
        let sum: u64 = lines.iter().map(|line| u64::from(line.charge_cents)).sum();
        if total == sum { Ok(lines) } else { Err(Fault::new(header.at(2), Defect::OutOfBalance)) }
    }
}
