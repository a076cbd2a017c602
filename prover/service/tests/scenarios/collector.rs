//! An OpenTelemetry collector of a few lines: takes OTLP over HTTP and keeps what it got, read by the published schema.

use anyhow::{Context, Result};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{KeyValue, any_value::Value},
    trace::v1::Span,
};
use prost::Message;
use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// A span, and which program sent it.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) service: String,
    pub(crate) span: Span,
}

impl Received {
    /// An attribute's text or number.
    pub(crate) fn attribute(&self, name: &str) -> Option<String> {
        word(&self.span.attributes, name)
    }
}

#[derive(Default)]
struct Kept {
    spans: Vec<Received>,
    bodies: Vec<Vec<u8>>,
}

/// A running collector.
pub(crate) struct Collector {
    pub(crate) address: SocketAddr,
    kept: Arc<Mutex<Kept>>,
}

fn word(attributes: &[KeyValue], name: &str) -> Option<String> {
    match attributes.iter().find(|a| a.key == name)?.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text.clone()),
        Value::IntValue(number) => Some(number.to_string()),
        _ => None,
    }
}

impl Collector {
    pub(crate) async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let (address, kept) = (listener.local_addr()?, Arc::new(Mutex::new(Kept::default())));
        let shared = kept.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let kept = shared.clone();
                tokio::spawn(async move { take(stream, &kept).await });
            }
        });
        Ok(Self { address, kept })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn spans(&self) -> Vec<Received> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).spans.clone()
    }

    /// Everything that came, byte by byte.
    pub(crate) fn bodies(&self) -> Vec<Vec<u8>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).bodies.clone()
    }

    /// Waits until a span of this name has come, and gives all.
    pub(crate) async fn until(&self, name: &str) -> Result<Vec<Received>> {
        for _ in 0..600 {
            let spans = self.spans();
            if spans.iter().any(|received| received.span.name == name) {
                return Ok(spans);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let names: Vec<_> = self.spans().into_iter().map(|received| received.span.name).collect();
        anyhow::bail!("no span `{name}` came, only {names:?}")
    }
}

async fn take(mut stream: TcpStream, kept: &Mutex<Kept>) -> Result<()> {
    let mut bytes = Vec::new();
    let (head, length) = loop {
        anyhow::ensure!(stream.read_buf(&mut bytes).await? > 0, "half a request");
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8(bytes[..end].to_vec())?.to_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            break (head.clone(), end + 4 + length.context("no length")?.trim().parse::<usize>()?);
        }
    };
    anyhow::ensure!(head.starts_with("post /v1/traces "), "{head}");
    anyhow::ensure!(head.contains("content-type: application/x-protobuf"), "{head}");
    while bytes.len() < length {
        anyhow::ensure!(stream.read_buf(&mut bytes).await? > 0, "half a body");
    }
    let start = bytes.len().min(length) - (length - head.len() - 4);
    let body = bytes.get(start..length).context("no body")?.to_vec();
    let request = ExportTraceServiceRequest::decode(body.as_slice())?;
    {
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.bodies.push(body);
        for group in request.resource_spans {
            let resource = group.resource.map(|resource| resource.attributes).unwrap_or_default();
            let service = word(&resource, "service.name").unwrap_or_default();
            for span in group.scope_spans.into_iter().flat_map(|scope| scope.spans) {
                kept.spans.push(Received { service: service.clone(), span });
            }
        }
    }
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await?;
    Ok(())
}
