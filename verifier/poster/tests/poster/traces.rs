//! The chain's part of a trace: below the span that the surroundings name, with every transaction's hash.

use super::{
    anvil::Anvil,
    world::{account, program, said, secret, write_keys},
};
use anyhow::{Context, Result, ensure};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest, common::v1::any_value::Value as Any, trace::v1::Span,
};
use prost::Message;
use std::{
    collections::BTreeSet,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::{Duration, Instant},
};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// Takes one request, answers it, and gives its spans.
fn take(mut stream: TcpStream) -> Result<Vec<Span>> {
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
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")?;
    let request = ExportTraceServiceRequest::decode(&bytes[start..start + length])?;
    let scopes = request.resource_spans.into_iter().flat_map(|group| group.scope_spans);
    Ok(scopes.flat_map(|scope| scope.spans).collect())
}

fn hash(span: &Span) -> Option<String> {
    let attribute = span.attributes.iter().find(|attribute| attribute.key == "chain.transaction")?;
    match attribute.value.as_ref()?.value.as_ref()? {
        Any::StringValue(hash) => Some(hash.clone()),
        _ => None,
    }
}

#[test]
fn every_transaction_of_a_command_is_in_the_callers_trace() -> Result<()> {
    let Some(anvil) = Anvil::start()? else { return Ok(()) };
    anvil.give_ether(account("operator")?.address())?;
    let folder = tempfile::TempDir::new()?;
    write_keys(&folder.path().join("keys"))?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let (heard, spans) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            if let Ok(spans) = take(stream) {
                let _ = heard.send(spans);
            }
        }
    });
    let mut command = program(folder.path());
    command.args(["deploy", "--keys", "keys", "--json", "--rpc", &anvil.url()]).current_dir(folder.path());
    command.env("NIGHTINGALE_POSTER_KEY", secret("operator"));
    command.env("NIGHTINGALE_OTLP", format!("http://{address}"));
    command.env("TRACEPARENT", format!("00-{TRACE}-00f067aa0ba902b7-01"));
    let (code, _, stderr) = said(&command.output()?)?;
    ensure!(code == 0, "{stderr}");
    let spans: Vec<Span> = spans.try_iter().flatten().collect();

    let root = spans.iter().find(|span| span.name == "deploy").context("no span of the command")?;
    ensure!(hex::encode(&root.parent_span_id) == "00f067aa0ba902b7");
    for span in &spans {
        ensure!(hex::encode(&span.trace_id) == TRACE, "{} is elsewhere", span.name);
        ensure!(
            span.name == "deploy" || span.parent_span_id == root.span_id,
            "{} hangs elsewhere",
            span.name
        );
    }
    ensure!(spans.iter().any(|span| span.name == "confirm"));
    let traced: BTreeSet<String> = spans.iter().filter(|span| span.name == "sign").filter_map(hash).collect();
    let mut status = program(folder.path());
    status
        .args(["status", "--json"])
        .current_dir(folder.path())
        .env("NIGHTINGALE_POSTER_KEY", secret("operator"));
    let (_, rows, _) = said(&status.output()?)?;
    let rows = rows.as_array().context("no rows")?;
    let sent: BTreeSet<String> =
        rows.iter().filter_map(|row| Some(row["transaction"].as_str()?.to_lowercase())).collect();
    ensure!(!sent.is_empty() && sent == traced, "sent {sent:?}, traced {traced:?}");
    Ok(())
}

#[test]
fn a_dead_collector_does_not_hold_a_command_up() -> Result<()> {
    let folder = tempfile::TempDir::new()?;
    // Nobody listens there: the port was free a moment ago.
    let free = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let begun = Instant::now();
    let mut command = program(folder.path());
    command
        .args(["status", "--json"])
        .current_dir(folder.path())
        .env("NIGHTINGALE_OTLP", format!("http://{free}"));
    said(&command.output()?)?;
    ensure!(begun.elapsed() < Duration::from_secs(10), "it waited for {:?}", begun.elapsed());
    let mut remote = program(folder.path());
    remote.arg("status").current_dir(folder.path()).env("NIGHTINGALE_OTLP", "http://192.0.2.1:4318");
    let (code, _, stderr) = said(&remote.output()?)?;
    ensure!(code == 2 && stderr.contains("is not a loopback address"), "{code} {stderr}");
    Ok(())
}
