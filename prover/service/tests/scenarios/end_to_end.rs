//! The real binary with the real prover: from invented records to verified proofs, by hand and through a server.

use anyhow::{Context, Result};
use nightingale_prover::KeyStore;
use nightingale_records::synth;
use nightingale_verifier::{ClaimProof, Decision, KeyDirectory, Verified, verify_claim};
use serde_json::Value;
use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

const BINARY: &str = env!("CARGO_BIN_EXE_nightingale");

/// Development keys, made once and kept between runs.
pub(crate) fn keys() -> Result<PathBuf> {
    static MAKING: Mutex<()> = Mutex::new(());
    let _one = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("development-keys");
    KeyStore::development(&folder, &mut |_| {})?;
    Ok(folder)
}

fn run(arguments: &[&str]) -> Result<Output> {
    Ok(Command::new(BINARY).args(arguments).stdin(Stdio::null()).output()?)
}

/// Runs a command that must succeed; gives its output.
fn done(arguments: &[&str]) -> Result<String> {
    let output = run(arguments)?;
    let trouble = String::from_utf8_lossy(&output.stderr).into_owned();
    anyhow::ensure!(output.status.success(), "{arguments:?}: {:?} {trouble}", output.status.code());
    Ok(String::from_utf8(output.stdout)?)
}

/// Runs a command that must not succeed; gives its one line of trouble.
fn trouble(arguments: &[&str], code: i32) -> Result<String> {
    let output = run(arguments)?;
    let text = String::from_utf8(output.stderr)?;
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {text}");
    assert_eq!(text.lines().count(), 1, "{arguments:?}: {text}");
    Ok(text)
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap_or_default()
}

fn verified(proof: &Path, keys: &Path) -> Result<Verified> {
    let proof = ClaimProof::from_file(&std::fs::read(proof)?)?;
    let key = KeyDirectory::new(keys).key(proof.class, proof.key)?;
    Ok(verify_claim(&key, &proof, &Default::default())?)
}

/// A server process; killed when dropped.
struct Process {
    child: Child,
    address: String,
}

impl Process {
    fn start(folder: &Path, keys: &Path) -> Result<Self> {
        let config = folder.join("config.toml");
        let text = format!(
            "data_dir = 'data'\nkeys_dir = '{}'\n[listen]\naddress = '127.0.0.1:0'\n",
            keys.display()
        );
        std::fs::write(&config, text)?;
        let mut child = Command::new(BINARY)
            .args(["serve", "--config"])
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("no output")?).read_line(&mut line)?;
        let address =
            line.trim().strip_prefix("listening ").context("the server does not listen")?.to_owned();
        Ok(Self { child, address })
    }

    fn terminate(mut self) -> Result<Option<i32>> {
        Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status()?;
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status.code());
            }
            anyhow::ensure!(start.elapsed() < Duration::from_secs(90), "the server does not end");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Registers and claim files of an invented insurer.
fn world(folder: &Path) -> Result<(PathBuf, Vec<PathBuf>)> {
    let demo = synth::demo(11);
    let registers = folder.join("registers.json");
    std::fs::write(&registers, demo.registers.to_json().as_bytes())?;
    let mut claims = Vec::new();
    for (number, claim) in demo.claims.iter().enumerate() {
        let path = folder.join(format!("claim-{number}.json"));
        std::fs::write(&path, claim.claim.to_json().as_bytes())?;
        claims.push(path);
    }
    Ok((registers, claims))
}

fn explained(request: &Path) -> Result<Value> {
    Ok(serde_json::from_str(&done(&["claim", "explain", text(request), "--json"])?)?)
}

/// The requests that can be made of the claims.
fn requests(folder: &Path, registers: &Path, claims: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut requests = Vec::new();
    for (number, claim) in claims.iter().enumerate() {
        let request = folder.join(format!("request-{number}.json"));
        let arguments = [
            "claim",
            "request",
            "--claim",
            text(claim),
            "--registers",
            text(registers),
            "--out",
            text(&request),
        ];
        match run(&arguments)?.status.code() {
            Some(0) => requests.push(request),
            // Without consent nothing can be proven.
            Some(1) => assert!(!request.exists()),
            code => anyhow::bail!("{arguments:?} ended with {code:?}"),
        }
    }
    Ok(requests)
}

