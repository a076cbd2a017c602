//! Jobs as their tenants see them: submit, read, list, cancel.

use super::{Store, rows};
use crate::{
    error::StoreError,
    jobs::{Instant, Job, JobClass, JobId, SpentAccount, State, Tenant},
    store::seal::Kind,
};
use nightingale_circuits::claim::Id;
use sqlx::{AssertSqlSafe, QueryBuilder, Row, Sqlite, SqliteConnection};

/// A request to be made a job.
pub struct Submission<'a> {
    /// Whose it is.
    pub tenant: &'a Tenant,
    /// The caller's name for it.
    pub idempotency_key: &'a str,
    /// The request's bytes.
    pub request: &'a [u8],
    /// The payer that a claim is addressed to.
    pub payer: Option<Id>,
    /// Member, coverage and benefit year: what is never proven twice at a time. `None` when it is not enrolled.
    pub account: Option<&'a [u8]>,
    /// What is proven.
    pub class: JobClass,
    /// Higher goes first.
    pub priority: i32,
    /// When it fails unless it has ended.
    pub deadline: Option<Instant>,
    /// What to do when the account version is used up.
    pub spent_account: SpentAccount,
}

/// What became of a submission.
pub enum Submitted {
    /// A new job.
    New(Job),
    /// The job of an earlier submission of the same request under the same key.
    Known(Job),
    /// The key names a job of another request.
    KeyReused,
    /// The tenant has as many open jobs as it may.
    QueueFull,
}

/// What became of a cancellation.
pub enum Cancelled {
    /// It is cancelled now.
    Now(Job),
    /// It was cancelled before.
    Before(Job),
    /// It had ended otherwise.
    Ended,
    /// The tenant has no such job.
    Unknown,
}

impl Store {
    /// Makes a request a job, durably, before it returns.
    ///
    /// # Errors
    /// The database refuses; nothing was accepted.
    pub async fn submit(
        &self,
        new: Submission<'_>,
        most: u32,
        now: Instant,
    ) -> Result<Submitted, StoreError> {
        let seal = self.seal(new.tenant);
        let idempotency = seal.digest("idempotency", &[new.idempotency_key.as_bytes()]);
        let digest = seal.digest("request", &[new.request]);
        let lock = new.account.map(|account| seal.digest("account", &[account]).to_vec());
        let id = JobId::random();
        let witness = seal.seal(Kind::Witness, &id, new.request)?;
        let mut tx = self.write.begin_with("BEGIN IMMEDIATE").await?;
        if let Some((id, same)) = known(&mut tx, new.tenant, &idempotency, &digest).await? {
            drop(tx);
            return self.known_job(new.tenant, &id, same).await;
        }
        let open: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM jobs WHERE tenant = ? AND ended IS NULL")
            .bind(new.tenant.as_str())
            .fetch_one(&mut *tx)
            .await?;
        if open >= i64::from(most) {
            return Ok(Submitted::QueueFull);
        }
        let insert = format!(
            "INSERT INTO jobs (tenant, id, idempotency, request_digest, payer, account_lock, size_class, priority, \
             deadline, rebases_spent, state, accepted, witness) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'queued', ?, ?) RETURNING {}",
            rows::JOB
        );
        let row = sqlx::query(AssertSqlSafe(insert))
            .bind(new.tenant.as_str())
            .bind(id.0.as_slice())
            .bind(idempotency.as_slice())
            .bind(digest.as_slice())
            .bind(new.payer.map(payer_bytes).unwrap_or_default())
            .bind(lock)
            .bind(new.class.name())
            .bind(new.priority)
            .bind(new.deadline.map(|d| d.0))
            .bind(i64::from(new.spent_account == SpentAccount::Rebase))
            .bind(now.0)
            .bind(witness)
            .fetch_one(&mut *tx)
            .await?;
        let job = rows::job(&row)?;
        tx.commit().await?;
        Ok(Submitted::New(job))
    }

    /// The job of an earlier submission under this key, if there is one.
    ///
    /// # Errors
    /// The database refuses.
    pub async fn find(
        &self,
        tenant: &Tenant,
        key: &str,
        request: &[u8],
    ) -> Result<Option<Submitted>, StoreError> {
        let seal = self.seal(tenant);
        let idempotency = seal.digest("idempotency", &[key.as_bytes()]);
        let digest = seal.digest("request", &[request]);
        let mut connection = self.read.acquire().await?;
        let Some((id, same)) = known(&mut connection, tenant, &idempotency, &digest).await? else {
            return Ok(None);
        };
        drop(connection);
        self.known_job(tenant, &id, same).await.map(Some)
    }

