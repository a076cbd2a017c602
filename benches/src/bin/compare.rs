//! `compare`: our provers and their kernels beside those of others, on the same input, interleaved.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a report on stdout is its job")]

use anyhow::{Context, Result, ensure};
use clap::{Args, Parser, Subcommand, ValueEnum};
use nightingale_benches::{
    cohort, contest, kernels,
    peers::Bench,
    report::{CohortReport, Machine, Report},
    split, workload,
};
use nightingale_prover::{Device, device};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

/// Measures this project's provers beside their peers, which take turns, so that a busy moment of the machine falls on all of
/// them. Every result is checked. RAYON_NUM_THREADS says on how many threads all of them run.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

/// What all comparisons have in common.
#[derive(Args)]
struct Common {
    /// Print JSON instead of a table.
    #[arg(long)]
    json: bool,
    /// Measured runs of each contestant and case; one more before them warms up.
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u16).range(1..=60))]
    rounds: u16,
    /// Our devices: the first is called `ours`, others `ours@DEVICE`. `nightingale devices` lists them.
    #[arg(long = "device", value_name = "DEVICE", value_delimiter = ',', default_value = "cpu")]
    devices: Vec<String>,
}

/// Which group.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Group {
    G1,
    G2,
}

#[derive(Subcommand)]
enum Command {
    /// Groth16 proofs of both claim classes and of a chain of hashes of 100,000 constraints; a run is a proof and its verification.
    Claims {
        #[command(flatten)]
        common: Common,
        /// Where development keys are kept between runs.
        #[arg(long, value_name = "DIR", default_value = "target/development-keys")]
        keys: PathBuf,
        /// Only these cases: claim-2, claim-8, poseidon-100k.
        #[arg(long = "case", value_name = "CASE", value_delimiter = ',')]
        cases: Vec<String>,
        /// Window tables of all keys together, in MiB; 0 for none.
        #[arg(long, default_value_t = 1024)]
        table_mebibytes: usize,
        /// Also our proofs in batches of these sizes.
        #[arg(long, value_name = "N", value_delimiter = ',', value_parser = clap::value_parser!(u16).range(1..=60))]
        batch: Vec<u16>,
    },
    /// Multi-scalar multiplications of full-size random scalars, without window tables and with all of them.
    Msm {
        #[command(flatten)]
        common: Common,
        /// Logarithms of the numbers of terms.
        #[arg(long, value_delimiter = ',', default_value = "14,15,16,17,18,19,20", value_parser = clap::value_parser!(u32).range(0..=24))]
        sizes: Vec<u32>,
        /// The group.
        #[arg(long, value_enum, default_value = "g1")]
        group: Group,
    },
    /// Number-theoretic transforms, from coefficients to values in natural order.
    Ntt {
        #[command(flatten)]
        common: Common,
        /// Logarithms of the numbers of elements.
        #[arg(long, value_delimiter = ',', default_value = "14,15,16,17,18,19,20", value_parser = clap::value_parser!(u32).range(0..=24))]
        sizes: Vec<u32>,
    },
    /// Where the time of our proof goes: its five multiplications, each alone, and the rest.
    Split {
        #[command(flatten)]
        common: Common,
        /// Where development keys are kept between runs.
        #[arg(long, value_name = "DIR", default_value = "target/development-keys")]
        keys: PathBuf,
        /// The case.
        #[arg(long, default_value = "claim-8")]
        case: String,
        /// Window tables, in MiB: the proof's and those of each multiplication alone.
        #[arg(long, default_value_t = 4096)]
        table_mebibytes: usize,
    },
    /// One proof of one case on one device, for tools that count instructions; `callgrind` sees no AVX-512, so take `cpu-portable`.
    Once {
        /// The case.
        #[arg(long, default_value = "claim-2")]
        case: String,
        /// Our device, or `ark-groth16` or `taceo-groth16`.
        #[arg(long, default_value = "cpu-portable")]
        prover: String,
        /// Where development keys are kept between runs.
        #[arg(long, value_name = "DIR", default_value = "target/development-keys")]
        keys: PathBuf,
        /// Proofs.
        #[arg(long, default_value_t = 1)]
        proofs: u16,
    },
    /// Cohort proofs: a count and a sum in four groups under a range filter, over tables of several sizes. Other provers of such
    /// queries hide nothing, so there is no peer in the run.
    Cohort {
        /// Rows of each table, at most 1,046,512.
        #[arg(long, value_delimiter = ',', default_value = "10000,100000")]
        rows: Vec<usize>,
        /// Print JSON instead of a table.
        #[arg(long)]
        json: bool,
        /// Measured proofs of each table; one more before them warms up.
        #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
        rounds: u16,
        /// Where the development setup is kept between runs.
        #[arg(long, value_name = "DIR", default_value = "target/development-keys")]
        keys: PathBuf,
    },
}

