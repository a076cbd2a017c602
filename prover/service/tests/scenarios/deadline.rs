//! A deadline passes: before acceptance, in the queue, while proving.

use crate::{
    audit::execute,
    clinic::{Clinic, failure, result},
    custody::tenant,
    late_result::{decide, submit},
    running::{Running, SOON, config, ended, keyed},
    site::{Site, on_both},
    stand_in::StandIn,
};
use anyhow::{Context, Result, ensure};
use nightingale::{
    Config,
    client::{ClientError, Options},
    jobs::Instant,
    store::{Store, ledger::Finish, queue::Share},
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

fn within(key: &str, milliseconds: u64) -> Options {
    Options { deadline: Some(Duration::from_millis(milliseconds)), ..keyed(key) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_that_passes_fails_the_job_and_spends_nothing() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let server =
        Running::start(config(folder.path()), StandIn { stops: true, ..StandIn::slow(2000) }).await?;
    let (mut client, mut clinic) = (server.client().await?, Clinic::new()?);
    let request = clinic.file(0, &[1])?;
    let running = client.adjudicate(request.clone(), within("running", 700), false).await?;
    let queued = client.adjudicate(clinic.file(1, &[1])?, within("queued", 600), false).await?;
    for job in [running, queued] {
        let job = ended(&mut client, &job.id).await?;
        assert_eq!(failure(&job)?.code, "DEADLINE_PASSED");
    }
    let again = client.adjudicate(request, within("again", 15_000), true).await?;
    assert!(result(&again)?.approved);
    server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_in_the_past_is_refused() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let server = Running::start(config(folder.path()), StandIn::default()).await?;
    let mut client = server.client().await?;
    let refused = client.adjudicate(Clinic::new()?.file(0, &[1])?, within("late", 0), true).await;
    assert!(matches!(refused, Err(ClientError::Refused { ref reason, .. }) if reason == "DEADLINE_PASSED"));
    assert!(client.jobs(&[], 10).await?.is_empty());
    server.stop().await
}

on_both!(a_deadline_that_passes_while_a_result_waits_for_its_turn_has_passed);

async fn a_deadline_that_passes_while_a_result_waits_for_its_turn_has_passed(site: Site) -> Result<()> {
    let oracle = site.oracle().await?;
    let store = Arc::new(Store::open(&Config::read(&site.file()?)?).await?);
    submit(&store, &tenant("north")?, &Clinic::new()?.file(0, &[1])?).await?;
    let lease = store.lease(Share::Claims, Instant(0), SOON).await?.context("nothing to lease")?;
    let decision = decide(&store, &lease).await?;
    execute(&oracle, "UPDATE jobs SET deadline = 60").await?;
    let held = oracle.hold_tenant("north").await?;
    let clock = Arc::new(AtomicI64::new(50));
    let (own, now) = (store.clone(), clock.clone());
    let ending = tokio::spawn(async move {
        own.finish(&lease, &decision, None, move || Instant(now.load(Ordering::Relaxed))).await
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    ensure!(!ending.is_finished(), "it did not wait");
    clock.store(70, Ordering::Relaxed);
    drop(held);
    assert_eq!(ending.await??, Finish::Stale);
    Ok(())
}
