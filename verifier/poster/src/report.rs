//! What is said as JSON; `docs/posting.md` describes it.

mod cohort;

pub use cohort::{LogReport, TableReport};

use crate::{
    Entry, Mined, Outcome, Posted, Received, Settlement,
    outbox::{State, Transaction},
    payer,
};
use alloy_primitives::{Address, B256};
use nightingale_circuits::claim::Date;
use nightingale_contracts::bindings::Verdict;
use serde::Serialize;

/// A transaction in a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct TransactionReport {
    transaction: B256,
    block: u64,
    gas_used: u64,
}

/// `settle`.
#[derive(Clone, Debug, Serialize)]
pub struct SettlementReport {
    transaction: Option<B256>,
    block: Option<u64>,
    gas_used: u64,
    transactions: Vec<TransactionReport>,
    entries: Vec<EntryReport>,
}

#[derive(Clone, Debug, Serialize)]
struct EntryReport {
    claim_commitment: B256,
    settled: bool,
    reason: Option<String>,
    detail: Option<String>,
    transaction: Option<B256>,
    payer: Option<String>,
    payee: Address,
    payable_cents: u64,
}

/// `resume` and `status`: one transaction of the outbox.
#[derive(Clone, Debug, Serialize)]
pub struct OutboxReport {
    id: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    chain_id: Option<u64>,
    sender: Address,
    nonce: u64,
    purpose: String,
    state: &'static str,
    transaction: Option<B256>,
    attempts: usize,
    block: Option<u64>,
    gas_used: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
    claims: Vec<ClaimReport>,
}

#[derive(Clone, Debug, Serialize)]
struct ClaimReport {
    claim_commitment: B256,
    payer: String,
    settled: Option<bool>,
    reason: Option<String>,
}

/// A single call.
#[derive(Clone, Debug, Serialize)]
pub struct PostedReport {
    purpose: String,
    /// `sent`, `resumed`, `already_done` or `elsewhere`.
    how: &'static str,
    transaction: Option<B256>,
    block: Option<u64>,
    gas_used: Option<u64>,
    /// The day that `receive` finds recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    day: Option<String>,
}

impl From<Mined> for TransactionReport {
    fn from(Mined { transaction, block, gas_used }: Mined) -> Self {
        Self { transaction, block, gas_used }
    }
}

impl From<&Posted> for PostedReport {
    fn from(posted: &Posted) -> Self {
        let Mined { transaction, block, gas_used } = posted.mined;
        Self {
            purpose: posted.purpose.clone(),
            how: posted.how.name(),
            transaction: Some(transaction),
            block: Some(block),
            gas_used: Some(gas_used),
            day: None,
        }
    }
}

impl From<&Received> for PostedReport {
    fn from(received: &Received) -> Self {
        let text = |day: &Date| {
            let (year, month, day) = day.calendar();
            Some(format!("{year:04}-{month:02}-{day:02}"))
        };
        match received {
            Received::Posted { posted, day } => Self { day: text(day), ..Self::from(posted) },
            Received::Elsewhere { purpose, by, day } => Self {
                purpose: purpose.clone(),
                how: "elsewhere",
                transaction: by.map(|(transaction, _)| transaction),
                block: by.map(|(_, block)| block),
                gas_used: None,
                day: text(day),
            },
        }
    }
}

impl PostedReport {
    /// One line for a person.
    #[must_use]
    pub fn line(&self) -> String {
        let how = match self.how {
            "resumed" => "resumed: ",
            "already_done" => "already done, and not sent again: ",
            "elsewhere" => "somebody else did it already: ",
            _ => "",
        };
        let transaction = self.transaction.map_or_else(String::new, |hash| format!(": {hash}"));
        let block = self.block.map_or_else(String::new, |block| format!(" in block {block}"));
        let gas = self.gas_used.map_or_else(String::new, |gas| format!(", gas {gas}"));
        let day = self.day.as_ref().map_or_else(String::new, |day| format!(", recorded for {day}"));
        format!("{how}{}{day}{transaction}{block}{gas}", self.purpose)
    }

    /// Whether it was done before, by the same command.
    #[must_use]
    pub fn is_already_done(&self) -> bool {
        self.how == "already_done"
    }
}

