//! One input that breaks one rule changes exactly that rule's reason, in the reference and in the circuit.

use super::case::{Case, cpt, day, icd, line, prove};
use nightingale_circuits::claim::*;

fn carcs(reasons: Reasons) -> Vec<&'static str> {
    reasons.iter().map(Reason::carc).collect()
}

/// Both classes deny a one-line claim for exactly `reason`, and approve it before the change.
fn denies_for(reason: &str, change: impl Fn(&mut Case)) {
    let mut case = Case::new(1);
    assert!(prove(&case).approved);
    change(&mut case);
    let outcome = prove(&case);
    assert_eq!(carcs(outcome.reasons), [reason]);
    assert!(!outcome.approved);
    assert_eq!((outcome.payable, outcome.lines[0].noncovered), (0, 15_000));
    assert!(outcome.lines[0].balances());
    assert_eq!(outcome.public.spend_tag, 0u64.into());
    assert!(outcome.public.nullifiers.iter().all(|n| *n == 0u64.into()));
    // Beside a good line, the claim is approved, and the reason is still told.
    let mut case = Case::new(2);
    let good = case.claim.lines[1].clone();
    change(&mut case);
    if case.claim.lines[1] == good && case.claim.lines.len() == 2 {
        let outcome = prove(&case);
        assert!(carcs(outcome.reasons).contains(&reason));
    }
}

#[test]
fn denies_a_service_before_coverage_starts() {
    denies_for("26", |c| c.enrolments[0].from = day(2025, 3, 11));
}

#[test]
fn denies_a_service_after_coverage_ends() {
    denies_for("27", |c| c.enrolments[0].to = day(2025, 3, 10));
}

#[test]
fn denies_under_a_coverage_that_is_not_active() {
    denies_for("27", |c| c.enrolments[0].active = false);
}

#[test]
fn denies_a_patient_who_is_not_the_beneficiary() {
    denies_for("31", |c| c.enrolments[0].member = Id::from_text("somebody else"));
}

#[test]
fn denies_a_coverage_that_is_not_enrolled() {
    denies_for("31", |c| c.claim.coverage = Id::from_text("unknown"));
}

#[test]
fn denies_a_claim_for_another_payer() {
    denies_for("109", |c| c.claim.insurer = Id::from_text("another"));
}

#[test]
fn denies_a_claim_for_another_plan() {
    denies_for("109", |c| c.claim.plan = PlanId::new(8).ok());
}

#[test]
fn accepts_a_claim_that_names_no_plan() {
    let mut case = Case::new(1);
    case.claim.plan = None;
    assert!(prove(&case).approved);
}

#[test]
fn denies_a_procedure_without_a_row() {
    denies_for("96", |c| c.claim.lines[0].code = cpt("00000"));
}

#[test]
fn denies_a_procedure_whose_row_has_ended() {
    denies_for("96", |c| c.rows[0].to = day(2025, 3, 9));
}

#[test]
fn denies_a_procedure_whose_row_has_not_begun() {
    denies_for("96", |c| c.rows[0].from = day(2025, 3, 11));
}

#[test]
fn denies_a_modifier_class_without_a_row() {
    denies_for("96", |c| c.claim.lines[0].modifiers = vec![Modifier::new("26").unwrap()]);
}

#[test]
fn denies_a_row_of_another_plan() {
    denies_for("96", |c| c.rows[0].plan = PlanId::new(9).unwrap());
}

#[test]
fn denies_outside_the_network_where_the_row_asks_for_it() {
    denies_for("96", |c| {
        c.rows[0].network_only = true;
        c.providers[0].network = 4;
    });
}

#[test]
fn denies_a_diagnosis_of_another_group() {
    denies_for("11", |c| c.claim.lines[0].pointers = Pointers::new(&[2]).unwrap());
}

#[test]
fn denies_a_diagnosis_without_groups() {
    denies_for("11", |c| c.claim.diagnoses[0] = icd("Z99"));
}

