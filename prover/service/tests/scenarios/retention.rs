//! What is kept, how long, and that it is gone afterwards, from the files as well.

use crate::{
    archive::{Call, Told},
    audit::execute,
    clinic::{Clinic, failure, result},
    custody::tenant,
    running::{Running, SOON, keyed},
    site::{Oracle, Site, on_both},
    stand_in::StandIn,
};
use anyhow::{Context, Result, ensure};
use nightingale::{
    Config,
    artefacts::{Artefacts, folder::FolderArtefacts},
    audit::{Draft, Event},
    config::Retention,
    jobs::{Instant, JobId, State, Tenant},
    store::{
        Store,
        dataset_files::{DatasetFile, ImportOutcome, Revision},
        datasets::DatasetRow,
        retention::Purged,
    },
};
use std::{
    fs,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    time::Duration,
};

fn entry() -> Draft {
    Draft::by_service(Event::Registered)
}

const DAY: Duration = Duration::from_secs(86_400);
const MINUTE: Duration = Duration::from_secs(60);

on_both!(
    results_go_before_jobs_and_what_they_spent_stays,
    a_datasets_files_go_with_it_but_not_those_that_another_still_has,
    a_file_that_is_dropped_twice_is_left_alone_for_an_hour_from_the_second_time,
    a_file_that_cannot_be_deleted_keeps_no_other_and_is_said,
    files_that_cannot_be_deleted_keep_no_other_however_many_they_are,
    a_backlog_goes_in_small_transactions,
    a_purge_ends_between_two_transactions_where_the_server_does,
);

/// A site's store, with artefacts of its own that are named by hand.
struct Shelf {
    store: Store,
    folder: FolderArtefacts,
    artefacts: Arc<dyn Artefacts>,
    start: Instant,
}

impl Shelf {
    async fn of(site: &Site) -> Result<Self> {
        let config = Config::read(&site.file()?)?;
        let folder = FolderArtefacts::open(&config.secrets.artefacts_dir)?;
        let store = Store::open(&config).await?;
        Ok(Self { store, artefacts: Arc::new(folder.clone()), folder, start: Instant::now() })
    }

    /// Minutes from the start.
    fn at(&self, minutes: u32) -> Instant {
        self.start.plus(minutes * MINUTE)
    }

    fn put(&self, name: &str) -> Result<DatasetFile> {
        let artefact = self.artefacts.put(&mut name.as_bytes())?;
        Ok(DatasetFile { name: name.to_owned(), artefact, bytes: name.len() as u64, sealed: false })
    }

    /// Names a dataset's files in the place of revision `after`, at this minute.
    async fn name(
        &self,
        (tenant, dataset): (&Tenant, u8),
        files: &[DatasetFile],
        after: i64,
        minute: u32,
    ) -> Result<()> {
        let at = self.at(minute);
        let row = DatasetRow { dataset: [dataset; 32], path: "d".to_owned(), registered: at };
        let revision = Revision { files, consents: &[], after };
        let named = self.store.import_dataset(tenant, &row, &self.artefacts, revision, entry(), at).await?;
        ensure!(matches!(named, ImportOutcome::Imported(_)), "{named:?}");
        Ok(())
    }

    /// Drops datasets that were registered before this minute.
    async fn expire(&self, minute: u32) -> Result<u64> {
        Ok(self.store.expire_datasets(self.at(minute), self.at(minute)).await?)
    }

    async fn purge(&self, minute: u32) -> Result<Purged> {
        self.purge_while(minute, || true).await
    }

    async fn purge_while(&self, minute: u32, goes_on: impl Fn() -> bool + Send + Sync) -> Result<Purged> {
        let keep = Retention::default();
        Ok(self.store.purge(&keep, self.artefacts.clone(), self.at(minute), goes_on).await?)
    }
}

