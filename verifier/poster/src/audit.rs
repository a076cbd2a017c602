//! Heads of a custodian's audit logs on-chain: anchored from this account, each later than the one before, and read back as a file that
//! `nightingale-verify audit --anchors` takes.

use crate::{Again, Node, Posted, Poster, PosterError, deployment::created};
use alloy_eips::BlockNumberOrTag;
use alloy_primitives::{Address, B256};
use alloy_rpc_types_eth::Filter;
use alloy_sol_types::{SolCall, SolEvent};
use nightingale_contracts::{
    artefacts,
    bindings::{
        AuditAnchors::{Anchored, anchorCall, newestCall},
        audit::Anchor,
    },
    chain::Chain,
    deploy::Request,
};
use nightingale_verifier::audit::{Anchors, Reader, Verified};
use serde::{Deserialize, Serialize};
use std::{fs::File, io::BufReader, path::Path};

/// A log's head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The log's name.
    pub log: B256,
    /// The entry.
    pub sequence: u64,
    /// Its hash.
    pub head: B256,
}

/// What became of an anchor.
#[derive(Clone, Debug)]
pub enum Anchoring {
    /// It was posted, now or before.
    Posted(Posted),
    /// The chain has it, though this outbox knows nothing of that.
    Known,
}

/// `nightingale audit head --json`.
#[derive(Deserialize)]
struct HeadFile {
    log: B256,
    sequence: u64,
    head: B256,
}

/// The file of anchors, as `nightingale_verifier::audit::Anchors` reads it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AnchorsFile {
    format: &'static str,
    chain_id: u64,
    contract: Address,
    custodian: Address,
    log: B256,
    /// In their order.
    pub anchors: Vec<AnchorLine>,
}

/// One anchor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AnchorLine {
    /// The entry.
    pub sequence: u64,
    /// Its hash.
    pub head: B256,
    /// The transaction.
    pub transaction: B256,
    /// Its block.
    pub block: u64,
    /// The block's time, in seconds since 1970, where the node says it.
    pub at: Option<u64>,
}

/// Which log, and where its anchors are.
#[derive(Clone, Copy, Debug)]
pub struct Anchorage {
    /// The contract.
    pub contract: Address,
    /// Who anchors.
    pub custodian: Address,
    /// The log.
    pub log: B256,
}

impl Head {
    /// Reads what `nightingale audit head --json` wrote.
    ///
    /// # Errors
    /// It cannot be read, or is something else.
    pub fn from_file(path: &Path) -> Result<Self, PosterError> {
        let bytes =
            std::fs::read(path).map_err(|source| PosterError::Io { path: path.to_owned(), source })?;
        let file: HeadFile = serde_json::from_slice(&bytes).map_err(|error| {
            let problem = format!("not what `nightingale audit head --json` writes: {error}");
            PosterError::malformed(path.display().to_string(), problem)
        })?;
        Ok(Self { log: file.log, sequence: file.sequence, head: file.head })
    }

    fn of(verified: &Verified) -> Self {
        Self { log: B256::from(verified.log), sequence: verified.last, head: B256::from(verified.head) }
    }
}

fn anchored_before(newest: &Anchor) -> Vec<Anchors> {
    match newest.sequence {
        0 => Vec::new(),
        sequence => vec![Anchors::of_head(sequence, newest.head.0)],
    }
}

impl Poster {
    /// Deploys the contract that anchors are kept in; anybody's log on the chain may be anchored there. The same again is found done,
    /// unless `again` asks for another one.
    ///
    /// # Errors
    /// The account cannot pay, or it is not mined in time: then the same call goes on.
    pub async fn deploy_anchors(&self, again: impl Into<Again>) -> Result<(Address, Posted), PosterError> {
        let request = Request {
            purpose: "deploy the anchors of audit logs".to_owned(),
            to: None,
            data: artefacts::audit_anchors()?.bytecode,
        };
        let posted = self.once(std::slice::from_ref(&request), again).await?;
        let missing =
            || PosterError::malformed("deployment", "it created no contract; look at its transaction");
        let posted = posted.into_iter().next_back().ok_or_else(missing)?;
        let receipt = self.node.receipt(posted.mined.transaction).await?;
        let contract = created(&posted.purpose, posted.created, receipt.as_ref())?.ok_or_else(missing)?;
        Ok((contract, posted))
    }

    async fn newest_anchor(
        &self,
        contract: Address,
        log: B256,
        block: BlockNumberOrTag,
    ) -> Result<Anchor, PosterError> {
        self.node.ask_at(contract, &newestCall { custodian: self.address(), log }, block).await
    }

