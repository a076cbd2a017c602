//! The result of a comparison, as a table and as JSON.

use crate::{
    clock::{Cost, median_ms},
    cohort,
    peers::Peer,
};
use serde::Serialize;
use std::{collections::BTreeMap, fmt::Write};

/// What each prover's runs of one case took.
pub struct Measured {
    /// The case.
    pub case: &'static str,
    /// The runs.
    pub peers: Vec<(Peer, Vec<Cost>)>,
}

/// One prover on one case.
#[derive(Clone, Serialize)]
pub struct Run<C = &'static str> {
    /// The prover, or the step.
    pub name: &'static str,
    /// The case.
    pub case: C,
    /// Median wall time of a verified proof.
    pub median_ms: f64,
    /// Median CPU time of a verified proof.
    pub cpu_ms: f64,
}

/// A whole comparison.
#[derive(Serialize)]
pub struct Report {
    /// Each prover on each case.
    pub runs: Vec<Run>,
    /// `<case>/ours_over_<peer>` is the ratio of CPU times, `<case>/wall_ours_over_<peer>` that of median wall times.
    pub ratios: BTreeMap<String, f64>,
    /// How it was measured.
    pub machine: Machine,
}

/// What the figures depend on.
#[derive(Serialize)]
pub struct Machine {
    /// Threads of the pool that all provers share.
    pub threads: usize,
    /// Measured proofs of each prover and case.
    pub rounds: usize,
    /// Processor extensions that this build uses; arkworks' assembly needs `bmi2` and `adx`.
    pub built_for: Vec<&'static str>,
}

impl Machine {
    /// This machine and build.
    #[must_use]
    pub fn here(threads: usize, rounds: usize) -> Self {
        let features = [
            ("bmi2", cfg!(target_feature = "bmi2")),
            ("adx", cfg!(target_feature = "adx")),
            ("avx2", cfg!(target_feature = "avx2")),
            ("avx512ifma", cfg!(target_feature = "avx512ifma")),
        ];
        let built_for = features.into_iter().filter(|(_, on)| *on).map(|(name, _)| name).collect();
        Self { threads, rounds, built_for }
    }
}

fn round(x: f64) -> f64 {
    (x * 1000.0).round() / 1000.0
}

impl Report {
    /// Sums up the costs of each case's provers.
    #[must_use]
    pub fn new(measured: &[Measured], machine: Machine) -> Self {
        let mut runs = Vec::new();
        let mut ratios = BTreeMap::new();
        for Measured { case, peers } in measured {
            let medians: Vec<(Peer, f64, f64)> = peers
                .iter()
                .map(|(peer, costs)| {
                    (*peer, median_ms(costs.iter().map(|c| c.wall)), median_ms(costs.iter().map(|c| c.cpu)))
                })
                .collect();
            let ours = medians.iter().find(|(peer, _, _)| *peer == Peer::Ours).copied();
            for (peer, wall, cpu) in medians {
                runs.push(Run { name: peer.name(), case: *case, median_ms: round(wall), cpu_ms: round(cpu) });
                if let Some((_, our_wall, our_cpu)) = ours.filter(|_| peer != Peer::Ours) {
                    ratios.insert(format!("{case}/ours_over_{}", peer.name()), round(our_cpu / cpu));
                    ratios.insert(format!("{case}/wall_ours_over_{}", peer.name()), round(our_wall / wall));
                }
            }
        }
        Self { runs, ratios, machine }
    }

    /// The table.
    #[must_use]
    pub fn table(&self) -> String {
        let mut out = format!("{:<10} {:<14} {:>12} {:>12}\n", "case", "prover", "median ms", "CPU ms");
        for run in &self.runs {
            // Writing to a String cannot fail.
            let _ = writeln!(
                out,
                "{:<10} {:<14} {:>12.1} {:>12.1}",
                run.case, run.name, run.median_ms, run.cpu_ms
            );
        }
        for (name, ratio) in &self.ratios {
            let _ = writeln!(out, "{name:<40} {ratio:.3}");
        }
        let Machine { threads, rounds, built_for } = &self.machine;
        let _ = writeln!(
            out,
            "{threads} threads, {rounds} rounds, built for {built_for:?}; every proof verified"
        );
        out
    }
}

