//! The device is lost while it proves, has no room, or is wrong; and many callers at once.

use crate::{
    clinic::result,
    end_to_end::keys,
    running::{SOON, config},
    steered::{Fault, Steered},
};
use anyhow::{Context, Result};
use nightingale::{
    Config, Server, ServiceError,
    adjudicator::{Batching, groth16::Groth16},
    client::{Client, Options},
};
use nightingale_circuits::claim::{Request, SizeClass};
use nightingale_proto::v1::{self, EpochCheck};
use nightingale_prover::device::Failover;
use nightingale_records::{request, synth};
use nightingale_verifier::{ClaimProof, Context as Expected, KeyDirectory, verify_claim};
use std::{
    collections::HashSet,
    net::SocketAddr,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::oneshot,
    task::JoinHandle,
};

/// A server with the real prover on a given device.
struct Real {
    address: SocketAddr,
    metrics: SocketAddr,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<Result<(), ServiceError>>,
}

impl Real {
    async fn start(folder: &Path, device: Failover, most: usize, workers: usize) -> Result<Self> {
        let local = SocketAddr::from(([127, 0, 0, 1], 0));
        let config = Config {
            workers,
            metrics: Some(local),
            batch_delay: Duration::from_millis(200),
            lease: Duration::from_secs(20),
            max_losses: 2,
            ..config(folder)
        };
        let batching = Batching { most, waits: most > 1 };
        let prover = Groth16::on(&keys()?, device)?.with_batching(batching);
        let server = Server::bind(config, Arc::new(prover)).await?;
        let (address, metrics) = (server.address(), server.metrics_address().context("no metrics")?);
        let (stop, stopped) = oneshot::channel();
        let ended = tokio::spawn(server.serve(async {
            let _ = stopped.await;
        }));
        Ok(Self { address, metrics, stop, ended })
    }

    async fn metrics(&self) -> Result<String> {
        let mut stream = TcpStream::connect(self.metrics).await?;
        stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n").await?;
        let mut text = String::new();
        stream.read_to_string(&mut text).await?;
        Ok(text)
    }

    /// Asks for all at once, and verifies each proof.
    async fn prove(&self, name: &str, requests: &[Request]) -> Result<()> {
        let mut asked = Vec::new();
        for (number, request) in requests.iter().enumerate() {
            let mut client = Client::connect(&self.address.to_string(), "north").await?;
            let bytes = request::to_json(request).as_bytes().to_vec();
            let options = Options {
                idempotency_key: format!("{name}-{number}"),
                epoch_check: EpochCheck::None,
                ..Options::default()
            };
            asked.push(tokio::spawn(async move {
                let job = client.adjudicate(bytes, options, false).await?;
                anyhow::Ok(client.watch(&job.id, 4 * SOON, |_| {}).await?)
            }));
        }
        for (asked, request) in asked.into_iter().zip(requests) {
            verified(&asked.await??, request)?;
        }
        Ok(())
    }

    async fn stop(self) -> Result<()> {
        let _ = self.stop.send(());
        Ok(tokio::time::timeout(SOON, self.ended).await.context("the server does not stop")???)
    }
}

/// The proof verifies, and is about this very request.
fn verified(job: &v1::Job, request: &Request) -> Result<()> {
    let proof = ClaimProof::from_file(&result(job)?.proof_json)?;
    let key = KeyDirectory::new(&keys()?).key(proof.class, proof.key)?;
    let expected = Expected {
        claim_commitment: Some(request.claim.commitment(&request.claim_salt)),
        ..Expected::default()
    };
    verify_claim(&key, &proof, &expected)?;
    anyhow::ensure!(job.attempts == 1, "{} attempts", job.attempts);
    Ok(())
}

/// Claims of different members, so that no claim waits for another.
fn requests(seed: u64, count: usize, class: Option<SizeClass>) -> Result<Vec<Request>> {
    let mut seen = HashSet::new();
    let fits = |request: &Request| {
        let first = request.member.as_ref().is_none_or(|member| member.account.version == 0);
        first && class.is_none_or(|class| request.size_class() == Ok(class))
    };
    let all = synth::requests(seed, count * 8 + 40)?.into_iter().filter(fits);
    let requests: Vec<Request> =
        all.filter(|request| seen.insert(request.claim.coverage)).take(count).collect();
    anyhow::ensure!(requests.len() == count, "only {} claims", requests.len());
    Ok(requests)
}

