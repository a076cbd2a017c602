//! A dishonest prover: each freedom that it might want is taken away by the section that should take it.

use super::case::{Case, claim_commitment, cpt, day, icd, line, prove, row, shape, values, violated};
use nightingale_circuits::{
    Fr,
    claim::{account::Secret, circuit::Inputs, *},
    field::power_of_two,
    merkle::{Record, Register},
};

/// The inputs of the honest outcome.
fn honest(case: &Case) -> Inputs {
    let request = case.request();
    let outcome = adjudicate(&request).unwrap();
    let inputs = Inputs::new(&request, outcome.class, outcome.public);
    assert_eq!(violated(&inputs), None);
    inputs
}

/// The section that refuses the outcome of `wished`, proven with the roots of `real` and the openings that `lie` sets.
///
/// The prover computes everything as if `wished` were true: its public inputs and its witness.
fn refused(real: &Case, wished: &Case, lie: impl Fn(&mut Inputs, &Inputs)) -> Option<&'static str> {
    let truth = honest(real);
    let mut inputs = honest(wished);
    inputs.epoch = truth.epoch;
    inputs.public.epoch_root = truth.public.epoch_root;
    inputs.public.consent_root = truth.public.consent_root;
    inputs.public.account_root = truth.public.account_root;
    lie(&mut inputs, &truth);
    violated(&inputs)
}

fn authorised() -> Case {
    let mut case = Case::new(1);
    case.rows[0].needs_authorisation = true;
    case.claim.authorisation = Some(Id::from_text("auth"));
    case
}

#[test]
fn cannot_claim_that_a_present_authorisation_is_absent() {
    let real = authorised();
    let mut wished = real.clone();
    wished.authorisations[0].reference = Id::from_text("another reference");
    // With the real register's first leaf, which stands before the present one.
    let register = Register::build(real.authorisations.clone()).unwrap();
    let section = refused(&real, &wished, |inputs, truth| {
        let before = register.open(0);
        inputs.authorisation = truth.authorisation.clone();
        inputs.authorisation.key = before.leaf.key.into();
        inputs.authorisation.next = before.leaf.next.into();
        inputs.authorisation.value = before.leaf.value();
        inputs.authorisation.path = before.path;
    });
    assert_eq!(section, Some("authorisation"));
}

#[test]
fn cannot_split_a_leafs_key_another_way() {
    let real = authorised();
    let mut inputs = honest(&real);
    // (key, next) = (key - 2^96, next + 1) packs to the same number, were the two packed.
    inputs.authorisation.key -= power_of_two(96);
    inputs.authorisation.next += Fr::from(1u64);
    assert_eq!(violated(&inputs), Some("authorisation"));
}

#[test]
fn cannot_use_an_authorisation_of_its_own_making() {
    let real = {
        let mut case = authorised();
        case.authorisations[0].units = 1;
        case
    };
    let wished = authorised();
    assert_eq!(refused(&real, &wished, |_, _| ()), Some("authorisation"));
}

#[test]
fn cannot_pick_another_coverage() {
    let real = Case::new(1);
    let mut wished = real.clone();
    wished.enrolments[1].coverage = real.claim.coverage;
    wished.enrolments[1].member = real.claim.patient;
    wished.enrolments[1].nullifier_key_hash = real.enrolments[0].nullifier_key_hash;
    wished.enrolments.remove(0);
    let other = Register::build(real.enrolments.clone()).unwrap().open(Id::from_text("coverage-2").number());
    let section = refused(&real, &wished, |inputs, _| {
        inputs.enrolment.key = other.leaf.key.into();
        inputs.enrolment.next = other.leaf.next.into();
        inputs.enrolment.value = other.leaf.value();
        inputs.enrolment.path = other.path.clone();
    });
    assert_eq!(section, Some("enrolment"));
}

#[test]
fn cannot_claim_that_an_enrolled_member_is_not_enrolled() {
    let real = Case::new(1);
    let mut wished = real.clone();
    wished.enrolments.remove(0);
    let register = Register::build(real.enrolments.clone()).unwrap();
    for leaf in register.leaves() {
        let opening = register.open(leaf.key);
        let section = refused(&real, &wished, |inputs, _| {
            inputs.enrolment.key = leaf.key.into();
            inputs.enrolment.next = leaf.next.into();
            inputs.enrolment.value = leaf.value();
            inputs.enrolment.path = opening.path.clone();
        });
        assert!(section.is_some(), "leaf {:x}", leaf.key);
    }
}

