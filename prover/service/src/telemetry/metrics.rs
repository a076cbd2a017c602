//! Counters and times, for Prometheus. Labels are fixed words of this program: no tenant, no identifier, so their number is bounded
//! and none of them is anybody's secret.

mod devices;
mod process;
mod registrar;

pub use registrar::{Described, Kind};

use crate::{error::ServiceError, jobs::State, store::times::Times, telemetry::readiness::Readiness};
use devices::Devices;
use nightingale_prover::device::failover::Report;
use nightingale_trace::Counts;
use process::Process;
use prometheus::{
    Encoder, GaugeVec, Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Registry,
    TextEncoder, exponential_buckets,
};
use std::time::Duration;

/// Every metric there is.
///
/// # Errors
/// A defect in this file.
pub fn described() -> Result<Vec<Described>, ServiceError> {
    Ok(Metrics::new(&Times::new("sqlite")?)?.described)
}

/// The metrics of one server. A copy counts into the same.
#[derive(Clone)]
pub struct Metrics {
    registry: Registry,
    described: Vec<Described>,
    /// Accepted jobs by size class.
    pub accepted: IntCounterVec,
    /// Ended jobs by outcome.
    pub ended: IntCounterVec,
    /// Requests that were not accepted, by reason.
    pub rejected: IntCounterVec,
    /// Jobs by state.
    pub jobs: IntGaugeVec,
    /// Seconds since the oldest job that has not ended was accepted, by state.
    pub oldest: GaugeVec,
    /// Leases that ran out or whose worker died.
    pub leases_lost: IntCounter,
    /// Results that came after their lease was gone.
    pub late_results: IntCounter,
    /// Claims moved onto a newer account version.
    pub rebased: IntCounter,
    /// Seconds from lease to proof, by size class.
    pub prove_seconds: HistogramVec,
    /// Seconds in a phase.
    pub phase_seconds: HistogramVec,
    /// Seconds from acceptance to first lease.
    pub queued_seconds: Histogram,
    /// Claims given to a device at once.
    pub batch_claims: Histogram,
    /// Calls by method, and by whether they were admitted or why not.
    pub admissions: IntCounterVec,
    /// Open connections.
    pub connections: IntGauge,
    /// Connections that were not taken, by reason.
    pub connections_refused: IntCounterVec,
    /// Seconds since something that callers are believed by could not be read, by what it is.
    pub unread: GaugeVec,
    /// Jobs that somebody read in an emergency.
    pub break_glass: IntCounter,
    /// Answered calls by method and code.
    pub calls: IntCounterVec,
    /// Seconds from a call's first byte to its answer's last, by method.
    pub call_seconds: HistogramVec,
    /// Calls that are being answered.
    pub calls_open: IntGauge,
    /// Bytes of the database file.
    pub store_bytes: IntGauge,
    ready: IntGaugeVec,
    spans: IntCounterVec,
    devices: Devices,
    process: Process,
}

impl Metrics {
    /// All at zero but the database's, which counts for itself.
    ///
    /// # Errors
    /// A defect in this file.
    pub(crate) fn new(store: &Times) -> Result<Self, ServiceError> {
        Self::build(store).map_err(|_| ServiceError::Bug("the metrics contradict each other"))
    }

