//! A copy that is taken while jobs run, and put back elsewhere: every job of it ends once, and without the master key it is nothing.

use crate::{
    audit::{entries, fact, of},
    clinic::{Clinic, MARKERS, result},
    consent_ledger::{granting, revoking},
    running::{ended, keyed},
    server_kill::{start, write_config},
};
use anyhow::{Context, Result};
use nightingale::client::{Client, ClientError};
use nightingale_proto::v1::{Job, JobState};
use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, chown},
    path::Path,
    process::{Output, Stdio},
    time::Duration,
};
use tokio::process::Command;

/// The clinic has 8 members, each with a claim that is approved; the rest are denied, which is proven too.
const MEMBERS: usize = 8;
const CLAIMS: usize = 40;

async fn nightingale(arguments: &[&str], config: &Path, file: &Path) -> Result<Output> {
    let name = if arguments.contains(&"backup") { "--out" } else { "--from" };
    let mut command = Command::new(env!("CARGO_BIN_EXE_nightingale"));
    command.args(arguments).arg("--config").arg(config).arg(name).arg(file).stdin(Stdio::null());
    Ok(command.output().await?)
}

async fn done(arguments: &[&str], config: &Path, file: &Path) -> Result<String> {
    let output = nightingale(arguments, config, file).await?;
    anyhow::ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

async fn refused(arguments: &[&str], config: &Path, file: &Path) -> Result<String> {
    let output = nightingale(arguments, config, file).await?;
    assert_eq!(output.status.code(), Some(2));
    Ok(String::from_utf8(output.stderr)?)
}

fn proof(job: &Job) -> Vec<u8> {
    result(job).map(|result| result.proof_json.clone()).unwrap_or_default()
}

/// The jobs by name with what they have, proofs included.
async fn all(client: &mut Client) -> Result<BTreeMap<String, Job>> {
    let mut jobs = BTreeMap::new();
    for job in client.jobs(&[], 1000).await? {
        jobs.insert(job.id.clone(), client.job(&job.id).await?);
    }
    Ok(jobs)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_a_working_server_goes_on_elsewhere_and_each_job_of_it_ends_once() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (config, log) = (write_config(folder.path())?, folder.path().join("log"));
    let copy = folder.path().join("copy.sqlite");
    let mut clinic = Clinic::new()?;
    let mut server = start(&config, &log).await?;
    let mut client = Client::connect(&server.address, "north").await?;
    for number in 0..CLAIMS {
        let member = number % MEMBERS;
        let request = if number < MEMBERS { clinic.file(member, &[1])? } else { clinic.denied(member)? };
        client.adjudicate(request, keyed(&format!("k{number}")), false).await?;
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    let said = done(&["store", "backup"], &config, &copy).await?;
    assert!(said.starts_with("copied to ") && said.contains(&format!("{CLAIMS} jobs, ")), "{said}");
    assert_eq!(fs::metadata(&copy)?.permissions().mode() & 0o777, 0o600);
    // Accepted after the copy: lost with the machine, and said so in docs/operations.md.
    let later = clinic.denied(0)?;
    let late = client.adjudicate(later.clone(), keyed("later"), false).await?.id;
    let before = all(&mut client).await?;
    // `kill` is SIGKILL: the machine is gone.
    server.child.kill().await?;

    let elsewhere = tempfile::tempdir()?;
    let (config, log) = (write_config(elsewhere.path())?, elsewhere.path().join("log"));
    let said = done(&["store", "restore"], &config, &copy).await?;
    assert!(said.starts_with("restored from ") && said.contains(&format!("{CLAIMS} jobs, ")), "{said}");
    fs::copy(folder.path().join("data/master.key"), elsewhere.path().join("data/master.key"))?;
    let mut server = start(&config, &log).await?;
    let mut client = Client::connect(&server.address, "north").await?;
    let restored = all(&mut client).await?;
    assert_eq!(restored.len(), CLAIMS);
    let already = restored.values().filter(|job| job.state() == JobState::Done).count();
    assert!(already < CLAIMS, "nothing was open when the copy was taken");
    for (id, job) in &restored {
        assert!(before.contains_key(id), "a job that nobody submitted");
        let end = ended(&mut client, id).await?;
        assert_eq!(end.state(), JobState::Done);
        // What had its proof in the copy keeps it.
        let proven =
            if job.state() == JobState::Done { proof(&before[id]) } else { proof(&client.job(id).await?) };
        assert_eq!(proof(&client.job(id).await?), proven);
        assert!(!proven.is_empty());
    }
    let unknown = client.job(&late).await;
    assert!(matches!(unknown, Err(ClientError::Refused { ref reason, .. }) if reason == "JOB_UNKNOWN"));
    let again = client.adjudicate(later, keyed("later"), true).await?;
    assert_eq!(again.state(), JobState::Done, "sent again under its key, it is a job again");
    assert_eq!(client.jobs(&[JobState::Done], 1000).await?.len(), CLAIMS + 1);
    server.child.kill().await?;
    Ok(())
}

/// What was revoked after the copy stands again: the command says so, and the logs of all tenants, once.
#[tokio::test(flavor = "multi_thread")]
async fn a_restore_says_that_consents_and_entries_since_are_gone_and_is_on_record() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (config, log) = (write_config(folder.path())?, folder.path().join("log"));
    let copy = folder.path().join("copy.sqlite");
    let mut server = start(&config, &log).await?;
    let mut client = Client::connect(&server.address, "north").await?;
    let mut south = Client::connect(&server.address, "south").await?;
    client.grant(granting("g", 0, "", "", true)).await?;
    client.publish_consents("p").await?;
    south.grant(granting("g", 1, "", "", true)).await?;
    let said = done(&["store", "backup"], &config, &copy).await?;
    assert!(!said.contains("newest"), "{said}");
    client.revoke(revoking("r", 0)).await?;
    let before = entries(&mut client).await?;
    server.child.kill().await?;

    let elsewhere = tempfile::tempdir()?;
    let (config, log) = (write_config(elsewhere.path())?, elsewhere.path().join("log"));
    let output = nightingale(&["store", "restore"], &config, &copy).await?;
    let (said, warned) = (String::from_utf8(output.stdout)?, String::from_utf8(output.stderr)?);
    assert!(output.status.success(), "{warned}");
    for what in ["statement of a consent", "epoch of consents", "entry of the audit logs"] {
        let line = said.lines().find(|line| line.contains(what)).context("not said")?;
        assert!(line.contains(": 20") && line.ends_with('Z'), "{line}");
    }
    assert!(warned.contains("revoke them again") && warned.contains("audit logs"), "{warned}");
    fs::copy(folder.path().join("data/master.key"), elsewhere.path().join("data/master.key"))?;
    for _ in 0..2 {
        let mut server = start(&config, &log).await?;
        let mut client = Client::connect(&server.address, "north").await?;
        assert_eq!(client.consents(Vec::new(), false, 10).await?.len(), 1, "it was revoked, and stands");
        let held = entries(&mut client).await?;
        let restored = of(&held, "restored");
        let [entry] = restored[..] else { anyhow::bail!("{held:?}") };
        assert_eq!((fact(entry, "statement")?, fact(entry, "consent_epoch")?), ("1", "1"));
        // Where the revocation stood is this: whoever has that entry sees two histories.
        let lost = &before[usize::try_from(entry.sequence)? - 1];
        assert!(lost.sequence == entry.sequence && lost.event == "revoked", "{before:?}");
        let mut south = Client::connect(&server.address, "south").await?;
        let held = entries(&mut south).await?;
        assert_eq!(fact(of(&held, "restored").first().context("no entry")?, "consent_epoch")?, "0");
        server.child.kill().await?;
    }
    assert!(fs::read_to_string(&log)?.contains("the database was restored from a copy"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_without_its_key_tells_nothing_and_opens_nowhere() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (config, log) = (write_config(folder.path())?, folder.path().join("log"));
    let copy = folder.path().join("copy.sqlite");
    let mut server = start(&config, &log).await?;
    let mut client = Client::connect(&server.address, "north").await?;
    let mut clinic = Clinic::new()?;
    client.adjudicate(clinic.file(0, &[1])?, keyed("MARKER-KEY"), true).await?;
    client.adjudicate(clinic.file(1, &[1])?, keyed("MARKER-KEY-2"), false).await?;
    done(&["store", "backup"], &config, &copy).await?;
    server.child.kill().await?;
    let (bytes, master) = (fs::read(&copy)?, fs::read(folder.path().join("data/master.key"))?);
    for secret in MARKERS.iter().map(|marker| marker.as_bytes()).chain([&b"MARKER-KEY"[..], &master]) {
        assert!(!bytes.windows(secret.len()).any(|window| window == secret), "the copy holds a secret");
    }

    let elsewhere = tempfile::tempdir()?;
    let file = write_config(elsewhere.path())?;
    done(&["store", "restore"], &file, &copy).await?;
    let opened = nightingale::Config::read(&file)?;
    let without = nightingale::store::Store::open(&opened).await.err().context("opened without a key")?;
    assert!(without.to_string().contains("restore it from a backup"), "{without}");
    let key = elsewhere.path().join("data/master.key");
    fs::write(&key, [3; 32])?;
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600))?;
    let foreign = nightingale::store::Store::open(&opened).await.err().context("opened with another key")?;
    assert!(foreign.to_string().contains("is another key than the database's"), "{foreign}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_a_copy_nor_a_restore_overwrites_and_a_damaged_copy_is_refused() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let config = write_config(folder.path())?;
    let copy = folder.path().join("copy.sqlite");
    let nothing = refused(&["store", "backup"], &config, &copy).await?;
    assert!(nothing.contains("there is no database to copy"), "{nothing}");
    nightingale::store::Store::open(&nightingale::Config::read(&config)?).await?.close().await;
    done(&["store", "backup"], &config, &copy).await?;
    let twice = refused(&["store", "backup"], &config, &copy).await?;
    assert!(twice.contains("exists already"), "{twice}");
    let over = refused(&["store", "restore"], &config, &copy).await?;
    assert!(over.contains("a restore never overwrites"), "{over}");

    let elsewhere = tempfile::tempdir()?;
    let other = write_config(elsewhere.path())?;
    let mut bytes = fs::read(&copy)?;
    // A page in the middle, its first bytes: no page of SQLite begins so.
    let middle = bytes.len() / 2 / 4096 * 4096;
    bytes.get_mut(middle..middle + 100).context("a small copy")?.fill(0xee);
    let damaged = folder.path().join("damaged.sqlite");
    fs::write(&damaged, bytes)?;
    let refusal = refused(&["store", "restore"], &other, &damaged).await?;
    assert!(refusal.contains("damaged"), "{refusal}");
    assert!(!elsewhere.path().join("data/jobs.sqlite").exists());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_database_is_its_owners_to_read_and_write_whatever_the_mode_of_the_copy() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (config, copy) = (write_config(folder.path())?, folder.path().join("copy.sqlite"));
    nightingale::store::Store::open(&nightingale::Config::read(&config)?).await?.close().await;
    done(&["store", "backup"], &config, &copy).await?;
    for mode in [0o400, 0o644] {
        fs::set_permissions(&copy, fs::Permissions::from_mode(mode))?;
        let elsewhere = tempfile::tempdir()?;
        let file = write_config(elsewhere.path())?;
        done(&["store", "restore"], &file, &copy).await?;
        let found = fs::metadata(elsewhere.path().join("data/jobs.sqlite"))?.permissions().mode() & 0o777;
        assert_eq!(found, 0o600, "of a copy with mode {mode:o}");
        fs::copy(folder.path().join("data/master.key"), elsewhere.path().join("data/master.key"))?;
        nightingale::store::Store::open(&nightingale::Config::read(&file)?).await?.close().await;
    }
    Ok(())
}

/// What lies in a folder, with whose it is.
fn lying(folder: &Path) -> Result<BTreeMap<String, u32>> {
    let owned = |entry: std::io::Result<fs::DirEntry>| {
        let entry = entry?;
        Ok((entry.file_name().to_string_lossy().into_owned(), entry.metadata()?.uid()))
    };
    fs::read_dir(folder)?.map(owned).collect()
}

/// Commands stand in the documents as the service's user runs them. Run by root they would leave files that the service cannot open.
#[tokio::test(flavor = "multi_thread")]
async fn root_leaves_nothing_in_a_folder_of_the_services_user() -> Result<()> {
    const SERVICE: u32 = 65_532;
    let folder = tempfile::tempdir()?;
    if chown(folder.path(), Some(SERVICE), Some(SERVICE)).is_err() {
        anyhow::ensure!(std::env::var_os("NIGHTINGALE_REQUIRE_TOOLS").is_none(), "this story needs root");
        return Ok(());
    }
    let (config, copy) = (write_config(folder.path())?, folder.path().join("copy.sqlite"));
    nightingale::store::Store::open(&nightingale::Config::read(&config)?).await?.close().await;
    done(&["store", "backup"], &config, &copy).await?;
    let data = folder.path().join("data");
    for entry in fs::read_dir(&data)? {
        chown(entry?.path(), Some(SERVICE), Some(SERVICE))?;
    }
    chown(&data, Some(SERVICE), Some(SERVICE))?;
    let before = lying(&data)?;
    for command in ["rotate-master", "rotate-tenant north"] {
        let mut nightingale = Command::new(env!("CARGO_BIN_EXE_nightingale"));
        nightingale.arg("store").args(command.split(' ')).arg("--config").arg(&config).stdin(Stdio::null());
        let output = nightingale.output().await?;
        let said = String::from_utf8(output.stderr)?;
        assert!(output.status.code() == Some(2) && said.contains("--reuid 65532"), "{command}: {said}");
        assert_eq!(lying(&data)?, before, "{command}");
    }
    // Nor is a copy put where the service could not read it.
    let elsewhere = tempfile::tempdir()?;
    let other = write_config(elsewhere.path())?;
    let data = elsewhere.path().join("data");
    fs::create_dir_all(&data)?;
    chown(&data, Some(SERVICE), Some(SERVICE))?;
    let said = refused(&["store", "restore"], &other, &copy).await?;
    assert!(said.contains("belongs to another user than root"), "{said}");
    assert!(lying(&data)?.is_empty());
    Ok(())
}
