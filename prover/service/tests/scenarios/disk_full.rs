//! The database cannot grow any more, and later it can again.

#![expect(clippy::print_stderr, reason = "a skipped story says so")]

use crate::{
    clinic::{Clinic, result},
    cohort_command::place,
    crowd::Crowd,
    postgres::Cluster,
    process::{Behaviour, server, worker},
    running::{Running, SOON, config, ended, in_state, keyed},
    site::Site,
    stand_in::StandIn,
};
use anyhow::{Context, Result, ensure};
use nightingale::{
    Config,
    client::{Client, ClientError},
};
use nightingale_proto::v1;
use std::{
    collections::BTreeMap,
    fs,
    io::Write,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};
use tempfile::TempDir;

#[tokio::test(flavor = "multi_thread")]
async fn what_was_accepted_is_kept_and_what_was_not_is_said() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let small = Config { database_mebibytes: Some(1), ..config(folder.path()) };
    let server = Running::start(small.clone(), StandIn::slow(500)).await?;
    let (mut client, mut clinic) = (server.client().await?, Clinic::new()?);
    let mut accepted = Vec::new();
    let full = loop {
        let member = accepted.len() % 8;
        let day = 1 + u32::try_from(accepted.len() / 8)?;
        anyhow::ensure!(day < 28, "the database never filled");
        let key = format!("k{}", accepted.len());
        match client.adjudicate(clinic.file(member, &[day])?, keyed(&key), false).await {
            Ok(job) => accepted.push(job.id),
            Err(error) => break error,
        }
    };
    assert!(
        matches!(full, ClientError::Unavailable { ref reason, .. } if reason == "STORAGE_FULL"),
        "{full}"
    );
    assert!(accepted.len() > 5);
    // Submissions left room for outcomes, which need theirs before they give any back.
    let database = format!("sqlite://{}", folder.path().join("data/jobs.sqlite").display());
    let room = "SELECT 256 - page_count + freelist_count FROM pragma_page_count, pragma_freelist_count";
    let room: i64 = sqlx::query_scalar(room).fetch_one(&sqlx::SqlitePool::connect(&database).await?).await?;
    assert!(room >= 10, "{room} pages are left");
    // Witnesses of ended jobs make room: what was accepted goes on without anybody's help.
    for id in accepted.iter().take(8) {
        assert!(result(&ended(&mut client, id).await?)?.approved);
    }
    server.stop().await?;
    let server = Running::start(Config { database_mebibytes: None, ..small }, StandIn::default()).await?;
    let mut client = server.client().await?;
    let listed = client.jobs(&[], 1000).await?;
    assert_eq!(listed.len(), accepted.len(), "a job was lost, or accepted without saying so");
    let last = accepted.last().context("nothing was accepted")?;
    client.adjudicate(clinic.file(7, &[28])?, keyed("after"), false).await?;
    assert!(client.job(last).await.is_ok());
    server.stop().await
}

/// Each of another kind, they are entries that stay: in a bounded database they stop where the room is that outcomes need.
#[tokio::test(flavor = "multi_thread")]
async fn refusals_leave_room_for_what_was_accepted() -> Result<()> {
    let folder = tempfile::tempdir()?;
    place(&folder.path().join("data/datasets/north/trial"))?;
    let small = Config { database_mebibytes: Some(1), ..config(folder.path()) };
    let server = Running::start(small, StandIn { stops: true, ..StandIn::slow(60_000) }).await?;
    let (mut client, mut clinic) = (server.client().await?, Clinic::new()?);
    let dataset = client.register_dataset("trial").await?.dataset;
    let job = client.adjudicate(clinic.file(0, &[1])?, keyed("a"), false).await?.id;
    in_state(&mut client, &job, v1::JobState::Running).await?;
    let mut refused = 0;
    let full = loop {
        ensure!(refused < 3_000, "the database never filled");
        // Other ages each time.
        let ages = [(50, 1), (60, 10), (70, 100), (80, 1_000)].map(|(age, part)| age + refused / part % 10);
        let [a, b, c, d] = ages;
        let query = v1::QueryRequest {
            idempotency_key: format!("{refused}"),
            dataset: dataset.clone(),
            sql: format!("SELECT COUNT(*) FROM t WHERE AGE IN ({a}, {b}, {c}, {d})"),
            ..v1::QueryRequest::default()
        };
        match client.query(query).await.err().context("answered")? {
            ClientError::Refused { reason, .. } if reason == "NOT_IN_PLAN" => refused += 1,
            other => break other,
        }
    };
    ensure!(
        matches!(full, ClientError::Unavailable { ref reason, .. } if reason == "STORAGE_FULL"),
        "{full}"
    );
    ensure!(refused > 5);
    let database = format!("sqlite://{}", folder.path().join("data/jobs.sqlite").display());
    let room = "SELECT 256 - page_count + freelist_count FROM pragma_page_count, pragma_freelist_count";
    let room: i64 = sqlx::query_scalar(room).fetch_one(&sqlx::SqlitePool::connect(&database).await?).await?;
    ensure!(room >= 24, "{room} pages are left");
    ensure!(client.cancel(&job).await?.state() == v1::JobState::Cancelled);
    server.stop().await
}

