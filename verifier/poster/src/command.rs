//! The commands and their arguments. Output is lines for a person, or JSON; errors are one line on stderr.

mod administer;
mod audit;
mod cohort;
mod connection;
mod deploy;
mod endorse;
mod escrow;
mod key;
mod settle;
mod trace;

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand};
use connection::Connection;
use nightingale_poster::{Outbox, PosterError, report};
use serde::Serialize;
use std::{
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
};

/// Posts Nightingale's settlements and answers to an EVM chain, each once, whatever happens to the process.
///
/// Everything is signed, written into the outbox, and then sent. After a crash, run the same command again, or `resume`:
/// the same bytes are sent, nothing twice. A command that is done is found again by what it asks for, and sends nothing,
/// unless it is given --again. A settlement is done when the chain's state, at the wanted depth, says that the
/// claims' nullifiers are used.
///
/// The signing key is read from --key-file, or from the environment variable NIGHTINGALE_POSTER_KEY; it is never an
/// argument. Exit codes: 0 done, 1 refused or failed, 2 unreadable or wrong use.
#[derive(Parser)]
#[command(name = "nightingale-poster", version)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Deploys registry, settlement, log of cohort answers and a verifier for each key, and registers the keys.
    Deploy(deploy::Deploy),
    /// Settles proven claims, many in one transaction; each is settled or refused for itself.
    Settle(settle::Settle),
    /// Registers the tables of a dataset of which answers can be logged, with their plan.
    RegisterDataset(cohort::RegisterDataset),
    /// Publishes the newest consents of registered tables, as their sponsor.
    PublishDatasetConsents(cohort::PublishDatasetConsents),
    ConfirmDatasetConsents(cohort::ConfirmDatasetConsents),
    /// Logs proven answers about registered tables.
    Log(cohort::Log),
    /// Signs a proven claim as its payee. Needs no node.
    Endorse(endorse::Endorse),
    /// Shows what is in the outbox. Needs no node and no key.
    Status {
        /// The outbox.
        #[arg(long, value_name = "FILE")]
        outbox: Option<PathBuf>,
        /// Say it as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Sees through what this account's outbox still has open.
    Resume {
        #[command(flatten)]
        connection: Connection,
        /// Sign a transfer of nothing for each unused nonce below what is open, of which there may be as many. Check the account's next nonce with a
        /// second node before: what waits for those nonces is mined then.
        #[arg(long, value_name = "NONCES")]
        fill_gap: Option<u64>,
        /// The chain that is meant, for `--fill-gap` on one that is not local.
        #[arg(long, value_name = "ID")]
        chain_id: Option<u64>,
        /// Say it as JSON.
        #[arg(long)]
        json: bool,
    },
    RegisterKey(key::RegisterKey),
    /// Adds a payer.
    AddPayer(administer::AddPayer),
    /// Publishes a payer's newest epoch root.
    PublishEpoch(administer::PublishEpoch),
    /// Publishes a payer's newest account root.
    PublishAccounts(administer::PublishAccounts),
    /// Accepts a consent authority.
    AcceptAuthority(administer::AcceptAuthority),
    /// Publishes the newest root of the consent authority that signs.
    PublishConsents(administer::PublishConsents),
    /// Records that a claim was received: today, by the chain; or on an earlier day, by the payer.
    Receive(administer::Receive),
    /// Adds to a payer's escrow.
    Deposit(escrow::Deposit),
    /// Pays out the credit of the account that signs.
    Withdraw(escrow::Withdraw),
    /// Shows a payer's escrow or a payee's credit. Sends nothing.
    Balance(escrow::Balance),
    AuditDeploy(audit::AuditDeploy),
    AuditAnchor(audit::AuditAnchor),
    AuditAnchors(audit::AuditAnchors),
    /// Takes over administration of the registry, as the account that the deployment offered it to.
    AcceptAdministration(administer::AcceptAdministration),
}

