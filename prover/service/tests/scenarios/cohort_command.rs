//! A trial on the command line, from files to verified answers; what is refused on the way, and with which exit code.

use anyhow::{Context, Result, ensure};
use nightingale::cohort::Folder;
use nightingale_verifier::cohort::{
    CohortKeys, Dataset, Expectation, QueryProof, RowProof, VerifiedQuery, verify_query, verify_registration,
    verify_row, verify_sponsor,
};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    sync::{Mutex, OnceLock, PoisonError},
};
use tempfile::TempDir;

/// What a command did.
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// Runs the binary in a folder. The setup is kept from one run of the tests to the next.
pub(crate) fn nightingale(folder: &Path, arguments: &[&str]) -> Result<Ran> {
    let ran = Command::new(env!("CARGO_BIN_EXE_nightingale"))
        .args(arguments)
        .current_dir(folder)
        .env("XDG_CACHE_HOME", env!("CARGO_TARGET_TMPDIR"))
        .output()?;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ok(Ran { code: ran.status.code(), out: text(ran.stdout), err: text(ran.stderr) })
}

/// Runs a command that must succeed.
pub(crate) fn done(folder: &Path, arguments: &[&str]) -> Result<String> {
    let ran = nightingale(folder, arguments)?;
    ensure!(ran.code == Some(0), "{arguments:?} ended with {:?}: {}", ran.code, ran.err);
    Ok(ran.out)
}

/// The well-known first account of local chains, and its address.
const SPONSOR_KEY: &str = "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
const SPONSOR: &str = "f39fd6e51aad88f6f4ce6ab8827279cfffb92266";

/// A folder with an invented trial, registered as `ds` and signed by its sponsor.
struct Registered {
    folder: TempDir,
}

/// One registration for all stories, made by the first; each works on a copy.
fn registered() -> Result<Registered> {
    static MADE: OnceLock<Mutex<Option<PathBuf>>> = OnceLock::new();
    let mut made = MADE.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
    if made.is_none() {
        let folder = tempfile::tempdir()?.keep();
        done(&folder, &["synth", "trial", "--rows", "300", "--seed", "5", "--out", "t.csv"])?;
        let key = folder.join("sponsor.key");
        fs::write(&key, SPONSOR_KEY)?;
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600))?;
        let commit = ["dataset", "commit", "t.csv", "t_events.csv", "--schema", "t.toml", "--out", "ds"];
        done(&folder, &[&commit[..], &["--sponsor-key", "sponsor.key"]].concat())?;
        *made = Some(folder);
    }
    let folder = tempfile::tempdir()?;
    copy(made.as_deref().context("not made")?, folder.path())?;
    Ok(Registered { folder })
}

/// The key of a subject of the registered dataset, by its row.
pub(crate) fn subject(row: usize) -> Result<String> {
    let rows = rows(&registered()?.path().join("t.csv"))?;
    Ok(rows.get(row).and_then(|row| row.get("USUBJID")).context("no such row")?.clone())
}

/// Writes the key of its sponsor.
pub(crate) fn sponsor_key(path: &Path) -> Result<()> {
    fs::write(path, SPONSOR_KEY)?;
    Ok(fs::set_permissions(path, fs::Permissions::from_mode(0o600))?)
}

/// Puts the registered dataset there.
pub(crate) fn place(folder: &Path) -> Result<()> {
    copy(&registered()?.path().join("ds"), folder)
}

/// Copies a folder into another, over what is there.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let place = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &place)?;
        } else {
            fs::copy(entry.path(), place)?;
        }
    }
    Ok(())
}

impl Registered {
    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn query(&self, role: &str, sql: &str) -> Result<Ran> {
        nightingale(
            self.path(),
            &[
                "cohort",
                "query",
                "--dataset",
                "ds",
                "--role",
                role,
                "--sql",
                sql,
                "--out",
                "p.json",
                "--json",
            ],
        )
    }
}

