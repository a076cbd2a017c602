//! The command line: a table of contents. Each command has its file; results go to standard output, one clear line of
//! trouble to standard error.

mod audit;
mod backup;
mod claim;
mod cohort;
mod config;
mod consent;
mod custody;
mod dataset;
mod demo;
mod devices;
mod epoch;
mod files;
mod ingest;
mod job;
mod keys;
mod meter;
mod probe;
mod serve;
mod store;
mod submit;
mod synth;
mod trace;
mod work;

use clap::{Args, Parser, Subcommand};
use nightingale::{
    CohortError, ServiceError, StoreError,
    client::{Client, ClientError, Credentials},
    process,
};
use nightingale_prover::ProveError;
use nightingale_records::RecordsError;
use std::{
    fmt::Display,
    io::Write,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Proves what health records say and shows none of them.
#[derive(Parser)]
#[command(
    name = "nightingale",
    version,
    after_help = "Exit codes: 0 done, 1 refused, 2 unreadable or wrong use."
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Show the whole way, from registers to a settled payment, with invented people.
    Demo(demo::Demo),
    /// Serve gRPC until told to stop.
    Serve(serve::Serve),
    /// Ask a running server whether it is ready, for supervisors.
    Probe(probe::Probe),
    /// Prove servers' claims and questions in this process, until told to stop.
    Work(work::Work),
    /// Show what can be configured, and check a file.
    #[command(subcommand)]
    Config(config::Config),
    /// Read claims from FHIR or X12 files.
    Ingest(ingest::Ingest),
    /// Make, explain, prove and submit requests.
    #[command(subcommand)]
    Claim(claim::Claim),
    /// List what can prove here, and test it.
    Devices(devices::Devices),
    /// Make, import and list keys.
    #[command(subcommand)]
    Keys(keys::Keys),
    /// Publish and read payers' epochs.
    #[command(subcommand)]
    Epoch(epoch::Epoch),
    /// Keep patients' consents: state, take back, import, publish.
    #[command(subcommand)]
    Consent(consent::Consent),
    /// Read, watch and cancel jobs of a server.
    #[command(subcommand)]
    Job(job::Job),
    /// Register trial data, describe it, revoke consents.
    #[command(subcommand)]
    Dataset(dataset::Dataset),
    /// Ask registered trial data, with proof.
    #[command(subcommand)]
    Cohort(cohort::Cohort),
    /// Export a server's audit log, account for disclosures, break the glass.
    #[command(subcommand)]
    Audit(audit::Audit),
    /// Copy a server's database and put a copy back; change its keys; erase a tenant.
    #[command(subcommand)]
    Store(Store),
    /// Invent an insurer, members and claims, or a trial.
    Synth(synth::Synth),
}

/// Why a command did not do what it was asked to.
pub(crate) enum Trouble {
    /// It was understood and refused: exit code 1.
    Refused(String),
    /// It could not be read, reached or used: exit code 2.
    Unusable(String),
}

type Outcome = Result<(), Trouble>;

impl Trouble {
    fn unusable(error: impl Display) -> Self {
        Self::Unusable(error.to_string())
    }

    /// The same about a file.
    fn within(self, path: &Path) -> Self {
        let named = |text| format!("{}: {text}", path.display());
        match self {
            Self::Refused(text) => Self::Refused(named(text)),
            Self::Unusable(text) => Self::Unusable(named(text)),
        }
    }
}

impl From<ServiceError> for Trouble {
    fn from(error: ServiceError) -> Self {
        Self::unusable(error)
    }
}

impl From<CohortError> for Trouble {
    fn from(error: CohortError) -> Self {
        if error.is_refusal() { Self::Refused(error.to_string()) } else { Self::unusable(error) }
    }
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::TenantErased => Self::Refused(error.to_string()),
            other => Self::unusable(other),
        }
    }
}

impl From<RecordsError> for Trouble {
    fn from(error: RecordsError) -> Self {
        match error {
            RecordsError::Refused(_) | RecordsError::Unresolved { .. } => Self::Refused(error.to_string()),
            RecordsError::Format { .. } | RecordsError::Register(_) | RecordsError::Unreadable { .. } => {
                Self::unusable(error)
            }
        }
    }
}

impl From<ProveError> for Trouble {
    fn from(error: ProveError) -> Self {
        match error {
            ProveError::Refused(_) | ProveError::Ceremony(_) => Self::Refused(error.to_string()),
            other => Self::unusable(other),
        }
    }
}

impl From<ClientError> for Trouble {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::Refused { .. } => Self::Refused(error.to_string()),
            ClientError::Address(_)
            | ClientError::Credentials { .. }
            | ClientError::Unreachable { .. }
            | ClientError::Unavailable { .. } => Self::unusable(error),
        }
    }
}

