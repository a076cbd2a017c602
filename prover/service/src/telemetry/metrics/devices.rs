//! What devices did, by device.

use super::registrar::Registrar;
use nightingale_prover::device::failover::{Report, State};
use prometheus::{CounterVec, IntCounterVec, IntGaugeVec};

#[derive(Clone)]
pub(super) struct Devices {
    proofs: IntCounterVec,
    batches: IntCounterVec,
    failures: IntCounterVec,
    seconds: CounterVec,
    state: IntGaugeVec,
}

impl Devices {
    pub(super) fn new(make: &mut Registrar) -> Result<Self, prometheus::Error> {
        Ok(Self {
            proofs: make.counters("device_proofs_total", "Proofs that a device made", &["device"])?,
            batches: make.counters("device_batches_total", "Calls that a device answered", &["device"])?,
            failures: make.counters(
                "device_failovers_total",
                "Calls that a device did not answer, so that others did the work",
                &["device"],
            )?,
            seconds: make.times("device_seconds_total", "Time in a device", &["device"])?,
            state: make.gauges(
                "device_state",
                "1 for the state that a device is in",
                &["device", "state"],
            )?,
        })
    }

    /// Takes over what devices counted themselves. Their counts only grow, and one device has one report.
    pub(super) fn note(&self, reports: &[Report]) {
        for report in reports {
            let label = &[report.device.as_str()];
            for (counter, count) in [
                (&self.proofs, report.proofs),
                (&self.batches, report.batches),
                (&self.failures, report.failures),
            ] {
                let counter = counter.with_label_values(label);
                counter.inc_by(count.saturating_sub(counter.get()));
            }
            let seconds = self.seconds.with_label_values(label);
            seconds.inc_by((report.busy.as_secs_f64() - seconds.get()).max(0.0));
            for (state, name) in
                [(State::Working, "working"), (State::Standby, "standby"), (State::Retired, "retired")]
            {
                let gauge = self.state.with_label_values(&[label[0], name]);
                gauge.set(i64::from(report.state == state));
            }
        }
    }
}
