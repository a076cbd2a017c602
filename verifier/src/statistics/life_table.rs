//! The interval life table: survival where times are known by intervals only, as researchers' answers give them.

use super::{
    distribution::NORMAL_975,
    number::{count, float},
    survival::{Exits, log_log},
};

/// One interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LifeRow {
    /// Alive at its start.
    pub entering: u64,
    /// Who leaves in it.
    pub exits: Exits,
    /// Exposed: who enters, less half of those censored in it.
    pub exposed: f64,
    /// The probability of the event in it, for who enters it; `None` when nobody is exposed.
    pub risk: Option<f64>,
    /// The probability to survive it.
    pub survival: f64,
    /// Its standard error; `None` once nobody survives.
    pub standard_error: Option<f64>,
    /// The 95 % interval, symmetric and cut to 0 and 1.
    pub plain: Option<(f64, f64)>,
    /// The 95 % interval of `ln(-ln survival)`.
    pub log_log: Option<(f64, f64)>,
}

/// The actuarial estimate over intervals in ascending order: S. J. Cutler and F. Ederer, J. Chronic Diseases 8 (1958), with
/// Greenwood's variance as in E. A. Gehan, J. Chronic Diseases 21 (1969).
#[must_use]
pub fn life_table(intervals: &[Exits]) -> Vec<LifeRow> {
    let mut entering = intervals.iter().map(Exits::all).fold(0, u64::saturating_add);
    let (mut survival, mut greenwood) = (1.0, 0.0);
    let mut rows = Vec::with_capacity(intervals.len());
    for &exits in intervals {
        // Halves, exactly: a double holds every half below 2^52.
        let exposed = float(2 * i128::from(entering) - i128::from(exits.censored)) / 2.0;
        let events = count(exits.events);
        let risk = (exposed > 0.0).then(|| events / exposed);
        if exits.events > 0 && exposed > 0.0 {
            let staying = exposed - events;
            survival = survival * staying / exposed;
            greenwood += events / (exposed * staying);
        }
        let standard_error = (survival > 0.0).then(|| survival * greenwood.sqrt());
        rows.push(LifeRow {
            entering,
            exits,
            exposed,
            risk,
            survival,
            standard_error,
            plain: standard_error.map(|error| {
                let reach = NORMAL_975 * error;
                ((survival - reach).max(0.0), (survival + reach).min(1.0))
            }),
            log_log: log_log(survival, greenwood),
        });
        entering = entering.saturating_sub(exits.all());
    }
    rows
}
