//! Subjects revoke while a question about them is proven, with the real prover: the answer that ends is one without them.

use crate::{
    audit::execute,
    cohort_command::{done, nightingale, place, sponsor_key, subject, verified},
    running::{Running, config, in_state},
    site::Oracle,
    stand_in::StandIn,
};
use anyhow::{Context, Result};
use nightingale::{
    Config,
    artefacts::folder::FolderArtefacts,
    client::{Client, ClientError},
    config::{Consent, Retention},
    jobs::{Instant, Tenant},
    store::Store,
};
use nightingale_proto::v1::{self, JobState, Role, job::Outcome};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::Duration,
};

/// How long a proof may take on a busy machine, its setup and key included.
const LONG: Duration = Duration::from_secs(900);
const DAY: Duration = Duration::from_secs(86_400);

struct Cohort {
    server: Running,
    client: Client,
    path: PathBuf,
    digest: Vec<u8>,
}

fn configured(folder: &Path) -> Config {
    let consent = Consent { sponsor_keys: Some(folder.join("sponsors")), ..Consent::default() };
    Config { consent, lease: Duration::from_secs(60), ..config(folder) }
}

async fn serving(folder: &Path) -> Result<Cohort> {
    let path = folder.join("data/datasets/north/trial");
    place(&path)?;
    fs::create_dir_all(folder.join("sponsors"))?;
    sponsor_key(&folder.join("sponsors/north.key"))?;
    let server = Running::start(configured(folder), StandIn::default()).await?;
    let mut client = server.client().await?;
    let digest = client.register_dataset("trial").await?.dataset;
    Ok(Cohort { server, client, path, digest })
}

fn question(dataset: &[u8], key: &str) -> v1::QueryRequest {
    v1::QueryRequest {
        idempotency_key: key.to_owned(),
        dataset: dataset.to_vec(),
        sql: "SELECT ARM, AVG(AGE) FROM t WHERE AGE IS NOT NULL GROUP BY ARM".to_owned(),
        role: Role::Researcher.into(),
        ..v1::QueryRequest::default()
    }
}

async fn answered(client: &mut Client, id: &str) -> Result<v1::QueryResult> {
    tokio::time::timeout(LONG, client.watch(id, LONG, |_| {})).await.context("the job does not end")??;
    match client.job(id).await?.outcome {
        Some(Outcome::Answer(answer)) => Ok(answer),
        Some(Outcome::Failure(failure)) => anyhow::bail!("{}: {}", failure.code, failure.message),
        _ => anyhow::bail!("the job has no answer"),
    }
}

fn reason<T>(answer: Result<T, ClientError>) -> Result<String> {
    match answer.err().context("accepted")? {
        ClientError::Refused { reason, .. } | ClientError::Unavailable { reason, .. } => Ok(reason),
        other => Err(other.into()),
    }
}

/// More than are proven while a revocation is.
const QUESTIONS: usize = 12;

