//! The CDISC pilot study: the integers that proven queries release, and what SciPy and lifelines make of the records themselves.
//!
//! `cdisc_expected.json` was computed from the study's files; here only its counts and sums go in. That the released integers are
//! those of the files is for the end-to-end test.

use super::{
    assert_close, fixture,
    trial::{category, number, number_of, only, row},
};
use nightingale_circuits::cohort::{
    Answer, Cell, Column, Figures, Interval, Kind as ColumnKind, Query, Schema, Term, Unit, ValueFigures,
};
use nightingale_verifier::statistics::{Figure, Kind, Source, Statistics};
use serde::Deserialize;

#[derive(Deserialize)]
struct Expected {
    age: Ages,
    incidence: Vec<TermRows>,
    time_to_event: TimeToEvent,
}

#[derive(Deserialize)]
struct Ages {
    arms: Vec<Age>,
    all: Age,
    welch: Vec<Welch>,
}

#[derive(Deserialize)]
struct Age {
    arm: String,
    n: u64,
    sum: u64,
    sum_of_squares: u64,
    mean: f64,
    standard_deviation: f64,
}

#[derive(Deserialize)]
struct Welch {
    first: String,
    second: String,
    difference: f64,
    t: f64,
    degrees: f64,
    p: f64,
    low: f64,
    high: f64,
}

#[derive(Deserialize)]
struct TermRows {
    term: String,
    arms: Vec<Share>,
    compared: Vec<Compared>,
}

#[derive(Deserialize)]
struct Share {
    subjects_with: u64,
    subjects: u64,
    percent: f64,
    arm: String,
}

#[derive(Deserialize)]
struct Compared {
    first: String,
    second: String,
    fisher_p: f64,
    risk_ratio: Option<f64>,
    risk_ratio_low: Option<f64>,
    risk_ratio_high: Option<f64>,
    odds_ratio: Option<f64>,
    odds_ratio_low: Option<f64>,
    odds_ratio_high: Option<f64>,
}

#[derive(Deserialize)]
struct TimeToEvent {
    arms: Vec<Curve>,
    log_rank: Vec<LogRank>,
}

#[derive(Deserialize)]
struct Curve {
    arm: String,
    subjects: u64,
    events: u64,
    median: Option<f64>,
    median_low: Option<f64>,
    median_high: Option<f64>,
    steps: Vec<Step>,
}

#[derive(Deserialize)]
struct Step {
    time: i64,
    at_risk: u64,
    events: u64,
    censored: u64,
    survival: f64,
    standard_error: f64,
    plain_low: f64,
    plain_high: f64,
    log_log_low: f64,
    log_log_high: f64,
}

#[derive(Deserialize)]
struct LogRank {
    arms: Vec<String>,
    chi_squared: f64,
    degrees: f64,
    p: f64,
}

const ARMS: [&str; 3] = ["Placebo", "Xanomeline High Dose", "Xanomeline Low Dose"];

fn subject_key() -> Column {
    Column { name: "USUBJID".to_owned(), kind: ColumnKind::Key { count: 254 } }
}

/// An answer whose cells are those given, and otherwise empty.
fn source(
    schema: Schema,
    terms: Vec<Term>,
    values: Vec<usize>,
    groups: Vec<usize>,
    cells: &[(u32, Figures)],
) -> Source {
    let query = Query::new(&schema, terms, values, groups).unwrap();
    let empty = Figures { values: vec![ValueFigures::default(); query.values().len()], ..Figures::default() };
    let filled = (0..query.cells(&schema)).map(|cell| {
        let code = query.key(&schema, cell)[0];
        let figures = cells.iter().find(|(other, _)| *other == code).map(|(_, figures)| figures.clone());
        Cell::Shown(figures.unwrap_or_else(|| empty.clone()))
    });
    let answer = Answer { cells: filled.collect() };
    Source::new(schema, query, answer, 1).unwrap()
}

fn code_of(arm: &str) -> u32 {
    u32::try_from(ARMS.iter().position(|other| *other == arm).unwrap()).unwrap() + 1
}

