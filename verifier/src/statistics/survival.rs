//! Survival by the product limit, with Greenwood's bounds.
//!
//! Survival itself is also kept as a fraction of whole numbers, so that the median falls on the right side of one half.

use super::{distribution::NORMAL_975, number::count};
use libm::{exp, log};
use num_bigint::BigUint;
use std::collections::BTreeMap;

/// Those who leave at one time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exits {
    /// With the event.
    pub events: u64,
    /// Censored; at a tie they leave after the events.
    pub censored: u64,
}

impl Exits {
    /// All.
    #[must_use]
    pub const fn all(&self) -> u64 {
        self.events.saturating_add(self.censored)
    }
}

/// Exits by time, in scaled units.
pub type Exposure = BTreeMap<i64, Exits>;

/// The curve at and after one time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// When.
    pub time: i64,
    /// At risk just before.
    pub at_risk: u64,
    /// Who leaves.
    pub exits: Exits,
    /// The probability to survive this time.
    pub survival: f64,
    /// Greenwood's standard error; `None` once nobody survives.
    pub standard_error: Option<f64>,
    /// The 95 % interval, symmetric and cut to 0 and 1.
    pub plain: Option<(f64, f64)>,
    /// The 95 % interval of `ln(-ln survival)`.
    pub log_log: Option<(f64, f64)>,
}

/// A survival curve.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// Each time at which somebody leaves, ascending.
    pub steps: Vec<Step>,
    /// The first time at which survival is at most one half.
    pub median: Option<i64>,
    /// Whether survival is exactly one half there: some programs then print the middle of the interval up to the next event.
    pub median_is_flat: bool,
    /// The 95 % interval of the median: where the log-log bounds pass one half.
    pub median_interval: (Option<i64>, Option<i64>),
}

impl Curve {
    /// Subjects at the start.
    #[must_use]
    pub fn subjects(&self) -> u64 {
        self.steps.first().map_or(0, |step| step.at_risk)
    }

    /// Events in all.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.steps.iter().map(|step| step.exits.events).fold(0, u64::saturating_add)
    }
}

/// The product-limit estimate: E. L. Kaplan and P. Meier, J. Am. Stat. Assoc. 53 (1958).
///
/// Variance: M. Greenwood, Reports on Public Health 33 (1926). Log-log interval: J. D. Kalbfleisch and R. L. Prentice, The
/// Statistical Analysis of Failure Time Data (1980), section 1.3. Median and its interval: R. Brookmeyer and J. Crowley,
/// Biometrics 38 (1982), with the log-log bounds.
#[must_use]
pub fn kaplan_meier(exposure: &Exposure) -> Curve {
    let mut at_risk = exposure.values().map(Exits::all).fold(0, u64::saturating_add);
    let (mut survival, mut greenwood) = (1.0, 0.0);
    let mut exact = Fraction { numerator: BigUint::from(1u8), denominator: BigUint::from(1u8) };
    let mut curve =
        Curve { steps: Vec::new(), median: None, median_is_flat: false, median_interval: (None, None) };
    for (&time, &exits) in exposure.iter().filter(|(_, exits)| exits.all() > 0) {
        let staying = at_risk.saturating_sub(exits.events);
        if exits.events > 0 {
            survival = survival * count(staying) / count(at_risk);
            greenwood += count(exits.events) / (count(at_risk) * count(staying));
            exact.multiply(staying, at_risk);
        }
        let step = bounded(time, at_risk, exits, survival, greenwood);
        if curve.median.is_none() && exact.is_at_most_half() {
            curve.median = Some(time);
            curve.median_is_flat = exact.is_half();
        }
        let (low, high) = &mut curve.median_interval;
        let bounds = step.log_log;
        reach_half(low, time, bounds.map(|(low, _)| low), survival);
        reach_half(high, time, bounds.map(|(_, high)| high), survival);
        curve.steps.push(step);
        at_risk = staying.saturating_sub(exits.censored);
    }
    curve
}

fn bounded(time: i64, at_risk: u64, exits: Exits, survival: f64, greenwood: f64) -> Step {
    let alive = survival > 0.0;
    let standard_error = alive.then(|| survival * greenwood.sqrt());
    let plain = standard_error.map(|error| {
        let reach = NORMAL_975 * error;
        ((survival - reach).max(0.0), (survival + reach).min(1.0))
    });
    Step { time, at_risk, exits, survival, standard_error, plain, log_log: log_log(survival, greenwood) }
}

/// The log-log interval of a survival with this sum of Greenwood's terms; before the first event it is the point 1.
pub(super) fn log_log(survival: f64, greenwood: f64) -> Option<(f64, f64)> {
    if survival >= 1.0 {
        return Some((1.0, 1.0));
    }
    (survival > 0.0).then(|| {
        let hazard = -log(survival);
        let reach = NORMAL_975 * greenwood.sqrt() / hazard;
        (exp(-hazard * exp(reach)), exp(-hazard * exp(-reach)))
    })
}

/// Notes the first time at which a bound is at most one half; where nobody survives there is no bound to pass it.
fn reach_half(place: &mut Option<i64>, time: i64, bound: Option<f64>, survival: f64) {
    if place.is_none() && survival > 0.0 && bound.is_some_and(|bound| bound <= 0.5) {
        *place = Some(time);
    }
}

/// A fraction of whole numbers, not reduced.
struct Fraction {
    numerator: BigUint,
    denominator: BigUint,
}

impl Fraction {
    fn multiply(&mut self, numerator: u64, denominator: u64) {
        self.numerator *= numerator;
        self.denominator *= denominator;
    }

    fn is_at_most_half(&self) -> bool {
        &self.numerator * 2u8 <= self.denominator
    }

    fn is_half(&self) -> bool {
        &self.numerator * 2u8 == self.denominator
    }
}
