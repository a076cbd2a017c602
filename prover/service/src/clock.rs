//! What time it is for jobs. On PostgreSQL every machine goes by the database's clock, so that machines whose clocks differ agree;
//! with SQLite there is one machine and its clock.
//!
//! Deadlines, times of acceptance and retention go by this clock. Leases do not: a lease runs out when nothing was heard of its
//! holder for so long by the listener's own stopwatch (`store::lifecycle`), whatever any clock says.

use std::{
    sync::{
        OnceLock,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// A change of the clock between two looks that is no correction of a good clock any more.
const JUMP: Duration = Duration::from_secs(60);
/// No database's clock is followed.
const NONE: i64 = i64::MIN;

/// Milliseconds that the machine's clock is set ahead of what the system says.
static SHIFT: AtomicI64 = AtomicI64::new(0);
/// The time of the database's clock when this process's stopwatch began.
static DATABASE: AtomicI64 = AtomicI64::new(NONE);

/// Milliseconds on this process's stopwatch at `moment`.
fn stopwatch(moment: Instant) -> i64 {
    static BEGUN: OnceLock<Instant> = OnceLock::new();
    let begun = *BEGUN.get_or_init(|| moment);
    milliseconds(moment.saturating_duration_since(begun))
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// Milliseconds since 1970-01-01 UTC.
pub(crate) fn now() -> i64 {
    match DATABASE.load(Ordering::Relaxed) {
        NONE => {
            let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            milliseconds(since).saturating_add(SHIFT.load(Ordering::Relaxed))
        }
        begun => begun.saturating_add(stopwatch(Instant::now())),
    }
}

/// Follows the database's clock, which said `time` at `moment`. A jump of this machine's clock changes nothing from then on.
pub(crate) fn follow(time: i64, moment: Instant) {
    DATABASE.store(time.saturating_sub(stopwatch(moment)), Ordering::Relaxed);
}

/// Sets this process's clock ahead of the system's by so many milliseconds, or back. For tests: no command does it.
pub fn shift(milliseconds: i64) {
    SHIFT.store(milliseconds, Ordering::Relaxed);
}

/// Notices when the clock was set.
#[derive(Default)]
pub(crate) struct Watch(Option<i64>);

impl Watch {
    /// How many milliseconds the clock was set ahead since the last look, or back; `None` when it just ran.
    pub(crate) fn jumped(&mut self) -> Option<i64> {
        let begun = now().saturating_sub(stopwatch(Instant::now()));
        let last = self.0.replace(begun)?;
        let by = begun.saturating_sub(last);
        (by.unsigned_abs() > milliseconds(JUMP).unsigned_abs()).then_some(by)
    }
}