/// What `compare cohort` prints: our runs, beside nobody's, since no other prover of such queries hides the data.
#[derive(Serialize)]
pub struct CohortReport {
    /// Proof with link, and verification, for each number of rows.
    pub runs: Vec<Run<String>>,
    /// What each table's registration cost, and the size of a proof.
    pub tables: Vec<cohort::Measured>,
    /// How it was measured.
    pub machine: Machine,
}

impl CohortReport {
    /// Sums up the costs of each table.
    #[must_use]
    pub fn new(tables: Vec<cohort::Measured>, machine: Machine) -> Self {
        let run = |name, rows: usize, costs: &[Cost]| Run {
            name,
            case: format!("cohort-{rows}"),
            median_ms: round(median_ms(costs.iter().map(|cost| cost.wall))),
            cpu_ms: round(median_ms(costs.iter().map(|cost| cost.cpu))),
        };
        let runs = tables
            .iter()
            .flat_map(|table| {
                [run("prove", table.rows, &table.proofs), run("verify", table.rows, &table.verifications)]
            })
            .collect();
        Self { runs, tables, machine }
    }

    /// The table.
    #[must_use]
    pub fn table(&self) -> String {
        let mut out = format!("{:<16} {:<8} {:>12} {:>12}\n", "case", "", "median ms", "CPU ms");
        for run in &self.runs {
            // Writing to a String cannot fail.
            let _ = writeln!(
                out,
                "{:<16} {:<8} {:>12.1} {:>12.1}",
                run.case, run.name, run.median_ms, run.cpu_ms
            );
        }
        for cohort::Measured { rows, register_ms, register_cpu_ms, proof_bytes, .. } in &self.tables {
            let _ = writeln!(
                out,
                "cohort-{rows:<9} register {register_ms:>12.1} {register_cpu_ms:>12.1}, once; a proof has {proof_bytes} bytes"
            );
        }
        let _ = writeln!(
            out,
            "{} threads, {} rounds; every proof verified",
            self.machine.threads, self.machine.rounds
        );
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn names_the_ratios_of_cpu_and_wall_time() {
        let cost =
            |wall, cpu| vec![Cost { wall: Duration::from_millis(wall), cpu: Duration::from_millis(cpu) }];
        let costs = [Measured {
            case: "claim-8",
            peers: vec![(Peer::Ours, cost(10, 30)), (Peer::Arkworks, cost(20, 40))],
        }];
        let report = Report::new(&costs, Machine::here(2, 1));
        assert!((report.ratios["claim-8/ours_over_ark-groth16"] - 0.75).abs() < 1e-9);
        assert!((report.ratios["claim-8/wall_ours_over_ark-groth16"] - 0.5).abs() < 1e-9);
        assert_eq!(report.runs.len(), 2);
    }

    #[test]
    fn follows_its_schema() -> anyhow::Result<()> {
        let schema = serde_json::from_str(include_str!("../schemas/compare.schema.json"))?;
        let cost = |cpu| vec![Cost { wall: Duration::from_millis(10), cpu: Duration::from_millis(cpu) }];
        let peers = Peer::ALL.into_iter().zip([30, 40, 20]).map(|(peer, cpu)| (peer, cost(cpu))).collect();
        let report =
            serde_json::to_value(Report::new(&[Measured { case: "claim-2", peers }], Machine::here(2, 1)))?;
        anyhow::ensure!(jsonschema::is_valid(&schema, &report), "{report}");
        let mut other = report;
        other["ratios"]["claim-2/ours_over_nobody"] = 1.into();
        anyhow::ensure!(!jsonschema::is_valid(&schema, &other), "{other}");
        Ok(())
    }
}
