//! What changes in the outbox. Each change is one SQL transaction, guarded by the state that it expects.

use super::{ClaimRow, Mined, Outbox, State, Transaction, number};
use crate::{PosterError, account::Signed, clock, node::Fees};
use alloy_primitives::{Address, B256};
use nightingale_contracts::{bindings::Verdict, deploy::Request};
use sqlx::{Row, Sqlite, query::Query, sqlite::SqliteArguments};

/// A transaction that was signed for the first time.
pub(crate) struct Draft<'a> {
    pub(crate) sender: Address,
    pub(crate) nonce: u64,
    pub(crate) request: &'a Request,
    pub(crate) gas_limit: u64,
    pub(crate) plan: Option<(B256, u32)>,
    pub(crate) claims: &'a [ClaimRow],
    /// When it was asked for, in seconds since 1970.
    pub(crate) asked_at: u64,
}

impl Outbox {
    /// Writes down a signed transaction. Only after this may it be sent.
    pub(crate) async fn insert(
        &self,
        draft: &Draft<'_>,
        fees: Fees,
        signed: &Signed,
    ) -> Result<i64, PosterError> {
        let mut all = self.pool.begin().await?;
        let text = "INSERT INTO transactions (purpose, receiver, data, gas_limit, plan, step, asked_at, chain, sender, nonce, state) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'open') RETURNING id";
        let insert = described(sqlx::query(text), draft)?;
        let insert = insert.bind(self.chain).bind(draft.sender.as_slice()).bind(number(draft.nonce)?);
        let id: i64 = insert.fetch_one(&mut *all).await?.try_get(0)?;
        for (position, claim) in draft.claims.iter().enumerate() {
            sqlx::query(
                "INSERT INTO claims (transaction_id, position, payer, commitment, tags) VALUES (?, ?, ?, ?, ?)",
            )
            .bind(id)
            .bind(number(position)?)
            .bind(claim.payer.to_be_bytes::<12>().to_vec())
            .bind(claim.commitment.as_slice())
            .bind(claim.tags.iter().flat_map(|tag| tag.0).collect::<Vec<u8>>())
            .execute(&mut *all)
            .await?;
        }
        attempt(&mut all, id, 0, fees, signed).await?;
        all.commit().await?;
        Ok(id)
    }

    /// Writes down another offer for the same nonce, with the gas limit that it has. Only after this may it be sent.
    pub(crate) async fn add_attempt(
        &self,
        row: &Transaction,
        gas_limit: u64,
        fees: Fees,
        signed: &Signed,
    ) -> Result<(), PosterError> {
        let mut all = self.pool.begin().await?;
        sqlx::query("UPDATE transactions SET gas_limit = ? WHERE id = ? AND state = 'open'")
            .bind(number(gas_limit)?)
            .bind(row.id)
            .execute(&mut *all)
            .await?;
        attempt(&mut all, row.id, number(row.attempts.len())?, fees, signed).await?;
        all.commit().await?;
        Ok(())
    }

    /// Writes down another request under the nonce of a row, whose own is not to be sent any more; the row is the other's from now on, and open. Only
    /// after this may it be sent.
    pub(crate) async fn replace(
        &self,
        row: &Transaction,
        draft: &Draft<'_>,
        fees: Fees,
        signed: &Signed,
    ) -> Result<(), PosterError> {
        let mut all = self.pool.begin().await?;
        let text = "UPDATE transactions SET purpose = ?, receiver = ?, data = ?, gas_limit = ?, plan = ?, step = ?, asked_at = ?, \
             state = 'open', mined_hash = NULL, mined_block = NULL, mined_gas = NULL, problem = NULL, taken_hash = NULL, \
             taken_block = NULL WHERE id = ? AND state = ?";
        let update = described(sqlx::query(text), draft)?.bind(row.id).bind(row.state.name());
        update.execute(&mut *all).await?;
        attempt(&mut all, row.id, number(row.attempts.len())?, fees, signed).await?;
        all.commit().await?;
        Ok(())
    }

