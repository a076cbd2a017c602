//! `nightingale-cohort-worker`: proves the questions of a running server on an NVIDIA GPU. Exit codes: 0 told to stop, 2 what stands in
//! the way, a device that failed among other things.

mod gpu;

use clap::Parser;
use gpu::Gpu;
use nightingale::{
    Config, ServiceError, signals,
    store::queue::Share,
    telemetry,
    work::{self, Provers},
};
use std::{io::Write, net::SocketAddr, path::PathBuf, process::ExitCode, sync::Arc};

/// Proves a Nightingale server's questions on an NVIDIA GPU.
#[derive(Parser)]
#[command(
    name = "nightingale-cohort-worker",
    version,
    after_help = "Run it beside `nightingale serve`, as the same user, with the same file, and of the same release. Set `cohorts = false` under \
                  [work] there, so that the server leaves questions to it.\n\n\
                  It proves and verifies a made-up question first, and then says \"working\" on standard output. Every proof is verified \
                  before it is stored. SIGTERM: the proof in hand is finished or given back, exit code 0. A GPU that fails: the job is \
                  queued again, exit code 2; have a supervisor start the worker anew.\n\n\
                  CUDA_VISIBLE_DEVICES=N chooses the GPU; one worker a GPU."
)]
struct Arguments {
    /// The server's configuration file.
    #[arg(long)]
    config: PathBuf,
    /// Where this worker tells its metrics, on a loopback address.
    #[arg(long, value_name = "ADDR")]
    metrics: Option<SocketAddr>,
}

fn main() -> ExitCode {
    match work(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "nightingale-cohort-worker: {error}");
            ExitCode::from(2)
        }
    }
}

fn work(arguments: &Arguments) -> Result<(), ServiceError> {
    nightingale::process::harden()?;
    let config = Config::read(&arguments.config)?.of_worker(arguments.metrics, None, Some(1))?;
    telemetry::start();
    let provers = Provers::configured(&config, Share::Cohorts, Arc::new(Gpu::open()?))?;
    let unusable = |_| ServiceError::Bug("the system lets no signal be caught or no thread be started");
    let runtime = tokio::runtime::Runtime::new().map_err(unusable)?;
    runtime.block_on(async {
        let told = signals::end().map_err(unusable)?;
        let ready = || {
            // Nobody need be listening.
            let _ = writeln!(std::io::stdout(), "working");
        };
        work::run(config, provers, told, ready).await
    })
}
