//! The queue as workers see it: lease, keep, give back, set aside, fail.
//!
//! A lease is a right to end one job, numbered by its fence, that lasts while its holder is heard of. Everything that a holder does
//! is guarded by the fence, so a holder whose lease was taken over, cancelled or timed out changes nothing, whatever it sends.

use super::{
    Store, accounts, audit, rows,
    sql::{Connection, Row, Statement, sql},
};
use crate::{
    audit::{Draft, Event},
    error::StoreError,
    jobs::{Failure, Instant, JobClass, JobId, SpentAccount, State, Tenant, Waiting},
    store::seal::Kind,
    worker::course::Course,
};
use nightingale_circuits::claim::Id;
use nightingale_trace::Traceparent;
use std::time::Duration;
use zeroize::Zeroizing;

/// Lost so often, a job may be what ends its workers. Of such jobs one is proven at a time: what is lost beside it is not
/// one of them, so a job that ends workers takes no other job with it. The index `jobs_one_suspect` holds machines to it that
/// ask in the same moment, and has this number too.
const SUSPECT: i64 = 2;

/// Whether a job is a question: a condition on `size_class`.
const QUESTION: &str = "size_class LIKE 'cohort-%'";

/// Which jobs a process takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Share {
    /// Claims and questions.
    Everything,
    /// Claims only.
    Claims,
    /// Questions only.
    Cohorts,
}

impl Share {
    /// A condition on `size_class`.
    pub(super) const fn condition(self) -> &'static str {
        match self {
            Self::Everything => "TRUE",
            Self::Claims => "size_class NOT LIKE 'cohort-%'",
            Self::Cohorts => QUESTION,
        }
    }
}

/// What became of a job that was to be set aside.
#[derive(Debug, PartialEq, Eq)]
pub enum SetAside {
    /// It waits.
    Waiting,
    /// What it was to wait for had come already: it is queued.
    Overtaken,
    /// The lease is no longer held.
    Gone,
}

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
    /// How far it is, for traces.
    pub(crate) course: Course,
    /// The request, sealed.
    witness: Vec<u8>,
}

impl Lease {
    /// Ends the job with its sealed result, within the caller's transaction; `false` when the lease is no longer in force, and
    /// nothing was changed.
    pub(super) async fn conclude(
        &self,
        connection: &mut Connection,
        sealed: Vec<u8>,
        now: Instant,
    ) -> Result<bool, StoreError> {
        let ended = connection.execute(sql("UPDATE jobs SET state = 'done', result = $1, ended = $2, lease_until = NULL, witness = NULL \
             WHERE tenant = $3 AND id = $4 AND state = 'leased' AND fence = $5 AND (deadline IS NULL OR deadline > $6)").bind(sealed).bind(now.0).bind(self.tenant.as_str()).bind(self.id.0.as_slice()).bind(self.fence).bind(now.0))
        .await?;
        Ok(ended == 1)
    }
}

fn leased(row: &Row) -> Result<Lease, StoreError> {
    let payer: &[u8] = rows::column(row, "payer")?;
    let payer =
        (!payer.is_empty()).then(|| payer.iter().fold(0u128, |number, byte| number << 8 | u128::from(*byte)));
    Ok(Lease {
        tenant: rows::tenant(row)?,
        id: rows::id(row)?,
        fence: rows::column(row, "fence")?,
        class: rows::class(row)?,
        payer: payer.map(Id::new).transpose().map_err(|_| rows::damaged("payer"))?,
        account_lock: rows::column(row, "account_lock")?,
        spent_account: match rows::column::<i64>(row, "rebases_spent")? {
            1 => SpentAccount::Rebase,
            _ => SpentAccount::Fail,
        },
        accepted: Instant(rows::column(row, "accepted")?),
        // A trace that cannot be read is nobody's trouble.
        course: Course::new(rows::column::<Option<&str>>(row, "trace")?.and_then(Traceparent::parse)),
        witness: rows::column(row, "witness")?,
    })
}

