//! The server's process is killed, again and again, at any moment.

use crate::{
    clinic::{Clinic, result},
    running::{SOON, keyed},
    stand_in::StandIn,
};
use anyhow::{Context, Result};
use nightingale::{
    Config, Server,
    client::{Client, ClientError},
};
use nightingale_proto::v1::JobState;
use rand_chacha::{
    ChaCha20Rng,
    rand_core::{RngCore, SeedableRng},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write,
    path::Path,
    process::Stdio,
    sync::Arc,
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
};

const CONFIG: &str = "NIGHTINGALE_TEST_SERVER";

/// A server in a process of its own.
pub(crate) struct Process {
    /// Where it listens.
    pub(crate) address: String,
    /// The process; killed when dropped.
    pub(crate) child: Child,
    /// Its output, held open: a test harness that cannot print fails.
    _output: Lines<BufReader<ChildStdout>>,
}

/// Starts this binary again as a server with the configuration at `config`; its log goes to `log`.
pub(crate) async fn start(config: &Path, log: &Path) -> Result<Process> {
    let log = std::fs::OpenOptions::new().create(true).append(true).open(log)?;
    let mut child = Command::new(std::env::current_exe()?)
        .args(["--exact", "server_kill::server_process", "--ignored", "--nocapture"])
        .env(CONFIG, config)
        .env("NIGHTINGALE_LOG", "trace")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log)
        .kill_on_drop(true)
        .spawn()?;
    let mut lines = BufReader::new(child.stdout.take().context("no output")?).lines();
    let listening = async {
        while let Some(line) = lines.next_line().await? {
            if let Some((_, address)) = line.split_once("listening ") {
                return Ok(address.trim().to_owned());
            }
        }
        anyhow::bail!("the server ended before it listened")
    };
    let address = tokio::time::timeout(SOON, listening).await.context("the server does not listen")??;
    Ok(Process { address, child, _output: lines })
}

#[test]
#[ignore = "not a story: the stories start it as a process"]
fn server_process() -> Result<()> {
    let config = Config::read(Path::new(&std::env::var(CONFIG).context("started by hand")?))?;
    nightingale::telemetry::start();
    tokio::runtime::Runtime::new()?.block_on(async {
        let server = Server::bind(config, Arc::new(StandIn::slow(60))).await?;
        let mut stop = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        writeln!(std::io::stdout(), "listening {}", server.address())?;
        server.serve(async move { stop.recv().await.unwrap_or(()) }).await?;
        Ok(())
    })
}

/// A configuration file for a server with its data in `folder`.
pub(crate) fn write_config(folder: &Path) -> Result<std::path::PathBuf> {
    let path = folder.join("config.toml");
    let text = "data_dir = 'data'\nkeys_dir = 'keys'\n[listen]\naddress = '127.0.0.1:0'\n\
                [metrics]\naddress = '127.0.0.1:0'\n[work]\nworkers = 2\nlease_seconds = 1\nmax_losses = 1000\n";
    std::fs::write(&path, text)?;
    Ok(path)
}

#[tokio::test(flavor = "multi_thread")]
async fn no_accepted_job_is_lost_and_no_result_is_committed_twice() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (config, log) = (write_config(folder.path())?, folder.path().join("log"));
    let mut rng = ChaCha20Rng::seed_from_u64(9);
    let mut clinic = Clinic::new()?;
    let requests = (0..8).map(|member| clinic.file(member, &[1])).collect::<Result<Vec<_>>>()?;
    let mut accepted: BTreeMap<usize, String> = BTreeMap::new();
    let mut kills = 0;
    let mut left: BTreeSet<usize> = (0..requests.len()).collect();
    let mut results: BTreeMap<usize, Vec<u8>> = BTreeMap::new();
    while !left.is_empty() {
        anyhow::ensure!(kills < 60, "no progress through 60 kills");
        let mut server = start(&config, &log).await?;
        let life = Duration::from_millis(u64::from(20 + rng.next_u32() % 230));
        // Every request is sent in every life: the key makes it one job.
        let talk = async {
            let mut client = Client::connect(&server.address, "north").await?;
            for (number, request) in requests.iter().enumerate() {
                let job = client.adjudicate(request.clone(), keyed(&format!("k{number}")), false).await?;
                let before = accepted.entry(number).or_insert_with(|| job.id.clone());
                assert_eq!(*before, job.id, "an accepted job was lost");
                if job.state() == JobState::Done {
                    let job = client.job(&job.id).await?;
                    let proof = result(&job).map(|r| r.proof_json.clone()).unwrap_or_default();
                    let known = results.entry(number).or_insert_with(|| proof.clone());
                    assert_eq!(*known, proof, "a second result");
                    left.remove(&number);
                }
            }
            std::future::pending::<Result<(), ClientError>>().await
        };
        if let Ok(Err(error)) = tokio::time::timeout(life, talk).await {
            anyhow::bail!("the server answered with {error}");
        }
        // `kill` is SIGKILL.
        server.child.kill().await?;
        kills += 1;
    }
    assert!(kills >= 3, "the server was hardly killed");
    let server = start(&config, &log).await?;
    let mut client = Client::connect(&server.address, "north").await?;
    assert_eq!(client.jobs(&[], 100).await?.len(), requests.len());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_server_on_the_same_data_is_refused_and_sigterm_ends_the_first_with_0() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (config, log) = (write_config(folder.path())?, folder.path().join("log"));
    let mut first = start(&config, &log).await?;
    let second = Server::bind(Config::read(&config)?, Arc::new(StandIn::default())).await;
    let problem = second.err().context("two servers on one data folder")?.to_string();
    assert!(problem.contains("another server uses this data folder"), "{problem}");
    let id = first.child.id().context("already ended")?;
    let ended = Command::new("kill").args(["-TERM", &id.to_string()]).status().await?;
    assert!(ended.success());
    let status = tokio::time::timeout(SOON, first.child.wait()).await.context("does not end")??;
    assert_eq!(status.code(), Some(0));
    Ok(())
}
