//! Traces: which step of a job took how long, across client, queue, worker and chain, for an OpenTelemetry collector.
//!
//! Off unless a collector is named. A span can hold fixed words, numbers, and identifiers of jobs and transactions; there is no
//! way to put a text into one, so no value of a record can come into it. Whoever works never waits for the collector.

mod collector;
mod context;
mod exporter;
mod span;
mod wire;

pub use collector::Collector;
pub use context::{SpanId, TraceId, Traceparent};
pub use exporter::Counts;
pub use span::{Kind, Span, Tracer, Value};
