//! From the JSON form to checked registers.

use super::{
    document::{GroupDocument, PolicyDocument, RegistersDocument},
    keys::MemberKeys,
    set::{Names, RegisterSet},
};
use crate::{
    RecordsError,
    notation::{Notation, UNKNOWN_PLAN, id, plan_id},
    request::check_row,
};
use nightingale_circuits::{
    Fr,
    claim::{
        Account, Authorisation, Balances, Code, CodeSystem, Consent, Date, DiagnosisGroups, Enrolment, Epoch,
        Id, PlanId, PolicyRow, Provider, Units, account::nullifier_key_hash, records::GROUPS,
        types::PRICING_MODIFIERS,
    },
    merkle::{Record, Register},
};
use std::collections::BTreeMap;

type Plans = BTreeMap<String, (PlanId, Balances)>;

pub(super) fn build(document: &RegistersDocument) -> Result<RegisterSet, RecordsError> {
    let payer = identifier(&document.payer, || "payer".to_owned())?;
    let keys = MemberKeys::read(&document.custodian)?;
    let plans = plans(document)?;
    let mut groups = groups(document)?;
    let policy = register("policy", policy(document, &plans, &groups)?)?;
    let diagnoses = std::mem::take(&mut groups.codes).into_iter();
    let diagnoses = register(
        "diagnosis_groups",
        diagnoses.map(|(code, groups)| DiagnosisGroups { code, groups }).collect(),
    )?;
    let enrolment = register("enrolment", enrolment(document, &plans, &keys)?)?;
    let (providers, provider_names) = providers(document)?;
    let providers = register("providers", providers)?;
    let authorisations = register("authorisations", authorisations(document)?)?;
    let consents = register("consents", consents(document, payer)?)?;
    let epoch = Epoch {
        payer,
        venue: document.venue.venue(),
        policy_root: policy.root(),
        diagnosis_root: diagnoses.root(),
        enrolment_root: enrolment.root(),
        provider_root: providers.root(),
        authorisation_root: authorisations.root(),
        number: document.epoch,
    };
    let names = Names {
        payer: document.payer_names.iter().cloned().chain([document.payer.clone()]).collect(),
        plans: plans.into_iter().map(|(name, (plan, _))| (name, plan)).collect(),
        providers: provider_names,
    };
    let accounts = accounts(document, &enrolment, &keys)?;
    let notes: Vec<Fr> = document.notes.iter().map(|note| note.0).collect();
    RegisterSet::new(
        epoch,
        names,
        keys,
        policy,
        diagnoses,
        enrolment,
        providers,
        authorisations,
        consents,
        accounts,
        notes,
    )
}

fn identifier(text: &str, element: impl Fn() -> String) -> Result<Id, RecordsError> {
    id(text).ok_or_else(|| RecordsError::format(element(), format!("expected {}", Id::EXPECTED)))
}

/// Builds a register after naming the entries that are wrong or clash, if any do: `Register::build` knows only keys.
fn register<T: Record>(name: &str, records: Vec<T>) -> Result<Register<T>, RecordsError> {
    for (i, record) in records.iter().enumerate() {
        record.check().map_err(|problem| RecordsError::format(format!("{name}[{i}]"), problem))?;
    }
    let mut order: Vec<usize> = (0..records.len()).collect();
    order.sort_by_key(|i| (records[*i].key(), *i));
    for pair in order.windows(2) {
        let (first, second) = (pair[0].min(pair[1]), pair[0].max(pair[1]));
        if records[pair[0]].key() == records[pair[1]].key() {
            let problem = format!("has the same key as {name}[{first}]; keep one");
            return Err(RecordsError::format(format!("{name}[{second}]"), problem));
        }
        if let Err(problem) = records[pair[0]].follows(&records[pair[1]]) {
            return Err(RecordsError::format(format!("{name}[{first}] and {name}[{second}]"), problem));
        }
    }
    Ok(Register::build(records)?)
}

