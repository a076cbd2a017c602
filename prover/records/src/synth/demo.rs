//! The demonstration: one insurer, one provider, 12 members, 20 claims, each with a story to tell.

use super::{
    catalogue::{COLONOSCOPY, SERVICES, Service},
    claims::{add_line, authorise, blank},
    faults, one_of, people,
    people::{Member, Town},
    plus_days,
};
use crate::{
    ClaimFile, Registers,
    notation::Written,
    registers::{AccountDocument, random_secret},
    request::BalancesDocument,
};
use nightingale_circuits::claim::{Date, Reason, Sex};
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;

/// What a claim of the demonstration shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Story {
    /// Approved.
    Approved,
    /// Denied, for this reason alone.
    Denied(Reason),
    /// By the rules in order, but one line was billed before, by the claim at this place in the list: the
    /// settlement pays it no second time.
    Duplicate(usize),
    /// Approved, but the claim at this place spends the same account version; whoever settles second is proven
    /// again with the next version.
    Races(usize),
    /// The patient has not consented: nothing is proven.
    WithoutConsent,
}

/// A claim and its story.
#[derive(Clone)]
pub struct DemoClaim {
    /// The claim; it says when it was received.
    pub claim: ClaimFile,
    /// What will become of it.
    pub story: Story,
}

/// The demonstration's cast.
#[derive(Clone)]
pub struct Demo {
    /// All registers, the custodian's keys included.
    pub registers: Registers,
    /// 20 claims in the order of receipt, except that racing claims are adjudicated side by side.
    pub claims: Vec<DemoClaim>,
}

/// Members by what they are needed for; the rest of the 12 see the doctor like anybody.
const MET_EVERYTHING: usize = 2;
const NEARLY_AT_MAXIMUM: usize = 3;
const AT_MAXIMUM: usize = 4;
const RACER: usize = 8;
const LEFT: usize = 9;
const SILENT: usize = 11;

/// The demonstration of a seed; the same seed gives the same bytes.
#[must_use]
pub fn demo(seed: u64) -> Demo {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let rng = &mut rng;
    let mut town = cast(rng);
    let mut claims: Vec<DemoClaim> = Vec::new();
    let tell = |claims: &mut Vec<DemoClaim>, mut claim: ClaimFile, story: Story| {
        claim.id = format!("demo-{:02}", claims.len() + 1);
        claims.push(DemoClaim { claim, story });
    };
    let visits: [(usize, &[&str]); 7] = [
        (0, &["99213", "80053"]),
        (1, &["99214", "83036", "36415"]),
        (MET_EVERYTHING, &["99213", "93000"]),
        (NEARLY_AT_MAXIMUM, &["99214"]),
        (5, &["78452"]),
        (6, &["80053"]),
        (7, &["99213", "85025", "80053", "97110", "90686"]),
    ];
    for (place, codes) in visits {
        let claim = visit(rng, &mut town, place, codes, place as u32 * 3);
        tell(&mut claims, claim, Story::Approved);
    }
    let denials: [(usize, Reason); 9] = [
        (0, Reason::NotCovered),
        (1, Reason::Diagnosis),
        (5, Reason::AuthorisationAbsent),
        (6, Reason::Late),
        (LEFT, Reason::AfterCoverage),
        (7, Reason::Sex),
        (10, Reason::Frequency),
        (10, Reason::Provider),
        (AT_MAXIMUM, Reason::Maximum),
    ];
    for (place, reason) in denials {
        let mut claim = visit(rng, &mut town, place, &["94060"], 40 + place as u32);
        let member = town.members[place].clone();
        faults::put(rng, &mut town, &member, &mut claim, reason);
        tell(&mut claims, claim, Story::Denied(reason));
    }
    let first = &claims[0].claim;
    let mut again = first.clone();
    again.lines.truncate(1);
    again.salt = Some(random_secret(rng));
    again.received = first.received.map(|day| plus_days(day, 21));
    again.lines.iter_mut().for_each(|line| line.charge_cents += 1_000);
    tell(&mut claims, again, Story::Duplicate(0));
    let race = claims.len();
    for (codes, other) in [(["99213"], race + 1), (["93000"], race)] {
        let claim = visit(rng, &mut town, RACER, &codes, 70);
        tell(&mut claims, claim, Story::Races(other));
    }
    let claim = visit(rng, &mut town, SILENT, &["99214"], 80);
    tell(&mut claims, claim, Story::WithoutConsent);
    Demo { registers: Registers(town.registers), claims }
}

fn cast(rng: &mut ChaCha20Rng) -> Town {
    let npi = people::npi(rng);
    let mut registers = people::empty_registers(rng);
    people::enrol_provider(rng, &mut registers, npi);
    let mut town = Town { registers, members: Vec::new(), providers: vec![npi], authorised: 0 };
    for place in 0..12 {
        let date = |year, month, day| Date::from_calendar(year, month, day).unwrap_or(Date::MAX);
        let member = Member {
            id: format!("member-{:02}", place + 1),
            coverage: format!("coverage-{:02}", place + 1),
            plan: ["silver", "bronze", "gold", "silver"][place % 4],
            birth: super::day(rng, (1950, 1, 1), (1999, 12, 31)),
            sex: if place % 2 == 0 { Sex::Female } else { Sex::Male },
            from: date(2025, 1, 1),
            to: if place == LEFT { date(2026, 2, 28) } else { date(2026, 12, 31) },
        };
        people::enrol(&mut town.registers, &member);
        if place != SILENT {
            people::consent(&mut town.registers, &member, Date::MAX);
        }
        let balances = match place {
            MET_EVERYTHING => Some((0, 0, 90_000)),
            NEARLY_AT_MAXIMUM => Some((0, 120_000, 4_200)),
            AT_MAXIMUM => Some((0, 90_000, 0)),
            RACER => Some((31_500, 260_000, 4_100_000)),
            _ => None,
        };
        if let Some((deductible_cents, out_of_pocket_cents, maximum_cents)) = balances {
            town.registers.accounts.push(AccountDocument {
                coverage: member.coverage.clone(),
                year: people::YEAR,
                version: 3,
                balances: BalancesDocument { deductible_cents, out_of_pocket_cents, maximum_cents },
                salt: Written(random_secret(rng)),
            });
        }
        town.members.push(member);
    }
    town
}

/// A claim in order with a line for each code, `days` after the start of the year; received within weeks.
fn visit(rng: &mut ChaCha20Rng, town: &mut Town, place: usize, codes: &[&str], days: u32) -> ClaimFile {
    let member = town.members[place].clone();
    let served = plus_days(Date::from_calendar(people::YEAR, 1, 12).unwrap_or(Date::MIN), days);
    let mut claim = blank(rng, town, &member);
    let known: Vec<Service> = SERVICES.into_iter().chain([COLONOSCOPY]).collect();
    for code in codes {
        let Some(service) = known.iter().find(|service| service.code == *code) else { continue };
        add_line(rng, &mut claim, service, served);
        if service.needs_authorisation {
            authorise(town, &mut claim, &member, service, served);
        }
    }
    claim.received = Some(plus_days(served, *one_of(rng, &[6, 9, 15, 20])));
    claim
}
