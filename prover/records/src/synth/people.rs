//! Invented members, providers, accounts and consents.

use super::{PAYER, catalogue, day, one_of, percent};
use crate::{
    notation::{Notation, Written},
    registers::{
        AccountDocument, ConsentDocument, CustodianDocument, EnrolmentDocument, ProviderDocument,
        RegistersDocument,
    },
    request::{BalancesDocument, VenueDocument},
};
use nightingale_circuits::claim::{Address, Date, Npi, Sex, Venue};
use rand::Rng;
use rand_chacha::ChaCha20Rng;

/// The benefit year that accounts are for, and that most services fall into.
pub(super) const YEAR: u32 = 2026;

/// Registers in the making, and who is in them.
pub(super) struct Town {
    pub(super) registers: RegistersDocument,
    pub(super) members: Vec<Member>,
    pub(super) providers: Vec<Npi>,
    /// How many authorisations have been given.
    pub(super) authorised: usize,
}

#[derive(Clone)]
pub(super) struct Member {
    pub(super) id: String,
    pub(super) coverage: String,
    pub(super) plan: &'static str,
    pub(super) birth: Date,
    pub(super) sex: Sex,
    pub(super) from: Date,
    pub(super) to: Date,
}

/// Registers without people: the payer, its plans and policy.
pub(super) fn empty_registers(rng: &mut ChaCha20Rng) -> RegistersDocument {
    RegistersDocument {
        payer: PAYER.to_owned(),
        payer_names: Vec::new(),
        venue: VenueDocument::of_venue(Venue { chain_id: 31_337, contract: address(rng) }),
        epoch: 1,
        plans: catalogue::plans(),
        policy: catalogue::policy(),
        diagnosis_groups: catalogue::groups(),
        diagnosis_codes: Vec::new(),
        enrolment: Vec::new(),
        providers: Vec::new(),
        authorisations: Vec::new(),
        consents: Vec::new(),
        accounts: Vec::new(),
        notes: Vec::new(),
        custodian: CustodianDocument {
            master_key: Some(Written(crate::registers::random_secret(rng))),
            members: Vec::new(),
        },
    }
}

pub(super) fn town(rng: &mut ChaCha20Rng, members: usize) -> Town {
    let mut town =
        Town { registers: empty_registers(rng), members: Vec::new(), providers: Vec::new(), authorised: 0 };
    for _ in 0..members / 20 + 3 {
        let npi = npi(rng);
        enrol_provider(rng, &mut town.registers, npi);
        town.providers.push(npi);
    }
    for number in 0..members {
        let member = member(rng, number);
        enrol(&mut town.registers, &member);
        if !percent(rng, 2) {
            consent(&mut town.registers, &member, Date::MAX);
        } else {
            consent(&mut town.registers, &member, day(rng, (2025, 1, 1), (2025, 12, 31)));
        }
        if percent(rng, 60) {
            let account = used_account(rng, &member);
            town.registers.accounts.push(account);
        }
        town.members.push(member);
    }
    town
}

fn member(rng: &mut ChaCha20Rng, number: usize) -> Member {
    let plan = one_of(rng, &catalogue::PLANS).name;
    let joined_late = percent(rng, 10);
    let left_early = percent(rng, 10);
    Member {
        id: format!("member-{:05}", number + 1),
        coverage: format!("coverage-{:05}", number + 1),
        plan,
        birth: day(rng, (1938, 1, 1), (2023, 12, 31)),
        sex: *one_of(rng, &[Sex::Female, Sex::Male, Sex::Female, Sex::Male, Sex::Unknown]),
        from: if joined_late {
            day(rng, (2026, 2, 1), (2026, 4, 30))
        } else {
            day(rng, (2023, 1, 1), (2024, 12, 1))
        },
        to: if left_early {
            day(rng, (2026, 8, 1), (2026, 10, 31))
        } else {
            day(rng, (2026, 12, 31), (2027, 12, 31))
        },
    }
}

/// Enrols a member, with a plan's own opening balances.
pub(super) fn enrol(registers: &mut RegistersDocument, member: &Member) {
    registers.enrolment.push(EnrolmentDocument {
        coverage: member.coverage.clone(),
        member: member.id.clone(),
        plan: member.plan.to_owned(),
        from: Written(member.from),
        to: Written(member.to),
        active: true,
        network: 1,
        birth: Written(member.birth),
        sex: Written(member.sex),
        opening: None,
        nullifier_key_hash: None,
    });
}

/// Records a consent to payment up to and including `to`.
pub(super) fn consent(registers: &mut RegistersDocument, member: &Member, to: Date) {
    registers.consents.push(ConsentDocument {
        member: member.id.clone(),
        payer: None,
        purpose: 1,
        data_class: 1,
        from: Written(Date::MIN),
        to: Written(to),
        permit: true,
    });
}

pub(super) fn enrol_provider(rng: &mut ChaCha20Rng, registers: &mut RegistersDocument, npi: Npi) {
    registers.providers.push(ProviderDocument {
        npi: Written(npi),
        names: Vec::new(),
        from: Written(day(rng, (2005, 1, 1), (2022, 12, 31))),
        to: Written(Date::MAX),
        network: 1,
        settlement: Written(address(rng)),
    });
}

/// An account that some approvals have already used; now and then one that has reached a maximum.
fn used_account(rng: &mut ChaCha20Rng, member: &Member) -> AccountDocument {
    let opening = catalogue::PLANS
        .iter()
        .find(|plan| plan.name == member.plan)
        .map_or_else(Default::default, |p| p.opening);
    let left = |rng: &mut ChaCha20Rng, cents: u64| if cents == 0 { 0 } else { rng.random_range(0..=cents) };
    let balances = match rng.random_range(0..12) {
        0 => BalancesDocument { deductible_cents: 0, out_of_pocket_cents: 0, ..opening },
        1 => BalancesDocument { deductible_cents: 0, out_of_pocket_cents: left(rng, 3_000), ..opening },
        2 => BalancesDocument { deductible_cents: 0, maximum_cents: left(rng, 9_000), ..opening },
        3 => BalancesDocument { deductible_cents: 0, maximum_cents: 0, ..opening },
        _ => {
            let deductible_cents = left(rng, opening.deductible_cents);
            let met = opening.deductible_cents - deductible_cents;
            BalancesDocument {
                deductible_cents,
                out_of_pocket_cents: opening.out_of_pocket_cents - met,
                ..opening
            }
        }
    };
    AccountDocument {
        coverage: member.coverage.clone(),
        year: YEAR,
        version: rng.random_range(1..=9),
        balances,
        salt: Written(crate::registers::random_secret(rng)),
    }
}

/// An NPI with a valid check digit.
pub(super) fn npi(rng: &mut ChaCha20Rng) -> Npi {
    let stem: u64 = 1_000_000_000 + rng.random_range(0..100_000_000) * 10;
    let valid = (0..10).filter_map(|check| Npi::new(stem + check).ok()).find(|npi| npi.passes_luhn());
    #[expect(clippy::unwrap_used, reason = "one of the ten check digits is right")]
    valid.unwrap()
}

fn address(rng: &mut ChaCha20Rng) -> Address {
    Address(rng.random())
}

/// The NPI's ten digits.
pub(super) fn digits(npi: Npi) -> String {
    npi.write()
}
