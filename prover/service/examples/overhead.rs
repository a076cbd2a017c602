//! What the service costs beside the proving itself: the same claims, proven by bare calls and through a server's queue
//! (gRPC, SQLite synced on every commit, sealing, checks), in alternating batches on the same cores.
//!
//!     cargo run --release -p nightingale --example overhead -- KEYS [CLAIMS]
//!
//! prints both times and their ratio. KEYS is a folder of `nightingale keys init`; CLAIMS is 50 when absent.

use anyhow::{Context, Result};
use nightingale::{
    Config, Server,
    adjudicator::{Adjudicator, groth16::Groth16},
    client::{Client, Options},
};
use nightingale_circuits::claim::{Request, adjudicate};
use nightingale_proto::v1::{self, adjudicate_stream_response::Answer};
use nightingale_records::{request, synth};
use std::{
    collections::HashSet, io::Write, ops::ControlFlow, path::Path, sync::Arc, time::Duration, time::Instant,
};

const BATCH: usize = 10;

/// Approvals and denials of different members, so that no claim has to wait for another.
fn requests(count: usize) -> Result<Vec<Request>> {
    let mut seen = HashSet::new();
    let mut requests = Vec::new();
    for request in synth::requests(7, count * 6)? {
        let first = request.member.as_ref().is_none_or(|member| member.account.version == 0);
        if requests.len() < count && first && seen.insert(request.claim.coverage) {
            adjudicate(&request)?;
            requests.push(request);
        }
    }
    anyhow::ensure!(requests.len() == count, "only {} claims of different members", requests.len());
    Ok(requests)
}

fn bare(prover: &Groth16, requests: &[Request]) -> Result<Duration> {
    let start = Instant::now();
    for request in requests {
        let proof = prover.prove(request, &mut |_, _| ControlFlow::Continue(()));
        proof.map_err(|failure| anyhow::anyhow!("{failure:?}"))?;
    }
    Ok(start.elapsed())
}

async fn queued(client: &mut Client, number: usize, requests: &[Request]) -> Result<Duration> {
    let messages = (0..).zip(requests).map(|(i, request)| {
        let options = Options {
            idempotency_key: format!("{number}-{i}"),
            epoch_check: v1::EpochCheck::None,
            ..Options::default()
        };
        (request::to_json(request).as_bytes().to_vec(), options)
    });
    let messages = messages.collect();
    let start = Instant::now();
    let mut done = 0;
    client
        .adjudicate_many(messages, |answer| {
            done += usize::from(
                matches!(answer.answer, Some(Answer::Job(job)) if job.state() == v1::JobState::Done),
            );
        })
        .await?;
    anyhow::ensure!(done == requests.len(), "only {done} of {} were proven", requests.len());
    Ok(start.elapsed())
}

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let keys = arguments.next().context("usage: overhead KEYS [CLAIMS]")?;
    let count = arguments.next().map_or(Ok(50), |text| text.parse())?;
    let prover = Arc::new(Groth16::open(Path::new(&keys))?);
    let requests = requests(count)?;
    let folder = tempfile::tempdir()?;
    let server = Server::bind(Config::local(folder.path().join("data"), keys.into()), prover.clone()).await?;
    let mut client = Client::connect(&server.address().to_string(), "bench").await?;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = tokio::spawn(server.serve(async {
        let _ = stopped.await;
    }));
    let (mut alone, mut through) = (Duration::ZERO, Duration::ZERO);
    for (number, batch) in requests.chunks(BATCH).enumerate() {
        let own: Vec<Request> = batch.to_vec();
        let bare_prover = prover.clone();
        alone += tokio::task::spawn_blocking(move || bare(&bare_prover, &own)).await??;
        through += queued(&mut client, number, batch).await?;
    }
    drop(stop);
    serving.await??;
    let ratio = through.as_secs_f64() / alone.as_secs_f64();
    let text = format!(
        "{{\"claims\":{count},\"bare_ms\":{},\"queued_ms\":{},\"queued_over_bare\":{ratio:.3}}}",
        alone.as_millis(),
        through.as_millis()
    );
    writeln!(std::io::stdout(), "{text}")?;
    Ok(())
}
