//! `nightingale work`.

use super::{Outcome, Trouble, say, wait};
use clap::{Args, ValueEnum};
use nightingale::{
    Config, signals,
    store::queue::Share,
    telemetry,
    work::{self, Provers},
};
use nightingale_prover::{cohort::Halo2, device::Selection};
use std::{net::SocketAddr, path::PathBuf, sync::Arc};

#[derive(Args)]
#[command(
    after_help = "With SQLite it runs beside `nightingale serve`, as the same user and with the same file; with PostgreSQL on any machine, with the \
                  same [store] and the same master key. Several may run. With `claims = false` or `cohorts = false` under [work] a \
                  server leaves those to workers. Servers and workers must be of one release."
)]
pub(super) struct Work {
    /// The server's configuration file.
    #[arg(long)]
    config: PathBuf,
    /// What it takes.
    #[arg(long, value_enum, default_value = "cohorts")]
    share: Taken,
    /// What proves claims here, in place of the file's `work.device`.
    #[arg(long)]
    device: Option<Selection>,
    /// Prover threads here, in place of the file's `work.workers`; 1 is best for questions.
    #[arg(long)]
    workers: Option<usize>,
    /// Where this worker tells its metrics, on a loopback address.
    #[arg(long, value_name = "ADDR")]
    metrics: Option<SocketAddr>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Taken {
    /// Claims and questions.
    Everything,
    /// Claims only.
    Claims,
    /// Questions only.
    Cohorts,
}

impl Work {
    pub(super) fn run(&self) -> Outcome {
        let share = match self.share {
            Taken::Everything => Share::Everything,
            Taken::Claims => Share::Claims,
            Taken::Cohorts => Share::Cohorts,
        };
        // A question keeps all cores busy: one at a time, unless somebody says otherwise.
        let workers = self.workers.or((share == Share::Cohorts).then_some(1));
        let config = Config::read(&self.config)?.of_worker(self.metrics, self.device.clone(), workers)?;
        telemetry::start();
        let provers = Provers::configured(&config, share, Arc::new(Halo2))?;
        wait(async {
            let told = signals::end().map_err(Trouble::unusable)?;
            Ok(work::run(config, provers, told, || say("working")).await?)
        })
    }
}
