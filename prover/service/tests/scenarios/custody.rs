//! Data keys under a master key: rotated, killed half-way, moved into a key service and back, and never opened for another tenant.

use crate::{
    clinic::Clinic,
    late_result::{submit, submit_as},
    machines::another,
    running::{Running, SOON, config, keyed},
    site::{Site, on_both},
    stand_in::StandIn,
};
use anyhow::{Context, Result, ensure};
use nightingale::{
    Config, StoreError,
    client::ClientError,
    jobs::{Instant, JobId, Tenant},
    store::{
        Store,
        master::{MasterKeys, file::FileMaster},
        queue::Share,
        seal::Kind,
    },
};
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};
use tempfile::TempDir;
use tokio::task::JoinSet;

pub(crate) fn tenant(name: &str) -> Result<Tenant> {
    Tenant::new(name).context("a tenant's name")
}

const ID: JobId = JobId([9; 16]);

/// A value of each of these tenants, sealed.
async fn sealed(store: &Store, tenants: &[&str]) -> Result<Vec<Vec<u8>>> {
    let mut values = Vec::new();
    for name in tenants {
        values.push(store.seal(&tenant(name)?).await?.seal(Kind::Result, &ID, name.as_bytes())?);
    }
    Ok(values)
}

async fn all_open(store: &Store, tenants: &[&str], values: &[Vec<u8>]) -> Result<()> {
    for (name, value) in tenants.iter().zip(values) {
        let opened = store.seal(&tenant(name)?).await?.open(Kind::Result, &ID, value)?;
        ensure!(opened.as_slice() == name.as_bytes(), "{name} opens as something else");
    }
    Ok(())
}

/// A copy of the data folder whose only key file is `key`.
fn with_key(data: &Path, key: &[u8]) -> Result<(TempDir, Config)> {
    let folder = tempfile::tempdir()?;
    let copy = config(folder.path());
    fs::create_dir_all(&copy.data_dir)?;
    for entry in fs::read_dir(data)? {
        let path = entry?.path();
        let name = path.file_name().context("a name")?.to_string_lossy().into_owned();
        if name.starts_with("jobs.sqlite") {
            fs::copy(&path, copy.data_dir.join(name))?;
        }
    }
    let file = copy.data_dir.join("master.key");
    fs::write(&file, key)?;
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600))?;
    Ok((folder, copy))
}

const TENANTS: [&str; 3] = ["north", "south", "west"];

/// Which of the keys opens the database, tried one by one; the others are told which it is.
async fn opens_with(config: &Config, keys: &[Vec<u8>], values: &[Vec<u8>]) -> Result<Vec<bool>> {
    let mut opened = Vec::new();
    for key in keys {
        let (_folder, copy) = with_key(&config.data_dir, key)?;
        match Store::open(&copy).await {
            Ok(store) => {
                all_open(&store, &TENANTS, values).await?;
                opened.push(true);
            }
            Err(error) => {
                ensure!(
                    error.to_string().contains("another key than the database's, which is file:"),
                    "{error}"
                );
                opened.push(false);
            }
        }
    }
    Ok(opened)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_that_ends_between_its_steps_leaves_exactly_one_key_that_opens() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let config = config(folder.path());
    let (file, next) = (config.data_dir.join("master.key"), config.data_dir.join("master.key.next"));
    let store = Store::open(&config).await?;
    let values = sealed(&store, &TENANTS).await?;
    let to = store.prepare_master(false).await?;
    store.close().await;
    let keys = [fs::read(&file)?, fs::read(&next)?];
    assert_eq!(opens_with(&config, &keys, &values).await?, [true, false], "prepared only");

    // The next process finds the key that was prepared, and no other.
    let store = Store::open(&config).await?;
    let again = store.prepare_master(false).await?;
    assert_eq!(again.id(), to.id());
    assert_eq!(store.rewrap(again.clone()).await?.1, 3);
    assert_eq!(store.rewrap(again).await?.1, 0, "nothing is wrapped twice");
    store.close().await;
    assert_eq!(fs::read(&file)?, keys[0], "not yet in its place");
    assert_eq!(opens_with(&config, &keys, &values).await?, [false, true], "wrapped anew");

    // A server ends it at its start.
    let store = Store::open(&config).await?;
    assert_eq!((fs::read(&file)?, next.exists()), (keys[1].clone(), false));
    all_open(&store, &TENANTS, &values).await?;
    store.close().await;
    let kept: Vec<PathBuf> = fs::read_dir(&config.data_dir)?.flatten().map(|entry| entry.path()).collect();
    let kept = kept.iter().find(|path| path.to_string_lossy().contains(".retired-")).context("not kept")?;
    assert_eq!(fs::read(kept)?, keys[0], "the old key is kept for old backups");
    Ok(())
}