async fn results_go_before_jobs_and_what_they_spent_stays(site: Site) -> Result<()> {
    let config = Config::read(&site.file()?)?;
    let server = Running::start(config.clone(), StandIn::default()).await?;
    let mut client = server.client().await?;
    let request = Clinic::new()?.file(0, &[1])?;
    let done = client.adjudicate(request.clone(), keyed("a"), true).await?;
    assert!(result(&done)?.approved);
    server.stop().await?;

    let store = Store::open(&config).await?;
    let artefacts: Arc<dyn Artefacts> = Arc::new(FolderArtefacts::open(&config.secrets.artefacts_dir)?);
    let keep = Retention { results: 7 * DAY, ended_jobs: 30 * DAY, ..Retention::default() };
    let (north, id, now) = (tenant("north")?, JobId::parse(&done.id).context("an id")?, Instant::now());
    let purge = |days: u32| store.purge(&keep, artefacts.clone(), now.plus(days * DAY), || true);
    assert_eq!(purge(6).await?, Purged::default(), "nothing is due");
    assert!(store.job(&north, &id).await?.context("no job")?.decision.is_some());
    assert_eq!(purge(8).await?, Purged { results: 1, ..Purged::default() });
    assert_eq!(purge(8).await?, Purged::default(), "and once only");
    let job = store.job(&north, &id).await?.context("no job")?;
    assert_eq!(
        (job.state, job.decision.is_some()),
        (State::Done, false),
        "the job is kept without its result"
    );
    assert_eq!(purge(31).await?, Purged { jobs: 1, ..Purged::default() });
    assert!(store.job(&north, &id).await?.is_none());
    store.close().await;

    // What it used up is not forgotten with it.
    let server = Running::start(config, StandIn::default()).await?;
    let mut client = server.client().await?;
    let again = client.adjudicate(request, keyed("b"), true).await?;
    assert_eq!(failure(&again)?.code, "DUPLICATE");
    server.stop().await
}

async fn a_datasets_files_go_with_it_but_not_those_that_another_still_has(site: Site) -> Result<()> {
    let config = Config::read(&site.file()?)?;
    let store = Store::open(&config).await?;
    let artefacts: Arc<dyn Artefacts> = Arc::new(FolderArtefacts::open(&config.secrets.artefacts_dir)?);
    let file = |name: &str, content: &[u8]| -> Result<DatasetFile> {
        let artefact = artefacts.put(&mut &*content)?;
        Ok(DatasetFile { name: name.to_owned(), artefact, bytes: content.len() as u64, sealed: false })
    };
    let (shared, own) = (file("public/a", b"of both")?, file("public/b", b"of the first")?);
    let (north, south, start) = (tenant("north")?, tenant("south")?, Instant::now());
    let row = |dataset| DatasetRow { dataset, path: "d".to_owned(), registered: start };
    let later = start.plus(5 * DAY);
    let files = [shared.clone(), own.clone()];
    let import = async |of: &Tenant, number: u8, files: &[DatasetFile], at: Instant| {
        let revision = Revision { files, consents: &[], after: 0 };
        store.import_dataset(of, &row([number; 32]), &artefacts, revision, entry(), at).await
    };
    assert!(matches!(import(&north, 1, &files, start).await?, ImportOutcome::Imported(_)));
    assert!(matches!(import(&south, 2, &files[..1], later).await?, ImportOutcome::Imported(_)));
    assert_eq!(import(&south, 2, &files, later).await?, ImportOutcome::Overtaken, "of another revision");

    let keep = Retention { datasets: Some(10 * DAY), ..Retention::default() };
    let purge = |at: Instant| store.purge(&keep, artefacts.clone(), at, || true);
    assert_eq!(purge(start.plus(9 * DAY)).await?, Purged::default());
    assert_eq!(purge(start.plus(11 * DAY)).await?, Purged { datasets: 1, ..Purged::default() });
    assert!(store.dataset(&north, &[1; 32]).await?.is_none());
    assert!(artefacts.exists(&own.artefact)?, "somebody may be reading it");
    assert_eq!(purge(start.plus(11 * DAY + DAY / 12)).await?, Purged { artefacts: 1, ..Purged::default() });
    assert!(!artefacts.exists(&own.artefact)? && artefacts.exists(&shared.artefact)?);
    assert_eq!(store.dataset_files(&south, &[2; 32]).await?.context("no files")?.files, [shared]);
    // Whoever put the file again just before that purge must not name it now: nothing is registered.
    assert_eq!(import(&south, 3, &files, later).await?, ImportOutcome::Missing);
    assert!(store.dataset(&south, &[3; 32]).await?.is_none());
    artefacts.put(&mut b"of the first".as_slice())?;
    assert!(matches!(import(&south, 3, &files, later).await?, ImportOutcome::Imported(_)));
    store.close().await;
    Ok(())
}

