//! Counters and times, for Prometheus. Labels are fixed words: no tenant, no identifier.

use crate::error::ServiceError;
use prometheus::{
    Encoder, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGaugeVec, Opts, Registry,
    TextEncoder, exponential_buckets,
};

/// The metrics of one server.
pub struct Metrics {
    registry: Registry,
    /// Accepted jobs by size class.
    pub accepted: IntCounterVec,
    /// Ended jobs by outcome.
    pub ended: IntCounterVec,
    /// Requests that were not accepted, by reason.
    pub rejected: IntCounterVec,
    /// Jobs by state.
    pub jobs: IntGaugeVec,
    /// Leases that ran out or whose worker died.
    pub leases_lost: IntCounter,
    /// Results that came after their lease was gone.
    pub late_results: IntCounter,
    /// Claims moved onto a newer account version.
    pub rebased: IntCounter,
    /// Seconds from lease to proof, by size class.
    pub prove_seconds: HistogramVec,
    /// Seconds from acceptance to first lease.
    pub queued_seconds: Histogram,
}

impl Metrics {
    /// All at zero.
    ///
    /// # Errors
    /// A defect in this file.
    pub fn new() -> Result<Self, ServiceError> {
        Self::build().map_err(|_| ServiceError::Bug("the metrics contradict each other"))
    }

    fn build() -> Result<Self, prometheus::Error> {
        let opts = |name: &str, help: &str| Opts::new(format!("nightingale_{name}"), help);
        let times = |name: &str, help: &str| {
            let buckets = exponential_buckets(0.05, 2.0, 14)?;
            Ok::<_, prometheus::Error>(HistogramOpts::from(opts(name, help)).buckets(buckets))
        };
        let metrics = Self {
            registry: Registry::new(),
            accepted: IntCounterVec::new(opts("jobs_accepted_total", "Accepted jobs"), &["size_class"])?,
            ended: IntCounterVec::new(opts("jobs_ended_total", "Ended jobs"), &["outcome"])?,
            rejected: IntCounterVec::new(
                opts("requests_rejected_total", "Requests not accepted"),
                &["reason"],
            )?,
            jobs: IntGaugeVec::new(opts("jobs", "Jobs in the database"), &["state"])?,
            leases_lost: IntCounter::with_opts(opts("leases_lost_total", "Leases lost with their worker"))?,
            late_results: IntCounter::with_opts(opts(
                "late_results_total",
                "Results refused: their lease was gone",
            ))?,
            rebased: IntCounter::with_opts(opts(
                "jobs_rebased_total",
                "Claims moved onto a newer account version",
            ))?,
            prove_seconds: HistogramVec::new(
                times("prove_seconds", "Time to prove a claim")?,
                &["size_class"],
            )?,
            queued_seconds: Histogram::with_opts(times(
                "queued_seconds",
                "Time from acceptance to the first lease",
            )?)?,
        };
        let all: [Box<dyn prometheus::core::Collector>; 9] = [
            Box::new(metrics.accepted.clone()),
            Box::new(metrics.ended.clone()),
            Box::new(metrics.rejected.clone()),
            Box::new(metrics.jobs.clone()),
            Box::new(metrics.leases_lost.clone()),
            Box::new(metrics.late_results.clone()),
            Box::new(metrics.rebased.clone()),
            Box::new(metrics.prove_seconds.clone()),
            Box::new(metrics.queued_seconds.clone()),
        ];
        for collector in all {
            metrics.registry.register(collector)?;
        }
        Ok(metrics)
    }

    /// The text that Prometheus reads.
    #[must_use]
    pub fn text(&self) -> Vec<u8> {
        let mut out = Vec::new();
        // Writing to memory cannot fail, and a partial text is still readable.
        let _ = TextEncoder::new().encode(&self.registry.gather(), &mut out);
        out
    }
}
