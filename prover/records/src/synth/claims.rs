//! Invented claims: each begins in order, and a fault may then be put into it.

use super::{
    catalogue::{self, SERVICES, Service},
    day, faults, one_of, people,
    people::{Member, Town},
    percent, plus_days,
};
use crate::{
    ClaimFile,
    notation::Written,
    registers::{AuthorisationDocument, random_secret},
};
use nightingale_circuits::claim::{ClaimType, Code, CodeSystem, Date, Line, Pointers};
use rand::Rng;
use rand_chacha::ChaCha20Rng;

/// How many lines, in a hundred claims: the median is 2, and one in a hundred has 8.
const LINES: [(u32, usize); 8] = [(32, 1), (27, 2), (16, 3), (10, 4), (7, 5), (4, 6), (3, 7), (1, 8)];

pub(super) fn claim(rng: &mut ChaCha20Rng, town: &mut Town, number: usize) -> ClaimFile {
    let member = one_of(rng, &town.members).clone();
    let mut dice = rng.random_range(0..100);
    let lines = LINES
        .iter()
        .find(|(share, _)| {
            let hit = dice < *share;
            dice = dice.saturating_sub(*share);
            hit
        })
        .map_or(1, |(_, lines)| *lines);
    let served = serving_day(rng, &member);
    let mut claim = in_order(rng, town, &member, served, lines);
    claim.id = format!("claim-{:05}", number + 1);
    faults::maybe(rng, town, &member, &mut claim);
    claim
}

/// A day of the benefit year on which the member is covered.
fn serving_day(rng: &mut ChaCha20Rng, member: &Member) -> Date {
    let anywhere = day(rng, (people::YEAR, 1, 1), (people::YEAR, 10, 31));
    anywhere.clamp(member.from, member.to)
}

/// A claim that passes every rule, if the member's account has something left.
pub(super) fn in_order(
    rng: &mut ChaCha20Rng,
    town: &mut Town,
    member: &Member,
    served: Date,
    lines: usize,
) -> ClaimFile {
    let mut claim = blank(rng, town, member);
    let mut pool: Vec<&Service> = SERVICES.iter().collect();
    for _ in 0..lines {
        let service = pool.swap_remove(rng.random_range(0..pool.len()));
        // One authorisation serves one claim and one code, so a claim has one such line.
        if service.needs_authorisation {
            pool.retain(|other| !other.needs_authorisation);
        }
        add_line(rng, &mut claim, service, served);
        if service.needs_authorisation {
            authorise(town, &mut claim, member, service, served);
        }
    }
    claim.received = Some(plus_days(served, rng.random_range(1..60)));
    claim
}

pub(super) fn blank(rng: &mut ChaCha20Rng, town: &Town, member: &Member) -> ClaimFile {
    let billing = people::digits(*one_of(rng, &town.providers));
    let rendering =
        if percent(rng, 50) { billing.clone() } else { people::digits(*one_of(rng, &town.providers)) };
    ClaimFile {
        id: String::new(),
        kind: ClaimType::Professional,
        insurer: Some(super::PAYER.to_owned()),
        plan: None,
        coverage: member.coverage.clone(),
        patient: member.id.clone(),
        authorisation: None,
        billing,
        rendering,
        diagnoses: Vec::new(),
        lines: Vec::new(),
        received: None,
        salt: Some(random_secret(rng)),
    }
}

/// Adds a line for `service`, with a diagnosis that supports it; charges are the fee and up to half more.
pub(super) fn add_line(rng: &mut ChaCha20Rng, claim: &mut ClaimFile, service: &Service, served: Date) {
    let group = if service.group.is_empty() { one_of(rng, &catalogue::GROUPS).0 } else { service.group };
    let codes = catalogue::GROUPS.iter().find(|(name, _)| *name == group).map_or(&[][..], |(_, codes)| codes);
    let already = claim.diagnoses.iter().position(|d| codes.iter().any(|text| *d == icd(text)));
    let place = already.unwrap_or_else(|| {
        let chosen: &str = one_of::<&str>(rng, codes);
        claim.diagnoses.push(icd(chosen));
        claim.diagnoses.len() - 1
    });
    let units = rng.random_range(1..=service.units);
    let fee = service.fee_cents * units;
    claim.lines.push(Line {
        code: catalogue::code(CodeSystem::Cpt, service.code),
        from: served,
        through: served,
        modifiers: Vec::new(),
        pointers: Pointers::new(&[place as u8 + 1]).unwrap_or_default(),
        units: catalogue::units(units),
        charge_cents: fee + rng.random_range(0..=fee / 2),
        repeat: 0,
    });
}

/// Gives the claim an authorisation for `service` that fits.
pub(super) fn authorise(
    town: &mut Town,
    claim: &mut ClaimFile,
    member: &Member,
    service: &Service,
    served: Date,
) {
    town.authorised += 1;
    let reference = format!("authorisation-{:05}", town.authorised);
    town.registers.authorisations.push(AuthorisationDocument {
        reference: reference.clone(),
        coverage: member.coverage.clone(),
        code: Written(catalogue::code(CodeSystem::Cpt, service.code)),
        from: Written(super::minus_days(served, 30)),
        to: Written(plus_days(served, 60)),
        units: Written(catalogue::units(service.units)),
    });
    claim.authorisation = Some(reference);
}

pub(super) fn icd(text: &str) -> Code {
    catalogue::code(CodeSystem::Icd10Cm, text)
}