fn plans(document: &RegistersDocument) -> Result<Plans, RecordsError> {
    let mut plans = Plans::new();
    let mut numbers = BTreeMap::new();
    for (i, plan) in document.plans.iter().enumerate() {
        let at = |member: &str| format!("plans[{i}].{member}");
        let number = plan_id(plan.number)
            .filter(|_| plan.number != UNKNOWN_PLAN)
            .ok_or_else(|| RecordsError::format(at("number"), "expected a number from 1 to 65534"))?;
        if let Some(other) = numbers.insert(plan.number, i) {
            return Err(RecordsError::format(at("number"), format!("is also plans[{other}]'s; keep one")));
        }
        let opening = plan.opening.balances().map_err(|e| e.within(&at("opening")))?;
        for name in plan.names.iter().chain([&plan.name]) {
            if plans.insert(name.clone(), (number, opening)).is_some_and(|(other, _)| other != number) {
                return Err(RecordsError::format(at("names"), "names another plan too; keep one"));
            }
        }
    }
    Ok(plans)
}

fn plan_named<'a>(
    plans: &'a Plans,
    name: &str,
    element: String,
) -> Result<&'a (PlanId, Balances), RecordsError> {
    plans.get(name).ok_or_else(|| RecordsError::format(element, "expected the name of one of the plans"))
}

struct Groups {
    bits: BTreeMap<String, u32>,
    codes: BTreeMap<Code, u32>,
}

fn groups(document: &RegistersDocument) -> Result<Groups, RecordsError> {
    if document.diagnosis_groups.len() > GROUPS {
        return Err(RecordsError::format("diagnosis_groups", format!("expected at most {GROUPS} groups")));
    }
    let mut groups = Groups { bits: BTreeMap::new(), codes: BTreeMap::new() };
    for (i, group) in document.diagnosis_groups.iter().enumerate() {
        let bit = 1u32 << i;
        let at = |member: &str| format!("diagnosis_groups[{i}].{member}");
        if groups.bits.insert(group.name.clone(), bit).is_some() {
            return Err(RecordsError::format(at("name"), "is an earlier group's name; give each its own"));
        }
        let ranged = ranged_codes(group, document, &at)?;
        for code in group.codes.iter().map(|code| code.0).chain(ranged) {
            *groups.codes.entry(code).or_default() |= bit;
        }
    }
    Ok(groups)
}

fn ranged_codes(
    group: &GroupDocument,
    document: &RegistersDocument,
    at: &impl Fn(&str) -> String,
) -> Result<Vec<Code>, RecordsError> {
    let mut all = Vec::new();
    for (j, range) in group.ranges.iter().enumerate() {
        let element = || at(&format!("ranges[{j}]"));
        let malformed = || {
            RecordsError::format(
                element(),
                "expected icd-10-cm:FIRST-LAST or icd-9-cm:FIRST-LAST, FIRST not after LAST",
            )
        };
        let (system, bounds) = range.split_once(':').ok_or_else(malformed)?;
        let (first, last) = bounds.split_once('-').ok_or_else(malformed)?;
        let part =
            |text: &str| Code::read(&format!("{system}:{text}")).and_then(Code::parts).ok_or_else(malformed);
        let ((system, first), (_, last)) = (part(first)?, part(last)?);
        if !matches!(system, CodeSystem::Icd10Cm | CodeSystem::Icd9Cm) || first > last {
            return Err(malformed());
        }
        let listed = document.diagnosis_codes.iter().map(|code| code.0).filter(|code| {
            code.parts().is_some_and(|(s, text)| {
                s == system && text >= first && (text <= last || text.starts_with(&last))
            })
        });
        let before = all.len();
        all.extend(listed);
        if all.len() == before {
            return Err(RecordsError::format(element(), "holds none of the codes listed in diagnosis_codes"));
        }
    }
    Ok(all)
}

fn policy(
    document: &RegistersDocument,
    plans: &Plans,
    groups: &Groups,
) -> Result<Vec<PolicyRow>, RecordsError> {
    let rows = document.policy.iter().enumerate();
    rows.map(|(i, row)| policy_row(row, plans, groups).map_err(|e| e.within(&format!("policy[{i}]"))))
        .collect()
}