fn ages(expected: &Ages) -> Source {
    let columns = vec![subject_key(), category("TRT01A", &ARMS), number("AGE", 51, 89)];
    let schema = Schema::new("adsl".to_owned(), columns, 0, Unit::Subject, 11).unwrap();
    let cells: Vec<(u32, Figures)> = expected
        .arms
        .iter()
        .map(|age| {
            // Codes are the ages above 50.
            let value = ValueFigures {
                nonmissing: age.n,
                codes: u128::from(age.sum - 50 * age.n),
                squared_codes: u128::from(age.sum_of_squares + 2_500 * age.n - 100 * age.sum),
            };
            (code_of(&age.arm), Figures { count: age.n, values: vec![value], pair: None })
        })
        .collect();
    source(schema, Vec::new(), vec![2], vec![1], &cells)
}

#[test]
fn ages_by_arm_are_those_of_pandas_and_scipy() {
    let expected: Expected = fixture("cdisc_expected.json");
    let statistics = Statistics::of(&[ages(&expected.age)]);
    let (counts, summary) = (only(&statistics, Kind::Counts), only(&statistics, Kind::Summary));
    for age in &expected.age.arms {
        assert_eq!(row(counts, &[&age.arm]).figure("n"), Some(&Figure::Count(age.n)));
    }
    let all = &expected.age.all;
    for (groups, age) in
        expected.age.arms.iter().map(|age| (vec![age.arm.as_str()], age)).chain([(vec![], all)])
    {
        let row = row(summary, &groups);
        assert_close(number_of(row, "mean"), age.mean, &age.arm);
        assert_close(number_of(row, "standard_deviation"), age.standard_deviation, &age.arm);
    }
    let tests = only(&statistics, Kind::WelchT);
    assert_eq!(tests.rows.len(), 3);
    for welch in &expected.age.welch {
        let pair = format!("{}/{}", welch.first, welch.second);
        let row = row(tests, &[&pair]);
        for (name, expected) in [
            ("difference", welch.difference),
            ("t", welch.t),
            ("degrees", welch.degrees),
            ("p", welch.p),
            ("low", welch.low),
            ("high", welch.high),
        ] {
            assert_close(number_of(row, name), expected, &format!("{name} of {pair}"));
        }
    }
}

#[test]
fn incidences_are_those_of_scipy_though_the_tables_name_their_arms_differently() {
    let expected: Expected = fixture("cdisc_expected.json");
    let words: Vec<&str> = expected.incidence.iter().map(|term| term.term.as_str()).collect();
    for (place, term) in expected.incidence.iter().enumerate() {
        let columns = vec![subject_key(), category("AEDECOD", &words), category("TRTA", &ARMS)];
        let schema = Schema::new("adae".to_owned(), columns, 0, Unit::SubjectAnd(1), 11).unwrap();
        let code = u32::try_from(place + 1).unwrap();
        let only_this = Term { column: 1, intervals: vec![Interval { low: code, high: code }] };
        let cells: Vec<(u32, Figures)> = term
            .arms
            .iter()
            .map(|share| (code_of(&share.arm), Figures { count: share.subjects_with, ..Figures::default() }))
            .collect();
        let events = source(schema, vec![only_this], Vec::new(), vec![2], &cells);
        let statistics = Statistics::of(&[events, ages(&expected.age)]);
        let incidence = only(&statistics, Kind::Incidence);
        assert_eq!(incidence.sources, [0, 1]);
        for share in &term.arms {
            let row = row(incidence, &[&term.term, &share.arm]);
            assert_eq!(row.figure("subjects"), Some(&Figure::Count(share.subjects)));
            assert_close(number_of(row, "percent"), share.percent, &term.term);
        }
        for pair in &term.compared {
            let row = row(incidence, &[&term.term, &format!("{}/{}", pair.first, pair.second)]);
            assert_close(number_of(row, "fisher_p"), pair.fisher_p, &term.term);
            for (name, expected) in [
                ("risk_ratio", pair.risk_ratio),
                ("risk_ratio_low", pair.risk_ratio_low),
                ("risk_ratio_high", pair.risk_ratio_high),
                ("odds_ratio", pair.odds_ratio),
                ("odds_ratio_low", pair.odds_ratio_low),
                ("odds_ratio_high", pair.odds_ratio_high),
            ] {
                match expected {
                    Some(expected) => assert_close(number_of(row, name), expected, &term.term),
                    None => assert!(matches!(row.figure(name), Some(Figure::Undefined(_))), "{name}"),
                }
            }
        }
    }
}

