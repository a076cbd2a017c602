//! A long queue: every job is accepted, the server and the workers are killed in its middle, and every job ends once.
//! NIGHTINGALE_STORY_JOBS=10000 is the full size.

use crate::{
    crowd::Crowd,
    fleet::Fleet,
    site::{Site, jobs, on_both, record},
};
use anyhow::Result;
use std::time::{Duration, Instant};

on_both!(it_is_worked_off_through_a_restart);

async fn it_is_worked_off_through_a_restart(site: Site) -> Result<()> {
    let kind = if site.url.is_some() { "PostgreSQL" } else { "SQLite" };
    let site =
        site.work("claims = false").work("cohorts = false").work("workers = 4").limits("queued_jobs = 20000");
    let oracle = site.oracle().await?;
    let mut fleet = Fleet::start(&site, 2, 0).await?;
    let mut crowd = Crowd::of(jobs(200))?;
    let begun = Instant::now();
    assert!(crowd.submit_all(&fleet.client().await?).await?.is_empty());
    let accepted = begun.elapsed();
    let half = i64::try_from(crowd.len() / 2)?;
    oracle.until("done", half, Duration::from_secs(3600)).await?;
    fleet.kill().await?;
    fleet.run().await?;
    crowd.settled(&oracle, Duration::from_secs(3600)).await?;
    let all = begun.elapsed();
    let mut client = fleet.client().await?;
    crowd.reckon(&mut client, &oracle, &[], fleet.keys()).await?;
    record(&format!(
        "a queue of {} on {kind}: accepted in {accepted:.1?}, all ended after {all:.1?}, through one kill of server and workers",
        crowd.len()
    ))?;
    fleet.end().await
}
