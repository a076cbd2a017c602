//! A second implementation agrees: snarkjs, installed from the lockfile into `target/tools`.

use super::golden::{NAMES, path};
use std::{fs, path::PathBuf, process::Command};

/// snarkjs, or `None` where it is absent and may be.
fn snarkjs() -> Option<PathBuf> {
    let tools = concat!(env!("CARGO_TARGET_TMPDIR"), "/../tools/node_modules/snarkjs/build/cli.cjs");
    let tool = PathBuf::from(tools);
    if tool.is_file() {
        return Some(tool);
    }
    let required = std::env::var_os("NIGHTINGALE_REQUIRE_TOOLS").is_some_and(|value| value == "1");
    assert!(!required, "snarkjs is required and not in target/tools; run .ci/tools/install");
    eprintln!("skipped: snarkjs is not in target/tools; run .ci/tools/install");
    None
}

#[test]
fn snarkjs_says_ok_to_our_proofs_and_not_to_an_altered_one() {
    let Some(tool) = snarkjs() else { return };
    let verify = |directory: &std::path::Path| {
        let output = Command::new("node")
            .arg(&tool)
            .args(["groth16", "verify", "verification_key.json", "public.json", "proof.json"])
            .current_dir(directory)
            .output()
            .unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    for name in NAMES {
        let directory = tempfile::tempdir().unwrap();
        let status = Command::new(env!("CARGO_BIN_EXE_nightingale-verify"))
            .arg("export")
            .arg(path(&format!("{name}.proof.json")))
            .arg("--keys")
            .arg(path("keys"))
            .arg("--snarkjs")
            .arg(directory.path())
            .status()
            .unwrap();
        assert!(status.success());
        let (ok, out) = verify(directory.path());
        assert!(ok && out.contains("OK!"), "{name}: {out}");
        let public = directory.path().join("public.json");
        let inputs: Vec<String> = serde_json::from_slice(&fs::read(&public).unwrap()).unwrap();
        let mut altered = inputs;
        altered[5] = "1".to_owned();
        fs::write(&public, serde_json::to_vec(&altered).unwrap()).unwrap();
        let (ok, out) = verify(directory.path());
        assert!(!ok && !out.contains("OK!"), "{name}: {out}");
    }
}
