//! PostgreSQL's own tools copy a database in use and put it back: every accepted job of it ends once, and the dataset answers.

use crate::{
    clinic::{Clinic, result},
    cohort_command::{copy, place, verified},
    postgres::{Cluster, tool},
    running::{SOON, keyed},
    server_kill::start,
    site::{Oracle, Site},
};
use anyhow::{Context, Result, ensure};
use nightingale::client::Client;
use nightingale_proto::v1::{self, JobState, Role, job::Outcome};
use std::{
    collections::BTreeMap,
    fs,
    process::{Command, Stdio},
    time::Duration,
};

/// How long a proof may take on a busy machine, its setup and key included.
const LONG: Duration = Duration::from_secs(600);
const MEMBERS: usize = 8;
const CLAIMS: usize = 24;

fn run(command: &mut Command) -> Result<()> {
    let ran = command.stdin(Stdio::null()).output()?;
    ensure!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dump_of_a_database_in_use_goes_on_elsewhere_and_each_job_of_it_ends_once() -> Result<()> {
    let Some(cluster) = Cluster::shared().await? else { return Ok(()) };
    let url = cluster.database().await?;
    let site = Site::with(Some(url.clone()))?;
    let (config, oracle, dump) = (site.file()?, site.oracle().await?, site.path().join("jobs.dump"));
    let trial = site.path().join("data/datasets/north/trial");
    place(&trial)?;
    let mut server = start(&config, &site.log()).await?;
    let mut client = Client::connect(&server.address, "north").await?;
    let dataset = client.register_dataset("trial").await?.dataset;
    let (mut clinic, mut accepted) = (Clinic::new()?, BTreeMap::new());
    for number in 0..CLAIMS {
        let member = number % MEMBERS;
        let request = if number < MEMBERS { clinic.file(member, &[1])? } else { clinic.denied(member)? };
        let job = client.adjudicate(request, keyed(&format!("k{number}")), false).await?.id;
        accepted.insert(job, "done".to_owned());
    }
    oracle.until("done", 2, SOON).await?;
    // As docs/operations.md has it.
    run(tool("pg_dump")?.args(["--format=custom", "--no-owner"]).arg("--file").arg(&dump).arg(&url))?;
    // The machine is gone, but for the master key and the artefacts, which were copied.
    server.child.kill().await?;

    let empty = cluster.database().await?;
    let elsewhere = Site::with(Some(empty.clone()))?;
    let restore = ["--exit-on-error", "--no-owner", "--single-transaction", "--dbname", &empty];
    run(tool("pg_restore")?.args(restore).arg(&dump))?;
    let data = elsewhere.path().join("data");
    copy(&site.path().join("data/artefacts"), &data.join("artefacts"))?;
    fs::copy(site.path().join("data/master.key"), data.join("master.key"))?;
    let oracle = Oracle::Postgres(sqlx::PgPool::connect(&empty).await?);
    let open = oracle.number("SELECT COUNT(*) FROM jobs WHERE ended IS NULL").await?;
    let ended = oracle.count("done").await?;
    ensure!(open > 0 && ended >= 2, "{ended} done, {open} open: not in use when it was copied");

    let server = start(&elsewhere.file()?, &elsewhere.log()).await?;
    let mut client = Client::connect(&server.address, "north").await?;
    oracle.until("done", i64::try_from(CLAIMS)?, SOON).await?;
    let ends = oracle.ends().await?;
    assert_eq!(ends.len(), CLAIMS, "a job ended twice");
    assert_eq!(ends.into_iter().collect::<BTreeMap<_, _>>(), accepted);
    for id in accepted.keys() {
        let job = client.job(id).await?;
        ensure!(job.state() == JobState::Done && !result(&job)?.proof_json.is_empty());
    }
    let question = v1::QueryRequest {
        idempotency_key: "q".to_owned(),
        dataset,
        sql: "SELECT ARM, AVG(AGE) FROM t WHERE AGE IS NOT NULL GROUP BY ARM".to_owned(),
        role: Role::Researcher.into(),
        ..v1::QueryRequest::default()
    };
    let id = client.query(question).await?.id;
    tokio::time::timeout(LONG, client.watch(&id, LONG, |_| {})).await.context("it is not answered")??;
    let Some(Outcome::Answer(answer)) = client.job(&id).await?.outcome else {
        anyhow::bail!("the dataset does not answer")
    };
    let proof = elsewhere.path().join("p.json");
    fs::write(&proof, &answer.proof_json)?;
    verified(&trial, &proof)?;
    Ok(())
}