fn policy_row(row: &PolicyDocument, plans: &Plans, groups: &Groups) -> Result<PolicyRow, RecordsError> {
    let (plan, _) = *plan_named(plans, &row.plan, "plan".to_owned())?;
    let class = match &row.modifier {
        None => 0,
        Some(modifier) => PRICING_MODIFIERS
            .iter()
            .position(|pricing| *pricing == modifier.0.text())
            .map(|place| place as u8 + 1)
            .ok_or_else(|| {
                let problem = format!("expected a pricing modifier: {}", PRICING_MODIFIERS.join(", "));
                RecordsError::format("modifier", problem)
            })?,
    };
    period(row.from.0, row.to.0, "to")?;
    if row.min_age > row.max_age {
        return Err(RecordsError::format("max_age", "expected no less than min_age"));
    }
    let mut mask = 0;
    for (j, name) in row.groups.iter().enumerate() {
        let unknown =
            || RecordsError::format(format!("groups[{j}]"), "expected the name of a diagnosis group");
        mask |= groups.bits.get(name).copied().ok_or_else(unknown)?;
    }
    let built = PolicyRow {
        plan,
        code: row.code.0,
        class,
        from: row.from.0,
        to: row.to.0,
        fee_cents: row.fee_cents,
        copay_cents: row.copay_cents,
        coinsurance_bp: row.coinsurance_bp,
        max_units: row
            .max_units
            .map_or((1 << 24) - 1, |units: crate::notation::Written<Units>| units.0.thousandths()),
        max_repeat: row.max_repeat,
        min_age: row.min_age,
        max_age: row.max_age,
        sex: row.sex.0,
        needs_authorisation: row.needs_authorisation,
        deductible_applies: row.deductible_applies,
        order: row.order.0,
        network_only: row.network_only,
        filing_years: row.filing.years,
        filing_days: row.filing.days,
        filing_anchor: row.filing.anchor.0,
        groups: mask,
    };
    check_row(&built)?;
    Ok(built)
}

fn period(from: Date, to: Date, element: &str) -> Result<(), RecordsError> {
    if from <= to { Ok(()) } else { Err(RecordsError::format(element, "expected no earlier than from")) }
}

fn enrolment(
    document: &RegistersDocument,
    plans: &Plans,
    keys: &MemberKeys,
) -> Result<Vec<Enrolment>, RecordsError> {
    let mut hashes: BTreeMap<Id, (usize, Fr)> = BTreeMap::new();
    let mut all = Vec::with_capacity(document.enrolment.len());
    for (i, entry) in document.enrolment.iter().enumerate() {
        let at = |member: &str| format!("enrolment[{i}].{member}");
        let member = identifier(&entry.member, || at("member"))?;
        let (plan, opening) = *plan_named(plans, &entry.plan, at("plan"))?;
        period(entry.from.0, entry.to.0, &at("to"))?;
        let held = keys.of(member).map(|nk| nullifier_key_hash(&nk));
        let given = entry.nullifier_key_hash.map(|hash| hash.0);
        if held.is_some() && given.is_some() && held != given {
            return Err(RecordsError::format(
                at("nullifier_key_hash"),
                "is not the hash of the custodian's key",
            ));
        }
        let hash = given.or(held).ok_or_else(|| {
            let problem = "missing; give it, or the member's key under custodian";
            RecordsError::format(at("nullifier_key_hash"), problem)
        })?;
        let (first, other) = *hashes.entry(member).or_insert((i, hash));
        if other != hash {
            let problem =
                format!("differs from enrolment[{first}]'s of the same member; a member has one key");
            return Err(RecordsError::format(at("nullifier_key_hash"), problem));
        }
        all.push(Enrolment {
            coverage: identifier(&entry.coverage, || at("coverage"))?,
            member,
            plan,
            from: entry.from.0,
            to: entry.to.0,
            active: entry.active,
            network: entry.network,
            birth: entry.birth.0,
            sex: entry.sex.0,
            nullifier_key_hash: hash,
            opening: match entry.opening {
                Some(own) => own.balances().map_err(|e| e.within(&at("opening")))?,
                None => opening,
            },
        });
    }
    Ok(all)
}

