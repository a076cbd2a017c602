//! Whether the clock is believed enough to purge by it. What was purged under a wrong one is gone when it is set right.
//!
//! The time of the last purge is kept, and, in doubt, that until which nothing is purged: a restart neither ends a doubt nor forgets it, nor does
//! a purge by another server that has none.

use super::{
    Store, rows,
    sql::{Connection, sql},
};
use crate::{error::StoreError, jobs::Instant};
use std::time::Duration;

/// How long nothing is purged once the clock is in doubt: an operator may set it right again first. And how much later than the last purge it is when a
/// server that was running says so.
const DOUBT: Duration = Duration::from_secs(86_400);
/// How long after its end a doubt that nobody purged after says that the clock is right: a server that runs a few hours a week purges in the end.
const BELIEVED: Duration = Duration::from_secs(14 * 86_400);
/// Held by `meta`: milliseconds since 1970, as 8 bytes, big-endian.
const PURGED: &str = "purge";
const DOUBTED: &str = "doubt";

/// The newest entry of all audit logs: what is known of the time where nothing was purged yet.
const NEWEST: &str = "SELECT MAX(e.at) AS at FROM audit_logs l JOIN audit_entries e ON e.tenant = l.tenant \
                      AND e.sequence = (SELECT MAX(sequence) FROM audit_entries WHERE tenant = l.tenant)";

async fn held(connection: &mut Connection, name: &str) -> Result<Option<Instant>, StoreError> {
    let select = "SELECT value FROM meta WHERE name = $1";
    let Some(row) = connection.optional(sql(select).bind(name)).await? else { return Ok(None) };
    let bytes = rows::column::<&[u8]>(&row, "value")?.try_into();
    Ok(Some(Instant(i64::from_be_bytes(bytes.map_err(|_| rows::damaged("value"))?))))
}

async fn note(connection: &mut Connection, name: &str, at: Instant) -> Result<(), StoreError> {
    let text = "INSERT INTO meta (name, value) VALUES ($1, $2) \
                ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    connection.execute(sql(text).bind(name).bind(at.0.to_be_bytes().as_slice())).await.map(drop)
}

/// Begins a doubt: nothing is purged for a day by servers that start.
pub(super) async fn begin(connection: &mut Connection, now: Instant) -> Result<(), StoreError> {
    note(connection, DOUBTED, now.plus(DOUBT)).await
}

impl Store {
    /// How long nothing is to be purged from now on. After a jump of the clock, or another cause to wait, and where it is more than a day later than anything here was: a
    /// day. A doubt that began before goes on.
    ///
    /// # Errors
    /// The database refuses: nothing is known.
    pub(crate) async fn doubt_clock(&self, jumped: bool, now: Instant) -> Result<Duration, StoreError> {
        let mut tx = self.begin().await?;
        let doubted = held(&mut tx, DOUBTED).await?;
        let purged = match held(&mut tx, PURGED).await? {
            None => rows::column::<Option<i64>>(&tx.one(sql(NEWEST)).await?, "at")?.map(Instant),
            purged => purged,
        };
        let is_ahead = purged.is_some_and(|purged| purged.plus(DOUBT) < now);
        let until = match doubted {
            _ if jumped => now.plus(DOUBT),
            // Later than any doubt's end, the clock was put back since.
            Some(until) if until > now => until.min(now.plus(DOUBT)),
            Some(until) if until.plus(BELIEVED) >= now => now,
            _ if is_ahead => now.plus(DOUBT),
            _ => now,
        };
        if until > now {
            note(&mut tx, DOUBTED, until).await?;
        }
        tx.commit().await?;
        let left = u64::try_from(until.0.saturating_sub(now.0)).unwrap_or(0);
        Ok(Duration::from_millis(left))
    }

    /// Notes that it was purged, which ends a doubt whose time is over and no other.
    ///
    /// # Errors
    /// The database refuses.
    pub(crate) async fn note_purge(&self, now: Instant) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        note(&mut tx, PURGED, now).await?;
        if held(&mut tx, DOUBTED).await?.is_some_and(|until| until <= now) {
            tx.execute(sql("DELETE FROM meta WHERE name = $1").bind(DOUBTED)).await?;
        }
        tx.commit().await
    }
}
