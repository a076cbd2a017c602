//! A worker holds its job and cannot get on, because the database, the key service or its tenant is busy: it keeps its lease.

use crate::{
    audit::{execute, serving},
    clinic::{Clinic, result},
    custody::{service, tenant},
    late_result::submit,
    running::{Running, config, ended, in_state, keyed},
    site::Site,
    stand_in::StandIn,
};
use anyhow::{Context, Result, ensure};
use nightingale::{
    Config,
    client::Client,
    jobs::Instant,
    store::{Store, lifecycle::LeaseWatch, queue::Share},
};
use nightingale_proto::v1::JobState;
use std::{
    fs,
    sync::Arc,
    time::{Duration, Instant as Moment},
};
use tokio::task::JoinSet;

/// Each acceptance holds its tenant for a tenth of a second.
const SLOWLY: &str = "CREATE FUNCTION story_slowly() RETURNS trigger LANGUAGE plpgsql AS \
     'BEGIN PERFORM pg_sleep(0.1); RETURN NEW; END'; \
     CREATE TRIGGER story_slowly BEFORE INSERT ON jobs FOR EACH ROW EXECUTE FUNCTION story_slowly()";

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_that_waits_for_its_turn_in_the_database_keeps_its_lease() -> Result<()> {
    let Some(site) = Site::postgres().await? else { return Ok(()) };
    let site = site.work("workers = 1").work("lease_seconds = 1");
    let oracle = site.oracle().await?;
    let server = serving(&site, StandIn::held()).await?;
    let (mut client, file) = (server.client().await?, Clinic::new()?.file(0, &[1])?);
    let job = client.adjudicate(file.clone(), keyed("a"), false).await?;
    in_state(&mut client, &job.id, JobState::Running).await?;
    execute(&oracle, SLOWLY).await?;
    // Who sweeps takes no turn, so that it need not wait behind these.
    let mut others = JoinSet::new();
    for number in 0..30 {
        let (mut client, file) = (client.clone(), file.clone());
        others.spawn(async move { client.adjudicate(file, keyed(&number.to_string()), false).await });
    }
    server.prover.let_go();
    let job = ended(&mut client, &job.id).await?;
    ensure!(result(&job)?.approved);
    ensure!(job.attempts == 1, "taken {} times", job.attempts);
    while let Some(accepted) = others.join_next().await {
        accepted??;
    }
    server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_whose_key_takes_long_to_open_is_given_back_and_not_lost() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut configured = config(folder.path());
    configured.secrets.kms_command = service(folder.path())?;
    // Whoever accepted it has the key open; whoever proves it has not.
    let store = Store::open(&configured).await?;
    submit(&store, &tenant("north")?, &Clinic::new()?.file(0, &[1])?).await?;
    store.close().await;
    fs::write(folder.path().join("slow"), "")?;
    let database = crate::earlier_release::database(&configured).await?;
    let server = Running::start(configured, StandIn::default()).await?;
    let mut client: Client = server.client().await?;
    let id = client.jobs(&[], 1).await?.pop().context("no job")?.id;
    let job = ended(&mut client, &id).await?;
    ensure!(result(&job)?.approved);
    // It is left alone until the key is open.
    ensure!(job.attempts == 2, "taken {} times", job.attempts);
    let losses: i64 = sqlx::query_scalar("SELECT losses FROM jobs").fetch_one(&database).await?;
    ensure!(losses == 0, "counted as lost");
    database.close().await;
    server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silence_that_nobody_listened_to_costs_no_lease() -> Result<()> {
    let Some(site) = Site::postgres().await? else { return Ok(()) };
    let oracle = site.oracle().await?;
    let store = Arc::new(Store::open(&Config::read(&site.file()?)?).await?);
    submit(&store, &tenant("north")?, &Clinic::new()?.file(0, &[1])?).await?;
    let lasts = Duration::from_secs(1);
    let lease = store.lease(Share::Claims, Instant(0), lasts).await?.context("nothing to lease")?;
    // The first look takes longer than the lease lasts.
    let held = oracle.hold_reads("jobs").await?;
    let own = store.clone();
    let looking = tokio::spawn(async move {
        let mut watch = LeaseWatch::default();
        let swept = own.sweep(&mut watch, Moment::now, 5, Instant(0)).await;
        (swept, watch)
    });
    tokio::time::sleep(lasts + lasts / 2).await;
    drop(held);
    let (swept, mut watch) = looking.await?;
    ensure!(swept?.requeued.is_empty(), "taken at the first look");
    let next = store.sweep(&mut watch, Moment::now, 5, Instant(0)).await?;
    ensure!(next.requeued.is_empty(), "taken after a moment's silence");
    tokio::time::sleep(lasts).await;
    let last = store.sweep(&mut watch, Moment::now, 5, Instant(0)).await?;
    ensure!(last.requeued == [lease.id], "kept for a holder that is silent");
    Ok(())
}
