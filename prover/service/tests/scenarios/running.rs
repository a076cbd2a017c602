//! A server in this process, on a free port, with a folder of its own.

use crate::{postgres::Cluster, stand_in::StandIn};
use anyhow::{Context, Result};
use nightingale::{
    Config, Server, ServiceError,
    client::{Client, Options},
    config::DatabaseUrl,
};
use nightingale_proto::v1;
use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};
use tokio::{sync::oneshot, task::JoinHandle};

/// How long a test waits for what must come.
pub(crate) const SOON: Duration = Duration::from_secs(60);

/// A running server.
pub(crate) struct Running {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// Where its metrics are.
    pub(crate) metrics: Option<SocketAddr>,
    /// Its prover.
    pub(crate) prover: Arc<StandIn>,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<Result<(), ServiceError>>,
}

/// A configuration whose times suit a test. The database is the folder's own: SQLite, or, where NIGHTINGALE_TEST_STORE is `postgres`,
/// one of the shared cluster. So one suite runs on both.
pub(crate) fn config(folder: &Path) -> Config {
    Config {
        lease: Duration::from_secs(2),
        drain: Duration::from_secs(10),
        database: database_of(folder).as_deref().and_then(DatabaseUrl::new),
        ..Config::local(folder.join("data"), folder.join("keys"))
    }
}

/// The address of a folder's database, where that is PostgreSQL's.
#[expect(
    clippy::expect_used,
    reason = "without its database no test can go on, and none has asked for a result"
)]
pub(crate) fn database_of(folder: &Path) -> Option<String> {
    if std::env::var_os("NIGHTINGALE_TEST_STORE").is_none_or(|store| store != "postgres") {
        return None;
    }
    let name =
        folder.file_name()?.to_string_lossy().to_lowercase().replace(|c: char| !c.is_alphanumeric(), "_");
    // The caller may be in a runtime, which must not be blocked on itself.
    let made = std::thread::spawn(move || {
        tokio::runtime::Runtime::new()?.block_on(async {
            let cluster = Cluster::shared().await?.context("PostgreSQL is missing")?;
            cluster.database_named(&format!("folder_{name}")).await
        })
    });
    Some(made.join().ok().and_then(anyhow::Result::ok).expect("a database of PostgreSQL"))
}

impl Running {
    /// Starts a server.
    pub(crate) async fn start(config: Config, prover: StandIn) -> Result<Self> {
        let prover = Arc::new(prover);
        let server = Server::bind(config, prover.clone()).await?;
        let (address, metrics) = (server.address(), server.metrics_address());
        let (stop, stopped) = oneshot::channel();
        let ended = tokio::spawn(server.serve(async {
            let _ = stopped.await;
        }));
        Ok(Self { address, metrics, prover, stop, ended })
    }

    /// A client of tenant `north`.
    pub(crate) async fn client(&self) -> Result<Client> {
        self.client_of("north").await
    }

    /// A client of a tenant.
    pub(crate) async fn client_of(&self, tenant: &str) -> Result<Client> {
        Ok(Client::connect(&self.address.to_string(), tenant).await?)
    }

    /// Asks it to stop and waits for its end.
    pub(crate) async fn stop(self) -> Result<()> {
        let _ = self.stop.send(());
        Ok(tokio::time::timeout(SOON, self.ended).await.context("the server does not stop")???)
    }
}

/// Options with a key.
pub(crate) fn keyed(key: &str) -> Options {
    Options { idempotency_key: key.to_owned(), ..Options::default() }
}

/// Waits for a job to end.
pub(crate) async fn ended(client: &mut Client, id: &str) -> Result<v1::Job> {
    Ok(tokio::time::timeout(SOON, client.watch(id, SOON, |_| {})).await.context("the job does not end")??)
}

/// The memory of this process, in bytes.
pub(crate) fn resident() -> Result<u64> {
    let text = std::fs::read_to_string("/proc/self/statm")?;
    let pages: u64 = text.split(' ').nth(1).context("no figure")?.parse()?;
    Ok(pages * 4096)
}

/// Waits for a job to be in a state.
pub(crate) async fn in_state(client: &mut Client, id: &str, state: v1::JobState) -> Result<v1::Job> {
    let wait = async {
        loop {
            let job = client.job(id).await?;
            if job.state() == state {
                return anyhow::Ok(job);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(SOON, wait).await.with_context(|| format!("the job does not become {state:?}"))?
}
