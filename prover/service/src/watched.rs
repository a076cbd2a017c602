//! What is believed because it is read again and again: who vouches for callers and who was revoked, an issuer's keys.
//!
//! A reading that fails changes nothing at first: the last good one counts, the failure is in the log and in the metrics, and it is read
//! again at every look. After a day the last good reading counts no more, because it may not know of a revocation since. Time is the
//! caller's, so that a test need not wait.

use std::{
    os::unix::fs::MetadataExt,
    path::Path,
    sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
    time::{Duration, Instant as Moment},
};

/// A reading that could not be repeated for so long is no longer believed.
pub(crate) const STALE: Duration = Duration::from_secs(86_400);
/// How often the log says again that something cannot be read.
const REMIND: Duration = Duration::from_secs(3600);

/// The last good reading of something.
pub(crate) struct Watched<T> {
    what: &'static str,
    held: RwLock<Held<T>>,
}

struct Held<T> {
    value: T,
    /// When the value was last known to be what there is to read; `None` before the first reading.
    good: Option<Moment>,
    trouble: Option<Trouble>,
}

/// Why it cannot be read now.
struct Trouble {
    since: Moment,
    problem: String,
    said: Moment,
}

impl<T: Clone> Watched<T> {
    /// `what` names it in log and metrics. `good` is when `value` was read; `None` where it stands for nothing yet.
    pub(crate) const fn new(what: &'static str, value: T, good: Option<Moment>) -> Self {
        Self { what, held: RwLock::new(Held { value, good, trouble: None }) }
    }

    fn held(&self) -> RwLockReadGuard<'_, Held<T>> {
        self.held.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self) -> RwLockWriteGuard<'_, Held<T>> {
        self.held.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Its name in log and metrics.
    pub(crate) const fn what(&self) -> &'static str {
        self.what
    }

    /// The last good reading, however old.
    pub(crate) fn last(&self) -> T {
        self.held().value.clone()
    }

    /// The last good reading, unless it is too old to be believed, or there is none.
    pub(crate) fn believed(&self, now: Moment) -> Option<T> {
        let held = self.held();
        let good = held.good?;
        (now.saturating_duration_since(good) <= STALE).then(|| held.value.clone())
    }

    /// Whether the last look failed: then it is to be read again.
    pub(crate) fn is_in_trouble(&self) -> bool {
        self.held().trouble.is_some()
    }

    /// For how long it could not be read, counted from the last look that found it good; nothing where it could.
    pub(crate) fn unread(&self, now: Moment) -> Duration {
        let held = self.held();
        let since = held.trouble.as_ref().map(|trouble| held.good.unwrap_or(trouble.since));
        since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since))
    }

    /// Looks: reads it where it changed, or could not be read before; whether a new reading counts from now on.
    pub(crate) fn look(
        &self,
        is_changed: bool,
        now: Moment,
        read: impl FnOnce() -> Result<T, String>,
    ) -> bool {
        if is_changed || self.is_in_trouble() {
            return self.take(read(), now);
        }
        self.change().good = Some(now);
        false
    }

    /// Takes a reading; whether it counts from now on.
    pub(crate) fn take(&self, reading: Result<T, String>, now: Moment) -> bool {
        let mut held = self.change();
        match reading {
            Ok(value) => {
                if held.trouble.take().is_some() {
                    tracing::info!(what = self.what, "can be read again");
                }
                (held.value, held.good) = (value, Some(now));
                true
            }
            Err(problem) => {
                let known = held.trouble.as_ref();
                let since = known.map_or(now, |trouble| trouble.since);
                let is_said = known.is_some_and(|trouble| {
                    trouble.problem == problem && now.saturating_duration_since(trouble.said) < REMIND
                });
                if is_said {
                    return false;
                }
                let believed = held.good.is_some_and(|good| now.saturating_duration_since(good) <= STALE);
                match believed {
                    true => tracing::error!(
                        what = self.what,
                        problem,
                        "cannot be read; what was read before counts, for a day at most"
                    ),
                    false => tracing::error!(
                        what = self.what,
                        problem,
                        "cannot be read, and nobody is believed by it"
                    ),
                }
                held.trouble = Some(Trouble { since, problem, said: now });
                false
            }
        }
    }
}

/// What changes with a file, as far as the file system tells; `None` where there is none.
pub(crate) type Stamp = Option<[i64; 6]>;

/// Looks at a file without reading it.
pub(crate) fn stamp(path: &Path) -> Stamp {
    let data = std::fs::metadata(path).ok()?;
    let (length, node) = (data.len().cast_signed(), data.ino().cast_signed());
    // The second time changes with a file's rights, too.
    Some([data.mtime(), data.mtime_nsec(), data.ctime(), data.ctime_nsec(), length, node])
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn what_cannot_be_read_counts_for_a_day_and_then_no_more() {
        let begun = Moment::now();
        let watched = Watched::new("callers", 1, Some(begun));
        // Looked at for a week, it is as new as it was.
        let week = begun + 7 * STALE;
        let not_read = || Err("read, and nothing had changed".to_owned());
        assert!(!watched.look(false, week, not_read));
        assert_eq!((watched.believed(week), watched.is_in_trouble()), (Some(1), false));
        let broken = week + SECOND;
        let is_no_list = || Err("is no list".to_owned());
        assert!(!watched.look(true, broken, is_no_list));
        assert!(watched.is_in_trouble());
        assert_eq!(watched.believed(week + STALE), Some(1));
        assert_eq!(watched.unread(week + STALE), STALE);
        // A look that finds nothing changed does not make it new: it is read again, in vain.
        assert!(!watched.look(false, week + STALE, is_no_list));
        assert_eq!(watched.believed(week + STALE + SECOND), None);
        assert_eq!(watched.last(), 1);
        let mended = week + 2 * STALE;
        assert!(watched.look(false, mended, || Ok(2)));
        assert_eq!((watched.believed(mended), watched.unread(mended)), (Some(2), Duration::ZERO));
    }

    #[test]
    fn what_was_never_read_is_not_believed() {
        let now = Moment::now();
        let watched = Watched::new("issuer", 0, None);
        assert_eq!(watched.believed(now), None);
        assert!(!watched.take(Err("does not answer".into()), now));
        assert_eq!(watched.believed(now), None);
        assert!(watched.take(Ok(1), now));
        assert_eq!(watched.believed(now), Some(1));
    }

    #[test]
    fn nobody_looking_for_a_day_is_no_better_than_not_reading() {
        let begun = Moment::now();
        let watched = Watched::new("callers", 1, Some(begun));
        assert_eq!(watched.believed(begun + STALE), Some(1));
        assert_eq!(watched.believed(begun + STALE + SECOND), None);
    }
}
