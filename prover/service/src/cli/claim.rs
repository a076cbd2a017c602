//! `nightingale claim`: make, explain, prove and submit a request.

use super::{Outcome, Trouble, files, meter::meter, say, submit::Submit};
use clap::{Args, Subcommand};
use nightingale_circuits::claim::{Adjudication, Date, adjudicate, types::UNIX_EPOCH_DAY};
use nightingale_prover::{
    ClaimProver, KeyStore, ProveError,
    device::{Selection, select},
};
use nightingale_records::{ClaimFile, Registers, explain, request};
use std::{
    ops::ControlFlow,
    path::PathBuf,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

#[derive(Subcommand)]
pub(super) enum Claim {
    /// Make a self-contained request from a claim file and registers.
    Request(MakeRequest),
    /// Say what the rules say, without a proof.
    Explain(Explain),
    /// Prove a request here, without a server.
    Prove(Prove),
    /// Have a server prove a request.
    Submit(Submit),
}

#[derive(Args)]
pub(super) struct MakeRequest {
    /// The claim file, as `ingest --out` writes it.
    #[arg(long)]
    claim: PathBuf,
    /// The registers: a file, or a folder with one file for each.
    #[arg(long)]
    registers: PathBuf,
    /// Where to write the request. It holds the record: keep it as one.
    #[arg(long)]
    out: PathBuf,
    /// The day on which the payer received the claim, YYYY-MM-DD; when absent, the claim file's, else today.
    #[arg(long, value_parser = date)]
    received: Option<Date>,
}

#[derive(Args)]
pub(super) struct Explain {
    /// The request.
    request: PathBuf,
    /// Print the explanation as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(super) struct Prove {
    /// The request.
    request: PathBuf,
    /// The folder of keys; `nightingale keys init` makes one for development.
    #[arg(long)]
    keys: PathBuf,
    /// Where to write the proof.
    #[arg(long)]
    out: PathBuf,
    /// What proves: `auto`, `cpu`, `cuda:0`, `icicle:CUDA:0`; `checked:A,B` compares two.
    #[arg(long, default_value = "auto")]
    device: Selection,
}

fn date(text: &str) -> Result<Date, String> {
    let expected = || "expected YYYY-MM-DD, from 1901 to 2099".to_owned();
    let parts: Vec<&str> = text.split('-').collect();
    let [year, month, day] = parts[..] else { return Err(expected()) };
    if (year.len(), month.len(), day.len()) != (4, 2, 2) {
        return Err(expected());
    }
    let number = |text: &str| text.parse::<u32>().map_err(|_| expected());
    Date::from_calendar(number(year)?, number(month)?, number(day)?).map_err(|_| expected())
}

fn today() -> Result<Date, Trouble> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).map_err(Trouble::unusable)?;
    let days = u32::try_from(since.as_secs() / 86_400).map_err(Trouble::unusable)?;
    Date::from_days(UNIX_EPOCH_DAY + days).map_err(Trouble::unusable)
}

/// Cents as a person writes them.
pub(super) fn amount(cents: u64) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}

impl Claim {
    pub(super) fn run(self) -> Outcome {
        match self {
            Self::Request(command) => command.run(),
            Self::Explain(command) => command.run(),
            Self::Prove(command) => command.run(),
            Self::Submit(command) => command.run(),
        }
    }
}

impl MakeRequest {
    fn run(&self) -> Outcome {
        let within = |path: &PathBuf| {
            let place = path.display().to_string();
            move |error: nightingale_records::RecordsError| match Trouble::from(error) {
                Trouble::Refused(text) => Trouble::Refused(format!("{place}: {text}")),
                Trouble::Unusable(text) => Trouble::Unusable(format!("{place}: {text}")),
            }
        };
        let claim = ClaimFile::from_json(&files::read(&self.claim)?).map_err(within(&self.claim))?;
        let registers = Registers::open(&self.registers).and_then(|registers| registers.build());
        let registers = registers.map_err(within(&self.registers))?;
        let received = match self.received.or(claim.received) {
            Some(received) => received,
            None => today()?,
        };
        let request = registers.request(&claim, received, &mut rand::rng()).map_err(within(&self.claim))?;
        // What cannot be proven is said now, not when somebody waits for it.
        let class = request.check().map_err(|refusal| Trouble::Refused(refusal.to_string()))?;
        files::write(&self.out, request::to_json(&request).as_bytes())?;
        say(format_args!("{} request written to {}", class.name(), self.out.display()));
        Ok(())
    }
}

impl Explain {
    fn run(&self) -> Outcome {
        let request = files::request(&self.request)?;
        let outcome = adjudicate(&request).map_err(|refusal| Trouble::Refused(refusal.to_string()))?;
        if self.json {
            say(explain::to_json(&outcome));
        } else {
            print(&outcome);
        }
        Ok(())
    }
}

fn print(outcome: &Adjudication) {
    let decision = if outcome.approved { "approve" } else { "deny" };
    say(format_args!("{decision}, {} payable", amount(outcome.payable)));
    for (number, line) in (1..).zip(&outcome.lines) {
        let member = line.copay + line.deductible + line.coinsurance;
        say(format_args!(
            "line {number}: charge {}, allowed {}, member {}, pay {}",
            amount(line.charge),
            amount(line.allowed),
            amount(member),
            amount(line.pay)
        ));
        for reason in line.reasons.iter() {
            say(format_args!("  {}: {}", reason.carc(), reason.text()));
        }
    }
}

impl Prove {
    fn run(&self) -> Outcome {
        let request = files::request(&self.request)?;
        let class = request.check().map_err(|refusal| Trouble::Refused(refusal.to_string()))?;
        let key = KeyStore::open(&self.keys)?.claim_key(class)?;
        let device = select::open(&self.device, &select::Options::default());
        let prover = ClaimProver::new(key, &*device.map_err(ProveError::from)?)?;
        let bar = meter("proving");
        let start = Instant::now();
        let proof = prover.prove_watched(&request, &mut rand::rng(), &mut |phase| {
            bar.set_position(phase.percent().into());
            ControlFlow::Continue(())
        });
        bar.finish_and_clear();
        let proof = proof?;
        files::write(&self.out, proof.to_json().as_bytes())?;
        let outcome = adjudicate(&request).map_err(|refusal| Trouble::Refused(refusal.to_string()))?;
        let decision = if outcome.approved { "approve" } else { "deny" };
        say(format_args!(
            "{decision}, {} payable; {} proof in {:.1} s written to {}",
            amount(outcome.payable),
            class.name(),
            start.elapsed().as_secs_f64(),
            self.out.display()
        ));
        Ok(())
    }
}
