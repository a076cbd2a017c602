//! A database of the release before data keys, as that release wrote it: two claims done, one waiting in the queue, and the master key from
//! which it derived its keys. `earlier_release/` holds its dump, the key, and the request that waits.

use crate::{
    clinic::{Clinic, result},
    custody::tenant,
    running::{Running, config, ended, keyed},
    stand_in::StandIn,
};
use anyhow::{Context, Result};
use nightingale::{
    Config,
    jobs::{Instant, JobId, State},
    store::{Store, idempotency::Space, jobs::Submitted, queue::Share},
};
use sqlx::{SqlitePool, sqlite::SqliteConnectOptions};
use std::{fs, os::unix::fs::PermissionsExt, path::Path, time::Duration};

const DUMP: &str = include_str!("earlier_release/jobs.sql");
const MASTER: &str = include_str!("earlier_release/master.hex");
const REQUEST: &[u8] = include_bytes!("earlier_release/request.json");
/// The key under which `south` submitted the request.
const KEY: &str = "c0.2";
const WAITING: &str = "4eba49df54ea1b77f3fae740c1e9b472";
const DONE: &str = "93643bf6abe798067640090e41219f59";

/// The database of a data folder, opened as anybody could.
pub(crate) async fn database(config: &Config) -> Result<SqlitePool> {
    let options = SqliteConnectOptions::new().filename(config.data_dir.join("jobs.sqlite"));
    Ok(SqlitePool::connect_with(options.create_if_missing(true)).await?)
}

/// Puts the database there, with a master key.
async fn restore(config: &Config, master: &[u8]) -> Result<()> {
    fs::create_dir_all(&config.data_dir)?;
    let pool = database(config).await?;
    sqlx::raw_sql(DUMP).execute(&pool).await?;
    pool.close().await;
    let key = config.data_dir.join("master.key");
    fs::write(&key, master)?;
    Ok(fs::set_permissions(&key, fs::Permissions::from_mode(0o600))?)
}

async fn count(config: &Config, sql: &'static str) -> Result<i64> {
    let pool = database(config).await?;
    let count = sqlx::query_scalar(sql).fetch_one(&pool).await?;
    pool.close().await;
    Ok(count)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_release_before_data_keys_sealed_still_opens() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let config = config(folder.path());
    restore(&config, &hex::decode(MASTER.trim())?).await?;
    let store = Store::open(&config).await?;
    let done = JobId::parse(DONE).context("an id")?;
    let job = store.job(&tenant("north")?, &done).await?.context("the job is gone")?;
    assert_eq!(job.state, State::Done);
    assert!(job.decision.context("no decision")?.proof_json.starts_with(b"{"));

    let south = tenant("south")?;
    let Some(Submitted::Known(known)) = store.find(&south, Space::Claim, KEY, REQUEST).await? else {
        anyhow::bail!("the earlier submission is not found")
    };
    assert_eq!(known.id.to_string(), WAITING);
    let now = Instant::now();
    let lease = store.lease(Share::Claims, now, Duration::from_secs(60)).await?.context("nothing queued")?;
    assert_eq!(lease.id.to_string(), WAITING);
    assert_eq!(store.request(&lease).await?.as_slice(), REQUEST);
    store.release(&lease).await?;
    store.close().await;

    assert_eq!(count(&config, "SELECT COUNT(*) FROM meta WHERE name = 'master'").await?, 0);
    assert_eq!(
        count(&config, "SELECT COUNT(*) FROM tenant_keys WHERE derived = 1 AND version = 1").await?,
        2
    );
    // From here on it is a database like any other: keys change, and both kinds of values open.
    let store = Store::open(&config).await?;
    assert_eq!(store.rotate_master(false).await?.keys, 2);
    assert_eq!(store.rotate_tenant(&tenant("north")?).await?, 2);
    store.close().await;
    let server = Running::start(config.clone(), StandIn::default()).await?;
    let mut client = server.client_of("south").await?;
    assert!(result(&ended(&mut client, WAITING).await?)?.proof_json.len() > 100, "the waiting job went on");
    let mut client = server.client().await?;
    let job = client.adjudicate(Clinic::new()?.file(0, &[1])?, keyed("new"), true).await?;
    assert!(result(&job)?.approved);
    assert!(!result(&client.job(DONE).await?)?.proof_json.is_empty());
    server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn another_master_key_brings_nothing_over() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let config = config(folder.path());
    restore(&config, &[5; 32]).await?;
    let error = Store::open(&config).await.err().context("opened")?.to_string();
    assert!(error.contains("another one than the database was sealed with"), "{error}");
    assert_eq!(count(&config, "SELECT COUNT(*) FROM tenant_keys").await?, 0);
    let attached = Store::attach(&config).await.err().context("a worker opened it")?.to_string();
    assert!(attached.contains("start the server, which brings them over"), "{attached}");
    fs::write(config.data_dir.join("master.key"), hex::decode(MASTER.trim())?)?;
    Store::open(&config).await?.close().await;
    assert!(Path::new(&config.data_dir).join("master.key").exists());
    Ok(())
}
