//! Waiting for a node: longer and longer pauses, until time runs out.

use super::Poster;
use std::time::{Duration, Instant};
use tokio::time::sleep;

const SHORTEST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

pub(crate) struct Patience {
    start: Instant,
    timeout: Duration,
    pause: Duration,
}

impl Patience {
    /// Whether there is no time left for another pause.
    pub(crate) fn is_over(&self) -> bool {
        self.start.elapsed() + self.pause > self.timeout
    }

    /// Waits a moment; false when there is no time left for it.
    pub(crate) async fn pause(&mut self) -> bool {
        if self.is_over() {
            return false;
        }
        sleep(self.pause).await;
        self.pause = (self.pause * 3 / 2).min(LONGEST_PAUSE);
        true
    }
}

impl Poster {
    /// As much as the terms have, from now on.
    pub(crate) fn patience(&self) -> Patience {
        Patience { start: Instant::now(), timeout: self.terms.timeout, pause: SHORTEST_PAUSE }
    }
}
