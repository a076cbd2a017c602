//! The server's process is killed, again and again, at any moment.

use crate::{
    clinic::{Clinic, result},
    process::{Behaviour, Process, server},
    running::{SOON, database_of, keyed},
    site::{Site, on_both},
    stand_in::StandIn,
};
use anyhow::{Context, Result};
use nightingale::{
    Config, Server,
    client::{Client, ClientError},
};
use nightingale_proto::v1::JobState;
use rand_chacha::{
    ChaCha20Rng,
    rand_core::{RngCore, SeedableRng},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
    time::Duration,
};

/// Starts a server with a steered prover, which writes everything into its log.
pub(crate) async fn start(config: &Path, log: &Path) -> Result<Process> {
    server(config, log, &Behaviour { talks: true, ..Behaviour::slow(60) }).await
}

/// A configuration file for a server with its data in `folder`.
pub(crate) fn write_config(folder: &Path) -> Result<std::path::PathBuf> {
    let path = folder.join("config.toml");
    let text = "data_dir = 'data'\nkeys_dir = 'keys'\n[listen]\naddress = '127.0.0.1:0'\n\
                [metrics]\naddress = '127.0.0.1:0'\n[work]\nworkers = 2\nlease_seconds = 1\nmax_losses = 1000\n";
    let store = database_of(folder).map(|url| format!("[store]\nurl = '{url}'\n")).unwrap_or_default();
    std::fs::write(&path, format!("{text}{store}"))?;
    Ok(path)
}

on_both!(no_accepted_job_is_lost_and_no_result_is_committed_twice);

async fn no_accepted_job_is_lost_and_no_result_is_committed_twice(site: Site) -> Result<()> {
    let site = site.work("lease_seconds = 1");
    let (config, log, oracle) = (site.file()?, site.log(), site.oracle().await?);
    let mut rng = ChaCha20Rng::seed_from_u64(9);
    let mut clinic = Clinic::new()?;
    let requests = (0..8).map(|member| clinic.file(member, &[1])).collect::<Result<Vec<_>>>()?;
    let mut accepted: BTreeMap<usize, String> = BTreeMap::new();
    let mut kills = 0;
    let mut left: BTreeSet<usize> = (0..requests.len()).collect();
    let mut results: BTreeMap<usize, Vec<u8>> = BTreeMap::new();
    while !left.is_empty() {
        anyhow::ensure!(kills < 60, "no progress through 60 kills");
        let mut server = start(&config, &log).await?;
        // Where the dead one may be on another machine, a lease is taken back by who has listened for as long as it lasts.
        let long = site.url.is_some() && kills % 6 == 5;
        // Longer and longer, so that a slow machine gets somewhere as well.
        let life = if long { 2500 } else { 20 + rng.next_u32() % 230 + 10 * kills };
        let life = Duration::from_millis(life.into());
        // Every request is sent in every life: the key makes it one job.
        let talk = async {
            let mut client = Client::connect(&server.address, "north").await?;
            for (number, request) in requests.iter().enumerate() {
                let job = client.adjudicate(request.clone(), keyed(&format!("k{number}")), false).await?;
                let before = accepted.entry(number).or_insert_with(|| job.id.clone());
                assert_eq!(*before, job.id, "an accepted job was lost");
                if job.state() == JobState::Done {
                    let job = client.job(&job.id).await?;
                    let proof = result(&job).map(|r| r.proof_json.clone()).unwrap_or_default();
                    let known = results.entry(number).or_insert_with(|| proof.clone());
                    assert_eq!(*known, proof, "a second result");
                    left.remove(&number);
                }
            }
            std::future::pending::<Result<(), ClientError>>().await
        };
        if let Ok(Err(error)) = tokio::time::timeout(life, talk).await {
            anyhow::bail!("the server answered with {error}");
        }
        // `kill` is SIGKILL.
        server.child.kill().await?;
        kills += 1;
    }
    assert!(kills >= 3, "the server was hardly killed");
    let server = start(&config, &log).await?;
    let mut client = Client::connect(&server.address, "north").await?;
    assert_eq!(client.jobs(&[], 100).await?.len(), requests.len());
    let ends: BTreeSet<_> = accepted.values().map(|id| (id.clone(), "done".to_owned())).collect();
    let mut seen = oracle.ends().await?;
    seen.sort();
    assert_eq!(seen, ends.into_iter().collect::<Vec<_>>(), "a job that ended twice, or otherwise");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_server_on_the_same_data_is_refused_and_sigterm_ends_the_first_with_0() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (config, log) = (write_config(folder.path())?, folder.path().join("log"));
    let first = start(&config, &log).await?;
    let second = Server::bind(Config::read(&config)?, Arc::new(StandIn::default())).await;
    let problem = second.err().context("two servers on one data folder")?.to_string();
    assert!(problem.contains("another server uses this data folder"), "{problem}");
    assert_eq!(first.end(SOON).await?.code(), Some(0));
    Ok(())
}
