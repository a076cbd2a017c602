//! Means and standard deviations by group.

use super::Reading;
use crate::statistics::{Figure, Finding, Kind, Row, sample::Sample, source::HiddenCell};
use nightingale_circuits::cohort::{Column, Figures, Kind as ColumnKind};

/// For each value column: every cell, every arm where there are more groups, and all.
pub(super) fn summaries(reading: &Reading<'_>) -> Vec<Finding> {
    let values = reading.source.values();
    values.into_iter().enumerate().map(|(place, column)| summary(reading, place, column)).collect()
}

fn summary(reading: &Reading<'_>, place: usize, column: &Column) -> Finding {
    let query = reading.source.query();
    let is_filtered =
        query.values().get(place).is_some_and(|value| query.terms().iter().any(|term| term.column == *value));
    let row = |row, figures| row_of(row, place, column, figures, is_filtered);
    let mut rows = Vec::new();
    if !reading.axes.is_empty() {
        let cells =
            reading.source.cells().filter(|(codes, cell)| reading.is_worth_a_line(codes, cell.figures()));
        rows.extend(cells.map(|(codes, _)| {
            row(Row::new(reading.key(codes)), reading.source.total(|other| other == codes))
        }));
    }
    if let Some(axis) = reading.arm.filter(|_| reading.axes.len() > 1) {
        let arms = reading.arms();
        rows.extend(arms.iter().map(|&arm| row(Row::new(reading.key_at(axis, arm)), reading.in_arm(arm))));
    }
    rows.push(row(Row::default(), reading.source.total(|_| true)));
    let mut finding = reading.finding(Kind::Summary, Some(column.name.clone()), rows);
    if matches!(column.kind, ColumnKind::Date { .. }) {
        finding.notes.push("Means are in days since 1970-01-01, deviations in days.".to_owned());
    }
    finding
}

fn row_of(
    row: Row,
    place: usize,
    column: &Column,
    figures: Result<Figures, HiddenCell>,
    is_filtered: bool,
) -> Row {
    let sample = figures.clone().map(|figures| sample(&figures, place, column));
    let missing = figures.map(|figures| {
        let known = figures.values.get(place).map_or(0, |value| value.nonmissing);
        if is_filtered { NOT_COUNTED } else { Figure::Count(figures.count.saturating_sub(known)) }
    });
    let figure = |get: fn(&Sample) -> Option<f64>, reason: &'static str| {
        sample.clone().map(|sample| Figure::or(sample.as_ref().and_then(get), reason))
    };
    row.with("n", sample.clone().map(|sample| sample.map_or(0, |sample| sample.n)))
        .with("missing", missing)
        .with("mean", figure(Sample::mean, "there are no values"))
        .with("standard_deviation", figure(Sample::standard_deviation, "it needs two values"))
}

const NOT_COUNTED: Figure = Figure::Undefined("the condition on the column leaves out rows without a value");

/// The sample of the value column at `place`.
pub(super) fn sample(figures: &Figures, place: usize, column: &Column) -> Option<Sample> {
    Sample::new(figures.values.get(place)?, column)
}
