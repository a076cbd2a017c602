//! Sees what is open through to the wanted depth: sends again what the node does not know, raises offers that are too low,
//! and notices what can never be mined.
//!
//! A node's refusal to take a transaction has no code that nodes agree on, so its words are never read: balance, base fee,
//! nonce and the transaction pool are asked instead.

use super::Poster;
use crate::{PosterError, node::Head, outbox::Transaction};
use alloy_eips::BlockNumberOrTag;
use alloy_rpc_types_eth::TransactionReceipt;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::time::sleep;

/// How far open transactions are to be brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Goal {
    /// All are in a block.
    Mined,
    /// All are as deep as the terms want it.
    Deep,
}

/// Refusals in a row, before the node's words are passed on.
const REFUSALS: u32 = 5;
const SHORTEST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

impl Poster {
    /// Brings everything that is open to the goal.
    pub(crate) async fn drive(&self, goal: Goal) -> Result<(), PosterError> {
        let start = Instant::now();
        let (mut pause, mut refusals, mut last) = (SHORTEST_PAUSE, 0, None);
        loop {
            match self.pass(goal, &mut refusals).await {
                Ok(true) => return Ok(()),
                Ok(false) => {}
                Err(error) if error.is_transient() => last = Some(error),
                Err(error) => return Err(error),
            }
            if start.elapsed() + pause > self.terms.timeout {
                return Err(match self.outbox.open_of(self.address()).await?.first() {
                    Some(row) => self.unconfirmed(row, last.as_ref()),
                    None => PosterError::Outbox("it changed while it was held".into()),
                });
            }
            sleep(pause).await;
            pause = (pause * 3 / 2).min(LONGEST_PAUSE);
        }
    }

    /// Looks at each open transaction once; true when all have reached the goal.
    async fn pass(&self, goal: Goal, refusals: &mut u32) -> Result<bool, PosterError> {
        let rows = self.outbox.open_of(self.address()).await?;
        if rows.is_empty() {
            return Ok(true);
        }
        let head = self.node.head().await?;
        let (mut reached, mut lowest) = (true, true);
        for row in &rows {
            match self.receipt_of(row).await? {
                Some(receipt) => {
                    let deep = self.finish(row, &receipt, head.number).await?;
                    reached &= deep || goal == Goal::Mined;
                }
                None => {
                    reached = false;
                    self.push(row, head, lowest, refusals).await?;
                    lowest = false;
                }
            }
        }
        Ok(reached)
    }

    /// The receipt of whichever attempt is in the chain now.
    pub(crate) async fn receipt_of(
        &self,
        row: &Transaction,
    ) -> Result<Option<TransactionReceipt>, PosterError> {
        for attempt in row.attempts.iter().rev() {
            if let Some(receipt) = self.node.receipt(attempt.hash).await? {
                return Ok(Some(receipt));
            }
        }
        Ok(None)
    }

    /// A transaction that is in no block: send it, raise it, or find that its nonce is gone. Only the lowest open nonce
    /// is raised: the others wait for it, whatever they offer.
    async fn push(
        &self,
        row: &Transaction,
        head: Head,
        lowest: bool,
        refusals: &mut u32,
    ) -> Result<(), PosterError> {
        if self.node.nonce(row.sender, BlockNumberOrTag::Latest).await? > row.nonce {
            return self.lose_if_gone(row, head).await;
        }
        let Some(newest) = row.newest() else { return Ok(()) };
        if !self.node.knows(newest.hash).await? {
            let Err(words) = self.node.send(&newest.raw).await? else {
                *refusals = 0;
                return Ok(());
            };
            return self.refused(row, head, &words, refusals).await;
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        if lowest && now.saturating_sub(newest.signed_at) >= self.terms.raise_after.as_secs() {
            self.raise(row).await?;
        }
        Ok(())
    }

    async fn refused(
        &self,
        row: &Transaction,
        head: Head,
        words: &str,
        refusals: &mut u32,
    ) -> Result<(), PosterError> {
        let Some(newest) = row.newest() else { return Ok(()) };
        if self.node.knows(newest.hash).await? {
            return Ok(());
        }
        self.check_funds(row.gas_limit, newest.fees, &row.purpose).await?;
        let mut older_waits = false;
        for attempt in row.attempts.iter().rev().skip(1) {
            older_waits |= self.node.knows(attempt.hash).await?;
        }
        *refusals += 1;
        if *refusals >= REFUSALS {
            return Err(PosterError::NodeRefused {
                method: "eth_sendRawTransaction",
                problem: words.to_owned(),
            });
        }
        if older_waits || head.base_fee > newest.fees.max_fee {
            // Counted as well: whatever the reason really is, the offer does not climb to its limit.
            self.raise(row).await?;
        }
        Ok(())
    }

    /// The chain used the nonce. By one of our attempts, whose receipt then comes; or by somebody else's transaction,
    /// which is believed once it is deep enough.
    async fn lose_if_gone(&self, row: &Transaction, head: Head) -> Result<(), PosterError> {
        let deep = self.deep_block(head.number);
        let used = self.node.nonce(row.sender, deep.into()).await? > row.nonce;
        if used && self.receipt_of(row).await?.is_none() {
            self.outbox.lose(row.id).await?;
        }
        Ok(())
    }

    /// The newest block that is as deep as the terms want it.
    pub(super) const fn deep_block(&self, head: u64) -> u64 {
        (head + 1).saturating_sub(self.terms.confirmations)
    }
}
