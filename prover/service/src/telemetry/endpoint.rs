//! `GET /metrics` over HTTP/1.1, on loopback: a scrape needs no more.

use crate::{engine::Engine, error::ServiceError, jobs::State};
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

const MOST_REQUEST_BYTES: usize = 8192;

/// Takes the address.
pub(crate) async fn bind(address: SocketAddr) -> Result<TcpListener, ServiceError> {
    crate::server::listen(address).await
}

/// Answers until the drain begins.
pub(crate) async fn serve(engine: Arc<Engine>, listener: TcpListener) {
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => accepted,
            () = engine.drained() => return,
        };
        if let Ok((stream, _)) = stream {
            let engine = engine.clone();
            tokio::spawn(async move {
                // A scraper that goes away, or says nothing, is not our trouble.
                let _ = tokio::time::timeout(Duration::from_secs(5), answer(&engine, stream)).await;
            });
        }
    }
}

async fn answer(engine: &Engine, mut stream: TcpStream) -> std::io::Result<()> {
    let mut request = Vec::new();
    while !request.windows(4).any(|w| w == b"\r\n\r\n") && request.len() < MOST_REQUEST_BYTES {
        if stream.read_buf(&mut request).await? == 0 {
            break;
        }
    }
    let (status, body) = if request.starts_with(b"GET /metrics ") {
        refresh(engine).await;
        ("200 OK", engine.metrics.text())
    } else {
        ("404 Not Found", b"try /metrics\n".to_vec())
    };
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/plain; version=0.0.4\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(&body).await?;
    stream.shutdown().await
}

async fn refresh(engine: &Engine) {
    let Ok(counts) = engine.store.counts().await else { return };
    for state in State::ALL {
        let jobs = counts.iter().find(|(s, _)| *s == state).map_or(0, |(_, jobs)| *jobs);
        engine.metrics.jobs.with_label_values(&[state.name()]).set(jobs);
    }
}
