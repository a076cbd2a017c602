//! The payable amount: known cases, and the orders and caps that differ between plans.

use super::case::{Case, prove};
use nightingale_circuits::claim::*;

fn amounts(line: &LineOutcome) -> [u64; 4] {
    [line.copay, line.deductible, line.coinsurance, line.pay]
}

fn with_balances(mut case: Case, balances: Balances) -> Case {
    case.enrolments[0].opening = balances;
    case.account.balances = balances;
    case
}

/// HL7's ClaimResponse R3502: eligible 235.40, copay 20.00, 80 percent, benefit 172.32.
#[test]
fn reproduces_hl7_r3502() {
    let mut case = with_balances(Case::new(1), Balances { deductible: 0, ..Case::new(1).account.balances });
    case.rows[0].fee_cents = 23_540;
    case.claim.lines[0].charge_cents = 23_540;
    let outcome = prove(&case);
    assert_eq!(outcome.payable, 17_232);
    assert_eq!(amounts(&outcome.lines[0]), [2_000, 0, 4_308, 17_232]);
}

/// The first added item of HL7's ClaimResponse R3503: eligible 100.00, copay 10.00, 80 percent, benefit 72.00.
#[test]
fn reproduces_hl7_r3503_first_added_item() {
    let mut case = with_balances(Case::new(1), Balances { deductible: 0, ..Case::new(1).account.balances });
    case.rows[0].copay_cents = 1_000;
    assert_eq!(prove(&case).payable, 7_200);
}

#[test]
fn the_order_of_copay_and_deductible_is_the_plans() {
    let mut case =
        with_balances(Case::new(1), Balances { deductible: 9_000, ..Case::new(1).account.balances });
    assert_eq!(amounts(&prove(&case).lines[0]), [2_000, 8_000, 0, 0]);
    case.rows[0].order = CostOrder::DeductibleFirst;
    assert_eq!(amounts(&prove(&case).lines[0]), [1_000, 9_000, 0, 0]);
    case.rows[0].deductible_applies = false;
    assert_eq!(amounts(&prove(&case).lines[0]), [2_000, 0, 1_600, 6_400]);
}

#[test]
fn an_all_deductible_line_is_approved_at_nothing_payable() {
    let case =
        with_balances(Case::new(1), Balances { deductible: 50_000, out_of_pocket: 100_000, maximum: 0 });
    let outcome = prove(&case);
    assert!(outcome.approved && outcome.payable == 0);
    assert_ne!(outcome.public.spend_tag, 0u64.into());
}

#[test]
fn the_out_of_pocket_maximum_trims_coinsurance_then_deductible_then_copay() {
    for (left, expected) in [
        (8_000, [2_000, 5_000, 600, 2_400]),
        (7_300, [2_000, 5_000, 300, 2_700]),
        (6_000, [2_000, 4_000, 0, 4_000]),
        (1_500, [1_500, 0, 0, 8_500]),
        (0, [0, 0, 0, 10_000]),
    ] {
        let balances = Balances { deductible: 5_000, out_of_pocket: left, maximum: 1_000_000 };
        let outcome = prove(&with_balances(Case::new(1), balances));
        assert_eq!(amounts(&outcome.lines[0]), expected, "{left} left");
    }
}

#[test]
fn lines_update_the_balances_in_order() {
    let case =
        Case::new(1).with_account(4, Balances { deductible: 5_000, out_of_pocket: 9_000, maximum: 30_000 });
    let mut case = case;
    case.claim.lines = Case::new(3).claim.lines;
    let outcome = prove(&case);
    let after = outcome.account_after.expect("enrolled");
    assert_eq!(after.version, 5);
    assert_eq!(
        after.balances,
        Balances { deductible: 0, out_of_pocket: 0, maximum: 30_000 - outcome.payable }
    );
    assert_eq!(outcome.lines.iter().map(|l| l.pay).collect::<Vec<_>>(), [2_400, 8_600, 10_000]);
}

#[test]
fn rounds_half_up_to_the_cent() {
    let mut case = with_balances(Case::new(1), Balances { deductible: 0, ..Case::new(1).account.balances });
    case.rows[0].copay_cents = 0;
    case.rows[0].fee_cents = 333;
    case.claim.lines[0].units = Units::from_thousandths(1_500).unwrap();
    // 3.33 * 1.5 = 4.995 -> 5.00; 20 percent of 5.00 is 1.00.
    assert_eq!(amounts(&prove(&case).lines[0]), [0, 0, 100, 400]);
    case.rows[0].coinsurance_bp = 1_250;
    // 12.5 percent of 5.00 is 0.625 -> 0.63.
    assert_eq!(amounts(&prove(&case).lines[0]), [0, 0, 63, 437]);
}

#[test]
fn takes_the_largest_amounts() {
    let balances = Balances { deductible: 0, out_of_pocket: Balances::MAX, maximum: Balances::MAX };
    let mut case = with_balances(Case::new(8), balances);
    for (row, line) in case.rows.iter_mut().zip(&mut case.claim.lines) {
        row.fee_cents = u32::MAX;
        row.copay_cents = 0;
        row.coinsurance_bp = 0;
        row.max_units = (1 << 24) - 1;
        line.charge_cents = u32::MAX;
        line.units = Units::from_thousandths((1 << 24) - 1).unwrap();
    }
    let outcome = prove(&case);
    assert_eq!(outcome.payable, 8 * u64::from(u32::MAX));
    assert!(outcome.lines.iter().all(LineOutcome::balances));
}
