//! What the chain says, at the wanted depth, of what this outbox believes.
//!
//! Nodes lag, and several behind one address contradict each other: one low or high nonce, or one missing receipt, means
//! nothing. A row changes for the worse only when a block, as deep as wanted, shows why; and is called lost only by what the
//! account signed itself.

use super::{Patience, Poster};
use crate::{
    PosterError,
    node::{Head, Included},
    notice::Notice,
    outbox::{Mined, State, Transaction},
};
use alloy_eips::BlockNumberOrTag;
use alloy_primitives::B256;

/// Where a transaction that has ended is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// In the block where it was.
    There,
    /// The chain has another block there, without it.
    Vanished,
    /// The node's chain, with this newest block, does not have that block as deep as wanted.
    Behind(u64),
}

impl Poster {
    /// Opens again what has ended under nonces that the node calls unused, once a block shows that what ended it is gone: a
    /// reorganisation went deeper than wanted, or another node had made it up. A node that only lags is waited for.
    pub(crate) async fn reopen_vanished(&self) -> Result<(), PosterError> {
        let unused = self.node.nonce(self.address(), BlockNumberOrTag::Latest).await?;
        let mut patience = self.patience();
        for row in self.outbox.ended_from(self.address(), unused).await? {
            if let Some(by) = row.mined.map(Mined::place).or(row.taken) {
                self.reopen_where_vanished(&row, by, &mut patience).await?;
            }
        }
        Ok(())
    }

    /// Opens a row again, whose bytes are sent then; but where the same step was signed once more since, and would be done twice, something that does
    /// nothing is to have its nonce.
    pub(crate) async fn reopen(&self, row: &Transaction) -> Result<(), PosterError> {
        if self.outbox.is_superseded(row).await? {
            return self.vacate(row).await;
        }
        self.outbox.reopen(row.id).await
    }

    /// Sees whether what is called done is still where it was, whatever its nonce, and opens again what is not. Its receipt is enough to say that
    /// it is, or that it failed there; that it is elsewhere, only another block says.
    pub(crate) async fn recheck(&self, rows: &mut [Transaction]) -> Result<(), PosterError> {
        let mut patience = self.patience();
        for row in rows.iter_mut().filter(|row| row.state == State::Done) {
            let Some(mined) = row.mined else { continue };
            let is_open = match self.went_well(mined).await? {
                Some(true) => false,
                Some(false) => {
                    self.reopen(row).await?;
                    true
                }
                None => self.reopen_where_vanished(row, mined.place(), &mut patience).await?,
            };
            if is_open {
                row.state = State::Open;
            }
        }
        Ok(())
    }

    /// Looks again at what a node said to have come to nothing, and opens again what this one shows to have happened, or what is not where it is
    /// said to have failed; whether anything was.
    pub(crate) async fn reopen_where_misjudged(&self, rows: &[Transaction]) -> Result<bool, PosterError> {
        let mut any = false;
        for row in rows.iter().filter(|row| row.problem.is_none()) {
            if self.is_misjudged(row).await? {
                self.outbox.reopen(row.id).await?;
                any = true;
            }
        }
        Ok(any)
    }

    async fn is_misjudged(&self, row: &Transaction) -> Result<bool, PosterError> {
        match (row.state, row.mined) {
            (State::Failed, Some(mined)) if row.is_by(mined.transaction) => {
                let happened = self.receipt_of(row).await?.is_some_and(|receipt| receipt.inner.status());
                Ok(happened || self.standing(mined.place()).await? == Standing::Vanished)
            }
            // It has the nonce itself, where nothing else of this outbox has it.
            (State::Lost, _) => {
                Ok(self.receipt_of(row).await?.is_some() && self.outbox.has_its_nonce_alone(row).await?)
            }
            _ => Ok(false),
        }
    }

