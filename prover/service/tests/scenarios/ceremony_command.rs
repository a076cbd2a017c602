//! `nightingale keys export` and `import` as commands: what snarkjs is given, and what is refused with one clear line.

use anyhow::{Context, Result, ensure};
use nightingale_circuits::claim::{SizeClass, adjudicate};
use nightingale_records::{request, synth};
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output},
};

fn nightingale(at: &Path, arguments: &[&str]) -> Result<Output> {
    Command::new(env!("CARGO_BIN_EXE_nightingale"))
        .args(arguments)
        .current_dir(at)
        .output()
        .context("no binary")
}

/// What snarkjs says; nothing where it is absent and may be.
pub(crate) fn snarkjs(at: &Path, arguments: &[&str]) -> Result<Option<String>> {
    let tool = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../tools/node_modules/snarkjs/build/cli.cjs");
    if !tool.is_file() {
        let required = std::env::var_os("NIGHTINGALE_REQUIRE_TOOLS").is_some_and(|value| value == "1");
        ensure!(!required, "snarkjs is required and not in target/tools; run .ci/tools/install");
        return Ok(None);
    }
    let output = Command::new("node").arg(tool).args(arguments).current_dir(at).output()?;
    Ok(Some(uncoloured(&String::from_utf8_lossy(&output.stdout))))
}

/// Without the sequences that colour a terminal.
fn uncoloured(text: &str) -> String {
    let mut parts = text.split("\u{1b}[");
    let first = parts.next().unwrap_or_default();
    let rest = parts.map(|part| part.split_once('m').map_or(part, |(_, rest)| rest));
    std::iter::once(first).chain(rest).collect()
}

#[test]
fn the_claim_circuit_and_a_requests_assignment_leave_for_snarkjs() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let at = directory.path();
    let output = nightingale(at, &["keys", "export", "--class", "claim-2", "--r1cs", "claim-2.r1cs"])?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let digest = hex::encode(nightingale_prover::keys::system_digest(SizeClass::Two));
    ensure!(said.contains(&digest) && said.contains("44642 constraints"), "{said}");

    let requests = synth::requests(7, 40)?;
    let wanted = |request: &&nightingale_circuits::claim::Request| {
        adjudicate(request).is_ok_and(|outcome| outcome.class == SizeClass::Two && outcome.approved)
    };
    fs::write(at.join("request.json"), request::to_json(requests.iter().find(wanted).context("none")?))?;
    let output = nightingale(at, &["keys", "export", "--request", "request.json", "--wtns", "request.wtns"])?;
    ensure!(output.status.success() && String::from_utf8_lossy(&output.stderr).contains("in clear"));
    // It holds the record: nobody else may read it.
    ensure!(fs::metadata(at.join("request.wtns"))?.permissions().mode() & 0o077 == 0);
    if let Some(said) = snarkjs(at, &["wtns", "check", "claim-2.r1cs", "request.wtns"])? {
        ensure!(said.contains("WITNESS IS CORRECT"), "{said}");
    }
    let other = ["keys", "export", "--class", "claim-8", "--request", "request.json", "--wtns", "other.wtns"];
    ensure!(nightingale(at, &other)?.status.code() == Some(1) && !at.join("other.wtns").exists());
    Ok(())
}

#[test]
fn an_import_that_is_refused_says_why_and_writes_nothing() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let at = directory.path();
    fs::write(at.join("p.ptau"), b"no powers")?;
    fs::write(at.join("k.zkey"), b"no key")?;
    let digest = "00".repeat(64);
    let import_with = |ptau_digest: &str, iterations: &str| {
        let fixed = [
            "keys", "import", "--keys", "keys", "--class", "claim-2", "--zkey", "k.zkey", "--ptau", "p.ptau",
        ];
        let asked = ["--minimum-contributors", "1", "--beacon", "0102", "--beacon-iterations", iterations];
        let arguments = [&fixed[..], &["--ptau-digest", ptau_digest], &asked[..]].concat();
        let output = nightingale(at, &arguments)?;
        Ok::<_, anyhow::Error>((output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned()))
    };
    let import = |ptau_digest: &str| import_with(ptau_digest, "10");
    let (code, said) = import(&digest)?;
    ensure!(
        code == Some(1) && said.contains("has the BLAKE2b digest") && said.lines().count() == 1,
        "{said}"
    );
    let right = nightingale_prover::ceremony::FileDigest::of(b"no powers").to_string();
    let (code, said) = import(&right)?;
    ensure!(
        code == Some(1) && said.contains("the .ptau file: it does not start as such a file does"),
        "{said}"
    );
    let (code, said) = import("00")?;
    ensure!(code == Some(2) && said.contains("128 hexadecimal digits"), "{said}");
    // snarkjs makes no beacon of fewer, and none of more is recomputed.
    for iterations in ["9", "31"] {
        let (code, said) = import_with(&right, iterations)?;
        ensure!(code == Some(2) && said.contains("is not in 10..=30"), "{said}");
    }
    ensure!(!at.join("keys").exists());
    let size = [
        "keys",
        "import-ptau",
        "--keys",
        "keys",
        "--ptau",
        "p.ptau",
        "--ptau-digest",
        &right,
        "--size",
        "15",
    ];
    ensure!(nightingale(at, &size)?.status.code() == Some(2));
    Ok(())
}