/// The command with `--destroy-old`, and more.
fn destroying(folder: &Path, more: &[&str]) -> Result<String> {
    let toml = crate::server_kill::write_config(folder)?;
    let mut command = Command::new(env!("CARGO_BIN_EXE_nightingale"));
    command.args(["store", "rotate-master", "--destroy-old", "--config"]).arg(toml).args(more);
    let ran = command.stdin(Stdio::null()).output()?;
    ensure!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    Ok(String::from_utf8(ran.stdout)?)
}

/// Which of the keys are in a file somewhere.
fn found(folder: &Path, keys: &[Vec<u8>]) -> Result<Vec<bool>> {
    let mut found = vec![false; keys.len()];
    for path in crate::archive::files(folder)? {
        let bytes = fs::read(path)?;
        for (key, found) in keys.iter().zip(&mut found) {
            *found |= bytes.windows(key.len()).any(|window| window == key);
        }
    }
    Ok(found)
}

#[tokio::test(flavor = "multi_thread")]
async fn no_old_key_is_left_where_they_are_to_be_destroyed_whatever_ended_half_way() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let config = config(folder.path());
    let (file, next) = (config.data_dir.join("master.key"), config.data_dir.join("master.key.next"));
    let store = Store::open(&config).await?;
    let values = sealed(&store, &TENANTS).await?;
    let mut keys = vec![fs::read(&file)?];
    // Killed when the database was rewrapped; a server ended it at its start.
    store.rewrap(store.prepare_master(false).await?).await?;
    store.close().await;
    drop(store);
    Store::open(&config).await?.close().await;
    keys.push(fs::read(&file)?);
    // And one was killed while it made a key: under the name of its draft too.
    fs::hard_link(&file, config.data_dir.join("master.0123456789abcdef.draft"))?;
    assert_eq!(found(folder.path(), &keys)?, [true, true]);
    let told = destroying(folder.path(), &[])?;
    assert_eq!(found(folder.path(), &keys)?, [false, false], "{told}");
    assert_eq!(told.matches("was destroyed").count(), 3, "{told}");
    let store = Store::open(&config).await?;
    all_open(&store, &TENANTS, &values).await?;

    // The other way out of a rotation to a file that was killed: into the service.
    keys = vec![fs::read(&file)?];
    store.rewrap(store.prepare_master(false).await?).await?;
    store.close().await;
    drop(store);
    keys.push(fs::read(&next)?);
    let toml = crate::server_kill::write_config(folder.path())?;
    let text = fs::read_to_string(&toml)?;
    let command = service(folder.path())?;
    fs::write(&toml, format!("{text}[secrets]\nkms_command = {command:?}\n"))?;
    let with_service = Config::read(&toml)?;
    let store = Store::attach(&with_service).await?;
    assert_eq!(store.rotate_master(true).await?.to.as_str(), "kms:one");
    let left = store.old_masters().await?;
    ensure!(left.contains(&next), "{left:?}");
    assert_eq!(store.destroy_old_masters().await?, left);
    assert_eq!(found(folder.path(), &keys)?, [false, false]);
    ensure!(!file.exists() && store.old_masters().await?.is_empty());
    all_open(&store, &TENANTS, &values).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_that_rotates_may_be_killed_at_any_moment() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = crate::server_kill::write_config(folder.path())?;
    let config = Config::read(&file)?;
    let store = Store::open(&config).await?;
    let names: Vec<String> = (0..60).map(|number| format!("tenant-{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let values = sealed(&store, &names).await?;
    store.close().await;
    let rotate = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nightingale"));
        command.args(["store", "rotate-master", "--config"]).arg(&file);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    };
    let begun = std::time::Instant::now();
    ensure!(rotate().status()?.success(), "the command fails by itself");
    let whole = begun.elapsed();
    for step in 0..12u32 {
        let mut child = rotate().spawn()?;
        tokio::time::sleep(whole * (step + 1) / 12).await;
        // SIGKILL.
        child.kill()?;
        child.wait()?;
        let store = Store::attach(&config).await?;
        all_open(&store, &names, &values).await.with_context(|| format!("killed at {step} twelfths"))?;
        store.close().await;
    }
    ensure!(rotate().status()?.success(), "it does not go on");
    let store = Store::open(&config).await?;
    all_open(&store, &names, &values).await
}

