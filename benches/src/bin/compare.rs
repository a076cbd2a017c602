//! `compare`: our provers. `claims` sets the claim prover beside its peers on the same claims, keys and witnesses, interleaved.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a report on stdout is its job")]

use anyhow::{Result, ensure};
use ark_bn254::Fr;
use clap::{Parser, Subcommand};
use nightingale_benches::{
    clock::{Cost, measure},
    cohort,
    peers::{Bench, Peer},
    report::{CohortReport, Machine, Measured, Report},
    workload,
};
use std::path::{Path, PathBuf};

/// Measures this project's provers beside their peers. A measured run is a proof and its verification; the provers
/// take turns, so that a busy moment of the machine falls on all of them.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Groth16 claim proofs of both size classes.
    Claims {
        /// Print JSON instead of a table.
        #[arg(long)]
        json: bool,
        /// Measured proofs of each prover and case; one more before them warms up.
        #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u16).range(1..))]
        rounds: u16,
        /// Where development keys are kept between runs.
        #[arg(long, value_name = "DIR", default_value = "target/development-keys")]
        keys: PathBuf,
        /// Only this case: claim-2 or claim-8.
        #[arg(long)]
        case: Option<String>,
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
        Command::Claims { json, rounds, keys, case } => claims(json, rounds, &keys, case.as_deref()),
        Command::Cohort { rows, json, rounds, keys } => cohorts(&rows, json, rounds, &keys),
    }
}

fn cohorts(rows: &[usize], json: bool, rounds: u16, keys: &Path) -> Result<()> {
    let measured = rows.iter().map(|&rows| cohort::run(rows, rounds, keys, &mut |step| eprintln!("{step}")));
    let machine = Machine::here(rayon::current_num_threads(), rounds.into());
    let report = CohortReport::new(measured.collect::<Result<_>>()?, machine);
    if json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        println!("{}", report.table());
    }
    Ok(())
}

fn claims(json: bool, rounds: u16, keys: &Path, case: Option<&str>) -> Result<()> {
    let cases = workload::cases(keys)?;
    let wanted = |name: &str| case.is_none_or(|case| case == name);
    let mut costs = Vec::new();
    for bench in cases.into_iter().filter(|case| wanted(case.class.name())).map(Bench::new) {
        costs.push(Measured { case: bench.case().class.name(), peers: interleave(&bench, rounds)? });
    }
    ensure!(!costs.is_empty(), "there is no such case; use claim-2 or claim-8");
    let report = Report::new(&costs, Machine::here(rayon::current_num_threads(), rounds.into()));
    if json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        println!("{}", report.table());
    }
    Ok(())
}

/// Each prover in turn, round after round, starting with another one in each.
fn interleave(bench: &Bench, rounds: u16) -> Result<Vec<(Peer, Vec<Cost>)>> {
    let mut costs = Peer::ALL.map(|peer| (peer, Vec::new()));
    for round in 0..=rounds {
        let (r, s) = (Fr::from(1000 + round) / Fr::from(7u64), Fr::from(2000 + round) / Fr::from(11u64));
        for turn in 0..costs.len() {
            let at = (usize::from(round) + turn) % Peer::ALL.len();
            let (peer, taken) = &mut costs[at];
            let (verified, cost) = measure(|| bench.prove(*peer, r, s).map(|proof| bench.verifies(&proof)));
            ensure!(verified?, "{}: a proof does not verify", peer.name());
            if round > 0 {
                taken.push(cost);
            }
        }
        eprint!(".");
    }
    eprintln!();
    Ok(costs.into())
}
