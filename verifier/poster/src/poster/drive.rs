//! Sees what is open through to the wanted depth: sends again what the node does not know, raises offers that are too low,
//! and notices what can never be mined.
//!
//! A node's refusal to take a transaction has no code that nodes agree on, so its words are never read: balance, base fee,
//! nonce and the transaction pool are asked instead.

use super::Poster;
use crate::{
    PosterError, clock,
    node::{Fees, Head},
    notice::Notice,
    outbox::{Attempt, Transaction},
};
use alloy_eips::BlockNumberOrTag;
use alloy_rpc_types_eth::TransactionReceipt;
use nightingale_trace::{Span, Value};
use std::collections::BTreeMap;

/// How far open transactions are to be brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Goal {
    /// All are in a block.
    Mined,
    /// All are as deep as the terms want it.
    Deep,
}

/// Refusals in a row, before the node's words are passed on, and offers are made only as time passes.
const REFUSALS: u32 = 5;

/// What was seen again and again while open transactions are seen through.
#[derive(Default)]
pub(super) struct Seen {
    refusals: u32,
    /// The node's words when it refused something the last time.
    refused: Option<PosterError>,
    /// How often each row's receipt had events that it should not have.
    pub(super) strange: BTreeMap<i64, u32>,
    /// The step of each row that was not there at once.
    steps: BTreeMap<i64, Span>,
}

impl Seen {
    /// A row has reached the goal, by the attempt that its receipt names.
    fn reached(&mut self, row: &Transaction, receipt: &TransactionReceipt) {
        // What was there at once is no step.
        let Some(mut step) = self.steps.remove(&row.id) else { return };
        step.set("chain.transaction", Value::Hash(receipt.transaction_hash.0));
        if !receipt.inner.status() {
            step.fail();
        }
    }
}

impl Poster {
    /// Brings everything that is open to the goal.
    pub(crate) async fn drive(&self, goal: Goal) -> Result<(), PosterError> {
        let mut seen = Seen::default();
        let driven = self.drive_on(goal, &mut seen).await;
        // Lost, or not there in time.
        seen.steps.values_mut().for_each(Span::fail);
        driven
    }

    async fn drive_on(&self, goal: Goal, seen: &mut Seen) -> Result<(), PosterError> {
        let (mut patience, mut last) = (self.patience(), None);
        loop {
            match self.pass(goal, seen).await {
                Ok(true) => return Ok(()),
                Ok(false) => {}
                Err(error) if error.is_transient() => last = Some(error),
                Err(error) => return Err(error),
            }
            if !patience.pause().await {
                return Err(match self.outbox.open_of(self.address()).await?.first() {
                    Some(row) => self.unconfirmed(row, last.as_ref().or(seen.refused.as_ref())),
                    None => PosterError::Outbox("it changed while it was held".into()),
                });
            }
        }
    }

    /// Looks at each open transaction once; true when all have reached the goal.
    async fn pass(&self, goal: Goal, seen: &mut Seen) -> Result<bool, PosterError> {
        let rows = self.outbox.open_of(self.address()).await?;
        if rows.is_empty() {
            return Ok(true);
        }
        let head = self.node.head().await?;
        let (mut reached, mut lowest) = (true, true);
        for row in &rows {
            let receipt = self.receipt_of(row).await?;
            if let Some(receipt) = &receipt
                && (self.finish(row, receipt, head.number, seen).await? || goal == Goal::Mined)
            {
                seen.reached(row, receipt);
                continue;
            }
            reached = false;
            seen.steps.entry(row.id).or_insert_with(|| self.span("confirm"));
            if receipt.is_none() {
                self.push(row, head, lowest, seen).await?;
                lowest = false;
                if row.attempts.len() > 1 && self.is_nothing(row.to, &row.data) {
                    // It takes the place of what was signed before: what was signed for the same since goes out when it has.
                    break;
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
        seen: &mut Seen,
    ) -> Result<(), PosterError> {
        let unused = self.node.nonce(row.sender, BlockNumberOrTag::Latest).await?;
        if unused > row.nonce {
            return self.lose_if_gone(row, head).await;
        }
        if lowest {
            self.tell_gap(row, unused).await?;
        }
        let Some(newest) = row.newest() else { return Ok(()) };
        if !self.node.knows(newest.hash).await? {
            let Err(words) = self.node.send(&newest.raw).await? else {
                (seen.refusals, seen.refused) = (0, None);
                return Ok(());
            };
            return if lowest { self.refused(row, head, words, seen).await } else { Ok(()) };
        }
        if lowest && self.is_late(newest) {
            self.raise(row).await?;
        }
        Ok(())
    }

    /// Whether an offer has stood for so long that it is raised.
    fn is_late(&self, offer: &Attempt) -> bool {
        clock::now().saturating_sub(offer.signed_at) >= self.terms.raise_after.as_secs()
    }

    /// The node does not take the newest offer for the lowest open nonce. What it was told when it was signed may be another node's lie: how much gas it
    /// needs, or what is asked for that.
    async fn refused(
        &self,
        row: &Transaction,
        head: Head,
        words: String,
        seen: &mut Seen,
    ) -> Result<(), PosterError> {
        let Some(newest) = row.newest() else { return Ok(()) };
        if self.node.knows(newest.hash).await? {
            return Ok(());
        }
        let mut older_waits = false;
        for attempt in row.attempts.iter().rev().skip(1) {
            older_waits |= self.node.knows(attempt.hash).await?;
        }
        let gas = if older_waits { None } else { self.other_gas(row, head).await? };
        if older_waits {
            self.check_funds(row.gas_limit, newest.fees, &row.purpose).await?;
        } else if gas.is_none() {
            let fees = self.payable(row, row.gas_limit, newest.fees).await?;
            if fees != newest.fees {
                return self.write_offer(row, row.gas_limit, fees).await;
            }
        }
        let raise = older_waits || head.base_fee > newest.fees.max_fee || self.asks_more(newest.fees).await?;
        if gas.is_none() && raise && self.capped(row) {
            // Nothing to do but wait for lower prices, or for the older offer.
            return Ok(());
        }
        seen.refusals = seen.refusals.saturating_add(1);
        if seen.refusals == REFUSALS {
            let (purpose, transaction, problem) = (row.purpose.clone(), newest.hash, words.clone());
            self.notices.tell(&Notice::OfferRefused { purpose, transaction, problem });
        }
        seen.refused = Some(PosterError::NodeRefused { method: "eth_sendRawTransaction", problem: words });
        // Counted: whatever the reason really is, the offer does not climb to its limit but by and by.
        match gas.filter(|_| seen.refusals < REFUSALS) {
            Some(gas) => self.offer_gas(row, gas).await,
            None if (raise && seen.refusals < REFUSALS) || self.is_late(newest) => self.raise(row).await,
            None => Ok(()),
        }
    }

    /// Whether the node asks for more than an offer has.
    async fn asks_more(&self, offer: Fees) -> Result<bool, PosterError> {
        let asked = self.node.fees().await?.at_most(self.terms.limits());
        Ok(asked.max_fee > offer.max_fee || asked.tip > offer.tip)
    }

    /// The newest block that is as deep as the terms want it.
    pub(crate) const fn deep_block(&self, head: u64) -> u64 {
        head.saturating_add(1).saturating_sub(self.terms.confirmations)
    }
}
