//! What is no longer needed goes: ended jobs, results and datasets, each after its own time. What approvals used up, and the ledger of questions, stay.

use super::{
    Store, audit, quotas, rows,
    sql::{Connection, Dialect, Row, sql},
};
use crate::{
    artefacts::Artefacts,
    audit::{Draft, Event},
    config::Retention,
    error::StoreError,
    jobs::Instant,
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

impl Store {
    /// Removes what was kept long enough by `now`, and gives the space back. Files go last, for as long as `goes_on`.
    ///
    /// # Errors
    /// The database or the artefact store refuses; what went before stays gone.
    pub async fn purge(
        &self,
        keep: &Retention,
        artefacts: Arc<dyn Artefacts>,
        now: Instant,
        goes_on: impl Fn() -> bool + Send,
    ) -> Result<Purged, StoreError> {
        let jobs = self.purge_jobs(now.minus(keep.ended_jobs), now).await?;
        let results = self.purge_results(now.minus(keep.results), now).await?;
        let datasets = match keep.datasets {
            Some(time) => self.expire_datasets(now.minus(time), now).await?,
            None => 0,
        };
        if jobs + results + datasets > 0 && self.dialect() == Dialect::Sqlite {
            self.execute(sql("PRAGMA incremental_vacuum")).await?;
        }
        let artefacts = self.collect_artefacts(artefacts, now.minus(READING), goes_on).await?;
        Ok(Purged { jobs, results, datasets, artefacts })
    }

    /// Deletes jobs that ended before `before`, with their results. What they spent stays, and the audit log.
    async fn purge_jobs(&self, before: Instant, now: Instant) -> Result<u64, StoreError> {
        let mut tx = self.begin().await?;
        let count =
            "SELECT tenant, COUNT(*) AS jobs FROM jobs WHERE ended < $1 GROUP BY tenant ORDER BY tenant";
        let counted = tx.all(sql(count).bind(before.0)).await?;
        let purged = tx.execute(sql("DELETE FROM jobs WHERE ended < $1").bind(before.0)).await?;
        record(&mut tx, &counted, "jobs", before, now).await?;
        tx.execute(sql("DELETE FROM quotas WHERE day < $1").bind(quotas::day(before))).await?;
        tx.commit().await?;
        Ok(purged)
    }

    /// Empties results of jobs that ended before `before`. A done job has one, by the schema: an empty one was kept long enough.
    async fn purge_results(&self, before: Instant, now: Instant) -> Result<u64, StoreError> {
        const DUE: &str = "state = 'done' AND ended < $1 AND LENGTH(result) > 0";
        let mut tx = self.begin().await?;
        let count =
            format!("SELECT tenant, COUNT(*) AS jobs FROM jobs WHERE {DUE} GROUP BY tenant ORDER BY tenant");
        let counted = tx.all(sql(count).bind(before.0)).await?;
        let empty = sql(format!("UPDATE jobs SET result = $2 WHERE {DUE}")).bind(before.0).bind(Vec::new());
        let purged = tx.execute(empty).await?;
        record(&mut tx, &counted, "results", before, now).await?;
        tx.commit().await?;
        Ok(purged)
    }
}

/// Puts what went of each tenant on record.
async fn record(
    tx: &mut Connection,
    counted: &[Row],
    what: &'static str,
    before: Instant,
    now: Instant,
) -> Result<(), StoreError> {
    for row in counted {
        let entry = Draft::by_service(Event::Purged).number(what, rows::column(row, "jobs")?);
        let entry = entry.number("ended_before", before.0.unsigned_abs());
        audit::append(tx, &rows::tenant(row)?, vec![entry], now).await?;
    }
    Ok(())
}
