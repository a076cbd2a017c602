//! What stands beside each figure: the question, the proof file, where it was logged, and the command that verifies it.

use super::escape;
use crate::demo::{
    publication::LoggedSummary,
    questions::{Answer, check, grouped},
    trial::{Registered, SUBJECTS},
};
use std::time::Duration;

/// How to read the page.
pub(super) fn opening(trial: &Registered) -> String {
    let threshold = trial.dataset.tables().iter().map(|table| table.schema().threshold()).max().unwrap_or(1);
    format!(
        "<p>A trial of {} invented subjects in three arms. Every figure here follows from integers that a zero-knowledge proof vouches \
         for: each row of the registered table was counted, and to a researcher no cell of 1 to {} subjects is shown (it says \
         <span class=\"hidden\">hidden</span>). Under each figure stand the proof files that show it; the line opens to the command \
         that verifies them and derives the figure again. Run it in the folder of this page.</p>\
         <p class=\"proof\">Dataset <code>0x{}</code>, registered and signed by its sponsor <code>0x{}</code>. The proofs are made under \
         development keys, whose seed is public: they show the way and convince nobody.</p>",
        grouped(u64::try_from(SUBJECTS).unwrap_or_default()),
        threshold.saturating_sub(1),
        hex::encode(trial.dataset.digest()),
        hex::encode(trial.sponsor.0)
    )
}

/// A question and what became of it.
pub(super) fn proof(answer: &Answer) -> String {
    let summary = &answer.summary;
    let query = escape(&summary.query);
    let (Some(file), Some(check)) = (&summary.proof, &summary.check) else {
        return format!(
            "<p class=\"proof refused\"><code>{query}</code><br>asked by the {}; <b>refused</b>, from its text alone: {}</p>",
            escape(&summary.role),
            escape(&summary.note)
        );
    };
    let note = if summary.note.is_empty() { String::new() } else { format!(" {}.", escape(&summary.note)) };
    format!(
        "<p class=\"proof\"><code>{query}</code><br>asked by the {}; <b>{}</b>: <code>{}</code>, {} bytes of proof, {} of {} cells hidden, \
         proven in {:.1} s, verified in {:.1} ms.{note}{}<code class=\"check\">{}</code></p>",
        escape(&summary.role),
        escape(&summary.verdict),
        escape(file),
        grouped(u64::try_from(summary.proof_bytes).unwrap_or_default()),
        summary.suppressed,
        summary.groups,
        Duration::from_millis(summary.prove_ms).as_secs_f64(),
        summary.verify_ms,
        summary.logged.as_ref().map(logged).unwrap_or_default(),
        escape(check)
    )
}

fn logged(logged: &LoggedSummary) -> String {
    let transaction = logged.transaction.as_ref().map_or_else(
        || format!("entry {} of <code>chain/receipts.json</code>", logged.receipt),
        |hash| format!("transaction <code>{}</code>", escape(hash)),
    );
    format!(
        "<span class=\"logged\"><b>Verified and logged on-chain</b> for {} gas: chain {}, log <code>{}</code>, {transaction}. Its event \
         <code>AnswerLogged</code> of query <code>{}</code> holds the same {} cells.</span>",
        grouped(logged.gas),
        logged.chain_id,
        escape(&logged.contract),
        escape(&logged.query),
        logged.cells
    )
}

/// The files that a figure follows from, with the command that verifies them.
pub(super) fn shown_by(trial: &Registered, answers: &[&Answer]) -> String {
    let files: Vec<&str> = answers.iter().filter_map(|answer| answer.summary.proof.as_deref()).collect();
    let names: Vec<String> = files.iter().map(|file| format!("<code>{}</code>", escape(file))).collect();
    format!(
        "<details class=\"from\"><summary>shown by {}</summary><code>{}</code></details>",
        names.join(", "),
        escape(&check(trial, &files, None))
    )
}