/// One arm's days with the sum of CNSR: a day and an arm would be more groups than one proof has.
fn days(arm: &Curve) -> Source {
    let columns = vec![subject_key(), category("TRTA", &ARMS), number("AVAL", 1, 198), number("CNSR", 0, 1)];
    let schema = Schema::new("adtte".to_owned(), columns, 0, Unit::Subject, 11).unwrap();
    let code = code_of(&arm.arm);
    let only_this = Term { column: 1, intervals: vec![Interval { low: code, high: code }] };
    let cells: Vec<(u32, Figures)> = arm
        .steps
        .iter()
        .map(|step| {
            let (events, censored) = (u128::from(step.events), u128::from(step.censored));
            let count = step.events + step.censored;
            let value = ValueFigures {
                nonmissing: count,
                codes: events + 2 * censored,
                squared_codes: events + 4 * censored,
            };
            (u32::try_from(step.time).unwrap(), Figures { count, values: vec![value], pair: None })
        })
        .collect();
    source(schema, vec![only_this], vec![3], vec![2], &cells)
}

#[test]
fn time_to_event_is_that_of_lifelines_and_statsmodels() {
    let expected: Expected = fixture("cdisc_expected.json");
    let TimeToEvent { arms, log_rank } = expected.time_to_event;
    let sources: Vec<Source> = arms.iter().map(days).collect();
    let statistics = Statistics::of(&sources);
    let curves = only(&statistics, Kind::KaplanMeier);
    assert_eq!(curves.rows.len(), arms.iter().map(|arm| arm.steps.len()).sum::<usize>());
    let mut rows = curves.rows.iter();
    for (arm, step) in arms.iter().flat_map(|arm| arm.steps.iter().map(move |step| (arm, step))) {
        let row = rows.next().unwrap();
        let what = format!("{} at {}", arm.arm, step.time);
        assert_eq!(row.figure("at_risk"), Some(&Figure::Count(step.at_risk)), "{what}");
        for (name, expected) in [
            ("time", step.time as f64),
            ("survival", step.survival),
            ("standard_error", step.standard_error),
            ("plain_low", step.plain_low),
            ("plain_high", step.plain_high),
            ("log_log_low", step.log_log_low),
            ("log_log_high", step.log_log_high),
        ] {
            assert_close(number_of(row, name), expected, &format!("{name}, {what}"));
        }
    }
    let medians = only(&statistics, Kind::MedianSurvival);
    for arm in &arms {
        let row = row(medians, &[&arm.arm]);
        assert_eq!(row.figure("subjects"), Some(&Figure::Count(arm.subjects)));
        assert_eq!(row.figure("events"), Some(&Figure::Count(arm.events)));
        for (name, expected) in
            [("median", arm.median), ("median_low", arm.median_low), ("median_high", arm.median_high)]
        {
            let ours = match row.figure(name) {
                Some(Figure::Number(number)) => Some(*number),
                _ => None,
            };
            assert_eq!(ours, expected, "{name} of {}", arm.arm);
        }
    }
    let tests = only(&statistics, Kind::LogRank);
    for expected in &log_rank {
        let pair = expected.arms.join("/");
        let groups = if expected.arms.len() > 2 { vec![] } else { vec![pair.as_str()] };
        let row = row(tests, &groups);
        assert_close(number_of(row, "chi_squared"), expected.chi_squared, &pair);
        assert_close(number_of(row, "degrees"), expected.degrees, &pair);
        assert_close(number_of(row, "p"), expected.p, &pair);
    }
}