#[test]
fn a_claim_goes_from_a_file_to_a_verified_proof_by_hand_and_through_a_server() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let folder = folder.path();
    let keys = keys()?;
    let (registers, claims) = world(folder)?;
    let requests = requests(folder, &registers, &claims)?;
    assert!(requests.len() >= 15 && requests.len() < claims.len(), "{} requests", requests.len());
    let explained: Vec<(PathBuf, Value)> = requests
        .into_iter()
        .map(|request| Ok((request.clone(), explained(&request)?)))
        .collect::<Result<_>>()?;
    let of = |decision: &str| {
        let found = explained.iter().find(|(_, why)| why["decision"] == decision);
        found.with_context(|| format!("no claim to {decision}"))
    };
    let proof = folder.join("proof.json");
    let (denied, _) = of("deny")?;
    done(&["claim", "prove", text(denied), "--keys", text(&keys), "--out", text(&proof)])?;
    assert_eq!(verified(&proof, &keys)?.decision, Decision::Deny);

    let server = Process::start(folder, &keys)?;
    let (approved, why) = of("approve")?;
    let submit = ["claim", "submit", text(approved), "--server", &server.address, "--out", text(&proof)];
    done(&submit)?;
    let said = verified(&proof, &keys)?;
    assert_eq!((said.decision, Some(said.payable_cents)), (Decision::Approve, why["payable_cents"].as_u64()));
    done(&submit).context("the same request again is the same job")?;
    let again = [&submit[..], &["--idempotency-key", "again"]].concat();
    assert!(trouble(&again, 1)?.contains("DUPLICATE"));
    let listed = done(&["job", "list", "--server", &server.address, "--json"])?;
    let jobs = listed.lines().map(serde_json::from_str).collect::<Result<Vec<Value>, _>>()?;
    assert_eq!(jobs.len(), 2);
    let id = jobs[1]["id"].as_str().context("no identifier")?;
    let job = done(&["job", "get", id, "--server", &server.address, "--json"])?;
    let job: Value = serde_json::from_str(&job)?;
    assert_eq!(job["result"]["payable_cents"], why["payable_cents"]);
    let listed = done(&["keys", "list", "--server", &server.address])?;
    // The folder may hold keys of earlier statements as well: the server proves with the newest ones. What is known of each is indented.
    let local = done(&["keys", "list", "--keys", text(&keys)])?;
    let local: Vec<&str> = local.lines().filter(|line| !line.starts_with(' ')).collect();
    assert!(local.ends_with(&listed.lines().collect::<Vec<_>>()), "{listed}");
    assert!(listed.lines().all(|line| line.ends_with(" development")), "{listed}");
    done(&["epoch", "publish", "--registers", text(&registers), "--server", &server.address])?;
    assert_eq!(server.terminate()?, Some(0));
    Ok(())
}

#[test]
fn a_server_that_is_killed_while_it_proves_ends_the_job_after_its_restart() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let folder = folder.path();
    let keys = keys()?;
    let (registers, claims) = world(folder)?;
    let requests = requests(folder, &registers, &claims)?;
    let request = requests.first().context("no request")?;
    let proof = folder.join("proof.json");
    let first = Process::start(folder, &keys)?;
    let submit = |address: &str| {
        let arguments = ["claim", "submit", text(request), "--server", address, "--out", text(&proof)];
        Command::new(BINARY).args(arguments).stderr(Stdio::null()).stdout(Stdio::null()).spawn()
    };
    let mut waiting = submit(&first.address)?;
    let running = Instant::now();
    while !done(&["job", "list", "--server", &first.address])?.contains(" running") {
        anyhow::ensure!(running.elapsed() < Duration::from_secs(60), "the job never ran");
        std::thread::sleep(Duration::from_millis(20));
    }
    waiting.kill()?;
    waiting.wait()?;
    drop(first);
    let second = Process::start(folder, &keys)?;
    assert!(submit(&second.address)?.wait()?.success(), "the job was lost");
    verified(&proof, &keys)?;
    let jobs = done(&["job", "list", "--server", &second.address, "--json"])?;
    assert_eq!(jobs.lines().count(), 1);
    let job: Value = serde_json::from_str(jobs.trim())?;
    assert_eq!(job["attempts"], 2);
    Ok(())
}

