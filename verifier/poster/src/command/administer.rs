//! What payers and consent authorities tell the registry. Each is one command, posted through the outbox.

use super::{Connection, show};
use alloy_primitives::{Address, B256};
use anyhow::Result;
use clap::Args;
use nightingale_contracts::{
    PayerId,
    deploy::{Deployment, Request},
};
use nightingale_poster::{Poster, PosterError, administration, payer, report::PostedReport};
use nightingale_verifier::expectation::parse_date;
use std::{path::PathBuf, process::ExitCode};

#[derive(Args)]
pub(super) struct Subject {
    #[command(flatten)]
    connection: Connection,
    /// The deployment file.
    #[arg(long, value_name = "FILE")]
    deployment: PathBuf,
    /// Say it as JSON.
    #[arg(long)]
    json: bool,
}

impl Subject {
    pub(super) async fn open(&self) -> Result<(Poster, Deployment), PosterError> {
        self.connection.open_with(&self.deployment).await
    }

    /// Posts requests in order and reports them.
    pub(super) async fn post(&self, poster: &Poster, requests: &[Request]) -> Result<ExitCode> {
        let posted = poster.send_all(requests).await?;
        let reports: Vec<PostedReport> = posted.iter().map(PostedReport::from).collect();
        show(self.json, &reports, || reports.iter().map(PostedReport::line).collect())?;
        Ok(ExitCode::SUCCESS)
    }
}

#[derive(Args)]
pub(super) struct AcceptAdministration {
    #[command(flatten)]
    subject: Subject,
}

impl AcceptAdministration {
    pub(super) async fn run(self) -> Result<ExitCode> {
        let (poster, deployment) = self.subject.open().await?;
        self.subject.post(&poster, &[administration::accept_administration(&deployment)]).await
    }
}

#[derive(Args)]
pub(super) struct AddPayer {
    #[command(flatten)]
    subject: Subject,
    /// The payer: 0x and hex digits, a number, or name:NAME as in its registers.
    #[arg(long, value_parser = payer::parse)]
    payer: PayerId,
    /// The account that publishes for it. Without it: who signs.
    #[arg(long, value_name = "ADDRESS")]
    owner: Option<Address>,
}

impl AddPayer {
    pub(super) async fn run(self) -> Result<ExitCode> {
        let (poster, deployment) = self.subject.open().await?;
        let owner = self.owner.unwrap_or_else(|| poster.address());
        self.subject.post(&poster, &[administration::add_payer(&deployment, self.payer, owner)]).await
    }
}

#[derive(Args)]
pub(super) struct PublishEpoch {
    #[command(flatten)]
    subject: Subject,
    /// The payer: 0x and hex digits, a number, or name:NAME as in its registers.
    #[arg(long, value_parser = payer::parse)]
    payer: PayerId,
    /// The epoch root.
    #[arg(long, value_name = "ROOT")]
    root: B256,
}

impl PublishEpoch {
    pub(super) async fn run(self) -> Result<ExitCode> {
        let (poster, deployment) = self.subject.open().await?;
        self.subject.post(&poster, &[administration::publish_epoch(&deployment, self.payer, self.root)]).await
    }
}

#[derive(Args)]
pub(super) struct PublishAccounts {
    #[command(flatten)]
    subject: Subject,
    /// The payer: 0x and hex digits, a number, or name:NAME as in its registers.
    #[arg(long, value_parser = payer::parse)]
    payer: PayerId,
    /// The account root.
    #[arg(long, value_name = "ROOT")]
    root: B256,
}

impl PublishAccounts {
    pub(super) async fn run(self) -> Result<ExitCode> {
        let (poster, deployment) = self.subject.open().await?;
        self.subject
            .post(&poster, &[administration::publish_accounts(&deployment, self.payer, self.root)])
            .await
    }
}

#[derive(Args)]
pub(super) struct AcceptAuthority {
    #[command(flatten)]
    subject: Subject,
    /// The authority. Without it: who signs.
    #[arg(long, value_name = "ADDRESS")]
    authority: Option<Address>,
    /// Drop it instead: what it published counts no longer, at once.
    #[arg(long)]
    drop: bool,
}

impl AcceptAuthority {
    pub(super) async fn run(self) -> Result<ExitCode> {
        let (poster, deployment) = self.subject.open().await?;
        let authority = self.authority.unwrap_or_else(|| poster.address());
        self.subject.post(&poster, &[administration::set_authority(&deployment, authority, !self.drop)]).await
    }
}

#[derive(Args)]
pub(super) struct PublishConsents {
    #[command(flatten)]
    subject: Subject,
    /// The consent root.
    #[arg(long, value_name = "ROOT")]
    root: B256,
}

impl PublishConsents {
    pub(super) async fn run(self) -> Result<ExitCode> {
        let (poster, deployment) = self.subject.open().await?;
        self.subject.post(&poster, &[administration::publish_consents(&deployment, self.root)]).await
    }
}

#[derive(Args)]
pub(super) struct Receive {
    #[command(flatten)]
    subject: Subject,
    /// The payer: 0x and hex digits, a number, or name:NAME as in its registers.
    #[arg(long, value_parser = payer::parse)]
    payer: PayerId,
    /// The claim commitment.
    #[arg(long, value_name = "COMMITMENT")]
    claim: B256,
    /// The day, as YYYY-MM-DD, on which the payer, who then signs, received it. Without it: the chain's today.
    #[arg(long, value_name = "DATE")]
    day: Option<String>,
}

impl Receive {
    pub(super) async fn run(self) -> Result<ExitCode> {
        let day = self.day.as_deref().map(parse_date).transpose();
        let day =
            day.map_err(|error| PosterError::Malformed { what: "--day".into(), problem: error.to_string() })?;
        let (poster, deployment) = self.subject.open().await?;
        let request = match day {
            Some(day) => administration::record_receipt(&deployment, self.payer, self.claim, day.days()),
            None => administration::receive_claim(&deployment, self.payer, self.claim),
        };
        self.subject.post(&poster, &[request]).await
    }
}