fn main() -> Result<()> {
    match Arguments::parse().command {
        Command::Claims { common, keys, cases, table_mebibytes, batch } => {
            claims(&common, &keys, &cases, table_mebibytes << 20, &batch)
        }
        Command::Msm { common, sizes, group } => {
            let (plain, tables) = (common.open(0)?, common.open(usize::MAX)?);
            let named = common.named(&plain, &tables);
            let ours: Vec<kernels::Ours<'_>> =
                named.iter().map(|(name, device)| (name.as_str(), *device)).collect();
            let measured = sizes.iter().map(|&log| match group {
                Group::G1 => kernels::msm_g1(log, &ours, common.rounds),
                Group::G2 => kernels::msm_g2(log, &ours, common.rounds),
            });
            common.print(&measured.collect::<Result<Vec<_>>>()?, &[])
        }
        Command::Ntt { common, sizes } => {
            let devices = common.open(0)?;
            let named = common.named(&devices, &[]);
            let ours: Vec<kernels::Ours<'_>> =
                named.iter().map(|(name, device)| (name.as_str(), *device)).collect();
            let measured = sizes.iter().map(|&log| kernels::ntt(log, &ours, common.rounds));
            common.print(&measured.collect::<Result<Vec<_>>>()?, &[])
        }
        Command::Split { common, keys, case, table_mebibytes } => {
            let devices = common.open(table_mebibytes << 20)?;
            let case = workload::cases(&keys, |name| name == case)?.pop().context("there is no such case")?;
            let measured = devices.iter().map(|device| split::measured(&case, &**device, common.rounds));
            common.print(&measured.collect::<Result<Vec<_>>>()?, &[])
        }
        Command::Once { case, prover, keys, proofs } => once(&case, &prover, &keys, proofs),
        Command::Cohort { rows, json, rounds, keys } => cohorts(&rows, json, rounds, &keys),
    }
}

impl Common {
    /// The devices, with so many bytes for window tables of each set of points.
    fn open(&self, table_bytes: usize) -> Result<Vec<Arc<dyn Device>>> {
        let options = device::Options { table_bytes, ..device::Options::default() };
        self.devices.iter().map(|name| Ok(device::open(name, &options)?)).collect()
    }

    /// The devices by their names in the report, those with window tables after those without.
    fn named<'a>(
        &self,
        plain: &'a [Arc<dyn Device>],
        tables: &'a [Arc<dyn Device>],
    ) -> Vec<(String, &'a dyn Device)> {
        let place = |i: usize| if i == 0 { "ours".to_owned() } else { format!("ours@{}", self.devices[i]) };
        let plain = plain.iter().enumerate().map(|(i, device)| (place(i), &**device));
        let tables = tables.iter().enumerate().map(|(i, device)| (format!("{}-tables", place(i)), &**device));
        plain.chain(tables).collect()
    }

    fn print(&self, measured: &[contest::Measured], batches: &[(u16, contest::Measured)]) -> Result<()> {
        let device = self.devices.first().map_or("", String::as_str);
        let report = Report::new(
            measured,
            batches,
            Machine::here(rayon::current_num_threads(), self.rounds.into(), device),
        );
        if self.json {
            println!("{}", serde_json::to_string_pretty(&report)?);
        } else {
            println!("{}", report.table());
        }
        Ok(())
    }
}

fn claims(common: &Common, keys: &Path, cases: &[String], tables: usize, sizes: &[u16]) -> Result<()> {
    let known = workload::names();
    for case in cases {
        ensure!(known.contains(&case.as_str()), "there is no case `{case}`; there are {}", known.join(", "));
    }
    let devices = common.open(tables)?;
    let devices: Vec<&dyn Device> = devices.iter().map(|device| &**device).collect();
    let wanted = |name: &str| cases.is_empty() || cases.iter().any(|case| case == name);
    let (mut measured, mut batches) = (Vec::new(), Vec::new());
    for case in workload::cases(keys, wanted)? {
        let name = case.name;
        let bench = Bench::new(case, &devices)?;
        eprintln!("{name}");
        measured.push(contest::interleave(name, bench.contestants(), common.rounds, |_, ()| Ok(()))?);
        for &size in sizes {
            eprintln!("{name}, batches of {size}");
            let runs = contest::interleave(name, bench.batches(size), common.rounds.min(3), |_, ()| Ok(()))?;
            batches.push((size, runs));
        }
    }
    common.print(&measured, &batches)
}

fn once(case: &str, prover: &str, keys: &Path, proofs: u16) -> Result<()> {
    let case = workload::cases(keys, |name| name == case)?.pop().context("there is no such case")?;
    let device = match prover {
        "ark-groth16" | "taceo-groth16" => "reference",
        device => device,
    };
    let opened = device::open(device, &device::Options::default())?;
    let bench = Bench::new(case, &[&*opened])?;
    let name = if device == prover { "ours" } else { prover };
    let mut contestants = bench.contestants();
    let contestant = contestants.iter_mut().find(|contestant| contestant.name == name).context("a prover")?;
    (0..proofs).try_for_each(|round| (contestant.work)(round))
}

fn cohorts(rows: &[usize], json: bool, rounds: u16, keys: &Path) -> Result<()> {
    let measured = rows.iter().map(|&rows| cohort::run(rows, rounds, keys, &mut |step| eprintln!("{step}")));
    let machine = Machine::here(rayon::current_num_threads(), rounds.into(), "halo2");
    let report = CohortReport::new(measured.collect::<Result<_>>()?, machine);
    if json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        println!("{}", report.table());
    }
    Ok(())
}