/// A key service in a few lines of shell: names its key in every answer, and refuses what it did not wrap.
const SERVICE: &str = r#"#!/bin/sh
set -eu
folder=$(dirname "$0")
test ! -e "$folder/down"
turned() { tr 'A-Za-z0-9+/' 'N-ZA-Mn-za-m5-90-4/+'; }
mark() { printf '%s %s' "$1" "$(cat "$folder/secret-$1")" | sha256sum | cut -c1-64; }
case $1 in
key-id) cat "$folder/current" ;;
wrap)
    body=$(turned)
    printf '%s %s %s' "$NIGHTINGALE_KMS_KEY" "$(mark "$NIGHTINGALE_KMS_KEY")" "$body" | base64 -w 0 ;;
unwrap)
    echo "$NIGHTINGALE_KMS_KEY" >> "$folder/asked"
    test ! -e "$folder/slow" || sleep 2
    while test -e "$folder/hangs"; do sleep 0.2; done
    base64 -d | {
        read -r key mark body || true
        test "$key" = "$NIGHTINGALE_KMS_KEY"
        test "$mark" = "$(mark "$key")"
        printf '%s' "$body" | tr 'N-ZA-Mn-za-m5-90-4/+' 'A-Za-z0-9+/'
    } ;;
esac
"#;

/// Writes the service and two keys of its.
pub(crate) fn service(folder: &Path) -> Result<Vec<String>> {
    let path = folder.join("kms");
    fs::write(&path, SERVICE)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700))?;
    fs::write(folder.join("secret-one"), "first secret")?;
    fs::write(folder.join("secret-two"), "second secret")?;
    fs::write(folder.join("current"), "one\n")?;
    Ok(vec![path.display().to_string()])
}

#[tokio::test(flavor = "multi_thread")]
async fn the_master_key_moves_into_a_key_service_and_back() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let plain = config(folder.path());
    let store = Store::open(&plain).await?;
    let values = sealed(&store, &TENANTS).await?;
    store.close().await;

    let mut with_service = plain.clone();
    with_service.secrets.kms_command = service(folder.path())?;
    let store = Store::open(&with_service).await?;
    all_open(&store, &TENANTS, &values).await.context("before the rotation, by the file")?;
    let rotated = store.rotate_master(true).await?;
    assert_eq!((rotated.to.as_str(), rotated.keys), ("kms:one", 3));
    let retired = rotated.retired.context("the file is retired")?;
    assert!(!plain.data_dir.join("master.key").exists(), "no key is left beside the database");
    nightingale::store::master::source::MasterSource::destroy(&retired)?;
    assert!(!retired.exists());
    store.close().await;
    assert!(Store::open(&plain).await.is_err(), "without the service nothing opens");

    fs::write(folder.path().join("current"), "two\n")?;
    let store = Store::open(&with_service).await?;
    all_open(&store, &TENANTS, &values).await.context("the service still opens with its earlier key")?;
    let rotated = store.rotate_master(true).await?;
    assert_eq!((rotated.from.as_str(), rotated.to.as_str(), rotated.keys), ("kms:one", "kms:two", 3));
    store.close().await;
    fs::remove_file(folder.path().join("secret-one"))?;
    let store = Store::open(&with_service).await?;
    all_open(&store, &TENANTS, &values).await.context("by the new key alone")?;

    fs::write(folder.path().join("down"), "")?;
    all_open(&store, &TENANTS, &values).await.context("what was opened once is held")?;
    let refused = store.seal(&tenant("new")?).await.err().context("a key without the service")?;
    assert!(matches!(refused, StoreError::KeyService(_)) && refused.is_transient(), "{refused}");
    fs::remove_file(folder.path().join("down"))?;
    store.seal(&tenant("new")?).await?;

    let rotated = store.rotate_master(false).await?;
    assert_eq!((rotated.from.as_str(), rotated.keys), ("kms:two", 4));
    store.close().await;
    let store = Store::open(&plain).await?;
    all_open(&store, &TENANTS, &values).await.context("by a file again")
}