/// The public half of a dataset folder.
pub(crate) fn dataset(folder: &Path) -> Result<Dataset> {
    Ok(Dataset::from_json(&fs::read(folder.join("public/dataset.json"))?)?)
}

/// Verifies a proof file as a third party would.
pub(crate) fn verified(folder: &Path, proof: &Path) -> Result<VerifiedQuery> {
    let dataset = dataset(folder)?;
    let proof = QueryProof::from_json(&fs::read(proof)?, &dataset)?;
    Ok(verify_query(&dataset, &proof, &Expectation::default(), &CohortKeys::development())?)
}

/// The rows of a CSV file without quotes, by column name.
fn rows(path: &Path) -> Result<Vec<BTreeMap<String, String>>> {
    let text = fs::read_to_string(path)?;
    let mut lines = text.lines();
    let names: Vec<&str> = lines.next().context("no header")?.split(',').collect();
    let row = |line: &str| {
        names.iter().zip(line.split(',')).map(|(name, cell)| ((*name).to_owned(), cell.to_owned())).collect()
    };
    Ok(lines.map(row).collect())
}

#[test]
fn an_answer_is_what_the_file_holds_and_verifies() -> Result<()> {
    let trial = registered()?;
    let ran = trial
        .query("researcher", "select arm, avg(age), count(*) from T where age is not null group by arm")?;
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let answer: Value = serde_json::from_str(&ran.out)?;
    let mut expected: BTreeMap<String, (u64, u64, u64)> = BTreeMap::new();
    for row in rows(&trial.path().join("t.csv"))? {
        let age: u64 = row["AGE"].parse()?;
        let arm = expected.entry(row["ARM"].clone()).or_default();
        *arm = (arm.0 + 1, arm.1 + age, arm.2 + age * age);
    }
    assert_eq!(expected.len(), 3);
    let groups = answer["groups"].as_array().context("no groups")?;
    for group in groups {
        let Some(arm) = group["key"]["ARM"].as_str() else {
            assert_eq!(group["count"], 0, "nobody's arm is missing");
            continue;
        };
        let (count, sum, squares) = expected.remove(arm).context("an arm that is not in the file")?;
        assert_eq!(group["suppressed"], false);
        assert_eq!((&group["count"], &group["nonmissing"]["AGE"]), (&count.into(), &count.into()));
        assert_eq!((&group["sums"]["AGE"], &group["squares"]["AGE"]), (&sum.into(), &squares.into()));
    }
    assert!(expected.is_empty(), "{expected:?}");
    assert_eq!((&answer["role"], &answer["threshold"]), (&"researcher".into(), &11.into()));
    assert_eq!(answer["query"], "SELECT ARM, COUNT(*), SUM(AGE) FROM t WHERE AGE IS NOT NULL GROUP BY ARM");

    let ds = trial.path().join("ds");
    let said = verified(&ds, &trial.path().join("p.json"))?;
    assert_eq!(said.answer.cells.len(), groups.len());
    verify_registration(&dataset(&ds)?, &CohortKeys::development(), false)?;
    Ok(())
}

#[test]
fn small_cells_are_hidden_from_a_researcher_and_not_from_a_regulator() -> Result<()> {
    let trial = registered()?;
    let sql = "SELECT ARM, TERM, COUNT(*) FROM t_events GROUP BY ARM, TERM";
    let counts = |ran: Ran| -> Result<Vec<Option<u64>>> {
        ensure!(ran.code == Some(0), "{}", ran.err);
        let answer: Value = serde_json::from_str(&ran.out)?;
        let groups = answer["groups"].as_array().context("no groups")?;
        assert!(groups.iter().all(|group| group["suppressed"].as_bool() == Some(group["count"].is_null())));
        Ok(groups.iter().map(|group| group["count"].as_u64()).collect())
    };
    let hidden = counts(trial.query("researcher", sql)?)?;
    let ran = trial.query("regulator", sql)?;
    assert!(ran.err.contains("in clear"), "an exact answer in clear is warned of: {}", ran.err);
    let exact = counts(ran)?;
    assert!(exact.iter().flatten().any(|count| (1..11).contains(count)), "no small cell to hide");
    assert!(hidden.iter().any(Option::is_none));
    for (hidden, exact) in hidden.iter().zip(&exact) {
        assert!(exact.is_some());
        assert!(hidden.is_none() || hidden == exact);
        assert!(hidden.is_none_or(|count| count == 0 || count >= 11));
    }
    Ok(())
}