#[test]
fn accepts_any_diagnosis_where_the_row_names_no_group() {
    let mut case = Case::new(1);
    case.rows[0].groups = 0;
    case.claim.lines[0].pointers = Pointers::default();
    assert!(prove(&case).approved);
}

#[test]
fn accepts_four_pointers_of_one_group() {
    let mut case = Case::new(1);
    case.claim.diagnoses = ["E11.9", "A00", "B00", "C00"].map(icd).to_vec();
    case.groups = case.claim.diagnoses.iter().map(|d| DiagnosisGroups { code: *d, groups: 0b10 }).collect();
    case.claim.lines[0].pointers = Pointers::new(&[1, 2, 3, 4]).unwrap();
    assert!(prove(&case).approved);
    case.rows[0].groups = 0b101;
    assert_eq!(carcs(prove(&case).reasons), ["11"]);
}

#[test]
fn denies_a_patient_who_is_too_young() {
    // Born on 29 February 1980, so 45 from 28 February 2025 on.
    denies_for("6", |c| c.rows[0].min_age = 46);
}

#[test]
fn denies_a_patient_who_is_too_old() {
    denies_for("6", |c| c.rows[0].max_age = 44);
}

#[test]
fn counts_age_in_whole_years_on_the_first_day_of_service() {
    let mut case = Case::new(1);
    case.enrolments[0].birth = day(1980, 3, 10);
    case.rows[0].min_age = 45;
    assert!(prove(&case).approved);
    case.enrolments[0].birth = day(1980, 3, 11);
    assert_eq!(carcs(prove(&case).reasons), ["6"]);
    case.rows[0].min_age = 0;
    case.rows[0].max_age = 44;
    assert!(prove(&case).approved);
    case.enrolments[0].birth = day(1980, 3, 10);
    assert_eq!(carcs(prove(&case).reasons), ["6"]);
}

#[test]
fn denies_the_wrong_sex() {
    denies_for("7", |c| c.rows[0].sex = SexLimit::Male);
}

#[test]
fn denies_an_unknown_sex_where_the_row_asks_for_one() {
    denies_for("7", |c| {
        c.rows[0].sex = SexLimit::Female;
        c.enrolments[0].sex = Sex::Unknown;
    });
}

#[test]
fn denies_too_many_units() {
    denies_for("151", |c| c.rows[0].max_units = 999);
}

#[test]
fn denies_too_high_a_repeat_index() {
    denies_for("151", |c| c.claim.lines[0].repeat = 2);
}

#[test]
fn denies_when_the_maximum_is_exhausted() {
    denies_for("119", |c| {
        c.enrolments[0].opening.maximum = 0;
        c.account.balances.maximum = 0;
    });
}

#[test]
fn pays_what_is_left_of_the_maximum() {
    let mut case = Case::new(2);
    case.enrolments[0].opening.maximum = 3_000;
    case.account.balances.maximum = 3_000;
    let outcome = prove(&case);
    // Allowed 100.00, copay 20.00, deductible 50.00, coinsurance 6.00: share 24.00; then the maximum has 6.00 left.
    assert_eq!(outcome.lines.iter().map(|l| l.pay).collect::<Vec<_>>(), [2_400, 600]);
    assert_eq!(outcome.lines[1].over_maximum, 6_400 - 600);
    assert_eq!(carcs(outcome.reasons), ["119"]);
    assert!(outcome.lines.iter().all(LineOutcome::balances));
}

fn with_authorisation(case: &mut Case) {
    case.rows[0].needs_authorisation = true;
    case.claim.authorisation = Some(Id::from_text("auth"));
}

#[test]
fn accepts_an_authorised_service_and_publishes_its_use() {
    let mut case = Case::new(1);
    with_authorisation(&mut case);
    let outcome = prove(&case);
    assert!(outcome.approved);
    assert_ne!(outcome.public.authorisation_tag, 0u64.into());
}

