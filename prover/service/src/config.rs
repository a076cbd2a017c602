//! The server's configuration: one TOML file, read and checked whole before anything opens.

use crate::error::ServiceError;
use serde::Deserialize;
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

/// A checked configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where the database and the master key live.
    pub data_dir: PathBuf,
    /// Where the proving and verifying keys live.
    pub keys_dir: PathBuf,
    /// The gRPC address; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The metrics address, `None` for no metrics endpoint.
    pub metrics: Option<SocketAddr>,
    /// Prover threads.
    pub workers: usize,
    /// How long a job stays with a worker that is not heard of.
    pub lease: Duration,
    /// How long a drain waits for running proofs.
    pub drain: Duration,
    /// A job fails after it was lost with its worker so often.
    pub max_losses: u32,
    /// Jobs that have not ended, per tenant.
    pub queued_jobs: u32,
    /// Bytes of one request.
    pub request_bytes: usize,
    /// Bytes of one publication.
    pub publish_bytes: usize,
    /// Unanswered requests of one stream.
    pub stream_in_flight: usize,
    /// Upper bound of the database file, in MiB; `None` for the disk's.
    pub database_mebibytes: Option<u32>,
    /// How long the epoch before the newest is still accepted.
    pub epoch_grace: Duration,
    /// How long ended jobs and their results are kept.
    pub keep_ended: Duration,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    data_dir: PathBuf,
    keys_dir: PathBuf,
    #[serde(default)]
    listen: Listen,
    metrics: Option<Metrics>,
    #[serde(default)]
    work: Work,
    #[serde(default)]
    limits: Limits,
    #[serde(default)]
    retention: Retention,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Listen {
    address: String,
    allow_remote: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Metrics {
    address: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Work {
    workers: usize,
    lease_seconds: u64,
    drain_seconds: u64,
    max_losses: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Limits {
    queued_jobs: u32,
    request_bytes: usize,
    publish_bytes: usize,
    stream_in_flight: usize,
    database_mebibytes: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Retention {
    epoch_grace_seconds: u64,
    ended_jobs_days: u64,
}

impl Default for Listen {
    fn default() -> Self {
        Self { address: "127.0.0.1:50051".into(), allow_remote: false }
    }
}

impl Default for Work {
    fn default() -> Self {
        Self { workers: 1, lease_seconds: 30, drain_seconds: 60, max_losses: 5 }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            queued_jobs: 10_000,
            request_bytes: 1 << 20,
            publish_bytes: 64 << 20,
            stream_in_flight: 64,
            database_mebibytes: None,
        }
    }
}

impl Default for Retention {
    fn default() -> Self {
        Self { epoch_grace_seconds: 86_400, ended_jobs_days: 30 }
    }
}

impl Config {
    /// Loopback on a free port, no metrics, and the defaults of the file.
    #[must_use]
    pub fn local(data_dir: PathBuf, keys_dir: PathBuf) -> Self {
        let (work, limits, retention) = (Work::default(), Limits::default(), Retention::default());
        Self {
            data_dir,
            keys_dir,
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            metrics: None,
            workers: work.workers,
            lease: Duration::from_secs(work.lease_seconds),
            drain: Duration::from_secs(work.drain_seconds),
            max_losses: work.max_losses,
            queued_jobs: limits.queued_jobs,
            request_bytes: limits.request_bytes,
            publish_bytes: limits.publish_bytes,
            stream_in_flight: limits.stream_in_flight,
            database_mebibytes: None,
            epoch_grace: Duration::from_secs(retention.epoch_grace_seconds),
            keep_ended: Duration::from_secs(retention.ended_jobs_days * 86_400),
        }
    }

    /// Reads and checks a file; its relative paths start at its own folder.
    ///
    /// # Errors
    /// An unreadable file, or the first key that cannot be used.
    pub fn read(path: &Path) -> Result<Self, ServiceError> {
        let text = std::fs::read_to_string(path).map_err(|error| ServiceError::Path {
            path: path.to_owned(),
            problem: format!("cannot be read: {error}"),
        })?;
        let base = path.parent().map_or_else(PathBuf::new, Path::to_owned);
        Self::parse(&text, &base)
    }

    /// Checks a file's text; relative paths start at `base`.
    ///
    /// # Errors
    /// The first key that cannot be used.
    pub fn parse(text: &str, base: &Path) -> Result<Self, ServiceError> {
        let file: File = toml::from_str(text).map_err(|error| {
            let key = error.span().map_or_else(|| "file".to_owned(), |span| key_at(text, span.start));
            ServiceError::Config { key, problem: error.message().replace('\n', " ") }
        })?;
        let listen = address("listen.address", &file.listen.address)?;
        if !listen.ip().is_loopback() && !file.listen.allow_remote {
            return Err(bad(
                "listen.address",
                "is not a loopback address, and callers are not authenticated; put an authenticating proxy in front and \
                 listen on 127.0.0.1, or set listen.allow_remote = true where the network itself is trusted",
            ));
        }
        let metrics = file.metrics.map(|m| address("metrics.address", &m.address)).transpose()?;
        if metrics.is_some_and(|m| !m.ip().is_loopback()) {
            return Err(bad("metrics.address", "must be a loopback address"));
        }
        let (work, limits, retention) = (file.work, file.limits, file.retention);
        within("work.workers", work.workers, 1, 256)?;
        within("work.lease_seconds", work.lease_seconds, 1, 3600)?;
        within("work.drain_seconds", work.drain_seconds, 0, 3600)?;
        within("work.max_losses", work.max_losses, 1, 1000)?;
        within("limits.queued_jobs", limits.queued_jobs, 1, 10_000_000)?;
        within("limits.request_bytes", limits.request_bytes, 1024, 64 << 20)?;
        within("limits.publish_bytes", limits.publish_bytes, 1024, 1 << 30)?;
        within("limits.stream_in_flight", limits.stream_in_flight, 1, 10_000)?;
        if let Some(limit) = limits.database_mebibytes {
            within("limits.database_mebibytes", limit, 1, 1 << 24)?;
        }
        within("retention.epoch_grace_seconds", retention.epoch_grace_seconds, 0, 366 * 86_400)?;
        within("retention.ended_jobs_days", retention.ended_jobs_days, 1, 36_600)?;
        Ok(Self {
            listen,
            metrics,
            workers: work.workers,
            lease: Duration::from_secs(work.lease_seconds),
            drain: Duration::from_secs(work.drain_seconds),
            max_losses: work.max_losses,
            queued_jobs: limits.queued_jobs,
            request_bytes: limits.request_bytes,
            publish_bytes: limits.publish_bytes,
            stream_in_flight: limits.stream_in_flight,
            database_mebibytes: limits.database_mebibytes,
            epoch_grace: Duration::from_secs(retention.epoch_grace_seconds),
            keep_ended: Duration::from_secs(retention.ended_jobs_days * 86_400),
            ..Self::local(base.join(file.data_dir), base.join(file.keys_dir))
        })
    }
}

fn bad(key: &str, problem: impl Into<String>) -> ServiceError {
    ServiceError::Config { key: key.to_owned(), problem: problem.into() }
}

fn address(key: &str, text: &str) -> Result<SocketAddr, ServiceError> {
    text.parse().map_err(|_| bad(key, "expected an IP address and a port, such as 127.0.0.1:50051"))
}

fn within<T: PartialOrd + std::fmt::Display>(
    key: &str,
    value: T,
    least: T,
    most: T,
) -> Result<(), ServiceError> {
    if value < least || value > most {
        return Err(bad(key, format!("is {value}; expected {least} to {most}")));
    }
    Ok(())
}

/// The key on whose line `offset` stands, with its section.
fn key_at(text: &str, offset: usize) -> String {
    let before = text.get(..offset).unwrap_or_default();
    let start = before.rfind('\n').map_or(0, |i| i + 1);
    let line = text.get(start..).unwrap_or_default().lines().next().unwrap_or_default();
    let section = |line: &str| Some(line.trim().strip_prefix('[')?.split(']').next()?.trim().to_owned());
    if let Some(name) = section(line) {
        return format!("[{name}]");
    }
    let key = line.split('=').next().unwrap_or_default().trim();
    let place = if key.is_empty() { "file" } else { key };
    match text.get(..start).unwrap_or_default().lines().rev().find_map(section) {
        Some(name) => format!("{name}.{place}"),
        None => place.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str = "data_dir = 'd'\nkeys_dir = '/k'\n";

    fn problem(extra: &str) -> String {
        match Config::parse(&format!("{BASE}{extra}"), Path::new("/etc/nightingale")) {
            Ok(_) => "accepted".into(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn paths_start_at_the_files_own_folder() -> Result<(), ServiceError> {
        let config = Config::parse(BASE, Path::new("/etc/nightingale"))?;
        assert_eq!(config.data_dir, Path::new("/etc/nightingale/d"));
        assert_eq!(config.keys_dir, Path::new("/k"));
        assert!(config.listen.ip().is_loopback());
        Ok(())
    }

    #[test]
    fn a_bad_value_names_its_key() {
        for (text, key) in [
            ("[work]\nworkers = 'two'", "work.workers:"),
            ("[work]\nworkers = 0", "work.workers:"),
            ("[work]\nlease_seconds = -1", "work.lease_seconds:"),
            ("[listen]\naddress = 'localhost'", "listen.address:"),
            ("[listen]\nadress = '127.0.0.1:1'", "listen.adress:"),
            ("[limits]\n\n# most\nrequest_bytes = 3", "limits.request_bytes:"),
            ("[metrics]\naddress = '0.0.0.0:9'", "metrics.address:"),
            ("[retention]\nended_jobs_days = 0", "retention.ended_jobs_days:"),
        ] {
            let problem = problem(text);
            assert!(
                problem.starts_with("configuration: ") && problem.contains(key),
                "{text:?} gave {problem:?}"
            );
        }
        let missing = Config::parse("data_dir = 'd'", Path::new("")).map(drop).map_err(|e| e.to_string());
        assert!(missing.is_err_and(|problem| problem.contains("keys_dir")));
    }

    #[test]
    fn refuses_a_remote_address_unless_it_is_allowed() {
        let problem = problem("[listen]\naddress = '0.0.0.0:50051'");
        assert!(problem.contains("listen.allow_remote"), "{problem}");
        let allowed = format!("{BASE}[listen]\naddress = '0.0.0.0:50051'\nallow_remote = true");
        assert!(Config::parse(&allowed, Path::new("")).is_ok());
    }
}
