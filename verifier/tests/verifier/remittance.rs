//! FHIR and X12: the amounts are the proof's to the cent, and an explanation must agree with it.

use super::golden::{NAMES, explanation, key, proof};
use nightingale_circuits::claim::{Reason, Reasons};
use nightingale_verifier::{
    ClaimProof, Context, Decision, Explanation, KeyKind, Verified, VerifyError, fhir, money::decimal,
    verify_claim, x12,
};
use serde_json::{Value, json};

fn verified(name: &str) -> (ClaimProof, Verified) {
    let proof = proof(name);
    let verified = verify_claim(&key(&proof), &proof, &Context::default()).unwrap();
    (proof, verified)
}

fn read(value: &Value, verified: &Verified) -> Result<Explanation, VerifyError> {
    Explanation::from_json(value.to_string().as_bytes(), verified)
}

/// Cents of a decimal with at most two places.
fn cents(text: &str) -> u64 {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    whole.parse::<u64>().unwrap() * 100 + format!("{part:0<2}").parse::<u64>().unwrap()
}

#[test]
fn an_835_claim_balances_line_by_line_and_in_all() {
    for name in NAMES {
        let (proof, verified) = verified(name);
        let explanation = read(&explanation(name), &verified).unwrap();
        let text = x12::remittance(&proof, &verified, Some(&explanation), "A1 07").unwrap();
        let segments: Vec<Vec<&str>> =
            text.lines().map(|line| line.strip_suffix('~').unwrap().split('*').collect()).collect();
        let clp = &segments[0];
        assert_eq!(
            &clp[..3],
            ["CLP", "A1 07", if verified.decision == Decision::Approve { "1" } else { "4" }]
        );
        assert_eq!(cents(clp[4]), verified.payable_cents);
        assert!(clp[7].len() == 48);
        let (mut charges, mut paid) = (0, 0);
        for line in segments[1..].chunk_by(|_, next| next[0] != "SVC") {
            let svc = &line[0];
            assert_eq!(svc[0], "SVC");
            let adjusted: u64 = line[1..]
                .iter()
                .flat_map(|cas| {
                    assert!(cas[0] == "CAS" && ["CO", "OA", "PR"].contains(&cas[1]) && cas.len() <= 20);
                    cas[2..].chunks(3).map(|triplet| cents(triplet[1]))
                })
                .sum();
            assert_eq!(cents(svc[2]), cents(svc[3]) + adjusted, "{text}");
            charges += cents(svc[2]);
            paid += cents(svc[3]);
        }
        assert_eq!((charges, paid), (cents(clp[3]), verified.payable_cents), "{text}");
    }
}

#[test]
fn without_an_explanation_only_what_is_proven_is_written() {
    let (proof, verified) = verified("claim-2-deny");
    let text = x12::remittance(&proof, &verified, None, "17").unwrap();
    let mut lines = text.lines();
    assert!(lines.next().unwrap().starts_with("CLP*17*4**0***"));
    let codes: Vec<&str> = lines.map(|line| line.trim_end_matches('~').rsplit('*').next().unwrap()).collect();
    assert_eq!(codes, verified.reasons.unwrap().iter().map(|reason| reason.carc()).collect::<Vec<_>>());
    for bad in ["", "a*b", "a~b", "ä", &"x".repeat(39)] {
        assert!(x12::remittance(&proof, &verified, None, bad).is_err(), "{bad}");
    }
}

#[test]
fn a_claim_response_has_what_fhir_requires_and_exact_amounts() {
    for name in NAMES {
        let (proof, verified) = verified(name);
        let explanation = read(&explanation(name), &verified).unwrap();
        let text = fhir::claim_response(&proof, &verified, Some(&explanation));
        let resource: Value = serde_json::from_str(&text).unwrap();
        // The elements of ClaimResponse with a cardinality from 1 (R4, 13.9.4).
        for (required, kind) in [("status", "active"), ("use", "claim"), ("outcome", "complete")] {
            assert_eq!(resource[required], kind);
        }
        for required in ["type", "patient", "created", "insurer"] {
            assert!(!resource[required].is_null(), "{required}");
        }
        let benefit = format!("\"value\": {}", decimal(verified.payable_cents));
        assert!(text.contains(&benefit), "{text}");
        let codes: Vec<&Value> = resource["adjudication"]
            .as_array()
            .map_or(vec![], |all| all.iter().map(|a| &a["reason"]["coding"][0]["code"]).collect());
        let expected: Vec<&str> = verified.reasons.unwrap().iter().map(|reason| reason.carc()).collect();
        assert_eq!(json!(codes), json!(expected));
        assert_eq!(resource["item"].as_array().unwrap().len(), explanation.lines().len());
        assert_eq!(resource.get("payment").is_some(), verified.decision == Decision::Approve);
    }
}

