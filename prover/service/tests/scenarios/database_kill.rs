//! PostgreSQL is killed with `kill -9` under a working fleet, again and again, and started again.

use crate::{
    audit::execute,
    clinic::Clinic,
    crowd::Crowd,
    custody::tenant,
    fleet::Fleet,
    late_result::submit,
    postgres::Cluster,
    running::SOON,
    site::{Site, jobs},
};
use anyhow::{Context, Result, ensure};
use nightingale::{Config, ServiceError, store::Store};
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

/// A standby, until it is promoted: whoever has something to write keeps it and comes again.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_takes_no_writes_for_a_while_is_one_to_come_back_to() -> Result<()> {
    let Some(site) = Site::postgres().await? else { return Ok(()) };
    let (oracle, (north, file)) = (site.oracle().await?, (tenant("north")?, Clinic::new()?.file(0, &[1])?));
    let reads_only = "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = on', current_database()); END $$";
    execute(&oracle, reads_only).await?;
    let config = Config::read(&site.file()?)?;
    // It brings the tables up to date first, which is a write.
    let refused = Store::open(&config).await.err().context("opened without a write")?;
    ensure!(matches!(refused, ServiceError::Store(ref error) if error.is_transient()), "{refused}");
    let writes_again = reads_only.replace("= on", "= off");
    execute(&oracle, &format!("BEGIN READ WRITE; {writes_again}; COMMIT")).await?;
    submit(&Store::open(&config).await?, &north, &file).await
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
