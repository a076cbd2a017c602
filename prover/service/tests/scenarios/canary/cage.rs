//! Where a server is kept while it handles canaries: one folder for all that it writes, and what it said to callers.

use super::search::{Leak, Searcher};
use crate::{end_to_end::keys, running::SOON};
use anyhow::{Context, Result, ensure};
use nightingale::client::ClientError;
use std::{
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use tempfile::TempDir;

const BINARY: &str = env!("CARGO_BIN_EXE_nightingale");
/// Names the configuration file to a process of this test binary.
pub(super) const CONFIG: &str = "NIGHTINGALE_TEST_CANARY";

/// A folder in which everything that the service writes ends up, and what was said to callers.
pub(super) struct Cage {
    pub(super) folder: TempDir,
    metrics: u16,
    told: Vec<(String, Vec<u8>)>,
}

/// A server process; killed when dropped.
pub(super) struct Bird {
    child: Child,
    pub(super) address: String,
}

impl Drop for Bird {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Cage {
    /// With a database of its own, and with what else the configuration says.
    pub(super) fn new(more: &str) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        for name in ["run", "tmp"] {
            fs::create_dir(folder.path().join(name))?;
        }
        let metrics = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let text = format!(
            "data_dir = 'data'\nkeys_dir = '{}'\n[listen]\naddress = '127.0.0.1:0'\n[metrics]\naddress = '127.0.0.1:{metrics}'\n\
             [work]\nlease_seconds = 2\ndevice = 'cpu'\n{more}",
            keys()?.display()
        );
        fs::write(folder.path().join("config.toml"), &text)?;
        let front = text.replace("[work]\n", "[work]\nclaims = false\ncohorts = false\n");
        fs::write(folder.path().join("front.toml"), front)?;
        Ok(Self { folder, metrics, told: Vec::new() })
    }

    pub(super) fn config(&self) -> PathBuf {
        self.folder.path().join("config.toml")
    }

    /// Starts a server that would leave core dumps and backtraces if it could, and that tells all it can.
    pub(super) fn start(&self, program: &str, arguments: &[&str]) -> Result<Bird> {
        let number = rand::random::<u32>();
        let (out, log) = (
            self.folder.path().join(format!("out-{number}")),
            self.folder.path().join(format!("log-{number}")),
        );
        let child = Command::new("sh")
            .args(["-c", "ulimit -c unlimited 2>/dev/null; exec \"$0\" \"$@\"", program])
            .args(arguments)
            .current_dir(self.folder.path().join("run"))
            .env("TMPDIR", self.folder.path().join("tmp"))
            .env("NIGHTINGALE_LOG", "trace")
            .env("RUST_BACKTRACE", "full")
            .env(CONFIG, self.config())
            .stdin(Stdio::null())
            .stdout(fs::File::create(&out)?)
            .stderr(fs::File::create(log)?)
            .spawn()?;
        let mut bird = Bird { child, address: String::new() };
        let begun = Instant::now();
        loop {
            let text = fs::read_to_string(&out)?;
            // A worker says that it works.
            let said = text.lines().find_map(|line| {
                line.strip_prefix("working").or_else(|| Some(line.split_once("listening ")?.1))
            });
            if let Some(address) = said {
                address.trim().clone_into(&mut bird.address);
                return Ok(bird);
            }
            if let Some(status) = bird.child.try_wait()? {
                anyhow::bail!("the server ended with {status}");
            }
            ensure!(begun.elapsed() < SOON, "the server does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub(super) fn serve(&self) -> Result<Bird> {
        self.start(BINARY, &["serve", "--config", &self.config().display().to_string()])
    }

    /// A server that does no work itself.
    pub(super) fn front(&self) -> Result<Bird> {
        self.start(BINARY, &["serve", "--config", &self.front_config()])
    }

    /// A process that works for it.
    pub(super) fn work(&self) -> Result<Bird> {
        self.start(BINARY, &["work", "--config", &self.front_config(), "--share", "claims"])
    }

    fn front_config(&self) -> String {
        self.folder.path().join("front.toml").display().to_string()
    }

    /// Ends it as a crash would.
    pub(super) fn crash(&self, mut bird: Bird, signal: &str) -> Result<()> {
        // Rust's own handler takes the first fault that is no overflow of a stack, and lets the next one end the process.
        let begun = Instant::now();
        while bird.child.try_wait()?.is_none() {
            Command::new("kill").args([signal, &bird.child.id().to_string()]).status()?;
            ensure!(begun.elapsed() < SOON, "{signal} does not end the server");
            std::thread::sleep(Duration::from_millis(200));
        }
        Ok(())
    }

    pub(super) fn note(&mut self, what: &str, bytes: impl Into<Vec<u8>>) {
        self.told.push((format!("what was said about {what}"), bytes.into()));
    }

    pub(super) fn refused<T>(&mut self, what: &str, answer: Result<T, ClientError>) -> Result<()> {
        let error = answer.err().with_context(|| format!("{what} was accepted"))?;
        let debug = format!("{error} {error:?}");
        self.note(what, debug);
        Ok(())
    }

    /// Runs a command by the operator and keeps what it prints.
    pub(super) fn command(&mut self, arguments: &[&str]) -> Result<Option<i32>> {
        let ran = Command::new(BINARY)
            .args(arguments)
            .env("NIGHTINGALE_LOG", "trace")
            .current_dir(self.folder.path().join("run"))
            .output()?;
        self.note(&arguments.join(" "), [ran.stdout, ran.stderr].concat());
        Ok(ran.status.code())
    }

    pub(super) fn scrape(&mut self) -> Result<()> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.metrics))?;
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes)?;
        ensure!(bytes.windows(22).any(|window| window == b"nightingale_build_info"), "no metrics");
        self.note("metrics", bytes);
        Ok(())
    }

    /// Searches all of it, and another folder with a searcher of its own.
    pub(super) fn search(
        &self,
        searcher: &Searcher,
        other: Option<(&Path, &Searcher)>,
    ) -> Result<(Vec<Leak>, u64)> {
        let (mut leaks, mut read) = (Vec::new(), 0);
        for (place, bytes) in &self.told {
            leaks.extend(searcher.find(place, bytes));
            read += bytes.len() as u64;
        }
        read += searcher.folder(self.folder.path(), &mut leaks)?;
        if let Some((folder, searcher)) = other {
            read += searcher.folder(folder, &mut leaks)?;
        }
        leaks.sort_unstable();
        Ok((leaks, read))
    }
}