async fn a_file_that_is_dropped_twice_is_left_alone_for_an_hour_from_the_second_time(
    site: Site,
) -> Result<()> {
    let (shelf, north) = (Shelf::of(&site).await?, tenant("north")?);
    let file = shelf.put("a")?;
    shelf.name((&north, 1), std::slice::from_ref(&file), 0, 0).await?;
    // The next revision still has it, and goes 59 minutes later.
    shelf.name((&north, 1), std::slice::from_ref(&file), 1, 1).await?;
    assert_eq!(shelf.expire(60).await?, 1);
    assert_eq!(shelf.purge(62).await?, Purged::default());
    assert!(shelf.artefacts.exists(&file.artefact)?, "somebody may be reading it");
    assert_eq!(shelf.purge(121).await?, Purged { artefacts: 1, ..Purged::default() });
    shelf.store.close().await;
    Ok(())
}

async fn a_file_that_cannot_be_deleted_keeps_no_other_and_is_said(site: Site) -> Result<()> {
    let (shelf, north) = (Shelf::of(&site).await?, tenant("north")?);
    let mut files = [shelf.put("a")?, shelf.put("b")?];
    // What was dropped at once is deleted in this order.
    files.sort_by_key(|file| file.artefact);
    let [stuck, other] = &files;
    shelf.name((&north, 1), &files, 0, 0).await?;
    assert_eq!(shelf.expire(1).await?, 1);
    let path = in_the_way(&site, stuck)?;
    for minute in [62, 122] {
        let told = shelf.purge(minute).await.err().context("all were deleted")?.to_string();
        ensure!(told.contains("1 artefacts were not deleted"), "{told}");
        assert!(!shelf.artefacts.exists(&other.artefact)?, "it was kept by another");
    }
    fs::remove_dir_all(&path)?;
    shelf.put(&stuck.name)?;
    assert_eq!(shelf.purge(182).await?, Purged { artefacts: 1, ..Purged::default() });
    shelf.store.close().await;
    Ok(())
}

/// Puts a folder in the place of a stored file.
fn in_the_way(site: &Site, file: &DatasetFile) -> Result<PathBuf> {
    let name = file.artefact.to_string();
    let path = site.path().join("data/artefacts").join(&name[..2]).join(&name[2..4]).join(&name);
    fs::remove_file(&path)?;
    fs::create_dir(&path)?;
    fs::write(path.join("in the way"), b"")?;
    Ok(path)
}

async fn files_that_cannot_be_deleted_keep_no_other_however_many_they_are(site: Site) -> Result<()> {
    let (shelf, north) = (Shelf::of(&site).await?, tenant("north")?);
    let mut files = (0..66).map(|number| shelf.put(&number.to_string())).collect::<Result<Vec<_>>>()?;
    files.sort_by_key(|file| file.artefact);
    let last = files.last().context("no files")?.artefact;
    shelf.name((&north, 1), &files, 0, 0).await?;
    assert_eq!(shelf.expire(1).await?, 1);
    for file in files.iter().take(65) {
        in_the_way(&site, file)?;
    }
    // They may take all the patience of one purge, and not of the next.
    for minute in [62, 122] {
        let told = shelf.purge(minute).await.err().context("all were deleted")?.to_string();
        ensure!(told.contains(" artefacts were not deleted"), "{told}");
    }
    assert!(!shelf.artefacts.exists(&last)?, "it was kept by others");
    shelf.store.close().await;
    Ok(())
}