fn expect(text: &str, lines: &[&str]) {
    for line in lines {
        assert!(text.contains(line), "{line} is not in {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_is_lost_in_a_batch_loses_no_job_and_shows_in_the_metrics() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let device = Steered::new(|call| (call == 0).then_some(Fault::Lost))?;
    let failover = device.with_fallback(Duration::from_secs(600), 4)?;
    let server = Real::start(folder.path(), failover, 4, 1).await?;
    server.prove("lost", &requests(3, 4, Some(SizeClass::Two))?).await?;
    assert_eq!(device.sizes().len(), 1, "asked after it was lost");
    let text = server.metrics().await?;
    expect(
        &text,
        &[
            "nightingale_device_failovers_total{device=\"steered\"} 1",
            "nightingale_device_proofs_total{device=\"steered\"} 0",
            "nightingale_device_state{device=\"steered\",state=\"retired\"} 1",
            "nightingale_device_state{device=\"steered\",state=\"working\"} 0",
            "nightingale_leases_lost_total 0",
            "nightingale_batch_claims_sum 4",
        ],
    );
    assert!(text.contains("state=\"working\"} 1"), "{text}");
    server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn with_no_device_left_jobs_wait_uncounted_until_it_is_back() -> Result<()> {
    let folder = tempfile::tempdir()?;
    // Three failures: more than the losses that a job survives.
    let device = Steered::new(|call| (call < 3).then_some(Fault::Lost))?;
    let server = Real::start(folder.path(), device.alone(Duration::ZERO)?, 1, 1).await?;
    let [request] = &requests(4, 1, Some(SizeClass::Two))?[..] else { anyhow::bail!("one claim") };
    let mut client = Client::connect(&server.address.to_string(), "north").await?;
    let options =
        Options { idempotency_key: "a".to_owned(), epoch_check: EpochCheck::None, ..Options::default() };
    let job = client.adjudicate(request::to_json(request).as_bytes().to_vec(), options, false).await?;
    let job = client.watch(&job.id, 4 * SOON, |_| {}).await?;
    assert_eq!(job.attempts, 4);
    assert!(!result(&job)?.proof_json.is_empty());
    assert!(server.metrics().await?.contains("nightingale_leases_lost_total 0"));
    server.stop().await
}

/// With faults all the time: lost and opened anew, batches that do not fit, and at the end wrong sums. Half a minute at most
/// by default; NIGHTINGALE_SOAK_SECONDS says how long.
#[tokio::test(flavor = "multi_thread")]
async fn many_callers_at_once_never_get_a_wrong_proof() -> Result<()> {
    let seconds = std::env::var("NIGHTINGALE_SOAK_SECONDS").ok().and_then(|text| text.parse().ok());
    let time = Duration::from_secs(seconds.unwrap_or(12));
    let folder = tempfile::tempdir()?;
    let device = Steered::new(|call| match call % 5 {
        1 => Some(Fault::Lost),
        3 => Some(Fault::Memory),
        _ if call > 40 => Some(Fault::Wrong),
        _ => None,
    })?;
    let failover = device.with_fallback(Duration::from_millis(100), 3)?;
    let server = Real::start(folder.path(), failover, 3, 2).await?;
    let (start, mut round) = (Instant::now(), 0u64);
    while round == 0 || start.elapsed() < time {
        // Both size classes, more callers than a batch holds.
        let mut all = requests(100 + round, 5, Some(SizeClass::Two))?;
        all.extend(requests(9000 + round, 1, Some(SizeClass::Eight))?);
        server.prove(&format!("round-{round}"), &all).await?;
        round += 1;
    }
    let text = server.metrics().await?;
    assert!(text.contains("nightingale_leases_lost_total 0"), "{text}");
    assert!(device.sizes().iter().any(|size| *size > 1), "no batch ever formed: {:?}", device.sizes());
    server.stop().await
}