#[test]
fn wrong_use_is_2_refusals_are_1_and_each_is_one_line() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let folder = folder.path();
    let file = |name: &str, bytes: &[u8]| -> Result<PathBuf> {
        let path = folder.join(name);
        std::fs::write(&path, bytes)?;
        Ok(path)
    };
    let nowhere = folder.join("nowhere.json");
    let (nonsense, out) = (file("nonsense.json", b"{\"a\": ")?, folder.join("out.json"));
    let missing = ["claim", "explain", text(&nowhere), "--json"];
    assert!(trouble(&missing, 2)?.contains("nowhere.json"));
    trouble(&["claim", "explain", text(&nonsense), "--json"], 2)?;
    trouble(&["ingest", "--format", "fhir", text(&nowhere), "--json"], 2)?;
    trouble(&["ingest", "--format", "fhir", text(&nonsense), "--json"], 1)?;
    trouble(&["ingest", "--format", "x12", text(&nonsense), "--json"], 1)?;
    trouble(&["serve", "--config", text(&nowhere)], 2)?;
    let config = file("bad.toml", b"data_dir = 'd'\nkeys_dir = 'k'\n[work]\nworkers = 0\n")?;
    assert!(trouble(&["serve", "--config", text(&config)], 2)?.contains("work.workers"));
    let config =
        file("no-keys.toml", b"data_dir = 'd'\nkeys_dir = 'k'\n[listen]\naddress = '127.0.0.1:0'\n")?;
    let output = run(&["serve", "--config", text(&config)])?;
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("keys.json"));
    let (registers, claims) = world(folder)?;
    let requests = requests(folder, &registers, &claims)?;
    let request = requests.first().context("no request")?;
    let no_keys = ["claim", "prove", text(request), "--keys", text(folder), "--out", text(&out)];
    assert!(trouble(&no_keys, 2)?.contains("keys"));
    let no_server = ["claim", "submit", text(request), "--server", "127.0.0.1:9", "--out", text(&out)];
    assert!(trouble(&no_server, 2)?.contains("cannot reach 127.0.0.1:9"));
    assert!(!out.exists());
    Ok(())
}

#[test]
fn devices_are_listed_with_what_is_missing_of_the_absent_ones() -> Result<()> {
    let listed = done(&["devices", "--json"])?;
    let devices = listed.lines().map(serde_json::from_str).collect::<Result<Vec<Value>, _>>()?;
    let names: Vec<&str> = devices.iter().filter_map(|device| device["device"].as_str()).collect();
    assert_eq!(names, ["cpu", "reference", "cuda:0", "icicle:CUDA:0"]);
    for device in &devices {
        let why = device["why"].as_str().unwrap_or_default();
        assert_ne!(device["present"].as_bool(), Some(!why.is_empty()), "{device}");
    }
    assert!(devices[..2].iter().all(|device| device["present"] == true), "{listed}");
    let folder = tempfile::tempdir()?;
    let config = folder.path().join("config.toml");
    std::fs::write(&config, "data_dir = 'd'\nkeys_dir = 'k'\n[work]\ndevice = 'abacus'\n")?;
    assert!(trouble(&["serve", "--config", text(&config)], 2)?.contains("work.device"));
    Ok(())
}

#[test]
fn a_damaged_key_is_said_at_the_start() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (whole, damaged) = (keys()?, folder.path().join("keys"));
    std::fs::create_dir(&damaged)?;
    for file in std::fs::read_dir(&whole)? {
        let file = file?;
        // The keys of cohorts have a folder in it.
        if file.file_type()?.is_dir() {
            continue;
        }
        let mut bytes = std::fs::read(file.path())?;
        if file.path().extension().is_some_and(|kind| kind == "pk") {
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
        }
        std::fs::write(damaged.join(file.file_name()), bytes)?;
    }
    let config = folder.path().join("config.toml");
    std::fs::write(&config, "data_dir = 'data'\nkeys_dir = 'keys'\n[listen]\naddress = '127.0.0.1:0'\n")?;
    let output = run(&["serve", "--config", text(&config)])?;
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stdout.is_empty(), "it listens with a damaged key");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains(".pk"), "{said}");
    Ok(())
}