/// A folder on a small disk of its own, which only root can mount.
struct SmallDisk {
    folder: TempDir,
}

impl SmallDisk {
    /// `None`, with a word on stderr, where it cannot be mounted.
    fn mount(mebibytes: u32) -> Result<Option<Self>> {
        let folder = tempfile::tempdir()?;
        let size = format!("size={mebibytes}m,mode=755");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "tmpfs"])
            .arg(folder.path())
            .stdin(Stdio::null())
            .output()?;
        if !mounted.status.success() {
            let problem = String::from_utf8_lossy(&mounted.stderr).into_owned();
            let required = std::env::var_os("NIGHTINGALE_REQUIRE_TOOLS").is_some();
            ensure!(!required, "a small disk cannot be mounted, which takes root: {problem}");
            eprintln!("skipped: a disk is filled only where a small one can be mounted, as root: {problem}");
            return Ok(None);
        }
        Ok(Some(Self { folder }))
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Something else takes all that is left but for so many bytes; it is gone when the file is removed.
    fn fill(&self, left: u64) -> Result<PathBuf> {
        let ballast = self.path().join("ballast");
        let mut file = fs::File::create(&ballast)?;
        let block = vec![1; 1 << 16];
        while file.write_all(&block).is_ok() {}
        let length = file.metadata()?.len();
        file.set_len(length.saturating_sub(left))?;
        Ok(ballast)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a process that is just ending may still hold a file.
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}

/// A disk fills up under a server and its worker; later there is room again.
async fn fills_up(site: Site, disk: &SmallDisk, left: u64, cluster: Option<&Cluster>) -> Result<()> {
    let site = site.work("claims = false").work("cohorts = false");
    let (file, log, oracle) = (site.file()?, site.log(), site.oracle().await?);
    let server = server(&file, &log, &Behaviour::default()).await?;
    let mut client = Client::connect(&server.address, "north").await?;
    let mut crowd = Crowd::of(600)?;
    for claim in 0..8 {
        crowd.submit(&mut client, claim).await?;
    }
    let ballast = disk.fill(left)?;
    // Until a claim is refused, and some more, with a worker that cannot write what it has proven.
    let mut refusals = BTreeMap::<String, usize>::new();
    let worker = worker(&file, &log, &Behaviour::slow(30)).await?;
    let mut claim = 8;
    while refusals.values().sum::<usize>() < 20 && claim < 500 {
        match crowd.submit(&mut client, claim).await {
            Ok(_) => {}
            Err(error) => match error.downcast::<ClientError>()? {
                ClientError::Unavailable { reason, .. } => *refusals.entry(reason).or_default() += 1,
                other => return Err(other.into()),
            },
        }
        claim += 1;
    }
    ensure!(!refusals.is_empty(), "{claim} claims did not fill the disk");
    let said = || fs::read_to_string(&log).unwrap_or_default();
    ensure!(refusals.keys().all(|reason| reason.starts_with("STORAGE")), "{refusals:?}\n{}", said());
    fs::remove_file(&ballast)?;
    if let Some(cluster) = cluster {
        // A server of PostgreSQL that cannot write its log ends; an operator starts it again.
        cluster.revive().await?;
    }
    // There is room: everything that was accepted ends, and what comes now is accepted, without anybody's help.
    let wait = async {
        while crowd.submit(&mut client, 599).await.is_err() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(2 * SOON, wait).await.context("the service does not come back")?;
    crowd.settled(&oracle, 2 * SOON).await?;
    // A refusal may have come after the commit: the key says which job it was.
    for claim in 0..500 {
        crowd.submit(&mut client, claim).await?;
    }
    crowd.settled(&oracle, 2 * SOON).await?;
    let others = (500..599).collect::<Vec<_>>();
    ensure!(others.iter().all(|claim| crowd.job(*claim).is_err()), "a claim that nobody sent");
    crowd.reckon(&mut client, &oracle, &[], None).await?;
    worker.kill().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_under_sqlite_loses_nothing() -> Result<()> {
    let Some(disk) = SmallDisk::mount(16)? else { return Ok(()) };
    let site = Site::sqlite()?;
    std::os::unix::fs::symlink(disk.path(), site.path().join("data"))?;
    fills_up(site, &disk, 1 << 20, None).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_under_postgres_loses_nothing() -> Result<()> {
    let Some(disk) = SmallDisk::mount(256)? else { return Ok(()) };
    let folder = disk.path().join("cluster");
    fs::create_dir(&folder)?;
    let Some(cluster) = Cluster::in_folder(folder, None, Ipv4Addr::LOCALHOST.into()).await? else {
        return Ok(());
    };
    fills_up(Site::with(Some(cluster.database().await?))?, &disk, 1 << 20, Some(&cluster)).await
}
