//! What invented providers do, for what, and what an invented plan pays for it.

use crate::{
    notation::{Notation, Written},
    registers::{FilingDocument, GroupDocument, PlanDocument, PolicyDocument},
    request::BalancesDocument,
};
use nightingale_circuits::claim::{
    Code, CodeSystem, CostOrder, Date, FilingAnchor, Modifier, SexLimit, Units,
};

/// A procedure and how plans cover it.
#[derive(Clone, Copy)]
pub(super) struct Service {
    pub(super) code: &'static str,
    pub(super) fee_cents: u32,
    /// The diagnosis group that supports it; empty: any diagnosis.
    pub(super) group: &'static str,
    /// Most units per line.
    pub(super) units: u32,
    pub(super) ages: (u8, u8),
    pub(super) sex: SexLimit,
    /// Whether a visit copay applies; else coinsurance alone.
    pub(super) copay: bool,
    /// Preventive services cost the member nothing.
    pub(super) free: bool,
    pub(super) needs_authorisation: bool,
}

const PLAIN: Service = Service {
    code: "",
    fee_cents: 0,
    group: "",
    units: 1,
    ages: (0, 255),
    sex: SexLimit::Any,
    copay: false,
    free: false,
    needs_authorisation: false,
};

/// What anybody may need; the generator draws sound lines from these.
pub(super) const SERVICES: [Service; 12] = [
    Service { code: "99213", fee_cents: 9_240, copay: true, ..PLAIN },
    Service { code: "99214", fee_cents: 13_065, copay: true, ..PLAIN },
    Service { code: "80053", fee_cents: 1_455, ..PLAIN },
    Service { code: "85025", fee_cents: 1_077, ..PLAIN },
    Service { code: "36415", fee_cents: 857, units: 2, ..PLAIN },
    Service { code: "83036", fee_cents: 1_335, group: "diabetes", ..PLAIN },
    Service { code: "93000", fee_cents: 1_986, group: "heart", ..PLAIN },
    Service { code: "94060", fee_cents: 5_121, group: "lungs", ..PLAIN },
    Service { code: "97110", fee_cents: 3_033, group: "back and joints", units: 4, ..PLAIN },
    Service {
        code: "72148",
        fee_cents: 24_317,
        group: "back and joints",
        needs_authorisation: true,
        ..PLAIN
    },
    Service { code: "78452", fee_cents: 46_822, group: "heart", needs_authorisation: true, ..PLAIN },
    Service { code: "90686", fee_cents: 2_150, free: true, ..PLAIN },
];

/// Covered for some people only; drawn where they fit, or where they must not fit.
pub(super) const INFANT_VISIT: Service =
    Service { code: "99381", fee_cents: 11_590, ages: (0, 0), free: true, ..PLAIN };
pub(super) const COLONOSCOPY: Service = Service { code: "45378", fee_cents: 38_470, ages: (45, 85), ..PLAIN };
pub(super) const PRENATAL_PANEL: Service =
    Service { code: "80055", fee_cents: 4_788, sex: SexLimit::Female, ..PLAIN };
pub(super) const PROSTATE_TEST: Service =
    Service { code: "84153", fee_cents: 1_839, sex: SexLimit::Male, ..PLAIN };
/// A procedure that no plan covers.
pub(super) const NOT_COVERED: &str = "15775";
/// A diagnosis that is in no group.
pub(super) const UNSUPPORTING: &str = "Z9989";

/// Diagnosis groups and their codes.
pub(super) const GROUPS: [(&str, &[&str]); 5] = [
    ("diabetes", &["E119", "E1165", "E1122", "E109"]),
    ("heart", &["I10", "I2510", "I4891", "I5022"]),
    ("lungs", &["J069", "J45909", "J449"]),
    ("back and joints", &["M5450", "M1711", "M25561", "M5416"]),
    ("prevention", &["Z0000", "Z23", "Z1211"]),
];

/// A plan's cost sharing.
pub(super) struct Plan {
    pub(super) number: u16,
    pub(super) name: &'static str,
    pub(super) opening: BalancesDocument,
    copay_cents: u32,
    coinsurance_bp: u16,
    order: CostOrder,
}

const fn balances(deductible_cents: u64, out_of_pocket_cents: u64, maximum_cents: u64) -> BalancesDocument {
    BalancesDocument { deductible_cents, out_of_pocket_cents, maximum_cents }
}

