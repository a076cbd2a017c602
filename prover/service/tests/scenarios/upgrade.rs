//! A data folder of the release before this one: opened, migrated, its jobs go on. And one of a later release: refused, untouched.

use crate::{
    clinic::{next_note, published_by, result},
    process::{Behaviour, steered},
    running::{Running, SOON, config, ended, in_state},
    site::Site,
    stand_in::StandIn,
};
use anyhow::{Context, Result};
use nightingale::{Config, Server, client::Client, config::Retention, jobs::Tenant, store::Store};
use nightingale_proto::v1::{Job, JobState};
use nightingale_verifier::{ClaimProof, OutcomeOpening};
use sqlx::{Connection, PgConnection, SqlitePool, sqlite::SqliteConnectOptions};
use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::Path,
    process::Stdio,
    sync::Arc,
    time::Duration,
};
use tokio::net::UnixDatagram;

/// Written by the server of the release whose newest schema was 2: its first lines say how.
const BEFORE: &str = include_str!("../fixtures/schema-0002/jobs.sql");
const MASTER: &str = include_str!("../fixtures/schema-0002/master.key");
/// A migration that takes longer than the 15 seconds that a statement may take: once, the first function is made that slowly.
const SLOW: &str = "CREATE TABLE story_slept (once INT); \
    CREATE FUNCTION story_sleep() RETURNS event_trigger LANGUAGE plpgsql AS \
    'BEGIN IF NOT EXISTS (SELECT FROM story_slept) THEN INSERT INTO story_slept VALUES (1); PERFORM pg_sleep(17); END IF; END'; \
    CREATE EVENT TRIGGER story_sleep ON ddl_command_start WHEN TAG IN ('CREATE FUNCTION') EXECUTE FUNCTION story_sleep()";

/// The folder of that server, and a configuration that keeps its ended jobs however old they are.
async fn before(folder: &Path) -> Result<Config> {
    let long = Duration::from_secs(36_600 * 86_400);
    let retention = Retention { ended_jobs: long, results: long, ..Retention::default() };
    let config = Config { retention, ..config(folder) };
    fs::create_dir_all(&config.data_dir)?;
    let database = config.data_dir.join("jobs.sqlite");
    fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&database)?;
    let pool = pool(&database).await?;
    sqlx::raw_sql(BEFORE).execute(&pool).await?;
    pool.close().await;
    let master = config.data_dir.join("master.key");
    fs::write(&master, hex::decode(MASTER.trim())?)?;
    fs::set_permissions(&master, fs::Permissions::from_mode(0o600))?;
    Ok(config)
}

async fn pool(database: &Path) -> Result<SqlitePool> {
    Ok(SqlitePool::connect_with(SqliteConnectOptions::new().filename(database)).await?)
}

async fn number(database: &Path, sql: &'static str) -> Result<i64> {
    let pool = pool(database).await?;
    let number = sqlx::query_scalar(sql).fetch_one(&pool).await?;
    pool.close().await;
    Ok(number)
}

