//! How many jobs a tenant may have open, and submit a day. The day's count changes in the transaction that accepts the job: no crash
//! counts a job that was not accepted, and a known job counts once.

use super::{
    rows,
    sql::{Connection, sql},
};
use crate::{
    error::StoreError,
    jobs::{Instant, Tenant},
};

/// A day.
const DAY: i64 = 86_400_000;

/// What a tenant may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Jobs that have not ended.
    pub open: u32,
    /// Jobs accepted on one day, by UTC; `None` without bound.
    pub per_day: Option<u32>,
}

impl From<u32> for Quota {
    /// So many open jobs, without bound a day.
    fn from(open: u32) -> Self {
        Self { open, per_day: None }
    }
}

/// The day on which an instant lies, counted from 1970-01-01.
pub(super) const fn day(now: Instant) -> i64 {
    now.0.div_euclid(DAY)
}

/// Until the next day begins.
#[must_use]
pub fn until_tomorrow(now: Instant) -> std::time::Duration {
    let left = DAY - now.0.rem_euclid(DAY);
    std::time::Duration::from_millis(u64::try_from(left).unwrap_or(0))
}

/// Counts one more job of this day; `false` when the tenant has as many as it may, and nothing is counted then.
pub(super) async fn count(
    tx: &mut Connection,
    tenant: &Tenant,
    most: u32,
    now: Instant,
) -> Result<bool, StoreError> {
    let counted = tx
        .optional(
            sql("INSERT INTO quotas (tenant, day, jobs) VALUES ($1, $2, 1) \
                 ON CONFLICT (tenant, day) DO UPDATE SET jobs = quotas.jobs + 1 WHERE quotas.jobs < $3 RETURNING jobs")
            .bind(tenant.as_str())
            .bind(day(now))
            .bind(most),
        )
        .await?;
    let Some(row) = counted else { return Ok(false) };
    Ok(rows::column::<i64>(&row, "jobs")? <= i64::from(most))
}
