//! The CDISC pilot study from its SAS files through registration, proof and verification to the statistics of the paper, against what
//! pandas, SciPy, lifelines and statsmodels make of the same files.

use crate::cohort_command::{dataset, done, verified};
use anyhow::{Context, Result, ensure};
use nightingale_verifier::{
    cohort::{CohortKeys, verify_registration},
    statistics::{Figure, Finding, Kind, Row, Source, Statistics, Word},
};
use serde_json::Value;
use std::{
    env, fs,
    path::{Path, PathBuf},
};

fn study() -> Option<PathBuf> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let shared = env::var_os("NIGHTINGALE_SHARED_DATA")
        .map_or_else(|| workspace.join("../shared/data"), PathBuf::from);
    let study = shared.join("trial/phuse_tdf_xpt");
    study.join("adsl.xpt").is_file().then_some(study)
}

/// Asks as the regulator, verifies, and gives the source of statistics.
fn ask(folder: &Path, sql: &str) -> Result<Source> {
    let query =
        ["cohort", "query", "--dataset", "ds", "--role", "regulator", "--sql", sql, "--out", "p.json"];
    done(folder, &query)?;
    let said = verified(&folder.join("ds"), &folder.join("p.json"))?;
    Ok(Source::of(&said)?)
}

fn finding(statistics: &Statistics, kind: Kind) -> Result<&Finding> {
    statistics.findings.iter().find(|finding| finding.kind == kind).with_context(|| format!("no {kind:?}"))
}

/// The row whose key names these groups and no others.
fn row<'a>(finding: &'a Finding, groups: &[&str]) -> Result<&'a Row> {
    let word = |word: &Word| match word {
        Word::One(group) => group.clone(),
        Word::Versus(first, second) => format!("{first}/{second}"),
    };
    let is = |row: &&Row| {
        row.key.iter().map(|(_, other)| word(other)).eq(groups.iter().map(|group| (*group).to_owned()))
    };
    finding.rows.iter().find(is).with_context(|| format!("no row {groups:?} in {:?}", finding.kind))
}

fn close(row: &Row, name: &str, expected: &Value) -> Result<()> {
    let ours = match row.figure(name) {
        Some(Figure::Number(number)) => *number,
        Some(Figure::Count(count)) => *count as f64,
        Some(Figure::Word(word)) => word.parse()?,
        other => {
            ensure!(expected.is_null(), "{name}: {other:?}, expected {expected}");
            return Ok(());
        }
    };
    let expected: f64 = serde_json::from_value(expected.clone())
        .with_context(|| format!("{name}: {ours}, and none expected"))?;
    ensure!(
        (ours - expected).abs() <= 1e-9 * expected.abs().max(1e-3),
        "{name}: {ours}, expected {expected}"
    );
    Ok(())
}

#[test]
fn the_pilot_studys_results_are_those_of_other_tools() -> Result<()> {
    let Some(study) = study() else {
        // A message that is seen with --nocapture.
        let _ = std::io::Write::write_all(&mut std::io::stderr(), b"skipped: shared data absent\n");
        return Ok(());
    };
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let expected = fs::read(workspace.join("verifier/tests/verifier/statistics/cdisc_expected.json"))?;
    let expected: Value = serde_json::from_slice(&expected)?;
    let folder = tempfile::tempdir()?;
    let files = ["adsl", "adae", "adtte"].map(|name| study.join(format!("{name}.xpt")).display().to_string());
    let commit = [
        "dataset",
        "commit",
        &files[0],
        &files[1],
        &files[2],
        "--schema",
        "s.toml",
        "--out",
        "ds",
        "--key-column",
        "USUBJID",
    ];
    done(folder.path(), &[&commit[..], &["--infer"]].concat())?;
    done(folder.path(), &commit)?;
    verify_registration(&dataset(&folder.path().join("ds"))?, &CohortKeys::development(), false)?;

    let ages = ask(folder.path(), "SELECT TRT01A, AVG(AGE), STDDEV(AGE) FROM adsl GROUP BY TRT01A")?;
    age_by_arm(&expected, &ages).context("age")?;
    for term in list(&expected["incidence"])?.iter().take(3) {
        incidence(folder.path(), term, &ages).with_context(|| term["term"].to_string())?;
    }
    survival(folder.path(), &expected["time_to_event"])
}