/// The proof hides whether the claim is professional, dental or another, and FHIR asks for it.
#[test]
fn the_type_of_the_claim_is_said_to_be_hidden() {
    let (proof, verified) = verified("claim-2-approve");
    let resource: Value = serde_json::from_str(&fhir::claim_response(&proof, &verified, None)).unwrap();
    let absent = "http://hl7.org/fhir/StructureDefinition/data-absent-reason";
    let expected =
        json!({ "extension": [{ "url": absent, "valueCode": "masked" }], "text": "not disclosed" });
    assert_eq!(resource["type"], expected);
}

#[test]
fn a_claim_response_says_that_its_proof_may_be_forged_where_it_may() {
    for (name, decided) in [("claim-2-approve", "Approved, as proven"), ("claim-2-deny", "Denied, as proven")]
    {
        let (proof, mut verified) = verified(name);
        let disposition = |verified: &Verified| {
            let resource: Value =
                serde_json::from_str(&fhir::claim_response(&proof, verified, None)).unwrap();
            resource["disposition"].as_str().unwrap().to_owned()
        };
        let warned = format!("{decided} under a development key: anybody can forge its proofs");
        assert_eq!(disposition(&verified), warned);
        verified.kind = KeyKind::Production;
        assert_eq!(disposition(&verified), decided);
    }
}

#[test]
fn an_explanation_of_something_else_is_refused() {
    let (_, verified) = verified("claim-2-approve");
    let refused = |pointer: &str, change: &dyn Fn(u64) -> u64| {
        let mut other = explanation("claim-2-approve");
        let value = other.pointer_mut(pointer).unwrap();
        *value = json!(change(value.as_u64().unwrap()));
        matches!(read(&other, &verified), Err(VerifyError::Explanation { .. }))
    };
    assert!(refused("/payable_cents", &|cents| cents + 1));
    assert!(refused("/lines/0/pay_cents", &|cents| cents + 1));
    assert!(refused("/lines/0/charge_cents", &|cents| cents + 1));
    let mut denied = explanation("claim-2-approve");
    denied["decision"] = json!("deny");
    assert!(read(&denied, &verified).is_err());
    let mut reasons = explanation("claim-2-approve");
    reasons["reasons"] = json!(["26"]);
    assert!(read(&reasons, &verified).is_err());
    let mut balanced = explanation("claim-2-approve");
    for field in ["/lines/0/charge_cents", "/lines/0/allowed_cents", "/lines/0/pay_cents"] {
        let value = balanced.pointer_mut(field).unwrap();
        *value = json!(value.as_u64().unwrap() + 5);
    }
    let error = read(&balanced, &verified).unwrap_err().to_string();
    assert!(error.contains("do not add up"), "{error}");
    let mut huge = explanation("claim-2-approve");
    huge["lines"][0]["charge_cents"] = json!(u64::MAX);
    huge["lines"][0]["noncovered_cents"] = json!(u64::MAX);
    assert!(read(&huge, &verified).is_err());
    assert!(matches!(Explanation::from_json(b"{", &verified), Err(VerifyError::Unreadable { .. })));
}

