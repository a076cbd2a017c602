//! Curves, medians, tests and life tables as rows.

use super::arm::Arm;
use crate::statistics::{
    Figure, Row,
    derive::distribution::{meaning, quantity},
    life_table,
    log_rank::LogRank,
    source::HiddenCell,
    survival::{self, Exits, Exposure},
    words::written,
};

const NOBODY: &str = "nobody survives";
const NOT_REACHED: &str = "not reached";

/// Every time at which somebody leaves; one row that says so for a hidden arm.
pub(super) fn kaplan_meier(arm: &Arm<'_>) -> Vec<Row> {
    let exposure = match &arm.exposure {
        Ok(exposure) => exposure,
        Err(cell) => return vec![hidden(arm, cell)],
    };
    let steps = survival::kaplan_meier(exposure).steps.into_iter();
    steps
        .map(|step| {
            let row = Row::new(arm.key.clone())
                .with("time", quantity(arm.time, step.time))
                .with("at_risk", step.at_risk)
                .with("events", step.exits.events)
                .with("censored", step.exits.censored);
            bounds(row, step.survival, step.standard_error, step.plain, step.log_log)
        })
        .collect()
}

fn hidden(arm: &Arm<'_>, cell: &HiddenCell) -> Row {
    Row::new(arm.key.clone()).with("survival", cell.clone())
}

fn bounds(
    row: Row,
    survival: f64,
    error: Option<f64>,
    plain: Option<(f64, f64)>,
    log_log: Option<(f64, f64)>,
) -> Row {
    row.with("survival", Figure::Number(survival))
        .with("standard_error", Figure::or(error, NOBODY))
        .with("plain_low", Figure::or(plain.map(|ends| ends.0), NOBODY))
        .with("plain_high", Figure::or(plain.map(|ends| ends.1), NOBODY))
        .with("log_log_low", Figure::or(log_log.map(|ends| ends.0), NOBODY))
        .with("log_log_high", Figure::or(log_log.map(|ends| ends.1), NOBODY))
}

/// The median with its interval, and a note where survival is exactly one half.
pub(super) fn median(arm: &Arm<'_>) -> (Row, Option<String>) {
    let row = Row::new(arm.key.clone());
    let exposure = match &arm.exposure {
        Ok(exposure) => exposure,
        Err(cell) => return (row.with("median", cell.clone()), None),
    };
    let curve = survival::kaplan_meier(exposure);
    let time =
        |time: Option<i64>| time.map_or(Figure::Undefined(NOT_REACHED), |time| quantity(arm.time, time));
    let (low, high) = curve.median_interval;
    let row = row
        .with("subjects", curve.subjects())
        .with("events", curve.events())
        .with("censored", curve.subjects().saturating_sub(curve.events()))
        .with("excluded", arm.excluded.clone())
        .with("median", time(curve.median))
        .with("median_low", time(low))
        .with("median_high", time(high));
    let flat = curve.median.filter(|_| curve.median_is_flat).map(|median| {
        format!(
            "Survival is exactly one half from {} to the next event: some programs print the middle.",
            written(arm.time, median)
        )
    });
    (row, flat)
}

/// The test's figures.
pub(super) fn log_rank(row: Row, test: &Result<Option<LogRank>, HiddenCell>) -> Row {
    let reason = "it needs an event while two arms are at risk, and somebody who outlives it";
    let number = |get: fn(&LogRank) -> f64| {
        test.as_ref().map(|test| Figure::or(test.as_ref().map(get), reason)).map_err(Clone::clone)
    };
    let degrees = test.as_ref().map_err(Clone::clone).map(|test| {
        test.as_ref().map_or(Figure::Undefined(reason), |test| Figure::Count(u64::from(test.degrees)))
    });
    row.with("chi_squared", number(|test| test.statistic))
        .with("degrees", degrees)
        .with("p", number(|test| test.p))
}

/// What one arm adds to the test.
pub(super) fn expected(arm: &Arm<'_>, observed: u64, expected: f64) -> Row {
    Row::new(arm.key.clone()).with("observed", observed).with("expected", Figure::Number(expected))
}

/// Every interval from the first to the last.
pub(super) fn life_table(arm: &Arm<'_>) -> Vec<Row> {
    let bins = arm.bins.as_deref().unwrap_or_default();
    let exposure = match &arm.exposure {
        Ok(exposure) => exposure,
        Err(cell) => return vec![hidden(arm, cell)],
    };
    let intervals = (0i64..).zip(bins).map(|(rank, _)| of(exposure, rank)).collect::<Vec<Exits>>();
    let rows = life_table::life_table(&intervals).into_iter().zip(bins);
    rows.map(|(life, &code)| {
        let row = Row::new(arm.key.clone())
            .with("interval", meaning(arm.time, code))
            .with("entering", life.entering)
            .with("events", life.exits.events)
            .with("censored", life.exits.censored)
            .with("exposed", Figure::Number(life.exposed))
            .with("risk", Figure::or(life.risk, "nobody is exposed"));
        bounds(row, life.survival, life.standard_error, life.plain, life.log_log)
    })
    .collect()
}

fn of(exposure: &Exposure, rank: i64) -> Exits {
    exposure.get(&rank).copied().unwrap_or_default()
}
