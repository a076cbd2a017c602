//! The custodian's line-by-line account of a decision (`nightingale claim explain --json`), held against the proof.
//!
//! The proof shows decision, reasons and total; the split by line is the custodian's word, which must add up to them.

use crate::{Verified, VerifyError};
use nightingale_circuits::claim::{Reason, Reasons};
use serde::Deserialize;

/// One line of an explanation, in cents.
#[derive(Clone, Debug, Deserialize)]
#[expect(missing_docs, reason = "the names are the statement's; `docs/statements/claim.md` defines them")]
pub struct Line {
    pub charge_cents: u64,
    pub allowed_cents: u64,
    pub contractual_cents: u64,
    pub noncovered_cents: u64,
    pub copay_cents: u64,
    pub deductible_cents: u64,
    pub coinsurance_cents: u64,
    pub over_maximum_cents: u64,
    pub pay_cents: u64,
    /// Its reasons, as CARCs.
    pub reasons: Vec<String>,
}

impl Line {
    /// What the member owes.
    #[must_use]
    pub const fn member_cents(&self) -> u64 {
        self.copay_cents.saturating_add(self.deductible_cents).saturating_add(self.coinsurance_cents)
    }

    /// Its first reason.
    #[must_use]
    pub fn first_reason(&self) -> Option<Reason> {
        self.reasons.first().and_then(|code| reason(code))
    }

    /// What its amounts and its reasons cannot both be. A line is denied as a whole, with its reasons, or it is priced, and then the benefit maximum is
    /// the only reason that it may have. An adjustment is written under its reason: without one it would not be written.
    fn contradiction(&self) -> Option<&'static str> {
        let is_maximum = |code: &String| code == Reason::Maximum.carc();
        let is_denied = self.noncovered_cents == self.charge_cents;
        if self.noncovered_cents > 0 && self.reasons.is_empty() {
            return Some("has an amount that is not covered, and no reason for it");
        }
        if self.noncovered_cents > 0 && !is_denied {
            return Some("is covered in part, and a line is denied as a whole or not at all");
        }
        if !is_denied && !self.reasons.iter().all(is_maximum) {
            return Some("is not denied, and has a reason that denies it");
        }
        let is_over = self.over_maximum_cents > 0;
        if !is_denied && is_over != self.reasons.iter().any(is_maximum) {
            return Some("is over the benefit maximum, or has that for a reason, and not both");
        }
        None
    }

    /// The 835 balance: the charge is the sum of its adjustments and the payment.
    fn balances(&self) -> bool {
        let parts = [
            self.contractual_cents,
            self.noncovered_cents,
            self.copay_cents,
            self.deductible_cents,
            self.coinsurance_cents,
            self.over_maximum_cents,
            self.pay_cents,
        ];
        sum(parts) == Some(self.charge_cents)
    }
}

/// An explanation that agrees with a verified proof.
#[derive(Clone, Debug)]
pub struct Explanation {
    lines: Vec<Line>,
}

#[derive(Deserialize)]
struct ExplanationFile {
    decision: String,
    reasons: Vec<String>,
    payable_cents: u64,
    lines: Vec<Line>,
}

impl Explanation {
    /// Reads an explanation and holds it against what the proof says.
    ///
    /// # Errors
    /// Text that is not an explanation; one of another decision, other reasons or another total; a line that does not
    /// balance, or whose reasons and amounts contradict each other; a reason that stands twice.
    pub fn from_json(bytes: &[u8], verified: &Verified) -> Result<Self, VerifyError> {
        let file: ExplanationFile = serde_json::from_slice(bytes)
            .map_err(|e| VerifyError::Unreadable { what: "claim explanation", problem: e.to_string() })?;
        let refuse = |element: &str, problem: String| VerifyError::Explanation {
            element: element.to_owned(),
            problem,
        };
        if file.decision != verified.decision.name() {
            return Err(refuse(
                "decision",
                format!("is {}, the proof's is {}", file.decision, verified.decision.name()),
            ));
        }
        if file.payable_cents != verified.payable_cents {
            let problem = format!("is {}, the proof's is {}", file.payable_cents, verified.payable_cents);
            return Err(refuse("payable_cents", problem));
        }
        let reasons = reason_set(&file.reasons, "reasons")?;
        if verified.reasons.is_some_and(|proven| proven != reasons) {
            return Err(refuse("reasons", "are not the proof's".to_owned()));
        }
        let mut all = Reasons::default();
        for (i, line) in file.lines.iter().enumerate() {
            if !line.balances() {
                let problem =
                    "does not balance: its charge is not the sum of its adjustments and its payment";
                return Err(refuse(&format!("lines[{i}]"), problem.to_owned()));
            }
            if let Some(problem) = line.contradiction() {
                return Err(refuse(&format!("lines[{i}]"), problem.to_owned()));
            }
            all = all.union(reason_set(&line.reasons, &format!("lines[{i}].reasons"))?);
        }
        if all != reasons {
            return Err(refuse("reasons", "are not those of its lines".to_owned()));
        }
        if sum(file.lines.iter().map(|line| line.pay_cents)) != Some(verified.payable_cents) {
            return Err(refuse("lines", "do not add up to the proven amount".to_owned()));
        }
        Ok(Self { lines: file.lines })
    }

    /// Its lines, in the claim's order.
    #[must_use]
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// The claim's total charge, in cents.
    #[must_use]
    pub fn charge_cents(&self) -> u64 {
        sum(self.lines.iter().map(|line| line.charge_cents)).unwrap_or(u64::MAX)
    }

    /// What the member owes in all, in cents.
    #[must_use]
    pub fn member_cents(&self) -> u64 {
        sum(self.lines.iter().map(Line::member_cents)).unwrap_or(u64::MAX)
    }
}

/// The reason with this code.
fn reason(code: &str) -> Option<Reason> {
    Reason::ALL.into_iter().find(|reason| reason.carc() == code)
}

fn reason_set(codes: &[String], element: &str) -> Result<Reasons, VerifyError> {
    let refuse = |problem| VerifyError::Explanation { element: element.to_owned(), problem };
    let mut set = Reasons::default();
    for code in codes {
        let reason = reason(code).ok_or_else(|| refuse(format!("has the unknown code {code}")))?;
        if set.contains(reason) {
            return Err(refuse(format!("has the code {code} twice")));
        }
        set.set(reason, true);
    }
    Ok(set)
}

fn sum(amounts: impl IntoIterator<Item = u64>) -> Option<u64> {
    amounts.into_iter().try_fold(0u64, u64::checked_add)
}
