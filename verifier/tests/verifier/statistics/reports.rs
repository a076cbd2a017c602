//! What is derived from which answers.

use super::trial::{Trial, category, number, number_of, only, row};
use nightingale_verifier::statistics::{Event, Figure, Kind, Meaning, Roles, Statistics};
use std::path::Path;

const LEUKAEMIA: [&str; 2] = ["6-MP", "placebo"];
/// Weeks to relapse, `-` where censored: E. A. Gehan, Biometrika 52 (1965).
const SIX_MP: [i64; 21] =
    [6, 6, 6, -6, 7, -9, 10, -10, -11, 13, 16, -17, -19, -20, 22, 23, -25, -32, -32, -34, -35];
const PLACEBO: [i64; 21] = [1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23];

/// The trial with an event column in three spellings.
fn leukaemia() -> Trial {
    let columns = vec![
        category("ARM", &LEUKAEMIA),
        number("AVAL", 1, 35),
        number("CNSR", 0, 1),
        category("STATUS", &["censored", "relapse"]),
    ];
    let subjects = [SIX_MP, PLACEBO].into_iter().enumerate().flat_map(|(arm, weeks)| {
        weeks.into_iter().map(move |week| {
            let censored = i64::from(week < 0);
            vec![Some(arm as i64), Some(week.abs()), Some(censored), Some(1 - censored)]
        })
    });
    Trial::new("adtte", columns, subjects.collect())
}

#[track_caller]
fn assert_leukaemia(statistics: &Statistics) {
    let test = row(only(statistics, Kind::LogRank), &[]);
    // The published 16.79 on one degree of freedom.
    assert!((number_of(test, "chi_squared") - 16.79).abs() < 0.005, "{statistics}");
    let medians = only(statistics, Kind::MedianSurvival);
    assert_eq!(number_of(row(medians, &["6-MP"]), "median"), 23.0);
    assert_eq!(number_of(row(medians, &["placebo"]), "median"), 8.0);
    // The published 0.857 after six weeks.
    let sixth = &only(statistics, Kind::KaplanMeier).rows[0];
    assert!((number_of(sixth, "survival") - 0.857).abs() < 0.0005);
}

#[test]
fn survival_is_the_same_however_the_events_were_asked() {
    let trial = leukaemia();
    let grouped = Statistics::of(&[trial.ask(&[], &[], &["ARM", "AVAL", "CNSR"], 1)]);
    let summed = Statistics::of(&[trial.ask(&[], &["CNSR"], &["ARM", "AVAL"], 1)]);
    let apart = Statistics::of(&[
        trial.ask(&[("ARM", 0)], &["CNSR"], &["AVAL"], 1),
        trial.ask(&[("ARM", 1)], &["CNSR"], &["AVAL"], 1),
    ]);
    let event = Event { column: "STATUS".to_owned(), meaning: Meaning::Words(vec!["relapse".to_owned()]) };
    let roles = Roles { event: Some(event), ..Roles::default() };
    let words = Statistics::with(&[trial.ask(&[], &[], &["STATUS", "ARM", "AVAL"], 1)], &roles);
    for statistics in [&grouped, &summed, &apart, &words] {
        assert_leukaemia(statistics);
    }
    let figures = |statistics: &Statistics| only(statistics, Kind::KaplanMeier).rows.clone();
    assert_eq!(figures(&grouped), figures(&summed));
    assert_eq!(figures(&grouped), figures(&apart));
    assert_eq!(figures(&grouped), figures(&words));
    assert_eq!(only(&apart, Kind::LogRank).sources, [0, 1]);
}

#[test]
fn an_arm_given_twice_is_one_arm() {
    let trial = leukaemia();
    let twice = Statistics::of(&[
        trial.ask(&[], &["CNSR"], &["ARM", "AVAL"], 1),
        trial.ask(&[("ARM", 1)], &["CNSR"], &["AVAL"], 1),
    ]);
    assert_leukaemia(&twice);
}

#[test]
fn hidden_cells_hide_what_needs_them_and_nothing_else() {
    let statistics = Statistics::of(&[leukaemia().ask(&[], &["CNSR"], &["ARM", "AVAL"], 11)]);
    assert_eq!(statistics.sources[0].hidden_cells, 28, "every cell with anybody in it");
    for kind in [Kind::KaplanMeier, Kind::MedianSurvival, Kind::LogRank] {
        for row in &only(&statistics, kind).rows {
            assert!(row.figures.iter().all(|(_, figure)| matches!(figure, Figure::Hidden(_))), "{row:?}");
        }
    }
    let text = statistics.to_string();
    assert!(text.contains("hidden: it needs the hidden cell ARM = 6-MP, AVAL = 6"), "{text}");
}