on_both!(a_process_that_runs_goes_on_through_rotations_by_another);

async fn a_process_that_runs_goes_on_through_rotations_by_another(site: Site) -> Result<()> {
    let config = Config::read(&site.file()?)?;
    let server = Store::open(&config).await?;
    let values = sealed(&server, &TENANTS[..2]).await?;
    let other = Store::attach(&config).await?;
    other.rotate_master(false).await?;
    all_open(&server, &TENANTS[..2], &values).await?;
    let made_after = server.seal(&tenant("west")?).await?.seal(Kind::Result, &ID, b"west")?;
    all_open(&other, &["west"], std::slice::from_ref(&made_after))
        .await
        .context("made under the new master key")?;

    assert_eq!(other.rotate_tenant(&tenant("west")?).await?, 2);
    let newer = server.seal(&tenant("west")?).await?;
    assert_eq!(newer.version(), 2, "the next value is sealed under the new data key");
    assert_eq!(newer.open(Kind::Result, &ID, &made_after)?.as_slice(), b"west");
    other.rotate_master(false).await?;
    let fresh = Store::attach(&config).await?;
    all_open(&fresh, &["west", "west"], &[made_after, newer.seal(Kind::Result, &ID, b"west")?]).await
}

/// The key is rotated on one machine, and brought to the others by hand.
#[tokio::test(flavor = "multi_thread")]
async fn a_job_waits_on_a_machine_that_has_no_new_master_key_yet() -> Result<()> {
    let Some(site) = Site::postgres().await? else { return Ok(()) };
    let oracle = site.oracle().await?;
    let here = Config::read(&site.file()?)?;
    let there = Config::read(&another(&site, "there")?)?;
    let server = Running::start(there.clone(), StandIn::default()).await?;
    let store = Store::open(&here).await?;
    store.rotate_master(false).await?;
    submit(&store, &tenant("north")?, &Clinic::new()?.file(0, &[1])?).await?;
    let given_back = async {
        while oracle.number("SELECT COUNT(*) FROM jobs WHERE state = 'queued' AND attempts > 0").await? == 0 {
            ensure!(oracle.count("failed").await? == 0, "given up for want of a key");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    };
    tokio::time::timeout(SOON, given_back).await.context("it is not given back")??;
    fs::copy(here.data_dir.join("master.key"), there.data_dir.join("master.key"))?;
    oracle.until("done", 1, SOON).await?;
    ensure!(oracle.number("SELECT COUNT(*) FROM jobs WHERE losses > 0").await? == 0, "counted as lost");
    store.close().await;
    server.stop().await
}

/// One lane, and the key of the tenant whose job comes first is not to be had on its machine.
#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_whose_key_is_missing_keeps_nobody_elses_jobs_from_running() -> Result<()> {
    let Some(site) = Site::postgres().await? else { return Ok(()) };
    let oracle = site.oracle().await?;
    let here = Config::read(&site.file()?)?;
    let there = Config { workers: 1, ..Config::read(&another(&site, "there")?)? };
    let server = Running::start(there.clone(), StandIn::default()).await?;
    let store = Store::open(&here).await?;
    let (north, south) = (tenant("north")?, tenant("south")?);
    let request = Clinic::new()?.denied(0)?;
    submit(&store, &south, &request).await?;
    oracle.until("done", 1, SOON).await?;
    store.rotate_master(false).await?;
    submit(&store, &north, &request).await?;
    for number in 1..=4 {
        submit_as(&store, &south, &request, number).await?;
    }
    oracle.until("done", 5, SOON).await.context("behind a job that cannot be opened")?;
    ensure!(oracle.count("failed").await? == 0, "given up for want of a key");
    fs::copy(here.data_dir.join("master.key"), there.data_dir.join("master.key"))?;
    oracle.until("done", 6, SOON).await.context("its key is there again")?;
    store.close().await;
    server.stop().await
}

