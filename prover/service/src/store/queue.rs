//! The queue as workers see it: lease, keep, give back, set aside, fail.
//!
//! A lease is a right to end one job until a time, numbered by its fence. Everything that a holder does is guarded by
//! both, so a holder whose lease was taken over, cancelled or timed out changes nothing, whatever it sends.

use super::{Store, rows};
use crate::{
    error::StoreError,
    jobs::{Failure, Instant, JobClass, JobId, SpentAccount, Tenant, Waiting},
    store::seal::Kind,
};
use nightingale_circuits::claim::Id;
use sqlx::{SqliteConnection, sqlite::SqliteRow};
use zeroize::Zeroizing;

/// A job in a worker's hands. No `Debug`: it holds the witness.
pub struct Lease {
    /// Whose job it is.
    pub tenant: Tenant,
    /// The job.
    pub id: JobId,
    /// The number of this lease.
    pub fence: i64,
    /// What is proven.
    pub class: JobClass,
    /// The payer of a claim.
    pub payer: Option<Id>,
    /// What is never proven twice at a time.
    pub account_lock: Option<Vec<u8>>,
    /// What to do when the account version is used up.
    pub spent_account: SpentAccount,
    /// When it was accepted.
    pub accepted: Instant,
    /// The request; an error when it cannot be opened.
    pub request: Result<Zeroizing<Vec<u8>>, StoreError>,
}

impl Lease {
    /// Ends the job with its sealed result, within the caller's transaction; `false` when the lease is no longer in force, and
    /// nothing was changed.
    pub(super) async fn conclude(
        &self,
        connection: &mut SqliteConnection,
        sealed: Vec<u8>,
        now: Instant,
    ) -> Result<bool, StoreError> {
        let ended = sqlx::query(
            "UPDATE jobs SET state = 'done', result = ?, ended = ?, lease_until = NULL, witness = NULL \
             WHERE tenant = ? AND id = ? AND state = 'leased' AND fence = ? AND (deadline IS NULL OR deadline > ?)",
        )
        .bind(sealed)
        .bind(now.0)
        .bind(self.tenant.as_str())
        .bind(self.id.0.as_slice())
        .bind(self.fence)
        .bind(now.0)
        .execute(connection)
        .await?;
        Ok(ended.rows_affected() == 1)
    }
}

impl Store {
    /// Takes the first queued job that may run: highest priority, then nearest deadline, then oldest; never one whose
    /// account another leased job holds.
    ///
    /// # Errors
    /// The database refuses.
    pub async fn lease(&self, now: Instant, until: Instant) -> Result<Option<Lease>, StoreError> {
        let row = sqlx::query(
            "UPDATE jobs SET state = 'leased', fence = fence + 1, attempts = attempts + 1, lease_until = ?1, \
             started = COALESCE(started, ?2) \
             WHERE state = 'queued' AND sequence = ( \
                 SELECT q.sequence FROM jobs q \
                 WHERE q.state = 'queued' AND (q.deadline IS NULL OR q.deadline > ?2) \
                 AND NOT EXISTS (SELECT 1 FROM jobs l WHERE l.state = 'leased' AND l.tenant = q.tenant \
                     AND l.account_lock = q.account_lock) \
                 ORDER BY q.priority DESC, q.deadline IS NULL, q.deadline, q.sequence LIMIT 1) \
             RETURNING tenant, id, fence, size_class, payer, account_lock, rebases_spent, accepted, witness",
        )
        .bind(until.0)
        .bind(now.0)
        .fetch_optional(&self.write)
        .await?;
        row.map(|row| self.leased(&row)).transpose()
    }

    fn leased(&self, row: &SqliteRow) -> Result<Lease, StoreError> {
        let (tenant, id) = (rows::tenant(row)?, rows::id(row)?);
        let request = self.seal(&tenant).open(Kind::Witness, &id, rows::column(row, "witness")?);
        let payer: &[u8] = rows::column(row, "payer")?;
        let payer = (!payer.is_empty())
            .then(|| payer.iter().fold(0u128, |number, byte| number << 8 | u128::from(*byte)));
        Ok(Lease {
            tenant,
            id,
            fence: rows::column(row, "fence")?,
            class: rows::class(row)?,
            payer: payer.map(Id::new).transpose().map_err(|_| rows::damaged("payer"))?,
            account_lock: rows::column(row, "account_lock")?,
            spent_account: match rows::column::<i64>(row, "rebases_spent")? {
                1 => SpentAccount::Rebase,
                _ => SpentAccount::Fail,
            },
            accepted: Instant(rows::column(row, "accepted")?),
            request,
        })
    }

    /// Keeps a lease; `false` when it is no longer held.
    ///
    /// # Errors
    /// The database refuses.
    pub async fn heartbeat(&self, lease: &Lease, until: Instant) -> Result<bool, StoreError> {
        let sql =
            "UPDATE jobs SET lease_until = ? WHERE tenant = ? AND id = ? AND state = 'leased' AND fence = ?";
        self.guarded(sqlx::query(sql).bind(until.0), lease).await
    }

    /// Puts the job back as it was; `false` when the lease is no longer held.
    ///
    /// # Errors
    /// The database refuses.
    pub async fn release(&self, lease: &Lease) -> Result<bool, StoreError> {
        let sql = "UPDATE jobs SET state = 'queued', lease_until = NULL \
                   WHERE tenant = ? AND id = ? AND state = 'leased' AND fence = ?";
        self.guarded(sqlx::query(sql), lease).await
    }

    /// Sets the job aside until something else happens; `false` when the lease is no longer held.
    ///
    /// # Errors
    /// The database refuses.
    pub async fn set_aside(&self, lease: &Lease, waiting: Waiting) -> Result<bool, StoreError> {
        let sql = "UPDATE jobs SET state = 'waiting', waiting = ?, lease_until = NULL \
                   WHERE tenant = ? AND id = ? AND state = 'leased' AND fence = ?";
        self.guarded(sqlx::query(sql).bind(waiting.name()), lease).await
    }

    /// Counts that the claim was moved onto a newer account; `false` when the lease is no longer held.
    ///
    /// # Errors
    /// The database refuses.
    pub async fn note_rebase(&self, lease: &Lease) -> Result<bool, StoreError> {
        let sql = "UPDATE jobs SET rebases = rebases + 1 WHERE tenant = ? AND id = ? AND state = 'leased' AND fence = ?";
        self.guarded(sqlx::query(sql), lease).await
    }

    /// Ends the job without a proof; `false` when the lease is no longer held.
    ///
    /// # Errors
    /// The database refuses.
    pub async fn fail(&self, lease: &Lease, failure: &Failure, now: Instant) -> Result<bool, StoreError> {
        let sql = "UPDATE jobs SET state = 'failed', failure_code = ?, failure_message = ?, failure_lines = ?, \
                   ended = ?, lease_until = NULL, witness = NULL \
                   WHERE tenant = ? AND id = ? AND state = 'leased' AND fence = ?";
        let lines = failure.lines.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
        let query = sqlx::query(sql).bind(failure.code.name()).bind(&failure.message).bind(lines).bind(now.0);
        self.guarded(query, lease).await
    }

    /// Runs an update whose last three parameters are tenant, job and fence.
    async fn guarded<'q>(
        &self,
        query: sqlx::query::Query<'q, sqlx::Sqlite, sqlx::sqlite::SqliteArguments>,
        lease: &'q Lease,
    ) -> Result<bool, StoreError> {
        let query = query.bind(lease.tenant.as_str()).bind(lease.id.0.as_slice()).bind(lease.fence);
        Ok(query.execute(&self.write).await?.rows_affected() == 1)
    }
}