/// No coverage and no provider has number 0, and the register's first leaf, which holds nothing, answers to it.
#[test]
fn cannot_be_covered_or_paid_by_the_leaf_that_holds_nothing() {
    let case = Case::new(1);
    let mut uncovered = honest(&case);
    let empty = Register::build(case.enrolments.clone()).unwrap().open(0);
    uncovered.references -= Fr::from(case.claim.coverage.number());
    uncovered.enrolment.key = empty.leaf.key.into();
    uncovered.enrolment.next = empty.leaf.next.into();
    uncovered.enrolment.value = empty.leaf.value();
    uncovered.enrolment.path = empty.path;
    uncovered.public.claim_commitment = claim_commitment(&uncovered);
    // Nobody was born on day 0, and no key hashes to 0.
    assert_eq!(violated(&uncovered), Some("enrolment"));
    let mut unpaid = honest(&case);
    let empty = Register::build(case.providers.clone()).unwrap().open(0);
    unpaid.billing_digits = [0; 10];
    unpaid.billing.key = empty.leaf.key.into();
    unpaid.billing.next = empty.leaf.next.into();
    unpaid.billing.value = empty.leaf.value();
    unpaid.billing.path = empty.path;
    unpaid.public.payee = Fr::from(0u64);
    unpaid.public.claim_commitment = claim_commitment(&unpaid);
    // It fails Luhn: what is proven is a denial.
    assert_eq!(violated(&unpaid), Some("outcome"));
}

#[test]
fn cannot_pick_another_row() {
    // The plan paid more until the end of 2024; the service was in 2025.
    let mut real = Case::new(1);
    let mut old = row("99213");
    old.to = day(2024, 12, 31);
    old.copay_cents = 0;
    real.rows[0].from = day(2025, 1, 1);
    real.rows.push(old.clone());
    let mut wished = real.clone();
    wished.rows[0].copay_cents = 0;
    let register = Register::build(real.rows.clone()).unwrap();
    let opening = register.open(old.key());
    let section = refused(&real, &wished, |inputs, _| {
        inputs.lines[0].row.key = opening.leaf.key.into();
        inputs.lines[0].row.next = opening.leaf.next.into();
        inputs.lines[0].row.value = opening.leaf.value();
        inputs.lines[0].row.path = opening.path.clone();
    });
    assert_eq!(section, Some("policy rows"));
}

#[test]
fn cannot_claim_that_a_row_is_absent() {
    let real = Case::new(1);
    let mut wished = real.clone();
    wished.rows.remove(0);
    let register = Register::build(real.rows.clone()).unwrap();
    for leaf in register.leaves() {
        let opening = register.open(leaf.key);
        let section = refused(&real, &wished, |inputs, _| {
            inputs.lines[0].row.key = leaf.key.into();
            inputs.lines[0].row.next = leaf.next.into();
            inputs.lines[0].row.value = leaf.value();
            inputs.lines[0].row.path = opening.path.clone();
        });
        assert!(section.is_some(), "leaf {:x}", leaf.key);
    }
}

#[test]
fn cannot_pick_another_diagnosis_group() {
    let mut real = Case::new(1);
    real.claim.lines[0].pointers = Pointers::new(&[2]).unwrap();
    let mut wished = real.clone();
    wished.groups[1].groups = 0b10;
    let first = Register::build(real.groups.clone()).unwrap().open(icd("E11.9").bits().into());
    let section = refused(&real, &wished, |inputs, _| {
        inputs.groups[1].key = first.leaf.key.into();
        inputs.groups[1].next = first.leaf.next.into();
        inputs.groups[1].value = first.leaf.value();
        inputs.groups[1].path = first.path.clone();
    });
    assert_eq!(section, Some("diagnoses"));
}