type ProviderNames = BTreeMap<String, nightingale_circuits::claim::Npi>;

fn providers(document: &RegistersDocument) -> Result<(Vec<Provider>, ProviderNames), RecordsError> {
    let mut names = ProviderNames::new();
    let mut all = Vec::with_capacity(document.providers.len());
    for (i, entry) in document.providers.iter().enumerate() {
        let at = |member: &str| format!("providers[{i}].{member}");
        period(entry.from.0, entry.to.0, &at("to"))?;
        for (j, name) in entry.names.iter().enumerate() {
            if names.insert(name.clone(), entry.npi.0).is_some_and(|other| other != entry.npi.0) {
                return Err(RecordsError::format(
                    at(&format!("names[{j}]")),
                    "names another provider too; keep one",
                ));
            }
        }
        all.push(Provider {
            npi: entry.npi.0,
            from: entry.from.0,
            to: entry.to.0,
            network: entry.network,
            settlement: entry.settlement.0,
        });
    }
    Ok((all, names))
}

fn authorisations(document: &RegistersDocument) -> Result<Vec<Authorisation>, RecordsError> {
    let each = document.authorisations.iter().enumerate();
    each.map(|(i, entry)| {
        let at = |member: &str| format!("authorisations[{i}].{member}");
        period(entry.from.0, entry.to.0, &at("to"))?;
        Ok(Authorisation {
            reference: identifier(&entry.reference, || at("reference"))?,
            coverage: identifier(&entry.coverage, || at("coverage"))?,
            code: entry.code.0,
            from: entry.from.0,
            to: entry.to.0,
            units: entry.units.0.thousandths(),
        })
    })
    .collect()
}

fn consents(document: &RegistersDocument, payer: Id) -> Result<Vec<Consent>, RecordsError> {
    let each = document.consents.iter().enumerate();
    each.map(|(i, entry)| {
        let at = |member: &str| format!("consents[{i}].{member}");
        period(entry.from.0, entry.to.0, &at("to"))?;
        Ok(Consent {
            member: identifier(&entry.member, || at("member"))?,
            payer: entry.payer.as_ref().map_or(Ok(payer), |text| identifier(text, || at("payer")))?,
            purpose: entry.purpose,
            data_class: entry.data_class,
            from: entry.from.0,
            to: entry.to.0,
            permit: entry.permit,
        })
    })
    .collect()
}

fn accounts(
    document: &RegistersDocument,
    enrolment: &Register<Enrolment>,
    keys: &MemberKeys,
) -> Result<BTreeMap<(Id, u32), Account>, RecordsError> {
    let mut all = BTreeMap::new();
    for (i, entry) in document.accounts.iter().enumerate() {
        let at = |member: &str| format!("accounts[{i}].{member}");
        let coverage = identifier(&entry.coverage, || at("coverage"))?;
        let enrolled = enrolment.open(coverage.number()).leaf.record.filter(|e| e.coverage == coverage);
        let Some(enrolled) = enrolled else {
            return Err(RecordsError::format(
                at("coverage"),
                "is not enrolled; an account belongs to a coverage",
            ));
        };
        if keys.of(enrolled.member).is_none() {
            let problem = "is of a member without a key under custodian; accounts are notes under it";
            return Err(RecordsError::format(at("coverage"), problem));
        }
        if !(1901..=2099).contains(&entry.year) {
            return Err(RecordsError::format(at("year"), "expected a year from 1901 to 2099"));
        }
        if entry.version == 0 || entry.version == u32::MAX {
            let problem = "expected 1 or more; version 0 is the plan's opening balance and is not listed";
            return Err(RecordsError::format(at("version"), problem));
        }
        let account = Account {
            year: entry.year,
            version: entry.version,
            balances: entry.balances.balances().map_err(|e| e.within(&at("balances")))?,
            salt: entry.salt.0.clone(),
        };
        if all.insert((coverage, entry.year), account).is_some() {
            return Err(RecordsError::format(
                at("year"),
                "is already listed for this coverage; keep the newest version",
            ));
        }
    }
    Ok(all)
}
