//! The log-rank test of two or more survival curves.

use super::{
    distribution::chi_squared_upper,
    number::{count, float},
    survival::{Exits, Exposure},
};
use std::collections::BTreeSet;

/// What the test found.
#[derive(Clone, Debug, PartialEq)]
pub struct LogRank {
    /// Events in each arm.
    pub observed: Vec<u64>,
    /// Events to expect in each arm if all had the same hazard.
    pub expected: Vec<f64>,
    /// The statistic.
    pub statistic: f64,
    /// Its degrees of freedom: the arms in which an event could have been, less one.
    pub degrees: u32,
    /// The probability of one as large.
    pub p: f64,
}

/// The log-rank test: N. Mantel, Cancer Chemotherapy Reports 50 (1966), for k arms with the covariance of the hypergeometric
/// distribution: R. Peto and J. Peto, J. Roy. Stat. Soc. A 135 (1972).
///
/// `None` when fewer than two arms have anybody at risk at an event, or nothing could have been otherwise.
#[must_use]
pub fn log_rank(arms: &[&Exposure]) -> Option<LogRank> {
    let times: BTreeSet<i64> = arms.iter().flat_map(|arm| arm.keys().copied()).collect();
    let mut at_risk: Vec<u64> =
        arms.iter().map(|arm| arm.values().map(Exits::all).fold(0, u64::saturating_add)).collect();
    let observed: Vec<u64> =
        arms.iter().map(|arm| arm.values().map(|exits| exits.events).fold(0, u64::saturating_add)).collect();
    let mut expected = vec![0.0; arms.len()];
    let mut covariance = vec![vec![0.0; arms.len()]; arms.len()];
    for time in times {
        let exits: Vec<Exits> = arms.iter().map(|arm| arm.get(&time).copied().unwrap_or_default()).collect();
        let events = exits.iter().map(|exits| i128::from(exits.events)).sum::<i128>();
        let all = at_risk.iter().map(|&n| i128::from(n)).sum::<i128>();
        if events > 0 && all > 0 {
            let share = float(events) / float(all);
            for (expected, &n) in expected.iter_mut().zip(&at_risk) {
                *expected += share * count(n);
            }
            if all > 1 {
                let factor = share * (float(all - events) / float(all - 1)) / float(all);
                add_covariance(&mut covariance, &at_risk, factor, float(all));
            }
        }
        for (n, exits) in at_risk.iter_mut().zip(&exits) {
            *n = n.saturating_sub(exits.all());
        }
    }
    statistic(observed, expected, &covariance)
}

/// Adds `factor * n_i (all [i = j] - n_j)`.
fn add_covariance(covariance: &mut [Vec<f64>], at_risk: &[u64], factor: f64, all: f64) {
    for (i, (row, &n)) in covariance.iter_mut().zip(at_risk).enumerate() {
        for (j, (entry, &m)) in row.iter_mut().zip(at_risk).enumerate() {
            let own = if i == j { all } else { 0.0 };
            *entry += factor * count(n) * (own - count(m));
        }
    }
}

fn statistic(observed: Vec<u64>, expected: Vec<f64>, covariance: &[Vec<f64>]) -> Option<LogRank> {
    // Arms without anybody at risk at an event say nothing, and the last of the others follows from the rest.
    let used: Vec<bool> = expected.iter().map(|&expected| expected > 0.0).collect();
    let number = used.iter().filter(|&&used| used).count();
    let free = number.checked_sub(1).filter(|&free| free > 0)?;
    let deviations: Vec<f64> =
        chosen(observed.iter().zip(&expected).map(|(&o, &e)| count(o) - e), &used, free);
    let matrix: Vec<Vec<f64>> =
        chosen(covariance.iter().map(|row| chosen(row.iter().copied(), &used, free)), &used, free);
    let statistic = quadratic_form(deviations, matrix)?;
    let degrees = u32::try_from(free).ok()?;
    Some(LogRank { observed, expected, statistic, degrees, p: chi_squared_upper(statistic, degrees) })
}

fn chosen<T>(items: impl Iterator<Item = T>, used: &[bool], number: usize) -> Vec<T> {
    items.zip(used).filter(|(_, used)| **used).map(|(item, _)| item).take(number).collect()
}

/// `u' V^-1 u` for a symmetric positive definite `V`, one variable after the other: the first one's part, and the same form of
/// what the first leaves unexplained (its Schur complement). `None` for a `V` that is not definite.
fn quadratic_form(mut vector: Vec<f64>, mut matrix: Vec<Vec<f64>>) -> Option<f64> {
    let mut total = 0.0;
    while let (Some((&u, others)), Some((pivots, rows))) = (vector.split_first(), matrix.split_first()) {
        let pivot = pivots.first().copied().filter(|&pivot| pivot > 0.0)?;
        total += u * u / pivot;
        let leading: Vec<f64> =
            rows.iter().map(|row| row.first().map_or(0.0, |first| first / pivot)).collect();
        let next_vector = others.iter().zip(&leading).map(|(other, factor)| other - factor * u).collect();
        let next_matrix = rows
            .iter()
            .zip(&leading)
            .map(|(row, factor)| row.iter().zip(pivots).skip(1).map(|(v, p)| v - factor * p).collect())
            .collect();
        (vector, matrix) = (next_vector, next_matrix);
    }
    Some(total)
}
