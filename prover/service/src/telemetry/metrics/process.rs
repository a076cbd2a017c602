//! This process as the system sees it, under the names that Prometheus' clients agree on.

use super::registrar::{Kind, Registrar};
use prometheus::{Counter, Gauge, Opts};
use std::fs;

/// Ticks of `/proc/PID/stat` in a second: `USER_HZ`, 100 on every Linux that runs this.
const TICKS: f64 = 100.0;

#[derive(Clone)]
pub(super) struct Process {
    resident: Gauge,
    virtual_size: Gauge,
    cpu: Counter,
    files: Gauge,
    threads: Gauge,
    started: Gauge,
}

impl Process {
    pub(super) fn new(make: &mut Registrar) -> Result<Self, prometheus::Error> {
        Ok(Self {
            resident: make.process("process_resident_memory_bytes", "Resident memory")?,
            virtual_size: make.process("process_virtual_memory_bytes", "Virtual memory")?,
            cpu: make.add(
                Kind::Counter,
                Counter::with_opts(Opts::new(
                    "process_cpu_seconds_total",
                    "Time of processors, user and system",
                ))?,
            )?,
            files: make.process("process_open_fds", "Open file descriptors")?,
            threads: make.process("process_threads", "Threads")?,
            started: make.process("process_start_time_seconds", "When it started, since 1970-01-01 UTC")?,
        })
    }

    /// Reads `/proc/self`. What cannot be read keeps its last value.
    pub(super) fn refresh(&self) {
        if let Ok(open) = fs::read_dir("/proc/self/fd") {
            // The folder itself is open while it is read.
            self.files.set(open.count().saturating_sub(1) as f64);
        }
        if let Some((kibibytes, virtual_kibibytes)) = memory() {
            self.resident.set(kibibytes * 1024.0);
            self.virtual_size.set(virtual_kibibytes * 1024.0);
        }
        let Some(stat) = fs::read_to_string("/proc/self/stat").ok().and_then(|text| Stat::parse(&text))
        else {
            return;
        };
        self.cpu.inc_by((stat.ticks / TICKS - self.cpu.get()).max(0.0));
        self.threads.set(stat.threads);
        if let Some(boot) = boot_time() {
            self.started.set(boot + stat.started / TICKS);
        }
    }
}

/// Resident and virtual memory in KiB.
fn memory() -> Option<(f64, f64)> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let value = |name: &str| {
        status.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next()?.parse().ok()
    };
    Some((value("VmRSS:")?, value("VmSize:")?))
}

fn boot_time() -> Option<f64> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
}

/// Some fields of `/proc/PID/stat` (proc_pid_stat(5)).
struct Stat {
    ticks: f64,
    threads: f64,
    started: f64,
}

impl Stat {
    fn parse(text: &str) -> Option<Self> {
        // The name, in brackets, may hold anything; field 3 comes after the last bracket.
        let (_, rest) = text.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_whitespace().collect();
        let field = |number: usize| fields.get(number.checked_sub(3)?)?.parse::<f64>().ok();
        Some(Self { ticks: field(14)? + field(15)?, threads: field(20)?, started: field(22)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_and_spaces_does_not_shift_the_fields() {
        let text = "7 (a) b (c) R 1 1 1 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 9 0 4711 1000 200";
        let stat = Stat::parse(text);
        assert_eq!(stat.as_ref().map(|s| (s.ticks, s.threads, s.started)), Some((300.0, 9.0, 4711.0)));
    }
}
