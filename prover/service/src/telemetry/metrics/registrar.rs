//! Makes metrics, each registered as it is made, and remembers what they are called: dashboards and alerts are held to that.

use prometheus::{
    CounterVec, Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry, core::Collector,
};

/// What Prometheus makes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It only grows.
    Counter,
    /// It goes up and down.
    Gauge,
    /// Its series are `_bucket`, `_sum` and `_count`.
    Histogram,
}

/// A metric as queries see it.
#[derive(Clone, Debug)]
pub struct Described {
    /// Its name.
    pub name: String,
    /// What it says.
    pub help: String,
    /// What Prometheus makes of it.
    pub kind: Kind,
    /// Its labels.
    pub labels: Vec<String>,
}

/// Makes and registers.
#[derive(Default)]
pub(super) struct Registrar {
    pub(super) registry: Registry,
    pub(super) described: Vec<Described>,
}

type Made<T> = Result<T, prometheus::Error>;

impl Registrar {
    /// Registers a metric that was made elsewhere.
    pub(super) fn add<C: Collector + Clone + 'static>(&mut self, kind: Kind, metric: C) -> Made<C> {
        let described = metric.desc().into_iter().map(|desc| Described {
            name: desc.fq_name.clone(),
            help: desc.help.clone(),
            kind,
            labels: desc.variable_labels.clone(),
        });
        self.described.extend(described);
        self.registry.register(Box::new(metric.clone()))?;
        Ok(metric)
    }

    pub(super) fn counter(&mut self, name: &str, help: &str) -> Made<IntCounter> {
        self.add(Kind::Counter, IntCounter::with_opts(ours(name, help))?)
    }

    pub(super) fn counters(&mut self, name: &str, help: &str, labels: &[&str]) -> Made<IntCounterVec> {
        self.add(Kind::Counter, IntCounterVec::new(ours(name, help), labels)?)
    }

    pub(super) fn times(&mut self, name: &str, help: &str, labels: &[&str]) -> Made<CounterVec> {
        self.add(Kind::Counter, CounterVec::new(ours(name, help), labels)?)
    }

    pub(super) fn gauge(&mut self, name: &str, help: &str) -> Made<IntGauge> {
        self.add(Kind::Gauge, IntGauge::with_opts(ours(name, help))?)
    }

    pub(super) fn gauges(&mut self, name: &str, help: &str, labels: &[&str]) -> Made<IntGaugeVec> {
        self.add(Kind::Gauge, IntGaugeVec::new(ours(name, help), labels)?)
    }

    pub(super) fn ages(&mut self, name: &str, help: &str, labels: &[&str]) -> Made<GaugeVec> {
        self.add(Kind::Gauge, GaugeVec::new(ours(name, help), labels)?)
    }

    /// Under the name that all programs have it by.
    pub(super) fn process(&mut self, name: &str, help: &str) -> Made<Gauge> {
        self.add(Kind::Gauge, Gauge::with_opts(Opts::new(name, help))?)
    }

    pub(super) fn histogram(&mut self, name: &str, help: &str, buckets: Vec<f64>) -> Made<Histogram> {
        let options = HistogramOpts::from(ours(name, help)).buckets(buckets);
        self.add(Kind::Histogram, Histogram::with_opts(options)?)
    }

    pub(super) fn histograms(
        &mut self,
        name: &str,
        help: &str,
        labels: &[&str],
        buckets: Vec<f64>,
    ) -> Made<HistogramVec> {
        let options = HistogramOpts::from(ours(name, help)).buckets(buckets);
        self.add(Kind::Histogram, HistogramVec::new(options, labels)?)
    }
}

fn ours(name: &str, help: &str) -> Opts {
    Opts::new(format!("nightingale_{name}"), help)
}
