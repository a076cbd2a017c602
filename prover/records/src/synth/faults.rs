//! What goes wrong with claims: each fault breaks one rule of a claim that is otherwise in order.

use super::{
    catalogue::{
        self, INFANT_VISIT, NOT_COVERED, PRENATAL_PANEL, PROSTATE_TEST, SERVICES, Service, UNSUPPORTING,
    },
    claims::{add_line, authorise, icd},
    minus_days, one_of, people,
    people::{Member, Town},
    plus_days,
};
use crate::ClaimFile;
use nightingale_circuits::claim::{CodeSystem, Date, Reason, Sex};
use rand::Rng;
use rand_chacha::ChaCha20Rng;

/// How often each rule is broken, in a thousand claims. 119 comes from used-up accounts.
const RATES: [(u32, Reason); 14] = [
    (45, Reason::NotCovered),
    (35, Reason::AuthorisationAbsent),
    (30, Reason::Diagnosis),
    (20, Reason::Late),
    (15, Reason::Provider),
    (12, Reason::Frequency),
    (12, Reason::AfterCoverage),
    (8, Reason::BeforeCoverage),
    (8, Reason::WrongPayer),
    (6, Reason::NotInsured),
    (6, Reason::AuthorisationMismatch),
    (8, Reason::AuthorisationExceeded),
    (6, Reason::Age),
    (6, Reason::Sex),
];

/// Puts a fault into about one claim in five.
pub(super) fn maybe(rng: &mut ChaCha20Rng, town: &mut Town, member: &Member, claim: &mut ClaimFile) {
    let mut dice = rng.random_range(0..1000);
    for (rate, reason) in RATES {
        if dice < rate {
            return put(rng, town, member, claim, reason);
        }
        dice -= rate;
    }
}

/// Breaks the rule that `reason` reports. The maximum is the account's business: nothing happens.
pub(super) fn put(
    rng: &mut ChaCha20Rng,
    town: &mut Town,
    member: &Member,
    claim: &mut ClaimFile,
    reason: Reason,
) {
    let served = claim.lines.first().map_or(Date::MIN, |line| line.from);
    match reason {
        Reason::BeforeCoverage => move_to(claim, minus_days(member.from, 9)),
        Reason::AfterCoverage => move_to(claim, plus_days(member.to, 9)),
        Reason::NotInsured => {
            let others: Vec<&Member> = town.members.iter().filter(|other| other.id != member.id).collect();
            if !others.is_empty() {
                claim.patient = one_of(rng, &others).id.clone();
            }
        }
        Reason::WrongPayer => claim.insurer = Some("Lakeside Assurance".to_owned()),
        Reason::NotCovered => {
            if let Some(line) = claim.lines.last_mut() {
                line.code = catalogue::code(CodeSystem::Cpt, NOT_COVERED);
            }
        }
        Reason::Diagnosis => {
            let service = find("83036");
            only_line(rng, claim, &service, served);
            claim.diagnoses = vec![icd(UNSUPPORTING)];
        }
        Reason::Age => only_line(rng, claim, &INFANT_VISIT, served),
        Reason::Sex => {
            let service = if member.sex == Sex::Female { PROSTATE_TEST } else { PRENATAL_PANEL };
            only_line(rng, claim, &service, served);
        }
        Reason::Frequency => {
            only_line(rng, claim, &find("97110"), served);
            set_units(claim, 30);
        }
        Reason::Maximum => {}
        Reason::AuthorisationAbsent => only_line(rng, claim, &find("72148"), served),
        Reason::AuthorisationMismatch => {
            only_line(rng, claim, &find("72148"), served);
            authorise(town, claim, member, &find("78452"), served);
        }
        Reason::AuthorisationExceeded => exceed(rng, town, member, claim, served),
        Reason::Late => claim.received = Some(plus_days(served, 366 + rng.random_range(1..90))),
        Reason::Provider => claim.rendering = people::digits(people::npi(rng)),
    }
}

/// A line that fits its row and its authorisation, after the authorised units were cut to half a unit.
fn exceed(rng: &mut ChaCha20Rng, town: &mut Town, member: &Member, claim: &mut ClaimFile, served: Date) {
    let service = find("72148");
    only_line(rng, claim, &service, served);
    authorise(town, claim, member, &service, served);
    if let (Some(last), Ok(half)) =
        (town.registers.authorisations.last_mut(), nightingale_circuits::claim::Units::from_thousandths(500))
    {
        last.units = crate::notation::Written(half);
    }
}

fn find(code: &str) -> Service {
    SERVICES.into_iter().find(|service| service.code == code).unwrap_or(SERVICES[0])
}

/// The claim with this one line and no authorisation.
fn only_line(rng: &mut ChaCha20Rng, claim: &mut ClaimFile, service: &Service, served: Date) {
    claim.lines.clear();
    claim.diagnoses.clear();
    claim.authorisation = None;
    add_line(rng, claim, service, served);
}

fn set_units(claim: &mut ClaimFile, whole: u32) {
    for line in &mut claim.lines {
        line.units = catalogue::units(whole);
    }
}

/// All services on another day, received a week later.
fn move_to(claim: &mut ClaimFile, served: Date) {
    for line in &mut claim.lines {
        (line.from, line.through) = (served, served);
    }
    claim.received = Some(plus_days(served, 7));
}
