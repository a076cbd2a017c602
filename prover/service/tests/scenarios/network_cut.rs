//! The network between a worker and its database is cut while the worker proves, and comes back later. It takes network
//! namespaces, which only root can make.

#![expect(clippy::print_stderr, reason = "a skipped story says so")]

use crate::{
    crowd::Crowd,
    postgres::Cluster,
    process::{Behaviour, number, server, worker, worker_in},
    running::SOON,
    site::Site,
};
use anyhow::{Context, Result, ensure};
use nightingale::client::Client;
use std::{
    net::IpAddr,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// A namespace with a cable to this machine. Its addresses are of a block that is kept for documentation.
struct Cable {
    namespace: String,
    near: String,
    host: IpAddr,
}

fn ip(arguments: &[&str]) -> Result<()> {
    let done = Command::new("ip").args(arguments).stdin(Stdio::null()).output().context("ip")?;
    ensure!(done.status.success(), "ip {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    Ok(())
}

impl Cable {
    /// `None`, with a word on stderr, where namespaces cannot be made.
    fn lay() -> Result<Option<Self>> {
        let required = std::env::var_os("NIGHTINGALE_REQUIRE_TOOLS").is_some();
        let name = format!("ng{}x{}", std::process::id() % 100_000, number());
        if let Err(problem) = ip(&["netns", "add", &name]) {
            ensure!(!required, "network namespaces cannot be made, which takes root: {problem}");
            eprintln!("skipped: a network is cut only where namespaces can be made, as root: {problem}");
            return Ok(None);
        }
        let subnet = number() % 60;
        let (host, guest) = (format!("192.0.2.{}", 4 * subnet + 1), format!("192.0.2.{}", 4 * subnet + 2));
        let (near, far) = (format!("{name}a"), format!("{name}b"));
        let cable = Self { namespace: name, near, host: host.parse()? };
        ip(&["link", "add", &cable.near, "type", "veth", "peer", "name", &far, "netns", &cable.namespace])?;
        ip(&["addr", "add", &format!("{host}/30"), "dev", &cable.near])?;
        ip(&["link", "set", &cable.near, "up"])?;
        ip(&["-n", &cable.namespace, "addr", "add", &format!("{guest}/30"), "dev", &far])?;
        ip(&["-n", &cable.namespace, "link", "set", &far, "up"])?;
        ip(&["-n", &cable.namespace, "link", "set", "lo", "up"])?;
        Ok(Some(cable))
    }

    /// Nothing passes any more, and nobody is told.
    fn cut(&self) -> Result<()> {
        ip(&["link", "set", &self.near, "down"])
    }

    fn mend(&self) -> Result<()> {
        ip(&["link", "set", &self.near, "up"])
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        // The cable goes with its end in the namespace.
        let _ = ip(&["netns", "del", &self.namespace]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_cut_off_loses_its_jobs_to_another_and_comes_back() -> Result<()> {
    let Some(cable) = Cable::lay()? else { return Ok(()) };
    let folder = tempfile::tempdir()?;
    let path = folder.path().to_owned();
    let Some(cluster) = Cluster::in_folder(path, Some(folder), cable.host).await? else { return Ok(()) };
    let site = Site::with(Some(cluster.database().await?))?
        .work("claims = false")
        .work("cohorts = false")
        .work("workers = 1")
        .work("lease_seconds = 2");
    let (file, log, oracle) = (site.file()?, site.path().join("far"), site.oracle().await?);
    let server = server(&file, &site.log(), &Behaviour::default()).await?;
    let mut client = Client::connect(&server.address, "north").await?;
    let mut crowd = Crowd::of(3)?;
    let far = worker_in(&file, &log, &Behaviour::slow(500), Some(&cable.namespace)).await?;
    crowd.submit(&mut client, 0).await?;
    oracle.until("done", 1, SOON).await?;
    crowd.submit(&mut client, 1).await?;
    oracle.until("leased", 1, SOON).await?;
    cable.cut()?;
    let cut = Instant::now();
    // Whatever the far machine had begun in the database is not in anybody's way for long.
    let near = worker(&file, &site.log(), &Behaviour::default()).await?;
    oracle.until("done", 2, SOON).await?;
    let took = cut.elapsed();
    ensure!(took < Duration::from_secs(25), "taken over after {took:?}");
    near.end(SOON).await?;
    cable.mend()?;
    let mended = Instant::now();
    crowd.submit(&mut client, 2).await?;
    oracle.until("done", 3, 2 * SOON).await?;
    crate::site::record(&format!(
        "network cut: taken over after {took:.1?}, back {:.1?} after it was mended",
        mended.elapsed()
    ))?;
    far.end(SOON).await?;
    crowd.reckon(&mut client, &oracle, &[], None).await
}