    /// An open transaction is mined deep enough: done with the contract's verdict of each claim, or failed, perhaps for
    /// another reason than a revert.
    pub(crate) async fn finish(
        &self,
        id: i64,
        state: State,
        mined: Mined,
        verdicts: &[Verdict],
        problem: Option<&str>,
    ) -> Result<(), PosterError> {
        let mut all = self.pool.begin().await?;
        sqlx::query(
            "UPDATE transactions SET state = ?, mined_hash = ?, mined_block = ?, mined_gas = ?, problem = ? \
             WHERE id = ? AND state = 'open'",
        )
        .bind(state.name())
        .bind(mined.transaction.as_slice())
        .bind(number(mined.block)?)
        .bind(number(mined.gas_used)?)
        .bind(problem)
        .bind(id)
        .execute(&mut *all)
        .await?;
        for (position, verdict) in verdicts.iter().enumerate() {
            sqlx::query("UPDATE claims SET verdict = ? WHERE transaction_id = ? AND position = ?")
                .bind(i64::from(*verdict as u8))
                .bind(id)
                .bind(number(position)?)
                .execute(&mut *all)
                .await?;
        }
        all.commit().await?;
        Ok(())
    }

    /// Another transaction used the nonce, in this block.
    pub(crate) async fn lose(&self, id: i64, by: B256, block: u64) -> Result<(), PosterError> {
        let lost = "UPDATE transactions SET state = 'lost', taken_hash = ?, taken_block = ? WHERE id = ? AND state = 'open'";
        sqlx::query(lost).bind(by.as_slice()).bind(number(block)?).bind(id).execute(&self.pool).await?;
        Ok(())
    }

    /// Opens again what has ended by a block that is in the chain no more: a reorganisation went deeper than the wanted depth, or another
    /// node had made it up.
    pub(crate) async fn reopen(&self, id: i64) -> Result<(), PosterError> {
        let mut all = self.pool.begin().await?;
        sqlx::query(
            "UPDATE transactions SET state = 'open', mined_hash = NULL, mined_block = NULL, mined_gas = NULL, \
             problem = NULL, taken_hash = NULL, taken_block = NULL WHERE id = ? AND state <> 'open'",
        )
        .bind(id)
        .execute(&mut *all)
        .await?;
        sqlx::query("UPDATE claims SET verdict = NULL WHERE transaction_id = ?")
            .bind(id)
            .execute(&mut *all)
            .await?;
        all.commit().await?;
        Ok(())
    }
}

/// Binds what a draft is for: the first seven parameters of what writes it.
fn described<'q>(
    query: Query<'q, Sqlite, SqliteArguments>,
    draft: &'q Draft<'_>,
) -> Result<Query<'q, Sqlite, SqliteArguments>, PosterError> {
    Ok(query
        .bind(&draft.request.purpose)
        .bind(draft.request.to.as_ref().map(|to| to.as_slice()))
        .bind(draft.request.data.as_ref())
        .bind(number(draft.gas_limit)?)
        .bind(draft.plan.as_ref().map(|(plan, _)| plan.as_slice()))
        .bind(draft.plan.map(|(_, step)| i64::from(step)))
        .bind(number(draft.asked_at)?))
}

async fn attempt(
    all: &mut sqlx::SqliteConnection,
    id: i64,
    before: i64,
    fees: Fees,
    signed: &Signed,
) -> Result<(), PosterError> {
    sqlx::query(
        "INSERT INTO attempts (transaction_id, number, hash, raw, max_fee, tip, signed_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(id)
    .bind(before)
    .bind(signed.hash.as_slice())
    .bind(signed.raw.as_ref())
    .bind(number(fees.max_fee)?)
    .bind(number(fees.tip)?)
    .bind(number(clock::now())?)
    .execute(all)
    .await?;
    Ok(())
}
