//! `GET /metrics`, `/healthz` and `/readyz` over HTTP/1.1: a scrape and a probe need no more. Answered until the end, so that a drain
//! can be seen.

use crate::{
    engine::Engine,
    error::ServiceError,
    jobs::{Instant, State},
};
use std::{collections::VecDeque, fmt::Write, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::AbortHandle,
};

const MOST_REQUEST_BYTES: usize = 8192;
/// Requests at a time. The next one takes the place of the oldest: a probe must be answered, however many connections say nothing.
const MOST_REQUESTS: usize = 64;
/// How long one may take to be said.
const MOMENT: Duration = Duration::from_secs(1);
/// And how long to be said and answered.
const PATIENCE: Duration = Duration::from_secs(5);

/// Takes the address.
pub(crate) async fn bind(address: SocketAddr) -> Result<TcpListener, ServiceError> {
    crate::server::listen(address).await
}

/// Answers for ever.
pub(crate) async fn serve(engine: Arc<Engine>, listener: TcpListener) {
    let mut requests = VecDeque::<AbortHandle>::new();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                requests.retain(|request| !request.is_finished());
                if requests.len() >= MOST_REQUESTS
                    && let Some(oldest) = requests.pop_front()
                {
                    oldest.abort();
                }
                let engine = engine.clone();
                let request = tokio::spawn(async move {
                    // A scraper that goes away, or says nothing, is not our trouble.
                    let _ = tokio::time::timeout(PATIENCE, answer(&engine, stream)).await;
                });
                requests.push_back(request.abort_handle());
            }
            // Too many open files, for one: it passes.
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

async fn hear(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut request = Vec::new();
    while !request.windows(4).any(|w| w == b"\r\n\r\n") && request.len() < MOST_REQUEST_BYTES {
        if stream.read_buf(&mut request).await? == 0 {
            break;
        }
    }
    Ok(request)
}

async fn answer(engine: &Engine, mut stream: TcpStream) -> std::io::Result<()> {
    let request = tokio::time::timeout(MOMENT, hear(&mut stream)).await??;
    let (status, body) = if request.starts_with(b"GET /metrics ") {
        refresh(engine).await;
        ("200 OK", engine.metrics.text())
    } else if request.starts_with(b"GET /readyz ") {
        readiness(engine)
    } else if request.starts_with(b"GET /healthz ") {
        match engine.pulse.is_alive() {
            true => ("200 OK", b"alive\n".to_vec()),
            false => ("503 Service Unavailable", b"stuck\n".to_vec()),
        }
    } else {
        ("404 Not Found", b"try /metrics, /healthz or /readyz\n".to_vec())
    };
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/plain; version=0.0.4\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(&body).await?;
    stream.shutdown().await
}

/// A line for each check: fixed words, nothing about why. The log has that.
fn readiness(engine: &Engine) -> (&'static str, Vec<u8>) {
    let seen = engine.readiness();
    let mut body = String::new();
    for (check, holds) in seen.checks() {
        let _ = writeln!(body, "{check} {}", if holds { "ok" } else { "no" });
    }
    (if seen.is_ready() { "200 OK" } else { "503 Service Unavailable" }, body.into_bytes())
}

async fn refresh(engine: &Engine) {
    let metrics = &engine.metrics;
    metrics.note_devices(&engine.adjudicator.devices());
    metrics.note_spans(engine.tracer.counts());
    metrics.note_readiness(engine.readiness());
    metrics.store_bytes.set(engine.store.bytes().await);
    // A database that does not answer leaves the counts as they were; `ready` and `store_errors_total` say so.
    let Ok(standing) = engine.store.standing_by_state().await else { return };
    let now = Instant::now();
    for state in State::ALL {
        let found = standing.iter().find(|(s, ..)| *s == state);
        let (jobs, oldest) = found.map_or((0, now), |(_, jobs, oldest)| (*jobs, *oldest));
        let age = Duration::from_millis(now.0.saturating_sub(oldest.0).max(0).unsigned_abs());
        metrics.note_jobs(state, jobs, age.as_secs_f64());
    }
}