pub(super) const PLANS: [Plan; 3] = [
    Plan {
        number: 1,
        name: "bronze",
        opening: balances(250_000, 700_000, 2_500_000),
        copay_cents: 4_000,
        coinsurance_bp: 3_000,
        order: CostOrder::DeductibleFirst,
    },
    Plan {
        number: 2,
        name: "silver",
        opening: balances(80_000, 450_000, 5_000_000),
        copay_cents: 2_500,
        coinsurance_bp: 2_000,
        order: CostOrder::CopayFirst,
    },
    Plan {
        number: 3,
        name: "gold",
        opening: balances(0, 200_000, 1_099_511_627_775),
        copay_cents: 1_500,
        coinsurance_bp: 1_000,
        order: CostOrder::CopayFirst,
    },
];

/// A code known to be well formed.
pub(super) fn code(system: CodeSystem, text: &str) -> Code {
    #[expect(clippy::unwrap_used, reason = "the catalogue's codes are constants, and a test reads them all")]
    Code::new(system, text).unwrap()
}

/// Whole units; the catalogue has at most a few dozen.
pub(super) fn units(whole: u32) -> Units {
    #[expect(clippy::unwrap_used, reason = "the generator asks for 1 to 60 units")]
    Units::from_thousandths(whole * 1000).unwrap()
}

pub(super) fn plans() -> Vec<PlanDocument> {
    let plan = |plan: &Plan| PlanDocument {
        number: plan.number,
        name: plan.name.to_owned(),
        names: Vec::new(),
        opening: plan.opening,
    };
    PLANS.iter().map(plan).collect()
}

pub(super) fn groups() -> Vec<GroupDocument> {
    let group = |(name, codes): &(&str, &[&str])| GroupDocument {
        name: (*name).to_owned(),
        codes: codes.iter().map(|text| Written(code(CodeSystem::Icd10Cm, text))).collect(),
        ranges: Vec::new(),
    };
    GROUPS.iter().map(group).collect()
}

/// Every plan's rows: two fee schedules a year apart, and a rental row for the one service that has a modifier class.
pub(super) fn policy() -> Vec<PolicyDocument> {
    let special = [INFANT_VISIT, COLONOSCOPY, PRENATAL_PANEL, PROSTATE_TEST];
    let services: Vec<Service> = SERVICES.into_iter().chain(special).collect();
    let mut rows = Vec::new();
    for plan in &PLANS {
        for service in &services {
            let old = row(plan, service, None, service.fee_cents - service.fee_cents / 40);
            let split = |year| Date::from_calendar(year, 12, 31).unwrap_or(Date::MAX);
            let start = |year| Date::from_calendar(year, 1, 1).unwrap_or(Date::MIN);
            rows.push(PolicyDocument { to: Written(split(2025)), ..old });
            rows.push(PolicyDocument {
                from: Written(start(2026)),
                ..row(plan, service, None, service.fee_cents)
            });
        }
        let rental = Service { code: "E0601", fee_cents: 9_150, ..PLAIN };
        rows.push(row(plan, &rental, Modifier::read("RR"), rental.fee_cents));
    }
    rows
}

fn row(plan: &Plan, service: &Service, modifier: Option<Modifier>, fee_cents: u32) -> PolicyDocument {
    PolicyDocument {
        plan: plan.name.to_owned(),
        code: Written(code(CodeSystem::Cpt, service.code)),
        modifier: modifier.map(Written),
        from: Written(Date::MIN),
        to: Written(Date::MAX),
        fee_cents,
        copay_cents: if service.copay { plan.copay_cents } else { 0 },
        coinsurance_bp: if service.free || service.copay { 0 } else { plan.coinsurance_bp },
        max_units: Some(Written(units(service.units))),
        max_repeat: 0,
        min_age: service.ages.0,
        max_age: service.ages.1,
        sex: Written(service.sex),
        needs_authorisation: service.needs_authorisation,
        deductible_applies: !service.free && !service.copay,
        order: Written(plan.order),
        network_only: plan.number == 1,
        filing: FilingDocument { years: 1, days: 0, anchor: Written(FilingAnchor::Through) },
        groups: if service.group.is_empty() { Vec::new() } else { vec![service.group.to_owned()] },
    }
}
