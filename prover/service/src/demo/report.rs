//! What the demonstration shows at its end: the table, what was not learnt, and `summary.json`.

use super::{
    insurer::{Answer, Answers},
    ledger::Ledger,
    questions::CohortSummary,
    settle::Batch,
};
use serde::Serialize;
use std::time::{Duration, Instant};

/// `summary.json`.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// Every claim, in the order of receipt.
    pub claims: Vec<ClaimSummary>,
    /// Sums.
    pub totals: Totals,
    /// Gas.
    pub gas: Gas,
    /// Every question about the trial.
    pub cohort: Vec<CohortSummary>,
    /// What the time went into, one step after another.
    pub steps: Vec<StepSummary>,
}

/// One step of the demonstration.
#[derive(Clone, Debug, Serialize)]
pub struct StepSummary {
    /// What was done.
    pub step: &'static str,
    /// For how long, in seconds.
    pub seconds: f64,
}

/// One claim.
#[derive(Clone, Debug, Serialize)]
pub struct ClaimSummary {
    /// The provider's number for it.
    pub id: String,
    /// `approve`, `deny`, or `refused` where nothing is proven.
    pub decision: String,
    /// CARC.
    pub reasons: Vec<String>,
    /// What the plan pays, in cents.
    pub payable_cents: u64,
    /// Bytes of the proof file in its binary form, public values included.
    pub proof_bytes: usize,
    /// Proving, in milliseconds.
    pub prove_ms: u64,
    /// Reading and verifying, in milliseconds.
    pub verify_ms: f64,
    /// Its share of the gas of its batch.
    pub gas: u64,
    /// Whether it is settled on-chain.
    pub settled: bool,
    /// What happened to it besides.
    pub note: String,
}

/// Sums over all claims.
#[derive(Clone, Debug, Serialize)]
pub struct Totals {
    /// Claims asked for.
    pub claims: usize,
    /// Approved.
    pub approved: usize,
    /// Denied with proof.
    pub denied: usize,
    /// Refused.
    pub refused: usize,
    /// Settled on-chain.
    pub settled: usize,
    /// Cents of all approvals.
    pub payable_cents: u64,
    /// Cents that the provider can withdraw.
    pub credited_cents: u64,
    /// The whole demonstration, in seconds.
    pub seconds: f64,
}

/// Gas of the transactions.
#[derive(Clone, Debug, Serialize)]
pub struct Gas {
    /// Each settlement transaction.
    pub settlements: Vec<Settlement>,
    /// All transactions, deployment included where the chain is in this process.
    pub total: u64,
}

/// One settlement transaction.
#[derive(Clone, Debug, Serialize)]
pub struct Settlement {
    /// Claims that it paid.
    pub claims: usize,
    /// Gas of the whole transaction.
    pub gas: u64,
}

/// Measures steps one after another.
pub(super) struct Stopwatch {
    start: Instant,
    last: Instant,
    steps: Vec<StepSummary>,
}

impl Stopwatch {
    pub(super) fn start() -> Self {
        let now = Instant::now();
        Self { start: now, last: now, steps: Vec::new() }
    }

    /// A step ends here, and the next begins.
    pub(super) fn done(&mut self, step: &'static str) {
        let now = Instant::now();
        self.steps.push(StepSummary { step, seconds: now.duration_since(self.last).as_secs_f64() });
        self.last = now;
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    pub(super) fn into_steps(self) -> Vec<StepSummary> {
        self.steps
    }
}

/// Everything that is reported.
pub(super) struct Report<'a> {
    pub(super) answers: &'a Answers,
    pub(super) batches: &'a [Batch],
    pub(super) ledger: &'a Ledger,
    pub(super) credit: u64,
    pub(super) elapsed: Duration,
}

impl Report<'_> {
    pub(super) fn summary(&self) -> Summary {
        let answers = &self.answers.0;
        let count = |decision: &str| answers.iter().filter(|answer| answer.decision == decision).count();
        let settlement = |batch: &Batch| Settlement { claims: batch.settled, gas: batch.gas };
        Summary {
            claims: answers.iter().map(claim).collect(),
            totals: Totals {
                claims: answers.len(),
                approved: count("approve"),
                denied: count("deny"),
                refused: count("refused"),
                settled: answers.iter().filter(|answer| answer.settled).count(),
                payable_cents: answers.iter().map(|answer| answer.payable_cents).sum(),
                credited_cents: self.credit,
                seconds: self.elapsed.as_secs_f64(),
            },
            gas: Gas { settlements: self.batches.iter().map(settlement).collect(), total: self.ledger.gas() },
            cohort: Vec::new(),
            steps: Vec::new(),
        }
    }

    pub(super) fn table(&self) -> Vec<String> {
        let header = format!(
            "\n{:<9} {:<8} {:<8} {:>10} {:>6} {:>9} {:>10} {:>8}  note",
            "claim", "decision", "reasons", "payable", "proof", "prove ms", "verify ms", "gas"
        );
        let rows = self.answers.0.iter().map(|answer| {
            let number = |n: u64| if n == 0 { "-".to_owned() } else { n.to_string() };
            let verify =
                if answer.verify_ms > 0.0 { format!("{:.1}", answer.verify_ms) } else { "-".to_owned() };
            format!(
                "{:<9} {:<8} {:<8} {:>10} {:>6} {:>9} {:>10} {:>8}  {}",
                answer.id,
                answer.decision,
                answer.reasons.join(","),
                dollars(answer.payable_cents),
                number(answer.proof_bytes as u64),
                number(answer.prove_ms),
                verify,
                number(answer.gas),
                answer.note,
            )
        });
        let totals = self.summary().totals;
        let sum = format!(
            "\n{} approved ({} settled, {} credited to the provider), {} denied with proof, {} refused, {:.0} s in all",
            totals.approved,
            totals.settled,
            dollars(self.credit),
            totals.denied,
            totals.refused,
            totals.seconds
        );
        let secret = "\nThe insurer could not learn: diagnoses, procedures, dates of service, charges, the member of a claim, balances, or \
             which claims are of one member.\nThe chain could not learn: decisions' reasons, or anything else but payer, payee, cents, \
             size class, day of receipt and how many lines are paid.";
        [header].into_iter().chain(rows).chain([sum, secret.to_owned()]).collect()
    }
}

fn claim(answer: &Answer) -> ClaimSummary {
    ClaimSummary {
        id: answer.id.clone(),
        decision: answer.decision.to_owned(),
        reasons: answer.reasons.clone(),
        payable_cents: answer.payable_cents,
        proof_bytes: answer.proof_bytes,
        prove_ms: answer.prove_ms,
        verify_ms: answer.verify_ms,
        gas: answer.gas,
        settled: answer.settled,
        note: answer.note.clone(),
    }
}

fn dollars(cents: u64) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}