/// It has as many lanes as there are jobs of the tenant whose key it asks for.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_service_that_hangs_takes_one_lane_and_not_all() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut config = Config { workers: 2, database: None, ..config(folder.path()) };
    config.secrets.kms_command = service(folder.path())?;
    let server = Running::start(config.clone(), StandIn::default()).await?;
    let store = Store::attach(&config).await?;
    let (north, south) = (tenant("north")?, tenant("south")?);
    let request = Clinic::new()?.denied(0)?;
    let database = crate::earlier_release::database(&config).await?;
    let done = async |least: i64| {
        let wait = async {
            let count = "SELECT COUNT(*) FROM jobs WHERE state = 'done'";
            while sqlx::query_scalar::<_, i64>(count).fetch_one(&database).await? < least {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            anyhow::Ok(())
        };
        // Less than the service is waited for.
        tokio::time::timeout(Duration::from_secs(12), wait)
            .await
            .with_context(|| format!("no {least} are done"))?
    };
    submit(&store, &south, &request).await?;
    done(1).await?;
    store.seal(&north).await?;
    fs::write(folder.path().join("hangs"), "")?;
    for number in 0..2 {
        submit_as(&store, &north, &request, number).await?;
    }
    for number in 1..=4 {
        submit_as(&store, &south, &request, number).await?;
    }
    done(5).await.context("behind jobs whose key is asked for")?;
    fs::remove_file(folder.path().join("hangs"))?;
    done(7).await?;
    store.close().await;
    server.stop().await
}

/// A lane's patience with a key service, and some more.
const LANE: Duration = Duration::from_secs(5);

/// Two processes on one database, under a key service in this folder.
async fn pair(folder: &Path) -> Result<(Store, Store)> {
    let mut config = config(folder);
    config.secrets.kms_command = service(folder)?;
    Ok((Store::open(&config).await?, Store::attach(&config).await?))
}

/// From now on the service hangs, and what it is asked is counted.
fn hang(folder: &Path) -> Result<()> {
    fs::write(folder.join("hangs"), "")?;
    Ok(fs::remove_file(folder.join("asked"))?)
}

/// How often it was asked since then.
fn asked(folder: &Path) -> Result<usize> {
    Ok(fs::read_to_string(folder.join("asked"))?.lines().count())
}

/// Jobs of one tenant that the other process leases before it asks for the key: both requests are given up soon, of one question that goes on
/// meanwhile, and open when it is answered.
async fn lanes_wait_for_one_question(store: &Store, other: &Store, folder: &Path) -> Result<()> {
    let request = Clinic::new()?.denied(0)?;
    for number in 0..3 {
        submit_as(store, &tenant("north")?, &request, number).await?;
    }
    hang(folder)?;
    let lease = async || other.lease(Share::Claims, Instant::now(), Duration::from_secs(60)).await;
    let first = lease().await?.context("nothing was leased")?;
    let second = lease().await?.context("nothing was leased")?;
    let both = async { tokio::join!(other.request(&first), other.request(&second)) };
    let (one, two) = tokio::time::timeout(LANE, both).await.context("the lanes wait for the service")?;
    for given_up in [one.err(), two.err()] {
        ensure!(matches!(given_up, Some(StoreError::KeyService(_))), "{given_up:?}");
    }
    ensure!(lease().await?.is_none(), "leased, though its key is asked for");
    ensure!(asked(folder)? == 1, "asked more than once");
    fs::remove_file(folder.join("hangs"))?;
    let opened = async {
        while other.request(&first).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        anyhow::Ok(other.request(&second).await?.len())
    };
    ensure!(tokio::time::timeout(SOON, opened).await.context("never opened")?? > 0);
    Ok(())
}

/// Both were leased before either asked for the key.
#[tokio::test(flavor = "multi_thread")]
async fn no_lane_waits_for_a_key_service_that_takes_its_time() -> Result<()> {
    let folder = tempfile::tempdir()?;
    // The other has opened no key yet.
    let (store, other) = pair(folder.path()).await?;
    lanes_wait_for_one_question(&store, &other, folder.path()).await?;
    store.close().await;
    other.close().await;
    Ok(())
}

/// The key that it has open is not the newest.
#[tokio::test(flavor = "multi_thread")]
async fn nor_for_the_key_that_a_rotation_made() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (store, other) = pair(folder.path()).await?;
    let north = tenant("north")?;
    store.seal(&north).await?;
    other.seal(&north).await?;
    store.rotate_tenant(&north).await?;
    lanes_wait_for_one_question(&store, &other, folder.path()).await?;
    store.close().await;
    other.close().await;
    Ok(())
}

