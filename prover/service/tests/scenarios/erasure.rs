//! A tenant is erased: its jobs end, its name is refused, and nothing that was sealed for it opens again, while others go on.

use crate::{
    clinic::{Clinic, result},
    custody::tenant,
    earlier_release::database,
    postgres::Cluster,
    running::{Running, config, ended, in_state, keyed},
    site::{Site, on_both},
    stand_in::StandIn,
};
use anyhow::{Context, Result, ensure};
use nightingale::{
    Config, StoreError,
    client::ClientError,
    jobs::{Instant, JobId},
    store::{
        Store,
        master::{self, file::FileMaster},
        seal::Kind,
    },
};
use nightingale_proto::v1::{self, JobState};
use std::{fs, path::Path, process::Command, sync::atomic::Ordering};

fn copied(config: &Config, to: &Path) -> Result<Config> {
    let copy = crate::running::config(to);
    fs::create_dir_all(&copy.data_dir)?;
    for entry in fs::read_dir(&config.data_dir)? {
        let path = entry?.path();
        if path.is_file() {
            // By another process: whoever opens and closes the file in the server's takes the server's locks from it, and the next command that has
            // the database to itself, as it seems, removes the server's log.
            let copied = Command::new("cp").arg(&path).arg(&copy.data_dir).status()?;
            ensure!(copied.success(), "{} is not copied", path.display());
        }
    }
    Ok(copy)
}

/// A tenant's wrapped key, read from the database as a thief would.
async fn wrapped(config: &Config, tenant: &str) -> Result<Option<Vec<u8>>> {
    let pool = database(config).await?;
    let key = sqlx::query_scalar("SELECT wrapped FROM tenant_keys WHERE tenant = ?").bind(tenant);
    let key = key.fetch_optional(&pool).await?;
    pool.close().await;
    Ok(key)
}

fn holds(folder: &Path, secret: &[u8]) -> Result<Option<String>> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_file() && fs::read(&path)?.windows(secret.len()).any(|window| window == secret) {
            return Ok(Some(path.display().to_string()));
        }
    }
    Ok(None)
}