fn list(value: &Value) -> Result<&Vec<Value>> {
    value.as_array().context("not a list")
}

fn text(value: &Value) -> Result<&str> {
    value.as_str().context("not a text")
}

fn age_by_arm(expected: &Value, ages: &Source) -> Result<()> {
    let statistics = Statistics::of(std::slice::from_ref(ages));
    let summary = finding(&statistics, Kind::Summary)?;
    for arm in list(&expected["age"]["arms"])? {
        let row = row(summary, &[text(&arm["arm"])?])?;
        close(row, "mean", &arm["mean"])?;
        close(row, "standard_deviation", &arm["standard_deviation"])?;
    }
    let welch = finding(&statistics, Kind::WelchT)?;
    let tests = list(&expected["age"]["welch"])?;
    ensure!(tests.len() == 3);
    for test in tests {
        let row = row(welch, &[&format!("{}/{}", text(&test["first"])?, text(&test["second"])?)])?;
        for name in ["difference", "t", "degrees", "p", "low", "high"] {
            close(row, name, &test[name])?;
        }
    }
    Ok(())
}

fn incidence(folder: &Path, term: &Value, ages: &Source) -> Result<()> {
    let word = text(&term["term"])?;
    let events =
        ask(folder, &format!("SELECT TRTA, COUNT(*) FROM adae WHERE AEDECOD = '{word}' GROUP BY TRTA"))?;
    let statistics = Statistics::of(&[events, ages.clone()]);
    let incidence = finding(&statistics, Kind::Incidence)?;
    for arm in list(&term["arms"])? {
        let row = row(incidence, &[word, text(&arm["arm"])?])?;
        close(row, "subjects", &arm["subjects"])?;
        close(row, "percent", &arm["percent"])?;
    }
    for pair in list(&term["compared"])? {
        let row = row(incidence, &[word, &format!("{}/{}", text(&pair["first"])?, text(&pair["second"])?)])?;
        for name in ["fisher_p", "risk_ratio", "risk_ratio_low", "risk_ratio_high", "odds_ratio"] {
            close(row, name, &pair[name])?;
        }
    }
    Ok(())
}

/// One question an arm: a day and an arm would be more groups than one proof has.
fn survival(folder: &Path, expected: &Value) -> Result<()> {
    let arms = list(&expected["arms"])?;
    let curve = |arm: &Value| {
        let name = text(&arm["arm"])?;
        ask(folder, &format!("SELECT AVAL, SUM(CNSR) FROM adtte WHERE TRTA = '{name}' GROUP BY AVAL"))
    };
    let statistics = Statistics::of(&arms.iter().map(curve).collect::<Result<Vec<_>>>()?);
    let mut rows = finding(&statistics, Kind::KaplanMeier)?.rows.iter();
    for arm in arms {
        for step in list(&arm["steps"])? {
            let row = rows.next().context("too few steps")?;
            for name in [
                "time",
                "at_risk",
                "survival",
                "standard_error",
                "plain_low",
                "plain_high",
                "log_log_low",
                "log_log_high",
            ] {
                close(row, name, &step[name])
                    .with_context(|| format!("{} at {}", arm["arm"], step["time"]))?;
            }
        }
    }
    ensure!(rows.next().is_none(), "too many steps");
    let medians = finding(&statistics, Kind::MedianSurvival)?;
    for arm in arms {
        let row = row(medians, &[text(&arm["arm"])?])?;
        for name in ["subjects", "events", "median"] {
            close(row, name, &arm[name])?;
        }
    }
    let log_rank = finding(&statistics, Kind::LogRank)?;
    let all = list(&expected["log_rank"])?
        .iter()
        .find(|test| test["arms"].as_array().is_some_and(|arms| arms.len() == 3));
    let all = all.context("no test of all arms")?;
    let matches =
        |row: &&Row| ["chi_squared", "degrees", "p"].iter().all(|name| close(row, name, &all[*name]).is_ok());
    log_rank
        .rows
        .iter()
        .find(matches)
        .with_context(|| format!("no log-rank test is {all}; there are {:?}", log_rank.rows))?;
    Ok(())
}
