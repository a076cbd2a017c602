//! Jobs as their tenants see them: submit, read, list, cancel.

use super::{
    Store, audit,
    consents::Reliance,
    idempotency::Space,
    ledger::Standing,
    quotas::{self, Quota},
    rows,
    sql::{Connection, Dialect, sql},
};
use crate::{
    audit::Draft,
    error::StoreError,
    jobs::{Instant, Job, JobClass, JobId, SpentAccount, State, Tenant},
    store::seal::{Kind, Seal},
};
use nightingale_circuits::claim::Id;
use nightingale_trace::Traceparent;

/// A request to be made a job.
pub struct Submission<'a> {
    /// Whose it is.
    pub tenant: &'a Tenant,
    /// What is asked for: where the caller's name for it counts.
    pub space: Space,
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
    /// What the audit log says of it.
    pub entry: Draft,
    /// Where in its caller's trace it is accepted.
    pub trace: Option<Traceparent>,
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
    /// The tenant had as many jobs accepted today as it may.
    QuotaUsed,
    /// The consent that the claim relies on is not in force.
    NoConsent(Standing),
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

const OPEN: &str = "SELECT COUNT(*) AS open FROM jobs WHERE tenant = $1 AND ended IS NULL";

/// Pages of SQLite that only what ends something takes, or takes it back, shows or removes it: an outcome needs its place before the witness gives
/// its own back, and a database that is full to the last page would end no job ever.
const RESERVED_PAGES: i64 = 24;
const ROOM: &str = "SELECT max_page_count - page_count + freelist_count AS room \
                    FROM pragma_max_page_count, pragma_page_count, pragma_freelist_count";

/// Refuses what has left too little room to end jobs in a database of bounded size. Last before the commit of whatever only adds.
pub(super) async fn leave_room(tx: &mut Connection) -> Result<(), StoreError> {
    if tx.dialect() == Dialect::Sqlite
        && rows::column::<i64>(&tx.one(sql(ROOM)).await?, "room")? < RESERVED_PAGES
    {
        return Err(StoreError::Full);
    }
    Ok(())
}

impl Store {
    /// Makes a request a job, durably, before it returns.
    ///
    /// # Errors
    /// The database refuses; nothing was accepted.
    pub async fn submit(
        &self,
        new: Submission<'_>,
        quota: impl Into<Quota>,
        now: Instant,
    ) -> Result<Submitted, StoreError> {
        self.submit_relying(new, None, quota, now).await
    }

    /// The same for a claim: not accepted where the ledger of consents does not bear what it relies on.
    ///
    /// # Errors
    /// The database refuses; nothing was accepted.
    pub async fn submit_relying(
        &self,
        new: Submission<'_>,
        reliance: Option<&Reliance>,
        quota: impl Into<Quota>,
        now: Instant,
    ) -> Result<Submitted, StoreError> {
        let quota = quota.into();
        let seal = self.seal(new.tenant).await?;
        let names = Names::of(&seal, new.space, new.idempotency_key);
        let digest = seal.digest("request", &[new.request]);
        let lock = new.account.map(|account| seal.digest("account", &[account]).to_vec());
        let id = JobId::random();
        let witness = seal.seal(Kind::Witness, &id, new.request)?;
        let mut tx = self.begin_for(new.tenant).await?;
        if let Some((id, same)) = known(&mut tx, new.tenant, &names, &digest).await? {
            drop(tx);
            return self.known_job(new.tenant, &id, same).await;
        }
        let open = tx.one(sql(OPEN).bind(new.tenant.as_str())).await?;
        if rows::column::<i64>(&open, "open")? >= i64::from(quota.open) {
            return Ok(Submitted::QueueFull);
        }
        if let Some(per_day) = quota.per_day
            && !quotas::count(&mut tx, new.tenant, per_day, now).await?
        {
            return Ok(Submitted::QuotaUsed);
        }
        if let Some(reliance) = reliance {
            match self.reliance_standing(&mut tx, new.tenant, reliance, now).await? {
                Standing::Clear => {}
                other => return Ok(Submitted::NoConsent(other)),
            }
        }
        let consent = reliance.map(|reliance| self.reliance_subject(new.tenant, reliance)).transpose()?;
        let consent = consent.map(|subject| subject.to_vec());
        let insert = format!(
            "INSERT INTO jobs (tenant, id, idempotency, request_digest, payer, account_lock, size_class, priority, \
             deadline, rebases_spent, state, accepted, witness, consent, trace) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'queued', $11, $12, $13, $14) RETURNING {}",
            rows::JOB
        );
        let row = tx
            .one(
                sql(insert)
                    .bind(new.tenant.as_str())
                    .bind(id.0.as_slice())
                    .bind(names.own)
                    .bind(digest.as_slice())
                    .bind(new.payer.map(payer_bytes).unwrap_or_default())
                    .bind(lock)
                    .bind(new.class.name())
                    .bind(new.priority)
                    .bind(new.deadline.map(|d| d.0))
                    .bind(new.spent_account == SpentAccount::Rebase)
                    .bind(now.0)
                    .bind(witness)
                    .bind(consent)
                    .bind(new.trace.map(|trace| trace.to_string())),
            )
            .await?;
        let job = rows::job(&row)?;
        let entry = new.entry.job(&id).word("class", new.class.name()).digest("request", &digest);
        audit::append(&mut tx, new.tenant, vec![entry], now).await?;
        leave_room(&mut tx).await?;
        tx.commit().await?;
        Ok(Submitted::New(job))
    }

