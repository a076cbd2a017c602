//! Where in which trace something happens: W3C Trace Context, <https://www.w3.org/TR/trace-context/>, version 00.
//!
//! `tracestate` is not passed on: it is a text of somebody else's.

use std::fmt;

/// The environment variable that carries a context into a command, by the OpenTelemetry specification of carriers.
const VARIABLE: &str = "TRACEPARENT";

/// Names a trace. Never all zero.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceId(pub(crate) [u8; 16]);

/// Names a span of a trace. Never all zero.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SpanId(pub(crate) [u8; 8]);

impl fmt::Display for TraceId {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(&hex::encode(self.0))
    }
}

impl SpanId {
    /// A new one.
    pub(crate) fn random() -> Self {
        Self(random())
    }
}

/// Random bytes, not all zero.
fn random<const N: usize>() -> [u8; N]
where
    rand::distr::StandardUniform: rand::distr::Distribution<[u8; N]>,
{
    loop {
        let bytes: [u8; N] = rand::random();
        if bytes != [0; N] {
            return bytes;
        }
    }
}

/// A span of a trace, as callers pass it on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Traceparent {
    pub(crate) trace: TraceId,
    pub(crate) span: SpanId,
    pub(crate) sampled: bool,
}

impl Traceparent {
    /// The name of the gRPC metadata entry and HTTP header.
    pub const HEADER: &'static str = "traceparent";

    /// The start of a new trace, which is recorded.
    #[must_use]
    pub fn root() -> Self {
        Self { trace: TraceId(random()), span: SpanId::random(), sampled: true }
    }

    /// From its text, `00-` 32 digits `-` 16 digits `-` flags. Anything else, capitals included, is none: a caller's broken
    /// context never breaks a call. Of a later version, what this one knows is read.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let version = digits::<1>(parts.next()?)?;
        let (trace, span) = (digits::<16>(parts.next()?)?, digits::<8>(parts.next()?)?);
        let flags = digits::<1>(parts.next()?)?;
        let known = match version {
            [0xff] => false,
            [0] => parts.next().is_none(),
            _ => true,
        };
        let usable = known && trace != [0; 16] && span != [0; 8];
        usable.then_some(Self { trace: TraceId(trace), span: SpanId(span), sampled: flags[0] & 1 == 1 })
    }

    /// What the surroundings of a command say.
    #[must_use]
    pub fn of_environment() -> Option<Self> {
        Self::parse(&std::env::var(VARIABLE).ok()?)
    }

    /// The trace.
    #[must_use]
    pub const fn trace(&self) -> TraceId {
        self.trace
    }

    /// Whether its spans are wanted.
    #[must_use]
    pub const fn is_sampled(&self) -> bool {
        self.sampled
    }
}

impl fmt::Display for Traceparent {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "00-{}-{}-0{}", self.trace, hex::encode(self.span.0), u8::from(self.sampled))
    }
}

/// Exactly `2 N` small hexadecimal digits.
fn digits<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let small = text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    (small && hex::decode_to_slice(text, &mut bytes).is_ok()).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification, 3.2.2.
    const EXAMPLE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn the_specifications_example_round_trips() {
        let parent = Traceparent::parse(EXAMPLE);
        assert_eq!(parent.map(|p| p.to_string()).as_deref(), Some(EXAMPLE));
        assert_eq!(parent.map(|p| p.sampled), Some(true));
        let root = Traceparent::root();
        assert!(Traceparent::parse(&root.to_string()) == Some(root));
    }

    #[test]
    fn what_the_specification_forbids_is_no_context() {
        for text in [
            "",
            "00",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e47-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-x1",
        ] {
            assert!(Traceparent::parse(text).is_none(), "{text:?}");
        }
        let later = Traceparent::parse("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00-what");
        assert_eq!(later.map(|p| p.sampled), Some(false), "a later version's known part counts");
    }
}