/// Jobs of each of these tenants that were done long ago, and at which nobody looked since.
async fn backlog(oracle: &Oracle, tenants: &[&str], jobs: u32) -> Result<()> {
    for tenant in tenants {
        let bytes = match oracle {
            Oracle::Sqlite(_) => format!("CAST(printf('{tenant}%011d', i) AS BLOB)"),
            Oracle::Postgres(_) => format!("convert_to('{tenant}' || lpad(i::text, 11, '0'), 'UTF8')"),
        };
        let statement = format!(
            "INSERT INTO jobs (tenant, id, idempotency, request_digest, payer, size_class, priority, rebases_spent, state, accepted, \
             ended, result) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {jobs}) \
             SELECT '{tenant}', {bytes}, {bytes}, {bytes}, {bytes}, 'two', 0, 0, 'done', i, i, {bytes} FROM n"
        );
        execute(oracle, &statement).await?;
    }
    Ok(())
}

async fn a_backlog_goes_in_small_transactions(site: Site) -> Result<()> {
    let (shelf, oracle) = (Shelf::of(&site).await?, site.oracle_beside().await?);
    backlog(&oracle, &["north"], 600).await?;
    let entries = "SELECT COUNT(*) FROM audit_entries WHERE event = 'purged' AND tenant = 'north'";
    let keep = Retention { ended_jobs: 100_000 * DAY, ..Retention::default() };
    let purged = shelf.store.purge(&keep, shelf.artefacts.clone(), shelf.at(0), || true).await?;
    assert_eq!(purged, Purged { results: 600, ..Purged::default() });
    assert_eq!(oracle.number(entries).await?, 3, "each transaction is on record");
    assert_eq!(shelf.purge(0).await?, Purged { jobs: 600, ..Purged::default() });
    assert_eq!(oracle.number(entries).await?, 6);
    shelf.store.close().await;
    Ok(())
}

/// On SQLite a tenant that is busy keeps everybody from writing.
#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_that_is_busy_keeps_nothing_of_others_from_going() -> Result<()> {
    let Some(site) = Site::postgres().await? else { return Ok(()) };
    let (shelf, oracle) = (Shelf::of(&site).await?, site.oracle_beside().await?);
    let (north, south) = (tenant("north")?, tenant("south")?);
    for (of, dataset) in [(&north, 1), (&south, 2)] {
        shelf.name((of, dataset), &[shelf.put(&dataset.to_string())?], 0, 0).await?;
    }
    backlog(&oracle, &["north", "south"], 10).await?;
    let left = async || oracle.pairs("SELECT DISTINCT tenant, state FROM jobs ORDER BY tenant").await;
    let keep = Retention { datasets: Some(MINUTE), ..Retention::default() };
    let purge = |minute: u32| shelf.store.purge(&keep, shelf.artefacts.clone(), shelf.at(minute), || true);
    let held = oracle.hold_tenant("north").await?;
    ensure!(purge(2).await.is_err(), "nobody is told that a tenant's was put off");
    assert_eq!(left().await?, [("north".to_owned(), "done".to_owned())]);
    assert!(shelf.store.dataset(&south, &[2; 32]).await?.is_none());
    // Its file is due, whatever is the matter with the other tenant.
    ensure!(purge(63).await.is_err());
    assert_eq!(oracle.number("SELECT COUNT(*) FROM dropped_artefacts").await?, 0, "a file is left");
    drop(held);
    assert_eq!(purge(63).await?, Purged { jobs: 10, datasets: 1, ..Purged::default() });
    shelf.store.close().await;
    Ok(())
}