#[test]
fn what_is_not_answered_is_said_with_what_to_do_and_put_on_record() -> Result<()> {
    let trial = registered()?;
    let cases = [
        ("SELECT ARM, COUNT(*) FROM t WHERE AGE > 50 GROUP BY ARM", 1, "not one of the"),
        ("SELECT ARM, AVG(AGEE) FROM t GROUP BY ARM", 1, "AGE"),
        ("SELECT ARM, COUNT(*) FROM t GROUP BY ARM ORDER BY ARM", 1, "ORDER BY"),
        ("SELECT COUNT(*) FROM elsewhere", 1, "t_events"),
        ("SELEKT", 2, "not SQL"),
    ];
    for (sql, code, text) in cases {
        let ran = trial.query("researcher", sql)?;
        assert_eq!(ran.code, Some(code), "{sql}: {}", ran.err);
        assert!(ran.err.contains(text) && ran.err.lines().count() == 1, "{sql}: {}", ran.err);
    }
    assert!(!trial.path().join("p.json").exists());
    let ledger = done(trial.path(), &["dataset", "ledger", "--dataset", "ds"])?;
    assert!(ledger.contains("NOT_IN_PLAN") && ledger.lines().count() == 1, "{ledger}");

    let elsewhere = ["cohort", "query", "--dataset", "nowhere", "--sql", "SELECT 1", "--out", "p.json"];
    let ran = nightingale(trial.path(), &elsewhere)?;
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.contains("dataset commit"), "{}", ran.err);
    Ok(())
}

#[test]
fn a_changed_ledger_lets_nothing_be_answered() -> Result<()> {
    let trial = registered()?;
    for sql in ["SELECT ARM, COUNT(*) FROM t WHERE AGE > 50 GROUP BY ARM", "SELECT COUNT(*) FROM t"] {
        assert_eq!(trial.query("researcher", sql)?.code, Some(1));
    }
    let path = trial.path().join("ds/private/ledger.jsonl");
    let text = fs::read_to_string(&path)?;
    assert_eq!(text.lines().count(), 2);
    for changed in [
        text.replacen("NOT_IN_PLAN", "NOT_IN_PLAM", 1),
        text.lines().skip(1).collect(),
        text[..text.len() - 5].to_owned(),
    ] {
        fs::write(&path, changed)?;
        let ran = trial.query("regulator", "SELECT COUNT(*) FROM t")?;
        assert_eq!(ran.code, Some(2), "{}", ran.err);
        assert!(ran.err.contains("ledger"), "{}", ran.err);
    }
    Ok(())
}

#[test]
fn every_damaged_file_of_a_dataset_is_found_before_anything_is_proven() -> Result<()> {
    let trial = registered()?;
    for name in
        ["public/dataset.json", "private/t.table", "private/t_events.table", "private/registration.json"]
    {
        let path = trial.path().join("ds").join(name);
        let good = fs::read(&path)?;
        let mut bad = good.clone();
        let middle = bad.len() / 2;
        *bad.get_mut(middle).context("an empty file")? ^= 1;
        fs::write(&path, &bad)?;
        let ran =
            trial.query("researcher", "SELECT ARM, AVG(AGE) FROM t WHERE AGE IS NOT NULL GROUP BY ARM")?;
        assert_eq!(ran.code, Some(2), "{name}: {}", ran.err);
        let file = path.file_name().context("no name")?.to_string_lossy().into_owned();
        assert!(ran.err.contains(&file), "{name}: {}", ran.err);
        fs::write(&path, &good)?;
    }
    assert!(!trial.path().join("p.json").exists());
    Ok(())
}

