//! A verified decision as a FHIR R4 `ClaimResponse`.
//!
//! The proof names neither the patient nor the insurer, so both are references without an identity; the claim is the
//! identifier of its commitment, and its type is said to be hidden. Amounts are exact decimals in US dollars.

use crate::{
    ClaimProof, Decision, Explanation, Verified,
    claim::{address_text, date_text},
    encoding::scalar_to_hex,
    explanation::Line,
    money::decimal,
};
use nightingale_circuits::claim::{Reason, Reasons};
use serde::Serialize;
use serde_json::value::RawValue;

const ADJUDICATION: &str = "http://terminology.hl7.org/CodeSystem/adjudication";
const CARC: &str = "https://x12.org/codes/claim-adjustment-reason-codes";
const DATA_ABSENT: &str = "http://hl7.org/fhir/StructureDefinition/data-absent-reason";
/// For a person, where the proof hides what FHIR asks for.
const HIDDEN: &str = "not disclosed";

#[derive(Serialize)]
struct Coding {
    system: &'static str,
    code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    display: Option<&'static str>,
}

#[derive(Serialize)]
struct Concept {
    coding: [Coding; 1],
}

impl Concept {
    const fn new(system: &'static str, code: &'static str) -> Self {
        Self { coding: [Coding { system, code, display: None }] }
    }

    const fn reason(reason: Reason) -> Self {
        Self { coding: [Coding { system: CARC, code: reason.carc(), display: Some(reason.text()) }] }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Extension {
    url: &'static str,
    value_code: &'static str,
}

/// An element that must be there, without the codes that the proof hides.
#[derive(Serialize)]
struct Absent {
    extension: [Extension; 1],
    text: &'static str,
}

impl Absent {
    const MASKED: Self =
        Self { extension: [Extension { url: DATA_ABSENT, value_code: "masked" }], text: HIDDEN };
}

#[derive(Serialize)]
struct Identifier {
    system: &'static str,
    value: String,
}

#[derive(Serialize)]
struct Reference {
    #[serde(skip_serializing_if = "Option::is_none")]
    identifier: Option<Identifier>,
    display: &'static str,
}

#[derive(Serialize)]
struct Money {
    value: Box<RawValue>,
    currency: &'static str,
}

impl Money {
    fn new(cents: u64) -> Self {
        // A decimal number is JSON; the fallback cannot be reached and would read `null`.
        let value = RawValue::from_string(decimal(cents)).unwrap_or_else(|_| RawValue::NULL.to_owned());
        Self { value, currency: "USD" }
    }
}

#[derive(Serialize)]
struct Adjudication {
    category: Concept,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<Concept>,
    #[serde(skip_serializing_if = "Option::is_none")]
    amount: Option<Money>,
}

impl Adjudication {
    fn amount(category: &'static str, cents: u64) -> Self {
        let category = Concept::new(ADJUDICATION, category);
        Self { category, reason: None, amount: Some(Money::new(cents)) }
    }

    fn reason(reason: Reason) -> Self {
        let category = Concept::new(ADJUDICATION, "denialreason");
        Self { category, reason: Some(Concept::reason(reason)), amount: None }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    item_sequence: usize,
    adjudication: Vec<Adjudication>,
}

#[derive(Serialize)]
struct Total {
    category: Concept,
    amount: Money,
}

#[derive(Serialize)]
struct Payment {
    r#type: Concept,
    amount: Money,
    identifier: Identifier,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ClaimResponse {
    resource_type: &'static str,
    identifier: [Identifier; 1],
    status: &'static str,
    r#type: Absent,
    r#use: &'static str,
    patient: Reference,
    created: String,
    insurer: Reference,
    request: Reference,
    outcome: &'static str,
    disposition: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    item: Vec<Item>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    adjudication: Vec<Adjudication>,
    total: Vec<Total>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payment: Option<Payment>,
}

/// The resource as JSON text. With an explanation it has the lines' amounts as well, which are the custodian's word.
#[must_use]
pub fn claim_response(proof: &ClaimProof, verified: &Verified, explanation: Option<&Explanation>) -> String {
    let approved = verified.decision == Decision::Approve;
    let commitment = scalar_to_hex(&proof.public.claim_commitment);
    let mut total = vec![Total {
        category: Concept::new(ADJUDICATION, "benefit"),
        amount: Money::new(verified.payable_cents),
    }];
    if let Some(explanation) = explanation {
        let amount = Money::new(explanation.charge_cents());
        total.insert(0, Total { category: Concept::new(ADJUDICATION, "submitted"), amount });
    }
    let response = ClaimResponse {
        resource_type: "ClaimResponse",
        identifier: [Identifier {
            system: "urn:nightingale:outcome-commitment",
            value: scalar_to_hex(&proof.public.outcome_commitment),
        }],
        status: "active",
        r#type: Absent::MASKED,
        r#use: "claim",
        patient: Reference { identifier: None, display: HIDDEN },
        created: date_text(verified.received),
        insurer: Reference { identifier: None, display: "the payer of the proof's epoch" },
        request: Reference {
            identifier: Some(Identifier { system: "urn:nightingale:claim-commitment", value: commitment }),
            display: "the committed claim",
        },
        outcome: "complete",
        disposition: disposition(verified),
        item: explanation.map_or_else(Vec::new, |e| e.lines().iter().enumerate().map(item).collect()),
        adjudication: reasons(verified.reasons.unwrap_or_default()),
        total,
        payment: approved.then(|| Payment {
            r#type: Concept::new("http://terminology.hl7.org/CodeSystem/ex-paymenttype", "complete"),
            amount: Money::new(verified.payable_cents),
            identifier: Identifier { system: "urn:nightingale:payee", value: address_text(&verified.payee) },
        }),
    };
    // Text, lists and exact decimals: JSON holds them.
    serde_json::to_string_pretty(&response).unwrap_or_default()
}

/// The decision for a person, with what there is to say of the key.
fn disposition(verified: &Verified) -> String {
    let decided = match verified.decision {
        Decision::Approve => "Approved",
        Decision::Deny => "Denied",
    };
    let kind = verified.kind;
    let under = kind.warning().map(|warning| format!(" under a {kind} key: {warning}")).unwrap_or_default();
    format!("{decided}, as proven{under}")
}

fn reasons(reasons: Reasons) -> Vec<Adjudication> {
    reasons.iter().map(Adjudication::reason).collect()
}

fn item((i, line): (usize, &Line)) -> Item {
    let mut adjudication = vec![
        Adjudication::amount("submitted", line.charge_cents),
        Adjudication::amount("eligible", line.allowed_cents),
        Adjudication::amount("copay", line.copay_cents),
        Adjudication::amount("deductible", line.deductible_cents),
        Adjudication::amount("benefit", line.pay_cents),
    ];
    adjudication.extend(reasons(line.reasons));
    Item { item_sequence: i + 1, adjudication }
}