    /// Whether what was mined succeeded; none where the node does not have it there, as deep as wanted.
    async fn went_well(&self, mined: Mined) -> Result<Option<bool>, PosterError> {
        if mined.block > self.deep_block(self.node.head().await?.number) {
            return Ok(None);
        }
        let Some(receipt) = self.node.receipt(mined.transaction).await? else { return Ok(None) };
        let is_there = receipt.block_number == Some(mined.block)
            && self.node.block_hash(mined.block).await? == receipt.block_hash;
        Ok(is_there.then(|| receipt.inner.status()))
    }

    /// Opens a row again where a block stands in the place of the one that ended it; whether it did.
    async fn reopen_where_vanished(
        &self,
        row: &Transaction,
        by: (B256, u64),
        patience: &mut Patience,
    ) -> Result<bool, PosterError> {
        loop {
            match self.standing(by).await? {
                Standing::There => return Ok(false),
                Standing::Vanished => {
                    self.reopen(row).await?;
                    return Ok(true);
                }
                Standing::Behind(head) => {
                    if !patience.pause().await {
                        return Err(behind(&row.purpose, by, head));
                    }
                }
            }
        }
    }

    /// Where a transaction that was in a block is now.
    pub(crate) async fn standing(&self, (transaction, block): (B256, u64)) -> Result<Standing, PosterError> {
        let head = self.node.head().await?.number;
        if block > self.deep_block(head) {
            return Ok(Standing::Behind(head));
        }
        Ok(match self.node.included(block).await? {
            None => Standing::Behind(head),
            Some(all) if all.iter().any(|one| one.hash == transaction) => Standing::There,
            Some(_) => Standing::Vanished,
        })
    }

    /// The chain used the nonce of an open row. By one of our attempts, whose receipt then comes; or by something else that the account signed,
    /// which is believed when it happened in a block that is deep enough, and all of ours are not in that block and have no receipt.
    pub(super) async fn lose_if_gone(&self, row: &Transaction, head: Head) -> Result<(), PosterError> {
        let deep = self.deep_block(head.number);
        if self.node.old_nonce(row.sender, deep).await?.is_none_or(|next| next <= row.nonce) {
            return Ok(());
        }
        let (block, all) = self.used_in(row, deep).await?;
        let Some(by) = all.iter().find(|one| one.uses(self.chain_id, row.sender, row.nonce)) else {
            self.notices.tell(&Notice::NonceUnexplained {
                purpose: row.purpose.clone(),
                nonce: row.nonce,
                account: row.sender,
            });
            return Ok(());
        };
        let ours = all.iter().any(|one| row.attempts.iter().any(|attempt| attempt.hash == one.hash));
        if !ours && self.receipt_of(row).await?.is_none() {
            self.outbox.lose(row.id, by.hash, block).await?;
        }
        Ok(())
    }

    /// The block, up to a block after which a row's nonce is used, in which it was, by the account's nonces as of blocks, and its transactions: none
    /// where the node does not have the block.
    async fn used_in(&self, row: &Transaction, deep: u64) -> Result<(u64, Vec<Included>), PosterError> {
        // Backwards in longer and longer steps, since it is mostly recent; then halving. A state that is not kept counts as
        // before: the search ends at the oldest one, and is not believed there.
        let (mut used, mut unused, mut step) = (deep, None, 1u64);
        while unused.is_none_or(|unused| used > unused + 1) {
            let block = match unused {
                None => used.saturating_sub(step),
                Some(unused) => unused + (used - unused) / 2,
            };
            if block > 0 && self.node.old_nonce(row.sender, block).await?.is_some_and(|next| next > row.nonce)
            {
                used = block;
            } else {
                unused = Some(block);
            }
            step = step.saturating_mul(2);
        }
        Ok((used, self.node.included(used).await?.unwrap_or_default()))
    }
}

/// What is said of a row that the node does not show as deep as it was.
pub(crate) fn behind(purpose: &str, (transaction, block): (B256, u64), head: u64) -> PosterError {
    PosterError::NodeBehind { purpose: purpose.to_owned(), transaction, block, head }
}
