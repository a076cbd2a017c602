//! What happens to jobs by itself: leases and deadlines run out.
//!
//! Each tenant's is one transaction, and one that is busy is put off: nobody's jobs wait for another's transaction.

use super::{
    Store, audit,
    queue::Lease,
    rows,
    sql::{Connection, Dialect, Row, Statement, sql},
};
use crate::{
    audit::{Draft, Event},
    clock,
    error::StoreError,
    jobs::{Failure, FailureCode, Instant, JobId, Tenant},
};
use std::{
    collections::HashMap,
    time::{Duration, Instant as Moment},
};

/// The jobs that a sweep changed.
#[derive(Default)]
pub struct Swept {
    /// Failed: their deadline passed.
    pub late: Vec<JobId>,
    /// Queued again: their worker was not heard of.
    pub requeued: Vec<JobId>,
    /// Failed: lost too often.
    pub exhausted: Vec<JobId>,
    /// Tenants of whose jobs nothing was changed, and why. The next sweep finds them as they are.
    pub put_off: Vec<(Tenant, StoreError)>,
}

impl Swept {
    /// Where nobody was put off.
    fn whole(mut self) -> Result<Self, StoreError> {
        match self.put_off.pop() {
            Some((_, error)) => Err(error),
            None => Ok(self),
        }
    }
}

/// What has run out of one tenant's.
#[derive(Default)]
struct Due {
    /// Whether a deadline has passed.
    is_late: bool,
    run_out: Vec<Held>,
}

fn ids(rows: &[Row]) -> Result<Vec<JobId>, StoreError> {
    rows.iter().map(rows::id).collect()
}

fn failed(id: &JobId, code: FailureCode) -> Draft {
    Draft::by_service(Event::Failed).job(id).reason(code.name())
}

/// A lease as it stands in the database.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Held {
    tenant: Tenant,
    id: JobId,
    fence: i64,
    /// Changes with every heartbeat.
    until: i64,
    lasts: Duration,
}

impl Held {
    fn of(row: &Row) -> Result<Self, StoreError> {
        let lasts: i64 = rows::column(row, "lease_milliseconds")?;
        Ok(Self {
            tenant: rows::tenant(row)?,
            id: rows::id(row)?,
            fence: rows::column(row, "fence")?,
            until: rows::column(row, "lease_until")?,
            lasts: Duration::from_millis(lasts.unsigned_abs()),
        })
    }
}

/// Since when each lease looks as it does. Times are those of this process's stopwatch, so clocks that differ or jump take nobody's
/// lease: a holder loses it when this process has looked on for as long as the lease lasts and nothing was heard of the holder.
#[derive(Default)]
pub struct LeaseWatch(HashMap<JobId, (Held, Moment)>);

impl LeaseWatch {
    /// Looks at all leases, which were read between two moments; gives those that have run out. However long the reading took, nobody was listened to
    /// meanwhile: silence counts from after one reading to before another.
    fn look(&mut self, leases: Vec<Held>, (before, after): (Moment, Moment)) -> Vec<Held> {
        let mut run_out = Vec::new();
        let mut seen = HashMap::with_capacity(leases.len());
        for held in leases {
            let since = match self.0.get(&held.id) {
                Some((same, since)) if *same == held => *since,
                _ => after,
            };
            if before.saturating_duration_since(since) >= held.lasts {
                run_out.push(held.clone());
            }
            seen.insert(held.id, (held, since));
        }
        self.0 = seen;
        run_out
    }
}

/// What became of a job that was taken from its holder.
enum TakenBack {
    /// Queued again.
    Requeued,
    /// Failed: lost too often.
    Exhausted,
}

/// Takes a job from its holder, whose entry is the caller's; `None` when somebody else took it, or the holder was heard of after `until`.
async fn take_back(
    connection: &mut Connection,
    (id, fence): (&JobId, i64),
    until: Option<i64>,
    max_losses: u32,
    now: Instant,
) -> Result<Option<TakenBack>, StoreError> {
    let failure = Failure::new(FailureCode::AttemptsExhausted);
    let exhaust = "UPDATE jobs SET state = 'failed', losses = losses + 1, failure_code = $1, failure_message = $2, \
         ended = $3, lease_until = NULL, witness = NULL WHERE losses + 1 >= $4 \
         AND state = 'leased' AND id = $5 AND fence = $6 AND ($7 IS NULL OR lease_until = $8)";
    let exhaust = sql(exhaust).bind(failure.code.name()).bind(&failure.message).bind(now.0).bind(max_losses);
    let this = |statement: Statement| statement.bind(id.0.as_slice()).bind(fence).bind(until).bind(until);
    if connection.execute(this(exhaust)).await? == 1 {
        return Ok(Some(TakenBack::Exhausted));
    }
    let requeue = "UPDATE jobs SET state = 'queued', losses = losses + 1, lease_until = NULL \
         WHERE state = 'leased' AND id = $1 AND fence = $2 AND ($3 IS NULL OR lease_until = $4)";
    Ok((connection.execute(this(sql(requeue))).await? == 1).then_some(TakenBack::Requeued))
}

