//! Two value columns together.

use super::{Reading, summary::sample};
use crate::statistics::{
    Figure, Finding, Kind, Row,
    correlation::{complete, covariance as of_pairs, pearson},
    sample::Sample,
    source::HiddenCell,
};
use nightingale_circuits::cohort::{Figures, Kind as ColumnKind};

/// Covariance and correlation in every cell and over all.
pub(super) fn covariance(reading: &Reading<'_>) -> Option<Finding> {
    let values = reading.source.values();
    let [first, second] = values.as_slice() else {
        return None;
    };
    let samples = |figures: &Figures| Some((sample(figures, 0, first)?, sample(figures, 1, second)?));
    let mut rows = Vec::new();
    if !reading.axes.is_empty() {
        let cells =
            reading.source.cells().filter(|(codes, cell)| reading.is_worth_a_line(codes, cell.figures()));
        rows.extend(cells.map(|(codes, _)| {
            let figures = reading.source.total(|other| other == codes);
            row(Row::new(reading.key(codes)), &figures, samples)
        }));
    }
    rows.push(row(Row::default(), &reading.source.total(|_| true), samples));
    let mut finding =
        reading.finding(Kind::Covariance, Some(format!("{}, {}", first.name, second.name)), rows);
    if [first, second].iter().any(|column| matches!(column.kind, ColumnKind::Date { .. })) {
        finding.notes.push("Dates are in days.".to_owned());
    }
    Some(finding)
}

fn row(
    row: Row,
    figures: &Result<Figures, HiddenCell>,
    samples: impl Fn(&Figures) -> Option<(Sample, Sample)>,
) -> Row {
    let figure = |get: &dyn Fn(&Figures) -> Figure| figures.as_ref().map(get).map_err(Clone::clone);
    let covariance = |figures: &Figures| {
        let (first, second) = samples(figures)?;
        of_pairs(figures.pair.as_ref()?, (first.scale, second.scale))
    };
    let correlation = |figures: &Figures| {
        let Some(((first, second), pairs)) = samples(figures).zip(figures.pair.as_ref()) else {
            return Figure::Undefined("there are no pairs");
        };
        if !complete(pairs, &first, &second) {
            return Figure::Undefined(
                "a value is missing in some row: ask again WHERE both columns are not missing",
            );
        }
        Figure::or(pearson(pairs, &first, &second), "it needs two pairs, and some variation")
    };
    row.with("pairs", figure(&|figures| Figure::Count(figures.pair.map_or(0, |pair| pair.pairs))))
        .with("covariance", figure(&|figures| Figure::or(covariance(figures), "it needs two pairs")))
        .with("correlation", figure(&correlation))
}
