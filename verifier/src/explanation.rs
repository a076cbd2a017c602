//! The custodian's line-by-line account of a decision (`nightingale claim explain --json`), held against the proof.
//!
//! The proof shows decision, reasons, total and which lines are allowed. How a line's charge is split, and which of the reasons stands with
//! which line, is the custodian's word, which must come to what is proven by the statement's arithmetic.

use crate::{
    Decision, Verified, VerifyError,
    encoding::reasons_from_codes,
    json::{self, Object},
};
use nightingale_circuits::claim::{Balances, Reason, Reasons};
use serde::Deserialize;

/// What may be wrong with a claim whose coverage is not enrolled, the first of each line: every other rule is one of enrolled coverages
/// (`docs/statements/claim.md`).
const WITHOUT_COVERAGE: [Reason; 3] = [Reason::NotInsured, Reason::WrongPayer, Reason::Provider];

/// One line of an explanation, in cents.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    pub reasons: Reasons,
}

impl Line {
    /// What the member owes.
    #[must_use]
    pub const fn member_cents(&self) -> u64 {
        self.copay_cents.saturating_add(self.deductible_cents).saturating_add(self.coinsurance_cents)
    }

    /// What the statement's arithmetic does not yield for a line that the proof allows, or does not allow.
    fn contradiction(&self, is_allowed: bool) -> Option<&'static str> {
        if self.charge_cents > u32::MAX.into() {
            return Some("charges 42949672.96 or more, which no line does");
        }
        let parts = [
            self.copay_cents,
            self.deductible_cents,
            self.coinsurance_cents,
            self.over_maximum_cents,
            self.pay_cents,
        ];
        if sum(parts) != Some(self.allowed_cents) {
            return Some(
                "does not add up: what is allowed is not the sum of the member's part, what is over the maximum, and the payment",
            );
        }
        // The 835 balance.
        if sum([self.contractual_cents, self.noncovered_cents, self.allowed_cents]) != Some(self.charge_cents)
        {
            return Some("does not balance: its charge is not the sum of its adjustments and its payment");
        }
        if is_allowed { self.contradicts_allowed() } else { self.contradicts_denied() }
    }

    /// A line that is allowed is priced, and the benefit maximum is the only reason that it may have.
    fn contradicts_allowed(&self) -> Option<&'static str> {
        let has_maximum = self.reasons.contains(Reason::Maximum);
        if self.noncovered_cents > 0 {
            return Some("is allowed by the proof, and has an amount that is not covered");
        }
        if self.reasons.iter().any(|reason| reason != Reason::Maximum) {
            return Some("is allowed by the proof, and has a reason that denies it");
        }
        if (self.over_maximum_cents > 0) != has_maximum {
            return Some("is over the benefit maximum, or has that for a reason, and not both");
        }
        if self.over_maximum_cents > 0 && self.pay_cents == 0 {
            return Some("is over the benefit maximum with nothing left of it, and such a line is denied");
        }
        None
    }

    /// A line that is not allowed is denied as a whole, with its reasons. The benefit maximum is looked at where there is no other.
    fn contradicts_denied(&self) -> Option<&'static str> {
        if self.noncovered_cents != self.charge_cents {
            return Some("is denied by the proof, and a line is denied as a whole");
        }
        if self.reasons.is_empty() {
            return Some("is denied by the proof, and has no reason");
        }
        if self.reasons.contains(Reason::Maximum) && self.reasons.iter().count() > 1 {
            return Some("is denied for the benefit maximum, and a line that fails another rule is not");
        }
        if self.reasons.contains(Reason::Maximum) && self.charge_cents == 0 {
            return Some("is denied for the benefit maximum, and a line without a charge is not");
        }
        None
    }
}

