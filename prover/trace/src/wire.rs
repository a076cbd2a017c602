//! What is sent, of opentelemetry-proto 1.x: `ExportTraceServiceRequest` and what it holds, with the fields that are used
//! and their numbers there.

use crate::span::{Finished, Value};
use prost::Message;

#[derive(Clone, PartialEq, Message)]
pub(crate) struct ExportTraceServiceRequest {
    #[prost(message, repeated, tag = "1")]
    resource_spans: Vec<ResourceSpans>,
}

#[derive(Clone, PartialEq, Message)]
struct ResourceSpans {
    #[prost(message, optional, tag = "1")]
    resource: Option<Resource>,
    #[prost(message, repeated, tag = "2")]
    scope_spans: Vec<ScopeSpans>,
}

#[derive(Clone, PartialEq, Message)]
struct Resource {
    #[prost(message, repeated, tag = "1")]
    attributes: Vec<KeyValue>,
}

#[derive(Clone, PartialEq, Message)]
struct ScopeSpans {
    #[prost(message, optional, tag = "1")]
    scope: Option<Scope>,
    #[prost(message, repeated, tag = "2")]
    spans: Vec<Span>,
}

#[derive(Clone, PartialEq, Message)]
struct Scope {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    version: String,
}

#[derive(Clone, PartialEq, Message)]
struct Span {
    #[prost(bytes = "vec", tag = "1")]
    trace_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    span_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "4")]
    parent_span_id: Vec<u8>,
    #[prost(string, tag = "5")]
    name: String,
    #[prost(int32, tag = "6")]
    kind: i32,
    #[prost(fixed64, tag = "7")]
    start_time_unix_nano: u64,
    #[prost(fixed64, tag = "8")]
    end_time_unix_nano: u64,
    #[prost(message, repeated, tag = "9")]
    attributes: Vec<KeyValue>,
    #[prost(message, optional, tag = "15")]
    status: Option<Status>,
    #[prost(fixed32, tag = "16")]
    flags: u32,
}

#[derive(Clone, PartialEq, Message)]
struct Status {
    #[prost(int32, tag = "3")]
    code: i32,
}

#[derive(Clone, PartialEq, Message)]
struct KeyValue {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(message, optional, tag = "2")]
    value: Option<AnyValue>,
}

#[derive(Clone, PartialEq, Message)]
struct AnyValue {
    #[prost(oneof = "Any", tags = "1, 3")]
    value: Option<Any>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum Any {
    #[prost(string, tag = "1")]
    Text(String),
    #[prost(int64, tag = "3")]
    Number(i64),
}

/// `STATUS_CODE_ERROR`.
const ERROR: i32 = 2;
/// The low eight bits are the W3C flags: sampled.
const SAMPLED: u32 = 1;

fn text(key: &str, value: String) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(Any::Text(value)) }) }
}

fn attribute((key, value): &(&'static str, Value)) -> KeyValue {
    let any = match value {
        Value::Word(word) => Any::Text((*word).to_owned()),
        Value::Count(count) => Any::Number(*count),
        Value::Job(id) => Any::Text(hex::encode(id)),
        Value::Hash(hash) => Any::Text(format!("0x{}", hex::encode(hash))),
    };
    KeyValue { key: (*key).to_owned(), value: Some(AnyValue { value: Some(any) }) }
}

fn span(finished: &Finished) -> Span {
    Span {
        trace_id: finished.context.trace.0.to_vec(),
        span_id: finished.context.span.0.to_vec(),
        parent_span_id: finished.parent.map(|parent| parent.0.to_vec()).unwrap_or_default(),
        name: finished.name.to_owned(),
        kind: finished.kind as i32,
        start_time_unix_nano: finished.start,
        end_time_unix_nano: finished.end,
        attributes: finished.attributes.iter().map(attribute).collect(),
        status: finished.failed.then_some(Status { code: ERROR }),
        flags: SAMPLED,
    }
}

/// The bytes of a batch. The resource says which program of which version; `instance` tells processes apart.
pub(crate) fn encode(service: &'static str, instance: [u8; 16], spans: &[Finished]) -> Vec<u8> {
    let version = env!("CARGO_PKG_VERSION").to_owned();
    let request = ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(Resource {
                attributes: vec![
                    text("service.name", service.to_owned()),
                    text("service.version", version.clone()),
                    text("service.instance.id", hex::encode(instance)),
                ],
            }),
            scope_spans: vec![ScopeSpans {
                scope: Some(Scope { name: "nightingale".to_owned(), version }),
                spans: spans.iter().map(span).collect(),
            }],
        }],
    };
    request.encode_to_vec()
}

#[cfg(test)]
mod tests {
    use crate::{Kind, Traceparent, Value, span::Finished};
    use opentelemetry_proto::tonic::{
        collector::trace::v1::ExportTraceServiceRequest, common::v1::any_value::Value as Any,
        trace::v1::status::StatusCode,
    };
    use prost::Message;

    #[test]
    fn the_published_schema_reads_what_was_written() -> Result<(), prost::DecodeError> {
        let (context, parent) = (Traceparent::root(), Traceparent::root());
        let finished = Finished {
            context,
            parent: Some(parent.span),
            name: "proving",
            kind: Kind::Consumer,
            start: 1_700_000_000_000_000_001,
            end: 1_700_000_000_000_000_009,
            attributes: vec![
                ("class", Value::Word("claim-2")),
                ("attempt", Value::Count(-3)),
                ("job", Value::Job([0xab; 16])),
                ("transaction", Value::Hash([1; 32])),
            ],
            failed: true,
        };
        let bytes = super::encode("nightingale-test", [7; 16], &[finished]);
        let read = ExportTraceServiceRequest::decode(bytes.as_slice())?;
        let group = read.resource_spans.first().map(|group| {
            let resource = group.resource.iter().flat_map(|r| &r.attributes).next();
            (
                resource.map(|a| a.key.clone()),
                group.scope_spans.first().and_then(|s| s.spans.first()).cloned(),
            )
        });
        let Some((Some(key), Some(span))) = group else { unreachable!("one group with one span") };
        assert_eq!(key, "service.name");
        assert_eq!((span.trace_id, span.span_id), (context.trace.0.to_vec(), context.span.0.to_vec()));
        assert_eq!(span.parent_span_id, parent.span.0.to_vec());
        assert_eq!((span.name.as_str(), span.kind, span.flags), ("proving", 5, 1));
        assert_eq!(span.end_time_unix_nano - span.start_time_unix_nano, 8);
        assert_eq!(span.status.map(|s| s.code()), Some(StatusCode::Error));
        let values: Vec<_> = span.attributes.into_iter().filter_map(|a| a.value?.value).collect();
        let word = |text: &str| Any::StringValue(text.to_owned());
        assert_eq!(
            values,
            [
                word("claim-2"),
                Any::IntValue(-3),
                word(&"ab".repeat(16)),
                word(&format!("0x{}", "01".repeat(32)))
            ]
        );
        Ok(())
    }
}
