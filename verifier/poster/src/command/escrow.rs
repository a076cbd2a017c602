//! Money in, money out, and how much there is.

use super::{administer::Subject, show};
use alloy_primitives::{Address, U256};
use anyhow::Result;
use clap::Args;
use nightingale_contracts::{
    PayerId,
    bindings::ClaimSettlement::{creditOfCall, escrowOfCall},
};
use nightingale_poster::{Node, PosterError, administration, deployment, payer};
use serde_json::json;
use std::{path::PathBuf, process::ExitCode};

#[derive(Args)]
pub(super) struct Deposit {
    #[command(flatten)]
    subject: Subject,
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
        let mint = self.mint.then(|| administration::mint(&deployment, poster.address(), self.cents));
        let deposit = administration::deposit(&deployment, self.payer, self.cents);
        let requests: Vec<_> = mint.into_iter().chain(deposit).collect();
        self.subject.post(&poster, &requests).await
    }
}

#[derive(Args)]
pub(super) struct Withdraw {
    #[command(flatten)]
    subject: Subject,
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
                poster.node().ask(deployment.settlement, &creditOfCall { payee: poster.address() }).await?
            }
        };
        let to = self.to.unwrap_or_else(|| poster.address());
        self.subject.post(&poster, &[administration::withdraw(&deployment, to, amount)]).await
    }
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
        let units: U256 = match (self.whose.payer, self.whose.payee) {
            (Some(payer), _) => node.ask(contract, &escrowOfCall { payer }).await?,
            (None, payee) => node.ask(contract, &creditOfCall { payee: payee.unwrap_or_default() }).await?,
        };
        let cents = units.checked_div(deployment.units_per_cent).unwrap_or_default();
        let report = json!({ "units": units.to_string(), "cents": cents.saturating_to::<u64>() });
        show(self.json, &report, || vec![format!("{cents} cents ({units} base units)")])?;
        Ok(ExitCode::SUCCESS)
    }
}
