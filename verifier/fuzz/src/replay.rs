//! Gives every file of a corpus to the body of its target, in a process of its own with bounded memory and time. Used by the tests of
//! all crates whose readers are fuzzed.
#![expect(clippy::print_stdout, reason = "the process that replays tells which file it is at")]

use std::{
    env, fs, io,
    io::Write,
    path::{Path, PathBuf},
    process::Command,
};

/// Address space of a process that replays, in KiB: far more than any reader needs for a file of a corpus.
const MEMORY_KIBIBYTES: u64 = 3 << 20;
/// How many seconds one corpus may take on a machine that is busy.
const PATIENCE: u32 = 300;
/// Says to a process which corpus it replays.
const CORPUS: &str = "NIGHTINGALE_REPLAY";

/// Replays `corpus`, a folder of at least `least` files. `test` is the full name of the test that asks: the process runs it alone.
///
/// # Errors
/// The file at which the process ended, and how.
pub(crate) fn replay(test: &str, corpus: &Path, least: usize, body: fn(&[u8])) -> io::Result<()> {
    if env::var_os(CORPUS).is_some_and(|asked| Path::new(&asked) == corpus) {
        return each(corpus, least, body);
    }
    let bounded = format!("ulimit -v {MEMORY_KIBIBYTES} && exec timeout {PATIENCE} \"$@\"");
    let output = Command::new("sh")
        .args(["-c", &bounded, "sh"])
        .arg(env::current_exe()?)
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(CORPUS, corpus)
        // An arena of the allocator and a stack are address space for each thread.
        .envs([("MALLOC_ARENA_MAX", "2"), ("RAYON_NUM_THREADS", "2"), ("RUST_BACKTRACE", "0")])
        .output()?;
    let told = String::from_utf8_lossy(&output.stdout);
    if output.status.success() && told.contains("1 passed") {
        return Ok(());
    }
    let last = told.lines().rfind(|line| line.starts_with("corpus file ")).unwrap_or("no corpus file");
    let why = String::from_utf8_lossy(&output.stderr);
    Err(io::Error::other(format!("{last}: {}: {}", output.status, why.trim())))
}

fn each(corpus: &Path, least: usize, body: fn(&[u8])) -> io::Result<()> {
    let files = fs::read_dir(corpus)
        .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<PathBuf>>>());
    let mut files = files.map_err(|error| io::Error::other(format!("{}: {error}", corpus.display())))?;
    files.sort();
    if files.len() < least {
        return Err(io::Error::other(format!("{}: {} files are left of it", corpus.display(), files.len())));
    }
    for file in files {
        println!("corpus file {}", file.display());
        io::stdout().flush()?;
        body(&fs::read(&file)?);
    }
    Ok(())
}
