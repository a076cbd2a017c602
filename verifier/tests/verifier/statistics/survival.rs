//! Curves, tests and life tables against lifelines and statsmodels.

use super::{assert_both, assert_close, fixture};
use nightingale_verifier::statistics::{
    life_table::life_table,
    log_rank::log_rank,
    survival::{Exits, Exposure, kaplan_meier},
};
use serde::Deserialize;

#[derive(Deserialize)]
struct Reference {
    survival: Vec<Curve>,
    log_rank: Vec<Test>,
    life_table: Life,
}

#[derive(Deserialize)]
struct Curve {
    name: String,
    exits: Vec<(i64, u64, u64)>,
    steps: Vec<Step>,
    median: Option<f64>,
    median_interval: [Option<f64>; 2],
}

#[derive(Deserialize)]
struct Step {
    time: i64,
    at_risk: u64,
    survival: f64,
    standard_error: Option<f64>,
    plain: Option<[f64; 2]>,
    log_log: Option<[f64; 2]>,
}

#[derive(Deserialize)]
struct Test {
    names: Vec<String>,
    arms: Vec<Vec<(i64, u64, u64)>>,
    statistic: f64,
    degrees: u32,
    p: f64,
}

#[derive(Deserialize)]
struct Life {
    exits: Vec<(u64, u64)>,
    rows: Vec<LifeRow>,
}

#[derive(Deserialize)]
struct LifeRow {
    entering: u64,
    exposed: f64,
    risk: f64,
    survival: f64,
    standard_error: f64,
}

fn exposure(exits: &[(i64, u64, u64)]) -> Exposure {
    exits.iter().map(|&(time, events, censored)| (time, Exits { events, censored })).collect()
}

#[test]
fn curves_are_those_of_lifelines_and_statsmodels() {
    let reference: Reference = fixture("reference.json");
    assert!(reference.survival.len() >= 6);
    for case in reference.survival {
        let curve = kaplan_meier(&exposure(&case.exits));
        assert_eq!(curve.steps.len(), case.steps.len(), "{}", case.name);
        for (ours, expected) in curve.steps.iter().zip(&case.steps) {
            let what = format!("{} at {}", case.name, expected.time);
            assert_eq!((ours.time, ours.at_risk), (expected.time, expected.at_risk), "{what}");
            assert_close(ours.survival, expected.survival, &what);
            assert_both(
                ours.standard_error.map(|error| (error, error)),
                expected.standard_error.map(|error| [error, error]),
                &what,
            );
            assert_both(ours.plain, expected.plain, &what);
            assert_both(ours.log_log, expected.log_log, &what);
        }
        let whole = |time: Option<i64>| time.map(|time| time as f64);
        assert_eq!(whole(curve.median), case.median, "{}", case.name);
        let (low, high) = curve.median_interval;
        assert_eq!([whole(low), whole(high)], case.median_interval, "{}", case.name);
    }
}

#[test]
fn log_rank_tests_are_those_of_lifelines() {
    let reference: Reference = fixture("reference.json");
    assert!(reference.log_rank.iter().any(|case| case.degrees > 2));
    for case in reference.log_rank {
        let arms: Vec<Exposure> = case.arms.iter().map(|arm| exposure(arm)).collect();
        let test = log_rank(&arms.iter().collect::<Vec<_>>()).unwrap();
        assert_close(test.statistic, case.statistic, &case.names.join(", "));
        assert_eq!(test.degrees, case.degrees);
        assert_close(test.p, case.p, &case.names.join(", "));
        let observed: u64 = test.observed.iter().sum();
        assert_close(test.expected.iter().sum(), observed as f64, "as many expected as observed");
        let reversed = log_rank(&arms.iter().rev().collect::<Vec<_>>()).unwrap();
        assert_close(reversed.statistic, test.statistic, "the order of arms does not matter");
    }
}

#[test]
fn the_life_table_is_the_published_one() {
    let reference: Reference = fixture("reference.json");
    let Life { exits, rows } = reference.life_table;
    let intervals: Vec<Exits> = exits.iter().map(|&(events, censored)| Exits { events, censored }).collect();
    let table = life_table(&intervals);
    for (ours, expected) in table.iter().zip(&rows) {
        assert_eq!(ours.entering, expected.entering);
        for (ours, expected) in [
            (ours.exposed, expected.exposed),
            (ours.risk.unwrap(), expected.risk),
            (ours.survival, expected.survival),
            (ours.standard_error.unwrap(), expected.standard_error),
        ] {
            assert_close(ours, expected, "life table");
        }
    }
    // As printed by SAS for these men: survival at the start of the second, third, seventh and twelfth year.
    for (year, printed) in [(2, 0.8114), (3, 0.7170), (7, 0.4611), (12, 0.2557)] {
        let survival: f64 = table[year - 2].survival;
        assert!((survival - printed).abs() < 5e-5, "year {year}: {survival}");
    }
}

#[test]
fn nobody_dies() {
    let curve = kaplan_meier(&exposure(&[(3, 0, 4), (5, 0, 2)]));
    assert_eq!((curve.median, curve.events(), curve.subjects()), (None, 0, 6));
    assert!(curve.steps.iter().all(|step| step.survival == 1.0 && step.plain == Some((1.0, 1.0))));
}

#[test]
fn nobody_is_there() {
    let curve = kaplan_meier(&Exposure::new());
    assert!(curve.steps.is_empty() && curve.median.is_none());
    assert!(life_table(&[]).is_empty());
    assert_eq!(life_table(&[Exits::default()])[0].risk, None);
}

#[test]
fn a_single_subject_dies() {
    let curve = kaplan_meier(&exposure(&[(9, 1, 0)]));
    let step = curve.steps[0];
    assert_eq!((step.survival, curve.median), (0.0, Some(9)));
    assert_eq!((step.standard_error, step.plain, step.log_log), (None, None, None));
}

#[test]
fn survival_of_exactly_one_half_is_the_median_and_is_said() {
    // 10 subjects, 5 die one by one: 9/10 * 8/9 * 7/8 * 6/7 * 5/6 is 1/2, whatever doubles make of it.
    let curve = kaplan_meier(&exposure(&[(1, 1, 0), (2, 1, 0), (3, 1, 0), (4, 1, 0), (5, 1, 0), (8, 1, 4)]));
    assert_eq!((curve.median, curve.median_is_flat), (Some(5), true));
    let later = kaplan_meier(&exposure(&[(1, 1, 0), (2, 1, 1), (3, 1, 0), (4, 2, 0), (8, 1, 4)]));
    assert!(!later.median_is_flat);
}

#[test]
fn an_arm_without_anybody_says_nothing() {
    let (first, second) = (exposure(&[(1, 2, 1), (4, 3, 1)]), exposure(&[(2, 1, 5), (6, 1, 0)]));
    let empty = Exposure::new();
    // All of these left before the first event.
    let early = exposure(&[(0, 0, 7)]);
    let two = log_rank(&[&first, &second]).unwrap();
    let more = log_rank(&[&empty, &first, &early, &second]).unwrap();
    assert_eq!((two.statistic, two.degrees, two.p), (more.statistic, more.degrees, more.p));
    assert_eq!(log_rank(&[&first, &empty]), None);
    assert_eq!(log_rank(&[&first]), None);
    assert_eq!(log_rank(&[]), None);
}

#[test]
fn if_all_die_at_once_nothing_is_tested() {
    let arm = exposure(&[(3, 4, 0)]);
    assert_eq!(log_rank(&[&arm, &arm]), None);
}
