//! What cannot be proven is refused by name. The circuit refuses it too, all but a service that stands twice: its public inputs show that one.

use super::case::{Case, claim_commitment, cpt, day, line, violated};
use nightingale_circuits::{
    Fr,
    claim::{account::Secret, circuit::Inputs, *},
    merkle::{Register, RegisterError},
};

type Change = fn(&mut Case);
type Lie<'a> = &'a dyn Fn(&mut Request);

fn refusal(change: impl Fn(&mut Case)) -> String {
    let mut case = Case::new(2);
    change(&mut case);
    adjudicate(&case.request()).err().expect("must be refused").to_string()
}

#[test]
fn names_the_element_and_the_limit() {
    let expectations: [(&str, Change); 9] = [
        ("lines: 9 given, at most 8", |c| c.claim.lines = vec![line("99213"); 9]),
        ("lines: a claim needs at least one", |c| c.claim.lines.clear()),
        ("lines[1].through: before the first day", |c| c.claim.lines[1].through = day(2025, 3, 9)),
        ("lines[0].through: after the day of receipt", |c| c.received = day(2025, 3, 10)),
        ("lines[1].from: in another benefit year", |c| c.claim.lines[1].from = day(2024, 12, 31)),
        ("lines[0].pointers: points to a diagnosis", |c| {
            c.claim.lines[0].pointers = Pointers::new(&[3]).unwrap()
        }),
        ("account.year", |c| c.account.year = 2024),
        ("account.balances: version 0", |c| c.account.balances.maximum += 1),
        ("account.nk", |c| c.nk = Secret::new(Fr::from(1u64))),
    ];
    for (expected, change) in expectations {
        let text = refusal(change);
        assert!(text.starts_with(expected), "{expected} / {text}");
    }
}

#[test]
fn refuses_a_service_that_stands_twice_in_a_claim() {
    let text = refusal(|c| c.claim.lines[1] = c.claim.lines[0].clone());
    assert!(text.starts_with("lines[1].repeat: is the service of an earlier line"), "{text}");
    let text = refusal(|c| c.claim.lines[0].modifiers = vec![Modifier::new("59").unwrap(); 2]);
    assert!(text.starts_with("lines[0].modifiers: one stands twice"), "{text}");
}

/// The circuit compares no two lines. Whoever verifies refuses two nullifiers that are equal.
#[test]
fn the_circuit_takes_a_service_that_stands_twice_and_its_nullifiers_show_it() {
    let mut case = Case::new(2);
    case.claim.lines[1] = Line { repeat: 1, ..case.claim.lines[0].clone() };
    let request = case.request();
    let outcome = adjudicate(&request).unwrap();
    let mut inputs = Inputs::new(&request, outcome.class, outcome.public);
    inputs.lines[1].packed = inputs.lines[0].packed;
    inputs.public.claim_commitment = claim_commitment(&inputs);
    assert_eq!(violated(&inputs), Some("outcome"));
    inputs.public.nullifiers[1] = inputs.public.nullifiers[0];
    assert_eq!(violated(&inputs), None);
}

#[test]
fn refuses_leaves_whose_fields_do_not_fit_or_whose_keys_are_not_theirs() {
    let case = Case::new(1);
    let refusal = |change: &dyn Fn(&mut Request)| {
        let mut request = case.request();
        change(&mut request);
        adjudicate(&request).err().unwrap().to_string()
    };
    let expectations: [(&str, Lie<'_>); 5] = [
        ("rows[0]: max repeat", &|r| r.rows[0].leaf.record.as_mut().unwrap().max_repeat = 240),
        ("rows[0]: coinsurance", &|r| r.rows[0].leaf.record.as_mut().unwrap().coinsurance_bp = 10_001),
        ("billing: the leaf's keys", &|r| r.billing.leaf.record.as_mut().unwrap().npi = Npi::new(1).unwrap()),
        ("enrolment: the leaf's keys", &|r| r.enrolment.leaf.next = u128::MAX),
        ("account.opening: given for version 0", &|r| {
            let note = Register::build(vec![NoteLeaf(Fr::from(1u64))]).unwrap().open(1);
            r.member.as_mut().unwrap().opening = Some(note);
        }),
    ];
    for (expected, change) in expectations {
        let text = refusal(change);
        assert!(text.starts_with(expected), "{expected} / {text}");
    }
    let mut unknown = Case::new(1);
    unknown.claim.coverage = Id::from_text("unknown");
    let mut request = unknown.request();
    request.member = case.request().member;
    assert!(adjudicate(&request).err().unwrap().to_string().starts_with("account: given for a coverage"));
}

#[test]
fn builders_refuse_what_the_encoding_cannot_hold_and_what_clashes() {
    let mut case = Case::new(1);
    let mut wide = case.rows[0].clone();
    wide.class = 16;
    assert!(matches!(Register::build(vec![wide]), Err(RegisterError::Field { .. })));
    let mut unpaid = case.providers[0].clone();
    unpaid.settlement = Address::default();
    assert!(matches!(Register::build(vec![unpaid]), Err(RegisterError::Field { .. })));
    case.authorisations[0].units = 1 << 24;
    assert!(matches!(Register::build(case.authorisations), Err(RegisterError::Field { .. })));
    let mut rich = case.enrolments.clone();
    rich[0].opening.maximum = 1 << 40;
    assert!(matches!(Register::build(rich), Err(RegisterError::Field { .. })));
    let mut two_keys = case.enrolments.clone();
    two_keys[1].member = two_keys[0].member;
    assert!(Register::build(two_keys).err().unwrap().to_string().contains("two nullifier keys"));
    let mut one_key = case.enrolments;
    one_key[1].nullifier_key_hash = one_key[0].nullifier_key_hash;
    assert!(Register::build(one_key).err().unwrap().to_string().contains("one nullifier key"));
}

#[test]
fn refuses_too_many_diagnoses() {
    let text = refusal(|c| c.claim.diagnoses = vec![cpt("1"); 13]);
    assert!(text.starts_with("diagnoses: 13 given, at most 12"), "{text}");
}

#[test]
fn uses_the_larger_class_for_more_than_four_diagnoses() {
    let mut case = Case::new(1);
    case.claim.diagnoses.extend(["A00", "A01", "A02"].map(super::case::icd));
    assert_eq!(case.request().size_class(), Ok(SizeClass::Eight));
}

#[test]
fn refuses_an_opening_that_answers_another_question_or_leads_elsewhere() {
    let case = Case::new(2);
    let good = case.request();
    let mut request = good.clone();
    request.rows.swap(0, 1);
    assert!(adjudicate(&request).err().unwrap().to_string().starts_with("rows[0]: the leaf is not the one"));
    let mut request = good.clone();
    request.enrolment.leaf.record.as_mut().unwrap().opening.maximum += 1;
    assert!(adjudicate(&request).err().unwrap().to_string().starts_with("enrolment: the path does not lead"));
    let mut request = good.clone();
    request.enrolment.path.siblings.pop();
    assert!(adjudicate(&request).err().unwrap().to_string().contains("wrong number of levels"));
    let mut request = good;
    request.member = None;
    assert!(adjudicate(&request).err().unwrap().to_string().starts_with("account: missing"));
}

#[test]
fn refuses_an_account_version_that_is_not_in_the_register() {
    let mut case = Case::new(1).with_account(2, Case::new(1).account.balances);
    case.account.balances.maximum += 1;
    assert!(adjudicate(&case.request()).err().unwrap().to_string().starts_with("account.opening"));
}