#[test]
fn cannot_spend_with_balances_that_are_not_in_the_register() {
    let left = Balances { deductible: 5_000, out_of_pocket: 100_000, maximum: 1_000 };
    let real = Case::new(1).with_account(2, left);
    let wished = Case::new(1).with_account(2, Balances { maximum: 1_000_000, ..left });
    assert_eq!(refused(&real, &wished, |_, _| ()), Some("account"));
}

#[test]
fn cannot_open_a_year_with_more_than_the_plan_gives() {
    let mut real = Case::new(1);
    real.enrolments[0].opening.maximum = 1_000;
    real.account.balances.maximum = 1_000;
    let mut wished = Case::new(1);
    wished.enrolments[0].opening = real.enrolments[0].opening;
    let mut inputs = honest(&Case::new(1));
    let truth = honest(&real);
    inputs.epoch = truth.epoch;
    inputs.public.epoch_root = truth.public.epoch_root;
    inputs.enrolment = truth.enrolment.clone();
    assert_eq!(violated(&inputs), Some("account"));
}

#[test]
fn cannot_spend_a_version_under_another_tag() {
    let case = Case::new(1);
    let mut inputs = honest(&case);
    inputs.public.spend_tag += Fr::from(1u64);
    assert_eq!(violated(&inputs), Some("outcome"));
    // A spent version keeps its tag, whatever the claim.
    let mut other = Case::new(1);
    other.claim.lines[0].code = cpt("99214");
    assert_eq!(prove(&case).public.spend_tag, prove(&other).public.spend_tag);
    let third = Case::new(1).with_account(1, case.account.balances);
    assert_ne!(prove(&third).public.spend_tag, prove(&case).public.spend_tag);
}

#[test]
fn cannot_use_another_members_nullifier_key() {
    let mut inputs = honest(&Case::new(1));
    inputs.nk = Secret::new(Fr::from(99u64)).expose();
    assert_eq!(violated(&inputs), Some("account"));
}

#[test]
fn regrouping_and_repricing_do_not_change_a_nullifier() {
    let whole = Case::new(3);
    let all = prove(&whole).public.nullifiers;
    let mut alone = Case::new(1);
    alone.claim.lines = vec![whole.claim.lines[1].clone()];
    alone.claim.lines[0].charge_cents = 1;
    alone.claim.lines[0].units = Units::from_thousandths(2_000).unwrap();
    alone.claim.diagnoses = vec![icd("A00"), icd("E11.9")];
    alone.claim.lines[0].pointers = Pointers::new(&[2]).unwrap();
    let one = prove(&alone).public.nullifiers;
    assert_eq!(one[0], all[1]);
}

#[test]
fn the_order_of_modifiers_does_not_change_a_nullifier_but_a_repeat_does() {
    let modifiers = |texts: &[&str]| {
        let mut case = Case::new(1);
        case.claim.lines[0].modifiers = texts.iter().map(|t| Modifier::new(t).unwrap()).collect();
        prove(&case).public.nullifiers[0]
    };
    assert_eq!(modifiers(&["GA", "59", "25", "LT"]), modifiers(&["LT", "25", "59", "GA"]));
    assert_ne!(modifiers(&["59"]), modifiers(&["25"]));
    let mut again = Case::new(1);
    again.claim.lines = vec![line("99213"), line("99213")];
    again.claim.lines[1].repeat = 1;
    let repeated = prove(&again).public.nullifiers;
    assert_ne!(repeated[0], repeated[1]);
}

/// The modifiers' place in a packed line.
const MODIFIERS_AT: u32 = 98;

#[test]
fn cannot_spell_a_service_another_way() {
    // A modifier twice, and one above ZZ: each would give the same service another nullifier.
    let twice = Fr::from(u64::from(Modifier::new("59").unwrap().bits()));
    for modifiers in [twice * Fr::from(1u64 + (1 << 11)), Fr::from(1_297u64)] {
        let mut inputs = honest(&Case::new(1));
        inputs.lines[0].packed += modifiers * power_of_two(MODIFIERS_AT);
        assert_eq!(violated(&inputs), Some("claim"));
    }
}

