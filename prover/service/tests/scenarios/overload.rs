//! Ten times as many claims come as can be proven: what is too much is refused, what was accepted is proven, and `Get` stays quick.
//! NIGHTINGALE_STORY_SECONDS=300 is the full length.

use crate::{
    crowd::Crowd,
    process::{Behaviour, server, worker},
    running::{SOON, keyed},
    site::{Site, on_both, record},
};
use anyhow::{Context, Result, ensure};
use nightingale::client::{Client, ClientError};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use tonic::Code;

/// Open jobs that the tenant may have.
const QUEUE: usize = 100;

on_both!(what_is_too_much_is_refused_and_the_rest_is_proven);

fn percentile(sorted: &[Duration], hundredths: usize) -> Duration {
    sorted
        .get((sorted.len() * hundredths / 100).min(sorted.len().saturating_sub(1)))
        .copied()
        .unwrap_or_default()
}

async fn what_is_too_much_is_refused_and_the_rest_is_proven(site: Site) -> Result<()> {
    let seconds =
        std::env::var("NIGHTINGALE_STORY_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(6);
    // Two lanes of 100 ms: 20 claims a second at most.
    let site = site
        .work("claims = false")
        .work("cohorts = false")
        .work("workers = 2")
        .limits(&format!("queued_jobs = {QUEUE}"));
    let (file, log, oracle) = (site.file()?, site.log(), site.oracle().await?);
    let server = server(&file, &log, &Behaviour::default()).await?;
    let worker = worker(&file, &log, &Behaviour::slow(100)).await?;
    let mut client = Client::connect(&server.address, "north").await?;
    let mut crowd = Crowd::of(25 * seconds + 3 * QUEUE)?;
    let end = Instant::now() + Duration::from_secs(u64::try_from(seconds)?);

    // Somebody asks after jobs all the while.
    let over = Arc::new(AtomicBool::new(false));
    let first = crowd.submit(&mut client, 0).await?;
    let (mut asking, done) = (Client::connect(&server.address, "north").await?, over.clone());
    let asked = tokio::spawn(async move {
        let mut times = Vec::new();
        while !done.load(Ordering::Relaxed) {
            let begun = Instant::now();
            asking.job(&first).await?;
            times.push(begun.elapsed());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        anyhow::Ok(times)
    });
    let (resting, _) = server.memory()?;
    let refused = crowd.offer(&server.address, 200, end).await?;
    over.store(true, Ordering::Relaxed);
    let (after, most) = server.memory()?;
    let mut times = asked.await??;
    times.sort();
    let (half, worst) = (percentile(&times, 50), percentile(&times, 99));
    // Both are RESOURCE_EXHAUSTED: the tenant's queue is full, or more comes than can be read.
    let shed: usize = refused.values().sum();
    ensure!(
        refused.keys().all(|reason| ["QUEUE_FULL", "OVERLOADED"].contains(&reason.as_str())),
        "{refused:?}"
    );
    ensure!(shed > crowd.accepted(), "ten times too much: {} accepted, {shed} refused", crowd.accepted());
    ensure!(most < resting + (64 << 20), "memory grew from {resting} to {most}");
    record(&format!(
        "overload for {seconds} s on {}: {} accepted, {shed} refused with RESOURCE_EXHAUSTED {refused:?}, {} Gets: p50 {half:.2?}, p99 {worst:.2?}; \
         server memory {} MiB before, {} MiB at most, {} MiB after",
        if site.url.is_some() { "PostgreSQL" } else { "SQLite" },
        crowd.accepted(),
        times.len(),
        resting >> 20,
        most >> 20,
        after >> 20,
    ))?;
    if std::env::var_os("NIGHTINGALE_STORY_RECORD").is_some() {
        ensure!(worst <= Duration::from_millis(50), "p99 of Get is {worst:?}");
    }
    // It recovers: what was refused is taken as soon as there is room, without anybody's help.
    crowd.settled(&oracle, SOON).await?;
    let before = crowd.accepted();
    let mut again = crowd.first_refused().context("nothing was refused")?;
    while crowd.accepted() < before + 3 {
        crowd.submit(&mut client, again).await?;
        again = crowd.first_refused().context("nothing is left")?;
    }
    crowd.settled(&oracle, SOON).await?;
    crowd.reckon(&mut client, &oracle, &[], None).await?;
    assert_eq!(worker.end(SOON).await?.code(), Some(0));
    assert_eq!(server.end(SOON).await?.code(), Some(0));
    Ok(())
}

/// A refusal names its code, which a client's library knows to wait on.
#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_resource_exhausted() -> Result<()> {
    let site = Site::sqlite()?.work("claims = false").limits("queued_jobs = 1");
    let server = server(&site.file()?, &site.log(), &Behaviour::default()).await?;
    let mut client = Client::connect(&server.address, "north").await?;
    let mut crowd = Crowd::of(2)?;
    crowd.submit(&mut client, 0).await?;
    let refused = client.adjudicate(crowd.request(1).to_vec(), keyed("other"), false).await;
    let Err(ClientError::Refused { code, reason, .. }) = refused else { anyhow::bail!("not refused") };
    assert_eq!((code, reason.as_str()), (Code::ResourceExhausted, "QUEUE_FULL"));
    // Another tenant is not in its way.
    let mut south = Client::connect(&server.address, "south").await?;
    south.adjudicate(crowd.request(1).to_vec(), keyed("other"), false).await?;
    Ok(())
}
