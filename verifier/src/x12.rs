//! A verified decision as the CLP, SVC and CAS segments of an X12 835 remittance (005010X221A1, loops 2100 and 2110).
//!
//! The proof names neither patient nor procedures, so the segments are a fragment: CLP07 is the claim commitment and
//! SVC01 the line's number under the mutually defined qualifier ZZ. Without an explanation only what is proven is
//! written: no charge (CLP03) and no patient responsibility (CLP05), and the reasons stand in claim-level CAS segments
//! without amounts. These loops have no segment for a note: that a key is a development key has to be said beside them.

use crate::{
    ClaimProof, Decision, Explanation, Verified, VerifyError, encoding::scalar_to_hex, explanation::Line,
    money::shortest,
};
use nightingale_circuits::claim::Reason;
use std::fmt::Write;

impl Verified {
    /// The claim status (element 1029): 1 processed as primary, 4 denied.
    #[must_use]
    pub const fn x12_status(&self) -> u8 {
        match self.decision {
            Decision::Approve => 1,
            Decision::Deny => 4,
        }
    }
}

/// Who bears an adjustment (X12 element 1033).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Group {
    Contractual,
    Other,
    Patient,
}

impl Group {
    const ALL: [Self; 3] = [Self::Contractual, Self::Other, Self::Patient];

    const fn code(self) -> &'static str {
        match self {
            Self::Contractual => "CO",
            Self::Other => "OA",
            Self::Patient => "PR",
        }
    }

    /// Who bears a line that is not covered for this reason: the member where the coverage does not reach the service,
    /// the provider where it broke the contract's rules, nobody yet where another payer is responsible.
    const fn of(reason: Reason) -> Self {
        match reason {
            Reason::BeforeCoverage
            | Reason::AfterCoverage
            | Reason::NotInsured
            | Reason::NotCovered
            | Reason::Maximum => Self::Patient,
            Reason::WrongPayer => Self::Other,
            Reason::Diagnosis
            | Reason::Age
            | Reason::Sex
            | Reason::Frequency
            | Reason::AuthorisationAbsent
            | Reason::AuthorisationMismatch
            | Reason::AuthorisationExceeded
            | Reason::Late
            | Reason::Provider => Self::Contractual,
        }
    }
}

/// The segments, one to a line of text.
///
/// # Errors
/// A claim id that CLP01 cannot hold: empty, over 38 characters, or with a delimiter or control character.
pub fn remittance(
    proof: &ClaimProof,
    verified: &Verified,
    explanation: Option<&Explanation>,
    claim_id: &str,
) -> Result<String, VerifyError> {
    let usable = |c: char| c.is_ascii_graphic() && !"*~:^|".contains(c) || c == ' ';
    if claim_id.is_empty() || claim_id.len() > 38 || !claim_id.chars().all(usable) {
        let problem = "must be 1 to 38 printable ASCII characters without * ~ : ^ |";
        return Err(VerifyError::malformed("claim id", problem));
    }
    let commitment = scalar_to_hex(&proof.public.claim_commitment);
    // CLP07 holds 50 characters: the first 48 digits of the commitment tell claims apart.
    let control: String = commitment.chars().skip(2).take(48).collect();
    let (charge, member) = explanation
        .map_or_else(Default::default, |e| (shortest(e.charge_cents()), shortest(e.member_cents())));
    let mut out = String::new();
    let (status, paid) = (verified.x12_status(), shortest(verified.payable_cents));
    // Writing to a String cannot fail.
    let _ = writeln!(out, "CLP*{claim_id}*{status}*{charge}*{paid}*{member}**{control}~");
    match explanation {
        Some(explanation) => {
            for (i, line) in explanation.lines().iter().enumerate() {
                let (charge, pay) = (shortest(line.charge_cents), shortest(line.pay_cents));
                let _ = writeln!(out, "SVC*ZZ:{}*{charge}*{pay}~", i + 1);
                for segment in adjustments(line) {
                    let _ = writeln!(out, "{segment}~");
                }
            }
        }
        None => {
            for reason in verified.reasons.into_iter().flat_map(|reasons| reasons.iter()) {
                let _ = writeln!(out, "CAS*{}*{}~", Group::of(reason).code(), reason.carc());
            }
        }
    }
    Ok(out)
}

/// The line's CAS segments. Of several reasons the first by bit bears the whole charge, the others stand with 0, so that
/// the line balances.
fn adjustments(line: &Line) -> Vec<String> {
    let mut all: Vec<(Group, &str, u64)> = vec![
        (Group::Contractual, "45", line.contractual_cents),
        (Group::Patient, "1", line.deductible_cents),
        (Group::Patient, "2", line.coinsurance_cents),
        (Group::Patient, "3", line.copay_cents),
        (Group::Patient, Reason::Maximum.carc(), line.over_maximum_cents),
    ];
    all.retain(|(_, _, cents)| *cents > 0);
    if line.noncovered_cents > 0 {
        let mut left = line.noncovered_cents;
        for reason in line.reasons.iter() {
            all.push((Group::of(reason), reason.carc(), left));
            left = 0;
        }
    }
    let triplets = |group: Group| -> Vec<String> {
        let of_group = all.iter().filter(|(g, _, _)| *g == group);
        of_group.map(|(_, code, cents)| format!("*{code}*{}", shortest(*cents))).collect()
    };
    // Each triplet is reason, amount and an empty quantity; a segment holds six of them.
    let mut segments = Vec::new();
    for group in Group::ALL {
        for chunk in triplets(group).chunks(6) {
            segments.push(format!("CAS*{}{}", group.code(), chunk.join("*")));
        }
    }
    segments
}