#[test]
fn cannot_point_to_a_diagnosis_that_is_not_there() {
    let mut inputs = honest(&Case::new(1));
    inputs.lines[0].packed += power_of_two(142 + 3);
    inputs.public.claim_commitment = claim_commitment(&inputs);
    assert_eq!(violated(&inputs), Some("diagnoses"));
}

#[test]
fn cannot_spend_another_coverages_account() {
    // Two coverages of one member share the key: a note of the richer one is no note of the poorer.
    let mut real = Case::new(1);
    real.enrolments[1].member = real.claim.patient;
    real.enrolments[1].nullifier_key_hash = real.enrolments[0].nullifier_key_hash;
    real.enrolments.truncate(2);
    let rich = Balances { deductible: 0, out_of_pocket: 0, maximum: Balances::MAX };
    let mut other = real.clone();
    other.claim.coverage = Id::from_text("coverage-2");
    let other = other.with_account(1, rich);
    let mut stolen = real.clone();
    stolen.account = other.account.clone();
    stolen.notes = other.notes.clone();
    assert!(adjudicate(&stolen.request()).err().unwrap().to_string().starts_with("account.opening"));
    let mut inputs = honest(&other);
    let poorer = honest(&real);
    inputs.references = poorer.references;
    inputs.enrolment = poorer.enrolment.clone();
    inputs.public.claim_commitment = claim_commitment(&inputs);
    assert_eq!(violated(&inputs), Some("account"));
    assert_ne!(
        other.account.spend_tag(&other.nk, other.claim.coverage),
        other.account.spend_tag(&other.nk, real.claim.coverage)
    );
}

#[test]
fn a_plan_never_pays_a_negative_share() {
    use nightingale_circuits::{poseidon::tagged, tag::Tag};
    let case = Case::new(1);
    let mut inputs = honest(&case);
    // A register that says more than its builder accepts: 163.83 percent coinsurance.
    let greedy = PolicyRow { coinsurance_bp: 16_383, ..case.rows[0].clone() };
    let row = &mut inputs.lines[0].row;
    row.value = greedy.encode();
    let digest = tagged(Tag::PolicyRow, &[row.key, row.next, row.value[0]]);
    inputs.epoch[2] = row.path.climb(digest).1;
    inputs.public.epoch_root = tagged(Tag::Epoch, &inputs.epoch);
    assert_eq!(violated(&inputs), Some("payable amount"));
}

#[test]
fn cannot_leave_out_a_nullifier_or_claim_one_twice() {
    let mut inputs = honest(&Case::new(2));
    inputs.public.nullifiers[0] = Fr::from(0u64);
    assert_eq!(violated(&inputs), Some("outcome"));
    let mut inputs = honest(&Case::new(2));
    inputs.public.nullifiers[0] = inputs.public.nullifiers[1];
    assert_eq!(violated(&inputs), Some("outcome"));
}

#[test]
fn cannot_name_another_payee() {
    let mut inputs = honest(&Case::new(1));
    inputs.public.payee += Fr::from(1u64);
    assert_eq!(violated(&inputs), Some("providers"));
    let mut inputs = honest(&Case::new(1));
    let stolen = Address([0x66; 20]).to_field();
    inputs.billing.value[1] = stolen;
    inputs.public.payee = stolen;
    assert_eq!(violated(&inputs), Some("providers"));
}

#[test]
fn cannot_backdate_the_receipt() {
    let case = {
        let mut case = Case::new(1);
        case.received = day(2026, 3, 12);
        case
    };
    let mut inputs = honest(&case);
    let mut in_time = case.clone();
    in_time.received = day(2026, 3, 11);
    let wished = honest(&in_time);
    // The earlier day inside, the real receipt outside.
    let public = inputs.public.packed;
    inputs = wished;
    inputs.public.packed = public;
    assert_eq!(violated(&inputs), Some("outcome"));
}

#[test]
fn cannot_use_an_older_epoch_under_the_newest_root() {
    let newest = {
        let mut case = Case::new(1);
        case.epoch = 4;
        case
    };
    let mut inputs = honest(&Case::new(1));
    inputs.public.epoch_root = honest(&newest).public.epoch_root;
    assert_eq!(violated(&inputs), Some("epoch"));
}

