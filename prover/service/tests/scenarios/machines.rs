//! Several servers and workers on one PostgreSQL, as on several machines: each with a data folder of its own and the same master key.

use crate::{
    audit::execute,
    crowd::Crowd,
    postgres::Cluster,
    process::{Behaviour, server, worker},
    running::{SOON, ended, in_state},
    site::{Site, on_both},
};
use anyhow::{Context, Result, ensure};
use nightingale::client::Client;
use nightingale_proto::v1::JobState;
use sqlx::{Connection, PgConnection};
use std::{
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

/// Another machine's configuration for the same database.
pub(crate) fn another(site: &Site, name: &str) -> Result<PathBuf> {
    let folder = site.path().join(name);
    fs::create_dir_all(folder.join("data"))?;
    fs::copy(site.path().join("data/master.key"), folder.join("data/master.key"))?;
    let file = folder.join("config.toml");
    fs::copy(site.file()?, &file)?;
    Ok(file)
}

#[tokio::test(flavor = "multi_thread")]
async fn any_server_knows_every_job_and_a_new_one_takes_nobodys_lease() -> Result<()> {
    let Some(site) = Site::postgres().await? else { return Ok(()) };
    let site = site.work("claims = false").work("cohorts = false").work("workers = 1");
    let oracle = site.oracle().await?;
    let (here, there, third) = (site.file()?, another(&site, "there")?, another(&site, "third")?);
    let first = server(&here, &site.log(), &Behaviour::default()).await?;
    let second = server(&there, &site.log(), &Behaviour::default()).await?;
    let far = worker(&third, &site.log(), &Behaviour::slow(1500)).await?;
    let mut one = Client::connect(&first.address, "north").await?;
    let mut other = Client::connect(&second.address, "north").await?;
    let mut crowd = Crowd::of(12)?;
    // Accepted here, watched there, proven on a third machine.
    let id = crowd.submit(&mut one, 0).await?;
    let again = crowd.submit(&mut other, 0).await?;
    assert_eq!(id, again, "the key makes it one job, whoever is asked");
    in_state(&mut other, &id, JobState::Running).await?;
    // A server starts, and another is killed, while it is proven.
    let fourth = server(&another(&site, "fourth")?, &site.log(), &Behaviour::default()).await?;
    first.kill().await?;
    let job = ended(&mut other, &id).await?;
    assert_eq!((job.state(), job.attempts), (JobState::Done, 1));
    // Cancelled at one server, given up by the worker on another machine.
    let doomed = crowd.submit(&mut other, 1).await?;
    in_state(&mut other, &doomed, JobState::Running).await?;
    let mut last = Client::connect(&fourth.address, "north").await?;
    assert_eq!(last.cancel(&doomed).await?.state(), JobState::Cancelled);
    let begun = Instant::now();
    let next = crowd.submit(&mut last, 2).await?;
    in_state(&mut other, &next, JobState::Running).await?;
    ensure!(begun.elapsed() < Duration::from_secs(3), "the cancelled proof was not given up");
    let quick = worker(&another(&site, "fifth")?, &site.log(), &Behaviour::default()).await?;
    assert!(crowd.submit_all(&last).await?.is_empty());
    crowd.settled(&oracle, SOON).await?;
    crowd.reckon(&mut other, &oracle, &[(1, JobState::Cancelled)], None).await?;
    for process in [far, quick, second, fourth] {
        assert_eq!(process.end(SOON).await?.code(), Some(0));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn another_master_key_is_refused() -> Result<()> {
    let Some(site) = Site::postgres().await? else { return Ok(()) };
    let _oracle = site.oracle().await?;
    let foreign = another(&site, "foreign")?;
    fs::remove_file(site.path().join("foreign/data/master.key"))?;
    let refused = server(&foreign, &site.log(), &Behaviour::default()).await;
    let text = format!("{:#}", refused.err().context("it started without the master key")?);
    ensure!(text.contains("master.key"), "{text}");
    Ok(())
}

/// Whoever runs an older release stops by itself when the database is brought up to date under it.
#[tokio::test(flavor = "multi_thread")]
async fn processes_of_another_release_stop_when_the_database_moves_on() -> Result<()> {
    let Some(site) = Site::postgres().await? else { return Ok(()) };
    let _oracle = site.oracle().await?;
    let file = site.file()?;
    let mut server = server(&file, &site.log(), &Behaviour::default()).await?;
    let mut old = worker(&file, &site.log(), &Behaviour::default()).await?;
    let mut connection = PgConnection::connect(site.url.as_deref().context("a database")?).await?;
    let newer = "INSERT INTO _sqlx_migrations SELECT version + 1000, description, installed_on, success, checksum, execution_time \
                 FROM _sqlx_migrations ORDER BY version DESC LIMIT 1";
    sqlx::query(newer).execute(&mut connection).await?;
    for process in [&mut server, &mut old] {
        assert!(!process.ended(SOON).await?.success(), "it went on, or ended as if all were well");
    }
    let said = fs::read_to_string(site.log())?;
    ensure!(said.contains("brought up to date by another release"), "{said}");
    Ok(())
}

/// A database that nobody made, and one that is not there, are said with what to do.
#[tokio::test(flavor = "multi_thread")]
async fn a_worker_before_its_server_says_what_to_do() -> Result<()> {
    let Some(cluster) = Cluster::shared().await? else { return Ok(()) };
    let site = Site::with(Some(cluster.database().await?))?;
    let refused = worker(&site.file()?, &site.log(), &Behaviour::default()).await;
    let text = format!("{:#}", refused.err().context("it works")?);
    ensure!(text.contains("start the server, which makes what is in it"), "{text}");
    Ok(())
}

/// Appends a table to a copy of a configuration.
fn with(site: &Site, name: &str, table: &str) -> Result<PathBuf> {
    let file = site.path().join(name);
    fs::write(&file, format!("{}\n{table}\n", fs::read_to_string(site.file()?)?))?;
    Ok(file)
}

on_both!(
    a_worker_that_was_told_other_rules_of_consents_does_not_start,
    a_server_that_was_told_to_keep_less_removes_nothing_for_a_day,
);

/// It would end claims with proofs that the server's rules refuse.
async fn a_worker_that_was_told_other_rules_of_consents_does_not_start(site: Site) -> Result<()> {
    let site = site.work("claims = false").work("cohorts = false");
    let strict = with(&site, "strict.toml", "[consent]\nrequired = true\ngrace_seconds = 60")?;
    let lax = with(&site, "lax.toml", "[consent]\ngrace_seconds = 60")?;
    let log = site.log();
    let first = server(&strict, &log, &Behaviour::default()).await?;
    ensure!(worker(&lax, &log, &Behaviour::default()).await.is_err(), "it works");
    let said = fs::read_to_string(&log)?;
    ensure!(said.contains("consent.required") && said.contains("true for the server"), "{said}");
    worker(&strict, &log, &Behaviour::default()).await?.end(SOON).await?;
    first.end(SOON).await?;
    // A change: the server first, which says so, and then its workers.
    let second = server(&lax, &log, &Behaviour::default()).await?;
    ensure!(fs::read_to_string(&log)?.contains("was told otherwise"));
    ensure!(worker(&strict, &log, &Behaviour::default()).await.is_err());
    worker(&lax, &log, &Behaviour::default()).await?.end(SOON).await?;
    second.end(SOON).await?;
    Ok(())
}

/// Of two machines one was forgotten when the time of keeping was set.
async fn a_server_that_was_told_to_keep_less_removes_nothing_for_a_day(site: Site) -> Result<()> {
    let (log, oracle) = (site.log(), site.oracle().await?);
    let keeps = with(&site, "keeps.toml", "[retention]\nended_jobs_days = 3650\nresults_days = 3650")?;
    let first = server(&keeps, &log, &Behaviour::default()).await?;
    let mut client = Client::connect(&first.address, "north").await?;
    Crowd::of(1)?.submit(&mut client, 0).await?;
    oracle.until("done", 1, SOON).await?;
    first.end(SOON).await?;
    let ago = "UPDATE jobs SET accepted = accepted - 3456000000, started = started - 3456000000, \
               ended = ended - 3456000000";
    execute(&oracle, ago).await?;
    for _ in 0..2 {
        let forgotten = server(&site.file()?, &log, &Behaviour::default()).await?;
        tokio::time::sleep(Duration::from_secs(2)).await;
        ensure!(oracle.count("done").await? == 1, "purged");
        forgotten.end(SOON).await?;
    }
    let said = fs::read_to_string(&log)?;
    ensure!(said.contains("retention.ended_jobs_days") && said.contains("315360000 s"), "{said}");
    Ok(())
}
