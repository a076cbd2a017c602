//! The command line: a table of contents. Each command has its file; results go to standard output, one clear line of
//! trouble to standard error.

mod claim;
mod cohort;
mod dataset;
mod demo;
mod epoch;
mod files;
mod ingest;
mod job;
mod keys;
mod meter;
mod serve;
mod store;
mod submit;
mod synth;

use clap::{Args, Parser, Subcommand};
use nightingale::{
    CohortError, ServiceError,
    client::{Client, ClientError},
};
use nightingale_prover::ProveError;
use nightingale_records::RecordsError;
use std::{fmt::Display, io::Write, process::ExitCode};

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
    /// Read claims from FHIR or X12 files.
    Ingest(ingest::Ingest),
    /// Make, explain, prove and submit requests.
    #[command(subcommand)]
    Claim(claim::Claim),
    /// Make and list keys.
    #[command(subcommand)]
    Keys(keys::Keys),
    /// Publish and read payers' epochs.
    #[command(subcommand)]
    Epoch(epoch::Epoch),
    /// Read, watch and cancel jobs of a server.
    #[command(subcommand)]
    Job(job::Job),
    /// Register trial data, describe it, revoke consents.
    #[command(subcommand)]
    Dataset(dataset::Dataset),
    /// Ask registered trial data, with proof.
    #[command(subcommand)]
    Cohort(cohort::Cohort),
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
            ProveError::Refused(_) => Self::Refused(error.to_string()),
            other => Self::unusable(other),
        }
    }
}

impl From<ClientError> for Trouble {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::Refused { .. } => Self::Refused(error.to_string()),
            ClientError::Address(_) | ClientError::Unreachable { .. } | ClientError::Unavailable { .. } => {
                Self::unusable(error)
            }
        }
    }
}

/// Which server, and as whom.
#[derive(Args)]
struct Remote {
    /// The server's address, host:port.
    #[arg(long, default_value = "127.0.0.1:50051")]
    server: String,
    /// Whose jobs and publications: 1 to 64 of a-z, 0-9, '-', '_' and '.'.
    #[arg(long, default_value = "default")]
    tenant: String,
}

impl Remote {
    async fn connect(&self) -> Result<Client, Trouble> {
        Ok(Client::connect(&self.server, &self.tenant).await?)
    }
}

/// Runs a command that waits for a network.
fn wait<T>(future: impl Future<Output = Result<T, Trouble>>) -> Result<T, Trouble> {
    tokio::runtime::Runtime::new().map_err(Trouble::unusable)?.block_on(future)
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
    let outcome = match arguments.command {
        Command::Demo(demo) => demo.run(),
        Command::Serve(serve) => serve.run(),
        Command::Ingest(ingest) => ingest.run(),
        Command::Claim(claim) => claim.run(),
        Command::Keys(keys) => keys.run(),
        Command::Epoch(epoch) => epoch.run(),
        Command::Job(job) => job.run(),
        Command::Dataset(dataset) => dataset.run(),
        Command::Cohort(cohort) => cohort.run(),
        Command::Synth(synth) => synth.run(),
    };
    let (code, text) = match outcome {
        Ok(()) => return ExitCode::SUCCESS,
        Err(Trouble::Refused(text)) => (1, text),
        Err(Trouble::Unusable(text)) => (2, text),
    };
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let _ = writeln!(std::io::stderr(), "nightingale: {line}");
    ExitCode::from(code)
}
