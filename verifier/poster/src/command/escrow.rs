//! Money in, money out, and how much there is.

use super::{
    administer::{Repeat, Subject},
    show,
};
use alloy_primitives::{Address, U256};
use alloy_sol_types::SolCall;
use anyhow::Result;
use clap::Args;
use nightingale_contracts::{
    PayerId,
    bindings::{
        ClaimSettlement::{creditOfCall, escrowOfCall, noticeOfCall, noticeOfReturn, withdrawCall},
        Registry::keysPendingUntilCall,
    },
    deploy::Deployment,
};
use nightingale_poster::{
    Again, How, Node, Posted, PosterError, administration, deployment,
    outbox::{State, Transaction},
    payer,
    report::PostedReport,
};
use nightingale_verifier::consent::time_text;
use serde_json::{Value, json};
use std::{path::PathBuf, process::ExitCode};

/// Adds to a payer's escrow, once: the same deposit again is reported as already done, unless --again asks for another.
///
/// What the contract may take of the account's tokens already is used; otherwise it is allowed to take the amount first.
#[derive(Args)]
pub(super) struct Deposit {
    #[command(flatten)]
    subject: Subject,
    #[command(flatten)]
    repeat: Repeat,
    /// The payer: 0x and hex digits, a number, or name:NAME as in its registers.
    #[arg(long, value_parser = payer::parse)]
    payer: PayerId,
    /// How much, from the tokens of the account that signs.
    #[arg(long)]
    cents: u64,
    /// Make that much of the test token first.
    #[arg(long)]
    mint: bool,
}

impl Deposit {
    pub(super) async fn run(self) -> Result<ExitCode> {
        let (poster, deployment) = self.subject.open().await?;
        let again = self.repeat.again();
        let posted = poster.deposit(&deployment, self.payer, self.cents, self.mint, again).await?;
        self.subject.report(&posted.iter().map(PostedReport::from).collect::<Vec<_>>())
    }
}

#[derive(Args)]
pub(super) struct Withdraw {
    #[command(flatten)]
    subject: Subject,
    #[command(flatten)]
    repeat: Repeat,
    /// How much. Without it: all.
    #[arg(long)]
    cents: Option<u64>,
    /// To whom. Without it: to the account that signs.
    #[arg(long, value_name = "ADDRESS")]
    to: Option<Address>,
}

impl Withdraw {
    pub(super) async fn run(self) -> Result<ExitCode> {
        let (poster, deployment) = self.subject.open().await?;
        let amount = match self.cents {
            Some(cents) => administration::units(&deployment, cents),
            None => {
                let resumed = withdrawals(&poster.resume().await?);
                let call = creditOfCall { payee: poster.address() };
                let credit: U256 = poster.node().ask(deployment.settlement, &call).await?;
                if credit.is_zero() && !resumed.is_empty() {
                    return self.subject.report(&resumed);
                }
                credit
            }
        };
        let to = self.to.unwrap_or_else(|| poster.address());
        // What is there to withdraw all of was not withdrawn before.
        let again = match self.repeat.again() {
            Again::No if self.cents.is_none() => Again::More,
            again => again,
        };
        self.subject.post(&poster, &[administration::withdraw(&deployment, to, amount)], again).await
    }
}

/// The withdrawals that were open from before and are done now.
fn withdrawals(ended: &[Transaction]) -> Vec<PostedReport> {
    let posted = |row: &Transaction| {
        let mined = row.mined.filter(|_| row.state == State::Done)?;
        let is_withdrawal = row.data.starts_with(&withdrawCall::SELECTOR);
        is_withdrawal.then(|| {
            PostedReport::from(&Posted {
                purpose: row.purpose.clone(),
                mined,
                created: None,
                how: How::Resumed,
            })
        })
    };
    ended.iter().filter_map(posted).collect()
}

#[derive(Args)]
#[group(required = true, multiple = false)]
struct Whose {
    /// The payer whose escrow to show.
    #[arg(long, value_parser = payer::parse)]
    payer: Option<PayerId>,
    /// The payee whose credit to show.
    #[arg(long, value_name = "ADDRESS")]
    payee: Option<Address>,
}

#[derive(Args)]
pub(super) struct Balance {
    #[command(flatten)]
    whose: Whose,
    /// The node, as http://HOST:PORT.
    #[arg(long, value_name = "URL")]
    rpc: String,
    /// The deployment file.
    #[arg(long, value_name = "FILE")]
    deployment: PathBuf,
    /// Say it as JSON.
    #[arg(long)]
    json: bool,
}

impl Balance {
    pub(super) async fn run(self) -> Result<ExitCode> {
        let deployment = deployment::read(&self.deployment)?;
        let node = Node::new(&self.rpc)?;
        let chain = node.chain_id().await?;
        if chain != deployment.chain_id {
            return Err(PosterError::WrongChain { deployment: deployment.chain_id, node: chain }.into());
        }
        let contract = deployment.settlement;
        let Some(payer) = self.whose.payer else {
            let call = creditOfCall { payee: self.whose.payee.unwrap_or_default() };
            let credit: U256 = node.ask(contract, &call).await?;
            show(self.json, &amount(&deployment, credit), || vec![told(&deployment, credit)])?;
            return Ok(ExitCode::SUCCESS);
        };
        let escrow: U256 = node.ask(contract, &escrowOfCall { payer }).await?;
        let notice = node.ask(contract, &noticeOfCall { payer }).await?;
        let pending: u64 = node.ask(deployment.registry, &keysPendingUntilCall {}).await?.saturating_to();
        let mut report = amount(&deployment, escrow);
        report["release"] = release(&deployment, &notice);
        report["keys_pending_until"] = if pending == 0 { Value::Null } else { time_text(pending).into() };
        show(self.json, &report, || {
            let mut lines = vec![told(&deployment, escrow)];
            if notice.amount != 0 {
                let (from, until) = (time_text(notice.from.to()), time_text(notice.until.to()));
                let firm = if notice.firm { ", whatever is paused" } else { "" };
                let announced = told(&deployment, U256::from(notice.amount));
                lines.push(format!("release announced: {announced}, from {from} to {until}{firm}"));
            }
            if pending != 0 {
                let until = time_text(pending);
                lines.push(format!("the last key that was registered is pending until {until}"));
            }
            lines
        })?;
        Ok(ExitCode::SUCCESS)
    }
}

fn cents(deployment: &Deployment, units: U256) -> U256 {
    units.checked_div(deployment.units_per_cent).unwrap_or_default()
}

fn amount(deployment: &Deployment, units: U256) -> Value {
    json!({ "units": units.to_string(), "cents": cents(deployment, units).saturating_to::<u64>() })
}

fn told(deployment: &Deployment, units: U256) -> String {
    format!("{} cents ({units} base units)", cents(deployment, units))
}

/// The notice of a release; null where there is none.
fn release(deployment: &Deployment, notice: &noticeOfReturn) -> Value {
    if notice.amount == 0 {
        return Value::Null;
    }
    let mut report = amount(deployment, U256::from(notice.amount));
    report["from"] = time_text(notice.from.to()).into();
    report["until"] = time_text(notice.until.to()).into();
    report["firm"] = notice.firm.into();
    report
}
