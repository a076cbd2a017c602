//! Sends spans, many at a time, from a task of its own. Whoever ends a span hands it over without waiting: where there is no
//! room, because the collector is slow or gone, the span is dropped and counted.

use crate::{span::Finished, wire};
use reqwest::{StatusCode, Url, header::CONTENT_TYPE, redirect};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep, timeout, timeout_at},
};

/// Spans that wait at most. At about 300 bytes each, that is what a dead collector costs.
const WAITING: usize = 4096;
/// Spans in one request at most.
const BATCH: usize = 512;
/// How long the first span of a batch waits for others.
const GATHER: Duration = Duration::from_millis(500);
/// How long a request may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// Pauses before a batch is tried again. After the last it is dropped.
const AGAIN: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(4)];

/// What became of spans.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Taken by the collector.
    pub sent: u64,
    /// Dropped: there was no room, or the collector did not take them.
    pub dropped: u64,
}

#[derive(Default)]
struct Totals {
    sent: AtomicU64,
    dropped: AtomicU64,
}

enum Message {
    Span(Finished),
    Flush(oneshot::Sender<()>),
}

pub(crate) struct Exporter {
    queue: mpsc::Sender<Message>,
    totals: Arc<Totals>,
}

impl Exporter {
    /// Starts the task; `None` where no HTTP client can be made.
    pub(crate) fn start(url: Url, service: &'static str) -> Option<Self> {
        // Neither a proxy of the surroundings nor a redirect leads spans elsewhere.
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(redirect::Policy::none())
            .timeout(PATIENCE)
            .build()
            .ok()?;
        let (queue, waiting) = mpsc::channel(WAITING);
        let totals = Arc::new(Totals::default());
        let sender = Sender { client, url, service, instance: rand::random(), totals: totals.clone() };
        tokio::spawn(sender.run(waiting));
        Some(Self { queue, totals })
    }

    pub(crate) fn take(&self, span: Finished) {
        if self.queue.try_send(Message::Span(span)).is_err() {
            self.totals.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) async fn flush(&self, patience: Duration) {
        let until = Instant::now() + patience;
        let (done, told) = oneshot::channel();
        if let Ok(Ok(())) = timeout_at(until, self.queue.send(Message::Flush(done))).await {
            let _ = timeout_at(until, told).await;
        }
    }

    pub(crate) fn counts(&self) -> Counts {
        Counts {
            sent: self.totals.sent.load(Ordering::Relaxed),
            dropped: self.totals.dropped.load(Ordering::Relaxed),
        }
    }
}

struct Sender {
    client: reqwest::Client,
    url: Url,
    service: &'static str,
    instance: [u8; 16],
    totals: Arc<Totals>,
}

impl Sender {
    async fn run(self, mut waiting: mpsc::Receiver<Message>) {
        while let Some(first) = waiting.recv().await {
            let (mut batch, mut flushed) = (Vec::new(), None);
            let mut next = Some(first);
            let until = Instant::now() + GATHER;
            loop {
                match next {
                    Some(Message::Span(span)) => batch.push(span),
                    Some(Message::Flush(done)) => flushed = Some(done),
                    None => break,
                }
                if flushed.is_some() || batch.len() >= BATCH {
                    break;
                }
                next = timeout_at(until, waiting.recv()).await.unwrap_or(None);
            }
            self.deliver(&batch).await;
            if let Some(done) = flushed {
                // Whoever asked may have gone.
                let _ = done.send(());
            }
        }
    }

    async fn deliver(&self, batch: &[Finished]) {
        if batch.is_empty() {
            return;
        }
        let count = u64::try_from(batch.len()).unwrap_or(u64::MAX);
        let body = wire::encode(self.service, self.instance, batch);
        let mut pauses = AGAIN.iter();
        loop {
            match self.post(body.clone()).await {
                Answer::Taken => {
                    self.totals.sent.fetch_add(count, Ordering::Relaxed);
                    return;
                }
                Answer::Refused => break,
                Answer::Later => match pauses.next() {
                    Some(pause) => sleep(*pause).await,
                    None => break,
                },
            }
        }
        self.totals.dropped.fetch_add(count, Ordering::Relaxed);
    }

    async fn post(&self, body: Vec<u8>) -> Answer {
        let request =
            self.client.post(self.url.clone()).header(CONTENT_TYPE, "application/x-protobuf").body(body);
        match timeout(PATIENCE, request.send()).await {
            Ok(Ok(response)) => Answer::of(response.status()),
            Ok(Err(_)) | Err(_) => Answer::Later,
        }
    }
}

/// By the OTLP specification: which answers are worth another try.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Answer {
    Taken,
    Later,
    Refused,
}

impl Answer {
    fn of(status: StatusCode) -> Self {
        match status.as_u16() {
            200..=299 => Self::Taken,
            429 | 502..=504 => Self::Later,
            _ => Self::Refused,
        }
    }
}
