//! Whether the clock is believed enough to purge by it. What was purged under a wrong one is gone when it is set right.
//!
//! The time of the last purge is kept, or, in doubt, that until which nothing is purged: a restart neither ends a doubt nor forgets it.

use super::{
    Store, rows,
    sql::{Connection, sql},
};
use crate::{error::StoreError, jobs::Instant};
use std::time::Duration;

/// How long nothing is purged once the clock is in doubt: an operator may set it right again first. And how much later than the last purge it is when a
/// server that was running says so.
const DOUBT: Duration = Duration::from_secs(86_400);
/// Held by `meta`: milliseconds since 1970, as 8 bytes, big-endian.
const NAME: &str = "purge";

/// The newest entry of all audit logs: what is known of the time where nothing was purged yet.
const NEWEST: &str = "SELECT MAX(e.at) AS at FROM audit_logs l JOIN audit_entries e ON e.tenant = l.tenant \
                      AND e.sequence = (SELECT MAX(sequence) FROM audit_entries WHERE tenant = l.tenant)";

async fn note(connection: &mut Connection, at: Instant) -> Result<(), StoreError> {
    let text = "INSERT INTO meta (name, value) VALUES ($1, $2) \
                ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    connection.execute(sql(text).bind(NAME).bind(at.0.to_be_bytes().as_slice())).await.map(drop)
}

impl Store {
    /// How long nothing is to be purged from now on. After a jump of the clock, or another cause to wait, and where it is more than a day later than anything here was: a
    /// day. A doubt that began before goes on.
    ///
    /// # Errors
    /// The database refuses: nothing is known.
    pub(crate) async fn doubt_clock(&self, jumped: bool, now: Instant) -> Result<Duration, StoreError> {
        let mut tx = self.begin().await?;
        let select = "SELECT value FROM meta WHERE name = $1";
        let held = match tx.optional(sql(select).bind(NAME)).await? {
            Some(row) => {
                let bytes = rows::column::<&[u8]>(&row, "value")?.try_into();
                Some(Instant(i64::from_be_bytes(bytes.map_err(|_| rows::damaged("value"))?)))
            }
            None => rows::column::<Option<i64>>(&tx.one(sql(NEWEST)).await?, "at")?.map(Instant),
        };
        let until = match held {
            _ if jumped => now.plus(DOUBT),
            Some(held) if held.plus(DOUBT) < now => now.plus(DOUBT),
            // Later than now, it ends a doubt; later than any doubt's end, the clock was put back since.
            Some(held) => held.min(now.plus(DOUBT)),
            None => now,
        };
        note(&mut tx, until).await?;
        tx.commit().await?;
        let left = u64::try_from(until.0.saturating_sub(now.0)).unwrap_or(0);
        Ok(Duration::from_millis(left))
    }

    /// Notes that it was purged.
    ///
    /// # Errors
    /// The database refuses.
    pub(crate) async fn note_purge(&self, now: Instant) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        note(&mut tx, now).await?;
        tx.commit().await
    }
}
