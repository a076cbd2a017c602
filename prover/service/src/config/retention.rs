//! `[retention]`: how long what is no longer needed is kept. The housekeeping enforces it.

use super::{bad, within};
use crate::error::ServiceError;
use serde::Deserialize;
use std::time::Duration;

const DAY: u64 = 86_400;

/// How long each kind is kept. What an approval used up, and the ledger of questions, are kept for good.
#[derive(Clone, Copy, Debug)]
pub struct Retention {
    /// The epoch before the newest is still accepted for so long.
    pub epoch_grace: Duration,
    /// A job after its end, with its name and how it ended.
    pub ended_jobs: Duration,
    /// A job's sealed result after its end; never longer than the job.
    pub results: Duration,
    /// A dataset's files after its registration; `None` until they are removed by hand.
    pub datasets: Option<Duration>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct File {
    epoch_grace_seconds: u64,
    ended_jobs_days: u64,
    results_days: Option<u64>,
    datasets_days: Option<u64>,
}

impl Default for File {
    fn default() -> Self {
        Self { epoch_grace_seconds: DAY, ended_jobs_days: 30, results_days: None, datasets_days: None }
    }
}

impl Default for Retention {
    fn default() -> Self {
        File::default().retention()
    }
}

impl File {
    pub(super) fn check(self) -> Result<Retention, ServiceError> {
        within("retention.epoch_grace_seconds", self.epoch_grace_seconds, 0, 366 * DAY)?;
        within("retention.ended_jobs_days", self.ended_jobs_days, 1, 36_600)?;
        if let Some(days) = self.results_days {
            within("retention.results_days", days, 1, 36_600)?;
            if days > self.ended_jobs_days {
                let problem =
                    "is more than retention.ended_jobs_days: a result goes with its job at the latest";
                return Err(bad("retention.results_days", problem));
            }
        }
        if let Some(days) = self.datasets_days {
            within("retention.datasets_days", days, 1, 36_600)?;
        }
        Ok(self.retention())
    }

    fn retention(&self) -> Retention {
        let days = |days: u64| Duration::from_secs(days * DAY);
        Retention {
            epoch_grace: Duration::from_secs(self.epoch_grace_seconds),
            ended_jobs: days(self.ended_jobs_days),
            results: days(self.results_days.unwrap_or(self.ended_jobs_days)),
            datasets: self.datasets_days.map(days),
        }
    }
}