/// 3 arms by sex with a response and a weight; the last subjects have no weight or no response.
fn responders() -> Trial {
    let columns = vec![
        category("ARM", &["control", "low", "high"]),
        category("SEX", &["F", "M"]),
        category("RESPONSE", &["N", "Y"]),
        number("WEIGHT", 40, 120),
        number("CURED", 0, 1),
    ];
    let rows = (0..120i64).map(|i| {
        let arm = i % 3;
        let response = i64::from((i * 7 + arm * i) % 10 < 4 + arm);
        let weight = (i < 110).then_some(50 + (i * 37 % 60) + arm);
        let known = (i % 40 != 39).then_some(response);
        vec![Some(arm), Some(i % 2), known, weight, known]
    });
    Trial::new("subjects", columns, rows.collect())
}

#[test]
fn missing_values_are_in_no_mean_and_missing_groups_in_no_test() {
    let statistics = Statistics::of(&[responders().ask(&[], &["WEIGHT"], &["ARM"], 1)]);
    let all = row(only(&statistics, Kind::Summary), &[]);
    assert_eq!((number_of(all, "n"), number_of(all, "missing")), (110.0, 10.0));
    let known = Statistics::of(&[responders().ask(&[("WEIGHT", 50)], &["WEIGHT"], &["ARM"], 1)]);
    let row_of_all = row(only(&known, Kind::Summary), &[]);
    assert!(
        matches!(row_of_all.figure("missing"), Some(Figure::Undefined(_))),
        "the condition leaves them out"
    );
    let response = Statistics::of(&[responders().ask(&[], &[], &["ARM", "RESPONSE"], 1)]);
    assert_eq!(number_of(row(only(&response, Kind::Counts), &["control", "(missing)"]), "n"), 1.0);
    let table = row(only(&response, Kind::Fourfold), &["low/control"]);
    let cells =
        ["first_with", "first_without", "second_with", "second_without"].map(|name| number_of(table, name));
    assert_eq!(cells.iter().sum::<f64>(), 78.0, "80 subjects, and one in each arm without a response");
}

#[test]
fn a_yes_or_no_is_the_same_table_as_a_group_and_as_a_sum() {
    let trial = responders();
    let grouped = Statistics::of(&[trial.ask(&[], &[], &["ARM", "RESPONSE"], 1)]);
    let summed = Statistics::of(&[trial.ask(&[], &["CURED"], &["ARM"], 1)]);
    let (grouped, summed) = (only(&grouped, Kind::Fourfold), only(&summed, Kind::Fourfold));
    assert_eq!(grouped.of.as_deref(), Some("RESPONSE = Y"));
    assert_eq!(summed.of.as_deref(), Some("CURED = 1"));
    assert_eq!(grouped.rows, summed.rows);
}

#[test]
fn the_reference_arm_comes_second() {
    let trial = responders();
    let source = trial.ask(&[], &["WEIGHT"], &["ARM"], 1);
    let by_convention = Statistics::of(std::slice::from_ref(&source));
    let tests = only(&by_convention, Kind::WelchT);
    assert_eq!(tests.rows.len(), 3);
    let difference = number_of(row(tests, &["low/control"]), "difference");
    let roles = Roles { reference: Some("low".to_owned()), ..Roles::default() };
    let said = Statistics::with(&[source], &roles);
    assert_eq!(number_of(row(only(&said, Kind::WelchT), &["control/low"]), "difference"), -difference);
}

#[test]
fn tests_of_several_groups_are_of_the_arms() {
    let trial = responders();
    let one = Statistics::of(&[trial.ask(&[], &["WEIGHT"], &["ARM"], 1)]);
    let two = Statistics::of(&[trial.ask(&[], &["WEIGHT"], &["SEX", "ARM"], 1)]);
    assert_eq!(only(&one, Kind::WelchT).rows, only(&two, Kind::WelchT).rows);
    let counts = only(&two, Kind::Counts);
    // Groups are in the order of the table's columns, however they were asked for.
    let percent = number_of(row(counts, &["high", "F"]), "percent");
    assert_eq!(percent, 50.0, "of the arm");
}

