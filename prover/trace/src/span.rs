//! Spans, and who makes them.

use crate::{
    Collector,
    context::{SpanId, Traceparent},
    exporter::{Counts, Exporter},
};
use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// What a span is to the one before it (`SpanKind`, with its numbers there).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Within one program.
    Internal = 1,
    /// A call that is answered here.
    Server = 2,
    /// A call to somebody else.
    Client = 3,
    /// Work that was queued elsewhere.
    Consumer = 5,
}

/// What a span can hold. There is no text among it but the program's own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A fixed word.
    Word(&'static str),
    /// A number of things, a port, a chain.
    Count(i64),
    /// A job's identifier.
    Job([u8; 16]),
    /// What is public on a chain anyway.
    Hash([u8; 32]),
}

/// A span that is over.
pub(crate) struct Finished {
    pub(crate) context: Traceparent,
    pub(crate) parent: Option<SpanId>,
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// Nanoseconds since 1970-01-01 UTC.
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) attributes: Vec<(&'static str, Value)>,
    pub(crate) failed: bool,
}

fn nanoseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// Makes spans. Cheap to clone. Without a collector it makes none and passes contexts on.
#[derive(Clone, Default)]
pub struct Tracer {
    exporter: Option<Arc<Exporter>>,
}

impl Tracer {
    /// Makes no spans.
    #[must_use]
    pub const fn off() -> Self {
        Self { exporter: None }
    }

    /// Sends to a collector what `service`, a fixed name, does. Call it within a Tokio runtime, which does the sending.
    #[must_use]
    pub fn to(collector: &Collector, service: &'static str) -> Self {
        Self { exporter: Exporter::start(collector.url(), service).map(Arc::new) }
    }

    /// Whether there is a collector.
    #[must_use]
    pub const fn is_on(&self) -> bool {
        self.exporter.is_some()
    }

    /// Begins a span: below `parent`, else as the first of a new trace. Nothing is recorded where the parent's caller does
    /// not want it; contexts are passed on all the same.
    #[must_use]
    pub fn span(&self, name: &'static str, kind: Kind, parent: Option<Traceparent>) -> Span {
        self.span_since(name, kind, parent, SystemTime::now())
    }

    /// The same for what began before.
    #[must_use]
    pub fn span_since(
        &self,
        name: &'static str,
        kind: Kind,
        parent: Option<Traceparent>,
        since: SystemTime,
    ) -> Span {
        let exporter = self.exporter.clone().filter(|_| parent.is_none_or(|parent| parent.sampled));
        let Some(exporter) = exporter else { return Span { passed_on: parent, open: None } };
        let context = match parent {
            Some(parent) => Traceparent { span: SpanId::random(), ..parent },
            None => Traceparent::root(),
        };
        let finished = Finished {
            context,
            parent: parent.map(|parent| parent.span),
            name,
            kind,
            start: nanoseconds(since),
            end: 0,
            attributes: Vec::new(),
            failed: false,
        };
        Span { passed_on: Some(context), open: Some((exporter, finished)) }
    }

    /// Waits until what was recorded so far has been sent or given up, at most so long.
    pub async fn flush(&self, patience: Duration) {
        if let Some(exporter) = &self.exporter {
            exporter.flush(patience).await;
        }
    }

    /// What became of the spans so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.exporter.as_ref().map(|exporter| exporter.counts()).unwrap_or_default()
    }
}

/// Something that goes on. It ends when it is dropped.
pub struct Span {
    passed_on: Option<Traceparent>,
    open: Option<(Arc<Exporter>, Finished)>,
}

impl Span {
    /// What is passed on to whoever does a part of it: this span, or, where it is not recorded, what came from before.
    #[must_use]
    pub const fn context(&self) -> Option<Traceparent> {
        self.passed_on
    }

    /// Adds something that is known of it.
    pub fn set(&mut self, name: &'static str, value: Value) {
        if let Some((_, finished)) = &mut self.open {
            finished.attributes.push((name, value));
        }
    }

    /// The same when it begins.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: Value) -> Self {
        self.set(name, value);
        self
    }

    /// It did not go well.
    pub fn fail(&mut self) {
        if let Some((_, finished)) = &mut self.open {
            finished.failed = true;
        }
    }
}

impl Drop for Span {
    fn drop(&mut self) {
        if let Some((exporter, mut finished)) = self.open.take() {
            // A clock that was put back gives an empty span, not one that ends before it begins.
            finished.end = nanoseconds(SystemTime::now()).max(finished.start);
            exporter.take(finished);
        }
    }
}
