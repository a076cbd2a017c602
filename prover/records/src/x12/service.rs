//! One service line: loop 2400.

use super::{hierarchy::date, segment::Segment};
use crate::{
    ingest::{Defect, Fault},
    notation::{Notation, cents, thousandths},
};
use nightingale_circuits::claim::{
    Code, CodeSystem, Date, Line, Modifier, Pointers, Units, types::MAX_POINTERS,
};

/// The segments of a line that are used.
#[derive(Default)]
pub(super) struct Service<'s, 'a> {
    procedure: Option<&'s Segment<'a>>,
    served: Option<&'s Segment<'a>>,
    /// Loop 2420A, NM1*82.
    pub(super) rendering: Option<&'s Segment<'a>>,
    /// REF*G1.
    pub(super) authorisation: Option<&'a str>,
}

impl<'s, 'a> Service<'s, 'a> {
    pub(super) fn take(&mut self, segment: &'s Segment<'a>) {
        match (segment.id(), segment.element(1)) {
            ("SV1", _) => self.procedure = Some(segment),
            ("DTP", "472") => self.served = Some(segment),
            ("NM1", "82") => self.rendering = Some(segment),
            // Another payer's authorisation carries that payer in REF04.
            ("REF", "G1") if segment.element(4).is_empty() && !segment.element(2).is_empty() => {
                self.authorisation = Some(segment.element(2));
            }
            _ => {}
        }
    }
}

pub(super) fn line(service: &Service<'_, '_>, diagnoses: usize) -> Result<Line, Fault> {
    let missing = |element: &str, needed| Fault::new(element, Defect::Missing { needed });
    let procedure = service.procedure.ok_or_else(|| missing("SV1", "a professional service"))?;
    let served = service.served.ok_or_else(|| missing("DTP", "the date of service (472)"))?;
    let (from, through) = days(served)?;
    let (code, modifiers) = code(procedure)?;
    let charge = procedure.required(2, "the line's charge")?;
    let charge = cents(charge, u64::from(u32::MAX)).map_err(|e| Fault::new(procedure.at(2), e.into()))?;
    Ok(Line {
        code,
        from,
        through,
        modifiers,
        pointers: pointers(procedure, diagnoses)?,
        units: units(procedure)?,
        charge_cents: u32::try_from(charge)
            .map_err(|_| Fault::new(procedure.at(2), Defect::AmountTooLarge))?,
        repeat: 0,
    })
}

fn days(served: &Segment<'_>) -> Result<(Date, Date), Fault> {
    let at = served.at(3);
    match served.element(2) {
        "D8" => date(served.element(3), &at).map(|day| (day, day)),
        "RD8" => {
            let range = || {
                Fault::new(
                    &*at,
                    Defect::malformed("a period as CCYYMMDD-CCYYMMDD, its end not before its start"),
                )
            };
            let (from, through) = served.element(3).split_once('-').ok_or_else(range)?;
            let (from, through) = (date(from, &at)?, date(through, &at)?);
            if from <= through { Ok((from, through)) } else { Err(range()) }
        }
        _ => Err(Fault::new(served.at(2), Defect::malformed("D8 or RD8"))),
    }
}

/// SV101: the HC qualifier, a CPT or HCPCS code, up to four modifiers and a description.
fn code(procedure: &Segment<'_>) -> Result<(Code, Vec<Modifier>), Fault> {
    let components = procedure.components(1);
    let at = |component: usize| format!("{}-{component}", procedure.at(1));
    let (qualifier, text) = match components.as_slice() {
        [qualifier, text, ..] => (*qualifier, *text),
        _ => {
            let expected = "a qualifier and a code between the component separators that ISA-16 declares";
            return Err(Fault::new(procedure.at(1), Defect::malformed(expected)));
        }
    };
    if qualifier != "HC" {
        return Err(Fault::new(at(1), Defect::unsupported("procedure codes other than CPT and HCPCS (HC)")));
    }
    let code =
        Code::new(CodeSystem::Cpt, text).map_err(|e| Fault::new(at(2), Defect::malformed(e.expected)))?;
    let modifiers = components.iter().enumerate().skip(2).take(4).filter(|(_, text)| !text.is_empty());
    let modifiers = modifiers.map(|(i, text)| {
        Modifier::read(text).ok_or_else(|| Fault::new(at(i + 1), Defect::malformed(Modifier::EXPECTED)))
    });
    Ok((code, modifiers.collect::<Result<_, _>>()?))
}

/// SV104, in whatever SV103 counts: units (UN) or minutes (MJ), as the policy row's fee is for one of them.
fn units(procedure: &Segment<'_>) -> Result<Units, Fault> {
    if !matches!(procedure.element(3), "UN" | "MJ") {
        return Err(Fault::new(procedure.at(3), Defect::malformed("UN or MJ")));
    }
    let text = procedure.required(4, "the number of units")?;
    let units = thousandths(text).ok().and_then(|thousandths| Units::from_thousandths(thousandths).ok());
    units.ok_or_else(|| Fault::new(procedure.at(4), Defect::malformed("a quantity from 0.001 to 16777.215")))
}

/// SV107: up to four places in the claim's list of diagnoses.
fn pointers(procedure: &Segment<'_>, diagnoses: usize) -> Result<Pointers, Fault> {
    let mut numbers = Vec::new();
    for (i, text) in procedure.components(7).iter().enumerate().filter(|(_, text)| !text.is_empty()) {
        let number = text.parse().ok().filter(|number| (1..=diagnoses).contains(&usize::from(*number)));
        let unknown = || {
            let at = format!("{}-{}", procedure.at(7), i + 1);
            Fault::new(at, Defect::malformed("the place of one of the claim's diagnoses"))
        };
        numbers.push(number.ok_or_else(unknown)?);
    }
    if numbers.len() > MAX_POINTERS {
        return Err(Fault::new(procedure.at(7), Defect::TooManyPointers));
    }
    Pointers::new(&numbers).map_err(|e| Fault::new(procedure.at(7), Defect::malformed(e.expected)))
}
