//! Every command gives up core dumps before it reads anything.

use anyhow::{Context, Result, ensure};
use std::{
    fs,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// A process that is killed with the test.
struct Reading(Child);

impl Drop for Reading {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts a command in a folder.
fn start(folder: &Path, arguments: &[&str]) -> Result<Reading> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nightingale"));
    command.args(arguments).current_dir(folder).stdin(Stdio::null());
    command.stdout(Stdio::null()).stderr(Stdio::null());
    Ok(Reading(command.spawn()?))
}

/// Whether its limits for core dumps are both zero.
fn is_bound(process: &Child) -> Result<bool> {
    let text = fs::read_to_string(format!("/proc/{}/limits", process.id()))?;
    let line = text.lines().find_map(|line| line.strip_prefix("Max core file size"));
    Ok(line.context("no such limit")?.split_whitespace().take(2).eq(["0", "0"]))
}

#[test]
fn no_command_can_dump_what_it_reads() -> Result<()> {
    let folder = tempfile::tempdir()?;
    // Nobody writes into it: whoever reads it stays there.
    ensure!(Command::new("mkfifo").arg(folder.path().join("pipe")).status()?.success());
    for arguments in [
        &["claim", "request", "--claim", "pipe", "--registers", "pipe", "--out", "out"][..],
        &["claim", "explain", "pipe"],
        &["claim", "prove", "pipe", "--keys", "keys", "--out", "out"],
        &["claim", "submit", "pipe", "--out", "out"],
        &["keys", "export", "--request", "pipe", "--wtns", "out"],
        &["ingest", "--format", "fhir", "pipe"],
        &["epoch", "publish", "--registers", "pipe"],
        &["cohort", "open", "pipe", "--key", "pipe", "--out", "out"],
        &["serve", "--config", "pipe"],
        &["work", "--config", "pipe"],
        &["config", "check", "pipe"],
    ] {
        let mut reading = start(folder.path(), arguments)?;
        let begun = Instant::now();
        loop {
            let ended = reading.0.try_wait()?;
            ensure!(ended.is_none(), "{arguments:?} ended before it read: {ended:?}");
            if is_bound(&reading.0)? {
                break;
            }
            ensure!(begun.elapsed() < Duration::from_secs(20), "{arguments:?} could dump its memory");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    Ok(())
}
