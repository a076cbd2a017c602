//! What the outbox knows of a claim.

use super::{ClaimRow, Outbox, Transaction, row::transaction};
use crate::PosterError;
use alloy_primitives::Address;
use nightingale_contracts::bindings::Verdict;

impl Outbox {
    /// The done transaction by which this outbox settled a claim with a contract: with a proof that says these words. Another proof of
    /// the same services uses up the same, and may pay something else, so that what was signed is looked into.
    pub(crate) async fn settled_by(
        &self,
        settlement: Address,
        claim: &ClaimRow,
        words: &[u8],
    ) -> Result<Option<Transaction>, PosterError> {
        let row = sqlx::query(
            "SELECT t.* FROM transactions t JOIN claims c ON c.transaction_id = t.id \
             WHERE t.chain = ? AND t.receiver = ? AND t.state = 'done' AND c.commitment = ? AND c.payer = ? \
             AND c.tags = ? AND c.verdict = ? AND instr(t.data, ?) > 0 LIMIT 1",
        )
        .bind(self.chain)
        .bind(settlement.as_slice())
        .bind(claim.commitment.as_slice())
        .bind(claim.payer.to_be_bytes::<12>().to_vec())
        .bind(claim.tags.iter().flat_map(|tag| tag.0).collect::<Vec<u8>>())
        .bind(i64::from(Verdict::Payable as u8))
        .bind(words)
        .fetch_optional(&self.pool)
        .await?;
        match row {
            Some(row) => Ok(Some(transaction(&self.pool, &row).await?)),
            None => Ok(None),
        }
    }
}
