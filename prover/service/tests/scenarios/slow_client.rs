//! Callers that read nothing: a watcher, a stream of submissions, and many at once. Nobody else feels them, and a drain does not wait
//! for them.

use crate::{
    crowd::Crowd,
    process::{Behaviour, server, worker},
    running::{SOON, ended},
    site::{Site, on_both},
};
use anyhow::{Result, ensure};
use nightingale::client::Client;
use nightingale_proto::v1::{
    AdjudicateRequest, RequestFormat, WatchJobRequest, claim_service_client::ClaimServiceClient,
    job_service_client::JobServiceClient,
};
use std::time::{Duration, Instant};
use tokio_stream::StreamExt;
use tonic::transport::Channel;

on_both!(callers_that_read_nothing_are_in_nobodys_way);

async fn callers_that_read_nothing_are_in_nobodys_way(site: Site) -> Result<()> {
    let site = site.work("claims = false").work("cohorts = false").limits("stream_in_flight = 8");
    let (file, log, oracle) = (site.file()?, site.log(), site.oracle().await?);
    let server = server(&file, &log, &Behaviour::default()).await?;
    let worker = worker(&file, &log, &Behaviour::slow(20)).await?;
    let mut client = Client::connect(&server.address, "north").await?;
    let mut crowd = Crowd::of(40)?;
    let first = crowd.submit(&mut client, 0).await?;
    // Watchers whose windows are too small for one update, and who never read: ten on a connection, because a client's library
    // closes one where many small frames lie unread.
    let mut unread = Vec::new();
    for _ in 0..20 {
        let channel = Channel::from_shared(format!("http://{}", server.address))?
            .initial_stream_window_size(1024)
            .initial_connection_window_size(1024)
            .connect()
            .await?;
        let mut jobs = JobServiceClient::new(channel);
        for _ in 0..10 {
            let message = WatchJobRequest { tenant: "north".into(), id: first.clone() };
            if let Ok(stream) = tokio::time::timeout(Duration::from_millis(200), jobs.watch(message)).await {
                unread.push(stream?);
            }
        }
    }
    ensure!(!unread.is_empty(), "nobody watches");
    // A caller that sends claims and reads no answer: so many are read as may be unanswered, and no more.
    let message = |claim: usize| AdjudicateRequest {
        tenant: "north".into(),
        idempotency_key: format!("unread-{claim}"),
        request: crowd.request(claim).to_vec(),
        format: RequestFormat::Json.into(),
        wait: true,
        ..AdjudicateRequest::default()
    };
    let messages: Vec<_> = (1..30).map(message).collect();
    let mut claims = ClaimServiceClient::new(
        Channel::from_shared(format!("http://{}", server.address))?
            .initial_stream_window_size(16_384)
            .connect()
            .await?,
    );
    let answers = claims.adjudicate_stream(tokio_stream::iter(messages)).await?.into_inner();
    tokio::time::sleep(Duration::from_secs(2)).await;
    let taken = oracle.number("SELECT COUNT(*) FROM jobs").await?;
    ensure!(taken < 30, "{taken} claims of a caller that reads nothing were taken");
    // Everybody else is served as if they were not there.
    let begun = Instant::now();
    for claim in 30..40 {
        let id = crowd.submit(&mut client, claim).await?;
        ended(&mut client, &id).await?;
    }
    ensure!(begun.elapsed() < Duration::from_secs(20), "{:?} for ten claims", begun.elapsed());
    // The caller comes back to itself, and reads.
    let mut answered = answers;
    let mut heard = 0;
    while let Some(answer) = tokio::time::timeout(SOON, answered.next()).await? {
        answer?;
        heard += 1;
    }
    assert_eq!(heard, 29);
    crowd.settled(&oracle, SOON).await?;
    let (jobs, ends) = (oracle.count("done").await?, oracle.ends().await?.len());
    assert_eq!((jobs, ends), (40, 40), "each ended once");
    // The watchers still read nothing: the drain does not wait for them.
    assert_eq!(worker.end(SOON).await?.code(), Some(0));
    let begun = Instant::now();
    assert_eq!(server.end(SOON).await?.code(), Some(0));
    ensure!(begun.elapsed() < Duration::from_secs(15), "the drain took {:?}", begun.elapsed());
    drop(unread);
    Ok(())
}
