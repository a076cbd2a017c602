//! What a device did, for metrics.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// Whether a device gets work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It is asked first.
    Working,
    /// It waits for the primary to fail.
    Standby,
    /// It was lost, is broken or was never there.
    Retired,
}

/// What a device did since it was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Its name.
    pub device: String,
    /// Whether it gets work.
    pub state: State,
    /// Calls that gave results.
    pub batches: u64,
    /// Proofs in them.
    pub proofs: u64,
    /// Calls that gave none, so that the work went elsewhere or nowhere.
    pub failures: u64,
    /// The time of all calls together.
    pub busy: Duration,
}

#[derive(Default)]
pub(super) struct Counters {
    batches: AtomicU64,
    proofs: AtomicU64,
    failures: AtomicU64,
    microseconds: AtomicU64,
}

impl Counters {
    pub(super) fn done(&self, proofs: usize) {
        self.batches.fetch_add(1, Ordering::Relaxed);
        self.proofs.fetch_add(proofs as u64, Ordering::Relaxed);
    }

    pub(super) fn failed(&self) {
        self.failures.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn took(&self, time: Duration) {
        let microseconds = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.microseconds.fetch_add(microseconds, Ordering::Relaxed);
    }

    pub(super) fn report(&self, device: &str, state: State) -> Report {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Report {
            device: device.to_owned(),
            state,
            batches: read(&self.batches),
            proofs: read(&self.proofs),
            failures: read(&self.failures),
            busy: Duration::from_micros(read(&self.microseconds)),
        }
    }
}
