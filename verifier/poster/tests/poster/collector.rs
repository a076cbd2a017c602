//! An OpenTelemetry collector of a few lines: takes OTLP over HTTP and keeps what it got, read by the published schema.

use anyhow::{Context, Result, bail, ensure};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest, common::v1::any_value::Value as Any, trace::v1::Span,
};
use prost::Message;
use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

/// A running collector.
pub(crate) struct Collector {
    address: SocketAddr,
    bodies: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Collector {
    pub(crate) fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let (address, bodies) = (listener.local_addr()?, Arc::new(Mutex::new(Vec::new())));
        let kept = bodies.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // What broke off is missed where it is looked for.
                let _ = take(stream, &kept);
            }
        });
        Ok(Self { address, bodies })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Everything that came, byte by byte.
    pub(crate) fn bodies(&self) -> Vec<Vec<u8>> {
        self.bodies.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn spans(&self) -> Result<Vec<Span>> {
        let mut spans = Vec::new();
        for body in self.bodies() {
            let request = ExportTraceServiceRequest::decode(body.as_slice())?;
            let scopes = request.resource_spans.into_iter().flat_map(|group| group.scope_spans);
            spans.extend(scopes.flat_map(|scope| scope.spans));
        }
        Ok(spans)
    }

    /// Waits until a span of this name has come.
    pub(crate) fn until(&self, name: &str) -> Result<()> {
        let begun = Instant::now();
        while !self.spans()?.iter().any(|span| span.name == name) {
            ensure!(begun.elapsed() < Duration::from_secs(60), "no span `{name}` came");
            thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }
}

/// The only span of this name.
pub(crate) fn one<'a>(spans: &'a [Span], name: &str) -> Result<&'a Span> {
    match spans.iter().filter(|span| span.name == name).collect::<Vec<_>>()[..] {
        [one] => Ok(one),
        ref found => bail!("{} spans `{name}`", found.len()),
    }
}

/// The transaction that a span is about.
pub(crate) fn transaction(span: &Span) -> Option<String> {
    let attribute = span.attributes.iter().find(|attribute| attribute.key == "chain.transaction")?;
    match attribute.value.as_ref()?.value.as_ref()? {
        Any::StringValue(hash) => Some(hash.clone()),
        _ => None,
    }
}

/// Takes one request, keeps its body and answers it.
fn take(mut stream: TcpStream, kept: &Mutex<Vec<Vec<u8>>>) -> Result<()> {
    let (mut bytes, mut piece) = (Vec::new(), [0; 4096]);
    let (start, length) = loop {
        let read = stream.read(&mut piece)?;
        ensure!(read > 0, "half a request");
        bytes.extend_from_slice(&piece[..read]);
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
            let length =
                head.lines().find_map(|line| line.strip_prefix("content-length: ")).context("no length")?;
            break (end + 4, length.trim().parse::<usize>()?);
        }
    };
    while bytes.len() < start + length {
        let read = stream.read(&mut piece)?;
        ensure!(read > 0, "half a body");
        bytes.extend_from_slice(&piece[..read]);
    }
    kept.lock().unwrap_or_else(PoisonError::into_inner).push(bytes[start..start + length].to_vec());
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")?;
    Ok(())
}