    fn build(store: &Times) -> Result<Self, prometheus::Error> {
        let mut make = registrar::Registrar::default();
        let proofs = || exponential_buckets(0.05, 2.0, 14);
        make.add(Kind::Histogram, store.seconds.clone())?;
        make.add(Kind::Counter, store.errors.clone())?;
        let info =
            make.gauges("build_info", "1; the labels say what runs", &["version", "schema", "store"])?;
        let schema = crate::store::schema().to_string();
        info.with_label_values(&[env!("CARGO_PKG_VERSION"), &schema, store.database]).set(1);
        let metrics = Self {
            accepted: make.counters("jobs_accepted_total", "Accepted jobs", &["size_class"])?,
            ended: make.counters("jobs_ended_total", "Ended jobs", &["outcome"])?,
            rejected: make.counters("requests_rejected_total", "Requests not accepted", &["reason"])?,
            jobs: make.gauges("jobs", "Jobs in the database", &["state"])?,
            oldest: make.ages(
                "oldest_job_seconds",
                "Time since the oldest job that is queued, leased or waiting was accepted; 0 without one",
                &["state"],
            )?,
            leases_lost: make.counter("leases_lost_total", "Leases lost with their worker")?,
            late_results: make.counter("late_results_total", "Results refused: their lease was gone")?,
            rebased: make.counter("jobs_rebased_total", "Claims moved onto a newer account version")?,
            prove_seconds: make.histograms(
                "prove_seconds",
                "Time to prove a claim",
                &["size_class"],
                proofs()?,
            )?,
            phase_seconds: make.histograms("phase_seconds", "Time in a job's phase", &["phase"], proofs()?)?,
            queued_seconds: make.histogram(
                "queued_seconds",
                "Time from acceptance to the first lease",
                proofs()?,
            )?,
            batch_claims: make.histogram(
                "batch_claims",
                "Claims given to a device at once",
                exponential_buckets(1.0, 2.0, 9)?,
            )?,
            admissions: make.counters(
                "admissions_total",
                "Calls, and how they were let in",
                &["method", "answer"],
            )?,
            connections: make.gauge("connections", "Open connections")?,
            connections_refused: make.counters(
                "connections_refused_total",
                "Connections not taken",
                &["reason"],
            )?,
            unread: make.ages(
                "trust_unread_seconds",
                "For how long what callers are believed by could not be read; 0 when it can",
                &["source"],
            )?,
            break_glass: make.counter("break_glass_total", "Jobs read in an emergency")?,
            calls: make.counters("grpc_requests_total", "Answered calls", &["method", "code"])?,
            call_seconds: make.histograms(
                "grpc_seconds",
                "Time from a call to the end of its answer; of a call that waits or watches, the job's time too",
                &["method"],
                exponential_buckets(0.001, 2.0, 16)?,
            )?,
            calls_open: make.gauge("grpc_in_flight", "Calls that are being answered")?,
            store_bytes: make.gauge("store_bytes", "Size of the SQLite database and its log; 0 on PostgreSQL")?,
            ready: make.gauges("ready", "Whether a part of readiness holds", &["check"])?,
            spans: make.counters("spans_total", "Spans of traces", &["outcome"])?,
            devices: Devices::new(&mut make)?,
            process: Process::new(&mut make)?,
            registry: make.registry,
            described: make.described,
        };
        // What has not happened yet is 0, so that a rise from nothing is seen.
        for outcome in ["sent", "dropped"] {
            metrics.spans.with_label_values(&[outcome]);
        }
        Ok(metrics)
    }

    /// Takes over what devices counted themselves.
    pub fn note_devices(&self, reports: &[Report]) {
        self.devices.note(reports);
    }

    /// Takes over what became of spans.
    pub fn note_spans(&self, counts: Counts) {
        for (outcome, count) in [("sent", counts.sent), ("dropped", counts.dropped)] {
            let counter = self.spans.with_label_values(&[outcome]);
            counter.inc_by(count.saturating_sub(counter.get()));
        }
    }

    pub(crate) fn note_unread(&self, source: &str, time: Duration) {
        self.unread.with_label_values(&[source]).set(time.as_secs_f64());
    }

    pub(crate) fn note_readiness(&self, readiness: Readiness) {
        for (check, holds) in readiness.checks() {
            self.ready.with_label_values(&[check]).set(i64::from(holds));
        }
    }

    /// Takes over how many jobs are in a state, and for how long the oldest has been there.
    pub fn note_jobs(&self, state: State, jobs: i64, oldest: f64) {
        self.jobs.with_label_values(&[state.name()]).set(jobs);
        if !state.has_ended() {
            self.oldest.with_label_values(&[state.name()]).set(oldest);
        }
    }

    /// The text that Prometheus reads.
    #[must_use]
    pub fn text(&self) -> Vec<u8> {
        self.process.refresh();
        let mut out = Vec::new();
        // Writing to memory cannot fail, and a partial text is still readable.
        let _ = TextEncoder::new().encode(&self.registry.gather(), &mut out);
        out
    }
}
