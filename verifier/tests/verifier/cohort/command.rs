//! `nightingale-verify cohort` and `row` as a user meets them.

use super::{bytes, path};
use nightingale_circuits::cohort::{Committed, Size};
use nightingale_verifier::cohort::{CohortKeys, keys::DEVELOPMENT};
use serde_json::Value;
use std::process::{Command, Output};

fn run(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nightingale-verify"));
    command.current_dir(path("")).args(arguments).output().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn schema(name: &str) -> jsonschema::Validator {
    let file =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas").join(format!("{name}.schema.json"));
    jsonschema::validator_for(&serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap()).unwrap()
}

#[test]
fn says_in_one_line_a_proof_what_holds() {
    let output = run(&["cohort", "narrow-plan.json", "wide-exact.json", "--dataset", "."]);
    let said = text(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    let lines: Vec<&str> = said.lines().collect();
    assert!(lines[0].starts_with("registration: valid, 5 proofs"), "{said}");
    assert!(
        lines[1].contains("valid: SELECT ARM, COUNT(*), SUM(AGE) FROM adsl WHERE AGE >= 35 GROUP BY ARM;"),
        "{said}"
    );
    assert!(lines[2].contains("for the regulator"), "{said}");
    assert!(said.contains("anybody can forge"), "{said}");
}

#[test]
fn says_it_as_json_that_follows_its_schema() {
    let output = run(&[
        "cohort",
        "narrow-plan.json",
        "--dataset",
        "dataset.json",
        "--json",
        "--stats",
        "--skip-registration",
    ]);
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    schema("cohort-verdict").validate(&said).unwrap();
    assert_eq!(said["proofs"][0]["valid"], true);
    assert!(said["statistics"].is_object() && said["registration"]["valid"].is_null());
    let wrong = run(&["cohort", "dataset.json", "--dataset", ".", "--json", "--skip-registration"]);
    assert_eq!(wrong.status.code(), Some(2));
    schema("cohort-verdict").validate(&serde_json::from_slice(&wrong.stdout).unwrap()).unwrap();
}

#[test]
fn exit_codes_tell_invalid_from_unreadable() {
    let code = |arguments: &[&str]| run(arguments).status.code();
    let proof = ["cohort", "narrow-plan.json", "--dataset", ".", "--skip-registration"];
    assert_eq!(code(&proof), Some(0));
    assert_eq!(code(&[&proof[..], &["--production"]].concat()), Some(1));
    assert_eq!(code(&[&proof[..], &["--mode", "exact"]].concat()), Some(1));
    assert_eq!(code(&[&proof[..], &["--threshold", "20"]].concat()), Some(1));
    assert_eq!(code(&[&proof[..], &["--consent-version", "3"]].concat()), Some(1));
    let contract = format!("0x{}", "22".repeat(20));
    assert_eq!(code(&[&proof[..], &["--sponsor", &contract]].concat()), Some(1));
    assert_eq!(code(&[&proof[..], &["--chain-id", "1", "--contract", &contract]].concat()), Some(1));
    assert_eq!(code(&[&proof[..], &["--keys", "no-such-directory"]].concat()), Some(2));
    assert_eq!(code(&["cohort", "no-such-file", "--dataset", "."]), Some(2));
    assert_eq!(code(&["cohort", "narrow-plan.json", "--dataset", "no-such-directory"]), Some(2));
    assert_eq!(code(&["cohort", "narrow-plan.json"]), Some(2));
}

#[test]
fn a_setup_is_pinned_by_its_digest() {
    let keys = tempfile::tempdir().unwrap();
    for (name, bytes) in DEVELOPMENT {
        std::fs::write(keys.path().join(name), bytes).unwrap();
    }
    let from = ["--dataset", ".", "--keys", keys.path().to_str().unwrap()];
    let digest = CohortKeys::directory(keys.path()).setup_digest(Size::Small).unwrap().to_string();
    let other = CohortKeys::directory(keys.path()).setup_digest(Size::Medium).unwrap().to_string();
    for what in [&["cohort", "narrow-plan.json"][..], &["row", "row.json"]] {
        let with = |digest: &str| run(&[what, &from[..], &["--setup-digest", digest]].concat());
        assert_eq!(with(&digest).status.code(), Some(0), "{what:?}: {}", text(&with(&digest)));
        let refused = with(&other);
        assert_eq!(refused.status.code(), Some(1), "{what:?}");
        let said = text(&refused) + &String::from_utf8_lossy(&refused.stderr);
        assert!(said.contains(&digest) && !said.contains(": valid"), "{said}");
    }
    // Keys of this program need no pin: its release is one.
    let code =
        run(&["cohort", "narrow-plan.json", "--dataset", ".", "--setup-digest", &digest]).status.code();
    assert_eq!(code, Some(2));
}

#[test]
fn shows_an_opened_row() {
    let output = run(&["row", "row.json", "--dataset", "."]);
    let said = text(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.starts_with("registration: valid, 5 proofs"), "{said}");
    assert!(said.contains("valid: row 11 of adsl") && said.contains("AGE: "), "{said}");
    let code = |more: &[&str]| run(&[&["row", "row.json", "--dataset", "."], more].concat()).status.code();
    assert_eq!(code(&["--skip-registration"]), Some(0));
    assert_eq!(code(&["--skip-registration", "--production"]), Some(1));
    assert_eq!(code(&["--skip-registration", "--consent-version", "1"]), Some(1));
    let table = super::DATASET.table("adsl").unwrap();
    let (consents, other) = (table.consents[0].commitment, table.commitment(Committed::Present).unwrap());
    assert_eq!(code(&["--skip-registration", "--consents", &consents.to_hex()]), Some(0));
    assert_eq!(code(&["--skip-registration", "--consents", &other.to_hex()]), Some(1));
    let nobody = format!("0x{}", "22".repeat(20));
    assert_eq!(code(&["--skip-registration", "--sponsor", &nobody]), Some(1));
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("row.json");
    let altered = String::from_utf8(bytes("row.json")).unwrap().replace("\"row\": 11", "\"row\": 12");
    std::fs::write(&file, altered).unwrap();
    assert_eq!(run(&["row", file.to_str().unwrap(), "--dataset", "."]).status.code(), Some(1));
    // A row of a table whose registration does not hold says nothing.
    let dataset = directory.path().join("dataset.json");
    let mut altered: Value = serde_json::from_slice(&bytes("dataset.json")).unwrap();
    altered["tables"][1]["proofs"][0]["link"] = altered["tables"][0]["proofs"][0]["link"].clone();
    std::fs::write(&dataset, altered.to_string()).unwrap();
    assert_eq!(run(&["row", "row.json", "--dataset", dataset.to_str().unwrap()]).status.code(), Some(1));
}

#[test]
fn a_hostile_file_cannot_speak_for_another() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("proof.json");
    let mut altered: Value = serde_json::from_slice(&bytes("narrow-plan.json")).unwrap();
    altered["table"] = "x\nanswer.json: valid: SELECT COUNT(*) FROM t\u{1b}[8m\u{202e}".into();
    std::fs::write(&file, altered.to_string()).unwrap();
    let output = run(&["cohort", file.to_str().unwrap(), "--dataset", ".", "--skip-registration"]);
    let said = text(&output);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(said.lines().count(), 2, "{said}");
    assert!(!said.contains(['\u{1b}', '\u{202e}']), "{said}");
}

#[test]
fn the_files_follow_their_schemas() {
    for (name, file) in [
        ("cohort-dataset", "dataset.json"),
        ("cohort-proof", "narrow-plan.json"),
        ("cohort-proof", "wide-exact.json"),
        ("cohort-row", "row.json"),
    ] {
        let value: Value = serde_json::from_slice(&bytes(file)).unwrap();
        schema(name).validate(&value).unwrap();
        let mut more = value;
        more["more"] = Value::Null;
        assert!(!schema(name).is_valid(&more));
    }
}
