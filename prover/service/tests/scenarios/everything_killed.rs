//! The script that makes another prover's queue lose every job: jobs are queued, and everything is killed at once, the
//! database included. NIGHTINGALE_STORY_JOBS=1000 is its full size.

use crate::{
    crowd::Crowd,
    fleet::Fleet,
    postgres::Cluster,
    site::{Site, jobs},
};
use anyhow::Result;
use std::time::{Duration, Instant};

/// What is waited for at most, whatever the size.
const PATIENCE: Duration = Duration::from_secs(1800);

async fn story(site: Site, cluster: Option<&Cluster>) -> Result<()> {
    let site = site.work("claims = false").work("cohorts = false");
    let oracle = site.oracle().await?;
    let mut fleet = Fleet::start(&site, 0, 1).await?;
    let mut crowd = Crowd::of(jobs(60))?;
    let begun = Instant::now();
    assert!(crowd.submit_all(&fleet.client().await?).await?.is_empty());
    let accepted = begun.elapsed();
    assert_eq!(usize::try_from(oracle.count("queued").await?)?, crowd.len());
    fleet.hire(2).await?;
    oracle.until("done", i64::try_from(crowd.len() / 10)?, PATIENCE).await?;
    let (queued, done) = (oracle.count("queued").await?, oracle.count("done").await?);
    let killed = Instant::now();
    fleet.kill().await?;
    if let Some(cluster) = cluster {
        cluster.kill()?;
        cluster.restart().await?;
    }
    fleet.run().await?;
    crowd.settled(&oracle, PATIENCE).await?;
    let recovered = killed.elapsed();
    let mut client = fleet.client().await?;
    crowd.reckon(&mut client, &oracle, &[], fleet.keys()).await?;

    crate::site::record(&format!(
        "everything killed: {} jobs accepted in {accepted:.1?}, {done} done and {queued} queued at the kill, all ended {recovered:.1?} \
         after it: 0 lost, 0 doubled",
        crowd.len()
    ))?;
    fleet.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_or_doubled_on_sqlite() -> Result<()> {
    story(Site::sqlite()?, None).await
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_or_doubled_on_postgres() -> Result<()> {
    let Some(cluster) = Cluster::own().await? else { return Ok(()) };
    story(Site::with(Some(cluster.database().await?))?, Some(&cluster)).await
}