impl Command {
    /// Its name in a trace.
    const fn name(&self) -> &'static str {
        match self {
            Self::Deploy(_) => "deploy",
            Self::Settle(_) => "settle",
            Self::Log(_) => "log answers",
            Self::Resume { .. } => "resume",
            _ => "post",
        }
    }
}

/// Runs a command and turns its result into an exit code.
pub(crate) async fn run(arguments: Arguments) -> ExitCode {
    let span = match trace::begin(arguments.command.name()) {
        Ok(span) => span,
        Err(problem) => {
            let _ = writeln!(io::stderr(), "nightingale-poster: {problem}");
            return ExitCode::from(2);
        }
    };
    let result = match arguments.command {
        Command::Deploy(deploy) => deploy.run().await,
        Command::Settle(settle) => settle.run().await,
        Command::RegisterDataset(call) => call.run().await,
        Command::PublishDatasetConsents(call) => call.run().await,
        Command::ConfirmDatasetConsents(call) => call.run().await,
        Command::Log(log) => log.run().await,
        Command::Endorse(endorse) => endorse.run(),
        Command::Status { outbox, json } => status(outbox, json).await,
        Command::Resume { connection, fill_gap, chain_id, json } => {
            resume(connection, fill_gap, chain_id, json).await
        }
        Command::RegisterKey(call) => call.run().await,
        Command::AddPayer(call) => call.run().await,
        Command::PublishEpoch(call) => call.run().await,
        Command::PublishAccounts(call) => call.run().await,
        Command::AcceptAuthority(call) => call.run().await,
        Command::PublishConsents(call) => call.run().await,
        Command::Receive(call) => call.run().await,
        Command::Deposit(call) => call.run().await,
        Command::Withdraw(call) => call.run().await,
        Command::Balance(balance) => balance.run().await,
        Command::AuditDeploy(call) => call.run().await,
        Command::AuditAnchor(call) => call.run().await,
        Command::AuditAnchors(call) => call.run().await,
        Command::AcceptAdministration(call) => call.run().await,
    };
    connection::close().await;
    trace::end(span, result.is_err()).await;
    result.unwrap_or_else(|error| {
        // The exit code says it too where stderr is closed.
        let _ = writeln!(io::stderr(), "nightingale-poster: {error:#}");
        let wrong_use = error.downcast_ref::<PosterError>().is_none_or(PosterError::is_wrong_use);
        ExitCode::from(if wrong_use { 2 } else { 1 })
    })
}

async fn status(outbox: Option<PathBuf>, json: bool) -> Result<ExitCode> {
    let outbox = outbox.unwrap_or_else(connection::usual_outbox);
    let all = Outbox::list(&outbox).await?;
    let all: Vec<_> = all.iter().map(|(chain, row)| report::OutboxReport::new(Some(*chain), row)).collect();
    show(json, &all, || all.iter().map(report::OutboxReport::line).collect())?;
    Ok(ExitCode::SUCCESS)
}

async fn resume(
    connection: Connection,
    fill_gap: Option<u64>,
    chain_id: Option<u64>,
    json: bool,
) -> Result<ExitCode> {
    let poster = match (fill_gap, chain_id) {
        (None, None) => connection.open().await?,
        _ => connection.open_on(chain_id).await?,
    };
    let ended = match fill_gap {
        Some(most) => poster.fill_gap(most).await?,
        None => poster.resume().await?,
    };
    let all: Vec<_> = ended.iter().map(|row| report::OutboxReport::new(None, row)).collect();
    show(json, &all, || match all.len() {
        0 => vec!["nothing is open".to_owned()],
        _ => all.iter().map(report::OutboxReport::line).collect(),
    })?;
    Ok(ExitCode::from(u8::from(ended.iter().any(report::failed))))
}

/// Writes JSON or lines to stdout. A reader that went away is no error.
fn show(json: bool, value: &impl Serialize, lines: impl FnOnce() -> Vec<String>) -> Result<()> {
    let text = if json { serde_json::to_string_pretty(value)? } else { lines().join("\n") };
    let mut out = io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error).context("standard output"),
        _ => Ok(()),
    }
}