/// Fails a tenant's jobs whose deadline has passed. Their entries are the caller's.
async fn fail_late(
    connection: &mut Connection,
    tenant: &Tenant,
    now: Instant,
) -> Result<Vec<JobId>, StoreError> {
    let failure = Failure::new(FailureCode::DeadlinePassed);
    let fail = "UPDATE jobs SET state = 'failed', failure_code = $1, failure_message = $2, ended = $3, lease_until = NULL, \
         waiting = NULL, witness = NULL WHERE ended IS NULL AND deadline <= $4 AND tenant = $5 RETURNING id";
    let fail = sql(fail).bind(failure.code.name()).bind(&failure.message).bind(now.0).bind(now.0);
    ids(&connection.all(fail.bind(tenant.as_str())).await?)
}

fn run_out(due: &mut HashMap<Tenant, Due>, held: Held) {
    due.entry(held.tenant.clone()).or_default().run_out.push(held);
}

/// An answer about the time that took longer is not used.
const PROMPT: Duration = Duration::from_secs(1);
const LEASES: &str =
    "SELECT tenant, id, fence, lease_until, lease_milliseconds FROM jobs WHERE state = 'leased'";

impl Store {
    /// Takes back every lease whose holder must have ended: called once at the start, while no other server has the data folder.
    /// None while a worker in another process is attached, nor on PostgreSQL, where a holder may be on another machine: then they
    /// run out by themselves.
    ///
    /// # Errors
    /// The database refuses.
    pub async fn recover(&self, max_losses: u32, now: Instant) -> Result<Swept, StoreError> {
        let alone = self.without_workers();
        if self.dialect() == Dialect::Postgres || alone.is_none() {
            return Ok(Swept::default());
        }
        let mut due = HashMap::new();
        for held in self.leases().await? {
            run_out(&mut due, held);
        }
        self.settle(due, max_losses, now).await.whole()
    }

    async fn leases(&self) -> Result<Vec<Held>, StoreError> {
        self.all(sql(LEASES)).await?.iter().map(Held::of).collect()
    }

    /// Settles what is due, one tenant after the other.
    async fn settle(&self, due: HashMap<Tenant, Due>, max_losses: u32, now: Instant) -> Swept {
        let mut swept = Swept::default();
        for (tenant, due) in due {
            match self.settle_one(&tenant, &due, max_losses, now).await {
                Ok(of_one) => {
                    swept.late.extend(of_one.late);
                    swept.requeued.extend(of_one.requeued);
                    swept.exhausted.extend(of_one.exhausted);
                }
                Err(error) => swept.put_off.push((tenant, error)),
            }
        }
        swept
    }

    async fn settle_one(
        &self,
        tenant: &Tenant,
        due: &Due,
        max_losses: u32,
        now: Instant,
    ) -> Result<Swept, StoreError> {
        let (mut swept, mut tx) = (Swept::default(), self.begin_briefly(tenant).await?);
        if due.is_late {
            swept.late = fail_late(&mut tx, tenant, now).await?;
        }
        for held in &due.run_out {
            let of = (&held.id, held.fence);
            match take_back(&mut tx, of, Some(held.until), max_losses, now).await? {
                Some(TakenBack::Requeued) => swept.requeued.push(held.id),
                Some(TakenBack::Exhausted) => swept.exhausted.push(held.id),
                None => {}
            }
        }
        // After the last job: who has a job's row in hand may wait for the log, and must not be waited for with the log in hand.
        let late = swept.late.iter().map(|id| failed(id, FailureCode::DeadlinePassed));
        let exhausted = swept.exhausted.iter().map(|id| failed(id, FailureCode::AttemptsExhausted));
        audit::append(&mut tx, tenant, late.chain(exhausted).collect(), now).await?;
        tx.commit().await?;
        Ok(swept)
    }

