//! What the chain says, at the wanted depth, of what this outbox believes.
//!
//! Nodes lag, and several behind one address contradict each other: one low or high nonce, or one missing receipt, means
//! nothing. A row changes for the worse only when a block, as deep as wanted, shows why.

use super::Poster;
use crate::{
    PosterError,
    node::{Head, Included},
    notice::Notice,
    outbox::{Mined, Transaction},
};
use alloy_eips::BlockNumberOrTag;

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
    /// Opens again what has ended under nonces that the node calls unused, once a block shows that it is gone: a
    /// reorganisation went deeper than wanted. A node that only lags is waited for.
    pub(super) async fn reopen_vanished(&self) -> Result<(), PosterError> {
        let unused = self.node.nonce(self.address(), BlockNumberOrTag::Latest).await?;
        let mut patience = self.patience();
        for row in self.outbox.ended_from(self.address(), unused).await? {
            let Some(mined) = row.mined else { continue };
            loop {
                match self.standing(mined).await? {
                    Standing::There => break,
                    Standing::Vanished => {
                        self.outbox.reopen(row.id).await?;
                        break;
                    }
                    Standing::Behind(head) => {
                        if !patience.pause().await {
                            return Err(behind(&row, mined, head));
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// Where a transaction that was mined is now.
    pub(crate) async fn standing(&self, mined: Mined) -> Result<Standing, PosterError> {
        let head = self.node.head().await?.number;
        if mined.block > self.deep_block(head) {
            return Ok(Standing::Behind(head));
        }
        Ok(match self.node.included(mined.block).await? {
            None => Standing::Behind(head),
            Some(all) if all.iter().any(|one| one.hash == mined.transaction) => Standing::There,
            Some(_) => Standing::Vanished,
        })
    }

    /// The chain used the nonce of an open row. By one of our attempts, whose receipt then comes; or by something else, which is
    /// believed when it happened in a block that is deep enough, and all of ours are not in that block and have no receipt.
    pub(super) async fn lose_if_gone(&self, row: &Transaction, head: Head) -> Result<(), PosterError> {
        let deep = self.deep_block(head.number);
        if self.node.old_nonce(row.sender, deep).await?.is_none_or(|next| next <= row.nonce) {
            return Ok(());
        }
        let Some(block) = self.used_in(row, deep).await? else {
            self.notices.tell(&Notice::NonceUnexplained {
                purpose: row.purpose.clone(),
                nonce: row.nonce,
                account: row.sender,
            });
            return Ok(());
        };
        let ours = block.iter().any(|one| row.attempts.iter().any(|attempt| attempt.hash == one.hash));
        if !ours && self.receipt_of(row).await?.is_none() {
            self.outbox.lose(row.id).await?;
        }
        Ok(())
    }

    /// The transactions of the block, up to a block after which it is used, in which a row's nonce was used: by the account's own
    /// transaction, or by anybody's that carries an authorisation which the account signed (EIP-7702), whose signature is there to
    /// be checked. None where no block shows that.
    async fn used_in(&self, row: &Transaction, deep: u64) -> Result<Option<Vec<Included>>, PosterError> {
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
        let all = self.node.included(used).await?;
        Ok(all.filter(|all| all.iter().any(|one| one.uses(row.sender, row.nonce))))
    }
}

/// What is said of a row that the node does not show as deep as it was.
pub(crate) fn behind(row: &Transaction, mined: Mined, head: u64) -> PosterError {
    PosterError::NodeBehind {
        purpose: row.purpose.clone(),
        transaction: mined.transaction,
        block: mined.block,
        head,
    }
}
