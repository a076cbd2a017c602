//! The 2x2 table: an outcome that is there or not, in two groups.

use super::{
    distribution::{NORMAL_975, chi_squared_upper},
    number::{count, float},
};
use libm::{exp, log};

/// Rows with and without the outcome, in two groups. Counts are below 2^62.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fourfold {
    /// The first group with the outcome.
    pub first_with: u64,
    /// The first group without it.
    pub first_without: u64,
    /// The second group with the outcome.
    pub second_with: u64,
    /// The second group without it.
    pub second_without: u64,
}

/// An estimate with its 95 % interval; the interval needs four cells that are not empty.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The estimate.
    pub value: f64,
    /// The interval.
    pub interval: Option<(f64, f64)>,
}

/// A chi-squared statistic of one degree of freedom.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ChiSquared {
    /// The statistic.
    pub statistic: f64,
    /// The probability of one as large.
    pub p: f64,
}

impl Fourfold {
    const fn rows(&self) -> (u64, u64) {
        (
            self.first_with.saturating_add(self.first_without),
            self.second_with.saturating_add(self.second_without),
        )
    }

    const fn columns(&self) -> (u64, u64) {
        (
            self.first_with.saturating_add(self.second_with),
            self.first_without.saturating_add(self.second_without),
        )
    }

    /// The first group's risk over the second's, with the interval of Katz's logarithm: D. Katz, J. Baptista, S. P. Azen and
    /// M. C. Pike, Biometrics 34 (1978). `None` when either group is empty or the second has no outcome.
    #[must_use]
    pub fn risk_ratio(&self) -> Option<Estimate> {
        let (first, second) = self.rows();
        if first == 0 || second == 0 || self.second_with == 0 {
            return None;
        }
        let value = (count(self.first_with) / count(first)) / (count(self.second_with) / count(second));
        let variance = 1.0 / count(self.first_with) - 1.0 / count(first) + 1.0 / count(self.second_with)
            - 1.0 / count(second);
        Some(Estimate { value, interval: (self.first_with > 0).then(|| around(value, variance)) })
    }

    /// The cross product ratio, with the interval of its logarithm: B. Woolf, Annals of Human Genetics 19 (1955). `None` when it
    /// divides by an empty cell; the interval needs all four.
    #[must_use]
    pub fn odds_ratio(&self) -> Option<Estimate> {
        let cells = [self.first_with, self.first_without, self.second_with, self.second_without].map(count);
        let [a, b, c, d] = cells;
        if b == 0.0 || c == 0.0 {
            return None;
        }
        let value = (a * d) / (b * c);
        let full = cells.iter().all(|&cell| cell > 0.0);
        Some(Estimate { value, interval: full.then(|| around(value, 1.0 / a + 1.0 / b + 1.0 / c + 1.0 / d)) })
    }

    /// Pearson's chi-squared, with or without the correction for continuity: K. Pearson, Phil. Mag. 50 (1900); F. Yates, J. Roy.
    /// Stat. Soc. Suppl. 1 (1934), the correction being no larger than the deviation itself. `None` when a margin is empty.
    #[must_use]
    pub fn chi_squared(&self, corrected: bool) -> Option<ChiSquared> {
        let ((r, s), (u, v)) = (self.rows(), self.columns());
        if [r, s, u, v].contains(&0) {
            return None;
        }
        let product = |a: u64, b: u64| i128::from(a) * i128::from(b);
        let determinant =
            product(self.first_with, self.second_without) - product(self.first_without, self.second_with);
        let n = i128::from(r) + i128::from(s);
        // Twice the deviation, so that half of n is whole.
        let doubled = 2 * determinant.abs() - if corrected { n } else { 0 };
        let deviation = float(doubled.max(0)) / 2.0;
        let statistic = float(n) * (deviation / count(r) / count(s)) * (deviation / count(u) / count(v));
        Some(ChiSquared { statistic, p: chi_squared_upper(statistic, 1) })
    }

    /// Fisher's exact probability, two-sided: of all tables with these margins, those that are no more probable than this one.
    ///
    /// R. A. Fisher, Statistical Methods for Research Workers (1934), section 21.02; two-sided as in R's `fisher.test`, whose
    /// tolerance of 1e-7 in deciding "no more probable" this takes over. A probability below about 1e-290 is given as 0.
    #[must_use]
    pub fn fisher(&self) -> f64 {
        let ((r, s), (u, _)) = (self.rows(), self.columns());
        let margins = Margins { r, s, u };
        let (low, high) = (u.saturating_sub(s), r.min(u));
        let mode = u128::from(r).saturating_add(1) * u128::from(u).saturating_add(1)
            / u128::from(r).saturating_add(u128::from(s)).saturating_add(2);
        let mode = u64::try_from(mode).unwrap_or(high).clamp(low, high);
        let observed = self.first_with;
        // Probabilities relative to the mode's, walking away from it on both sides.
        let weight = margins
            .walk(mode, observed < mode)
            .find(|&(k, _)| k == observed)
            .map_or(0.0, |(_, weight)| weight);
        if weight == 0.0 {
            return 0.0;
        }
        let limit = weight * (1.0 + 1e-7);
        let (mut all, mut extreme) = (0.0, 0.0);
        let tables = margins.walk(mode, false).chain(margins.walk(mode, true).skip(1));
        for (_, weight) in tables {
            all += weight;
            if weight <= limit {
                extreme += weight;
            }
        }
        (extreme / all).min(1.0)
    }
}

/// Margins of a table: the first row, the second row, the first column.
#[derive(Clone, Copy)]
struct Margins {
    r: u64,
    s: u64,
    u: u64,
}

impl Margins {
    /// Each table's upper left cell and its probability relative to that of `mode`, from there down or up, while it is above 0.
    fn walk(self, mode: u64, down: bool) -> impl Iterator<Item = (u64, f64)> {
        std::iter::successors(Some((mode, 1.0)), move |&(k, weight)| {
            let (next, ratio) = if down { self.down(k)? } else { self.up(k)? };
            let weight = weight * ratio;
            (weight > 1e-305).then_some((next, weight))
        })
    }

    /// From `k` to `k + 1`: `(r - k)(u - k) / ((k + 1)(s - u + k + 1))`.
    fn up(self, k: u64) -> Option<(u64, f64)> {
        let (left, below) = (self.r.checked_sub(k)?, self.u.checked_sub(k)?);
        let next = k.checked_add(1)?;
        let corner = self.s.checked_add(next)?.checked_sub(self.u)?;
        (left > 0 && below > 0 && corner > 0).then(|| (next, product(left, below) / product(next, corner)))
    }

    /// From `k` to `k - 1`.
    fn down(self, k: u64) -> Option<(u64, f64)> {
        let next = k.checked_sub(1)?;
        let corner = self.s.checked_add(k)?.checked_sub(self.u)?;
        let (left, below) = (self.r.checked_sub(next)?, self.u.checked_sub(next)?);
        (corner > 0).then(|| (next, product(k, corner) / product(left, below)))
    }
}

fn product(a: u64, b: u64) -> f64 {
    float(i128::from(a) * i128::from(b))
}

/// The 95 % interval of a ratio whose logarithm has this variance.
fn around(value: f64, variance: f64) -> (f64, f64) {
    let reach = NORMAL_975 * variance.max(0.0).sqrt();
    (exp(log(value) - reach), exp(log(value) + reach))
}
