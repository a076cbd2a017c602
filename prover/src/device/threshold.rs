//! From which batch length on an accelerator is faster than the device beside it: measured, because it depends on both.

use super::{Device, Summation, workload};
use crate::{ProveError, groth16::Key};
use nightingale_circuits::Fr;
use std::{
    fmt,
    ops::ControlFlow,
    time::{Duration, Instant},
};

/// A batch of the second measurement: enough to tell the cost of one more proof from that of a call.
const BATCH: usize = 8;

/// The shortest batch that is faster on the accelerator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Threshold {
    least: Option<usize>,
}

impl Threshold {
    /// Every batch goes to the accelerator.
    pub const ALWAYS: Self = Self { least: Some(1) };

    /// Whether a batch of this length goes to the accelerator.
    #[must_use]
    pub fn allows(self, batch: usize) -> bool {
        self.least.is_some_and(|least| batch >= least)
    }

    /// From times: of one proof on the processor, of one and of `batch` in one call of the accelerator. Between and beyond
    /// them a straight line.
    fn from_times(processor: Duration, one: Duration, batch: usize, many: Duration, limit: usize) -> Self {
        let [processor, one, many] = [processor, one, many].map(|time| time.as_secs_f64());
        let each = if batch > 1 { (many - one) / (batch - 1) as f64 } else { one };
        let faster = |length: &usize| one + each * (length - 1) as f64 <= processor * *length as f64;
        Self { least: (1..=limit.max(1)).find(faster) }
    }
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.least {
            Some(1) => f.write_str("faster for every batch"),
            Some(least) => write!(f, "faster from batches of {least} on"),
            None => f.write_str("slower for every batch"),
        }
    }
}

/// Measures both devices with made-up proofs of the key's size. Takes a few of their proofs' time.
pub(super) fn measure(
    accelerator: &dyn Device,
    processor: &dyn Device,
    key: &Key,
    limit: usize,
) -> Result<Threshold, ProveError> {
    let (public, constraints) = (key.system().public(), key.system().a().len());
    let (key, values) = workload::proof(public, constraints)?;
    let there = accelerator.groth16(&key)?;
    let one = time(&*there, &values, 1)?;
    let batch = BATCH.min(limit).max(1);
    let many = if batch > 1 { time(&*there, &values, batch)? } else { one };
    drop(there);
    let here = time(&*processor.groth16(&key)?, &values, 1)?;
    Ok(Threshold::from_times(here, one, batch, many, limit))
}

/// The shorter of two times; the first call also fills caches.
fn time(summation: &dyn Summation, values: &[Fr], batch: usize) -> Result<Duration, ProveError> {
    let batch = vec![values; batch];
    let mut best = Duration::MAX;
    for _ in 0..2 {
        let start = Instant::now();
        summation.sums(&batch, &mut |_| ControlFlow::Continue(()))?;
        best = best.min(start.elapsed());
    }
    Ok(best)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_that_costs_more_than_it_saves_waits_for_a_longer_batch() {
        let ms = Duration::from_millis;
        // 100 ms of overhead and 10 ms a proof, against 40 ms a proof: equal between 3 and 4.
        let threshold = |limit| Threshold::from_times(ms(40), ms(110), 8, ms(180), limit);
        assert!(!threshold(16).allows(3) && threshold(16).allows(4));
        assert!(!threshold(3).allows(3), "never reached");
        // A slower device is never faster.
        assert_eq!(Threshold::from_times(ms(40), ms(50), 8, ms(400), 64), Threshold { least: None });
        assert_eq!(Threshold::from_times(ms(40), ms(15), 8, ms(40), 64), Threshold::ALWAYS);
    }
}