    async fn known_job(&self, tenant: &Tenant, id: &JobId, same: bool) -> Result<Submitted, StoreError> {
        if !same {
            return Ok(Submitted::KeyReused);
        }
        let job = self.job(tenant, id).await?;
        job.map(Submitted::Known).ok_or_else(|| StoreError::Bug("a known job is gone".into()))
    }

    /// A tenant's job with its decision or answer.
    ///
    /// # Errors
    /// The database refuses.
    pub async fn job(&self, tenant: &Tenant, id: &JobId) -> Result<Option<Job>, StoreError> {
        let sql = format!("SELECT {}, result FROM jobs WHERE tenant = ? AND id = ?", rows::JOB);
        let row = sqlx::query(AssertSqlSafe(sql))
            .bind(tenant.as_str())
            .bind(id.0.as_slice())
            .fetch_optional(&self.read)
            .await?;
        let Some(row) = row else { return Ok(None) };
        let mut job = rows::job(&row)?;
        if let Some(sealed) = rows::column::<Option<&[u8]>>(&row, "result")? {
            let seal = self.seal(tenant);
            match job.class {
                JobClass::Claim(_) => job.decision = Some(rows::open_decision(&seal, id, sealed)?),
                JobClass::Cohort(_) => job.answer = Some(rows::open_answer(&seal, id, sealed)?),
            }
        }
        Ok(Some(job))
    }

    /// A page of a tenant's jobs, the newest first, without decisions; those before sequence number `before`.
    ///
    /// # Errors
    /// The database refuses.
    pub async fn jobs(
        &self,
        tenant: &Tenant,
        states: &[State],
        before: i64,
        most: u32,
    ) -> Result<Vec<Job>, StoreError> {
        let mut query = QueryBuilder::<Sqlite>::new("SELECT ");
        query.push(rows::JOB).push(" FROM jobs WHERE tenant = ").push_bind(tenant.as_str());
        query.push(" AND sequence < ").push_bind(before);
        if !states.is_empty() {
            let mut list = query.push(" AND state IN (").separated(", ");
            for state in states {
                list.push_bind(state.name());
            }
            query.push(")");
        }
        query.push(" ORDER BY sequence DESC LIMIT ").push_bind(i64::from(most));
        query.build().fetch_all(&self.read).await?.iter().map(rows::job).collect()
    }

    /// Cancels a job that has not ended. A worker that has it finds its lease gone.
    ///
    /// # Errors
    /// The database refuses.
    pub async fn cancel(&self, tenant: &Tenant, id: &JobId, now: Instant) -> Result<Cancelled, StoreError> {
        let cancelled = sqlx::query(
            "UPDATE jobs SET state = 'cancelled', ended = ?, lease_until = NULL, waiting = NULL, witness = NULL \
             WHERE tenant = ? AND id = ? AND ended IS NULL",
        )
        .bind(now.0)
        .bind(tenant.as_str())
        .bind(id.0.as_slice())
        .execute(&self.write)
        .await?;
        let now = cancelled.rows_affected() == 1;
        Ok(match self.job(tenant, id).await? {
            None => Cancelled::Unknown,
            Some(job) if now => Cancelled::Now(job),
            Some(job) if job.state == State::Cancelled => Cancelled::Before(job),
            Some(_) => Cancelled::Ended,
        })
    }

    /// How many jobs of all tenants are in each state.
    ///
    /// # Errors
    /// The database refuses.
    pub async fn counts(&self) -> Result<Vec<(State, i64)>, StoreError> {
        let rows = sqlx::query("SELECT state, COUNT(*) AS jobs FROM jobs GROUP BY state")
            .fetch_all(&self.read)
            .await?;
        rows.iter()
            .map(|row| {
                let state = State::parse(row.get("state")).ok_or_else(|| rows::damaged("state"))?;
                Ok((state, rows::column(row, "jobs")?))
            })
            .collect()
    }
}

/// The job under an idempotency key, and whether it is of the same request.
async fn known(
    connection: &mut SqliteConnection,
    tenant: &Tenant,
    idempotency: &[u8; 32],
    digest: &[u8; 32],
) -> Result<Option<(JobId, bool)>, StoreError> {
    let row = sqlx::query("SELECT id, request_digest FROM jobs WHERE tenant = ? AND idempotency = ?")
        .bind(tenant.as_str())
        .bind(idempotency.as_slice())
        .fetch_optional(connection)
        .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some((rows::id(&row)?, rows::column::<&[u8]>(&row, "request_digest")? == digest)))
}

/// A payer as it is stored: 12 bytes, big-endian.
pub(super) fn payer_bytes(payer: Id) -> Vec<u8> {
    payer.number().to_be_bytes().get(4..).unwrap_or_default().to_vec()
}