async fn a_purge_ends_between_two_transactions_where_the_server_does(site: Site) -> Result<()> {
    let (shelf, north) = (Shelf::of(&site).await?, tenant("north")?);
    let files = (0..70).map(|number| shelf.put(&number.to_string())).collect::<Result<Vec<_>>>()?;
    shelf.name((&north, 1), &files, 0, 0).await?;
    assert_eq!(shelf.expire(1).await?, 1);
    let first = AtomicBool::new(true);
    let some = shelf.purge_while(62, || first.swap(false, Ordering::Relaxed)).await?.artefacts;
    ensure!(some > 0 && some < 70, "{some} were deleted");
    assert_eq!(shelf.purge(62).await?.artefacts, 70 - some);
    shelf.store.close().await;
    Ok(())
}

/// On SQLite nothing is dropped while a purge deletes.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_dropped_while_a_purge_deletes_others_goes_with_the_next() -> Result<()> {
    let Some(site) = Site::postgres().await? else { return Ok(()) };
    let (mut shelf, north, south) = (Shelf::of(&site).await?, tenant("north")?, tenant("south")?);
    let (shared, own) = (shelf.put("shared")?, shelf.put("own")?);
    shelf.name((&north, 1), &[shared.clone(), own], 0, 0).await?;
    shelf.name((&south, 2), std::slice::from_ref(&shared), 0, 10).await?;
    assert_eq!(shelf.expire(1).await?, 1);
    // While the file of the first alone is deleted, the second is dropped too.
    let (deleting, deletes) = mpsc::channel();
    let (go, goes) = mpsc::channel::<()>();
    let goes = Mutex::new(goes);
    let tell = move |call: Call<'_>| {
        if matches!(call, Call::Delete) {
            let _ = deleting.send(());
            let _ = goes.lock().unwrap_or_else(PoisonError::into_inner).recv();
        }
    };
    shelf.artefacts = Arc::new(Told { store: shelf.folder.clone(), tell });
    let erase = async {
        let deletes = tokio::task::spawn_blocking(move || deletes.recv_timeout(SOON)).await?;
        deletes.context("nothing is deleted")?;
        // It is done when its transaction is, and sweeps when the purge's has ended.
        let dropped = async {
            while shelf.store.dataset(&south, &[2; 32]).await?.is_some() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            drop(go);
            anyhow::Ok(())
        };
        let (erased, dropped) =
            tokio::join!(shelf.store.erase_tenant(&south, "asked for", shelf.at(61)), dropped);
        dropped?;
        anyhow::Ok(erased?)
    };
    let (purged, erased) = tokio::join!(shelf.purge(61), erase);
    ensure!(erased?.is_swept);
    assert_eq!(purged?, Purged { artefacts: 1, ..Purged::default() });
    assert!(shelf.artefacts.exists(&shared.artefact)?, "somebody may be reading it");
    assert_eq!(shelf.purge(121).await?, Purged { artefacts: 1, ..Purged::default() });
    shelf.store.close().await;
    Ok(())
}

/// What it would delete may be named by then: PostgreSQL ends a transaction that was idle for long, and lets an import begin.
#[test]
fn a_purge_that_is_held_up_before_it_deletes_leaves_it_to_the_next() -> Result<()> {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.max_blocking_threads(1).enable_all().build()?;
    runtime.block_on(async {
        let site = Site::sqlite()?;
        let (shelf, north) = (Shelf::of(&site).await?, tenant("north")?);
        let file = shelf.put("a")?;
        shelf.name((&north, 1), std::slice::from_ref(&file), 0, 0).await?;
        assert_eq!(shelf.expire(1).await?, 1);
        // The only thread that deletes has something else to do.
        let held_up = tokio::task::spawn_blocking(|| std::thread::sleep(Duration::from_secs(3)));
        assert_eq!(shelf.purge(62).await?, Purged::default());
        held_up.await?;
        assert!(shelf.artefacts.exists(&file.artefact)?, "deleted long after it was looked up");
        assert_eq!(shelf.purge(62).await?, Purged { artefacts: 1, ..Purged::default() });
        shelf.store.close().await;
        Ok(())
    })
}
