//! The gRPC server: opens everything, serves until told to stop, drains, closes.

mod claims;
mod cohorts;
mod datasets;
mod epochs;
mod jobs;
mod keys;
pub(crate) mod status;
pub(crate) mod wire;

use crate::{
    adjudicator::{Adjudicator, groth16::Groth16},
    config::Config,
    engine::Engine,
    error::{ServiceError, StoreError},
    jobs::Instant,
    store::Store,
    telemetry::{endpoint, metrics::Metrics},
    worker,
};
use nightingale_proto::v1::{
    claim_service_server::ClaimServiceServer, cohort_service_server::CohortServiceServer,
    dataset_service_server::DatasetServiceServer, epoch_service_server::EpochServiceServer,
    job_service_server::JobServiceServer, key_service_server::KeyServiceServer,
};
use std::{future::Future, io::ErrorKind, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{net::TcpListener, task::JoinSet};
use tonic::transport::server::TcpIncoming;
use tonic_health::{ServingStatus, server::HealthReporter};

/// How long open calls may take to notice the drain.
const LINGER: Duration = Duration::from_secs(5);
/// What a message holds beside its request.
const ENVELOPE_BYTES: usize = 1 << 16;
/// The services whose health is told, `""` for the server as a whole.
const SERVICES: [&str; 7] = [
    "",
    "nightingale.v1.ClaimService",
    "nightingale.v1.CohortService",
    "nightingale.v1.DatasetService",
    "nightingale.v1.EpochService",
    "nightingale.v1.JobService",
    "nightingale.v1.KeyService",
];

/// Opens the keys and the database, serves until `shutdown`, drains, and closes. `ready` is told the address.
///
/// # Errors
/// What cannot be opened; nothing is served then.
pub async fn run(
    config: Config,
    shutdown: impl Future<Output = ()>,
    ready: impl FnOnce(SocketAddr),
) -> Result<(), ServiceError> {
    let folder = config.keys_dir.clone();
    let keys = tokio::task::spawn_blocking(move || Groth16::open(&folder)).await;
    let keys = keys.map_err(|_| ServiceError::Bug("reading the keys panicked"))??;
    let server = Server::bind(config, Arc::new(keys)).await?;
    ready(server.address());
    server.serve(shutdown).await
}

/// A server that holds its address, its data folder and its keys, and serves nothing yet.
pub struct Server {
    engine: Arc<Engine>,
    listener: TcpListener,
    address: SocketAddr,
    metrics: Option<TcpListener>,
}

impl Server {
    /// Takes the addresses and the data folder, and takes back the jobs that a server before left leased.
    ///
    /// # Errors
    /// An address in use, or a data folder or database that cannot be used.
    pub async fn bind(config: Config, adjudicator: Arc<dyn Adjudicator>) -> Result<Self, ServiceError> {
        let store = Store::open(&config).await?;
        let listener = listen(config.listen).await?;
        let address = listener.local_addr().map_err(StoreError::io)?;
        let metrics = match config.metrics {
            Some(address) => Some(endpoint::bind(address).await?),
            None => None,
        };
        let engine = Engine::new(config, store, adjudicator, Metrics::new()?);
        let swept = engine.store.recover(engine.config.max_losses, Instant::now()).await?;
        engine.note_swept(&swept);
        Ok(Self { engine: Arc::new(engine), listener, address, metrics })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where its metrics are, if anywhere.
    #[must_use]
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics.as_ref().and_then(|listener| listener.local_addr().ok())
    }

    /// Serves until `shutdown`; then takes nothing new, lets running proofs end for as long as configured, gives back
    /// the rest, and closes.
    ///
    /// # Errors
    /// The transport broke.
    pub async fn serve(self, shutdown: impl Future<Output = ()>) -> Result<(), ServiceError> {
        let Self { engine, listener, address, metrics } = self;
        tracing::info!(%address, workers = engine.config.workers, "serving");
        let mut background = JoinSet::new();
        for number in 0..engine.config.workers {
            background.spawn(worker::lane(engine.clone(), number));
        }
        background.spawn(engine.clone().housekeeping());
        if let Some(listener) = metrics {
            background.spawn(endpoint::serve(engine.clone(), listener));
        }
        let (health, router) = router(&engine)?;
        set_health(&health, ServingStatus::Serving).await;
        // Small messages go at once: an acknowledgement that waits for more costs 40 ms a call.
        let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
        let stopping = engine.clone();
        let mut transport = tokio::spawn(
            router.serve_with_incoming_shutdown(incoming, async move { stopping.drained().await }),
        );
        let broken = tokio::select! {
            () = shutdown => None,
            ended = &mut transport => Some(ended),
        };
        tracing::info!("draining");
        engine.drain();
        set_health(&health, ServingStatus::NotServing).await;
        while background.join_next().await.is_some() {}
        let ended = match broken {
            Some(ended) => Ok(ended),
            None => tokio::time::timeout(LINGER, &mut transport).await,
        };
        transport.abort();
        engine.store.close().await;
        tracing::info!("stopped");
        match ended {
            // A caller that holds its connection open after the drain loses it.
            Err(_) | Ok(Ok(Ok(()))) => Ok(()),
            Ok(Ok(Err(error))) => Err(error.into()),
            Ok(Err(_)) => Err(ServiceError::Bug("the transport panicked")),
        }
    }
}

/// Takes an address.
pub(crate) async fn listen(address: SocketAddr) -> Result<TcpListener, ServiceError> {
    TcpListener::bind(address).await.map_err(|error| {
        let problem = match error.kind() {
            ErrorKind::AddrInUse => {
                "another program listens there; stop it, choose another port, or port 0 for a free one"
            }
            ErrorKind::PermissionDenied => "not allowed; choose a port above 1023",
            ErrorKind::AddrNotAvailable => "this machine does not have that address",
            _ => return ServiceError::Listen { address, problem: error.to_string() },
        };
        ServiceError::Listen { address, problem: problem.to_owned() }
    })
}

async fn set_health(health: &HealthReporter, status: ServingStatus) {
    for service in SERVICES {
        health.set_service_status(service, status).await;
    }
}

fn router(engine: &Arc<Engine>) -> Result<(HealthReporter, tonic::transport::server::Router), ServiceError> {
    let (health, health_server) = tonic_health::server::health_reporter();
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(nightingale_proto::DESCRIPTORS)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1()
        .map_err(|_| ServiceError::Bug("the service descriptors do not parse"))?;
    // A request a little too large is answered with a reason; one far too large is not read.
    let request_limit = engine.config.request_bytes * 2 + ENVELOPE_BYTES;
    let publish_limit = engine.config.publish_bytes + ENVELOPE_BYTES;
    let router = tonic::transport::Server::builder()
        .http2_keepalive_interval(Some(Duration::from_secs(30)))
        .add_service(health_server)
        .add_service(reflection)
        .add_service(
            ClaimServiceServer::new(claims::Claims(engine.clone())).max_decoding_message_size(request_limit),
        )
        .add_service(
            EpochServiceServer::new(epochs::Epochs(engine.clone())).max_decoding_message_size(publish_limit),
        )
        .add_service(
            CohortServiceServer::new(cohorts::Cohorts(engine.clone()))
                .max_decoding_message_size(request_limit),
        )
        .add_service(DatasetServiceServer::new(datasets::Datasets(engine.clone())))
        .add_service(JobServiceServer::new(jobs::Jobs(engine.clone())))
        .add_service(KeyServiceServer::new(keys::Keys(engine.clone())));
    Ok((health, router))
}
