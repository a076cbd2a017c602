//! Questions over gRPC: registered, asked, refused, and proven through kills, on a real trial with the real prover.

use crate::{
    clinic::Clinic,
    cohort_command::{dataset, place, verified},
    running::{Running, config, keyed},
    server_kill::{start, write_config},
    stand_in::StandIn,
};
use anyhow::{Context, Result};
use nightingale::{
    Config,
    client::{Client, ClientError},
    cohort::{Folder, folder::public},
    jobs::Tenant,
    store::Store,
};
use nightingale_proto::v1::{self, JobState, Role, job::Outcome};
use sha2::{Digest, Sha256};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};
use tonic::Code;

const SQL: &str = "SELECT ARM, AVG(AGE) FROM t WHERE AGE IS NOT NULL GROUP BY ARM";
/// How long a proof may take on a busy machine, its setup and key included.
const LONG: Duration = Duration::from_secs(900);

fn question(dataset: &[u8], key: &str, sql: &str, role: Role) -> v1::QueryRequest {
    v1::QueryRequest {
        idempotency_key: key.to_owned(),
        dataset: dataset.to_vec(),
        sql: sql.to_owned(),
        role: role.into(),
        ..v1::QueryRequest::default()
    }
}

fn refusal(answer: Result<v1::Job, ClientError>) -> Result<(Code, String, String)> {
    match answer {
        Err(ClientError::Refused { code, reason, message, .. }) => Ok((code, reason, message)),
        Err(ClientError::Unavailable { reason, message }) => Ok((Code::Unavailable, reason, message)),
        Err(error) => Err(error.into()),
        Ok(job) => anyhow::bail!("accepted as {}", job.id),
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

/// Where the tenant `north` keeps the dataset.
fn placed(folder: &Path) -> Result<PathBuf> {
    let path = folder.join("data/datasets/north/trial");
    place(&path)?;
    Ok(path)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registered_dataset_answers_its_planned_questions_once_each() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = placed(folder.path())?;
    let server = Running::start(config(folder.path()), StandIn::default()).await?;
    let mut client = server.client().await?;

    let registered = client.register_dataset("trial").await?;
    assert_eq!(registered.dataset, dataset(&path)?.digest());
    assert_eq!(registered, client.register_dataset("trial").await?, "registering again changes nothing");
    assert_eq!(client.datasets().await?.len(), 1);
    let described = client.dataset(registered.dataset.clone()).await?;
    assert_eq!(described.dataset_json, fs::read(path.join("public/dataset.json"))?);
    assert!(
        described
            .plan
            .iter()
            .any(|sql| sql == "SELECT ARM, COUNT(*), SUM(AGE) FROM t WHERE AGE IS NOT NULL GROUP BY ARM"),
        "{:?}",
        described.plan
    );

    let digest = &registered.dataset;
    let job = client.query(question(digest, "k", SQL, Role::Researcher)).await?;
    assert_eq!(job.size_class, "cohort-narrow");
    assert_eq!(
        client.query(question(digest, "k", SQL, Role::Researcher)).await?.id,
        job.id,
        "the key names one job"
    );
    let other =
        refusal(client.query(question(digest, "k", "SELECT COUNT(*) FROM t", Role::Researcher)).await)?;
    assert_eq!((other.0, other.1.as_str()), (Code::AlreadyExists, "IDEMPOTENCY_KEY_REUSED"));
    let answer = answered(&mut client, &job.id).await?;
    assert_eq!(
        (answer.role.as_str(), answer.threshold, answer.groups, answer.sealed),
        ("researcher", 11, 4, false)
    );
    let proof = folder.path().join("p.json");
    fs::write(&proof, &answer.proof_json)?;
    assert_eq!(verified(&path, &proof)?.answer.cells.len(), 4);

    // Each answer counts every subject of the table: an accounting for one of them lists it, for a stranger it does not.
    let subjects = Folder::open(&path)?.subjects()?;
    let subject = subjects.iter().next().context("no subject")?.to_owned();
    let about = |subject: &str| v1::DisclosuresRequest { subject: subject.into(), ..Default::default() };
    let counted = client.disclosures(about(&subject)).await?;
    let [one] = &counted.disclosures[..] else { anyhow::bail!("{} disclosures", counted.disclosures.len()) };
    assert_eq!((one.job.as_str(), one.purpose.as_str(), &one.dataset), (job.id.as_str(), "research", digest));
    assert!(one.description.contains("GROUP BY ARM") && counted.unreadable.is_empty());
    assert_eq!(one.released, Sha256::digest(&answer.proof_json).to_vec());
    assert!(client.disclosures(about("nobody")).await?.disclosures.is_empty());
    let all = crate::audit::entries(&mut client).await?;
    let answers = crate::audit::of(&all, "answered");
    assert_eq!(answers.len(), 1);
    assert_eq!(crate::audit::fact(answers[0], "consent_version")?, "0");
    assert_eq!(crate::audit::fact(answers[0], "mode")?, "plan");

    let mut elsewhere = server.client_of("south").await?;
    assert!(elsewhere.datasets().await?.is_empty());
    let foreign = refusal(elsewhere.query(question(digest, "k", SQL, Role::Researcher)).await)?;
    assert_eq!((foreign.0, foreign.1.as_str()), (Code::NotFound, "DATASET_UNKNOWN"));
    server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_released_is_refused_before_it_is_a_job_and_put_on_record() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = placed(folder.path())?;
    let server = Running::start(config(folder.path()), StandIn::default()).await?;
    let mut client = server.client().await?;
    for outside in ["../south/trial", "/etc", "", "."] {
        let error = client.register_dataset(outside).await.err().context("registered")?;
        assert!(
            matches!(error, ClientError::Refused { code: Code::InvalidArgument, .. }),
            "{outside}: {error}"
        );
    }
    // Nor is any other file of a folder read as what describes it: the log would show what stands there.
    for missing in ["nothing", "trial/private/subjects.json", "trial/private", "trial/public/dataset.json"] {
        let told = client.register_dataset(missing).await.err().context("registered")?;
        assert!(told.to_string().contains("DATASET_UNKNOWN"), "{missing}: {told}");
    }
    let described = path.join("public/dataset.json");
    let right = fs::read(&described)?;
    fs::write(&described, "[\"KEY-ONE\", \"KEY-TWO\", \"KEY-THREE\"]")?;
    let told = public(&path).err().context("read")?.to_string();
    assert!(
        told.contains("dataset.json") && told.contains(" at line 1 column ") && !told.contains("KEY"),
        "{told}"
    );
    fs::write(&described, right)?;
    let digest = client.register_dataset("trial").await?.dataset;
    for (sql, role, code, reason) in [
        ("SELECT COUNT(*) FROM t WHERE AGE > 60", Role::Researcher, Code::PermissionDenied, "NOT_IN_PLAN"),
        ("SELECT COUNT(*) FROM t", Role::Regulator, Code::PermissionDenied, "NO_REGULATOR_KEY"),
        ("SELECT COUNT(*) FROM t ORDER BY 1", Role::Researcher, Code::InvalidArgument, "SQL_UNSUPPORTED"),
        ("SELECT AVG(AGEE) FROM t", Role::Researcher, Code::InvalidArgument, "COLUMN_UNKNOWN"),
    ] {
        let told = refusal(client.query(question(&digest, reason, sql, role)).await)?;
        assert_eq!((told.0, told.1.as_str()), (code, reason), "{sql}: {}", told.2);
    }
    let unknown = refusal(client.query(question(&[7; 32], "k", SQL, Role::Researcher)).await)?;
    assert_eq!((unknown.0, unknown.1.as_str()), (Code::NotFound, "DATASET_UNKNOWN"));

    // The folder may change or go: what was imported counts.
    fs::remove_dir_all(path.join("private"))?;
    let tenant = Tenant::new("north").context("a tenant")?;
    let store = Store::attach(&config(folder.path())).await?;
    let files =
        store.dataset_files(&tenant, &digest.as_slice().try_into()?).await?.context("no files")?.files;
    store.close().await;
    let table = files.iter().find(|file| file.name == "private/t.table").context("no table")?;
    let name = table.artefact.to_string();
    let table = folder.path().join("data/artefacts").join(&name[..2]).join(&name[2..4]).join(&name);
    let mut bytes = fs::read(&table)?;
    *bytes.last_mut().context("an empty file")? ^= 1;
    fs::write(&table, bytes)?;
    let damaged = refusal(client.query(question(&digest, "d", SQL, Role::Researcher)).await)?;
    assert_eq!(damaged.1, "DATASET_DAMAGED");
    assert!(damaged.2.contains("t.table") && !damaged.2.contains("/data/"), "{}", damaged.2);
    assert!(client.jobs(&[], 10).await?.is_empty(), "a refused question is no job");
    server.stop().await?;

    let store = Store::open(&config(folder.path())).await?;
    let ledger = store.query_ledger(&tenant, &digest.as_slice().try_into()?).await?;
    let reasons: Vec<_> = ledger.iter().map(|line| line.outcome.clone()).collect();
    assert_eq!(reasons, [Err("NOT_IN_PLAN".to_owned()), Err("NO_REGULATOR_KEY".to_owned())]);
    Ok(())
}

/// Puts a pipe into the place of a dataset's sealed table: whoever opens it waits until somebody writes.
async fn block_table(config: &Config, digest: &[u8]) -> Result<(PathBuf, PathBuf)> {
    let store = Store::attach(config).await?;
    let tenant = Tenant::new("north").context("a tenant")?;
    let files = store.dataset_files(&tenant, &digest.try_into()?).await?.context("no files")?.files;
    store.close().await;
    let table = files.iter().find(|file| file.name == "private/t.table").context("no table")?;
    let name = table.artefact.to_string();
    let table = config.secrets.artefacts_dir.join(&name[..2]).join(&name[2..4]).join(&name);
    let kept = table.with_extension("kept");
    fs::rename(&table, &kept)?;
    anyhow::ensure!(Command::new("mkfifo").arg(&table).status()?.success());
    Ok((table, kept))
}

/// Puts it back, and lets those that wait at the pipe go: they find it empty.
fn unblock_table((table, kept): &(PathBuf, PathBuf)) -> Result<()> {
    let pipe = table.with_extension("pipe");
    fs::rename(table, &pipe)?;
    fs::rename(kept, table)?;
    // Open to be read as well, it waits for no reader.
    drop(fs::OpenOptions::new().read(true).write(true).open(&pipe)?);
    Ok(fs::remove_file(&pipe)?)
}

#[tokio::test(flavor = "multi_thread")]
async fn datasets_are_opened_few_at_a_time_whoever_goes_away_meanwhile() -> Result<()> {
    let folder = tempfile::tempdir()?;
    placed(folder.path())?;
    let config = Config { claims: false, cohorts: false, queued_jobs: 1, ..config(folder.path()) };
    let server = Running::start(config.clone(), StandIn::default()).await?;
    let (mut north, mut south) = (server.client().await?, server.client_of("south").await?);
    let digest = north.register_dataset("trial").await?.dataset;
    let blocked = block_table(&config, &digest).await?;
    // More than there are threads for what blocks: claims are read on them too.
    for number in 0..600 {
        let (mut north, digest) = (north.clone(), digest.clone());
        tokio::spawn(async move {
            let about = v1::DisclosuresRequest { subject: "somebody".into(), ..Default::default() };
            let call = async {
                match number % 3 {
                    0 => drop(north.register_dataset("trial").await),
                    1 => drop(north.query(question(&digest, "k", SQL, Role::Researcher)).await),
                    _ => drop(north.disclosures(about).await),
                }
            };
            // The caller goes away.
            let _ = tokio::time::timeout(Duration::from_millis(20), call).await;
        });
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
    let file = Clinic::new()?.file(0, &[1])?;
    let asked = async {
        south.adjudicate(file.clone(), keyed("k"), false).await.context("another tenant's claim")?;
        // That the queue is full is said without a look at the dataset.
        north.adjudicate(file, keyed("k"), false).await.context("a claim of its own")?;
        refusal(north.query(question(&digest, "full", SQL, Role::Researcher)).await)
    };
    let asked = tokio::time::timeout(Duration::from_secs(10), asked).await;
    unblock_table(&blocked)?;
    assert_eq!(asked.context("it waits for the datasets")??.1, "QUEUE_FULL");
    server.stop().await
}

/// Asked again and again it is one line, one entry and a count, as any other refusal; another question is another.
#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_is_refused_again_is_counted() -> Result<()> {
    let folder = tempfile::tempdir()?;
    placed(folder.path())?;
    let server = Running::start(config(folder.path()), StandIn::default()).await?;
    let mut client = server.client().await?;
    let digest = client.register_dataset("trial").await?.dataset;
    for (times, age) in [(100, 60), (1, 61)] {
        let sql = format!("SELECT COUNT(*) FROM t WHERE AGE > {age}");
        for key in 0..times {
            let told =
                refusal(client.query(question(&digest, &format!("{key}"), &sql, Role::Researcher)).await)?;
            assert_eq!(told.1, "NOT_IN_PLAN", "{}", told.2);
        }
    }
    server.stop().await?;

    let server = Running::start(config(folder.path()), StandIn::default()).await?;
    let entries = crate::audit::entries(&mut server.client().await?).await?;
    let (first, again) = (crate::audit::of(&entries, "refused"), crate::audit::of(&entries, "refused_again"));
    assert_eq!((first.len(), again.len()), (2, 1), "{entries:?}");
    assert_eq!(crate::audit::fact(again[0], "times")?, "99");
    for name in ["dataset", "query", "asked_as", "reason"] {
        assert_eq!(crate::audit::fact(again[0], name)?, crate::audit::fact(first[0], name)?, "{name}");
    }
    server.stop().await?;
    let store = Store::open(&config(folder.path())).await?;
    let tenant = Tenant::new("north").context("a tenant")?;
    assert_eq!(store.query_ledger(&tenant, &digest.as_slice().try_into()?).await?.len(), 2);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_outlives_kills_and_is_answered_and_recorded_once() -> Result<()> {
    let folder = tempfile::tempdir()?;
    placed(folder.path())?;
    let (file, log) = (write_config(folder.path())?, folder.path().join("log"));
    let (mut digest, mut id) = (Vec::new(), String::new());
    for life in [300, 900, 2_000] {
        let mut server = start(&file, &log).await?;
        let mut client = Client::connect(&server.address, "north").await?;
        digest = client.register_dataset("trial").await?.dataset;
        let job = client.query(question(&digest, "k", SQL, Role::Researcher)).await?;
        assert!(id.is_empty() || id == job.id, "an accepted job was lost");
        id = job.id;
        tokio::time::sleep(Duration::from_millis(life)).await;
        // `kill` is SIGKILL.
        server.child.kill().await?;
    }
    let mut server = start(&file, &log).await?;
    let mut client = Client::connect(&server.address, "north").await?;
    let answer = answered(&mut client, &id).await?;
    assert_eq!(answer.groups, 4);
    assert_eq!(client.jobs(&[JobState::Done], 10).await?.len(), 1);
    server.child.kill().await?;
    let store = Store::open(&Config::read(&file)?).await?;
    let tenant = Tenant::new("north").context("a tenant")?;
    let ledger = store.query_ledger(&tenant, &digest.as_slice().try_into()?).await?;
    assert_eq!(ledger.len(), 1, "answered once, on record once");
    assert_eq!(ledger.first().context("no line")?.outcome, Ok(0));
    Ok(())
}