/// Adverse events of the responders' subjects: every third has the first term, some the second.
fn events() -> Trial {
    let columns = vec![
        category("TERM", &["headache", "nausea"]),
        category("ARM", &["high", "low", "control"]),
        category("SEX", &["F", "M"]),
    ];
    let rows = (0..120u32).flat_map(|i| {
        let arm = 2 - i64::from(i % 3);
        let headache =
            (i % 3 == 0 || i % 4 == 0).then_some((i + 1, vec![Some(0), Some(arm), Some(i64::from(i) % 2)]));
        let nausea = (i % 5 == 2).then_some((i + 1, vec![Some(1), Some(arm), Some(i64::from(i) % 2)]));
        headache.into_iter().chain(nausea)
    });
    Trial::events("events", columns, rows.collect())
}

#[test]
fn incidence_finds_its_denominators_in_the_subject_table() {
    let subjects = responders().ask(&[], &["WEIGHT"], &["ARM"], 1);
    let statistics = Statistics::of(&[events().ask(&[], &[], &["TERM", "ARM"], 1), subjects.clone()]);
    let incidence = only(&statistics, Kind::Incidence);
    let control = row(incidence, &["headache", "control"]);
    assert_eq!((number_of(control, "subjects_with"), number_of(control, "subjects")), (40.0, 40.0));
    let high = row(incidence, &["headache", "high"]);
    assert_eq!(number_of(high, "percent"), 25.0);
    let ratio = number_of(row(incidence, &["headache", "high/control"]), "risk_ratio");
    assert_eq!(ratio, 0.25);
    let alone = Statistics::of(&[events().ask(&[("TERM", 0)], &[], &["ARM"], 1), subjects.clone()]);
    assert_eq!(row(only(&alone, Kind::Incidence), &["headache", "high"]), high);
    let one_arm = Statistics::of(&[events().ask(&[("ARM", 0)], &[], &["TERM"], 1), subjects]);
    assert_eq!(row(only(&one_arm, Kind::Incidence), &["headache", "high"]), high, "of its arm, not of all");
}