#[test]
fn powers_that_do_not_reach_a_size_are_refused_like_any_other_check_of_a_ceremony() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let at = directory.path();
    for step in [
        &["new", "bn128", "4", "0.ptau"][..],
        &["contribute", "0.ptau", "1.ptau", "--name=first", "-e=entropy"],
        &["prepare", "phase2", "1.ptau", "powers.ptau"],
    ] {
        if snarkjs(at, &[&["powersoftau"], step].concat())?.is_none() {
            return Ok(());
        }
    }
    let digest = nightingale_prover::ceremony::FileDigest::of(&fs::read(at.join("powers.ptau"))?).to_string();
    let powers = ["--ptau", "powers.ptau", "--ptau-digest", &digest, "--size", "14"];
    let output = nightingale(at, &[&["keys", "import-ptau", "--keys", "keys"], &powers[..]].concat())?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.code() == Some(1), "{:?} {said}", output.status.code());
    ensure!(said.contains("2^4 powers and 2^14 are needed") && said.lines().count() == 1, "{said}");
    Ok(())
}

/// Nothing binds what the list says of a key's ceremony, so that it is shown with what would not show.
#[test]
fn a_list_cannot_hide_what_it_says_of_a_ceremony() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let at = directory.path();
    let hostile = |name: &str| format!("{name}\u{202e}\u{a0}\n  1 other");
    let list = serde_json::json!({"keys": [{
        "class": "claim-2",
        "digest": "11".repeat(32),
        "kind": "production",
        "manifest": {
            "circuit": hostile("circuit"), "circuit_hash": hostile("hash"), "zkey": hostile("zkey"), "ptau": hostile("ptau"),
            "power": 4, "minimum_contributors": 1,
            "contributions": [
                {"hash": hostile("of"), "name": hostile("ada"), "published": true},
                {"hash": "00", "name": hostile("drawn"), "published": true, "beacon": [hostile("value"), 10]},
            ],
        },
    }]});
    fs::write(at.join("keys.json"), list.to_string())?;
    let output = nightingale(at, &["keys", "list", "--keys", "."])?;
    let said = String::from_utf8(output.stdout)?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    ensure!(said.lines().count() == 7 && !said.contains(['\u{202e}', '\u{a0}']), "{said}");
    ensure!(said.contains(r"ada\u{202e}\u{a0}\n  1 other"), "{said}");
    Ok(())
}

/// The list says of a key what it likes; the key's own file is what counts.
#[test]
fn a_list_that_calls_a_development_key_a_production_key_is_not_believed() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let at = directory.path();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../verifier/tests/golden/keys");
    let names = fs::read_dir(&golden)?.map(|file| Ok(file?.file_name().to_string_lossy().into_owned()));
    let names = names.collect::<Result<Vec<String>>>()?;
    let name = names.iter().find(|name| name.starts_with("claim-2.")).context("no golden key")?;
    let digest = name.split('.').nth(1).context("no digest")?;
    let listed = |kind: &str| -> Result<String> {
        let list = format!(r#"{{"keys": [{{"class": "claim-2", "digest": "{digest}", "kind": "{kind}"}}]}}"#);
        fs::write(at.join("keys.json"), list)?;
        let output = nightingale(at, &["keys", "list", "--keys", "."])?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8(output.stdout)?.trim_end().to_owned())
    };
    let said = listed("production")?;
    ensure!(said.ends_with("production by keys.json alone: its .vk file cannot be read"), "{said}");
    fs::copy(golden.join(name), at.join(name))?;
    let said = listed("production")?;
    ensure!(said == format!("claim-2 {digest} development, though keys.json says production"), "{said}");
    let said = listed("development")?;
    ensure!(said == format!("claim-2 {digest} development"), "{said}");
    Ok(())
}
