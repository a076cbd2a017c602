//! Repetitions are counted and put on record at the end at the latest, also where the database does not take them at once.

use crate::{
    audit::{allow, entries, fact, of, refuse, serving},
    clinic::Clinic,
    postgres::Cluster,
    process::{Behaviour, server},
    running::{SOON, keyed},
    site::{Site, on_both},
    stand_in::StandIn,
};
use anyhow::{Result, ensure};
use nightingale::client::Client;
use std::{
    fs,
    time::{Duration, Instant},
};

/// What is in progress with a database that is away ends after ten seconds, and the counts after five more.
const AWAY: Duration = Duration::from_secs(22);

on_both!(counts_that_the_database_refuses_are_kept_until_it_takes_them);

async fn counts_that_the_database_refuses_are_kept_until_it_takes_them(site: Site) -> Result<()> {
    let oracle = site.oracle().await?;
    let server = serving(&site, StandIn::default()).await?;
    let (mut client, mut clinic) = (server.client().await?, Clinic::new()?);
    let job = client.adjudicate(clinic.file(0, &[1])?, keyed("a"), true).await?;
    for _ in 0..3 {
        client.job(&job.id).await?;
        ensure!(client.job(&"0".repeat(32)).await.is_err());
    }
    for event in ["released_again", "refused_again"] {
        refuse(&oracle, event).await?;
    }
    let stopping = tokio::spawn(server.stop());
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    ensure!(!stopping.is_finished(), "it ended with counts in its hands");
    for event in ["released_again", "refused_again"] {
        allow(&oracle, event).await?;
    }
    stopping.await??;

    let server = serving(&site, StandIn::default()).await?;
    let entries = entries(&mut server.client().await?).await?;
    // The first of each is an entry of its own.
    for (event, times) in [("released_again", "3"), ("refused_again", "2")] {
        let again = of(&entries, event);
        ensure!(again.len() == 1 && fact(again[0], "times")? == times, "{again:?}");
    }
    server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_ends_in_time_with_counts_in_its_hands_when_its_database_is_away() -> Result<()> {
    let Some(cluster) = Cluster::own().await? else { return Ok(()) };
    let site = Site::with(Some(cluster.database().await?))?;
    let server = server(&site.file()?, &site.log(), &Behaviour::default()).await?;
    for tenant in ["east", "north", "south"] {
        let mut client = Client::connect(&server.address, tenant).await?;
        for _ in 0..3 {
            ensure!(client.job(&"0".repeat(32)).await.is_err());
        }
    }
    cluster.kill()?;
    let asked = Instant::now();
    server.end(SOON).await?;
    ensure!(asked.elapsed() < AWAY, "it took {:?}", asked.elapsed());
    let log = fs::read_to_string(site.log())?;
    ensure!(log.contains("\"lost\":6"), "{log}");
    Ok(())
}

/// Whoever was refused first does not wait for the answer.
#[tokio::test(flavor = "multi_thread")]
async fn a_repetition_is_not_answered_before_its_first_is_on_record() -> Result<()> {
    let Some(site) = Site::postgres().await? else { return Ok(()) };
    let oracle = site.oracle().await?;
    let server = serving(&site, StandIn::default()).await?;
    let mut client = server.client().await?;
    let unknown = "0".repeat(32);
    let held = oracle.hold_tenant("north").await?;
    let first = tokio::time::timeout(Duration::from_millis(500), client.job(&unknown)).await;
    ensure!(first.is_err(), "answered before it is on record");
    let mut other = client.clone();
    let second = tokio::spawn(async move { other.job(&unknown).await });
    tokio::time::sleep(Duration::from_millis(500)).await;
    ensure!(!second.is_finished(), "a repetition is answered whose first is not on record");
    drop(held);
    let refused = second.await?.err().map(|error| error.to_string()).unwrap_or_default();
    ensure!(refused.contains("JOB_UNKNOWN"), "{refused}");
    let entries = entries(&mut client).await?;
    ensure!(of(&entries, "refused").len() == 1, "{entries:?}");
    server.stop().await
}
