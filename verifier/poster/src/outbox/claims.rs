//! What the outbox knows of a claim.

use super::{Outbox, Transaction, row::transaction};
use crate::PosterError;
use alloy_primitives::{Address, B256};
use nightingale_contracts::{PayerId, bindings::Verdict};

impl Outbox {
    /// The done transaction by which this outbox settled a claim with a contract.
    pub(crate) async fn settled_by(
        &self,
        settlement: Address,
        payer: PayerId,
        commitment: B256,
    ) -> Result<Option<Transaction>, PosterError> {
        let row = sqlx::query(
            "SELECT t.* FROM transactions t JOIN claims c ON c.transaction_id = t.id \
             WHERE t.chain = ? AND t.receiver = ? AND t.state = 'done' AND c.commitment = ? AND c.payer = ? \
             AND c.verdict = ? LIMIT 1",
        )
        .bind(self.chain)
        .bind(settlement.as_slice())
        .bind(commitment.as_slice())
        .bind(payer.to_be_bytes::<12>().to_vec())
        .bind(i64::from(Verdict::Payable as u8))
        .fetch_optional(&self.pool)
        .await?;
        match row {
            Some(row) => Ok(Some(transaction(&self.pool, &row).await?)),
            None => Ok(None),
        }
    }
}
