//! What is no longer needed goes: ended jobs, results and datasets, each after its own time. What approvals used up, and the ledger of questions, stay.
//!
//! However much there is, it goes in small transactions of one tenant, and what cannot go now keeps nothing else.

use super::{
    Store, audit, quotas, rows,
    sql::{Dialect, Statement, sql},
};
use crate::{
    artefacts::Artefacts,
    audit::{Draft, Event},
    config::Retention,
    error::StoreError,
    jobs::{Instant, Tenant},
};
use std::{sync::Arc, time::Duration};

/// How long a listed artefact is left to whoever reads it just now, or is about to name it.
const READING: Duration = Duration::from_secs(3600);

/// What went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Purged {
    /// Ended jobs, with their results.
    pub jobs: u64,
    /// Results of jobs that are kept.
    pub results: u64,
    /// Datasets.
    pub datasets: u64,
    /// Files of the artefact store.
    pub artefacts: u64,
}

/// Ended jobs that one transaction changes, at most: well within the time of a statement.
const AT_ONCE: usize = 256;

/// What goes of jobs that ended long enough ago.
#[derive(Clone, Copy)]
enum What {
    /// They themselves, with their results. What they spent stays, and the audit log.
    Jobs,
    /// Their results. A done job has one, by the schema: an empty one was kept long enough.
    Results,
}

impl What {
    /// What it is called in the audit log.
    const fn name(self) -> &'static str {
        match self {
            Self::Jobs => "jobs",
            Self::Results => "results",
        }
    }

    /// Which jobs still have it; `$1` is a time.
    const fn due(self) -> &'static str {
        match self {
            Self::Jobs => "ended < $1",
            Self::Results => "state = 'done' AND ended < $1 AND LENGTH(result) > 0",
        }
    }

    /// Removes some of a tenant's, the oldest first, and says when they ended.
    fn remove(self, tenant: &Tenant, from: i64, before: Instant) -> Statement {
        let due = self.due();
        let some = format!(
            "id IN (SELECT id FROM jobs WHERE {due} AND tenant = $2 AND ended >= $3 ORDER BY ended LIMIT {AT_ONCE}) \
             RETURNING ended"
        );
        let (text, empty) = match self {
            Self::Jobs => (format!("DELETE FROM jobs WHERE {some}"), None),
            Self::Results => (format!("UPDATE jobs SET result = $4 WHERE {some}"), Some(Vec::<u8>::new())),
        };
        let remove = sql(text).bind(before.0).bind(tenant.as_str()).bind(from);
        match empty {
            None => remove,
            Some(empty) => remove.bind(empty),
        }
    }
}

/// The first error of parts that are done one after the other, each whatever became of the others.
#[derive(Default)]
struct Problem(Option<StoreError>);

impl Problem {
    /// What a part gives; nothing where it failed.
    fn of<T: Default>(&mut self, part: Result<T, StoreError>) -> T {
        part.unwrap_or_else(|error| {
            self.0.get_or_insert(error);
            T::default()
        })
    }
}

impl Store {
    /// Removes what was kept long enough by `now`, and gives the space back, in transactions of one tenant each, for as long as `goes_on`. A tenant that
    /// is busy is left to the next time, and what fails keeps nothing else from going. Files go last.
    ///
    /// # Errors
    /// The first of what failed: the database or the artefact store refuses, or a tenant was busy. What went stays gone.
    pub async fn purge(
        &self,
        keep: &Retention,
        artefacts: Arc<dyn Artefacts>,
        now: Instant,
        goes_on: impl Fn() -> bool + Send + Sync,
    ) -> Result<Purged, StoreError> {
        let mut problem = Problem::default();
        let before = now.minus(keep.ended_jobs);
        let jobs = self.purge_ended(What::Jobs, before, now, &goes_on, &mut problem).await;
        let days = sql("DELETE FROM quotas WHERE day < $1").bind(quotas::day(before));
        problem.of(self.execute(days).await);
        let before = now.minus(keep.results);
        let results = self.purge_ended(What::Results, before, now, &goes_on, &mut problem).await;
        let datasets = match keep.datasets {
            Some(time) => problem.of(self.expire_datasets(now.minus(time), now).await),
            None => 0,
        };
        if jobs + results + datasets > 0 && self.dialect() == Dialect::Sqlite {
            problem.of(self.execute(sql("PRAGMA incremental_vacuum")).await);
        }
        let artefacts =
            problem.of(self.collect_artefacts(artefacts, (now.minus(READING), now), &goes_on).await);
        problem.0.map_or(Ok(Purged { jobs, results, datasets, artefacts }), Err)
    }

    /// Removes what is due of jobs that ended before `before`, tenant by tenant. Returns how many.
    async fn purge_ended(
        &self,
        what: What,
        before: Instant,
        now: Instant,
        goes_on: &(impl Fn() -> bool + Send + Sync),
        problem: &mut Problem,
    ) -> u64 {
        let due = format!("SELECT DISTINCT tenant FROM jobs WHERE {} ORDER BY tenant", what.due());
        let due = self.all(sql(due).bind(before.0)).await;
        let tenants = due.and_then(|due| due.iter().map(rows::tenant).collect::<Result<Vec<_>, _>>());
        let mut purged = 0;
        for tenant in problem.of(tenants) {
            let mut from = Some(i64::MIN);
            while let Some(ended) = from.filter(|_| goes_on()) {
                let some = self.purge_some(&tenant, what, ended, before, now).await;
                if let Err(error) = &some {
                    tracing::warn!(%error, tenant = tenant.as_str(), what = what.name(), "purging was put off");
                }
                let (removed, next) = problem.of(some);
                purged += removed;
                from = next;
            }
        }
        purged
    }

    /// Removes some of a tenant's that ended at `from` or later, on record. Returns how many, and where the rest begins, if there may be any.
    async fn purge_some(
        &self,
        tenant: &Tenant,
        what: What,
        from: i64,
        before: Instant,
        now: Instant,
    ) -> Result<(u64, Option<i64>), StoreError> {
        let mut tx = self.begin_briefly(tenant).await?;
        let removed = tx.all(what.remove(tenant, from, before)).await?;
        let ended = removed.iter().map(|row| rows::column::<i64>(row, "ended"));
        let newest = ended.collect::<Result<Vec<_>, _>>()?.into_iter().max();
        let count = u64::try_from(removed.len()).unwrap_or(u64::MAX);
        if count > 0 {
            let entry = Draft::by_service(Event::Purged).number(what.name(), count);
            let entry = entry.number("ended_before", before.0.unsigned_abs());
            audit::append(&mut tx, tenant, vec![entry], now).await?;
        }
        tx.commit().await?;
        Ok((count, newest.filter(|_| removed.len() >= AT_ONCE)))
    }
}
