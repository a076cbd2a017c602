//! An adjudication as JSON: what the native rules decide, line by line, in cents. The schema is `schemas/explain.json`.

use nightingale_circuits::claim::{Adjudication, LineOutcome, Reasons};
use serde::Serialize;

#[derive(Serialize)]
struct Explanation {
    decision: &'static str,
    reasons: Vec<&'static str>,
    payable_cents: u64,
    lines: Vec<Line>,
    /// Absent balances: the coverage is not enrolled, so there is no account.
    account_after: Option<AccountAfter>,
}

#[derive(Serialize)]
struct Line {
    charge_cents: u64,
    allowed_cents: u64,
    contractual_cents: u64,
    noncovered_cents: u64,
    copay_cents: u64,
    deductible_cents: u64,
    coinsurance_cents: u64,
    over_maximum_cents: u64,
    pay_cents: u64,
    reasons: Vec<&'static str>,
}

#[derive(Serialize)]
struct AccountAfter {
    deductible_cents: u64,
    out_of_pocket_cents: u64,
    maximum_cents: u64,
}

fn carcs(reasons: Reasons) -> Vec<&'static str> {
    reasons.iter().map(|reason| reason.carc()).collect()
}

fn line(outcome: &LineOutcome) -> Line {
    Line {
        charge_cents: outcome.charge,
        allowed_cents: outcome.allowed,
        contractual_cents: outcome.contractual,
        noncovered_cents: outcome.noncovered,
        copay_cents: outcome.copay,
        deductible_cents: outcome.deductible,
        coinsurance_cents: outcome.coinsurance,
        over_maximum_cents: outcome.over_maximum,
        pay_cents: outcome.pay,
        reasons: carcs(outcome.reasons),
    }
}

/// The explanation as JSON.
#[must_use]
pub fn to_json(adjudication: &Adjudication) -> String {
    let explanation = Explanation {
        decision: if adjudication.approved { "approve" } else { "deny" },
        reasons: carcs(adjudication.reasons),
        payable_cents: adjudication.payable,
        lines: adjudication.lines.iter().map(line).collect(),
        account_after: adjudication.account_after.as_ref().map(|account| AccountAfter {
            deductible_cents: account.balances.deductible,
            out_of_pocket_cents: account.balances.out_of_pocket,
            maximum_cents: account.balances.maximum,
        }),
    };
    crate::json::write(&explanation).as_str().to_owned()
}