impl From<&Settlement> for SettlementReport {
    /// Transactions are those that settled the entries, earlier ones too, and those that were sent now.
    fn from(settlement: &Settlement) -> Self {
        let settled = settlement.entries.iter().filter_map(|entry| match entry.outcome {
            Outcome::Settled(mined) => Some(mined),
            Outcome::Refused(_) => None,
        });
        let mut all: Vec<Mined> = Vec::new();
        for mined in settled.chain(settlement.transactions.iter().copied()) {
            if !all.contains(&mined) {
                all.push(mined);
            }
        }
        all.sort_by_key(|mined| mined.block);
        Self {
            transaction: all.last().map(|mined| mined.transaction),
            block: all.last().map(|mined| mined.block),
            gas_used: all.iter().map(|mined| mined.gas_used).sum(),
            transactions: all.into_iter().map(TransactionReport::from).collect(),
            entries: settlement.entries.iter().map(EntryReport::from).collect(),
        }
    }
}

impl From<&Entry> for EntryReport {
    fn from(entry: &Entry) -> Self {
        let (settled, reason, detail, transaction) = match &entry.outcome {
            Outcome::Settled(mined) => (true, None, None, Some(mined.transaction)),
            Outcome::Refused(refusal) => {
                (false, Some(refusal.name()), Some(refusal.advice()), refusal.transaction())
            }
        };
        Self {
            claim_commitment: entry.claim_commitment,
            settled,
            reason,
            detail,
            transaction,
            payer: entry.payer.map(payer::text),
            payee: entry.payee,
            payable_cents: entry.payable_cents,
        }
    }
}

impl OutboxReport {
    /// Of a transaction, with its chain where the outbox has several.
    #[must_use]
    pub fn new(chain_id: Option<u64>, row: &Transaction) -> Self {
        let newest = row.newest().map(|attempt| attempt.hash);
        let claims = row.claims.iter().map(|claim| ClaimReport {
            claim_commitment: claim.commitment,
            payer: payer::text(claim.payer),
            settled: claim.verdict.map(|verdict| verdict == Verdict::Payable),
            reason: claim
                .verdict
                .filter(|verdict| *verdict != Verdict::Payable)
                .map(|verdict| format!("{verdict:?}")),
        });
        Self {
            id: row.id,
            chain_id,
            sender: row.sender,
            nonce: row.nonce,
            purpose: row.purpose.clone(),
            state: row.state.name(),
            transaction: row.mined.map(|mined| mined.transaction).or(newest),
            attempts: row.attempts.len(),
            block: row.mined.map(|mined| mined.block),
            gas_used: row.mined.map(|mined| mined.gas_used),
            problem: row.problem.clone(),
            claims: claims.collect(),
        }
    }

    /// One line for a person.
    #[must_use]
    pub fn line(&self) -> String {
        let chain = self.chain_id.map_or_else(String::new, |id| format!("chain {id}, "));
        let transaction = self.transaction.map_or_else(String::new, |hash| format!(" {hash}"));
        let block = self.block.map_or_else(String::new, |block| format!(" in block {block}"));
        let attempts = if self.attempts > 1 { format!(", {} offers", self.attempts) } else { String::new() };
        let problem = self.problem.as_ref().map_or_else(String::new, |problem| format!(": {problem}"));
        format!(
            "{}: {}: {}{transaction}{block} ({chain}{}, nonce {}{attempts}){problem}",
            self.id, self.purpose, self.state, self.sender, self.nonce
        )
    }
}

impl SettlementReport {
    /// One line for each claim, for a person.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        self.entries.iter().map(EntryReport::line).collect()
    }
}

impl EntryReport {
    fn line(&self) -> String {
        let transaction = self.transaction.map_or_else(String::new, |hash| hash.to_string());
        match (&self.reason, &self.detail) {
            (Some(reason), Some(detail)) => format!("{}: {reason}: {detail}", self.claim_commitment),
            _ => format!(
                "{}: settled by {transaction}: {} cents to {}",
                self.claim_commitment, self.payable_cents, self.payee
            ),
        }
    }
}

/// Whether something of the outbox came to a bad end.
#[must_use]
pub fn failed(row: &Transaction) -> bool {
    matches!(row.state, State::Failed | State::Lost)
}
