//! Servers and workers in processes of their own, which can be killed, stopped for a while, and set to another clock.
//!
//! A process is the real binary, or this test binary started again with the prover that a test steers. Both run the same server
//! and the same worker of the library.

use crate::{running::SOON, stand_in::StandIn};
use anyhow::{Context, Result, ensure};
use nightingale::{
    Config,
    store::queue::Share,
    telemetry,
    work::{self, Provers},
};
use nightingale_circuits::{Fr, field::from_be_bytes};
use nightingale_prover::cohort::Halo2;
use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    sync::mpsc,
};

const CONFIG: &str = "NIGHTINGALE_TEST_CONFIG";
const PROVER: &str = "NIGHTINGALE_TEST_PROVER";
const CLOCK: &str = "NIGHTINGALE_TEST_CLOCK";

/// How the prover of a process behaves.
#[derive(Clone, Default)]
pub(crate) struct Behaviour {
    /// Milliseconds of a proof.
    pub(crate) takes: u64,
    /// The phase in which it stays for ever, once it has said so.
    pub(crate) stalls: Option<&'static str>,
    /// The claim, by its commitment, that ends the process.
    pub(crate) deadly: Option<String>,
    /// A file with the milliseconds that the process's clock is ahead.
    pub(crate) clock: Option<PathBuf>,
    /// Whether it writes everything into its log.
    pub(crate) talks: bool,
}

impl Behaviour {
    /// Whose proofs take so long.
    pub(crate) fn slow(milliseconds: u64) -> Self {
        Self { takes: milliseconds, ..Self::default() }
    }

    /// That stays in a phase for ever.
    pub(crate) fn stalling(phase: &'static str) -> Self {
        Self { stalls: Some(phase), ..Self::default() }
    }

    fn text(&self) -> String {
        let stalls = self.stalls.unwrap_or("-");
        let deadly = self.deadly.as_deref().unwrap_or("-");
        format!("{} {stalls} {deadly}", self.takes)
    }

    fn parse(text: &str) -> Result<StandIn> {
        let mut words = text.split(' ');
        let takes = words.next().context("takes")?.parse()?;
        let stalls = words.next().filter(|word| *word != "-").map(str::to_owned);
        let deadly = words.next().filter(|word| *word != "-").map(element).transpose()?;
        Ok(StandIn { stalls, deadly, stops: true, tells: true, ..StandIn::slow(takes) })
    }
}

fn element(text: &str) -> Result<Fr> {
    let mut bytes = [0; 32];
    hex::decode_to_slice(text, &mut bytes)?;
    from_be_bytes(&bytes).context("not an element")
}

/// A process, killed when dropped.
pub(crate) struct Process {
    /// Where it listens; empty for a worker.
    pub(crate) address: String,
    pub(crate) child: Child,
    lines: mpsc::UnboundedReceiver<String>,
}

impl Process {
    async fn start(mut command: Command, log: &Path, ready: &str, patience: Duration) -> Result<Self> {
        let log_file = fs::OpenOptions::new().create(true).append(true).open(log)?;
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log_file)
            .kill_on_drop(true)
            .spawn()?;
        let mut output = BufReader::new(child.stdout.take().context("no output")?).lines();
        let (said, lines) = mpsc::unbounded_channel();
        // The output is read to its end: a process that cannot print fails.
        tokio::spawn(async move {
            while let Ok(Some(line)) = output.next_line().await {
                let _ = said.send(line);
            }
        });
        let mut process = Self { address: String::new(), child, lines };
        process.address = process
            .says(ready, patience)
            .await
            .with_context(|| format!("not {ready}:\n{}", fs::read_to_string(log).unwrap_or_default()))?;
        Ok(process)
    }

    /// Waits for a line that holds `word`; what follows it there.
    pub(crate) async fn says(&mut self, word: &str, patience: Duration) -> Result<String> {
        let wait = async {
            while let Some(line) = self.lines.recv().await {
                if let Some((_, rest)) = line.split_once(word) {
                    return Ok(rest.trim().to_owned());
                }
            }
            anyhow::bail!("the process ended before it said {word:?}")
        };
        tokio::time::timeout(patience, wait).await.with_context(|| format!("never said {word:?}"))?
    }

    /// Whether it has said `word` by now.
    pub(crate) fn has_said(&mut self, word: &str) -> bool {
        std::iter::from_fn(|| self.lines.try_recv().ok()).any(|line| line.contains(word))
    }

    fn id(&self) -> Result<String> {
        Ok(self.child.id().context("it has ended")?.to_string())
    }

    async fn signal(&self, name: &str) -> Result<()> {
        let sent = Command::new("kill").args([name, &self.id()?]).status().await?;
        ensure!(sent.success(), "kill {name}");
        Ok(())
    }

    /// `kill -9`.
    pub(crate) async fn kill(mut self) -> Result<()> {
        Ok(self.child.kill().await?)
    }

    /// Stops it where it stands, as a machine does that sleeps.
    pub(crate) async fn freeze(&self) -> Result<()> {
        self.signal("-STOP").await
    }

    /// Lets it go on.
    pub(crate) async fn thaw(&self) -> Result<()> {
        self.signal("-CONT").await
    }

    /// Asks it to end, and waits for it.
    pub(crate) async fn end(mut self, patience: Duration) -> Result<ExitStatus> {
        self.signal("-TERM").await?;
        Ok(tokio::time::timeout(patience, self.child.wait()).await.context("does not end")??)
    }

    /// Waits for it to end by itself.
    pub(crate) async fn ended(&mut self, patience: Duration) -> Result<ExitStatus> {
        Ok(tokio::time::timeout(patience, self.child.wait()).await.context("does not end")??)
    }

    /// Bytes of memory that it has by now, and had at most.
    pub(crate) fn memory(&self) -> Result<(u64, u64)> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id()?))?;
        let of = |name: &str| -> Result<u64> {
            let line = status.lines().find(|line| line.starts_with(name)).context("no such line")?;
            let kibibytes: u64 = line.split_whitespace().nth(1).context("no figure")?.parse()?;
            Ok(kibibytes * 1024)
        };
        Ok((of("VmRSS:")?, of("VmHWM:")?))
    }
}

