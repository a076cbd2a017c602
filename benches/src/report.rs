//! The result of a comparison, as a table and as JSON.

use crate::{
    clock::{Cost, median_ms},
    cohort,
    contest::Measured,
};
use serde::Serialize;
use std::{collections::BTreeMap, fmt::Write};

/// One contestant on one case.
#[derive(Clone, Serialize)]
pub struct Run {
    /// The contestant, or the step.
    pub name: String,
    /// The case.
    pub case: String,
    /// Median wall time of a run.
    pub median_ms: f64,
    /// Median CPU time of a run.
    pub cpu_ms: f64,
}

impl Run {
    fn new(name: &str, case: &str, costs: &[Cost]) -> Self {
        Self {
            name: name.to_owned(),
            case: case.to_owned(),
            median_ms: round(median_ms(costs.iter().map(|cost| cost.wall))),
            cpu_ms: round(median_ms(costs.iter().map(|cost| cost.cpu))),
        }
    }
}

/// How many proofs come out when many are asked for.
#[derive(Clone, Serialize)]
pub struct Throughput {
    /// Our prover.
    pub name: String,
    /// The case.
    pub case: String,
    /// Proofs in one call.
    pub batch: u16,
    /// Verified proofs a second by the clock on the wall.
    pub per_second: f64,
    /// Verified proofs a second of CPU time.
    pub per_core_second: f64,
}

impl Throughput {
    fn new(name: &str, case: &str, batch: u16, costs: &[Cost]) -> Self {
        let Run { name, case, median_ms, cpu_ms } = Run::new(name, case, costs);
        let rate = |ms: f64| round(f64::from(batch) * 1000.0 / ms);
        Self { name, case, batch, per_second: rate(median_ms), per_core_second: rate(cpu_ms) }
    }
}

/// A whole comparison.
#[derive(Serialize)]
pub struct Report {
    /// Each contestant on each case.
    pub runs: Vec<Run>,
    /// `<case>/<ours>_over_<peer>` is the ratio of median CPU times, `<case>/wall_<ours>_over_<peer>` that of median wall times.
    pub ratios: BTreeMap<String, f64>,
    /// Batches, where they were asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub batches: Vec<Throughput>,
    /// How it was measured.
    pub machine: Machine,
}

/// What the figures depend on.
#[derive(Serialize)]
pub struct Machine {
    /// Threads of the pool that all contestants share.
    pub threads: usize,
    /// Measured runs of each contestant and case.
    pub rounds: usize,
    /// Processor extensions that this build uses; arkworks' assembly needs `bmi2` and `adx`.
    pub built_for: Vec<&'static str>,
    /// Our first device, with what it was chosen to run with.
    pub device: String,
}

impl Machine {
    /// This machine and build.
    #[must_use]
    pub fn here(threads: usize, rounds: usize, device: impl Into<String>) -> Self {
        let features = [
            ("bmi2", cfg!(target_feature = "bmi2")),
            ("adx", cfg!(target_feature = "adx")),
            ("avx2", cfg!(target_feature = "avx2")),
            ("avx512ifma", cfg!(target_feature = "avx512ifma")),
        ];
        let built_for = features.into_iter().filter(|(_, on)| *on).map(|(name, _)| name).collect();
        Self { threads, rounds, built_for, device: device.into() }
    }
}

fn round(x: f64) -> f64 {
    (x * 1000.0).round() / 1000.0
}

impl Report {
    /// Sums up the costs of each case's contestants, and of batches by their size.
    #[must_use]
    pub fn new(measured: &[Measured], batches: &[(u16, Measured)], machine: Machine) -> Self {
        let mut runs = Vec::new();
        let mut ratios = BTreeMap::new();
        for Measured { case, contestants } in measured {
            let all: Vec<Run> = contestants.iter().map(|(name, costs)| Run::new(name, case, costs)).collect();
            let (ours, peers): (Vec<&Run>, Vec<&Run>) =
                all.iter().partition(|run| run.name.starts_with("ours"));
            for (ours, peer) in ours.iter().flat_map(|ours| peers.iter().map(move |peer| (ours, peer))) {
                let pair = format!("{}_over_{}", ours.name, peer.name);
                ratios.insert(format!("{case}/{pair}"), round(ours.cpu_ms / peer.cpu_ms));
                ratios.insert(format!("{case}/wall_{pair}"), round(ours.median_ms / peer.median_ms));
            }
            runs.extend(all);
        }
        let batches = (batches.iter())
            .flat_map(|(size, measured)| {
                let of =
                    |(name, costs): &(String, Vec<Cost>)| Throughput::new(name, &measured.case, *size, costs);
                measured.contestants.iter().map(of).collect::<Vec<_>>()
            })
            .collect();
        Self { runs, ratios, batches, machine }
    }

