//! FHIR and X12: the amounts are the proof's to the cent, and an explanation must agree with it.

use super::golden::{NAMES, explanation, key, proof};
use nightingale_verifier::{
    ClaimProof, Context, Decision, Explanation, Verified, VerifyError, fhir, money::decimal, verify_claim,
    x12,
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
    for field in ["/lines/0/charge_cents", "/lines/0/pay_cents"] {
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

#[test]
fn an_amount_that_is_not_covered_has_a_reason_and_a_reason_stands_once() {
    let refused = |name: &str, change: &dyn Fn(&mut Value)| {
        let (_, verified) = verified(name);
        let mut other = explanation(name);
        change(&mut other);
        match read(&other, &verified) {
            Err(VerifyError::Explanation { element, problem }) => format!("{element} {problem}"),
            other => panic!("{other:?}"),
        }
    };
    // As an 835, the denied line would not balance.
    let bare = refused("claim-8-approve", &|it| it["lines"][2]["reasons"] = json!([]));
    assert!(bare.starts_with("lines[2] ") && bare.contains("no reason"), "{bare}");
    // The proven reason stands with a line that was paid.
    let moved = refused("claim-8-approve", &|it| {
        let reasons = it["lines"][2]["reasons"].take();
        it["lines"][2]["reasons"] = json!([]);
        it["lines"][0]["reasons"] = reasons;
    });
    assert!(moved.starts_with("lines[0] ") && moved.contains("denies it"), "{moved}");
    // A denied line becomes one whose charge was written off, and its reason would stand nowhere.
    let written_off = refused("claim-8-approve", &|it| {
        it["lines"][2]["contractual_cents"] = it["lines"][2]["noncovered_cents"].take();
        it["lines"][2]["noncovered_cents"] = json!(0);
    });
    assert!(written_off.starts_with("lines[2] ") && written_off.contains("denies it"), "{written_off}");
    // What was paid or is the member's becomes what the benefit maximum left.
    let over = refused("claim-8-approve", &|it| {
        let part = it["lines"][0]["contractual_cents"].take();
        it["lines"][0]["contractual_cents"] = json!(0);
        it["lines"][0]["over_maximum_cents"] =
            json!(part.as_u64().unwrap() + it["lines"][0]["over_maximum_cents"].as_u64().unwrap());
    });
    assert!(over.starts_with("lines[0] ") && over.contains("benefit maximum"), "{over}");
    let in_line = refused("claim-2-deny", &|it| it["lines"][0]["reasons"] = json!(["11", "11"]));
    assert!(in_line.starts_with("lines[0].reasons ") && in_line.contains("11 twice"), "{in_line}");
    let in_all = refused("claim-2-deny", &|it| it["reasons"] = json!(["11", "11"]));
    assert!(in_all.starts_with("reasons ") && in_all.contains("11 twice"), "{in_all}");
}