    /// Whether the tenant has as many open jobs as it may, by now: [`Store::submit`] decides.
    ///
    /// # Errors
    /// The database refuses.
    pub async fn is_full(&self, tenant: &Tenant, most: u32) -> Result<bool, StoreError> {
        let row =
            self.optional(sql(OPEN).bind(tenant.as_str())).await?.ok_or_else(|| rows::damaged("open"))?;
        Ok(rows::column::<i64>(&row, "open")? >= i64::from(most))
    }

    /// The job of an earlier submission under this key, if there is one.
    ///
    /// # Errors
    /// The database refuses.
    pub async fn find(
        &self,
        tenant: &Tenant,
        space: Space,
        key: &str,
        request: &[u8],
    ) -> Result<Option<Submitted>, StoreError> {
        let Some(seal) = self.seal_if_any(tenant).await? else { return Ok(None) };
        let names = Names::of(&seal, space, key);
        let digest = seal.digest("request", &[request]);
        let mut connection = self.snapshot().await?;
        let Some((id, same)) = known(&mut connection, tenant, &names, &digest).await? else {
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
        let text = format!("SELECT {}, result FROM jobs WHERE tenant = $1 AND id = $2", rows::JOB);
        let row = self.optional(sql(text).bind(tenant.as_str()).bind(id.0.as_slice())).await?;
        let Some(row) = row else { return Ok(None) };
        let mut job = rows::job(&row)?;
        let sealed = rows::column::<Option<&[u8]>>(&row, "result")?;
        // An empty one was kept long enough, and is gone.
        if let Some(sealed) = sealed.filter(|sealed| !sealed.is_empty()) {
            let seal = self.seal(tenant).await?;
            match job.class {
                JobClass::Claim(_) => job.decision = Some(rows::open_decision(&seal, id, sealed)?),
                JobClass::Cohort(_) => job.answer = Some(rows::open_answer(&seal, id, sealed)?),
            }
        }
        Ok(Some(job))
    }

    /// A page of a tenant's jobs of these classes, the newest first, without decisions; those before sequence number `before`. No states are all of
    /// them, and one told twice is told once: a statement is as long as there are states.
    ///
    /// # Errors
    /// The database refuses.
    pub async fn jobs(
        &self,
        tenant: &Tenant,
        states: &[State],
        classes: &[JobClass],
        before: i64,
        most: u32,
    ) -> Result<Vec<Job>, StoreError> {
        let is_wanted = |state: &State| states.is_empty() || states.contains(state);
        let wanted: Vec<State> = State::ALL.into_iter().filter(is_wanted).collect();
        if classes.is_empty() {
            return Ok(Vec::new());
        }
        let places = |from: usize, count: usize| {
            (from..).take(count).map(|place| format!("${place}")).collect::<Vec<_>>().join(", ")
        };
        let (of_states, of_classes) = (places(4, wanted.len()), places(4 + wanted.len(), classes.len()));
        let text = format!(
            "SELECT {} FROM jobs WHERE tenant = $1 AND sequence < $2 AND state IN ({of_states}) \
             AND size_class IN ({of_classes}) ORDER BY sequence DESC LIMIT $3",
            rows::JOB
        );
        let page = sql(text).bind(tenant.as_str()).bind(before).bind(most);
        let page = wanted.iter().fold(page, |page, state| page.bind(state.name()));
        let page = classes.iter().fold(page, |page, class| page.bind(class.name()));
        self.all_in_turn(tenant, page).await?.iter().map(rows::job).collect()
    }

    /// Cancels a job that has not ended, and puts that on record. A worker that has it finds its lease gone.
    ///
    /// # Errors
    /// The database refuses.
    pub async fn cancel(
        &self,
        tenant: &Tenant,
        id: &JobId,
        entry: Draft,
        now: Instant,
    ) -> Result<Cancelled, StoreError> {
        let mut tx = self.begin_for(tenant).await?;
        let cancelled = tx.execute(sql("UPDATE jobs SET state = 'cancelled', ended = $1, lease_until = NULL, waiting = NULL, witness = NULL \
             WHERE tenant = $2 AND id = $3 AND ended IS NULL").bind(now.0).bind(tenant.as_str()).bind(id.0.as_slice()))
        .await?;
        if cancelled == 1 {
            audit::append(&mut tx, tenant, vec![entry.job(id)], now).await?;
        }
        tx.commit().await?;
        let now = cancelled == 1;
        Ok(match self.job(tenant, id).await? {
            None => Cancelled::Unknown,
            Some(job) if now => Cancelled::Now(job),
            Some(job) if job.state == State::Cancelled => Cancelled::Before(job),
            Some(_) => Cancelled::Ended,
        })
    }

    /// How many jobs of all tenants are in each state, and when the oldest of them was accepted.
    ///
    /// # Errors
    /// The database refuses.
    pub async fn standing_by_state(&self) -> Result<Vec<(State, i64, Instant)>, StoreError> {
        let text = "SELECT state, COUNT(*) AS jobs, MIN(accepted) AS oldest FROM jobs GROUP BY state";
        let rows = self.all(sql(text)).await?;
        rows.iter()
            .map(|row| {
                let state =
                    State::parse(rows::column(row, "state")?).ok_or_else(|| rows::damaged("state"))?;
                Ok((state, rows::column(row, "jobs")?, Instant(rows::column(row, "oldest")?)))
            })
            .collect()
    }
}

/// A caller's name for a request, as it is stored, and as an earlier release stored it.
struct Names {
    space: Space,
    own: [u8; 32],
    earlier: [u8; 32],
}

impl Names {
    fn of(seal: &Seal, space: Space, key: &str) -> Self {
        Self { space, own: space.digest(seal, key), earlier: space.earlier(seal, key) }
    }
}

/// The job under a name, and whether it is of the same request.
async fn known(
    connection: &mut Connection,
    tenant: &Tenant,
    names: &Names,
    digest: &[u8; 32],
) -> Result<Option<(JobId, bool)>, StoreError> {
    for name in [names.own, names.earlier] {
        let select = "SELECT id, request_digest, size_class FROM jobs WHERE tenant = $1 AND idempotency = $2";
        let row = connection.optional(sql(select).bind(tenant.as_str()).bind(name)).await?;
        // An earlier release kept claims and questions under one name; those of another kind are in nobody's way any more.
        if let Some(row) = row
            && names.space.has(rows::class(&row)?)
        {
            return Ok(Some((rows::id(&row)?, rows::column::<&[u8]>(&row, "request_digest")? == digest)));
        }
    }
    Ok(None)
}

/// An identifier as it is stored, travels and is digested for the audit log: 12 bytes, big-endian.
pub(crate) fn payer_bytes(payer: Id) -> Vec<u8> {
    payer.number().to_be_bytes().get(4..).unwrap_or_default().to_vec()
}