    /// The table.
    #[must_use]
    pub fn table(&self) -> String {
        let mut out = format!("{:<14} {:<20} {:>12} {:>12}\n", "case", "", "median ms", "CPU ms");
        for run in &self.runs {
            // Writing to a String cannot fail.
            let _ = writeln!(
                out,
                "{:<14} {:<20} {:>12.2} {:>12.2}",
                run.case, run.name, run.median_ms, run.cpu_ms
            );
        }
        for (name, ratio) in &self.ratios {
            let _ = writeln!(out, "{name:<60} {ratio:.3}");
        }
        for Throughput { name, case, batch, per_second, per_core_second } in &self.batches {
            let _ = writeln!(
                out,
                "{case:<14} {name:<20} batch of {batch}: {per_second:.2} a second, {per_core_second:.2} a core-second"
            );
        }
        let Machine { threads, rounds, built_for, device } = &self.machine;
        let _ = writeln!(
            out,
            "{threads} threads, {rounds} rounds, built for {built_for:?}, device {device}; every result checked"
        );
        out
    }
}

/// What `compare cohort` prints: our runs, beside nobody's, since no other prover of such queries hides the data.
#[derive(Serialize)]
pub struct CohortReport {
    /// Proof with link, and verification, for each number of rows.
    pub runs: Vec<Run>,
    /// What each table's registration cost, and the size of a proof.
    pub tables: Vec<cohort::Measured>,
    /// How it was measured.
    pub machine: Machine,
}

impl CohortReport {
    /// Sums up the costs of each table.
    #[must_use]
    pub fn new(tables: Vec<cohort::Measured>, machine: Machine) -> Self {
        let runs = tables
            .iter()
            .flat_map(|table| {
                let case = format!("cohort-{}", table.rows);
                [Run::new("prove", &case, &table.proofs), Run::new("verify", &case, &table.verifications)]
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

    fn cost(wall: u64, cpu: u64) -> Vec<Cost> {
        vec![Cost { wall: Duration::from_millis(wall), cpu: Duration::from_millis(cpu) }]
    }

    fn measured(case: &str, contestants: &[(&str, u64, u64)]) -> Measured {
        let contestants =
            contestants.iter().map(|(name, wall, cpu)| ((*name).to_owned(), cost(*wall, *cpu))).collect();
        Measured { case: case.to_owned(), contestants }
    }

    fn report() -> Report {
        let claims = measured("claim-8", &[("ours", 10, 30), ("ours@cuda:0", 5, 4), ("ark-groth16", 20, 40)]);
        let batch = measured("claim-8", &[("ours", 500, 800)]);
        Report::new(&[claims], &[(4, batch)], Machine::here(2, 1, "cpu"))
    }

    #[test]
    fn names_the_ratios_of_cpu_and_wall_time_and_the_rates() {
        let report = report();
        assert!((report.ratios["claim-8/ours_over_ark-groth16"] - 0.75).abs() < 1e-9);
        assert!((report.ratios["claim-8/wall_ours_over_ark-groth16"] - 0.5).abs() < 1e-9);
        assert!((report.ratios["claim-8/ours@cuda:0_over_ark-groth16"] - 0.1).abs() < 1e-9);
        assert_eq!((report.runs.len(), report.ratios.len()), (3, 4));
        assert!((report.batches[0].per_second - 8.0).abs() < 1e-9);
        assert!((report.batches[0].per_core_second - 5.0).abs() < 1e-9);
    }

    #[test]
    fn follows_its_schema() -> anyhow::Result<()> {
        let schema = serde_json::from_str(include_str!("../schemas/compare.schema.json"))?;
        let report = serde_json::to_value(report())?;
        anyhow::ensure!(jsonschema::is_valid(&schema, &report), "{report}");
        let mut other = report;
        other["ratios"]["claim-8/nobody_over_ours"] = 1.into();
        anyhow::ensure!(!jsonschema::is_valid(&schema, &other), "{other}");
        Ok(())
    }
}
