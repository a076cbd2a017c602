//! A transaction of one tenant takes long, as an import of thousands of consents does: the other tenants do not notice.

use crate::{
    audit::serving,
    clinic::{Clinic, result},
    late_result::{submit, submit_as},
    running::{SOON, keyed},
    site::{Oracle, Site},
    stand_in::StandIn,
};
use anyhow::{Context, Result, ensure};
use nightingale::{
    Config,
    artefacts::{Artefacts, folder::FolderArtefacts},
    audit::{Draft, Event},
    client::ClientError,
    jobs::{Instant, Tenant},
    store::{
        Store,
        dataset_files::{ImportOutcome, Revision},
        datasets::DatasetRow,
        lifecycle::LeaseWatch,
        queue::Share,
    },
};
use std::{
    sync::Arc,
    time::{Duration, Instant as Moment},
};
use tokio::task::JoinSet;

/// How long who does not wait may take.
const PROMPT: Duration = Duration::from_secs(2);
/// How long a lease lasts unheard.
const LASTS: Duration = Duration::from_millis(100);

fn named(name: &str) -> Result<Tenant> {
    Tenant::new(name).context("a tenant")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_waits_for_no_other_tenants_transaction() -> Result<()> {
    let Some(site) = Site::postgres().await? else { return Ok(()) };
    let oracle = site.oracle().await?;
    let server = serving(&site, StandIn::default()).await?;
    let (mut north, mut south) = (server.client_of("north").await?, server.client_of("south").await?);
    let mut clinic = Clinic::new()?;
    let mut jobs = Vec::new();
    for (member, client) in [&mut north, &mut south].into_iter().enumerate() {
        jobs.push(client.adjudicate(clinic.file(member, &[1])?, keyed("a"), false).await?.id);
    }
    oracle.until("done", 2, SOON).await?;
    let (of_north, of_south) = (jobs[0].clone(), jobs[1].clone());
    let held = oracle.hold_tenant("north").await?;
    let waiting = tokio::spawn(async move { north.job(&of_north).await });
    tokio::time::sleep(Duration::from_millis(300)).await;
    ensure!(!waiting.is_finished(), "released while its tenant's log cannot be written");
    let read = tokio::time::timeout(PROMPT, south.job(&of_south)).await.context("it waits")??;
    ensure!(result(&read)?.approved);
    drop(held);
    ensure!(result(&waiting.await??)?.approved);
    server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_lease_is_taken_back_while_another_tenants_late_job_cannot_be_failed() -> Result<()> {
    let Some(site) = Site::postgres().await? else { return Ok(()) };
    let oracle = site.oracle().await?;
    let store = Store::open(&Config::read(&site.file()?)?).await?;
    let mut clinic = Clinic::new()?;
    // South has a lost lease, north a job that is late.
    submit(&store, &named("south")?, &clinic.file(0, &[1])?).await?;
    let lost = store.lease(Share::Claims, Instant(0), LASTS).await?.context("nothing to lease")?;
    submit(&store, &named("north")?, &clinic.file(0, &[1])?).await?;
    let late = "UPDATE jobs SET deadline = 50 WHERE tenant = 'north'";
    crate::audit::execute(&oracle, late).await?;
    let (mut watch, begun) = (LeaseWatch::default(), Moment::now());
    ensure!(store.sweep(&mut watch, || begun, 5, Instant(10)).await?.requeued.is_empty(), "taken back early");
    let held = oracle.hold_tenant("north").await?;
    let looked = Moment::now();
    let swept = store.sweep(&mut watch, || begun + LASTS, 5, Instant(100)).await?;
    ensure!(looked.elapsed() < PROMPT, "it took {:?}", looked.elapsed());
    ensure!(swept.requeued == [lost.id] && swept.late.is_empty(), "{:?}", swept.requeued);
    ensure!(swept.put_off.iter().map(|(tenant, _)| tenant.as_str()).eq(["north"]), "{:?}", swept.put_off);
    drop(held);
    let swept = store.sweep(&mut watch, || begun + LASTS, 5, Instant(100)).await?;
    ensure!(swept.late.len() == 1 && swept.put_off.is_empty(), "{:?}", swept.put_off);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_calls_that_wait_for_one_tenant_leave_connections_to_the_others_and_to_leases() -> Result<()> {
    let Some(site) = Site::postgres().await? else { return Ok(()) };
    let oracle = site.oracle().await?;
    // It has ten connections at most, as usual.
    let store = Arc::new(Store::open(&Config::read(&site.file()?)?).await?);
    let (north, south, mut clinic) = (named("north")?, named("south")?, Clinic::new()?);
    submit(&store, &north, &clinic.file(0, &[1])?).await?;
    let lease = store.lease(Share::Claims, Instant(0), SOON).await?.context("nothing to lease")?;
    let held = oracle.hold_tenant("north").await?;
    let mut waiting = JoinSet::new();
    for _ in 0..20 {
        let (store, north) = (store.clone(), north.clone());
        let entry = Draft::by_service(Event::Refused).reason("STORY");
        waiting.spawn(async move { store.audit(&north, vec![entry], Instant(0)).await });
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    let others = async {
        submit(&store, &south, &clinic.file(0, &[1])?).await?;
        ensure!(store.heartbeat(&lease, Instant(50)).await?, "the lease is gone");
        let next = store.lease(Share::Claims, Instant(0), SOON).await?.context("nothing to lease")?;
        ensure!(next.tenant == south && store.release(&next).await?);
        anyhow::Ok(())
    };
    tokio::time::timeout(PROMPT, others).await.context("the others wait")??;
    ensure!(waiting.try_join_next().is_none(), "put on record under a lock that somebody holds");
    drop(held);
    while let Some(recorded) = waiting.join_next().await {
        recorded??;
    }
    Ok(())
}

/// Who ends a job has its row, and waits for the log.
#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_that_waits_for_a_job_has_no_log_in_its_hands() -> Result<()> {
    let Some(site) = Site::postgres().await? else { return Ok(()) };
    let (oracle, store) = (site.oracle().await?, Store::open(&Config::read(&site.file()?)?).await?);
    let Oracle::Postgres(pool) = &oracle else { anyhow::bail!("another database") };
    let (north, mut clinic, mut watch, begun) =
        (named("north")?, Clinic::new()?, LeaseWatch::default(), Moment::now());
    for number in 0..2u8 {
        submit_as(&store, &north, &clinic.file(number.into(), &[1])?, number).await?;
        store.lease(Share::Claims, Instant(0), LASTS).await?.context("nothing to lease")?;
    }
    // What ran out is failed for good.
    ensure!(store.sweep(&mut watch, || begun, 1, Instant(10)).await?.exhausted.is_empty(), "too early");
    let mut ending = pool.begin().await?;
    let second = "SELECT id FROM jobs WHERE sequence = (SELECT MAX(sequence) FROM jobs) FOR UPDATE";
    sqlx::query(second).execute(&mut *ending).await?;
    let sweep = tokio::spawn(async move {
        let swept = store.sweep(&mut watch, || begun + LASTS, 1, Instant(100)).await;
        (swept, store, watch)
    });
    tokio::time::sleep(Duration::from_millis(400)).await;
    let log = "SELECT pg_try_advisory_xact_lock(hashtextextended('north', 1))";
    let is_free: bool = sqlx::query_scalar(log).fetch_one(&mut *ending).await?;
    ensure!(!sweep.is_finished(), "it did not wait for the job");
    ensure!(is_free, "each waits for the other");
    ending.rollback().await?;
    let (swept, store, mut watch) = sweep.await?;
    // A sweep that was too impatient is followed by another.
    let again = store.sweep(&mut watch, || begun + 2 * LASTS, 1, Instant(200)).await?;
    ensure!(swept?.exhausted.len() + again.exhausted.len() == 2);
    ensure!(oracle.number("SELECT COUNT(*) FROM audit_entries WHERE event = 'failed'").await? == 2);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn submissions_that_wait_for_one_tenant_keep_nobody_elses_out() -> Result<()> {
    let Some(site) = Site::postgres().await? else { return Ok(()) };
    let site = site.work("claims = false").work("cohorts = false");
    let oracle = site.oracle().await?;
    let server = serving(&site, StandIn::default()).await?;
    let (mut north, mut south) = (server.client_of("north").await?, server.client_of("south").await?);
    let file = Clinic::new()?.file(0, &[1])?;
    north.adjudicate(file.clone(), keyed("first"), false).await?;
    let held = oracle.hold_tenant("north").await?;
    let mut waiting = JoinSet::new();
    // More than are read at once.
    for number in 0..130 {
        let (mut north, file) = (north.clone(), file.clone());
        waiting.spawn(async move { north.adjudicate(file, keyed(&number.to_string()), false).await });
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let accepted = south.adjudicate(file, keyed("other"), false);
    // A busy machine has north's to read first, and not the fifteen seconds that they wait.
    tokio::time::timeout(3 * PROMPT, accepted).await.context("it waits")??;
    drop(held);
    let mut accepted = 0;
    while let Some(answer) = waiting.join_next().await {
        match answer? {
            Ok(_) => accepted += 1,
            // Of its own there may be too many.
            Err(ClientError::Refused { reason, .. }) if reason == "OVERLOADED" => {}
            Err(error) => return Err(error.into()),
        }
    }
    ensure!(accepted >= 100, "{accepted} accepted");
    server.stop().await
}

/// Calls end before their transactions do: a deadline passes, a caller goes away.
#[tokio::test(flavor = "multi_thread")]
async fn calls_that_are_given_up_leave_connections_to_the_others() -> Result<()> {
    let Some(site) = Site::postgres().await? else { return Ok(()) };
    let oracle = site.oracle().await?;
    let Oracle::Postgres(pool) = &oracle else { anyhow::bail!("another database") };
    // Two connections for transactions: one for whoever is busy, one for the others.
    let configured = Config { database_connections: 4, ..Config::read(&site.file()?)? };
    let store = Store::open(&configured).await?;
    let (north, south, file) = (named("north")?, named("south")?, Clinic::new()?.file(0, &[1])?);
    // Before they have begun, and in the middle: the tenant's own lock is held, and then that of its log.
    for lock in [0, 1] {
        let mut held = pool.begin().await?;
        let take = "SELECT pg_advisory_xact_lock(hashtextextended('north', $1))";
        sqlx::query(take).bind(i64::from(lock)).execute(&mut *held).await?;
        let entry = || vec![Draft::by_service(Event::Refused).reason("STORY")];
        for _ in 0..10 {
            let recorded = store.audit(&north, entry(), Instant(0));
            let recorded = tokio::time::timeout(Duration::from_millis(150), recorded).await;
            ensure!(recorded.is_err(), "put on record under a lock that somebody holds");
        }
        tokio::time::timeout(PROMPT, submit_as(&store, &south, &file, lock)).await.context("they wait")??;
        held.rollback().await?;
        store.audit(&north, entry(), Instant(0)).await?;
    }
    ensure!(oracle.number("SELECT COUNT(*) FROM audit_entries WHERE tenant = 'north'").await? == 2);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn lanes_that_lose_their_jobs_at_once_take_turns() -> Result<()> {
    let Some(site) = Site::postgres().await? else { return Ok(()) };
    let oracle = site.oracle().await?;
    let store = Arc::new(Store::open(&Config::read(&site.file()?)?).await?);
    let (north, south, file) = (named("north")?, named("south")?, Clinic::new()?.file(0, &[1])?);
    let mut leases = Vec::new();
    for number in 0..8 {
        submit_as(&store, &north, &file, number).await?;
        leases.push(store.lease(Share::Claims, Instant(0), SOON).await?.context("nothing to lease")?);
    }
    let held = oracle.hold_tenant("north").await?;
    let mut losing = JoinSet::new();
    for lease in leases {
        let store = store.clone();
        losing.spawn(async move { store.lose(&lease, 5, Instant(0)).await });
    }
    // Longer than what can be put off waits.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    tokio::time::timeout(PROMPT, submit(&store, &south, &file)).await.context("it waits")??;
    ensure!(losing.try_join_next().is_none(), "given up while the tenant is busy");
    drop(held);
    while let Some(lost) = losing.join_next().await {
        lost??;
    }
    ensure!(oracle.number("SELECT COUNT(*) FROM jobs WHERE state = 'queued' AND losses = 1").await? == 8);
    Ok(())
}

/// An import is alone among all tenants', and its own tenant's.
#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_waits_for_its_tenant_lets_the_others_go_first() -> Result<()> {
    let Some(site) = Site::postgres().await? else { return Ok(()) };
    let (oracle, config) = (site.oracle().await?, Config::read(&site.file()?)?);
    let artefacts: Arc<dyn Artefacts> = Arc::new(FolderArtefacts::open(&config.secrets.artefacts_dir)?);
    let store = Arc::new(Store::open(&config).await?);
    let held = oracle.hold_tenant("north").await?;
    let (own, north) = (store.clone(), named("north")?);
    let importing = tokio::spawn(async move {
        let row = DatasetRow { dataset: [5; 32], path: "trial".to_owned(), registered: Instant(0) };
        let entry = Draft::by_service(Event::Registered);
        let revision = Revision { files: &[], consents: &[], after: 0 };
        own.import_dataset(&north, &row, &artefacts, revision, entry, Instant(0)).await
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    // It spans tenants as well. A busy machine may take its time, and not the fifteen seconds that the import waits.
    let expired = store.expire_datasets(Instant(0), Instant(0));
    tokio::time::timeout(3 * PROMPT, expired).await.context("it waits")??;
    ensure!(!importing.is_finished(), "imported under a lock that somebody holds");
    drop(held);
    let imported = importing.await??;
    ensure!(matches!(imported, ImportOutcome::Imported(_)), "{imported:?}");
    Ok(())
}

/// Every call reads the table of keys, and waits behind who asks for it whole.
#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_that_waits_for_somebody_who_reads_the_keys_stops_no_other_tenant() -> Result<()> {
    let Some(site) = Site::postgres().await? else { return Ok(()) };
    let (oracle, store) = (site.oracle().await?, Store::open(&Config::read(&site.file()?)?).await?);
    let Oracle::Postgres(pool) = &oracle else { anyhow::bail!("another database") };
    let (store, west, south, mut clinic) = (Arc::new(store), named("west")?, named("south")?, Clinic::new()?);
    store.seal(&west).await?;
    store.seal(&south).await?;
    let read = "SELECT COUNT(*) FROM tenant_keys";
    let mut reading = pool.begin().await?;
    let keys: i64 = sqlx::query_scalar(read).fetch_one(&mut *reading).await?;
    ensure!(keys == 2);
    let erase = {
        let (store, west) = (store.clone(), west.clone());
        tokio::spawn(async move { store.erase_tenant(&west, "asked for", Instant(0)).await })
    };
    for number in 0..8u8 {
        let claim = clinic.file(number.into(), &[1])?;
        let submitted = submit_as(&store, &south, &claim, number);
        tokio::time::timeout(PROMPT, submitted).await.context("another tenant waits")??;
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    ensure!(!erase.await??.is_swept, "said to be gone while somebody sees it");
    reading.rollback().await?;
    ensure!(store.erase_tenant(&west, "asked for", Instant(0)).await?.is_swept);
    Ok(())
}
