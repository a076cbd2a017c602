//! Checks that need Node, solc, forge or anvil from `target/tools`: skipped, loudly, where `.ci/tools/install` has not run.

#![expect(clippy::print_stderr, reason = "a skipped check says so")]

use anyhow::{Context, Result, ensure};
use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// `verifier/contracts`.
pub(crate) fn contracts() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The folder of the installed tools; none, with a word on stderr, when a tool is missing there.
pub(crate) fn tools(needed: &[&str]) -> Result<Option<PathBuf>> {
    let folder = contracts().join("../../target/tools");
    let missing: Vec<_> =
        needed.iter().filter(|tool| !folder.join("node_modules").join(tool).exists()).collect();
    if missing.is_empty() {
        return Ok(Some(folder.canonicalize()?));
    }
    ensure!(
        std::env::var_os("NIGHTINGALE_REQUIRE_TOOLS").is_none(),
        "{missing:?} missing in target/tools: run .ci/tools/install"
    );
    eprintln!("skipped: {missing:?} missing in target/tools; run .ci/tools/install");
    Ok(None)
}

pub(crate) fn run(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("{command:?}"))?;
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    ensure!(output.status.success(), "{command:?}\n{text}");
    Ok(text)
}

#[test]
fn the_artefacts_are_what_the_sources_compile_to() -> Result<()> {
    let Some(_) = tools(&["solc"])? else { return Ok(()) };
    run(Command::new("node").arg(contracts().join("build.mjs")).arg("--check"))?;
    Ok(())
}

#[test]
fn forge_fuzzes_the_contracts_without_a_finding() -> Result<()> {
    let Some(folder) = tools(&["solc", ".bin/forge"])? else { return Ok(()) };
    let output = run(Command::new(folder.join("node_modules/.bin/forge"))
        .args(["test", "--root"])
        .arg(contracts())
        .arg("--use")
        .arg(folder.join("solc.cjs"))
        .env("FOUNDRY_OFFLINE", "true"))?;
    ensure!(output.contains(" passed") && !output.contains("No tests found"), "{output}");
    Ok(())
}
