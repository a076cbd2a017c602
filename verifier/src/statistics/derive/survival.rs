//! Survival: which answers speak of times and events, and the curves of all arms together.
//!
//! Arms may be groups of one answer, or each its own answer with a condition on the arm: a day and an arm are often more groups
//! than one proof has.

mod arm;
mod rows;

use super::{Reading, ordered_pairs};
use crate::statistics::{
    Finding, Kind, Row, Word, log_rank::log_rank, source::HiddenCell, survival::Exposure,
};
use arm::{Arm, Clock};

/// Whether an answer is of times and events, and of nothing else.
pub(super) fn is_about(reading: &Reading<'_>) -> bool {
    Clock::of(reading).is_some()
}

/// Curves, medians and tests, or life tables, for answers of one table, time, event and population.
pub(super) fn survivals(readings: &[Reading<'_>]) -> Vec<Finding> {
    let mut studies: Vec<(String, Vec<Arm<'_>>)> = Vec::new();
    let mut findings = Vec::new();
    for reading in readings {
        let Some(clock) = Clock::of(reading) else {
            continue;
        };
        let arms = match clock.arms() {
            Ok(arms) => arms,
            Err(problem) => {
                let mut finding = reading.finding(Kind::KaplanMeier, Some(clock.title()), Vec::new());
                finding.notes.push(problem);
                findings.push(finding);
                continue;
            }
        };
        let study = clock.study();
        match studies.iter_mut().find(|(other, _)| *other == study) {
            Some((_, present)) => {
                // The same arm from two answers is one arm.
                let new = arms.into_iter().filter(|arm| !present.iter().any(|other| other.is(arm)));
                let new: Vec<_> = new.collect();
                present.extend(new);
            }
            None => studies.push((study, arms)),
        }
    }
    findings.extend(studies.iter().flat_map(|(_, arms)| findings_of(arms)));
    findings
}

fn findings_of(arms: &[Arm<'_>]) -> Vec<Finding> {
    let Some(first) = arms.first() else {
        return Vec::new();
    };
    let mut sources: Vec<usize> = arms.iter().map(|arm| arm.place).collect();
    sources.dedup();
    let finding = |kind: Kind, rows: Vec<Row>, notes: Vec<String>| Finding {
        kind,
        of: Some(first.title.clone()),
        sources: sources.clone(),
        rows,
        notes,
    };
    if first.bins.is_some() {
        let rows = arms.iter().flat_map(rows::life_table).collect();
        return vec![finding(Kind::LifeTable, rows, Vec::new())];
    }
    let curves = arms.iter().flat_map(rows::kaplan_meier).collect();
    let (medians, flat): (Vec<Row>, Vec<Option<String>>) = arms.iter().map(rows::median).unzip();
    let mut findings = vec![
        finding(Kind::KaplanMeier, curves, Vec::new()),
        finding(Kind::MedianSurvival, medians, flat.into_iter().flatten().collect()),
    ];
    let compared: Vec<&Arm<'_>> = arms.iter().filter(|arm| arm.is_compared()).collect();
    if (2..=8).contains(&compared.len()) {
        findings.push(finding(Kind::LogRank, log_rank_rows(&compared), Vec::new()));
    }
    findings
}

/// The test of all arms with what was observed and expected in each; then each two arms, if there are more.
fn log_rank_rows(arms: &[&Arm<'_>]) -> Vec<Row> {
    let test = |arms: &[&Arm<'_>]| {
        let exposures: Result<Vec<&Exposure>, HiddenCell> =
            arms.iter().map(|arm| arm.exposure.as_ref().map_err(Clone::clone)).collect();
        exposures.map(|exposures| log_rank(&exposures))
    };
    let all = test(arms);
    let mut rows = vec![rows::log_rank(Row::default(), &all)];
    if let Ok(Some(test)) = &all {
        let parts = arms.iter().zip(&test.observed).zip(&test.expected);
        rows.extend(parts.map(|((arm, observed), expected)| rows::expected(arm, *observed, *expected)));
    }
    if arms.len() > 2 {
        for (first, second) in ordered_pairs(arms, |arm| arm.is_reference) {
            if let (Some((column, Word::One(a))), Some((_, Word::One(b)))) =
                (first.key.first(), second.key.first())
            {
                let key = vec![(column.clone(), Word::Versus(a.clone(), b.clone()))];
                rows.push(rows::log_rank(Row::new(key), &test(&[first, second])));
            }
        }
    }
    rows
}