#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_is_overtaken_by_a_revocation_is_answered_without_the_subject() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let Cohort { server, mut client, path, digest } = serving(folder.path()).await?;
    // One is proven, and the next wait for the only worker: whenever the revocation comes, some of them are overtaken.
    let mut jobs = Vec::new();
    for number in 0..QUESTIONS {
        jobs.push(client.query(question(&digest, &format!("k{number}"))).await?.id);
    }
    in_state(&mut client, &jobs[0], JobState::Running).await?;
    let revoked = client.revoke_subjects("r", digest.clone(), vec![subject(7)?]).await?;
    let version = |answer: &v1::RevokeSubjectsResponse| {
        answer.tables.iter().find(|table| table.table == "t").map(|table| table.version)
    };
    assert_eq!((version(&revoked), revoked.known), (Some(1), false));
    let mut open = Vec::new();
    for id in jobs {
        if client.job(&id).await?.state() == JobState::Done {
            assert_eq!(answered(&mut client, &id).await?.consent_version, 0);
        } else {
            open.push(id);
        }
    }
    assert!(!open.is_empty(), "all ended before the revocation");
    for id in open {
        let answer = answered(&mut client, &id).await?;
        assert_eq!(answer.consent_version, 1, "under older consents after the revocation");
        let proof = folder.path().join("p.json");
        fs::write(&proof, &answer.proof_json)?;
        let cells = verified(&path, &proof)?.answer.cells;
        let counted: u64 = cells.iter().filter_map(|cell| cell.figures().map(|figures| figures.count)).sum();
        assert_eq!(counted, 299, "the subject who revoked is counted");
    }
    // The same request again is answered as before; another finds nothing left to revoke, and says which versions count.
    assert!(client.revoke_subjects("r", digest.clone(), vec![subject(7)?]).await?.known);
    let again = client.revoke_subjects("r2", digest.clone(), vec![subject(7)?]).await?;
    assert_eq!((version(&again), again.known), (Some(1), false));
    assert_eq!(
        reason(client.revoke_subjects("r", digest.clone(), vec![subject(8)?]).await)?,
        "IDEMPOTENCY_KEY_REUSED"
    );
    assert_eq!(
        reason(client.revoke_subjects("x", digest.clone(), vec!["NOBODY".to_owned()]).await)?,
        "ROW_UNKNOWN"
    );
    assert_eq!(reason(client.revoke_subjects("y", vec![7; 32], vec![subject(8)?]).await)?, "DATASET_UNKNOWN");
    // While it runs, the command does not change what it proves from.
    let command = ["dataset", "revoke", "--dataset", path.to_str().context("a path")?, &subject(9)?];
    let ran = nightingale(folder.path(), &command)?;
    assert!(ran.code == Some(1) && ran.err.contains("revoke-subjects"), "{:?} {}", ran.code, ran.err);
    server.stop().await?;
    let store = Store::open(&configured(folder.path())).await?;
    let tenant = Tenant::new("north").context("tenant")?;
    let dataset: [u8; 32] = digest.as_slice().try_into()?;
    let recorded = store.recorded_consents(&tenant, &dataset).await?;
    let versions: Vec<_> = recorded.iter().map(|table| (table.table.as_str(), table.version)).collect();
    assert_eq!(versions, [("t", 1), ("t_events", 1)]);
    let ledger = store.query_ledger(&tenant, &dataset).await?;
    assert_eq!(ledger.len(), QUESTIONS, "each answered once");
    Ok(())
}

/// Who brings an older copy of the folder back does not bring the revoked subjects back: answers come from what was imported, and the database
/// knows better.
#[tokio::test(flavor = "multi_thread")]
async fn an_older_copy_of_the_folder_counts_for_nothing() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let Cohort { server, mut client, path, digest } = serving(folder.path()).await?;
    client.revoke_subjects("r", digest.clone(), vec![subject(7)?]).await?;
    fs::remove_dir_all(&path)?;
    place(&path)?;
    let job = client.query(question(&digest, "k")).await?.id;
    assert_eq!(answered(&mut client, &job).await?.consent_version, 1, "the older consents came back");
    let again = client.register_dataset("trial").await;
    assert_eq!(reason(again)?, "DATASET_DAMAGED", "nor are they imported");
    // Nor is anything revoked from it: the new version would have the number of the recorded one, without the first subject in it.
    let forked = client.revoke_subjects("f", digest.clone(), vec![subject(8)?]).await;
    assert_eq!(reason(forked)?, "DATASET_DAMAGED");
    server.stop().await
}

