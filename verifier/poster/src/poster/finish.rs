//! When a mined transaction is done: deep enough, and what it was for is in the state at that depth.

use super::{Poster, drive::Seen};
use crate::{
    PosterError,
    outbox::{Mined, State, Transaction},
};
use alloy_rpc_types_eth::TransactionReceipt;
use alloy_sol_types::SolEvent;
use nightingale_contracts::bindings::{
    ClaimSettlement::{ClaimSettled, ClaimSkipped, isSpentCall},
    Verdict,
};

/// How often a receipt is read before its events are believed to be wrong: nodes have given receipts without them.
pub(crate) const LOOKS: u32 = 3;

impl Poster {
    /// Marks a mined transaction as done or failed when it is deep enough; whether it was.
    pub(super) async fn finish(
        &self,
        row: &Transaction,
        receipt: &TransactionReceipt,
        head: u64,
        seen: &mut Seen,
    ) -> Result<bool, PosterError> {
        let deep = self.deep_block(head);
        let Some(block) = receipt.block_number.filter(|block| *block <= deep) else { return Ok(false) };
        if self.node.block_hash(block).await? != receipt.block_hash {
            // The receipt is of a block that is in this chain no more.
            return Ok(false);
        }
        let mined = Mined { transaction: receipt.transaction_hash, block, gas_used: receipt.gas_used };
        // What was signed under the nonce before it was given to this request is another thing, whatever became of that.
        if !receipt.inner.status() || !row.is_by(mined.transaction) {
            self.outbox.finish(row.id, State::Failed, mined, &[], None).await?;
            return Ok(true);
        }
        let Some(verdicts) = verdicts(row, receipt) else {
            let looks = seen.strange.entry(row.id).or_default();
            *looks += 1;
            if *looks < LOOKS {
                return Ok(false);
            }
            self.outbox.finish(row.id, State::Failed, mined, &[], Some(UNEXPECTED)).await?;
            return Ok(true);
        };
        for (claim, _) in
            row.claims.iter().zip(&verdicts).filter(|(_, verdict)| **verdict == Verdict::Payable)
        {
            for tag in &claim.tags {
                let call = isSpentCall { payer: claim.payer, tag: *tag };
                if !self.node.ask_at(row.to.unwrap_or_default(), &call, deep.into()).await? {
                    // A node that answers from two states at once: it will settle on one.
                    return Ok(false);
                }
            }
        }
        self.outbox.finish(row.id, State::Done, mined, &verdicts, None).await?;
        Ok(true)
    }
}

const UNEXPECTED: &str = "its events are not one for each claim in their order: the contract is not the settlement \
    that this program knows; look at the transaction and check the deployment file";

/// The contract's verdicts, one event for each claim, in their order; none where the events are something else.
fn verdicts(row: &Transaction, receipt: &TransactionReceipt) -> Option<Vec<Verdict>> {
    if row.claims.is_empty() {
        return Some(Vec::new());
    }
    let contract = row.to.unwrap_or_default();
    let mut found = Vec::with_capacity(row.claims.len());
    for log in receipt.inner.logs().iter().map(|log| &log.inner).filter(|log| log.address == contract) {
        if let Ok(settled) = ClaimSettled::decode_log(log) {
            found.push((settled.claimCommitment, Some(Verdict::Payable)));
        } else if let Ok(skipped) = ClaimSkipped::decode_log(log) {
            found.push((skipped.claimCommitment, Verdict::from_number(skipped.reason)));
        }
    }
    let expected = row.claims.iter().map(|claim| claim.commitment);
    let verdicts: Option<Vec<Verdict>> = found.iter().map(|(_, verdict)| *verdict).collect();
    verdicts.filter(|_| expected.eq(found.iter().map(|(commitment, _)| *commitment)))
}
