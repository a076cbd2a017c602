//! On generated requests the reference and the circuit agree: the circuit accepts the reference's outcome, and no other.

use super::case::{Case, cpt, day, icd, line, shape, values, violated};
use nightingale_circuits::{
    Fr,
    claim::{circuit::Inputs, *},
};
use rand::{Rng, SeedableRng, seq::IndexedRandom};
use rand_chacha::ChaCha20Rng;

/// A claim in which everything may be right or wrong.
fn generate(rng: &mut ChaCha20Rng) -> Case {
    let mut case = Case::new(8);
    let lines = rng.random_range(1..=8);
    let codes = ["99213", "99214", "80053", "36415", "93000", "71046", "85025", "00000"];
    case.claim.diagnoses = (0..rng.random_range(1..=12))
        .map(|_| icd(["E11.9", "I10", "Z99", "A00"].choose(rng).unwrap()))
        .collect();
    case.claim.lines = (0..lines).map(|_| line(codes.choose(rng).unwrap())).collect();
    for line in &mut case.claim.lines {
        let start = rng.random_range(0..360);
        line.from = Date::from_days(day(2025, 1, 1).days() + start).unwrap();
        line.through = Date::from_days(line.from.days() + rng.random_range(0..5)).unwrap();
        line.charge_cents = rng.random_range(0..60_000);
        line.units = Units::from_thousandths(rng.random_range(1..6_000)).unwrap();
        line.repeat = rng.random_range(0..2);
        line.modifiers = ["59", "26", "25", "TC", "ZZ"]
            .iter()
            .filter(|_| rng.random_bool(0.12))
            .take(4)
            .map(|m| Modifier::new(m).unwrap())
            .collect();
        let pointers: Vec<u8> = (0..rng.random_range(0..4))
            .map(|_| rng.random_range(1..=case.claim.diagnoses.len() as u8))
            .collect();
        line.pointers = Pointers::new(&pointers).unwrap();
    }
    for i in 0..case.claim.lines.len() {
        while case.claim.lines[..i].iter().any(|other| other.is_same_service(&case.claim.lines[i])) {
            case.claim.lines[i].repeat += 1;
        }
    }
    let professional: Vec<PolicyRow> =
        case.rows.iter().map(|r| PolicyRow { class: 1, ..r.clone() }).collect();
    case.rows.extend(professional);
    for row in &mut case.rows {
        row.fee_cents = rng.random_range(0..30_000);
        row.copay_cents = *[0, 500, 2_000, 90_000].choose(rng).unwrap();
        row.coinsurance_bp = *[0, 1_000, 3_333, 10_000].choose(rng).unwrap();
        row.max_units = rng.random_range(5_000..6_500);
        row.max_repeat = rng.random_range(1..3);
        row.deductible_applies = rng.random();
        row.order = if rng.random() { CostOrder::CopayFirst } else { CostOrder::DeductibleFirst };
        row.network_only = rng.random_bool(0.2);
        row.needs_authorisation = rng.random_bool(0.3);
        row.groups = *[0, 0, 0b10, 0b110, 0b1110].choose(rng).unwrap();
        row.min_age = *[0, 0, 0, 44, 45].choose(rng).unwrap();
        row.max_age = *[255, 255, 255, 45].choose(rng).unwrap();
        row.sex = *[SexLimit::Any, SexLimit::Any, SexLimit::Any, SexLimit::Female, SexLimit::Male]
            .choose(rng)
            .unwrap();
        row.filing_years = u8::from(rng.random_bool(0.8));
        row.filing_days = rng.random_range(0..400);
        row.filing_anchor = if rng.random() { FilingAnchor::From } else { FilingAnchor::Through };
        row.from = *[day(2020, 1, 1), day(2020, 1, 1), day(2025, 3, 1)].choose(rng).unwrap();
        row.to = *[Date::MAX, Date::MAX, day(2025, 11, 30)].choose(rng).unwrap();
    }
    case.received = Date::from_days(day(2026, 1, 10).days() + rng.random_range(0..200)).unwrap();
    let enrolment = &mut case.enrolments[0];
    enrolment.active = rng.random_bool(0.9);
    enrolment.to = *[day(2025, 12, 31), Date::MAX, day(2025, 6, 30)].choose(rng).unwrap();
    enrolment.birth =
        Date::from_days(rng.random_range(day(1978, 1, 1).days()..day(1982, 1, 1).days())).unwrap();
    enrolment.network = if rng.random_bool(0.8) { 3 } else { 4 };
    if rng.random_bool(0.7) {
        case.claim.authorisation = Some(Id::from_text(["auth", "auth", "none"].choose(rng).unwrap()));
        case.authorisations[0].code = cpt(codes.choose(rng).unwrap());
        case.authorisations[0].units = rng.random_range(0..9_000);
    }
    if rng.random_bool(0.1) {
        case.claim.coverage = Id::from_text("unknown");
    }
    if rng.random_bool(0.1) {
        case.claim.plan = PlanId::new(rng.random_range(6..9)).ok();
    }
    if rng.random_bool(0.1) {
        case.providers.remove(rng.random_range(0..2));
    }
    let balance = |rng: &mut ChaCha20Rng| *[0u64, 1_234, 20_000, Balances::MAX].choose(rng).unwrap();
    let balances = Balances { deductible: balance(rng), out_of_pocket: balance(rng), maximum: balance(rng) };
    if rng.random() {
        case.enrolments[0].opening = balances;
        case.account.balances = balances;
        case
    } else {
        case.with_account(rng.random_range(1..1_000), balances)
    }
}

#[test]
fn the_circuit_accepts_the_references_outcome_and_no_other() {
    let mut rng = ChaCha20Rng::seed_from_u64(2025);
    let (mut approved, mut denied) = (0, 0);
    let mut seen = Reasons::default();
    for round in 0..30 {
        let request = generate(&mut rng).request();
        let outcome = adjudicate(&request).unwrap();
        assert!(outcome.lines.iter().all(LineOutcome::balances));
        seen = seen.union(outcome.reasons);
        if outcome.approved {
            approved += 1
        } else {
            denied += 1
        }
        let inputs = Inputs::new(&request, outcome.class, outcome.public.clone());
        assert_eq!(violated(&inputs), None, "round {round}");
        // Another amount, decision or set of reasons than the reference's.
        let mut values = values(&inputs);
        for (i, change) in [(6, 1u64), (7, 1), (8, 1), (9, 1)] {
            values[i] += Fr::from(change);
            assert!(
                shape(outcome.class).first_unsatisfied(&values).is_some(),
                "round {round}, public input {i}"
            );
            values[i] -= Fr::from(change);
        }
    }
    assert!(approved >= 10 && denied >= 10, "{approved} approved, {denied} denied");
    let missing: Vec<_> = Reason::ALL.into_iter().filter(|r| !seen.contains(*r)).map(Reason::carc).collect();
    // Those that the generator does not try: too early, another patient.
    assert!(missing.iter().all(|carc| ["26", "31"].contains(carc)), "never seen: {missing:?}");
}