impl Store {
    /// Takes the share's first queued job that may run: of the tenant with the fewest leased jobs of its kind, claims or questions, then of
    /// the one that this process served longest ago in this share; of its jobs highest priority, then nearest deadline, then oldest. Never one whose
    /// account another leased job holds, nor a second one of those that are suspected of ending their workers; and none of a tenant whose
    /// key was not to be had a moment ago. What another takes in this same moment is passed over, so of one account's claims a later one may be first.
    /// The lease is lost when nothing is heard of its holder for as long as it `lasts`.
    ///
    /// # Errors
    /// The database refuses.
    pub async fn lease(
        &self,
        share: Share,
        now: Instant,
        lasts: Duration,
    ) -> Result<Option<Lease>, StoreError> {
        let left_out = self.left_out();
        let others = match left_out.len() {
            0 => String::new(),
            count => {
                let names = (5..5 + count).map(|place| format!("${place}")).collect::<Vec<_>>();
                format!("AND q.tenant NOT IN ({}) ", names.join(", "))
            }
        };
        let text = format!(
            "WITH turns AS MATERIALIZED ({}) \
             UPDATE jobs SET state = 'leased', fence = fence + 1, attempts = attempts + 1, lease_until = $1, \
             lease_milliseconds = $3, started = COALESCE(started, $2) \
             WHERE state = 'queued' AND sequence = ( \
                 SELECT q.sequence FROM jobs q LEFT JOIN ( \
                     SELECT tenant, {QUESTION} AS question, COUNT(*) AS held FROM jobs WHERE state = 'leased' GROUP BY tenant, {QUESTION} \
                 ) h ON h.tenant = q.tenant AND h.question = (q.{QUESTION}) \
                 LEFT JOIN turns t ON t.name = q.tenant \
                 WHERE q.state = 'queued' AND {} AND (q.deadline IS NULL OR q.deadline > $2) {others}\
                 AND NOT EXISTS (SELECT 1 FROM jobs l WHERE l.state = 'leased' AND l.tenant = q.tenant \
                     AND l.account_lock = q.account_lock) \
                 AND (q.losses < {SUSPECT} OR NOT EXISTS (SELECT 1 FROM jobs s WHERE s.state = 'leased' AND s.losses >= {SUSPECT})) \
                 ORDER BY COALESCE(h.held, 0), COALESCE(t.place, -1), q.priority DESC, q.deadline IS NULL, q.deadline, q.sequence LIMIT 1{}) \
             RETURNING tenant, id, fence, size_class, payer, account_lock, rebases_spent, accepted, witness, trace",
            self.dialect().listed("$4"),
            share.condition(),
            self.dialect().skip_locked(),
        );
        let milliseconds = i64::try_from(lasts.as_millis()).unwrap_or(i64::MAX);
        let statement = sql(text).bind(now.plus(lasts).0).bind(now.0).bind(milliseconds);
        let statement = statement.bind(self.served.list(share));
        let statement = left_out.iter().fold(statement, |statement, tenant| statement.bind(tenant.as_str()));
        match self.of_lease(statement).await {
            Ok(rows) => match rows.first() {
                Some(row) => {
                    let lease = leased(row)?;
                    self.served.note(share, &lease.tenant);
                    Ok(Some(lease))
                }
                None => Ok(None),
            },
            // Another machine took a job of the same account, or another suspect, in the same moment: the next look finds what is left.
            Err(StoreError::Taken) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Opens the request of a lease. A key service may take its time for that, which is why leasing does not wait for it.
    ///
    /// # Errors
    /// As [`Store::seal`]; a key that is still asked for; a request that cannot be opened.
    pub async fn request(&self, lease: &Lease) -> Result<Zeroizing<Vec<u8>>, StoreError> {
        self.seal_soon(&lease.tenant).await?.open(Kind::Witness, &lease.id, &lease.witness)
    }

    /// Keeps a lease; `false` when it is no longer held. What counts is that `until` changes, not what it says.
    ///
    /// # Errors
    /// The database refuses.
    pub async fn heartbeat(&self, lease: &Lease, until: Instant) -> Result<bool, StoreError> {
        let text = "UPDATE jobs SET lease_until = $1 WHERE tenant = $2 AND id = $3 AND state = 'leased' AND fence = $4 RETURNING id";
        self.guarded(sql(text).bind(until.0), lease).await
    }

    /// Puts the job back as it was; `false` when the lease is no longer held.
    ///
    /// # Errors
    /// The database refuses.
    pub async fn release(&self, lease: &Lease) -> Result<bool, StoreError> {
        let text = "UPDATE jobs SET state = 'queued', lease_until = NULL \
                   WHERE tenant = $1 AND id = $2 AND state = 'leased' AND fence = $3 RETURNING id";
        self.guarded(sql(text), lease).await
    }

    /// Sets the job aside until its payer publishes a newer account register than the one that was `seen`, none where there was none. Where that
    /// happened already it found no job waiting: the job is queued.
    ///
    /// # Errors
    /// The database refuses.
    pub async fn set_aside(
        &self,
        lease: &Lease,
        waiting: Waiting,
        seen: Option<u64>,
    ) -> Result<SetAside, StoreError> {
        let mut tx = self.begin_for(&lease.tenant).await?;
        let newest = match lease.payer {
            Some(payer) => accounts::revision_within(&mut tx, &lease.tenant, payer).await?,
            None => None,
        };
        let waits = newest == seen;
        let text = "UPDATE jobs SET state = $1, waiting = $2, lease_until = NULL \
                   WHERE tenant = $3 AND id = $4 AND state = 'leased' AND fence = $5";
        let state = if waits { State::Waiting } else { State::Queued };
        let aside = sql(text).bind(state.name()).bind(waits.then(|| waiting.name()));
        let aside = aside.bind(lease.tenant.as_str()).bind(lease.id.0.as_slice()).bind(lease.fence);
        if tx.execute(aside).await? != 1 {
            return Ok(SetAside::Gone);
        }
        tx.commit().await?;
        Ok(if waits { SetAside::Waiting } else { SetAside::Overtaken })
    }

    /// Counts that the claim was moved onto a newer account; `false` when the lease is no longer held.
    ///
    /// # Errors
    /// The database refuses.
    pub async fn note_rebase(&self, lease: &Lease) -> Result<bool, StoreError> {
        let text = "UPDATE jobs SET rebases = rebases + 1 WHERE tenant = $1 AND id = $2 AND state = 'leased' AND fence = $3 RETURNING id";
        self.guarded(sql(text), lease).await
    }

    /// Ends the job without a proof; `false` when the lease is no longer held.
    ///
    /// # Errors
    /// The database refuses.
    pub async fn fail(&self, lease: &Lease, failure: &Failure, now: Instant) -> Result<bool, StoreError> {
        let text = "UPDATE jobs SET state = 'failed', failure_code = $1, failure_message = $2, failure_lines = $3, \
                   ended = $4, lease_until = NULL, witness = NULL \
                   WHERE tenant = $5 AND id = $6 AND state = 'leased' AND fence = $7";
        let lines = failure.lines.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
        let query = sql(text).bind(failure.code.name()).bind(&failure.message).bind(lines).bind(now.0);
        let query = query.bind(lease.tenant.as_str()).bind(lease.id.0.as_slice()).bind(lease.fence);
        let mut tx = self.begin_for(&lease.tenant).await?;
        if tx.execute(query).await? != 1 {
            return Ok(false);
        }
        let entry = Draft::by_service(Event::Failed).job(&lease.id).reason(failure.code.name());
        audit::append(&mut tx, &lease.tenant, vec![entry], now).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Runs an update whose last three parameters are tenant, job and fence, and which gives the job back.
    async fn guarded(&self, statement: Statement, lease: &Lease) -> Result<bool, StoreError> {
        let statement = statement.bind(lease.tenant.as_str()).bind(lease.id.0.as_slice()).bind(lease.fence);
        Ok(self.of_lease(statement).await?.len() == 1)
    }
}
