//! How many proofs a device is given at a time: half as many after a batch that did not fit, and after some time twice as
//! many again, because what filled its memory may be gone.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// After so long without a failure the limit is doubled.
const RECOVERY: Duration = Duration::from_secs(600);

/// The limit.
pub(super) struct Limit {
    most: usize,
    state: Mutex<(usize, Instant)>,
}

impl Limit {
    /// At most so many, at least one.
    pub(super) fn new(most: usize) -> Self {
        let most = most.max(1);
        Self { most, state: Mutex::new((most, Instant::now())) }
    }

    fn state(&self) -> MutexGuard<'_, (usize, Instant)> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The limit now.
    pub(super) fn get(&self) -> usize {
        self.at(Instant::now())
    }

    fn at(&self, now: Instant) -> usize {
        let mut state = self.state();
        if state.0 < self.most && now.saturating_duration_since(state.1) >= RECOVERY {
            *state = (self.most.min(2 * state.0), now);
        }
        state.0
    }

    /// After a batch of this size that did not fit: the new limit, if that is news.
    pub(super) fn halve(&self, batch: usize) -> Option<usize> {
        let mut state = self.state();
        let limit = (batch / 2).max(1);
        let news = limit < state.0;
        *state = (limit.min(state.0), Instant::now());
        news.then_some(limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_at_once_and_doubles_in_time() {
        let limit = Limit::new(12);
        assert_eq!(
            (limit.halve(12), limit.halve(12), limit.halve(6), limit.halve(1)),
            (Some(6), None, Some(3), Some(1))
        );
        let mut now = Instant::now();
        let mut later = || {
            now += RECOVERY;
            limit.at(now)
        };
        assert_eq!([later(), later(), later(), later(), later()], [2, 4, 8, 12, 12]);
        assert_eq!(Limit::new(0).get(), 1);
    }
}
