//! Wall time and CPU time of this process, all threads together.

use rustix::time::{ClockId, Timespec, clock_gettime};
use std::time::{Duration, Instant};

/// What one run took.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// By the clock on the wall.
    pub wall: Duration,
    /// Of all threads of this process together, in nanosecond steps.
    pub cpu: Duration,
}

fn cpu() -> Duration {
    let Timespec { tv_sec, tv_nsec } = clock_gettime(ClockId::ProcessCPUTime);
    // The clock counts from the process's start: neither part is negative.
    Duration::new(tv_sec.unsigned_abs(), u32::try_from(tv_nsec).unwrap_or_default())
}

/// Runs `work` and says what it took.
pub fn measure<T>(work: impl FnOnce() -> T) -> (T, Cost) {
    let (cpu_before, wall) = (cpu(), Instant::now());
    let result = work();
    (result, Cost { wall: wall.elapsed(), cpu: cpu().saturating_sub(cpu_before) })
}

/// The median of some durations, in milliseconds; 0 of none.
#[must_use]
pub fn median_ms(durations: impl IntoIterator<Item = Duration>) -> f64 {
    let mut all: Vec<Duration> = durations.into_iter().collect();
    all.sort_unstable();
    let middle = all.get(all.len() / 2).copied().unwrap_or_default();
    let other = all.get(all.len().saturating_sub(1) / 2).copied().unwrap_or_default();
    (middle + other).as_secs_f64() * 500.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_the_middle_or_the_mean_of_the_middle_two() {
        let ms = Duration::from_millis;
        assert!((median_ms([ms(5), ms(1), ms(3)]) - 3.0).abs() < 1e-9);
        assert!((median_ms([ms(4), ms(1), ms(2), ms(9)]) - 3.0).abs() < 1e-9);
        assert!(median_ms([]).abs() < 1e-9);
    }

    #[test]
    fn counts_the_work_of_other_threads() {
        let spin = || {
            let start = Instant::now();
            while start.elapsed() < Duration::from_millis(60) {
                std::hint::spin_loop();
            }
        };
        let ((), cost) = measure(|| {
            std::thread::scope(|scope| {
                scope.spawn(spin);
            });
        });
        assert!(cost.cpu > Duration::from_millis(5), "{cost:?}");
    }
}
