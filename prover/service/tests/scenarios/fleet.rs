//! A server that accepts and workers that prove, as processes: with a prover that the test steers, or, where NIGHTINGALE_STORY_REAL
//! is set, the real binaries with the real prover.

use crate::{
    end_to_end::keys,
    process::{Behaviour, Process, real_server, real_worker, server, worker},
    running::SOON,
    site::Site,
};
use anyhow::{Context, Result, ensure};
use nightingale::client::Client;
use std::{
    path::{Path, PathBuf},
    time::Duration,
};

/// The processes, and how they are started.
pub(crate) struct Fleet {
    file: PathBuf,
    log: PathBuf,
    behaviour: Behaviour,
    keys: Option<PathBuf>,
    workers: usize,
    server: Option<Process>,
    running: Vec<Process>,
}

impl Fleet {
    /// A server and so many workers, whose steered proofs take so many milliseconds.
    pub(crate) async fn start(site: &Site, workers: usize, milliseconds: u64) -> Result<Self> {
        let keys = std::env::var_os("NIGHTINGALE_STORY_REAL").map(|_| keys()).transpose()?;
        let file = match &keys {
            Some(keys) => site.file_with_keys(keys)?,
            None => site.file()?,
        };
        let behaviour = Behaviour::slow(milliseconds);
        let mut fleet =
            Self { file, log: site.log(), behaviour, keys, workers, server: None, running: Vec::new() };
        fleet.run().await?;
        Ok(fleet)
    }

    /// Starts what does not run.
    pub(crate) async fn run(&mut self) -> Result<()> {
        let server = match &self.keys {
            Some(_) => real_server(&self.file, &self.log).await?,
            None => server(&self.file, &self.log, &self.behaviour).await?,
        };
        self.server = Some(server);
        self.hire(self.workers).await
    }

    /// Has so many workers run.
    pub(crate) async fn hire(&mut self, workers: usize) -> Result<()> {
        self.workers = workers;
        while self.running.len() < self.workers {
            let started = match &self.keys {
                Some(_) => {
                    real_worker(&self.file, &self.log, &["--share", "claims", "--device", "cpu"]).await?
                }
                None => worker(&self.file, &self.log, &self.behaviour).await?,
            };
            self.running.push(started);
        }
        Ok(())
    }

    /// What proofs are verified with, where they are real.
    pub(crate) fn keys(&self) -> Option<&Path> {
        self.keys.as_deref()
    }

    /// The server's process.
    pub(crate) fn server(&self) -> Result<&Process> {
        self.server.as_ref().context("no server runs")
    }

    pub(crate) async fn client(&self) -> Result<Client> {
        Ok(Client::connect(&self.server()?.address, "north").await?)
    }

    /// Waits until the server reads from its database again.
    pub(crate) async fn serving(&self, client: &mut Client) -> Result<()> {
        let wait = async {
            while client.jobs(&[], 1).await.is_err() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(SOON, wait).await.context("the server does not come back")
    }

    /// `kill -9`, all at once.
    pub(crate) async fn kill(&mut self) -> Result<()> {
        let mut all: Vec<Process> = self.server.take().into_iter().chain(self.running.drain(..)).collect();
        for process in &mut all {
            process.child.start_kill()?;
        }
        for mut process in all {
            process.child.wait().await?;
        }
        Ok(())
    }

    /// Asks all to end, and sees that they do as they should.
    pub(crate) async fn end(self) -> Result<()> {
        for process in self.running.into_iter().chain(self.server) {
            let status = process.end(SOON).await?;
            ensure!(status.code() == Some(0), "a process ended with {status}");
        }
        Ok(())
    }
}
