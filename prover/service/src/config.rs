//! The server's configuration: one TOML file, read and checked whole before anything opens.

mod audit;
mod consent;
pub mod identity;
mod metrics;
mod rates;
pub mod reference;
mod retention;
mod secrets;
mod store;
mod telemetry;

pub use audit::{Alarm, Audit, Bases};
pub use consent::Consent;
pub use retention::Retention;
pub use secrets::Secrets;
pub use store::DatabaseUrl;

use crate::error::ServiceError;
use nightingale_prover::{
    ProveError,
    device::{Selection, select},
};
use nightingale_trace::Collector;
use serde::Deserialize;
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

/// Memory for tables of the keys' points: a server proves many times with each.
const TABLE_MEBIBYTES: usize = 256;

/// A checked configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// Whether real records and payments depend on it: development keys are refused.
    pub production: bool,
    /// Where the database and the master key live.
    pub data_dir: PathBuf,
    /// Where the proving and verifying keys live.
    pub keys_dir: PathBuf,
    /// The gRPC address; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The metrics address, `None` for no metrics endpoint.
    pub metrics: Option<SocketAddr>,
    /// Where traces go, `None` for no traces.
    pub telemetry: Option<Collector>,
    /// Prover threads.
    pub workers: usize,
    /// Whether the server proves claims itself; otherwise workers do, processes of their own.
    pub claims: bool,
    /// Whether the server proves questions itself; otherwise workers do.
    pub cohorts: bool,
    /// What proves.
    pub device: Selection,
    /// What proves when that cannot.
    pub fallback: Option<Selection>,
    /// The devices' memory, libraries and batches.
    pub device_options: select::Options,
    /// How long a claim that is ready waits for others to be proven with.
    pub batch_delay: Duration,
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
    /// The PostgreSQL database; `None` for SQLite in the data folder.
    pub database: Option<DatabaseUrl>,
    /// Connections to PostgreSQL.
    pub database_connections: u32,
    /// The audit log.
    pub audit: Audit,
    /// Upper bound of the database file, in MiB; `None` for the disk's.
    pub database_mebibytes: Option<u32>,
    /// Which key wraps data keys, and where sealed files are.
    pub secrets: Secrets,
    /// How long what is no longer needed is kept.
    pub retention: Retention,
    /// What claims need of the ledger of consents.
    pub consent: consent::Consent,
    /// Whether the server describes its services to whoever may call.
    pub reflection: bool,
    /// Who may call.
    pub identity: identity::Identity,
    /// How much may be asked for.
    pub rates: identity::Rates,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    production: bool,
    data_dir: PathBuf,
    keys_dir: PathBuf,
    #[serde(default)]
    listen: Listen,
    metrics: Option<metrics::File>,
    #[serde(default)]
    telemetry: telemetry::File,
    #[serde(default)]
    store: store::File,
    #[serde(default)]
    audit: audit::File,
    #[serde(default)]
    consent: consent::File,
    #[serde(default)]
    work: Work,
    #[serde(default)]
    limits: Limits,
    #[serde(default)]
    secrets: secrets::File,
    #[serde(default)]
    retention: retention::File,
    tls: Option<identity::TlsSection>,
    #[serde(default)]
    callers: Vec<identity::CallerSection>,
    oidc: Option<identity::OidcSection>,
    #[serde(default)]
    rates: rates::RatesSection,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Listen {
    address: String,
    allow_remote: bool,
    reflection: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Work {
    workers: usize,
    claims: bool,
    cohorts: bool,
    device: String,
    fallback: String,
    table_mebibytes: usize,
    batch_claims: usize,
    batch_delay_milliseconds: u64,
    device_seconds: u64,
    cuda_library: Option<PathBuf>,
    icicle_library: Option<PathBuf>,
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

impl Default for Listen {
    fn default() -> Self {
        Self { address: "127.0.0.1:50051".into(), allow_remote: false, reflection: None }
    }
}

impl Default for Work {
    fn default() -> Self {
        let options = select::Options::default();
        Self {
            workers: 1,
            claims: true,
            cohorts: true,
            device: Selection::Auto.to_string(),
            fallback: Selection::Cpu.to_string(),
            table_mebibytes: TABLE_MEBIBYTES,
            batch_claims: options.batch,
            batch_delay_milliseconds: 10,
            device_seconds: options.patience.as_secs(),
            cuda_library: None,
            icicle_library: None,
            lease_seconds: 30,
            drain_seconds: 60,
            max_losses: 5,
        }
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

impl Config {
    /// Loopback on a free port, no metrics, and the defaults of the file.
    #[must_use]
    pub fn local(data_dir: PathBuf, keys_dir: PathBuf) -> Self {
        let (work, limits, secrets) = (Work::default(), Limits::default(), Secrets::local(&data_dir));
        Self {
            production: false,
            data_dir,
            keys_dir,
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            metrics: None,
            telemetry: None,
            workers: work.workers,
            claims: work.claims,
            cohorts: work.cohorts,
            device: Selection::Auto,
            fallback: Some(Selection::Cpu),
            device_options: select::Options {
                table_bytes: TABLE_MEBIBYTES << 20,
                ..select::Options::default()
            },
            batch_delay: Duration::from_millis(work.batch_delay_milliseconds),
            lease: Duration::from_secs(work.lease_seconds),
            drain: Duration::from_secs(work.drain_seconds),
            max_losses: work.max_losses,
            queued_jobs: limits.queued_jobs,
            request_bytes: limits.request_bytes,
            publish_bytes: limits.publish_bytes,
            stream_in_flight: limits.stream_in_flight,
            consent: consent::Consent::default(),
            database: None,
            audit: Audit::default(),
            database_connections: store::File::default().connections,
            database_mebibytes: None,
            secrets,
            retention: Retention::default(),
            reflection: true,
            identity: identity::Identity::default(),
            rates: identity::Rates::default(),
        }
    }

    /// For a worker of the server that this is of: with metrics, a device and threads of its own, where they are given.
    ///
    /// # Errors
    /// An address that is not a loopback address, or a number of threads out of bounds.
    pub fn of_worker(
        self,
        metrics: Option<SocketAddr>,
        device: Option<Selection>,
        workers: Option<usize>,
    ) -> Result<Self, ServiceError> {
        loopback("--metrics", metrics)?;
        let workers = workers.unwrap_or(self.workers);
        within("--workers", workers, 1, 256)?;
        Ok(Self { metrics, device: device.unwrap_or_else(|| self.device.clone()), workers, ..self })
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
        let who = identity::identity(file.tls, file.callers, file.oidc, base)?;
        identity::reachable(listen, file.listen.allow_remote, file.production, &who)?;
        let rates = rates::rates(file.rates, who.is_required())?;
        let metrics = file.metrics.map(metrics::File::check).transpose()?;
        let telemetry = file.telemetry.check()?;
        let (work, limits) = (file.work, file.limits);
        within("work.workers", work.workers, 1, 256)?;
        let device: Selection =
            work.device.parse().map_err(|error: ProveError| bad("work.device", error.to_string()))?;
        let fallback = fallback(&work.fallback)?;
        within("work.table_mebibytes", work.table_mebibytes, 0, 1 << 20)?;
        within("work.batch_claims", work.batch_claims, 1, 256)?;
        within("work.batch_delay_milliseconds", work.batch_delay_milliseconds, 0, 1000)?;
        within("work.device_seconds", work.device_seconds, 1, 86_400)?;
        let device_options = select::Options {
            table_bytes: work.table_mebibytes << 20,
            batch: work.batch_claims,
            patience: Duration::from_secs(work.device_seconds),
            cuda_library: work.cuda_library.map(|path| base.join(path)),
            icicle_library: work.icicle_library.map(|path| base.join(path)),
        };
        within("work.lease_seconds", work.lease_seconds, 1, 3600)?;
        within("work.drain_seconds", work.drain_seconds, 0, 3600)?;
        within("work.max_losses", work.max_losses, 1, 1000)?;
        let (database, database_connections) = file.store.check()?;
        let audit = file.audit.check(base)?;
        let consent = file.consent.check(base)?;
        within("limits.queued_jobs", limits.queued_jobs, 1, 10_000_000)?;
        within("limits.request_bytes", limits.request_bytes, 1024, 64 << 20)?;
        within("limits.publish_bytes", limits.publish_bytes, 1024, 1 << 30)?;
        within("limits.stream_in_flight", limits.stream_in_flight, 1, 10_000)?;
        if let Some(limit) = limits.database_mebibytes {
            within("limits.database_mebibytes", limit, 1, 1 << 24)?;
        }
        let data_dir = base.join(file.data_dir);
        Ok(Self {
            production: file.production,
            listen,
            metrics,
            telemetry,
            workers: work.workers,
            claims: work.claims,
            cohorts: work.cohorts,
            device,
            fallback,
            device_options,
            batch_delay: Duration::from_millis(work.batch_delay_milliseconds),
            lease: Duration::from_secs(work.lease_seconds),
            drain: Duration::from_secs(work.drain_seconds),
            max_losses: work.max_losses,
            queued_jobs: limits.queued_jobs,
            request_bytes: limits.request_bytes,
            publish_bytes: limits.publish_bytes,
            stream_in_flight: limits.stream_in_flight,
            consent,
            database,
            database_connections,
            audit,
            database_mebibytes: limits.database_mebibytes,
            secrets: file.secrets.check(base, &data_dir)?,
            retention: file.retention.check()?,
            reflection: file.listen.reflection.unwrap_or(!file.production),
            identity: who,
            rates,
            ..Self::local(data_dir, base.join(file.keys_dir))
        })
    }
}

fn loopback(key: &str, metrics: Option<SocketAddr>) -> Result<(), ServiceError> {
    match metrics {
        Some(address) if !address.ip().is_loopback() => Err(bad(key, "must be a loopback address")),
        _ => Ok(()),
    }
}

fn bad(key: &str, problem: impl Into<String>) -> ServiceError {
    ServiceError::Config { key: key.to_owned(), problem: problem.into() }
}

/// One device, or none.
fn fallback(text: &str) -> Result<Option<Selection>, ServiceError> {
    if text == "none" {
        return Ok(None);
    }
    let device = text.parse().ok().filter(Selection::is_single);
    let expected = "expected one device, such as `cpu`, or `none`";
    device.map(Some).ok_or_else(|| bad("work.fallback", format!("is `{text}`; {expected}")))
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
    fn production_is_asked_for_and_never_assumed() -> Result<(), ServiceError> {
        assert!(!Config::parse(BASE, Path::new(""))?.production);
        assert!(Config::parse(&format!("production = true\n{BASE}"), Path::new(""))?.production);
        assert!(problem("production = 'yes'").contains("production:"));
        Ok(())
    }

    #[test]
    fn a_bad_value_names_its_key() {
        for (text, key) in [
            ("[work]\nworkers = 'two'", "work.workers:"),
            ("[work]\nworkers = 0", "work.workers:"),
            ("[work]\ncohorts = 1", "work.cohorts:"),
            ("[work]\ndevice = 'abacus'", "work.device: device `abacus` is unknown here; use `auto`"),
            ("[work]\ndevice = 'cuda:-1'", "work.device:"),
            ("[work]\nfallback = 'auto'", "work.fallback: is `auto`; expected one device"),
            ("[work]\nfallback = 3", "work.fallback:"),
            ("[work]\ntable_mebibytes = 9000000", "work.table_mebibytes:"),
            ("[work]\nbatch_claims = 0", "work.batch_claims:"),
            ("[work]\nbatch_delay_milliseconds = 5000", "work.batch_delay_milliseconds:"),
            ("[work]\ndevice_seconds = 0", "work.device_seconds:"),
            ("[work]\nlease_seconds = -1", "work.lease_seconds:"),
            ("[listen]\naddress = 'localhost'", "listen.address:"),
            ("[listen]\nadress = '127.0.0.1:1'", "listen.adress:"),
            ("[limits]\n\n# most\nrequest_bytes = 3", "limits.request_bytes:"),
            ("[consent]\nrequired = 1", "consent.required:"),
            ("[consent]\nmax_age_days = 0", "consent.max_age_days:"),
            ("[consent]\ngrace_seconds = 9999999", "consent.grace_seconds:"),
            ("[metrics]\naddress = '0.0.0.0:9'", "metrics.address:"),
            ("[store]\nurl = 'mysql://x'", "store.url:"),
            ("[store]\nconnections = 1", "store.connections:"),
            ("[audit]\nbreak_glass = true", "audit.break_glass:"),
            ("[audit]\nbreak_glass_file = 'x'", "audit.break_glass:"),
            ("[audit]\nclaims_basis = ' '", "audit.claims_basis:"),
            ("[retention]\nended_jobs_days = 0", "retention.ended_jobs_days:"),
            ("[retention]\nresults_days = 31", "retention.results_days: is more than"),
            ("[retention]\ndatasets_days = 0", "retention.datasets_days:"),
            ("[secrets]\nkms_command = ''", "secrets.kms_command:"),
            ("[secrets]\nkms_command = ['']", "secrets.kms_command:"),
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