/// An explanation that agrees with a verified proof.
#[derive(Clone, Debug)]
pub struct Explanation {
    lines: Vec<Line>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExplanationFile {
    decision: String,
    reasons: Vec<String>,
    payable_cents: u64,
    lines: Vec<Object<LineFile>>,
    /// `null` where the coverage is not enrolled. The proof hides what is left; it has to be there and to be balances.
    #[serde(deserialize_with = "Option::deserialize")]
    account_after: Option<Object<AccountFile>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LineFile {
    charge_cents: u64,
    allowed_cents: u64,
    contractual_cents: u64,
    noncovered_cents: u64,
    copay_cents: u64,
    deductible_cents: u64,
    coinsurance_cents: u64,
    over_maximum_cents: u64,
    pay_cents: u64,
    reasons: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AccountFile {
    deductible_cents: u64,
    out_of_pocket_cents: u64,
    maximum_cents: u64,
}

impl Explanation {
    /// Reads an explanation and holds it against what the proof says.
    ///
    /// # Errors
    /// Text that is not an explanation; a proof without an opening, whose reasons nobody can compare; another decision, other reasons or
    /// another total than the proof's; more lines than its class has, fewer than it allows, or one that is not what the statement's arithmetic
    /// yields for a line that the proof allows or does not.
    pub fn from_json(bytes: &[u8], verified: &Verified) -> Result<Self, VerifyError> {
        let file: ExplanationFile = json::read(bytes)
            .map_err(|e| VerifyError::Unreadable { what: "claim explanation", problem: e.to_string() })?;
        file.check(verified)?;
        let maximum_left = file.account_after.map(|Object(account)| account.maximum_cents);
        let lines = file.lines.into_iter().enumerate();
        let lines = lines.map(|(i, Object(line))| line.read(i)).collect::<Result<Vec<Line>, _>>()?;
        let explanation = Self { lines };
        explanation.check(verified, maximum_left)?;
        Ok(explanation)
    }

    /// Its lines, in the claim's order.
    #[must_use]
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// The claim's total charge, in cents.
    #[must_use]
    pub fn charge_cents(&self) -> u64 {
        self.lines.iter().map(|line| line.charge_cents).sum()
    }

    /// What the member owes in all, in cents.
    #[must_use]
    pub fn member_cents(&self) -> u64 {
        self.lines.iter().map(Line::member_cents).sum()
    }

    fn check(&self, verified: &Verified, maximum_left: Option<u64>) -> Result<(), VerifyError> {
        let (count, most) = (self.lines.len(), verified.class.lines());
        if count == 0 || count > most {
            return Err(refuse("lines", format!("are {count}, and a claim of this class has 1 to {most}")));
        }
        if let Some(missing) = verified.allowed.iter().skip(count).position(|is_allowed| *is_allowed) {
            let missing = count.saturating_add(missing);
            return Err(refuse("lines", format!("are {count}, and the proof allows lines[{missing}]")));
        }
        // A line that reaches the benefit maximum takes what is left of it.
        let mut is_used_up = false;
        for (i, (line, is_allowed)) in self.lines.iter().zip(&verified.allowed).enumerate() {
            if let Some(problem) = line.contradiction(*is_allowed) {
                return Err(refuse(&format!("lines[{i}]"), problem));
            }
            if is_used_up && line.pay_cents > 0 {
                let problem = "is paid, and a line before it used the benefit maximum up";
                return Err(refuse(&format!("lines[{i}]"), problem));
            }
            is_used_up |= line.reasons.contains(Reason::Maximum);
        }
        if is_used_up && maximum_left.is_some_and(|left| left > 0) {
            return Err(refuse("account_after", "has a benefit maximum that a line used up"));
        }
        if verified.decision == Decision::Approve && maximum_left.is_none() {
            return Err(refuse("account_after", "is missing, and an approval has one"));
        }
        let all = self.lines.iter().fold(Reasons::default(), |all, line| all.union(line.reasons));
        let enrolled = |line: &Line| {
            !line.reasons.contains(Reason::NotInsured)
                || line.reasons.iter().any(|reason| !WITHOUT_COVERAGE.contains(&reason))
        };
        if maximum_left.is_none() && self.lines.iter().any(enrolled) {
            return Err(refuse(
                "account_after",
                "is missing, and the reasons of a line are not those of a coverage that is not enrolled",
            ));
        }
        if verified.reasons != Some(all) {
            return Err(refuse("reasons", "are not those of its lines"));
        }
        if sum(self.lines.iter().map(|line| line.pay_cents)) != Some(verified.payable_cents) {
            return Err(refuse("lines", "do not add up to the proven amount"));
        }
        Ok(())
    }
}

impl ExplanationFile {
    /// What it says of the claim as a whole.
    fn check(&self, verified: &Verified) -> Result<(), VerifyError> {
        let Some(proven) = verified.reasons else {
            let problem = "cannot be held against this proof, whose file has no `opening`; ask the custodian for the file with it";
            return Err(refuse("reasons", problem));
        };
        if self.decision != verified.decision.name() {
            let problem = format!("is {}, the proof's is {}", self.decision, verified.decision.name());
            return Err(refuse("decision", problem));
        }
        if self.payable_cents != verified.payable_cents {
            let problem = format!("is {}, the proof's is {}", self.payable_cents, verified.payable_cents);
            return Err(refuse("payable_cents", problem));
        }
        if read_reasons(&self.reasons, "reasons")? != proven {
            return Err(refuse("reasons", "are not the proof's"));
        }
        let is_balance = |Object(left): &Object<AccountFile>| {
            let (deductible, out_of_pocket) = (left.deductible_cents, left.out_of_pocket_cents);
            Balances { deductible, out_of_pocket, maximum: left.maximum_cents }.in_range()
        };
        if !self.account_after.as_ref().is_none_or(is_balance) {
            return Err(refuse("account_after", "has a balance that no account holds: they are below 2^40"));
        }
        Ok(())
    }
}

impl LineFile {
    fn read(self, i: usize) -> Result<Line, VerifyError> {
        Ok(Line {
            charge_cents: self.charge_cents,
            allowed_cents: self.allowed_cents,
            contractual_cents: self.contractual_cents,
            noncovered_cents: self.noncovered_cents,
            copay_cents: self.copay_cents,
            deductible_cents: self.deductible_cents,
            coinsurance_cents: self.coinsurance_cents,
            over_maximum_cents: self.over_maximum_cents,
            pay_cents: self.pay_cents,
            reasons: read_reasons(&self.reasons, &format!("lines[{i}].reasons"))?,
        })
    }
}

fn read_reasons(codes: &[String], element: &str) -> Result<Reasons, VerifyError> {
    let problem =
        "must be known codes, each once, in the order in which `nightingale claim explain` writes them";
    reasons_from_codes(codes).ok_or_else(|| refuse(element, problem))
}

fn refuse(element: &str, problem: impl Into<String>) -> VerifyError {
    VerifyError::Explanation { element: element.to_owned(), problem: problem.into() }
}

fn sum(amounts: impl IntoIterator<Item = u64>) -> Option<u64> {
    amounts.into_iter().try_fold(0u64, u64::checked_add)
}
