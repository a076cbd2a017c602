//! Whether the clock is believed enough to purge by it. What was purged under a wrong one is gone when it is set right.
//!
//! The time of the last purge is kept, and, in doubt, that until which nothing is purged: a restart neither ends a doubt nor forgets it, nor does
//! a purge by another server that has none.

use super::{
    Store, meta, rows,
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
    let Some(bytes) = meta::held(connection, name).await? else { return Ok(None) };
    let bytes = bytes.try_into().map_err(|_| rows::damaged("value"))?;
    Ok(Some(Instant(i64::from_be_bytes(bytes))))
}

async fn note(connection: &mut Connection, name: &str, at: Instant) -> Result<(), StoreError> {
    meta::put(connection, name, &at.0.to_be_bytes()).await
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
            meta::removed(&mut tx, DOUBTED).await?;
        }
        tx.commit().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config::Config, error::ServiceError};

    fn days(days: u64) -> Instant {
        Instant(1_795_000_000_000).plus(DOUBT * u32::try_from(days).unwrap_or(u32::MAX))
    }

    async fn left(store: &Store, day: u64) -> Result<u64, StoreError> {
        Ok(store.doubt_clock(false, days(day)).await?.as_secs() / 3600)
    }

    async fn opened(folder: &std::path::Path) -> Result<Store, ServiceError> {
        Store::open(&Config::local(folder.join("data"), folder.join("keys"))).await
    }

    #[tokio::test]
    async fn a_purge_by_another_server_ends_no_doubt() -> Result<(), ServiceError> {
        let folder = tempfile::tempdir().map_err(StoreError::io)?;
        let store = opened(folder.path()).await?;
        store.note_purge(days(0)).await?;
        assert_eq!(left(&store, 1).await?, 0, "a day later it is believed");
        assert_eq!(left(&store, 40).await?, 24);
        // Another server, whose clock is right or which has no doubt of it.
        store.note_purge(days(40)).await?;
        assert_eq!(left(&store, 40).await?, 24);
        // The clock is set right again: a doubt of the future lasts no longer than a day.
        assert_eq!(left(&store, 1).await?, 24);
        store.note_purge(days(2)).await?;
        assert_eq!(left(&store, 2).await?, 0, "the doubt is over");
        Ok(())
    }

    /// One that is up for some hours a week: it begins to doubt, and believes the next time.
    #[tokio::test]
    async fn a_doubt_that_nobody_purged_after_is_believed_for_two_weeks() -> Result<(), ServiceError> {
        let folder = tempfile::tempdir().map_err(StoreError::io)?;
        let store = opened(folder.path()).await?;
        store.note_purge(days(0)).await?;
        assert_eq!(left(&store, 7).await?, 24);
        assert_eq!(left(&store, 14).await?, 0);
        store.note_purge(days(14)).await?;
        assert_eq!(left(&store, 21).await?, 24);
        assert_eq!(left(&store, 60).await?, 24, "too long ago to say anything");
        Ok(())
    }
}