/// The jobs of a tenant in the order of acceptance.
pub(crate) async fn jobs(client: &mut Client) -> Result<Vec<Job>> {
    let mut jobs = client.jobs(&[], 100).await?;
    jobs.reverse();
    Ok(jobs)
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_of_the_release_before_go_on_and_end_once() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let config = before(folder.path()).await?;
    let database = config.data_dir.join("jobs.sqlite");
    let server = Running::start(config.clone(), StandIn::default()).await?;
    let (mut north, mut south) = (server.client().await?, server.client_of("south").await?);

    let found = jobs(&mut north).await?;
    // What each was when the server was killed.
    let names = ["approved", "denied", "failed", "waiting", "leased", "cancelled", "queued"];
    assert_eq!(found.len(), names.len());
    let by_state: BTreeMap<&str, &Job> = names.into_iter().zip(&found).collect();
    // What had ended is as it was, its proof included.
    for (name, state) in [
        ("approved", JobState::Done),
        ("denied", JobState::Done),
        ("failed", JobState::Failed),
        ("cancelled", JobState::Cancelled),
        ("waiting", JobState::Waiting),
    ] {
        assert_eq!(by_state[name].state(), state, "{name}");
    }
    let approved = north.job(&by_state["approved"].id).await?;
    let proof = ClaimProof::from_json(&result(&approved)?.proof_json)?;
    assert!(matches!(proof.opening, Some(OutcomeOpening { approved: true, .. })), "the sealed result opens");

    // What had not ended, ends; the killed server's lease counts as lost.
    for name in ["leased", "queued"] {
        let job = ended(&mut north, &by_state[name].id).await?;
        assert_eq!(job.state(), JobState::Done, "{name}");
    }
    assert_eq!(north.job(&by_state["leased"].id).await?.attempts, 2);
    let theirs = jobs(&mut south).await?;
    assert_eq!(ended(&mut south, &theirs[0].id).await?.state(), JobState::Done);

    // What waits goes on when its payer publishes.
    let payer: Vec<u8> = {
        let pool = pool(&database).await?;
        sqlx::query_scalar("SELECT payer FROM account_registers").fetch_one(&pool).await?
    };
    north.publish(None, Some(published_by(payer, 2, &[next_note(&approved)?])?)).await?;
    let waited = ended(&mut north, &by_state["waiting"].id).await?;
    assert_eq!((waited.state(), waited.rebases), (JobState::Done, 1));
    server.stop().await?;

    // What approvals had used up still is, and nothing twice: one more spend for each approval since.
    assert_eq!(number(&database, "SELECT COUNT(*) FROM authorisation_uses").await?, 1);
    let approvals = number(&database, "SELECT COUNT(*) FROM spends").await?;
    assert_eq!(number(&database, "SELECT COUNT(DISTINCT tag) FROM spends").await?, approvals);
    assert!(approvals > 1, "the approval before, and those since");
    assert_eq!(number(&database, "SELECT COUNT(*) FROM jobs WHERE trace IS NOT NULL").await?, 0);
    let store = Store::open(&config).await?;
    let tenant = Tenant::new("north").context("a tenant")?;
    assert_eq!(store.query_ledger(&tenant, &[3; 32]).await?.len(), 1);
    assert_eq!(store.datasets(&tenant).await?.len(), 1);
    store.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_that_is_not_as_it_was_released_locks_nobody_out_unnoticed() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let config = before(folder.path()).await?;
    let database = config.data_dir.join("jobs.sqlite");
    // The database has another checksum than this release's file: what a changed file would look like.
    let pool = pool(&database).await?;
    sqlx::query("UPDATE _sqlx_migrations SET checksum = x'00' WHERE version = 1").execute(&pool).await?;
    pool.close().await;
    let refused = Server::bind(config, Arc::new(StandIn::default())).await.err().context("opened")?;
    assert!(refused.to_string().contains("migration 1"), "{refused}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_a_newer_release_is_refused_and_stays_as_it_is() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let config = before(folder.path()).await?;
    Running::start(config.clone(), StandIn::default()).await?.stop().await?;
    let database = config.data_dir.join("jobs.sqlite");
    let pool = pool(&database).await?;
    let newer = "INSERT INTO _sqlx_migrations SELECT 9999, description, installed_on, success, checksum, execution_time \
                 FROM _sqlx_migrations WHERE version = 1";
    sqlx::query(newer).execute(&pool).await?;
    pool.close().await;
    let jobs = "SELECT COUNT(*) FROM jobs WHERE ended IS NULL";
    let open = number(&database, jobs).await?;
    let start = Server::bind(config.clone(), Arc::new(StandIn::default()));
    let refused = tokio::time::timeout(SOON, start).await?.err().context("opened")?.to_string();
    assert!(
        refused.contains("it was written by a newer release (schema 9999); use that release"),
        "{refused}"
    );
    assert_eq!(number(&database, jobs).await?, open);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_of_this_release_waits_for_its_server_to_migrate() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let config = before(folder.path()).await?;
    let early = Store::attach(&config).await.err().context("attached")?.to_string();
    assert!(early.contains("run server and workers of one release"), "{early}");
    let server = Running::start(config.clone(), StandIn::default()).await?;
    Store::attach(&config).await?.close().await;
    let mut north = server.client().await?;
    let waiting = jobs(&mut north).await?.into_iter().find(|job| job.state() == JobState::Waiting);
    in_state(&mut north, &waiting.context("no job waits")?.id, JobState::Waiting).await?;
    server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_takes_as_long_as_it_takes_and_a_second_server_waits_for_it() -> Result<()> {
    let Some(site) = Site::postgres().await? else { return Ok(()) };
    let mut connection = PgConnection::connect(site.url.as_deref().context("no address")?).await?;
    sqlx::raw_sql(SLOW).execute(&mut connection).await?;
    // Two data folders and one master key, which lies in the first.
    let here = Config::read(&site.file()?)?;
    let there = Config { data_dir: site.path().join("there"), ..here.clone() };
    fs::create_dir_all(&here.data_dir)?;
    let master = here.data_dir.join("master.key");
    fs::write(&master, hex::decode(MASTER.trim())?)?;
    fs::set_permissions(&master, fs::Permissions::from_mode(0o600))?;
    let (one, other) = tokio::join!(Store::open(&here), Store::open(&there));
    for opened in [one?, other?] {
        opened.close().await;
    }
    let slept: i64 =
        sqlx::query_scalar("SELECT COUNT(*) FROM story_slept").fetch_one(&mut connection).await?;
    assert_eq!(slept, 1, "no migration was slow");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_migrates_asks_its_supervisor_to_wait_and_ends_when_it_is_told_to() -> Result<()> {
    let Some(site) = Site::postgres().await? else { return Ok(()) };
    let mut connection = PgConnection::connect(site.url.as_deref().context("no address")?).await?;
    sqlx::raw_sql(SLOW).execute(&mut connection).await?;
    let told = site.path().join("notify");
    let supervisor = UnixDatagram::bind(&told)?;
    let mut server = steered("server_process", &site.file()?, &Behaviour::default(), None)?
        .env("NOTIFY_SOCKET", &told)
        .stdout(Stdio::null())
        .stderr(fs::File::create(site.log())?)
        .kill_on_drop(true)
        .spawn()?;
    // Until it migrates, and has for two seconds.
    let asleep = "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep' \
                  AND query_start < now() - interval '2 seconds'";
    let wait = async {
        loop {
            let count: i64 = sqlx::query_scalar(asleep).fetch_one(&mut connection).await?;
            if count > 0 {
                return anyhow::Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let log = || fs::read_to_string(site.log()).unwrap_or_default();
    tokio::time::timeout(SOON, wait).await.with_context(|| format!("never migrated: {}", log()))??;
    let mut bytes = [0; 64];
    let length =
        tokio::time::timeout(SOON, supervisor.recv(&mut bytes)).await.context("nothing was asked")??;
    let asked = String::from_utf8_lossy(&bytes[..length]);
    assert_eq!(asked, "EXTEND_TIMEOUT_USEC=60000000");
    let id = server.id().context("it ended")?.to_string();
    assert!(tokio::process::Command::new("kill").args(["-TERM", &id]).status().await?.success());
    let ended = tokio::time::timeout(Duration::from_secs(5), server.wait()).await;
    let ended = ended.with_context(|| format!("it does not end: {}", log()))??;
    assert!(ended.success() && log().contains("before anything was served"), "{ended}: {}", log());
    Ok(())
}
