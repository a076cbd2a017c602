//! `nightingale-poster audit-deploy`, `audit-anchor` and `audit-anchors`.

use super::{Connection, administer::Repeat, show};
use alloy_primitives::{Address, B256};
use anyhow::{Context as _, Result};
use clap::Args;
use nightingale_poster::{
    Node,
    audit::{Anchorage, Anchoring, Head, anchors},
    report::PostedReport,
};
use serde_json::json;
use std::{fs, path::PathBuf, process::ExitCode};

/// Deploys the contract that heads of audit logs are anchored in. One is enough for everybody on a chain.
#[derive(Args)]
pub(super) struct AuditDeploy {
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    repeat: Repeat,
    /// The chain to sign for: its id. On local chains the node's is taken without it.
    #[arg(long, value_name = "ID")]
    chain_id: Option<u64>,
    /// Say it as JSON.
    #[arg(long)]
    json: bool,
}

impl AuditDeploy {
    pub(super) async fn run(self) -> Result<ExitCode> {
        let poster = self.connection.open_on(self.chain_id).await?;
        let (contract, posted) = poster.deploy_anchors(self.repeat.again()).await?;
        let report = PostedReport::from(&posted);
        show(self.json, &json!({ "contract": contract, "posted": report }), || {
            vec![report.line(), format!("contract {contract}")]
        })?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Anchors the head of an audit log, as its custodian.
///
/// An export is verified first, and must agree with what this account anchored before: it begins at the entry that was anchored last, or before it. A head
/// alone is taken as it is. Nothing is anchored twice, and a log only goes forwards.
#[derive(Args)]
pub(super) struct AuditAnchor {
    #[command(flatten)]
    connection: Connection,
    /// The chain to sign for: its id. On local chains the node's is taken without it.
    #[arg(long, value_name = "ID")]
    chain_id: Option<u64>,
    /// The contract, as audit-deploy told it.
    #[arg(long, value_name = "ADDRESS")]
    contract: Address,
    /// An export, as `nightingale audit export` writes it.
    #[arg(long, value_name = "FILE", required_unless_present = "head")]
    export: Option<PathBuf>,
    /// A head, as `nightingale audit head --json` writes it.
    #[arg(long, value_name = "FILE", conflicts_with = "export")]
    head: Option<PathBuf>,
    /// Say it as JSON.
    #[arg(long)]
    json: bool,
}

impl AuditAnchor {
    pub(super) async fn run(self) -> Result<ExitCode> {
        let poster = self.connection.open_on(self.chain_id).await?;
        let (head, anchoring) = match (&self.export, &self.head) {
            (Some(export), _) => poster.anchor_export(self.contract, export).await?,
            (None, Some(file)) => {
                let head = Head::from_file(file)?;
                (head, poster.anchor(self.contract, head).await?)
            }
            (None, None) => anyhow::bail!("give --export or --head"),
        };
        let posted = match &anchoring {
            Anchoring::Posted(posted) => Some(PostedReport::from(posted)),
            Anchoring::Known => None,
        };
        let report = json!({
            "contract": self.contract,
            "custodian": poster.address(),
            "log": head.log,
            "sequence": head.sequence,
            "head": head.head,
            "posted": posted,
        });
        show(self.json, &report, || {
            let how =
                posted.as_ref().map_or_else(|| "the chain has it already".to_owned(), PostedReport::line);
            vec![how, format!("entry {} {} of log {}", head.sequence, head.head, head.log)]
        })?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Reads the anchors of a custodian's audit log into a file for `nightingale-verify audit --anchors`.
///
/// Needs no key. What it says is what the node says: whoever does not trust it asks another.
#[derive(Args)]
pub(super) struct AuditAnchors {
    /// The node, as http://HOST:PORT.
    #[arg(long, value_name = "URL")]
    rpc: String,
    /// The contract.
    #[arg(long, value_name = "ADDRESS")]
    contract: Address,
    /// The account that the custodian anchors from: know it from the custodian, not from the file that is checked.
    #[arg(long, value_name = "ADDRESS")]
    custodian: Address,
    /// The log's name, as `nightingale audit head` tells it.
    #[arg(long, value_name = "HASH")]
    log: B256,
    /// The block to search from, where the node does not search a whole chain.
    #[arg(long, value_name = "BLOCK", default_value_t = 0)]
    from_block: u64,
    /// How many blocks, its own included, make an anchor count. Without it: 12, or 1 on local chains.
    #[arg(long, value_name = "BLOCKS")]
    confirmations: Option<u64>,
    /// Where to write it.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

impl AuditAnchors {
    pub(super) async fn run(self) -> Result<ExitCode> {
        let Self { contract, custodian, log, .. } = self;
        let about = Anchorage { contract, custodian, log };
        let node = Node::new(&self.rpc)?;
        let file = anchors(&node, about, self.from_block, self.confirmations).await?;
        let text = serde_json::to_string_pretty(&file)? + "\n";
        fs::write(&self.out, text).with_context(|| self.out.display().to_string())?;
        let newest = file.anchors.last().map_or_else(
            || "no anchor".to_owned(),
            |anchor| format!("{} anchors, the newest of entry {}", file.anchors.len(), anchor.sequence),
        );
        show(false, &(), || vec![format!("{newest}, written to {}", self.out.display())])?;
        Ok(ExitCode::SUCCESS)
    }
}