#[test]
fn a_revoked_subject_is_counted_no_more_and_older_proofs_are_refused() -> Result<()> {
    let trial = registered()?;
    let (ds, proof) = (trial.path().join("ds"), trial.path().join("p.json"));
    let total = |ran: Ran| -> Result<u64> {
        ensure!(ran.code == Some(0), "{}", ran.err);
        let answer: Value = serde_json::from_str(&ran.out)?;
        answer["groups"][0]["count"].as_u64().context("no count")
    };
    assert_eq!(total(trial.query("regulator", "SELECT COUNT(*) FROM t")?)?, 300);
    let subject = rows(&trial.path().join("t.csv"))?[7]["USUBJID"].clone();
    let unknown = nightingale(trial.path(), &["dataset", "revoke", "--dataset", "ds", &subject, "NOBODY"])?;
    assert_eq!(unknown.code, Some(1));
    assert!(unknown.err.contains("subject 2") && !unknown.err.contains("NOBODY"), "{}", unknown.err);
    let revoke = ["dataset", "revoke", "--dataset", "ds", &subject];
    let unsigned = nightingale(trial.path(), &revoke)?;
    assert_eq!(unsigned.code, Some(1));
    assert!(unsigned.err.contains(SPONSOR), "{}", unsigned.err);
    let signed = [&revoke[..], &["--sponsor-key", "sponsor.key"]].concat();
    let other = fs::File::create(ds.join("private/lock"))?;
    other.lock()?;
    let meanwhile = nightingale(trial.path(), &signed)?;
    assert!(meanwhile.code == Some(2) && meanwhile.err.contains("another command"), "{}", meanwhile.err);
    other.unlock()?;
    done(trial.path(), &signed)?;
    let sponsor = verify_sponsor(&dataset(&ds)?, None)?.context("nobody signed")?;
    assert_eq!(hex::encode(sponsor.0), SPONSOR);
    let error = verified(&ds, &proof).err().context("an older proof is accepted")?;
    assert!(error.to_string().contains("consent"), "{error}");
    assert_eq!(total(trial.query("regulator", "SELECT COUNT(*) FROM t")?)?, 299);
    assert_eq!(verified(&ds, &proof)?.consent_version, 1);
    Ok(())
}

#[test]
fn a_folder_that_holds_another_dataset_by_now_is_not_opened_for_the_registered_one() -> Result<()> {
    let trial = registered()?;
    let ds = trial.path().join("ds");
    Folder::open_registered(&ds, dataset(&ds)?.digest())?;
    let error = Folder::open_registered(&ds, &[7; 32]).err().context("opened")?;
    assert_eq!(error.reason(), "DATASET_DAMAGED");
    Ok(())
}

#[test]
fn one_row_opens_to_what_the_file_holds() -> Result<()> {
    let trial = registered()?;
    let row = rows(&trial.path().join("t.csv"))?[11].clone();
    let open = [
        "dataset",
        "row",
        "--dataset",
        "ds",
        "--table",
        "t",
        "--subject",
        &row["USUBJID"],
        "--out",
        "r.json",
    ];
    done(trial.path(), &open)?;
    let dataset = dataset(&trial.path().join("ds"))?;
    let bytes = fs::read(trial.path().join("r.json"))?;
    let proof = RowProof::from_json(&bytes, &dataset)?;
    verify_row(&dataset, &proof, &Expectation::default(), &CohortKeys::development())?;
    let opened: Value = serde_json::from_slice(&bytes)?;
    for name in ["ARM", "SEX", "AGE", "SITE", "DAY"] {
        assert_eq!(opened["values"][name], row[name], "{name}");
    }
    Ok(())
}

