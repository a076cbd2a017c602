//! What every command that talks to a chain is told: node, key, outbox and terms.

use super::trace;
use clap::Args;
use nightingale_contracts::deploy::Deployment;
use nightingale_poster::{Account, Node, Outbox, Poster, PosterError, deployment};
use std::{
    env,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::OnceLock,
    time::Duration,
};

const GWEI: u128 = 1_000_000_000;

/// The outbox of this process, which is one command.
static OPENED: OnceLock<Outbox> = OnceLock::new();

#[derive(Args)]
pub(super) struct Connection {
    /// The node, as http://HOST:PORT.
    #[arg(long, value_name = "URL")]
    rpc: String,
    /// A file with the signing key, readable by nobody else. Without it: NIGHTINGALE_POSTER_KEY.
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// The outbox. After a crash, the same outbox is what makes nothing happen twice. Without it:
    /// nightingale/poster.sqlite under XDG_STATE_HOME or ~/.local/state.
    #[arg(long, value_name = "FILE")]
    outbox: Option<PathBuf>,
    /// How many blocks, its own included, make a transaction done: 1 to 64. Without it: 12, or 1 on local chains.
    #[arg(long, value_name = "BLOCKS")]
    confirmations: Option<u64>,
    /// How long to wait for that, before giving up for now. Without it: 1800, or 120 on local chains.
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<u64>,
    /// How long an offer for gas stands before it is raised by an eighth.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    raise_after: u64,
    /// The most that is ever offered for a unit of gas, in gwei.
    #[arg(long, value_name = "GWEI", default_value_t = 500)]
    fee_limit: u32,
    /// The most of it that is ever offered to whoever builds the block, in gwei.
    #[arg(long, value_name = "GWEI", default_value_t = 50)]
    tip_limit: u32,
}

impl Connection {
    pub(super) async fn open(&self) -> Result<Poster, PosterError> {
        let account = Account::find(self.key_file.as_deref())?;
        let outbox = self.outbox.clone().unwrap_or_else(usual_outbox);
        Poster::open(Node::new(&self.rpc)?, &outbox, account, |mut terms| {
            terms.confirmations = self.confirmations.unwrap_or(terms.confirmations);
            terms.timeout = self.timeout.map_or(terms.timeout, Duration::from_secs);
            terms.raise_after = Duration::from_secs(self.raise_after);
            terms.fee_limit = u128::from(self.fee_limit) * GWEI;
            terms.tip_limit = u128::from(self.tip_limit) * GWEI;
            terms
        })
        .await
        .map(|poster| {
            // Opened once.
            let _ = OPENED.set(poster.outbox().clone());
            trace::follow(poster).telling(|notice| {
                // Nobody has to read it.
                let _ = writeln!(io::stderr(), "nightingale-poster: note: {notice}");
            })
        })
    }

    /// A poster on the chain that is named, where no deployment names one. What is signed counts there, so that the node's word for it does only on a local
    /// chain.
    pub(super) async fn open_on(&self, chain_id: Option<u64>) -> Result<Poster, PosterError> {
        let poster = self.open().await?;
        match chain_id {
            Some(deployment) if deployment != poster.chain_id() => {
                Err(PosterError::WrongChain { deployment, node: poster.chain_id() })
            }
            None if !poster.is_local() => Err(PosterError::Malformed {
                what: "--chain-id".to_owned(),
                problem: format!(
                    "is missing; the node says that it is on chain {}: give the id of the chain that you mean",
                    poster.chain_id()
                ),
            }),
            _ => Ok(poster),
        }
    }

    /// A poster, and a deployment that is on its chain.
    pub(super) async fn open_with(&self, file: &Path) -> Result<(Poster, Deployment), PosterError> {
        let deployment = deployment::read(file)?;
        let poster = self.open().await?;
        poster.check(&deployment).await?;
        Ok((poster, deployment))
    }
}

/// Closes the outbox, so that all of it is in its one file.
pub(super) async fn close() {
    if let Some(outbox) = OPENED.get() {
        outbox.close().await;
    }
}

/// The outbox of this user; where there is no home, beside whoever calls.
pub(super) fn usual_outbox() -> PathBuf {
    let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let state = set("XDG_STATE_HOME").or_else(|| set("HOME").map(|home| home.join(".local/state")));
    state.unwrap_or_default().join("nightingale").join("poster.sqlite")
}
