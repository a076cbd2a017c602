//! How many, and how many percent: by group, and from one category to another.

use super::Reading;
use crate::statistics::{
    Figure, Finding, Kind, Row, interval::ascending_bins, number::ratio, roles::outcome, source::HiddenCell,
};
use nightingale_circuits::cohort::Column;

/// Rows by group, with percentages within the arm, or of all where there is one group column.
///
/// A group of numbers or intervals is left to the histogram.
pub(super) fn counts(reading: &Reading<'_>) -> Option<Finding> {
    if super::distribution::axis(reading).is_some() || reading.shift.is_some() {
        return None;
    }
    let within_arm = reading.axes.len() > 1 && reading.arm.is_some();
    let whole = |codes: &[u32]| {
        let arm = reading.arm_of(codes);
        reading.source.total(|other| !within_arm || reading.arm_of(other) == arm).map(|figures| figures.count)
    };
    let rows = reading
        .source
        .cells()
        .filter(|(codes, cell)| reading.is_worth_a_line(codes, cell.figures()))
        .map(|(codes, _)| row(reading, codes, whole(codes)))
        .collect();
    let mut finding = reading.finding(Kind::Counts, None, rows);
    if !reading.source.counts_subjects() {
        finding.notes.push("Rows, not subjects: a subject may have several in a cell.".to_owned());
    }
    if let Some(arm) = reading.arm_column().filter(|_| within_arm) {
        finding.notes.push(format!("Percentages are within {}.", arm.name));
    }
    Some(finding)
}

/// From one category to another of the same dictionary, with percentages of those who were in the first.
pub(super) fn shift(reading: &Reading<'_>) -> Option<Finding> {
    let (from, to) = reading.shift?;
    let rows = reading
        .source
        .cells()
        .filter(|(codes, cell)| reading.is_worth_a_line(codes, cell.figures()))
        .map(|(codes, _)| {
            let start = reading.source.total(|other| {
                other.iter().zip(codes).enumerate().all(|(axis, (other, code))| axis == to || other == code)
            });
            row(reading, codes, start.map(|figures| figures.count))
        })
        .collect();
    let name = |axis: usize| reading.axes.get(axis).map(|axis| axis.name.as_str()).unwrap_or_default();
    let of = format!("{} to {}", name(from), name(to));
    let mut finding = reading.finding(Kind::Shift, Some(of), rows);
    finding.notes.push(format!("Percentages are of those with the same {}.", name(from)));
    Some(finding)
}

fn row(reading: &Reading<'_>, codes: &[u32], whole: Result<u64, HiddenCell>) -> Row {
    let count = reading.source.total(|other| other == codes).map(|figures| figures.count);
    let share = count.clone().and_then(|count| Ok(percent(count, whole?)));
    Row::new(reading.key(codes)).with("n", count).with("percent", share)
}

/// `100 part / whole`.
pub(super) fn percent(part: u64, whole: u64) -> Figure {
    Figure::or(ratio(100 * i128::from(part), i128::from(whole)), "nobody is in the group")
}

/// Whether an axis has an order that a histogram follows: more than no and yes.
pub(super) fn is_ordered(column: &Column) -> bool {
    (column.offset().is_some() && outcome(column).is_none()) || ascending_bins(column).is_some()
}