#[test]
fn cannot_move_a_proof_to_another_chain_or_contract() {
    for change in [|c: &mut Case| c.venue.chain_id += 1, |c: &mut Case| c.venue.contract.0[19] ^= 1] {
        let mut other = Case::new(1);
        change(&mut other);
        assert_ne!(honest(&other).public.epoch_root, honest(&Case::new(1)).public.epoch_root);
    }
}

#[test]
fn cannot_change_the_claim_under_its_commitment() {
    let changes: [fn(&mut Case); 6] = [
        |c| c.claim.lines[0].charge_cents += 1,
        |c| c.claim.lines[0].units = Units::from_thousandths(2_000).unwrap(),
        |c| c.claim.lines[0].through = c.claim.lines[0].from,
        |c| c.claim.diagnoses.truncate(1),
        |c| c.claim.kind = ClaimType::Oral,
        |c| c.claim.lines.truncate(1),
    ];
    let commitment = honest(&Case::new(2)).public.claim_commitment;
    for change in changes {
        let mut other = Case::new(2);
        change(&mut other);
        let mut inputs = honest(&other);
        inputs.public.claim_commitment = commitment;
        assert_eq!(violated(&inputs), Some("claim"));
    }
}

#[test]
fn the_commitment_is_the_same_in_both_classes() {
    // `prove` checks a small claim in both classes under one set of public inputs.
    assert!(prove(&Case::new(2)).approved);
}

#[test]
fn cannot_prove_without_consent() {
    let changes: [fn(&mut Case); 4] = [
        |c| c.consents[0].permit = false,
        |c| c.consents[0].to = day(2025, 3, 31),
        |c| c.consents[0].from = day(2025, 4, 2),
        |c| c.consents[0].payer = Id::from_text("another payer"),
    ];
    for change in changes {
        let mut real = Case::new(1);
        change(&mut real);
        let request = real.request();
        assert!(matches!(adjudicate(&request), Err(Refusal::NoConsent)));
        // The prover takes the real leaf, whatever it says, and the rest as if it permitted.
        let mut inputs = honest(&Case::new(1));
        inputs.public.consent_root = request.consent_root;
        let leaf = &Register::build(real.consents.clone()).unwrap().leaves()[1].clone();
        inputs.consent.key = leaf.key.into();
        inputs.consent.next = leaf.next.into();
        inputs.consent.value = leaf.value();
        inputs.consent.path = Register::build(real.consents.clone()).unwrap().open(leaf.key).path;
        assert_eq!(violated(&inputs), Some("consent"));
    }
}

#[test]
fn cannot_alias_a_packed_field() {
    // The charge moved past its width into the repeat index, and a number that wraps around the field.
    for added in [power_of_two(210), power_of_two(253), -Fr::from(1u64)] {
        let mut inputs = honest(&Case::new(1));
        inputs.lines[0].packed += added;
        assert_eq!(violated(&inputs), Some("claim"));
    }
    let mut inputs = honest(&Case::new(1));
    inputs.received += power_of_two(17);
    assert_eq!(violated(&inputs), Some("claim"));
}

#[test]
fn cannot_change_any_public_input() {
    let class = SizeClass::Two;
    let case = Case::new(2).with_account(1, Case::new(1).account.balances);
    let inputs = honest(&case);
    let good = values(&inputs);
    for i in 1..=shape(class).public {
        let mut bad = good.clone();
        bad[i] += Fr::from(1u64);
        assert!(shape(class).first_unsatisfied(&bad).is_some(), "public input {i}");
    }
}

#[test]
fn cannot_turn_a_denial_into_an_approval_by_flipping_its_bits() {
    let mut case = Case::new(1);
    case.rows[0].sex = SexLimit::Male;
    let denied = honest(&case);
    let good = values(&denied);
    let approved = honest(&Case::new(1));
    let mut inputs = denied;
    inputs.public = PublicInputs { epoch_root: inputs.public.epoch_root, ..approved.public.clone() };
    assert_eq!(violated(&inputs), Some("outcome"));
    // No single wire of the witness helps: everything follows from the inputs (see `constrained`).
    assert_eq!(shape(SizeClass::Two).first_unsatisfied(&good), None);
}
