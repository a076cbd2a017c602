//! Two arms compared: means by Welch's t, outcomes by the 2x2 table.

use super::{Reading, counts::percent, summary::sample};
use crate::statistics::{
    Figure, Finding, Kind, Row,
    fourfold::{ChiSquared, Estimate, Fourfold},
    roles::outcome,
    sample::{Sample, Welch, welch},
    source::HiddenCell,
    words::word,
};
use nightingale_circuits::cohort::Column;

const NO_TEST: &str = "it needs two values in each group, and some variation";

/// Welch's test of each value column that is more than yes or no, for each two arms.
pub(super) fn welch_tests(reading: &Reading<'_>) -> Vec<Finding> {
    let values = reading.source.values().into_iter().enumerate();
    let numbers = values.filter(|(_, column)| outcome(column).is_none());
    numbers
        .map(|(place, column)| {
            let of_arm = |arm: u32| reading.in_arm(arm).map(|figures| sample(&figures, place, column));
            let rows = reading.arm_pairs().into_iter().map(|pair| {
                let test = of_arm(pair.0).and_then(|first| Ok(compare(first, of_arm(pair.1)?)));
                welch_row(Row::new(reading.versus(pair)), &test)
            });
            reading.finding(Kind::WelchT, Some(column.name.clone()), rows.collect())
        })
        .collect()
}

fn compare(first: Option<Sample>, second: Option<Sample>) -> Option<Welch> {
    welch(&first?, &second?)
}

fn welch_row(row: Row, test: &Result<Option<Welch>, HiddenCell>) -> Row {
    type Get = fn(&Welch) -> f64;
    let figures: [(&'static str, Get); 7] = [
        ("difference", |test| test.difference),
        ("standard_error", |test| test.standard_error),
        ("low", |test| test.low),
        ("high", |test| test.high),
        ("t", |test| test.t),
        ("degrees", |test| test.degrees),
        ("p", |test| test.p),
    ];
    figures.into_iter().fold(row, |row, (name, get)| {
        row.with(name, test.clone().map(|test| Figure::or(test.as_ref().map(get), NO_TEST)))
    })
}

/// Rows with and without an outcome.
type WithWithout = Result<(u64, u64), HiddenCell>;

/// The 2x2 tables: of value columns that are 0 or 1, and of group columns with two categories; missing outcomes are left out.
pub(super) fn fourfolds(reading: &Reading<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (place, column) in reading.source.values().into_iter().enumerate() {
        if let Some((code, _)) = outcome(column) {
            let of_arm = |arm: u32| {
                reading.in_arm(arm).map(|figures| {
                    let value = figures.values.get(place).copied().unwrap_or_default();
                    // Codes are 1 and 2: what exceeds one a row is a 1.
                    let with = value.codes.saturating_sub(u128::from(value.nonmissing));
                    let with = u64::try_from(with).unwrap_or(u64::MAX);
                    (with, value.nonmissing.saturating_sub(with))
                })
            };
            findings.push(fourfold(reading, column, code, of_arm));
        }
    }
    let others = reading.axes.iter().enumerate().filter(|(axis, _)| Some(*axis) != reading.arm);
    for (axis, column) in others {
        if let Some((code, other)) = outcome(column) {
            let of_arm = |arm: u32| {
                let count = |code: u32| {
                    let here =
                        |codes: &[u32]| codes.get(axis) == Some(&code) && reading.arm_of(codes) == Some(arm);
                    reading.source.total(here).map(|figures| figures.count)
                };
                Ok((count(code)?, count(other)?))
            };
            findings.push(fourfold(reading, column, code, of_arm));
        }
    }
    findings
}

fn fourfold(
    reading: &Reading<'_>,
    column: &Column,
    code: u32,
    of_arm: impl Fn(u32) -> WithWithout,
) -> Finding {
    let rows = reading.arm_pairs().into_iter().map(|pair| {
        let table = of_arm(pair.0).and_then(|first| Ok(cells(first, of_arm(pair.1)?)));
        fourfold_row(Row::new(reading.versus(pair)), &table)
    });
    let of = format!("{} = {}", column.name, word(column, code));
    reading.finding(Kind::Fourfold, Some(of), rows.collect())
}

pub(super) const fn cells(first: (u64, u64), second: (u64, u64)) -> Fourfold {
    Fourfold { first_with: first.0, first_without: first.1, second_with: second.0, second_without: second.1 }
}

type Table = Result<Fourfold, HiddenCell>;

fn fourfold_row(row: Row, table: &Table) -> Row {
    let figure = |get: fn(&Fourfold) -> Figure| table.as_ref().map(get).map_err(Clone::clone);
    let row = row
        .with("first_with", figure(|t| Figure::Count(t.first_with)))
        .with("first_without", figure(|t| Figure::Count(t.first_without)))
        .with("second_with", figure(|t| Figure::Count(t.second_with)))
        .with("second_without", figure(|t| Figure::Count(t.second_without)))
        .with(
            "first_percent",
            figure(|t| percent(t.first_with, t.first_with.saturating_add(t.first_without))),
        )
        .with(
            "second_percent",
            figure(|t| percent(t.second_with, t.second_with.saturating_add(t.second_without))),
        );
    let row = ratios(row, table);
    let chi = |corrected: bool, get: fn(ChiSquared) -> f64| {
        table
            .as_ref()
            .map(|t| Figure::or(t.chi_squared(corrected).map(get), "a margin is empty"))
            .map_err(Clone::clone)
    };
    row.with("chi_squared", chi(false, |chi| chi.statistic))
        .with("chi_squared_p", chi(false, |chi| chi.p))
        .with("yates_chi_squared", chi(true, |chi| chi.statistic))
        .with("yates_p", chi(true, |chi| chi.p))
        .with("fisher_p", figure(|t| Figure::Number(t.fisher())))
}

/// Risk and odds ratio with their intervals.
pub(super) fn ratios(row: Row, table: &Table) -> Row {
    type Get = fn(&Fourfold) -> Option<Estimate>;
    let names: [(Get, [&'static str; 3]); 2] = [
        (Fourfold::risk_ratio, ["risk_ratio", "risk_ratio_low", "risk_ratio_high"]),
        (Fourfold::odds_ratio, ["odds_ratio", "odds_ratio_low", "odds_ratio_high"]),
    ];
    names.into_iter().fold(row, |row, (get, [value, low, high])| {
        let estimate = table.as_ref().map(get).map_err(Clone::clone);
        let end = |get: fn((f64, f64)) -> f64| {
            let ends = |estimate: Option<Estimate>| estimate.and_then(|estimate| estimate.interval).map(get);
            estimate.clone().map(|estimate| {
                Figure::or(ends(estimate), "its logarithm's interval needs cells that are not empty")
            })
        };
        let point = estimate.clone().map(|estimate| {
            Figure::or(estimate.map(|estimate| estimate.value), "it divides by an empty cell")
        });
        row.with(value, point).with(low, end(|ends| ends.0)).with(high, end(|ends| ends.1))
    })
}