#[test]
fn a_share_of_which_few_are_without_the_event_is_withheld() {
    // 60 in each arm; 58, all and 49 have the event: those without it are in no row of their table.
    let subjects = (0..180i64).map(|i| vec![Some(i % 3)]).collect();
    let subjects = Trial::new("subjects", vec![category("ARM", &["control", "low", "high"])], subjects);
    let rows = (0..180u32).filter(|i| i / 3 < [58, 60, 49][(i % 3) as usize]);
    let rows = rows.map(|i| (i + 1, vec![Some(0), Some(i64::from(i % 3))])).collect();
    let columns = vec![category("TERM", &["headache"]), category("ARM", &["control", "low", "high"])];
    let events = Trial::events("events", columns, rows);
    let of = |threshold: u32| {
        let asked =
            [events.ask(&[], &[], &["TERM", "ARM"], threshold), subjects.ask(&[], &[], &["ARM"], threshold)];
        only(&Statistics::of(&asked), Kind::Incidence).clone()
    };
    let researcher = of(11);
    let control = row(&researcher, &["headache", "control"]);
    for name in ["subjects_with", "percent"] {
        assert!(matches!(control.figure(name), Some(Figure::Withheld(_))), "{control:?}");
    }
    assert_eq!(number_of(control, "subjects"), 60.0);
    assert_eq!(number_of(row(&researcher, &["headache", "low"]), "percent"), 100.0, "nobody is without it");
    assert_eq!(number_of(row(&researcher, &["headache", "high"]), "subjects_with"), 49.0, "11 are without");
    for pair in ["low/control", "high/control"] {
        let compared = row(&researcher, &["headache", pair]);
        assert!(compared.figures.iter().all(|(_, figure)| matches!(figure, Figure::Withheld(_))), "{pair}");
    }
    assert!(number_of(row(&researcher, &["headache", "low/high"]), "risk_ratio") > 1.0);
    let text = researcher.to_string();
    assert!(text.contains("withheld: some subjects") && !text.contains("58"), "{text}");
    let json = serde_json::to_value(&researcher).unwrap();
    assert!(json.to_string().contains(r#""percent":{"withheld":"some subjects"#), "{json}");
    // Exact answers are for the regulator.
    assert_eq!(number_of(row(&of(1), &["headache", "control"]), "subjects_with"), 58.0);
}

#[test]
fn a_population_is_the_same_by_the_case_of_names_and_not_of_words() {
    let rows = |number: i64| (0..number).map(|i| vec![Some(i % 2), Some(i / 2 % 2)]).collect::<Vec<_>>();
    let of = |site: &str| {
        let columns = vec![category("arm", &["x", "y"]), category(site, &["a", "A"])];
        Trial::new("subjects", columns, rows(80))
    };
    let columns =
        vec![category("TERM", &["headache"]), category("ARM", &["x", "y"]), category("SITE", &["a", "A"])];
    let events = rows(40).into_iter().zip(1..).map(|(row, subject)| (subject, [vec![Some(0)], row].concat()));
    let events = Trial::events("events", columns, events.collect());
    let incidence = |site: &str, place: i64| {
        let asked = [
            events.ask(&[("SITE", 0)], &[], &["TERM", "ARM"], 1),
            of(site).ask(&[(site, place)], &[], &["arm"], 1),
        ];
        only(&Statistics::of(&asked), Kind::Incidence).rows.len()
    };
    assert_eq!(incidence("SITE", 0), 3);
    assert_eq!(incidence("site", 0), 3, "a name is the same in any case");
    assert_eq!(incidence("SITE", 1), 0, "those of site A are others than those of site a");
}

#[test]
fn a_word_that_says_missing_is_an_arm_like_others() {
    let columns = vec![category("ARM", &["a", "(missing)"]), number("AVAL", 1, 20), number("CNSR", 0, 1)];
    let rows = (0..60i64).map(|i| vec![(i % 3 < 2).then_some(i % 3), Some(1 + i / 3), Some(i % 2)]);
    let trial = Trial::new("adtte", columns, rows.collect());
    let statistics = Statistics::of(&[trial.ask(&[], &["CNSR"], &["ARM", "AVAL"], 1)]);
    let test = only(&statistics, Kind::LogRank);
    // The test itself, and what each of two arms adds to it: those whose arm is missing are not compared.
    assert_eq!(test.rows.len(), 3, "{test}");
    let medians = only(&statistics, Kind::MedianSurvival);
    assert_eq!(medians.rows.len(), 3, "{medians}");
}

#[test]
fn incidence_without_denominators_says_what_is_needed() {
    let events = events().ask(&[], &[], &["TERM", "ARM"], 1);
    let alone = Statistics::of(std::slice::from_ref(&events));
    let finding = only(&alone, Kind::Incidence);
    assert!(finding.rows.is_empty() && finding.notes[0].contains("COUNT(*)"), "{finding}");
    let women = responders().ask(&[("SEX", 0)], &[], &["ARM"], 1);
    let other = Statistics::of(&[events.clone(), women]);
    assert!(only(&other, Kind::Incidence).rows.is_empty(), "women are not the population of the events");
    // Not a column of the event table: the reader must judge.
    let cured = responders().ask(&[("CURED", 1)], &[], &["ARM"], 1);
    let judged = Statistics::of(&[events, cured]);
    assert_eq!(
        only(&judged, Kind::Incidence).notes,
        ["CURED = 1 is taken to hold for the events too: their table has no such column."]
    );
    assert!(matches!(
        row(only(&judged, Kind::Incidence), &["headache", "control"]).figure("percent"),
        Some(Figure::Undefined(why)) if why.contains("not of one population")
    ));
}

#[test]
fn rows_that_may_repeat_a_subject_are_no_incidence() {
    let statistics =
        Statistics::of(&[events().ask(&[], &[], &["ARM"], 1), responders().ask(&[], &[], &["ARM"], 1)]);
    assert!(!statistics.sources[0].counts_subjects && statistics.sources[1].counts_subjects);
    assert!(statistics.findings.iter().all(|finding| finding.kind != Kind::Incidence));
    assert!(statistics.to_string().contains("Rows, not subjects"));
}

#[test]
fn binned_and_numeric_groups_give_histograms_and_the_places_of_quantiles() {
    // Not in ascending order, and not alphabetical.
    let columns = vec![category("AGEGR1", &[">80", "<65", "65-80"]), number("VISITS", 0, 9)];
    let rows = (0..40i64).map(|i| {
        vec![
            Some(if i < 5 {
                1
            } else if i < 30 {
                2
            } else {
                0
            }),
            Some(i % 4),
        ]
    });
    let trial = Trial::new("subjects", columns, rows.collect());
    let binned = Statistics::of(&[trial.ask(&[], &[], &["AGEGR1"], 1)]);
    let bars = &only(&binned, Kind::Histogram).rows;
    let counts: Vec<f64> = bars.iter().map(|row| number_of(row, "n")).collect();
    assert_eq!(counts, [5.0, 25.0, 10.0], "in ascending order");
    let places = &only(&binned, Kind::Quantiles).rows[0];
    assert_eq!(places.figure("median_from"), Some(&Figure::Word("65-80".to_owned())));
    // Ranks 30 and 31: the third quartile is on the edge.
    assert_eq!(places.figure("third_quartile_from"), Some(&Figure::Word("65-80".to_owned())));
    assert_eq!(places.figure("third_quartile_to"), Some(&Figure::Word(">80".to_owned())));
    let exact = Statistics::of(&[trial.ask(&[], &[], &["VISITS"], 1)]);
    let places = &only(&exact, Kind::Quantiles).rows[0];
    assert_eq!((number_of(places, "median_from"), number_of(places, "median_to")), (1.0, 2.0));
}

#[test]
fn intervals_of_time_give_life_tables() {
    let columns =
        vec![category("ARM", &["a", "b"]), category("TIME", &["6+", "0-<3", "3-<6"]), number("EVENT", 0, 1)];
    let rows = (0..60i64)
        .map(|i| vec![Some(i % 2), Some([1, 1, 2, 0, 2, 1][(i / 2 % 6) as usize]), Some(i / 3 % 2)]);
    let statistics = Statistics::of(&[Trial::new("tte", columns, rows.collect()).ask(
        &[],
        &["EVENT"],
        &["ARM", "TIME"],
        1,
    )]);
    let table = only(&statistics, Kind::LifeTable);
    let intervals: Vec<_> =
        table.rows.iter().take(3).map(|row| row.figure("interval").cloned().unwrap()).collect();
    assert_eq!(intervals, ["0-<3", "3-<6", "6+"].map(|word| Figure::Word(word.to_owned())));
    let entering: Vec<f64> = table.rows.iter().take(3).map(|row| number_of(row, "entering")).collect();
    assert_eq!(entering, [30.0, 15.0, 5.0]);
    let first = &table.rows[0];
    let (events, censored) = (number_of(first, "events"), number_of(first, "censored"));
    let expected = 1.0 - events / (30.0 - censored / 2.0);
    assert!((number_of(first, "survival") - expected).abs() < 1e-15);
}

#[test]
fn two_columns_of_one_dictionary_are_a_shift_table() {
    let grades = ["low", "normal", "high"];
    let columns =
        vec![category("TRTA", &["x", "y"]), category("BNRIND", &grades), category("ANRIND", &grades)];
    let rows = (0..36i64).map(|i| vec![Some(i % 2), Some(i / 2 % 3), Some(i / 6 % 3)]);
    let trial = Trial::new("labs", columns, rows.collect());
    let by_arm = Statistics::of(&[trial.ask(&[], &[], &["TRTA", "BNRIND", "ANRIND"], 1)]);
    let shift = only(&by_arm, Kind::Shift);
    assert_eq!(shift.of.as_deref(), Some("BNRIND to ANRIND"));
    let cell = row(shift, &["x", "low", "high"]);
    assert_eq!((number_of(cell, "n"), number_of(cell, "percent")), (2.0, 100.0 / 3.0));
    let all = Statistics::of(&[trial.ask(&[], &[], &["BNRIND", "ANRIND"], 1)]);
    assert_eq!(number_of(row(only(&all, Kind::Shift), &["low", "high"]), "n"), 4.0);
}

#[test]
fn correlations_need_both_values_in_every_row() {
    let columns = vec![number("X", 0, 50), number("Y", -50, 50)];
    let rows = |missing: bool| -> Vec<Vec<Option<i64>>> {
        (0..20i64).map(|i| vec![Some(i), (i > 0 || !missing).then_some(7 - 2 * i)]).collect()
    };
    let ask = |missing| {
        Statistics::of(&[Trial::new("t", columns.clone(), rows(missing)).ask(&[], &["X", "Y"], &[], 1)])
    };
    let whole = ask(false);
    let row = &only(&whole, Kind::Covariance).rows[0];
    assert_eq!(
        (number_of(row, "pairs"), number_of(row, "covariance"), number_of(row, "correlation")),
        (20.0, -70.0, -1.0)
    );
    let part = ask(true);
    let row = &only(&part, Kind::Covariance).rows[0];
    assert_eq!(number_of(row, "pairs"), 19.0);
    assert!(matches!(row.figure("correlation"), Some(Figure::Undefined(why)) if why.contains("missing")));
}

#[test]
fn an_event_column_with_more_codes_must_be_a_group() {
    let columns = vec![category("ARM", &["a", "b"]), number("AVAL", 1, 20), number("CNSR", 0, 2)];
    let rows = (0..40i64).map(|i| vec![Some(i % 2), Some(1 + i / 2), Some(i % 3)]);
    let trial = Trial::new("adtte", columns, rows.collect());
    let summed = Statistics::of(&[trial.ask(&[], &["CNSR"], &["ARM", "AVAL"], 1)]);
    assert!(only(&summed, Kind::KaplanMeier).notes[0].contains("GROUP BY CNSR"));
    let grouped = Statistics::of(&[trial.ask(&[], &[], &["ARM", "AVAL", "CNSR"], 1)]);
    let medians = only(&grouped, Kind::MedianSurvival);
    let events: f64 = ["a", "b"].iter().map(|arm| number_of(row(medians, &[arm]), "events")).sum();
    assert_eq!(events, 14.0, "1 and 2 are both censored");
}

#[test]
fn reports_follow_their_schema() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/statistics.schema.json");
    let schema =
        jsonschema::validator_for(&serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap()).unwrap();
    let trial = responders();
    for threshold in [1, 11] {
        let statistics = Statistics::of(&[
            leukaemia().ask(&[], &["CNSR"], &["ARM", "AVAL"], threshold),
            trial.ask(&[], &["WEIGHT", "CURED"], &["ARM", "SEX"], threshold),
            trial.ask(&[], &[], &["ARM", "RESPONSE"], threshold),
            events().ask(&[], &[], &["TERM", "ARM"], threshold),
            trial.ask(&[], &[], &["ARM"], threshold),
            trial.ask(&[("SEX", 0)], &[], &["WEIGHT"], threshold),
        ]);
        let json = serde_json::to_value(&statistics).unwrap();
        let errors: Vec<String> =
            schema.iter_errors(&json).map(|error| format!("{error} at {}", error.instance_path())).collect();
        assert!(errors.is_empty(), "{errors:?}");
        let mut other = json;
        other["findings"][0]["kind"] = "guess".into();
        assert!(!schema.is_valid(&other));
    }
}

#[test]
fn a_status_by_age_is_no_survival() {
    let columns =
        vec![number("AGE", 60, 79), category("STATUS", &["completed", "withdrawn"]), number("DEATH", 0, 1)];
    let rows = (0..40i64).map(|i| vec![Some(60 + i % 20), Some(i % 2), Some(i % 2)]);
    let trial = Trial::new("subjects", columns, rows.collect());
    for group in ["STATUS", "DEATH"] {
        let statistics = Statistics::of(&[trial.ask(&[], &[], &["AGE", group], 1)]);
        assert!(statistics.findings.iter().all(|finding| finding.kind != Kind::KaplanMeier), "{statistics}");
        only(&statistics, Kind::Histogram);
    }
}

/// Computed by lifelines and statsmodels, and printed by C's `%.10g`.
const EXPECTED_LINES: [&str; 7] = [
    "Log-rank test: AVAL, event CNSR = 0 [0]",
    "(all) 16.79294099 1 0.00004168809109",
    "6-MP 9 19.25050095",
    "placebo 21 10.74949905",
    "6-MP 7 17 1 0 0.8067226891 0.08693528518 0.6363326611 0.977112717 0.5631465646 0.9228090192",
    "6-MP 21 9 12 0 23 13 -",
    "no median_high: not reached",
];

#[test]
fn the_text_has_ten_digits_and_names_groups_in_words() {
    let text = Statistics::of(&[leukaemia().ask(&[], &["CNSR"], &["ARM", "AVAL"], 1)]).to_string();
    let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
    for expected in EXPECTED_LINES {
        let words: Vec<&str> = expected.split_whitespace().collect();
        assert!(lines.contains(&words), "{expected} in\n{text}");
    }
}

#[test]
fn a_report_without_answers_is_empty() {
    let statistics = Statistics::of(&[]);
    assert!(
        statistics.sources.is_empty() && statistics.findings.is_empty() && statistics.to_string().is_empty()
    );
}
