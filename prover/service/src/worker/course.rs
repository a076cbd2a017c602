//! A lease as a trace shows it: the time in the queue, then the worker's span with one span for each phase below it.

use crate::{
    jobs::{Instant, JobClass, JobId, Phase},
    telemetry::metrics::Metrics,
};
use nightingale_trace::{Kind, Span, Traceparent, Tracer, Value};
use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// Ends of a lease that are nobody's trouble.
const FINE: [&str; 6] = ["APPROVED", "DENIED", "ANSWERED", "WAITING", "RELEASED", "DRAINED"];

/// How far a lease is.
pub(crate) struct Course {
    /// Where the job was accepted.
    parent: Option<Traceparent>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    job: Option<Span>,
    phase: Option<InPhase>,
    outcome: Option<&'static str>,
}

struct InPhase {
    phase: Phase,
    since: std::time::Instant,
    // Ends when it is dropped.
    _span: Span,
}

impl Phase {
    /// Its name in metrics and traces.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Checking => "checking",
            Self::Assigning => "assigning",
            Self::Proving => "proving",
            Self::Verifying => "verifying",
        }
    }
}

impl Course {
    /// Of a job that was accepted there.
    pub(crate) fn new(parent: Option<Traceparent>) -> Self {
        Self { parent, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The lease is taken, for the `fence`th time.
    pub(crate) fn begin(&self, tracer: &Tracer, id: JobId, class: JobClass, fence: i64, accepted: Instant) {
        let about = |span: Span| {
            span.with("nightingale.job", Value::Job(id.0))
                .with("nightingale.class", Value::Word(class.name()))
                .with("nightingale.attempt", Value::Count(fence))
        };
        if fence == 1 {
            let since = UNIX_EPOCH + Duration::from_millis(accepted.0.max(0).unsigned_abs());
            drop(about(tracer.span_since(
                "queued",
                Kind::Internal,
                self.parent,
                since.min(SystemTime::now()),
            )));
        }
        self.state().job = Some(about(tracer.span("job", Kind::Consumer, self.parent)));
    }

    /// The work is in this phase now. Told again, it changes nothing.
    pub(crate) fn enter(&self, tracer: &Tracer, metrics: &Metrics, phase: Phase) {
        let mut state = self.state();
        if state.phase.as_ref().is_some_and(|held| held.phase == phase) {
            return;
        }
        state.leave(metrics);
        let parent = state.job.as_ref().and_then(Span::context);
        // Without the job's span, there is nothing to be part of.
        let off = Tracer::off();
        let tracer = if parent.is_some() { tracer } else { &off };
        let span = tracer.span(phase.name(), Kind::Internal, parent);
        state.phase = Some(InPhase { phase, since: std::time::Instant::now(), _span: span });
    }

    /// How it ended: a fixed word. The first one counts.
    pub(crate) fn note(&self, outcome: &'static str) {
        self.state().outcome.get_or_insert(outcome);
    }

    /// The lease is over.
    pub(crate) fn end(&self, metrics: &Metrics) {
        let mut state = self.state();
        state.leave(metrics);
        let Some(mut job) = state.job.take() else { return };
        let outcome = state.outcome.unwrap_or("UNSETTLED");
        job.set("nightingale.outcome", Value::Word(outcome));
        if !FINE.contains(&outcome) {
            job.fail();
        }
    }
}

impl State {
    fn leave(&mut self, metrics: &Metrics) {
        if let Some(left) = self.phase.take() {
            let seconds = left.since.elapsed().as_secs_f64();
            metrics.phase_seconds.with_label_values(&[left.phase.name()]).observe(seconds);
        }
    }
}
