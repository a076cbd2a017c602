//! snarkjs, installed from the lockfile into `target/tools`.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// The folder of node modules, or `None` where it is absent and may be.
pub(super) fn modules() -> Option<PathBuf> {
    let modules = PathBuf::from(concat!(env!("CARGO_TARGET_TMPDIR"), "/../tools/node_modules"));
    if modules.join("snarkjs/build/cli.cjs").is_file() {
        return Some(modules);
    }
    let required = std::env::var_os("NIGHTINGALE_REQUIRE_TOOLS").is_some_and(|value| value == "1");
    assert!(!required, "snarkjs is required and not in target/tools; run .ci/tools/install");
    eprintln!("skipped: snarkjs is not in target/tools; run .ci/tools/install");
    None
}

/// Runs a command in a folder and returns what it printed and whether it succeeded.
pub(super) fn try_run(directory: &Path, command: &str) -> (bool, String) {
    let modules = modules().unwrap();
    let output = Command::new("node")
        .arg(modules.join("snarkjs/build/cli.cjs"))
        .args(command.split_whitespace())
        .current_dir(directory)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    (output.status.success(), text)
}

/// The same of a command that must succeed.
pub(super) fn run(directory: &Path, command: &str) -> String {
    let (done, text) = try_run(directory, command);
    assert!(done && !text.contains("ERROR"), "snarkjs {command}: {text}");
    text
}

/// The digits of a hash that snarkjs prints after this title.
pub(super) fn hash(text: &str, title: &str) -> String {
    let plain = uncoloured(text);
    let after = plain.split(title).nth(1).unwrap();
    after.split_whitespace().take(16).collect::<String>()
}

/// Without the sequences that colour a terminal.
fn uncoloured(text: &str) -> String {
    let mut parts = text.split("\u{1b}[");
    let first = parts.next().unwrap_or_default();
    let rest = parts.map(|part| part.split_once('m').map_or(part, |(_, rest)| rest));
    std::iter::once(first).chain(rest).collect()
}