/// What is done with a database.
#[derive(Subcommand)]
enum Store {
    #[command(flatten)]
    Copies(backup::Store),
    #[command(flatten)]
    Custody(custody::Custody),
}

/// Which server, and as whom.
#[derive(Args)]
struct Remote {
    /// The server's address: host:port, or https://host:port.
    #[arg(long, env = "NIGHTINGALE_SERVER", default_value = "127.0.0.1:50051")]
    server: String,
    /// Whose jobs and publications: 1 to 64 of a-z, 0-9, '-', '_' and '.'. Without it, the certificate's or the token's tenant, and
    /// `default` where neither is shown.
    #[arg(long, env = "NIGHTINGALE_TENANT")]
    tenant: Option<String>,
    /// The authorities of the server's certificate, PEM; without it, the system's.
    #[arg(long, env = "NIGHTINGALE_TLS_CA", value_name = "FILE")]
    tls_ca: Option<PathBuf>,
    /// The certificate to show, PEM.
    #[arg(long, env = "NIGHTINGALE_TLS_CERT", value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Its key, PEM, readable by its owner only.
    #[arg(long, env = "NIGHTINGALE_TLS_KEY", value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// The name that the server's certificate is for, where it is not the address's.
    #[arg(long, env = "NIGHTINGALE_TLS_NAME", value_name = "NAME")]
    tls_name: Option<String>,
    /// A file with the bearer token to show, readable by its owner only. It is read again for each call.
    #[arg(long, env = "NIGHTINGALE_TOKEN_FILE", value_name = "FILE")]
    token_file: Option<PathBuf>,
}

/// The tenant of whoever names none and shows nothing.
const UNNAMED: &str = "default";

impl Remote {
    /// The tenant as far as it is known here.
    fn tenant_name(&self) -> &str {
        self.tenant.as_deref().unwrap_or(UNNAMED)
    }

    async fn connect(&self) -> Result<Client, Trouble> {
        let credentials = Credentials {
            ca: self.tls_ca.clone(),
            certificate: self.tls_cert.clone().zip(self.tls_key.clone()),
            token_file: self.token_file.clone(),
            server_name: self.tls_name.clone(),
        };
        let usual = if credentials.show_somebody() { "" } else { UNNAMED };
        let tenant = self.tenant.as_deref().unwrap_or(usual);
        Ok(Client::connect_as(&self.server, tenant, &credentials).await?)
    }
}

/// Runs a command that waits for a network.
fn wait<T>(future: impl Future<Output = Result<T, Trouble>>) -> Result<T, Trouble> {
    // Messages pass over the stacks of these threads.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .on_thread_park(nightingale::process::wipe_idle)
        .build();
    runtime.map_err(Trouble::unusable)?.block_on(future)
}

/// A line of result. A reader that has gone away wants no more.
fn say(text: impl Display) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// A line for a person who should know something before going on.
fn warn(text: impl Display) {
    let _ = writeln!(std::io::stderr(), "nightingale: warning: {text}");
}

pub(crate) fn run(arguments: Arguments) -> ExitCode {
    // Before anything is read: most commands hold records, or keys, at some time.
    let outcome = process::harden().map_err(Trouble::from).and_then(|()| dispatch(arguments.command));
    let (code, text) = match outcome {
        Ok(()) => return ExitCode::SUCCESS,
        Err(Trouble::Refused(text)) => (1, text),
        Err(Trouble::Unusable(text)) => (2, text),
    };
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let _ = writeln!(std::io::stderr(), "nightingale: {line}");
    ExitCode::from(code)
}

fn dispatch(command: Command) -> Outcome {
    match command {
        Command::Demo(demo) => demo.run(),
        Command::Devices(devices) => devices.run(),
        Command::Serve(serve) => serve.run(),
        Command::Probe(probe) => probe.run(),
        Command::Work(work) => work.run(),
        Command::Config(config) => config.run(),
        Command::Ingest(ingest) => ingest.run(),
        Command::Claim(claim) => claim.run(),
        Command::Keys(keys) => keys.run(),
        Command::Epoch(epoch) => epoch.run(),
        Command::Consent(consent) => consent.run(),
        Command::Job(job) => job.run(),
        Command::Dataset(dataset) => dataset.run(),
        Command::Cohort(cohort) => cohort.run(),
        Command::Audit(audit) => audit.run(),
        Command::Store(Store::Copies(copies)) => copies.run(),
        Command::Store(Store::Custody(custody)) => custody.run(),
        Command::Synth(synth) => synth.run(),
    }
}