    /// Verifies an export of a log and anchors its end. An export that does not agree with what this account anchored before is refused: the log was
    /// written anew.
    ///
    /// # Errors
    /// The export does not hold together, or does not reach back to the newest anchor; as [`Poster::anchor`].
    pub async fn anchor_export(
        &self,
        contract: Address,
        path: &Path,
    ) -> Result<(Head, Anchoring), PosterError> {
        let verify = |anchors: &[Anchors]| {
            let file =
                File::open(path).map_err(|source| PosterError::Io { path: path.to_owned(), source })?;
            let verified = Reader::new(anchors).read(BufReader::new(file), |_, _| {});
            verified.map_err(|source| PosterError::AuditLog { path: path.to_owned(), source })
        };
        let head = Head::of(&verify(&[])?);
        let newest = self.newest_anchor(contract, head.log, BlockNumberOrTag::Latest).await?;
        let verified = verify(&anchored_before(&newest))?;
        if newest.sequence > 0 && verified.anchored.is_none() {
            let problem = format!(
                "begins after entry {}, which was anchored last: export from entry {0} on",
                newest.sequence
            );
            return Err(PosterError::malformed(path.display().to_string(), problem));
        }
        let anchoring = self.anchor(contract, head).await?;
        Ok((head, anchoring))
    }

    /// Anchors a head.
    ///
    /// # Errors
    /// The contract is another than that of anchors; the chain has another hash for this entry, or a later entry; the account cannot pay; it is not mined in time, and then the same
    /// call goes on.
    pub async fn anchor(&self, contract: Address, head: Head) -> Result<Anchoring, PosterError> {
        check_contract(&self.node, contract).await?;
        self.resume().await?;
        let request = Request {
            purpose: format!("anchor entry {} of audit log {}", head.sequence, head.log),
            to: Some(contract),
            data: anchorCall { log: head.log, sequence: head.sequence, head: head.head }.abi_encode().into(),
        };
        let newest = self.newest_anchor(contract, head.log, BlockNumberOrTag::Latest).await?;
        let is_there = newest.sequence == head.sequence && newest.head == head.head;
        if newest.sequence == head.sequence && !is_there {
            return Err(PosterError::AnchorDiffers { sequence: head.sequence, anchored: newest.head });
        }
        if newest.sequence > head.sequence {
            return Err(PosterError::AnchorBehind { sequence: head.sequence, anchored: newest.sequence });
        }
        let errand = self.begin(std::slice::from_ref(&request), 0, false).await?;
        if !is_there || errand.knows(0) {
            return Ok(Anchoring::Posted(self.step(&errand, 0, &request).await?));
        }
        let mut patience = self.patience();
        loop {
            let deep = self.deep_block(self.node.head().await?.number);
            if let Ok(held) = self.newest_anchor(contract, head.log, deep.into()).await {
                if held.sequence == head.sequence && held.head != head.head {
                    return Err(PosterError::AnchorDiffers { sequence: head.sequence, anchored: held.head });
                }
                if held.sequence >= head.sequence {
                    return Ok(Anchoring::Known);
                }
            }
            if !patience.pause().await {
                return Err(self.elsewhere_unconfirmed(&request.purpose));
            }
        }
    }
}

/// That the contract is the one of anchors: another can say of any custodian that it anchored anything.
async fn check_contract(node: &Node, contract: Address) -> Result<(), PosterError> {
    let code = node.code(contract).await?;
    if code.is_empty() {
        return Err(PosterError::NothingDeployed(contract));
    }
    // What its creation code leaves behind.
    let mut chain = Chain::new(31337, 0);
    let made = chain.transact(Address::ZERO, None, artefacts::audit_anchors()?.bytecode)?;
    if made.output != code {
        return Err(PosterError::NotAnchors(contract));
    }
    Ok(())
}

/// Reads a log's anchors from a chain, up to the block that has `confirmations` blocks, its own included. Needs no key and no outbox.
///
/// # Errors
/// The node does not answer, has no such contract or another there, or does not search that far: give `from_block`, the contract's block.
pub async fn anchors(
    node: &Node,
    about: Anchorage,
    from_block: u64,
    confirmations: Option<u64>,
) -> Result<AnchorsFile, PosterError> {
    let chain_id = node.chain_id().await?;
    let usual = crate::Terms::for_chain(chain_id).confirmations;
    let confirmations = confirmations.unwrap_or(usual).max(1);
    check_contract(node, about.contract).await?;
    let deep = node.head().await?.number.saturating_add(1).saturating_sub(confirmations);
    let filter = Filter::new()
        .address(about.contract)
        .event_signature(Anchored::SIGNATURE_HASH)
        .topic1(about.custodian.into_word())
        .topic2(about.log)
        .from_block(from_block)
        .to_block(deep);
    let refused = |problem| PosterError::NodeRefused { method: "eth_getLogs", problem };
    let found = match from_block > deep {
        true => Vec::new(),
        false => node.events(&filter).await?.map_err(refused)?,
    };
    let line = |log: &alloy_rpc_types_eth::Log| {
        let block = log.block_number?;
        let event = Anchored::decode_log(&log.inner).ok()?.data;
        let (sequence, head) = (event.sequence, event.head);
        Some(AnchorLine {
            sequence,
            head,
            transaction: log.transaction_hash?,
            block,
            at: log.block_timestamp,
        })
    };
    let mut anchors: Vec<AnchorLine> = found.iter().filter_map(line).collect();
    anchors.sort_by_key(|anchor| anchor.sequence);
    let Anchorage { contract, custodian, log } = about;
    let format = "nightingale audit anchors 1";
    Ok(AnchorsFile { format, chain_id, contract, custodian, log, anchors })
}
