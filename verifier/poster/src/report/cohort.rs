//! What is said of cohort answers as JSON.

use crate::{
    How, Mined,
    cohort::{Entry, Logging, Outcome, Registering, TableRegistration},
};
use alloy_primitives::{Address, B256};
use serde::Serialize;

/// `log`.
#[derive(Clone, Debug, Serialize)]
pub struct LogReport {
    log: Address,
    gas_used: u64,
    entries: Vec<AnswerReport>,
}

#[derive(Clone, Debug, Serialize)]
struct AnswerReport {
    query: B256,
    table: B256,
    name: String,
    consent_version: usize,
    logged: bool,
    how: Option<&'static str>,
    reason: Option<&'static str>,
    detail: Option<String>,
    transaction: Option<B256>,
    block: Option<u64>,
    gas_used: Option<u64>,
}

/// `register-dataset`: one table.
#[derive(Clone, Debug, Serialize)]
pub struct TableReport {
    name: String,
    table: B256,
    registered: bool,
    how: Option<&'static str>,
    detail: Option<String>,
    transaction: Option<B256>,
    block: Option<u64>,
    gas_used: Option<u64>,
    planned: Vec<B256>,
    left_out: Vec<LeftOutReport>,
}

#[derive(Clone, Debug, Serialize)]
struct LeftOutReport {
    query: B256,
    detail: String,
}

const ELSEWHERE: &str = "elsewhere";

impl From<&Logging> for LogReport {
    /// Gas is that of this outbox's transactions, earlier ones too; an answer that was given twice is counted once.
    fn from(logging: &Logging) -> Self {
        let mut all: Vec<Mined> = Vec::new();
        for entry in &logging.entries {
            if let Outcome::Logged { mined, .. } = entry.outcome
                && !all.contains(&mined)
            {
                all.push(mined);
            }
        }
        Self {
            log: logging.log,
            gas_used: all.iter().map(|mined| mined.gas_used).sum(),
            entries: logging.entries.iter().map(AnswerReport::from).collect(),
        }
    }
}

impl From<&Entry> for AnswerReport {
    fn from(entry: &Entry) -> Self {
        let blank = Self {
            query: entry.query,
            table: entry.table,
            name: entry.name.clone(),
            consent_version: entry.version,
            logged: true,
            how: None,
            reason: None,
            detail: None,
            transaction: None,
            block: None,
            gas_used: None,
        };
        match &entry.outcome {
            Outcome::Logged { mined: Mined { transaction, block, gas_used }, how } => Self {
                how: Some(how.name()),
                transaction: Some(*transaction),
                block: Some(*block),
                gas_used: Some(*gas_used),
                ..blank
            },
            Outcome::LoggedElsewhere { transaction, block } => {
                Self { how: Some(ELSEWHERE), transaction: Some(*transaction), block: Some(*block), ..blank }
            }
            Outcome::Refused(refusal) => Self {
                logged: false,
                reason: Some(refusal.name()),
                detail: Some(refusal.advice()),
                transaction: refusal.transaction(),
                ..blank
            },
        }
    }
}

impl LogReport {
    /// One line for each answer, for a person.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        self.entries.iter().map(AnswerReport::line).collect()
    }
}

impl AnswerReport {
    fn line(&self) -> String {
        let about = format!("query {} of {}, consents {}", self.query, self.name, self.consent_version);
        match (self.reason, &self.detail) {
            (Some(reason), Some(detail)) => format!("{about}: {reason}: {detail}"),
            _ => format!(
                "{about}: {}logged{}",
                prefix(self.how),
                place(self.transaction, self.block, self.gas_used)
            ),
        }
    }
}

impl From<&TableRegistration> for TableReport {
    fn from(found: &TableRegistration) -> Self {
        let left_out = found
            .left_out
            .iter()
            .map(|left| LeftOutReport { query: left.query, detail: left.reason.to_string() });
        let blank = Self {
            name: found.name.clone(),
            table: found.table,
            registered: true,
            how: None,
            detail: None,
            transaction: None,
            block: None,
            gas_used: None,
            planned: found.planned.clone(),
            left_out: left_out.collect(),
        };
        match &found.outcome {
            Registering::Posted(posted) => Self {
                how: Some(posted.how.name()),
                transaction: Some(posted.mined.transaction),
                block: Some(posted.mined.block),
                gas_used: Some(posted.mined.gas_used),
                ..blank
            },
            Registering::Elsewhere { by } => Self {
                how: Some(ELSEWHERE),
                transaction: by.map(|(transaction, _)| transaction),
                block: by.map(|(_, block)| block),
                ..blank
            },
            Registering::Unfit(error) => Self { registered: false, detail: Some(error.to_string()), ..blank },
        }
    }
}

impl TableReport {
    /// Whether the registry has the table, by whoever.
    #[must_use]
    pub const fn is_registered(&self) -> bool {
        self.registered
    }

    /// A line for the table and one for each query that is left out, for a person.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        if let Some(detail) = &self.detail {
            return vec![format!("table {} ({}): not registered: {detail}", self.name, self.table)];
        }
        let mut lines = vec![format!(
            "table {} ({}): {}registered with {} quer{}{}",
            self.name,
            self.table,
            prefix(self.how),
            self.planned.len(),
            if self.planned.len() == 1 { "y" } else { "ies" },
            place(self.transaction, self.block, self.gas_used),
        )];
        lines.extend(
            self.left_out.iter().map(|left| format!("  left out: query {}: {}", left.query, left.detail)),
        );
        lines
    }
}

/// What a person is told of how it came about, before what it is.
fn prefix(how: Option<&str>) -> &'static str {
    match how {
        Some(name) if name == How::Resumed.name() => "resumed: ",
        Some(name) if name == How::AlreadyDone.name() => "already done, and not sent again: ",
        Some(ELSEWHERE) => "somebody else did it already: ",
        _ => "",
    }
}

fn place(transaction: Option<B256>, block: Option<u64>, gas: Option<u64>) -> String {
    let transaction = transaction.map_or_else(String::new, |hash| format!(": {hash}"));
    let block = block.map_or_else(String::new, |block| format!(" in block {block}"));
    let gas = gas.map_or_else(String::new, |gas| format!(", gas {gas}"));
    format!("{transaction}{block}{gas}")
}