/// Why an explanation of this golden proof, changed, is refused.
fn refusal(name: &str, change: impl Fn(&mut Value)) -> String {
    let (_, verified) = verified(name);
    let mut other = explanation(name);
    change(&mut other);
    match read(&other, &verified) {
        Err(VerifyError::Explanation { element, problem }) => format!("{element} {problem}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_denied_line_is_denied_as_a_whole_and_has_a_reason() {
    // As an 835, the denied line would not balance.
    let bare = refusal("claim-8-approve", |it| it["lines"][2]["reasons"] = json!([]));
    assert!(bare.starts_with("lines[2] ") && bare.contains("no reason"), "{bare}");
    // The proven reason stands with a line that was paid.
    let moved = refusal("claim-8-approve", |it| {
        let reasons = it["lines"][2]["reasons"].take();
        it["lines"][2]["reasons"] = json!([]);
        it["lines"][0]["reasons"] = reasons;
    });
    assert!(moved.starts_with("lines[0] ") && moved.contains("denies it"), "{moved}");
    // A denied line becomes one whose charge was written off, and its reason would stand nowhere.
    let written_off = refusal("claim-8-approve", |it| {
        it["lines"][2]["contractual_cents"] = it["lines"][2]["noncovered_cents"].take();
        it["lines"][2]["noncovered_cents"] = json!(0);
    });
    assert!(written_off.starts_with("lines[2] ") && written_off.contains("as a whole"), "{written_off}");
    // What was written off becomes what the benefit maximum left.
    let over = refusal("claim-8-approve", |it| {
        let part = it["lines"][0]["contractual_cents"].take().as_u64().unwrap();
        it["lines"][0]["contractual_cents"] = json!(0);
        it["lines"][0]["over_maximum_cents"] = json!(part);
        it["lines"][0]["allowed_cents"] = json!(it["lines"][0]["allowed_cents"].as_u64().unwrap() + part);
    });
    assert!(over.starts_with("lines[0] ") && over.contains("benefit maximum"), "{over}");
}

/// An 835 writes a denied line's charge under its first reason, and by that it is the member's or the provider's.
#[test]
fn reasons_stand_once_and_in_their_order() {
    let in_line = refusal("claim-2-deny", |it| it["lines"][0]["reasons"] = json!(["11", "11"]));
    assert!(in_line.starts_with("lines[0].reasons ") && in_line.contains("each once"), "{in_line}");
    let in_all = refusal("claim-2-deny", |it| it["reasons"] = json!(["11", "11"]));
    assert!(in_all.starts_with("reasons ") && in_all.contains("each once"), "{in_all}");
    let (_, mut verified) = verified("claim-2-deny");
    let two = |codes: [&str; 2]| {
        let mut other = explanation("claim-2-deny");
        other["reasons"] = json!(["96", "11"]);
        other["lines"][0]["reasons"] = json!(codes);
        other
    };
    let mut proven = verified.reasons.unwrap();
    proven.set(Reason::NotCovered, true);
    verified.reasons = Some(proven);
    assert!(read(&two(["96", "11"]), &verified).is_ok());
    let error = read(&two(["11", "96"]), &verified).unwrap_err().to_string();
    assert!(error.contains("lines[0].reasons") && error.contains("in the order"), "{error}");
}

#[test]
fn an_explanation_denies_the_lines_that_the_proof_denies_and_no_others() {
    let zero = || {
        json!({
            "charge_cents": 0, "allowed_cents": 0, "contractual_cents": 0, "noncovered_cents": 0, "copay_cents": 0,
            "deductible_cents": 0, "coinsurance_cents": 0, "over_maximum_cents": 0, "pay_cents": 0, "reasons": [],
        })
    };
    // The member is billed for a denied line, whose reason moves to one that is made up.
    let billed = |cents: u64| {
        let mut line = zero();
        for field in ["charge_cents", "allowed_cents", "copay_cents"] {
            line[field] = json!(cents);
        }
        line
    };
    let mut empty = zero();
    empty["reasons"] = json!(["11"]);
    let error = refusal("claim-2-deny", |it| it["lines"] = json!([billed(1684), empty]));
    assert!(error.starts_with("lines[0] ") && error.contains("denied by the proof"), "{error}");
    let error = refusal("claim-2-deny", |it| it["lines"].as_array_mut().unwrap().push(billed(100_000)));
    assert!(error.starts_with("lines[1] ") && error.contains("denied by the proof"), "{error}");
    // A line without a charge is denied as any other.
    let (_, verified) = verified("claim-2-deny");
    let mut unbilled = explanation("claim-2-deny");
    unbilled["lines"] = json!([empty]);
    assert!(read(&unbilled, &verified).is_ok());
    // One that is allowed is denied, without a cent.
    let error = refusal("claim-2-approve", |it| {
        it["reasons"] = json!([]);
        it["lines"][1] = empty.clone();
    });
    assert!(error.starts_with("lines[1] ") && error.contains("allowed by the proof"), "{error}");
    // Another rule's failure comes before the benefit maximum.
    let (_, mut verified) = self::verified("claim-2-deny");
    let mut proven = verified.reasons.unwrap();
    proven.set(Reason::Maximum, true);
    verified.reasons = Some(proven);
    let mut both = explanation("claim-2-deny");
    for pointer in ["/reasons", "/lines/0/reasons"] {
        *both.pointer_mut(pointer).unwrap() = json!(["11", "119"]);
    }
    let error = read(&both, &verified).unwrap_err().to_string();
    assert!(error.contains("lines[0] is denied for the benefit maximum"), "{error}");
}

#[test]
fn an_explanation_has_the_lines_of_a_claim_and_amounts_that_a_line_can_have() {
    let none = refusal("claim-2-approve", |it| it["lines"] = json!([]));
    assert!(none.starts_with("lines are 0"), "{none}");
    let many = refusal("claim-2-approve", |it| {
        let mut free = it["lines"][0].clone();
        for amount in free.as_object_mut().unwrap().values_mut().filter(|value| value.is_u64()) {
            *amount = json!(0);
        }
        it["lines"].as_array_mut().unwrap().resize(40, free);
    });
    assert!(many.starts_with("lines are 40"), "{many}");
    let fewer = refusal("claim-2-approve", |it| drop(it["lines"].as_array_mut().unwrap().pop()));
    assert!(fewer.starts_with("lines are 1, and the proof allows lines[1]"), "{fewer}");
    let charging = |cents: u64| {
        move |it: &mut Value| {
            let rest = it["lines"][0]["allowed_cents"].as_u64().unwrap();
            it["lines"][0]["charge_cents"] = json!(cents);
            it["lines"][0]["contractual_cents"] = json!(cents - rest);
        }
    };
    let huge = refusal("claim-2-approve", charging(1 << 63));
    assert!(huge.starts_with("lines[0] charges"), "{huge}");
    assert!(refusal("claim-2-approve", charging(1 << 32)).starts_with("lines[0] charges"));
    let (_, verified) = verified("claim-2-approve");
    let mut most = explanation("claim-2-approve");
    charging((1 << 32) - 1)(&mut most);
    assert!(read(&most, &verified).is_ok());
}

/// The maximum is of the account, and a line that reaches it takes what is left.
#[test]
fn nothing_is_paid_after_the_benefit_maximum_is_used_up() {
    // Of a line's payment, so much is over the maximum instead.
    let over = |line: usize, kept: fn(u64) -> u64| {
        move |it: &mut Value| {
            let line = &mut it["lines"][line];
            let paid = line["pay_cents"].as_u64().unwrap();
            line["pay_cents"] = json!(kept(paid));
            line["over_maximum_cents"] = json!(paid - kept(paid));
            line["reasons"] = json!(["119"]);
        }
    };
    for (change, words) in [
        (over(0, |_| 0), "lines[0] is over the benefit maximum with nothing left"),
        (over(0, |paid| paid - 1), "lines[1] is paid, and a line before it used"),
        (over(1, |paid| paid - 1), "account_after has a benefit maximum that a line used up"),
    ] {
        let error = refusal("claim-8-approve", change);
        assert!(error.starts_with(words), "{error}");
    }
    let nobodys = refusal("claim-2-approve", |it| it["account_after"] = Value::Null);
    assert!(nobodys.starts_with("account_after is missing"), "{nobodys}");
    let free = refusal("claim-2-deny", |it| {
        let line = it["lines"][0].as_object_mut().unwrap();
        line.values_mut().filter(|value| value.is_u64()).for_each(|amount| *amount = json!(0));
        line["reasons"] = json!(["119"]);
    });
    assert!(free.contains("a line without a charge is not"), "{free}");
}

/// FHIR has it as `eligible`.
#[test]
fn what_is_allowed_is_what_is_paid_by_somebody() {
    for (name, line) in [("claim-2-approve", 0), ("claim-8-approve", 1), ("claim-8-approve", 2)] {
        let error = refusal(name, |it| {
            let allowed = &mut it["lines"][line]["allowed_cents"];
            *allowed = json!(allowed.as_u64().unwrap() + 1);
        });
        assert!(error.starts_with(&format!("lines[{line}] does not add up")), "{error}");
    }
}

/// Without the opening the reasons would be the custodian's word, and by them a denied line is the member's or the provider's.
#[test]
fn without_an_opening_no_explanation_is_taken() {
    let mut proof = proof("claim-2-deny");
    proof.opening = None;
    let verified = verify_claim(&key(&proof), &proof, &Context::default()).unwrap();
    let mut other = explanation("claim-2-deny");
    for pointer in ["/reasons", "/lines/0/reasons"] {
        *other.pointer_mut(pointer).unwrap() = json!(["96"]);
    }
    for explanation in [explanation("claim-2-deny"), other] {
        let error = read(&explanation, &verified).unwrap_err();
        assert!(matches!(error, VerifyError::Explanation { .. }), "{error}");
        let error = error.to_string();
        assert!(error.contains("has no `opening`") && error.contains("ask the custodian"), "{error}");
    }
}

#[test]
fn an_explanation_has_one_spelling() {
    let (_, verified) = verified("claim-2-approve");
    let unreadable = |change: &dyn Fn(&mut Value)| {
        let mut other = explanation("claim-2-approve");
        change(&mut other);
        let error = read(&other, &verified).unwrap_err();
        assert!(error.is_unreadable(), "{error}");
        error.to_string()
    };
    for pointer in ["", "/lines/1", "/account_after"] {
        let more = unreadable(&|it| it.pointer_mut(pointer).unwrap()["more"] = json!(1));
        assert!(more.contains("unknown field `more`"), "{pointer}: {more}");
        let listed = unreadable(&|it| {
            let object = it.pointer_mut(pointer).unwrap();
            *object = json!(object.as_object().unwrap().values().collect::<Vec<_>>());
        });
        assert!(listed.contains("expected an object"), "{pointer}: {listed}");
    }
    let absent = unreadable(&|it| drop(it.as_object_mut().unwrap().remove("account_after")));
    assert!(absent.contains("missing field `account_after`"), "{absent}");
    let text = explanation("claim-2-approve").to_string();
    let twice = text.replacen('{', r#"{"decision": "deny", "#, 1);
    let error = Explanation::from_json(twice.as_bytes(), &verified).unwrap_err().to_string();
    assert!(error.contains("stands twice"), "{error}");
    // Where the coverage is not enrolled, there is no account.
    let (_, mut denied) = super::remittance::verified("claim-2-deny");
    let mut unenrolled = explanation("claim-2-deny");
    unenrolled["account_after"] = Value::Null;
    let unlike = read(&unenrolled, &denied).unwrap_err().to_string();
    assert!(unlike.contains("account_after is missing, and the reasons"), "{unlike}");
    let mut not_insured = Reasons::default();
    not_insured.set(Reason::NotInsured, true);
    denied.reasons = Some(not_insured);
    (unenrolled["reasons"], unenrolled["lines"][0]["reasons"]) = (json!(["31"]), json!(["31"]));
    read(&unenrolled, &denied).unwrap();
    // A provider who is not certified makes nobody unenrolled.
    let mut provider = Reasons::default();
    provider.set(Reason::Provider, true);
    denied.reasons = Some(provider);
    (unenrolled["reasons"], unenrolled["lines"][0]["reasons"]) = (json!(["B7"]), json!(["B7"]));
    read(&unenrolled, &denied).unwrap_err();
    let rich = refusal("claim-2-approve", |it| it["account_after"]["maximum_cents"] = json!(1u64 << 40));
    assert!(rich.starts_with("account_after "), "{rich}");
}