#[test]
fn exact_answers_leave_only_sealed_where_a_regulators_key_was_registered() -> Result<()> {
    let trial = registered()?;
    let folder = trial.path();
    // A draft of somebody else's is neither written to nor does its mode count.
    let draft = folder.join("regulator.key.draft");
    fs::write(&draft, "mine")?;
    fs::set_permissions(&draft, fs::Permissions::from_mode(0o666))?;
    done(folder, &["cohort", "regulator-key", "--out", "regulator.key"])?;
    assert_eq!(fs::metadata(folder.join("regulator.key"))?.permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read(&draft)?, b"mine");
    let commit = [
        "dataset",
        "commit",
        "t.csv",
        "t_events.csv",
        "--schema",
        "t.toml",
        "--out",
        "sealed",
        "--regulator-key",
        "regulator.key.pub",
    ];
    let plan = folder.join("t_plan.sql");
    let unfit = "SELECT ARM, COUNT(*), AVG(AGE) FROM t GROUP BY ARM;\n";
    fs::write(&plan, fs::read_to_string(&plan)? + unfit)?;
    let said = done(folder, &commit)?;
    let named: Vec<&str> =
        said.lines().filter(|line| line.starts_with("no researcher is answered")).collect();
    ensure!(named.len() == 1, "{said}");
    ensure!(
        named[0].contains("SUM(AGE) FROM t GROUP BY ARM") && named[0].contains("AGE IS NOT NULL"),
        "{said}"
    );
    let sql = "SELECT SEX, COUNT(*) FROM t GROUP BY SEX";
    let query = [
        "cohort",
        "query",
        "--dataset",
        "sealed",
        "--role",
        "regulator",
        "--sql",
        sql,
        "--out",
        "s.json",
        "--json",
    ];
    let ran = nightingale(folder, &query)?;
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let answer: Value = serde_json::from_str(&ran.out)?;
    assert!(answer["groups"].is_null() && answer["sealed"] == true, "{answer}");
    assert!(
        verified(&folder.join("sealed"), &folder.join("s.json")).is_err(),
        "a sealed answer is no proof file"
    );
    done(folder, &["cohort", "open", "s.json", "--key", "regulator.key", "--out", "opened.json"])?;
    verified(&folder.join("sealed"), &folder.join("opened.json"))?;

    // Nobody in the cell, or somebody: the length of what leaves does not tell.
    let ages: Vec<String> = rows(&folder.join("t.csv"))?.iter().map(|row| row["AGE"].clone()).collect();
    let is_there = |age: &u32| ages.contains(&age.to_string());
    // Codes of two digits: the question itself may tell how long it is.
    let (some, none) = ((50..=90).find(is_there), (50..=90).rfind(|age| !is_there(age)));
    let mut lengths = Vec::new();
    for age in [some.context("nobody")?, none.context("every age")?] {
        let sql = format!("SELECT COUNT(*), SUM(AGE) FROM t WHERE AGE = {age}");
        let mut query = query;
        query[7] = &sql;
        ensure!(nightingale(folder, &query)?.code == Some(0));
        lengths.push(fs::metadata(folder.join("s.json"))?.len());
    }
    assert_eq!(lengths[0], lengths[1]);

    fs::remove_file(folder.join("sealed/public/regulator.key"))?;
    let ran = nightingale(folder, &query)?;
    assert_eq!(ran.code, Some(2), "without its key the dataset answers in clear: {}", ran.out);
    Ok(())
}