/// Each waits for its tenant's key, and none for a place that others need.
#[tokio::test(flavor = "multi_thread")]
async fn submissions_that_wait_for_one_tenants_key_keep_nobody_elses_out() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut config = config(folder.path());
    config.secrets.kms_command = service(folder.path())?;
    let server = Running::start(config.clone(), StandIn::default()).await?;
    let (north, mut south) = (server.client_of("north").await?, server.client_of("south").await?);
    let file = Clinic::new()?.file(0, &[1])?;
    south.adjudicate(file.clone(), keyed("first"), false).await?;
    // The server has not opened this one.
    let other = Store::attach(&config).await?;
    other.seal(&tenant("north")?).await?;
    hang(folder.path())?;
    let mut waiting = JoinSet::new();
    // More than there are places.
    for number in 0..130 {
        let (mut north, file) = (north.clone(), file.clone());
        waiting.spawn(async move { north.adjudicate(file, keyed(&number.to_string()), false).await });
    }
    // One too many of its own is refused: all the others have their places by then.
    let refused = tokio::time::timeout(LANE, waiting.join_next()).await.context("none is refused")?;
    let refused = refused.context("none was sent")??.err().context("accepted without a key")?;
    ensure!(matches!(&refused, ClientError::Refused { reason, .. } if reason == "OVERLOADED"), "{refused}");
    south.adjudicate(file, keyed("second"), false).await.context("its key is open")?;
    fs::remove_file(folder.path().join("hangs"))?;
    let mut accepted = 0;
    while let Some(answer) = waiting.join_next().await {
        accepted += usize::from(answer?.is_ok());
    }
    ensure!(accepted >= 100, "{accepted} accepted");
    other.close().await;
    server.stop().await
}

/// Each would leave a thread behind that waits for the service.
#[tokio::test(flavor = "multi_thread")]
async fn callers_that_go_away_while_a_key_is_asked_for_leave_one_question() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (store, other) = pair(folder.path()).await?;
    let (north, south) = (tenant("north")?, tenant("south")?);
    store.seal(&north).await?;
    store.seal(&south).await?;
    other.seal(&south).await?;
    hang(folder.path())?;
    for _ in 0..600 {
        let gone = tokio::time::timeout(Duration::from_millis(2), other.seal(&north)).await;
        ensure!(gone.is_err(), "opened while the service hangs");
    }
    let asked = asked(folder.path())?;
    ensure!(asked == 1, "asked {asked} times");
    other.seal(&south).await.context("what is open")?;
    let free = tokio::time::timeout(SOON, tokio::task::spawn_blocking(|| ())).await;
    free.context("no thread is free")??;
    fs::remove_file(folder.path().join("hangs"))?;
    other.seal(&north).await.context("the question that went on")?;
    store.close().await;
    other.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_key_in_another_tenants_row_is_refused() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let config = config(folder.path());
    let store = Store::open(&config).await?;
    sealed(&store, &TENANTS).await?;
    store.close().await;
    let pool = crate::earlier_release::database(&config).await?;
    let moved = "UPDATE tenant_keys SET wrapped = (SELECT wrapped FROM tenant_keys WHERE tenant = 'south') WHERE tenant = 'north'";
    sqlx::query(moved).execute(&pool).await?;
    pool.close().await;
    let store = Store::open(&config).await?;
    let refused = store.seal(&tenant("north")?).await.err().context("opened another tenant's key")?;
    assert!(matches!(refused, StoreError::Sealed), "{refused}");
    store.seal(&tenant("south")?).await?;
    let failed = store.rotate_master(false).await.err().context("wrapped what it cannot open")?;
    assert!(failed.to_string().contains("cannot be opened"), "{failed}");
    store.seal(&tenant("south")?).await?;
    Ok(())
}

#[test]
fn the_name_of_a_key_says_nothing_about_the_key() {
    let (one, other) = (FileMaster::of([1; 32]), FileMaster::of([2; 32]));
    assert_ne!(one.id(), other.id());
    assert!(!one.id().as_str().contains(&hex::encode([1; 32])));
}