    /// Fails jobs whose deadline has passed and takes back leases that have run out by this stopwatch. Every process of every machine may do it, as
    /// often as it likes: what one has done, the others find done.
    ///
    /// # Errors
    /// The database cannot be read, and nothing was changed. What it refuses of one tenant is in [`Swept::put_off`].
    pub async fn sweep(
        &self,
        watch: &mut LeaseWatch,
        stopwatch: impl Fn() -> Moment + Send,
        max_losses: u32,
        now: Instant,
    ) -> Result<Swept, StoreError> {
        let mut due: HashMap<Tenant, Due> = HashMap::new();
        let before = stopwatch();
        let leases = self.leases().await?;
        for held in watch.look(leases, (before, stopwatch())) {
            run_out(&mut due, held);
        }
        // Most of the time there are none: nobody is kept from writing.
        let late = "SELECT DISTINCT tenant FROM jobs WHERE ended IS NULL AND deadline <= $1";
        for row in self.all(sql(late).bind(now.0)).await? {
            due.entry(rows::tenant(&row)?).or_default().is_late = true;
        }
        Ok(self.settle(due, max_losses, now).await)
    }

    /// Goes by the database's clock from now on, where it serves more than one machine.
    ///
    /// # Errors
    /// The database refuses.
    pub(crate) async fn follow_clock(&self) -> Result<(), StoreError> {
        if self.dialect() == Dialect::Postgres {
            let asked = Moment::now();
            let ask = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS time";
            let row = self.optional(sql(ask)).await?.ok_or_else(|| rows::damaged("time"))?;
            let took = asked.elapsed();
            // A slow answer says little; the next one comes soon.
            if took < PROMPT {
                clock::follow(rows::column(&row, "time")?, asked + took / 2);
            }
        }
        Ok(())
    }

    /// Takes one job back from a worker that died, says the lane that holds the lease. When a device dies, all its lanes do: they take turns.
    ///
    /// # Errors
    /// The database refuses.
    pub async fn lose(&self, lease: &Lease, max_losses: u32, now: Instant) -> Result<(), StoreError> {
        let mut tx = self.begin_even_erased(&lease.tenant).await?;
        // Whatever was heard of the lane meanwhile: it still keeps the lease.
        let taken = take_back(&mut tx, (&lease.id, lease.fence), None, max_losses, now).await?;
        if matches!(taken, Some(TakenBack::Exhausted)) {
            let entry = failed(&lease.id, FailureCode::AttemptsExhausted);
            audit::append(&mut tx, &lease.tenant, vec![entry], now).await?;
        }
        tx.commit().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(fence: i64, until: i64) -> Held {
        let (tenant, lasts) = (Tenant::operator(), Duration::from_secs(3));
        Held { tenant, id: JobId([1; 16]), fence, until, lasts }
    }

    #[test]
    fn a_lease_runs_out_when_nothing_is_heard_for_as_long_as_it_lasts() {
        let (mut watch, begun) = (LeaseWatch::default(), Moment::now());
        let mut look = |second: u64, leases: Vec<Held>| {
            let at = begun + Duration::from_secs(second);
            watch.look(leases, (at, at)).len()
        };
        assert_eq!(look(0, vec![held(1, 10)]), 0, "seen for the first time");
        assert_eq!(look(2, vec![held(1, 10)]), 0);
        assert_eq!(look(4, vec![held(1, 5)]), 0, "heard of, by whatever clock");
        assert_eq!(look(6, vec![held(1, 5)]), 0);
        assert_eq!(look(7, vec![held(2, 5)]), 0, "another holder");
        assert_eq!(look(10, vec![held(2, 5)]), 1);
        assert_eq!(look(11, Vec::new()), 0);
        assert_eq!(look(20, vec![held(2, 5)]), 0, "gone meanwhile: seen for the first time");
    }

    #[test]
    fn no_silence_counts_while_the_database_does_not_answer() {
        let (mut watch, begun) = (LeaseWatch::default(), Moment::now());
        let mut look = |before: u64, after: u64| {
            let at = |second: u64| begun + Duration::from_secs(second);
            watch.look(vec![held(1, 10)], (at(before), at(after))).len()
        };
        assert_eq!(look(0, 5), 0, "seen for the first time, five seconds after it was asked for");
        assert_eq!(look(6, 20), 0, "a second of silence that anybody could have ended");
        assert_eq!(look(7, 7), 0);
        assert_eq!(look(8, 9), 1);
    }
}