/// Versions of consents are kept when the dataset's files are not: an older copy is no more welcome then, nor one that somebody made newer by hand.
#[tokio::test(flavor = "multi_thread")]
async fn an_older_copy_is_not_registered_when_the_datasets_files_are_gone() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let Cohort { server, mut client, path, digest } = serving(folder.path()).await?;
    client.revoke_subjects("r", digest, vec![subject(7)?]).await?;
    let (newest, fork) = (folder.path().join("newest"), folder.path().join("fork"));
    fs::rename(&path, &newest)?;
    let config = configured(folder.path());
    let store = Store::attach(&config).await?;
    let artefacts = Arc::new(FolderArtefacts::open(&config.secrets.artefacts_dir)?);
    let keep = Retention { datasets: Some(DAY), ..Retention::default() };
    let later = Instant::now().plus(2 * DAY);
    assert_eq!(store.purge(&keep, artefacts, later, || true).await?.datasets, 1);
    store.close().await;

    place(&path)?;
    assert_eq!(reason(client.register_dataset("trial").await)?, "DATASET_DAMAGED");
    // Two versions on, its newest has a number that nobody recorded, and counts the first subject.
    fs::remove_dir_all(&path)?;
    place(&fork)?;
    for row in [8, 9] {
        let (subject, key) = (subject(row)?, "sponsors/north.key");
        done(folder.path(), &["dataset", "revoke", "--dataset", "fork", &subject, "--sponsor-key", key])?;
    }
    fs::rename(&fork, &path)?;
    assert_eq!(reason(client.register_dataset("trial").await)?, "DATASET_DAMAGED");
    assert!(client.datasets().await?.is_empty());
    // The newest copy is registered as before.
    fs::remove_dir_all(&path)?;
    fs::rename(&newest, &path)?;
    let again = client.register_dataset("trial").await?;
    let table = again.tables.iter().find(|table| table.name == "t").context("no table")?;
    assert_eq!(table.consent_version, 1);
    server.stop().await
}

/// Whose folder it is goes by its digest, not by where it lies.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_revoked_in_the_folder_of_another_dataset() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let Cohort { server, mut client, path, digest } = serving(folder.path()).await?;
    let another = [7; 32];
    let moved = if digest == another { [8; 32] } else { another };
    let oracle = Oracle::of(folder.path()).await?;
    let bytes = match &oracle {
        Oracle::Sqlite(_) => format!("x'{}'", hex::encode(moved)),
        Oracle::Postgres(_) => format!("'\\x{}'", hex::encode(moved)),
    };
    execute(&oracle, &format!("UPDATE datasets SET dataset = {bytes}")).await?;
    oracle.close().await;
    let before = fs::read(path.join("public/dataset.json"))?;
    let refused = client.revoke_subjects("r", moved.to_vec(), vec![subject(7)?]).await;
    assert_eq!(reason(refused)?, "DATASET_DAMAGED");
    assert_eq!(fs::read(path.join("public/dataset.json"))?, before, "another dataset's folder was changed");
    server.stop().await
}

/// What one tenant's revocation waits for is nothing to another's.
#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_that_is_held_up_holds_up_no_other_tenants() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let Cohort { server, mut client, path, digest } = serving(folder.path()).await?;
    place(&folder.path().join("data/datasets/south/trial"))?;
    sponsor_key(&folder.path().join("sponsors/south.key"))?;
    let mut south = server.client_of("south").await?;
    assert_eq!(south.register_dataset("trial").await?.dataset, digest);
    // Whoever writes to a pipe waits until somebody reads it.
    let lock = path.join("private/lock");
    fs::remove_file(&lock)?;
    anyhow::ensure!(Command::new("mkfifo").arg(&lock).status()?.success());
    let (of_north, subjects) = (digest.clone(), vec![subject(7)?]);
    let named = subjects.clone();
    let held_up = tokio::spawn(async move { client.revoke_subjects("r", of_north, named).await });
    tokio::time::sleep(Duration::from_millis(300)).await;
    let answer = south.revoke_subjects("r", digest, subjects);
    let answer = tokio::time::timeout(LONG, answer).await.context("it waits for another tenant's")??;
    assert!(answer.tables.iter().any(|table| (table.table.as_str(), table.version) == ("t", 1)));
    anyhow::ensure!(!held_up.is_finished(), "it was not held up");
    let _reader = fs::OpenOptions::new().read(true).write(true).open(&lock)?;
    assert!(!held_up.await??.known);
    server.stop().await
}
