//! A command as a part of a trace: where `NIGHTINGALE_OTLP` names a collector; below the span that `TRACEPARENT` names, if it names one.

use nightingale_poster::Poster;
use nightingale_trace::{Collector, Kind, Span, Traceparent, Tracer};
use std::{env, sync::OnceLock, time::Duration};

const COLLECTOR: &str = "NIGHTINGALE_OTLP";
/// How long a command waits at its end for the collector.
const PATIENCE: Duration = Duration::from_secs(2);

/// What this process, which is one command, is part of.
static COMMAND: OnceLock<(Tracer, Option<Traceparent>)> = OnceLock::new();

/// Begins. Call it within a runtime.
pub(super) fn begin(command: &'static str) -> Result<Span, String> {
    let tracer = match env::var(COLLECTOR) {
        Ok(address) => {
            let collector =
                Collector::new(&address, false).map_err(|problem| format!("{COLLECTOR}: {problem}"))?;
            Tracer::to(&collector, "nightingale-poster")
        }
        Err(_) => Tracer::off(),
    };
    let span = tracer.span(command, Kind::Internal, Traceparent::of_environment());
    // Begun once.
    let _ = COMMAND.set((tracer, span.context()));
    Ok(span)
}

/// Has a poster's steps be the command's.
pub(super) fn follow(poster: Poster) -> Poster {
    match COMMAND.get() {
        Some((tracer, parent)) => poster.traced(tracer.clone(), *parent),
        None => poster,
    }
}

/// Ends, and brings the spans to the collector.
pub(super) async fn end(mut span: Span, failed: bool) {
    if failed {
        span.fail();
    }
    drop(span);
    if let Some((tracer, _)) = COMMAND.get() {
        tracer.flush(PATIENCE).await;
    }
}