fn refused_as_erased<T>(answer: Result<T, ClientError>) -> Result<()> {
    match answer {
        Err(ClientError::Refused { reason, .. }) if reason == "TENANT_ERASED" => Ok(()),
        Err(other) => anyhow::bail!("refused with {other}"),
        Ok(_) => anyhow::bail!("an erased tenant was served"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_an_erased_tenant_opens_again_and_others_go_on() -> Result<()> {
    let (folder, before, after) = (tempfile::tempdir()?, tempfile::tempdir()?, tempfile::tempdir()?);
    let config = config(folder.path());
    let server = Running::start(config.clone(), StandIn::default()).await?;
    let (mut north, mut south) = (server.client_of("north").await?, server.client_of("south").await?);
    let (mut clinic, mut other) = (Clinic::new()?, Clinic::at(2)?);
    let done = north.adjudicate(clinic.file(0, &[1])?, keyed("done"), true).await?;
    let theirs = south.adjudicate(other.file(0, &[1])?, keyed("done"), true).await?;
    server.prover.held.store(true, Ordering::Relaxed);
    let running = north.adjudicate(clinic.file(1, &[1])?, keyed("running"), false).await?;
    let queued = north.adjudicate(clinic.file(2, &[1])?, keyed("queued"), false).await?;
    in_state(&mut north, &running.id, JobState::Running).await?;

    // Before: a thief with the master key and a copy reads everything. So the test looks for what is there.
    let copy = copied(&config, before.path())?;
    let id = JobId::parse(&done.id).context("an id")?;
    let thief = Store::open(&copy).await?;
    let job = thief.job(&tenant("north")?, &id).await?.context("no job")?;
    assert!(job.decision.is_some(), "the copy does not open");
    thief.close().await;
    let key = wrapped(&config, "north").await?.context("no key")?;
    let file = FileMaster::read(&config.data_dir.join("master.key"))?.context("no master key")?;
    let data_key = master::unwrap(&file, &tenant("north")?, 1, &key)?;
    ensure!(holds(&copy.data_dir, &key)?.is_some(), "the wrapped key is nowhere");

    let toml = crate::server_kill::write_config(folder.path())?;
    let erase = |confirm: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nightingale"));
        command.args(["store", "erase-tenant", "north", "--reason", "contract ended", "--confirm", confirm]);
        command.arg("--config").arg(&toml).output()
    };
    assert_eq!(erase("south")?.status.code(), Some(1), "the name was not confirmed");
    let clear = config.data_dir.join("datasets/north");
    fs::create_dir_all(&clear)?;
    let erased = erase("north")?;
    ensure!(erased.status.success(), "{}", String::from_utf8_lossy(&erased.stderr));
    assert!(
        String::from_utf8_lossy(&erased.stdout).contains("1 data keys were destroyed, 2 open jobs ended")
    );
    let warned = String::from_utf8_lossy(&erased.stderr).into_owned();
    ensure!(warned.contains("datasets/north is left"), "folders in clear are not named: {warned}");
    fs::remove_dir_all(&clear)?;

    // Every way in is closed, with the reason.
    refused_as_erased(north.job(&done.id).await)?;
    refused_as_erased(north.jobs(&[], 10).await)?;
    refused_as_erased(north.cancel(&queued.id).await)?;
    refused_as_erased(north.adjudicate(clinic.file(3, &[1])?, keyed("later"), false).await)?;
    refused_as_erased(north.adjudicate(clinic.file(0, &[1])?, keyed("done"), false).await)?;
    refused_as_erased(north.datasets().await)?;
    refused_as_erased(north.register_dataset("trial").await)?;
    refused_as_erased(north.query(v1::QueryRequest { dataset: vec![1; 32], ..question() }).await)?;
    refused_as_erased(north.publish(Some(nightingale::client::epoch_message(clinic.epoch())), None).await)?;
    assert!(result(&south.job(&theirs.id).await?)?.approved, "another tenant's result is gone");
    server.prover.let_go();
    let more = south.adjudicate(other.file(1, &[1])?, keyed("more"), false).await?;
    assert!(result(&ended(&mut south, &more.id).await?)?.approved);
    server.stop().await?;

    // After: the master key and a copy of everything do not help.
    let copy = copied(&config, after.path())?;
    assert_eq!(wrapped(&copy, "north").await?, None);
    for secret in [key.as_slice(), data_key.as_slice()] {
        assert_eq!(holds(&copy.data_dir, secret)?, None, "the key is still in the file");
        assert_eq!(holds(&config.data_dir, secret)?, None, "the key is still in the data folder");
    }
    let thief = Store::open(&copy).await?;
    let refused = thief.job(&tenant("north")?, &id).await.err().context("opened")?;
    assert!(matches!(refused, StoreError::TenantErased), "{refused}");
    assert!(thief.seal(&tenant("north")?).await.is_err(), "a new key was made for an erased name");
    // Even where the record of the erasure is removed: a new key opens nothing of before.
    let pool = database(&copy).await?;
    sqlx::query("DELETE FROM erased_tenants").execute(&pool).await?;
    let sealed: Vec<u8> = sqlx::query_scalar("SELECT result FROM jobs WHERE id = ?")
        .bind(id.0.to_vec())
        .fetch_one(&pool)
        .await?;
    pool.close().await;
    let forged = thief.seal(&tenant("north")?).await?;
    assert!(forged.open(Kind::Result, &id, &sealed).is_err());
    let theirs = JobId::parse(&theirs.id).context("an id")?;
    assert!(thief.job(&tenant("south")?, &theirs).await?.context("no job")?.decision.is_some());
    thief.close().await;

    let states = jobs_of(&config, "north").await?;
    assert_eq!(states.len(), 3, "each ended once, and is on record");
    for (id, state, code) in states {
        match id == done.id {
            true => assert_eq!((state.as_str(), code), ("done", None)),
            false => assert_eq!((state.as_str(), code.as_deref()), ("failed", Some("TENANT_ERASED"))),
        }
    }
    Ok(())
}

fn question() -> v1::QueryRequest {
    v1::QueryRequest {
        idempotency_key: "k".to_owned(),
        sql: "SELECT COUNT(*) FROM t".to_owned(),
        ..Default::default()
    }
}

async fn jobs_of(config: &Config, tenant: &str) -> Result<Vec<(String, String, Option<String>)>> {
    let pool = database(config).await?;
    let rows: Vec<(Vec<u8>, String, Option<String>)> =
        sqlx::query_as("SELECT id, state, failure_code FROM jobs WHERE tenant = ? AND ended IS NOT NULL")
            .bind(tenant)
            .fetch_all(&pool)
            .await?;
    pool.close().await;
    Ok(rows.into_iter().map(|(id, state, code)| (hex::encode(id), state, code)).collect())
}

on_both!(an_erasure_done_twice_changes_nothing_more);

async fn an_erasure_done_twice_changes_nothing_more(site: Site) -> Result<()> {
    let store = Store::open(&Config::read(&site.file()?)?).await?;
    let north = tenant("north")?;
    store.seal(&north).await?;
    store.rotate_tenant(&north).await?;
    let first = store.erase_tenant(&north, "asked for", Instant::now()).await?;
    assert_eq!((first.keys, first.jobs.len(), first.is_swept), (2, 0, true));
    let second = store.erase_tenant(&north, "asked again", Instant::now()).await?;
    assert_eq!((second.keys, second.jobs.len(), second.is_swept), (0, 0, true));
    assert!(store.is_erased(&north).await? && !store.is_erased(&tenant("south")?).await?);
    assert!(store.rotate_tenant(&north).await.is_err());
    Ok(())
}

/// What is left of the key in PostgreSQL's tables. Its journal is another matter, and its operator's: docs/secrets.md.
#[tokio::test(flavor = "multi_thread")]
async fn postgresqls_tables_hold_no_copy_of_a_destroyed_key() -> Result<()> {
    let data = tempfile::tempdir()?;
    let cluster =
        Cluster::in_folder(data.path().to_owned(), None, std::net::Ipv4Addr::LOCALHOST.into()).await?;
    let Some(cluster) = cluster else { return Ok(()) };
    let url = cluster.database().await?;
    let site = Site::with(Some(url.clone()))?;
    let store = Store::open(&Config::read(&site.file()?)?).await?;
    for name in ["north", "south"] {
        store.seal(&tenant(name)?).await?;
    }
    let pool = sqlx::PgPool::connect(&url).await?;
    let key: Vec<u8> =
        sqlx::query_scalar("SELECT wrapped FROM tenant_keys WHERE tenant = 'north'").fetch_one(&pool).await?;
    let in_tables = |key: &[u8]| -> Result<bool> {
        for path in crate::canary::files(&data.path().join("data/base"))? {
            if fs::read(&path)?.windows(key.len()).any(|window| window == key) {
                return Ok(true);
            }
        }
        Ok(false)
    };
    sqlx::query("CHECKPOINT").execute(&pool).await?;
    ensure!(in_tables(&key)?, "the test looks for what is nowhere");
    // Somebody who began before may see the deleted rows, and they are kept for him.
    let mut older = pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ").await?;
    let _: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM jobs").fetch_one(&mut *older).await?;
    let erased = store.erase_tenant(&tenant("north")?, "asked for", Instant::now()).await?;
    ensure!(!erased.is_swept, "said to be gone while somebody sees it");
    older.rollback().await?;
    let erased = store.erase_tenant(&tenant("north")?, "asked for", Instant::now()).await?;
    ensure!(erased.is_swept, "nobody sees it any more");
    sqlx::query("CHECKPOINT").execute(&pool).await?;
    ensure!(!in_tables(&key)?, "a copy of the key is left in a table");
    store.seal(&tenant("south")?).await?;
    Ok(())
}
