//! What happens to jobs by itself: leases and deadlines run out, waiting ends, the old is purged.

use super::{Store, jobs::payer_bytes, rows};
use crate::{
    error::StoreError,
    jobs::{Failure, FailureCode, Instant, JobId, Tenant},
};
use nightingale_circuits::claim::Id;
use sqlx::{SqliteConnection, sqlite::SqliteRow};

/// The jobs that a sweep changed.
#[derive(Default)]
pub struct Swept {
    /// Failed: their deadline passed.
    pub late: Vec<JobId>,
    /// Queued again: their worker was not heard of.
    pub requeued: Vec<JobId>,
    /// Failed: lost too often.
    pub exhausted: Vec<JobId>,
}

fn ids(rows: &[SqliteRow]) -> Result<Vec<JobId>, StoreError> {
    rows.iter().map(rows::id).collect()
}

/// Takes jobs from workers that let their lease, due at `due`, run out.
async fn take_back(
    connection: &mut SqliteConnection,
    due: i64,
    max_losses: u32,
    now: Instant,
) -> Result<(Vec<JobId>, Vec<JobId>), StoreError> {
    let failure = Failure::new(FailureCode::AttemptsExhausted);
    let exhausted = sqlx::query(
        "UPDATE jobs SET state = 'failed', losses = losses + 1, failure_code = ?, failure_message = ?, ended = ?, \
         lease_until = NULL, witness = NULL \
         WHERE state = 'leased' AND lease_until <= ? AND losses + 1 >= ? RETURNING id",
    )
    .bind(failure.code.name())
    .bind(&failure.message)
    .bind(now.0)
    .bind(due)
    .bind(max_losses)
    .fetch_all(&mut *connection)
    .await?;
    let requeued = sqlx::query(
        "UPDATE jobs SET state = 'queued', losses = losses + 1, lease_until = NULL \
         WHERE state = 'leased' AND lease_until <= ? RETURNING id",
    )
    .bind(due)
    .fetch_all(&mut *connection)
    .await?;
    Ok((ids(&exhausted)?, ids(&requeued)?))
}

impl Store {
    /// Takes back every lease: called once at the start, while the data folder is ours alone, so that every holder is
    /// a process that has ended.
    ///
    /// # Errors
    /// The database refuses.
    pub async fn recover(&self, max_losses: u32, now: Instant) -> Result<Swept, StoreError> {
        let mut tx = self.write.begin_with("BEGIN IMMEDIATE").await?;
        let (exhausted, requeued) = take_back(&mut tx, i64::MAX, max_losses, now).await?;
        tx.commit().await?;
        Ok(Swept { late: Vec::new(), requeued, exhausted })
    }

    /// Fails jobs whose deadline has passed and takes back leases that have run out.
    ///
    /// # Errors
    /// The database refuses.
    pub async fn sweep(&self, max_losses: u32, now: Instant) -> Result<Swept, StoreError> {
        let failure = Failure::new(FailureCode::DeadlinePassed);
        let mut tx = self.write.begin_with("BEGIN IMMEDIATE").await?;
        let late = sqlx::query(
            "UPDATE jobs SET state = 'failed', failure_code = ?, failure_message = ?, ended = ?, lease_until = NULL, \
             waiting = NULL, witness = NULL WHERE ended IS NULL AND deadline <= ? RETURNING id",
        )
        .bind(failure.code.name())
        .bind(&failure.message)
        .bind(now.0)
        .bind(now.0)
        .fetch_all(&mut *tx)
        .await?;
        let (exhausted, requeued) = take_back(&mut tx, now.0, max_losses, now).await?;
        tx.commit().await?;
        Ok(Swept { late: ids(&late)?, requeued, exhausted })
    }

    /// Takes one job back from a worker that died.
    ///
    /// # Errors
    /// The database refuses.
    pub async fn lose(
        &self,
        lease: &super::queue::Lease,
        max_losses: u32,
        now: Instant,
    ) -> Result<(), StoreError> {
        let mut tx = self.write.begin_with("BEGIN IMMEDIATE").await?;
        // Run out now, and only if it is still this lease.
        let sql =
            "UPDATE jobs SET lease_until = -1 WHERE tenant = ? AND id = ? AND state = 'leased' AND fence = ?";
        sqlx::query(sql)
            .bind(lease.tenant.as_str())
            .bind(lease.id.0.as_slice())
            .bind(lease.fence)
            .execute(&mut *tx)
            .await?;
        take_back(&mut tx, -1, max_losses, now).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Queues a tenant's jobs that wait for a publication of `payer`.
    ///
    /// # Errors
    /// The database refuses.
    pub async fn resume(&self, tenant: &Tenant, payer: Id) -> Result<Vec<JobId>, StoreError> {
        let rows = sqlx::query(
            "UPDATE jobs SET state = 'queued', waiting = NULL WHERE state = 'waiting' AND tenant = ? AND payer = ? \
             RETURNING id",
        )
        .bind(tenant.as_str())
        .bind(payer_bytes(payer))
        .fetch_all(&self.write)
        .await?;
        ids(&rows)
    }

    /// Deletes jobs that ended before `before`, with their results, and gives the space back. What they spent stays.
    ///
    /// # Errors
    /// The database refuses.
    pub async fn purge(&self, before: Instant) -> Result<u64, StoreError> {
        let purged =
            sqlx::query("DELETE FROM jobs WHERE ended < ?").bind(before.0).execute(&self.write).await?;
        if purged.rows_affected() > 0 {
            sqlx::query("PRAGMA incremental_vacuum").execute(&self.write).await?;
        }
        Ok(purged.rows_affected())
    }
}