#[test]
fn denies_without_the_authorisation_that_the_row_asks_for() {
    denies_for("197", |c| c.rows[0].needs_authorisation = true);
}

#[test]
fn denies_with_an_unknown_authorisation() {
    denies_for("197", |c| {
        with_authorisation(c);
        c.claim.authorisation = Some(Id::from_text("invented"));
    });
}

#[test]
fn denies_an_authorisation_for_another_code() {
    denies_for("15", |c| {
        with_authorisation(c);
        c.authorisations[0].code = cpt("99999");
    });
}

#[test]
fn denies_an_authorisation_for_another_coverage() {
    denies_for("15", |c| {
        with_authorisation(c);
        c.authorisations[0].coverage = Id::from_text("coverage-2");
    });
}

#[test]
fn denies_an_authorisation_out_of_period() {
    denies_for("15", |c| {
        with_authorisation(c);
        c.authorisations[0].to = day(2025, 3, 10);
    });
    denies_for("15", |c| {
        with_authorisation(c);
        c.authorisations[0].from = day(2025, 3, 11);
    });
}

#[test]
fn denies_more_units_than_authorised() {
    denies_for("198", |c| {
        with_authorisation(c);
        c.authorisations[0].units = 999;
    });
}

#[test]
fn counts_authorised_units_over_all_lines() {
    let mut case = Case::new(1);
    with_authorisation(&mut case);
    case.claim.lines = vec![line("99213"), line("99213"), line("99213")];
    for (i, line) in case.claim.lines.iter_mut().enumerate() {
        line.repeat = i as u8;
    }
    case.rows[0].max_repeat = 2;
    let outcome = prove(&case);
    let allowed: Vec<bool> = outcome.lines.iter().map(|l| l.is_allowed).collect();
    assert_eq!(allowed, [true, true, false]);
    assert_eq!(carcs(outcome.reasons), ["198"]);
}

#[test]
fn denies_a_late_claim() {
    denies_for("29", |c| c.received = day(2026, 3, 12));
}

#[test]
fn the_filing_limit_runs_from_the_day_that_the_row_names() {
    let mut case = Case::new(1);
    case.received = day(2026, 3, 11);
    assert!(prove(&case).approved);
    case.rows[0].filing_anchor = FilingAnchor::From;
    assert_eq!(carcs(prove(&case).reasons), ["29"]);
    case.rows[0].filing_days = 1;
    assert!(prove(&case).approved);
}

#[test]
fn a_year_after_29_february_is_28_february() {
    let mut case = Case::new(1);
    case.claim.lines[0].from = day(2024, 2, 29);
    case.claim.lines[0].through = day(2024, 2, 29);
    case.account.year = 2024;
    case.enrolments[0].from = day(2024, 1, 1);
    case.received = day(2025, 2, 28);
    assert!(prove(&case).approved);
    case.received = day(2025, 3, 1);
    assert_eq!(carcs(prove(&case).reasons), ["29"]);
}

#[test]
fn denies_a_billing_provider_that_is_not_enrolled() {
    denies_for("B7", |c| {
        c.providers.remove(0);
    });
}

#[test]
fn denies_a_rendering_provider_that_is_not_enrolled_on_the_day() {
    denies_for("B7", |c| c.providers[1].to = day(2025, 3, 10));
    denies_for("B7", |c| c.providers[1].from = day(2025, 3, 11));
}

#[test]
fn denies_an_npi_that_fails_luhn_even_when_it_is_enrolled() {
    denies_for("B7", |c| {
        c.claim.rendering = Npi::new(RENDERING_WITH_BAD_CHECK_DIGIT).unwrap();
        c.providers[1].npi = c.claim.rendering;
    });
}

const RENDERING_WITH_BAD_CHECK_DIGIT: u64 = super::case::RENDERING + 1;
