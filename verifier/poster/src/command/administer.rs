//! What payers and consent authorities tell the registry. Each is one command, posted through the outbox.

use super::{Connection, show};
use alloy_primitives::{Address, B256};
use anyhow::Result;
use clap::Args;
use nightingale_contracts::{
    PayerId,
    deploy::{Deployment, Request},
};
use nightingale_poster::{Again, Poster, PosterError, administration, payer, report::PostedReport};
use nightingale_verifier::{ConsentEpochs, expectation::parse_date};
use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

#[derive(Args)]
pub(super) struct Subject {
    #[command(flatten)]
    connection: Connection,
    /// The deployment file.
    #[arg(long, value_name = "FILE")]
    deployment: PathBuf,
    /// Say it as JSON.
    #[arg(long)]
    pub(super) json: bool,
}

impl Subject {
    pub(super) async fn open(&self) -> Result<(Poster, Deployment), PosterError> {
        self.connection.open_with(&self.deployment).await
    }

    /// Posts requests in order, as one command, and reports them.
    pub(super) async fn post(&self, poster: &Poster, requests: &[Request], again: Again) -> Result<ExitCode> {
        let posted = poster.once(requests, again).await?;
        self.report(&posted.iter().map(PostedReport::from).collect::<Vec<_>>())
    }

    /// Says what was posted, and how to have it once more where all of it was done before.
    pub(super) fn report(&self, reports: &[PostedReport]) -> Result<ExitCode> {
        show(self.json, &reports, || {
            let mut lines: Vec<String> = reports.iter().map(PostedReport::line).collect();
            if !reports.is_empty() && reports.iter().all(PostedReport::is_already_done) {
                lines.push("nothing was sent; --again does it once more".to_owned());
            }
            lines
        })?;
        Ok(ExitCode::SUCCESS)
    }
}

#[derive(Args)]
pub(super) struct Repeat {
    /// Do it once more, though this outbox has done the same before. Without it, a command that is done is reported as
    /// already done, with its transactions, and nothing is sent; one that was cut off goes on, with it or without. With HASH, only what came to
    /// nothing by that transaction is tried anew: the command names it, and what to check with another node before.
    #[arg(long, value_name = "HASH", num_args = 0..=1)]
    again: Option<Option<B256>>,
}

impl Repeat {
    pub(super) fn again(&self) -> Again {
        match self.again {
            None => Again::No,
            Some(None) => Again::More,
            Some(Some(hash)) => Again::After(hash),
        }
    }
}

#[derive(Args)]
pub(super) struct AcceptAdministration {
    #[command(flatten)]
    subject: Subject,
    #[command(flatten)]
    repeat: Repeat,
}

impl AcceptAdministration {
    pub(super) async fn run(self) -> Result<ExitCode> {
        let (poster, deployment) = self.subject.open().await?;
        self.subject
            .post(&poster, &[administration::accept_administration(&deployment)], self.repeat.again())
            .await
    }
}

#[derive(Args)]
pub(super) struct AddPayer {
    #[command(flatten)]
    subject: Subject,
    #[command(flatten)]
    repeat: Repeat,
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
        self.subject
            .post(&poster, &[administration::add_payer(&deployment, self.payer, owner)], self.repeat.again())
            .await
    }
}

#[derive(Args)]
pub(super) struct PublishEpoch {
    #[command(flatten)]
    subject: Subject,
    #[command(flatten)]
    repeat: Repeat,
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
        self.subject
            .post(
                &poster,
                &[administration::publish_epoch(&deployment, self.payer, self.root)],
                self.repeat.again(),
            )
            .await
    }
}

#[derive(Args)]
pub(super) struct PublishAccounts {
    #[command(flatten)]
    subject: Subject,
    #[command(flatten)]
    repeat: Repeat,
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
            .post(
                &poster,
                &[administration::publish_accounts(&deployment, self.payer, self.root)],
                self.repeat.again(),
            )
            .await
    }
}

#[derive(Args)]
pub(super) struct AcceptAuthority {
    #[command(flatten)]
    subject: Subject,
    #[command(flatten)]
    repeat: Repeat,
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
        self.subject
            .post(
                &poster,
                &[administration::set_authority(&deployment, authority, !self.drop)],
                self.repeat.again(),
            )
            .await
    }
}

#[derive(Args)]
#[group(id = "what", required = true, multiple = false, args = ["root", "consents"])]
pub(super) struct PublishConsents {
    #[command(flatten)]
    subject: Subject,
    #[command(flatten)]
    repeat: Repeat,
    /// The consent root.
    #[arg(long, value_name = "ROOT")]
    root: Option<B256>,
    /// The authority's epochs, as `nightingale consent publish --out` writes them: their newest root, unless the chain has it as its newest
    /// already. A list that is older than the chain, or than the registry's age of consents, is refused.
    #[arg(long, value_name = "FILE", conflicts_with = "again")]
    consents: Option<PathBuf>,
    /// Publish the newest root of --consents once more where the chain has it: the authority says that it still holds, and its age starts
    /// anew.
    #[arg(long, requires = "consents")]
    renew: bool,
}

impl PublishConsents {
    pub(super) async fn run(self) -> Result<ExitCode> {
        let epochs = self.consents.as_deref().map(epochs).transpose()?;
        let (poster, deployment) = self.subject.open().await?;
        let Some(epochs) = epochs else {
            let root = self.root.unwrap_or_default();
            let again = self.repeat.again();
            if matches!(again, Again::After(_)) {
                let problem = "a publication that came to nothing is signed again by the same command; leave HASH out, or give --again alone to publish once more what is done";
                let what = "--again".to_owned();
                return Err(PosterError::Malformed { what, problem: problem.to_owned() }.into());
            }
            let posted = poster.publish_consent_root(&deployment, root, again != Again::No).await?;
            return self.subject.report(&[PostedReport::from(&posted)]);
        };
        let posted = poster.publish_consents(&deployment, &epochs, self.renew).await?;
        let reports: Vec<PostedReport> = posted.iter().map(PostedReport::from).collect();
        if reports.is_empty() && !self.subject.json {
            show(false, &reports, || {
                vec!["the chain has this root as its newest; --renew publishes it again".to_owned()]
            })?;
            return Ok(ExitCode::SUCCESS);
        }
        self.subject.report(&reports)
    }
}

fn epochs(path: &Path) -> Result<ConsentEpochs, PosterError> {
    let bytes = fs::read(path).map_err(|source| PosterError::Io { path: path.to_owned(), source })?;
    ConsentEpochs::from_json(&bytes)
        .map_err(|source| PosterError::Unreadable { path: path.to_owned(), source })
}

/// Records that a claim was received: today, by the chain; or on an earlier day, by the payer.
///
/// Each of the two says so once. Where it has done so for the same day, whoever had it said, there is nothing left to send,
/// and that is success; another day is an error.
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
        let received = poster.receive(&deployment, self.payer, self.claim, day).await?;
        self.subject.report(&[PostedReport::from(&received)])
    }
}
