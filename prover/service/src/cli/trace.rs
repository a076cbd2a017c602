//! A command as the first part of a trace: where `NIGHTINGALE_OTLP` names a collector, or `TRACEPARENT` a trace to be part of.

use super::Trouble;
use nightingale_trace::{Collector, Kind, Span, Traceparent, Tracer};
use std::{env, time::Duration};

const COLLECTOR: &str = "NIGHTINGALE_OTLP";
/// How long a command waits at its end for the collector.
const PATIENCE: Duration = Duration::from_secs(2);

/// A command that is traced, or not.
pub(super) struct Traced {
    tracer: Tracer,
    span: Span,
}

impl Traced {
    /// Begins. Call it within a runtime.
    pub(super) fn begin(command: &'static str) -> Result<Self, Trouble> {
        let tracer = match env::var(COLLECTOR) {
            Ok(address) => {
                let collector = Collector::new(&address, false);
                let collector =
                    collector.map_err(|problem| Trouble::Unusable(format!("{COLLECTOR}: {problem}")))?;
                Tracer::to(&collector, "nightingale-client")
            }
            Err(_) => Tracer::off(),
        };
        let span = tracer.span(command, Kind::Client, Traceparent::of_environment());
        Ok(Self { tracer, span })
    }

    /// What calls carry.
    pub(super) const fn context(&self) -> Option<Traceparent> {
        self.span.context()
    }

    /// Ends, and brings the spans to the collector.
    pub(super) async fn end<T>(self, outcome: Result<T, Trouble>) -> Result<T, Trouble> {
        let Self { tracer, mut span } = self;
        if outcome.is_err() {
            span.fail();
        }
        drop(span);
        tracer.flush(PATIENCE).await;
        outcome
    }
}
