//! Histograms and the places of quantiles, from groups that are numbers, days or intervals.

use super::{
    Reading,
    counts::{is_ordered, percent},
};
use crate::statistics::{
    Figure, Finding, Kind, Row, Word,
    interval::ascending_bins,
    number::{float, power_of_ten},
    quantile::place,
    source::HiddenCell,
    words::{value, word, written},
};
use nightingale_circuits::cohort::{Column, Kind as ColumnKind};

/// The axis that a histogram is drawn over: the only ordered one, the arms' own not counting where there is another.
pub(super) fn axis(reading: &Reading<'_>) -> Option<usize> {
    let ordered = |(_, column): &(usize, &&Column)| is_ordered(column);
    let places: Vec<usize> =
        reading.axes.iter().enumerate().filter(ordered).map(|(place, _)| place).collect();
    let others: Vec<usize> = places.iter().copied().filter(|place| Some(*place) != reading.arm).collect();
    match (others.as_slice(), places.as_slice()) {
        ([only], _) | ([], [only]) => Some(*only),
        _ => None,
    }
}

/// The histogram of each arm and of all, and the places of its quartiles.
pub(super) fn histograms(reading: &Reading<'_>) -> Vec<Finding> {
    let Some((axis, column)) = axis(reading).and_then(|axis| Some((axis, *reading.axes.get(axis)?))) else {
        return Vec::new();
    };
    let codes = ascending(column);
    let apart = if reading.arm == Some(axis) { Vec::new() } else { reading.arms() };
    let arms = apart.into_iter().map(Some).chain([None]);
    let (mut bars, mut quartiles) = (Vec::new(), Vec::new());
    for arm in arms {
        let count = |code: u32| {
            let here = |codes: &[u32]| {
                codes.get(axis) == Some(&code) && (arm.is_none() || reading.arm_of(codes) == arm)
            };
            reading.source.total(here).map(|figures| figures.count)
        };
        let counts: Vec<Result<u64, HiddenCell>> = codes.iter().map(|&code| count(code)).collect();
        let whole = counts.iter().cloned().sum::<Result<u64, HiddenCell>>();
        let group = reading.arm.zip(arm).map(|(axis, code)| reading.key_at(axis, code)).unwrap_or_default();
        let everybody = counts.iter().zip(&codes).map(|(count, &code)| (code, count.clone()));
        let missing = [(0, count(0))];
        for (code, count) in everybody.chain(missing).filter(|(_, count)| *count != Ok(0)) {
            let mut key = group.clone();
            key.push(super::named(column, code));
            let row = Row::new(key).with("n", count.clone());
            let share = count.and_then(|count| Ok(percent(count, whole.clone()?)));
            bars.push(if code == 0 { row } else { row.with("percent", share) });
        }
        quartiles.push(quartile_row(column, &codes, counts, group));
    }
    let of = Some(column.name.clone());
    vec![reading.finding(Kind::Histogram, of.clone(), bars), reading.finding(Kind::Quantiles, of, quartiles)]
}

/// A column's codes in the order of what they mean.
fn ascending(column: &Column) -> Vec<u32> {
    ascending_bins(column).unwrap_or_else(|| (1..=column.bound()).take(512).collect())
}

fn quartile_row(
    column: &Column,
    codes: &[u32],
    counts: Vec<Result<u64, HiddenCell>>,
    group: Vec<(String, Word)>,
) -> Row {
    let counts: Result<Vec<u64>, HiddenCell> = counts.into_iter().collect();
    let row = Row::new(group).with("n", counts.clone().map(|counts| counts.iter().sum::<u64>()));
    let names = [
        (1, "first_quartile_from", "first_quartile_to"),
        (2, "median_from", "median_to"),
        (3, "third_quartile_from", "third_quartile_to"),
    ];
    names.into_iter().fold(row, |row, (quarter, from, to)| {
        let places = counts.as_ref().map(|counts| place(counts, quarter, 4)).map_err(Clone::clone);
        let meaning = |group: usize| codes.get(group).map(|&code| meaning(column, code));
        let nobody = Figure::Undefined("there are no values");
        let ends = |places: Option<(usize, usize)>, low: bool| {
            let group = places.map(|(first, last)| if low { first } else { last });
            group.and_then(meaning).unwrap_or_else(|| nobody.clone())
        };
        row.with(from, places.clone().map(|places| ends(places, true)))
            .with(to, places.map(|places| ends(places, false)))
    })
}

/// A group as a figure: a number where it is one.
pub(super) fn meaning(column: &Column, code: u32) -> Figure {
    value(column, code).map_or_else(|| Figure::Word(word(column, code)), |value| quantity(column, value))
}

/// A value in scaled units as a figure: a day in words, a number as a number.
pub(super) fn quantity(column: &Column, value: i64) -> Figure {
    match column.kind {
        ColumnKind::Integer { scale, .. } => power_of_ten(scale)
            .map_or(Figure::Undefined("its scale is too fine"), |unit| {
                Figure::Number(float(i128::from(value)) / float(unit))
            }),
        _ => Figure::Word(written(column, value)),
    }
}
