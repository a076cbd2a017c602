//! `nightingale-verify claim`.

use super::{Subject, exit_code, print};
use anyhow::Result;
use clap::Args;
use nightingale_circuits::claim::{Reason, Reasons};
use nightingale_verifier::{
    Verified,
    claim::{address_text, date_text},
    money,
};
use serde::Serialize;
use std::process::ExitCode;

#[derive(Args)]
pub(super) struct Claim {
    #[command(flatten)]
    subject: Subject,
    /// Say it as JSON: valid, error, decision, reasons, payable_cents, key_digest, key_kind.
    #[arg(long)]
    json: bool,
}

/// The verdict as JSON; what is not known is null. Reasons are null where the proof carries no opening.
#[derive(Default, Serialize)]
struct Verdict {
    valid: bool,
    error: Option<String>,
    decision: Option<&'static str>,
    reasons: Option<Vec<ReasonText>>,
    payable_cents: Option<u64>,
    key_digest: Option<String>,
    key_kind: Option<&'static str>,
}

#[derive(Serialize)]
struct ReasonText {
    code: &'static str,
    text: &'static str,
}

impl Claim {
    pub(super) fn run(&self) -> Result<ExitCode> {
        let read = self.subject.read();
        let key = read.as_ref().ok().map(|(_, key)| (key.digest(), key.kind()));
        let result = read.and_then(|(proof, key)| self.subject.verify(&proof, &key));
        let code = result.as_ref().err().map_or(ExitCode::SUCCESS, exit_code);
        if self.json {
            let mut verdict = match &result {
                Ok(verified) => Verdict::of(verified),
                Err(error) => Verdict { error: Some(error.to_string()), ..Verdict::default() },
            };
            verdict.key_digest = key.map(|(digest, _)| digest.to_string());
            verdict.key_kind = key.map(|(_, kind)| kind.name());
            print(&serde_json::to_string_pretty(&verdict)?)?;
            return Ok(code);
        }
        match result {
            Ok(verified) => print(&text(&verified))?,
            Err(error) if error.is_unreadable() => return Err(error.into()),
            Err(error) => print(&format!("invalid: {error}"))?,
        }
        Ok(code)
    }
}

impl Verdict {
    fn of(verified: &Verified) -> Self {
        let texts = |reasons: Reasons| {
            reasons.iter().map(|reason| ReasonText { code: reason.carc(), text: reason.text() }).collect()
        };
        Self {
            valid: true,
            error: None,
            decision: Some(verified.decision.name()),
            reasons: verified.reasons.map(texts),
            payable_cents: Some(verified.payable_cents),
            ..Self::default()
        }
    }
}

fn text(verified: &Verified) -> String {
    let mut lines = vec![
        format!("valid: {} {}", verified.decision.name(), money::decimal(verified.payable_cents)),
        format!("payable: {} cents to {}", verified.payable_cents, address_text(&verified.payee)),
        format!("received: {}", date_text(verified.received)),
    ];
    match verified.reasons {
        None => lines.push("reasons: not opened in this proof".to_owned()),
        Some(reasons) if reasons.is_empty() => lines.push("reasons: none".to_owned()),
        Some(reasons) => lines.extend(reasons.iter().map(reason_line)),
    }
    let warning = verified.kind.warning().map(|warning| format!(": {warning}")).unwrap_or_default();
    lines.push(format!("key: {} ({}{warning})", verified.key, verified.kind));
    lines.join("\n")
}

fn reason_line(reason: Reason) -> String {
    format!("reason {}: {}", reason.carc(), reason.text())
}