/// Twelve subjects without an age make the rest of each question large enough to hide nothing.
#[test]
fn a_plan_of_which_two_answers_tell_a_few_subjects_values_is_registered_only_when_that_is_accepted()
-> Result<()> {
    let trial = registered()?;
    let folder = trial.path();
    let data = fs::read_to_string(folder.join("t.csv"))?;
    let age = data.lines().next().and_then(|names| names.split(',').position(|name| name == "AGE"));
    let age = age.context("no AGE")?;
    let without_age = |line: &str| {
        let cells = line.split(',').enumerate();
        cells.map(|(place, cell)| if place == age { "" } else { cell }).collect::<Vec<_>>().join(",")
    };
    let lines = data.lines().enumerate();
    let lines =
        lines.map(|(row, line)| if (1..=12).contains(&row) { without_age(line) } else { line.to_owned() });
    fs::write(folder.join("t.csv"), lines.collect::<Vec<_>>().join("\n") + "\n")?;
    let ages = rows(&folder.join("t.csv"))?;
    let ages: Vec<u32> = ages.iter().filter_map(|row| row["AGE"].parse().ok()).collect();
    let oldest = ages.iter().max().context("nobody has an age")?;
    let are = ages.iter().filter(|age| *age == oldest).count();
    ensure!((1..11).contains(&are), "{are} are of {oldest} years");
    let plan = folder.join("t_plan.sql");
    let two = format!(
        "SELECT COUNT(*), AVG(AGE) FROM t WHERE AGE IS NOT NULL;\nSELECT COUNT(*), AVG(AGE) FROM t WHERE AGE < {oldest};\n"
    );
    fs::write(&plan, fs::read_to_string(&plan)? + &two)?;
    let commit = ["dataset", "commit", "t.csv", "t_events.csv", "--schema", "t.toml", "--out", "told"];
    let refused = nightingale(folder, &commit)?;
    ensure!(refused.code == Some(1) && !folder.join("told").exists(), "{:?} {}", refused.code, refused.err);
    let told = format!("tells the count and the sum of AGE of {are} subject");
    ensure!(refused.err.contains(&told) && refused.err.contains("--accept-differences"), "{}", refused.err);
    let said = done(folder, &[&commit[..], &["--accept-differences"]].concat())?;
    ensure!(
        said.lines().any(|line| line.contains("for the sponsor alone") && line.contains(&told)),
        "{said}"
    );
    Ok(())
}

#[test]
fn a_commit_says_what_is_missing_and_never_overwrites() -> Result<()> {
    let trial = registered()?;
    let again = ["dataset", "commit", "t.csv", "t_events.csv", "--schema", "t.toml", "--out", "ds"];
    let ran = nightingale(trial.path(), &again)?;
    assert_eq!(ran.code, Some(2), "{}", ran.out);
    assert!(ran.err.contains("never overwritten"), "{}", ran.err);

    let without =
        ["dataset", "commit", "t.csv", "--schema", "s.toml", "--out", "new", "--key-column", "USUBJID"];
    let ran = nightingale(trial.path(), &without)?;
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.contains("--infer"), "{}", ran.err);
    let out = done(trial.path(), &[&without[..], &["--infer"]].concat())?;
    assert!(out.contains("nothing is registered yet"), "{out}");
    assert!(!trial.path().join("new").exists());
    done(trial.path(), &without)?;
    // No plan was inferred, so that a researcher is told how to register one.
    let ask = ["cohort", "query", "--dataset", "new", "--sql", "SELECT COUNT(*) FROM t", "--out", "p.json"];
    let ran = nightingale(trial.path(), &ask)?;
    assert_eq!(ran.code, Some(1));
    assert!(ran.err.contains("plan"), "{}", ran.err);

    let schema = fs::read_to_string(trial.path().join("s.toml"))?;
    fs::write(trial.path().join("s.toml"), format!("roles = {{ researcher = \"plan\" }}\n{schema}"))?;
    done(trial.path(), &["dataset", "commit", "t.csv", "--schema", "s.toml", "--out", "roles"])?;
    let ask = [
        "cohort",
        "query",
        "--dataset",
        "roles",
        "--role",
        "regulator",
        "--sql",
        "SELECT COUNT(*) FROM t",
        "--out",
        "p.json",
    ];
    let ran = nightingale(trial.path(), &ask)?;
    assert_eq!(ran.code, Some(1));
    assert!(ran.err.contains("regulator"), "{}", ran.err);
    Ok(())
}
