//! Questions proven by a process beside the server: killed, taken over, and left alone when the server is killed.

use crate::{
    clinic::Clinic,
    cohort_command::{place, verified},
    process::real_worker,
    running::{SOON, config, in_state, keyed},
    server_kill::{start, write_config},
};
use anyhow::{Context, Result};
use nightingale::{Config, client::Client, jobs::Tenant, store::Store};
use nightingale_proto::v1::{self, JobState, Role, job::Outcome};
use std::{fs, path::Path, process::Stdio, time::Duration};
use tokio::{io::AsyncReadExt, process::Command};

/// How long a proof may take on a busy machine, its setup and key included.
const LONG: Duration = Duration::from_secs(900);

fn command(config: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nightingale"));
    command.args(["work", "--config"]).arg(config).stdin(Stdio::null()).kill_on_drop(true);
    command
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_outlives_its_worker_and_the_server_and_is_answered_once() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("data/datasets/north/trial");
    place(&path)?;
    let (file, log) = (write_config(folder.path())?, folder.path().join("log"));
    let text =
        fs::read_to_string(&file)?.replace("lease_seconds = 1\n", "lease_seconds = 5\ncohorts = false\n");
    fs::write(&file, text)?;

    let mut server = start(&file, &log).await?;
    let mut client = Client::connect(&server.address, "north").await?;
    let dataset = client.register_dataset("trial").await?.dataset;
    let question = v1::QueryRequest {
        idempotency_key: "k".to_owned(),
        dataset: dataset.clone(),
        sql: "SELECT ARM, AVG(AGE) FROM t WHERE AGE IS NOT NULL GROUP BY ARM".to_owned(),
        role: Role::Researcher.into(),
        ..v1::QueryRequest::default()
    };
    let id = client.query(question).await?.id;
    let mut clinic = Clinic::new()?;
    client.adjudicate(clinic.file(0, &[1])?, keyed("a"), true).await?;
    assert_eq!(client.job(&id).await?.state(), JobState::Queued, "the server takes claims only");

    let first = real_worker(&file, &log, &[]).await?;
    in_state(&mut client, &id, JobState::Running).await?;
    // `kill` is SIGKILL.
    first.kill().await?;
    let second = real_worker(&file, &log, &[]).await?;
    in_state(&mut client, &id, JobState::Running).await?;
    server.child.kill().await?;

    let server = start(&file, &log).await?;
    let mut client = Client::connect(&server.address, "north").await?;
    tokio::time::timeout(LONG, client.watch(&id, LONG, |_| {})).await.context("the job does not end")??;
    let job = client.job(&id).await?;
    assert_eq!(job.attempts, 2, "the server's new start took nothing from the worker");
    let Some(Outcome::Answer(answer)) = job.outcome else { anyhow::bail!("no answer") };
    let proof = folder.path().join("p.json");
    fs::write(&proof, &answer.proof_json)?;
    assert_eq!(verified(&path, &proof)?.answer.cells.len(), 4);

    assert_eq!(second.end(SOON).await?.code(), Some(0));
    drop(server);
    let store = Store::attach(&Config::read(&file)?).await?;
    let tenant = Tenant::new("north").context("a tenant")?;
    let ledger = store.query_ledger(&tenant, &dataset.as_slice().try_into()?).await?;
    assert_eq!(ledger.len(), 1, "answered once, on record once");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_without_a_server_of_its_release_says_what_to_do() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = write_config(folder.path())?;
    let mut ended = command(&file).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
    let mut text = String::new();
    ended.stderr.take().context("no errors")?.read_to_string(&mut text).await?;
    assert_eq!(ended.wait().await?.code(), Some(2));
    assert!(text.contains("start the server, which makes it, and then the worker"), "{text}");

    let config = config(folder.path());
    Store::open(&config).await?.close().await;
    Store::attach(&config).await?.close().await;
    let database = format!("sqlite://{}", config.data_dir.join("jobs.sqlite").display());
    let pool = sqlx::SqlitePool::connect(&database).await?;
    let newer = "INSERT INTO _sqlx_migrations SELECT version + 1, description, installed_on, success, checksum, execution_time \
                 FROM _sqlx_migrations ORDER BY version DESC LIMIT 1";
    sqlx::query(newer).execute(&pool).await?;
    let error = Store::attach(&config).await.err().context("attached")?.to_string();
    assert!(error.contains("run server and workers of one release"), "{error}");
    Ok(())
}