/// This test binary as `role`, in a network namespace if one is named.
pub(crate) fn steered(
    role: &str,
    config: &Path,
    behaviour: &Behaviour,
    namespace: Option<&str>,
) -> Result<Command> {
    let program = std::env::current_exe()?;
    let mut command = match namespace {
        Some(name) => {
            let mut command = Command::new("ip");
            command.args(["netns", "exec", name]).arg(program);
            command
        }
        None => Command::new(program),
    };
    command
        .args(["--exact", &format!("process::{role}"), "--ignored", "--nocapture"])
        .env(CONFIG, config)
        .env(PROVER, behaviour.text())
        .env("NIGHTINGALE_LOG", if behaviour.talks { "trace" } else { "info" });
    if let Some(clock) = &behaviour.clock {
        command.env(CLOCK, clock);
    }
    Ok(command)
}

/// A server with a steered prover.
pub(crate) async fn server(config: &Path, log: &Path, behaviour: &Behaviour) -> Result<Process> {
    Process::start(steered("server_process", config, behaviour, None)?, log, "listening ", SOON).await
}

/// A worker for claims with a steered prover.
pub(crate) async fn worker(config: &Path, log: &Path, behaviour: &Behaviour) -> Result<Process> {
    worker_in(config, log, behaviour, None).await
}

/// The same in a network namespace.
pub(crate) async fn worker_in(
    config: &Path,
    log: &Path,
    behaviour: &Behaviour,
    namespace: Option<&str>,
) -> Result<Process> {
    Process::start(steered("worker_process", config, behaviour, namespace)?, log, "working", SOON).await
}

/// The real `nightingale serve`.
pub(crate) async fn real_server(config: &Path, log: &Path) -> Result<Process> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nightingale"));
    command.args(["serve", "--config"]).arg(config);
    Process::start(command, log, "listening ", 3 * SOON).await
}

/// The real `nightingale work` with these arguments.
pub(crate) async fn real_worker(config: &Path, log: &Path, arguments: &[&str]) -> Result<Process> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nightingale"));
    command.args(["work", "--config"]).arg(config).args(arguments);
    Process::start(command, log, "working", 15 * SOON).await
}

/// Follows the file that says how far this process's clock is ahead.
fn follow_clock() {
    let Some(file) = std::env::var_os(CLOCK) else { return };
    let read = move || {
        let ahead = fs::read_to_string(&file).ok().and_then(|text| text.trim().parse().ok());
        nightingale::clock::shift(ahead.unwrap_or(0));
    };
    read();
    std::thread::spawn(move || {
        loop {
            read();
            std::thread::sleep(Duration::from_millis(5));
        }
    });
}

fn started() -> Result<(Config, StandIn)> {
    telemetry::start();
    follow_clock();
    let config = Config::read(Path::new(&std::env::var(CONFIG).context("started by hand")?))?;
    Ok((config, Behaviour::parse(&std::env::var(PROVER)?)?))
}

#[test]
#[ignore = "not a story: the stories start it as a process"]
fn server_process() -> Result<()> {
    let (config, prover) = started()?;
    tokio::runtime::Runtime::new()?.block_on(async {
        let mut stop = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        let ready = |address| {
            let _ = writeln!(std::io::stdout(), "listening {address}");
        };
        let stop = async move { stop.recv().await.unwrap_or(()) };
        Ok(nightingale::run_with(config, Arc::new(prover), stop, ready).await?)
    })
}

#[test]
#[ignore = "not a story: the stories start it as a process"]
fn worker_process() -> Result<()> {
    let (config, prover) = started()?;
    tokio::runtime::Runtime::new()?.block_on(async {
        let mut stop = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        let provers = Provers { share: Share::Claims, claims: Arc::new(prover), questions: Arc::new(Halo2) };
        let ready = || {
            let _ = writeln!(std::io::stdout(), "working");
        };
        work::run(config, provers, async move { stop.recv().await.unwrap_or(()) }, ready).await?;
        Ok(())
    })
}

/// Keeps numbered names apart, so that no two stories use one network namespace.
pub(crate) fn number() -> u32 {
    static NEXT: Mutex<u32> = Mutex::new(0);
    let mut next = NEXT.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    *next += 1;
    *next
}
