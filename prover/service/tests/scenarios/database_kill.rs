//! PostgreSQL is killed with `kill -9` under a working fleet, again and again, and started again.

use crate::{
    crowd::Crowd,
    fleet::Fleet,
    postgres::Cluster,
    running::SOON,
    site::{Site, jobs},
};
use anyhow::Result;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn what_was_accepted_outlives_kills_of_the_database() -> Result<()> {
    let Some(cluster) = Cluster::own().await? else { return Ok(()) };
    let site = Site::with(Some(cluster.database().await?))?.work("claims = false").work("cohorts = false");
    let oracle = site.oracle().await?;
    let fleet = Fleet::start(&site, 2, 40).await?;
    let mut crowd = Crowd::of(jobs(40))?;
    for pause in [150, 400, 900] {
        // Every claim is sent in every life: the key makes it one job.
        let client = fleet.client().await?;
        let submitting = crowd.submit_all(&client);
        let dying = async {
            tokio::time::sleep(Duration::from_millis(pause)).await;
            cluster.kill()
        };
        let (refused, killed) = tokio::join!(submitting, dying);
        killed?;
        for reason in refused?.keys() {
            assert!(["STORAGE", "STORAGE_FULL"].contains(&reason.as_str()), "{reason}");
        }
        tokio::time::sleep(Duration::from_millis(pause)).await;
        cluster.restart().await?;
    }
    let mut client = fleet.client().await?;
    fleet.serving(&mut client).await?;
    assert!(crowd.submit_all(&client).await?.is_empty());
    assert_eq!(crowd.accepted(), crowd.len());
    crowd.settled(&oracle, 4 * SOON).await?;
    crowd.reckon(&mut client, &oracle, &[], fleet.keys()).await?;
    fleet.end().await
}

/// A commit of which nobody heard whether it went through is asked for again, and is one job.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_away_for_longer_than_a_lease_costs_time_and_nothing_else() -> Result<()> {
    let Some(cluster) = Cluster::own().await? else { return Ok(()) };
    let site = Site::with(Some(cluster.database().await?))?.work("claims = false").work("cohorts = false");
    let oracle = site.oracle().await?;
    let fleet = Fleet::start(&site, 1, 300).await?;
    let mut client = fleet.client().await?;
    let mut crowd = Crowd::of(4)?;
    assert!(crowd.submit_all(&client).await?.is_empty());
    oracle.until("leased", 1, SOON).await?;
    cluster.kill()?;
    tokio::time::sleep(Duration::from_secs(5)).await;
    cluster.restart().await?;
    crowd.settled(&oracle, SOON).await?;
    fleet.serving(&mut client).await?;
    crowd.reckon(&mut client, &oracle, &[], fleet.keys()).await?;
    fleet.end().await
}
