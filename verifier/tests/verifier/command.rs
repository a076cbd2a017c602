//! The program: its exit codes, its JSON and its one clear line.

use super::golden::{bytes, explanation, path, proof};
use serde_json::Value;
use std::{
    ffi::OsStr,
    fs,
    process::{Command, Output},
};

fn run(arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Output {
    Command::new(env!("CARGO_BIN_EXE_nightingale-verify")).args(arguments).output().unwrap()
}

fn claim(file: &str, more: &[&str]) -> (i32, String, String) {
    let (file, keys) = (path(file), path("keys"));
    let base = [OsStr::new("claim"), file.as_os_str(), OsStr::new("--keys"), keys.as_os_str()];
    said(run(base.into_iter().chain(more.iter().map(OsStr::new))))
}

pub(crate) fn run_audit(arguments: &[&str]) -> (i32, String, String) {
    said(run(["audit"].iter().chain(arguments)))
}

fn said(output: Output) -> (i32, String, String) {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[test]
fn says_decision_reasons_cents_and_key_as_json() {
    for (name, suffix) in [("claim-2-deny", "json"), ("claim-8-approve", "bin")] {
        let (code, out, _) = claim(&format!("{name}.proof.{suffix}"), &["--json"]);
        assert_eq!(code, 0);
        let verdict: Value = serde_json::from_str(&out).unwrap();
        let names: Vec<&String> = verdict.as_object().unwrap().keys().collect();
        let mut expected =
            ["valid", "error", "decision", "reasons", "payable_cents", "key_digest", "key_kind"];
        expected.sort_unstable();
        assert_eq!(names, expected);
        let truth = explanation(name);
        assert_eq!(verdict["valid"], true);
        assert!(verdict["error"].is_null());
        assert_eq!(verdict["decision"], truth["decision"]);
        assert_eq!(verdict["payable_cents"], truth["payable_cents"]);
        let codes: Vec<&Value> =
            verdict["reasons"].as_array().unwrap().iter().map(|reason| &reason["code"]).collect();
        assert_eq!(serde_json::json!(codes), truth["reasons"]);
        assert!(
            verdict["reasons"].as_array().unwrap().iter().all(|reason| reason["text"]
                .as_str()
                .unwrap()
                .len()
                > 10)
        );
        assert_eq!(verdict["key_digest"], proof(name).key.to_string());
        assert_eq!(verdict["key_kind"], "development");
    }
}

#[test]
fn says_it_in_words_and_warns_of_a_development_key() {
    let (code, out, err) = claim("claim-2-approve.proof.json", &[]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(out.starts_with("valid: approve "), "{out}");
    assert!(out.contains("anybody can forge"), "{out}");
}

#[test]
fn an_invalid_proof_exits_with_1_and_says_why() {
    let (code, out, err) = claim("claim-2-approve.proof.json", &["--received", "2001-01-01"]);
    assert_eq!((code, err.as_str()), (1, ""));
    assert!(out.starts_with("invalid: another context: received date"), "{out}");
    assert_eq!(out.lines().count(), 1);
    let (code, out, _) = claim("claim-2-approve.proof.json", &["--production", "--json"]);
    assert_eq!(code, 1);
    let verdict: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(verdict["valid"], false);
    assert!(verdict["error"].as_str().unwrap().contains("development key"));
    assert!(verdict["decision"].is_null());
}

/// The reader's own list of consent epochs, and how old one may be when the proof is read.
#[test]
fn a_consent_root_that_is_unknown_superseded_or_old_is_refused() {
    let root = nightingale_verifier::ConsentEpoch {
        number: 3,
        root: proof("claim-2-approve").public.consent_root,
        published: 1_770_000_000,
    };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("epochs.json");
    let write = |others: &[nightingale_verifier::ConsentEpoch]| {
        let epochs = [&[root][..], others].concat();
        let epochs = nightingale_verifier::ConsentEpochs::new(epochs).unwrap();
        fs::write(&file, epochs.to_json()).unwrap();
    };
    let told = |more: &[&str]| {
        let consents = ["--consents", file.to_str().unwrap(), "--max-consent-age", "7"];
        claim("claim-2-approve.proof.json", &[&consents[..], more].concat())
    };
    write(&[]);
    // 1770000000 is 2026-02-02T02:40:00Z.
    let (code, out, _) = told(&["--at", "2026-02-09T02:40:00Z"]);
    assert_eq!(code, 0, "{out}");
    let (code, out, _) = told(&["--at", "2026-02-09T02:40:01Z"]);
    assert!(
        code == 1 && out.contains("published 7 days ago, as epoch 3, at most 7 days are allowed"),
        "{out}"
    );
    let (code, out, _) = told(&["--at", "2026-02-02T02:39:59Z"]);
    assert!(code == 1 && out.contains("had not published"), "{out}");
    // Without a time it is now, which is later than that week.
    assert_eq!(told(&[]).0, 1);
    let newer = nightingale_verifier::ConsentEpoch { number: 4, root: 5u64.into(), published: 1_770_010_000 };
    write(&[newer]);
    // Superseded at 05:26:40, and an hour's grace.
    assert_eq!(told(&["--at", "2026-02-02T06:26:40Z"]).0, 0);
    let (code, out, _) = told(&["--at", "2026-02-02T06:26:41Z"]);
    assert!(code == 1 && out.contains("superseded 1 h 0 min ago, by epoch 4"), "{out}");
    assert_eq!(told(&["--at", "2026-02-02T06:26:41Z", "--consent-grace", "2"]).0, 0);
    fs::write(&file, "{}").unwrap();
    assert_eq!(told(&[]).0, 2, "unreadable");
    let (code, ..) = claim("claim-2-approve.proof.json", &["--max-consent-age", "7"]);
    assert_eq!(code, 2, "an age of nothing");
}

#[test]
fn an_expectation_file_is_held_against_the_proof() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("expect.json");
    let root = serde_json::from_slice::<Value>(&bytes("claim-2-approve.proof.json")).unwrap()["public"]["epoch_root"].clone();
    fs::write(&file, serde_json::json!({ "epoch_root": root }).to_string()).unwrap();
    let expect = ["--expect", file.to_str().unwrap()];
    assert_eq!(claim("claim-2-approve.proof.json", &expect).0, 0);
    // A flag overrules the file.
    let other = format!("0x{}", "00".repeat(32));
    let (code, out, _) =
        claim("claim-2-approve.proof.json", &[&expect[..], &["--epoch-root", &other]].concat());
    assert!(code == 1 && out.contains("epoch root"), "{out}");
    let key: Value = serde_json::from_slice(&bytes("claim-2-approve.proof.json")).unwrap();
    let digest = key["key"].as_str().unwrap();
    assert_eq!(claim("claim-2-approve.proof.json", &["--key-digest", digest]).0, 0);
    fs::write(&file, serde_json::json!({ "key_digest": "00".repeat(32) }).to_string()).unwrap();
    let (code, out, _) = claim("claim-2-approve.proof.json", &expect);
    assert!(code == 1 && out.contains("another context: key"), "{out}");
    assert_eq!(claim("claim-2-approve.proof.json", &[&expect[..], &["--key-digest", digest]].concat()).0, 0);
}

#[test]
fn what_cannot_be_read_exits_with_2_and_one_line() {
    let directory = tempfile::tempdir().unwrap();
    let garbage = directory.path().join("garbage");
    fs::write(&garbage, "not a proof").unwrap();
    let (garbage, empty) = (garbage.to_str().unwrap(), directory.path().to_str().unwrap());
    let golden = path("claim-2-approve.proof.json");
    let golden = golden.to_str().unwrap();
    for arguments in [
        vec!["claim", "no-such-file", "--keys", empty],
        vec!["claim", garbage, "--keys", empty],
        vec!["claim", golden, "--keys", empty],
        vec!["calldata", garbage],
        vec!["claim", golden, "--keys", garbage],
    ] {
        let (code, out, err) = said(run(&arguments));
        assert_eq!((code, out.as_str(), err.lines().count()), (2, "", 1), "{arguments:?}: {err}");
    }
    // Wrong use: clap explains.
    for arguments in [vec![], vec!["claim"], vec!["claim", golden], vec!["export", golden, "--keys", empty]] {
        assert_eq!(said(run(&arguments)).0, 2, "{arguments:?}");
    }
    let keys = path("keys");
    let flags = ["--epoch-root", "12"];
    let base = ["claim", golden, "--keys", keys.to_str().unwrap()];
    assert_eq!(said(run(base.iter().chain(&flags))).0, 2);
}

#[test]
fn help_teaches() {
    let (code, out, _) = said(run(["--help"]));
    assert_eq!(code, 0);
    for word in ["claim", "calldata", "export", "exits with 0"] {
        assert!(out.contains(word), "{out}");
    }
}

#[test]
fn calldata_are_the_proofs_words_with_imaginary_parts_first() {
    let (code, out, _) = said(run([OsStr::new("calldata"), path("claim-2-approve.proof.bin").as_os_str()]));
    assert_eq!(code, 0);
    let words: Value = serde_json::from_str(&out).unwrap();
    let file: Value = serde_json::from_slice(&bytes("claim-2-approve.proof.json")).unwrap();
    for name in ["a", "b", "c"] {
        assert_eq!(words[name], file["proof"][name]);
    }
    assert_eq!(words["inputs"].as_array().unwrap().len(), 12);
    assert_eq!(words["inputs"][0], file["public"]["epoch_root"]);
    assert_eq!(words["inputs"][11], file["public"]["nullifiers"][1]);
    assert_eq!(words["key"], format!("0x{}", file["key"].as_str().unwrap()));
}

#[test]
fn exports_only_what_verifies() {
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("out.bin");
    let (golden, keys) = (path("claim-2-approve.proof.json"), path("keys"));
    let export = |more: &[&str]| {
        let base = ["export", golden.to_str().unwrap(), "--keys", keys.to_str().unwrap()];
        said(run(base.iter().chain(more)))
    };
    assert_eq!(export(&["--binary", target.to_str().unwrap()]).0, 0);
    assert_eq!(fs::read(&target).unwrap(), bytes("claim-2-approve.proof.bin"));
    let explain = path("claim-2-approve.explain.json");
    let (code, out, err) = export(&["--fhir", "--explain", explain.to_str().unwrap()]);
    assert!(code == 0 && out.contains("\"ClaimResponse\""), "{err}");
    let (code, out, err) = export(&["--x12", "--claim-id", "77", "--explain", explain.to_str().unwrap()]);
    assert!(code == 0 && out.starts_with("CLP*77*1*"), "{err}");
    // Whatever is exported says that it may be forged: beside it, where the format has no place for that.
    let exported = directory.path().join("exported");
    let (snarkjs, file) = (exported.to_str().unwrap(), target.to_str().unwrap());
    for format in
        [&["--fhir"][..], &["--x12"], &["--snarkjs", snarkjs], &["--binary", file], &["--json", file]]
    {
        let (code, out, err) = export(format);
        assert!(code == 0 && err.contains("development key: anybody can forge"), "{format:?}: {err}");
        assert_eq!(err.lines().count(), 1, "{err}");
        assert!(format != ["--fhir"] || out.contains("anybody can forge"), "{out}");
    }
    let (code, out, err) = export(&["--x12", "--production"]);
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(err.contains("development key"), "{err}");
    let wrong = path("claim-8-approve.explain.json");
    let (code, _, err) = export(&["--x12", "--explain", wrong.to_str().unwrap()]);
    assert!(code == 1 && err.contains("explanation"), "{err}");
}
