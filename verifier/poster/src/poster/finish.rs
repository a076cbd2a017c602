//! When a mined transaction is done: deep enough, and what it was for is in the state at that depth.

use super::Poster;
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

impl Poster {
    /// Marks a mined transaction as done or failed when it is deep enough; whether it was.
    pub(super) async fn finish(
        &self,
        row: &Transaction,
        receipt: &TransactionReceipt,
        head: u64,
    ) -> Result<bool, PosterError> {
        let deep = self.deep_block(head);
        let Some(block) = receipt.block_number.filter(|block| *block <= deep) else { return Ok(false) };
        let mined = Mined { transaction: receipt.transaction_hash, block, gas_used: receipt.gas_used };
        if !receipt.inner.status() {
            self.outbox.finish(row.id, State::Failed, mined, &[]).await?;
            return Ok(true);
        }
        let verdicts = verdicts(row, receipt)?;
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
        self.outbox.finish(row.id, State::Done, mined, &verdicts).await?;
        Ok(true)
    }
}

/// The contract's verdicts, one event for each claim, in their order.
fn verdicts(row: &Transaction, receipt: &TransactionReceipt) -> Result<Vec<Verdict>, PosterError> {
    if row.claims.is_empty() {
        return Ok(Vec::new());
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
    match verdicts {
        Some(verdicts) if expected.eq(found.iter().map(|(commitment, _)| *commitment)) => Ok(verdicts),
        _ => {
            let reason =
                "its events are not one for each claim in their order; check the deployment file".to_owned();
            Err(nightingale_contracts::Error::AnswerMalformed { contract, reason }.into())
        }
    }
}
