//! The gRPC server: opens everything, serves until told to stop, drains, closes.

mod audits;
mod building;
mod claims;
mod cohorts;
mod consents;
mod datasets;
#[doc(hidden)]
pub mod edge;
mod entrance;
mod epochs;
mod jobs;
mod keys;
pub(crate) mod status;
pub(crate) mod wire;

use crate::{
    adjudicator::{Adjudicator, groth16::Groth16},
    audit::break_glass,
    config::Config,
    engine::Engine,
    error::{ServiceError, StoreError},
    gate::{GateLayer, Sizes},
    identity::access::Size,
    jobs::Instant,
    production,
    store::{Store, queue::Share},
    supervisor::Supervisor,
    telemetry::{calls::Calls, endpoint, metrics::Metrics},
    transport, worker,
};
use building::Building;
use entrance::Entrance;
use nightingale_proto::v1::{
    audit_service_server::AuditServiceServer, claim_service_server::ClaimServiceServer,
    cohort_service_server::CohortServiceServer, consent_service_server::ConsentServiceServer,
    dataset_service_server::DatasetServiceServer, epoch_service_server::EpochServiceServer,
    job_service_server::JobServiceServer, key_service_server::KeyServiceServer,
};
use nightingale_prover::cohort::Halo2;
use nightingale_trace::Tracer;
use std::{future::Future, io::ErrorKind, net::SocketAddr, pin::pin, sync::Arc, time::Duration};
use tokio::{net::TcpListener, task::JoinSet};
use tonic_health::{ServingStatus, server::HealthReporter};
use tower_layer::{Identity, Stack};

/// How long open calls may take to notice the drain.
const LINGER: Duration = Duration::from_secs(5);
/// The services whose health is told, `""` for the server as a whole.
const SERVICES: [&str; 9] = [
    "",
    "nightingale.v1.AuditService",
    "nightingale.v1.ClaimService",
    "nightingale.v1.CohortService",
    "nightingale.v1.ConsentService",
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
    let opened = config.clone();
    let keys = tokio::task::spawn_blocking(move || match opened.claims {
        true => Groth16::configured(&opened),
        // It only tells which keys there are.
        false => Groth16::open(&opened.keys_dir),
    })
    .await;
    let keys = keys.map_err(|_| ServiceError::Bug("reading the keys panicked"))??;
    run_with(config, Arc::new(keys), shutdown, ready).await
}

/// As [`run`], with what proves claims.
///
/// # Errors
/// As [`run`].
pub async fn run_with(
    config: Config,
    adjudicator: Arc<dyn Adjudicator>,
    shutdown: impl Future<Output = ()>,
    ready: impl FnOnce(SocketAddr),
) -> Result<(), ServiceError> {
    let mut shutdown = pin!(shutdown);
    let server = tokio::select! {
        biased;
        server = Server::bind(config, adjudicator) => server?,
        // A database that is brought up to date keeps what was committed; the rest is done at the next start.
        () = &mut shutdown => {
            tracing::info!("told to stop before anything was served");
            return Ok(());
        }
    };
    ready(server.address());
    server.serve(shutdown).await
}

/// A server that holds its address, its data folder and its keys, and serves nothing yet.
pub struct Server {
    engine: Arc<Engine>,
    listener: TcpListener,
    address: SocketAddr,
    metrics: Option<TcpListener>,
    entrance: Entrance,
}

impl Server {
    /// Takes the addresses and the data folder, and takes back the jobs that a server before left leased.
    ///
    /// # Errors
    /// An address in use, a data folder or database that cannot be used, or a development key in production.
    pub async fn bind(config: Config, adjudicator: Arc<dyn Adjudicator>) -> Result<Self, ServiceError> {
        let entrance = Entrance::open(&config)?;
        production::check_claims(&config, &adjudicator.keys())?;
        production::check_cohorts(&config)?;
        // Bringing a large database up to date takes as long as it takes.
        let store = Supervisor::of_environment().wait_for(Store::open(&config)).await?;
        // The data folder is there by now, where it may be.
        config.audit.break_glass.as_ref().map_or(Ok(()), break_glass::check)?;
        let listener = listen(config.listen).await?;
        let address = listener.local_addr().map_err(StoreError::io)?;
        let metrics = match config.metrics {
            Some(address) => Some(endpoint::bind(address).await?),
            None => None,
        };
        let share = match (config.claims, config.cohorts) {
            (true, true) => Some(Share::Everything),
            (true, false) => Some(Share::Claims),
            (false, true) => Some(Share::Cohorts),
            (false, false) => None,
        };
        let metrics_of = Metrics::new(store.times())?;
        let tracer = config.telemetry.as_ref().map_or_else(Tracer::off, |to| Tracer::to(to, "nightingale"));
        let engine = Engine::new(config, store, share, adjudicator, Arc::new(Halo2), metrics_of, tracer)?;
        let swept = engine.store.recover(engine.config.max_losses, Instant::now()).await?;
        engine.note_swept(&swept);
        engine.import_earlier().await?;
        // A server that does not come to serve tells nobody what to go by.
        engine.store.keep_rules(&engine.config).await?;
        Ok(Self { engine: Arc::new(engine), listener, address, metrics, entrance })
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
        let Self { engine, listener, address, metrics, entrance } = self;
        let (claims, cohorts) = (engine.config.claims, engine.config.cohorts);
        tracing::info!(%address, workers = engine.config.workers, claims, cohorts, "serving");
        let mut background = JoinSet::new();
        for (number, share) in engine.lanes().into_iter().enumerate() {
            background.spawn(worker::lane(engine.clone(), share, number));
        }
        background.spawn(engine.clone().housekeeping(true));
        let counting = tokio::spawn(engine.clone().keep_repeats());
        let mut keeping = JoinSet::new();
        entrance.keep(&mut keeping, &engine.metrics);
        let (health, router) = router(&engine, &entrance)?;
        // Until the end, so that the drain is seen too.
        let mut watch = JoinSet::new();
        if let Some(listener) = metrics {
            watch.spawn(endpoint::serve(engine.clone(), listener));
        }
        let (told, watched) = (health.clone(), engine.clone());
        set_health(&health, ServingStatus::Serving).await;
        watch.spawn(engine.clone().keep_watch(move |seen| {
            let (told, watched) = (told.clone(), watched.clone());
            async move {
                let ready = seen.is_ready() && !watched.is_draining();
                watched.supervisor.lives(ready);
                let status = if ready { ServingStatus::Serving } else { ServingStatus::NotServing };
                set_health(&told, status).await;
            }
        }));
        let incoming =
            transport::incoming(listener, entrance.tls.clone(), &engine.config.rates, &engine.metrics);
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
        // After the last call, and before the database is closed.
        let counted = engine.end_repeats(counting).await;
        watch.shutdown().await;
        engine.store.close().await;
        engine.tracer.flush(LINGER).await;
        tracing::info!("stopped");
        engine.trouble()?;
        counted?;
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

/// Services behind what counts calls, and behind what says who calls.
type Guarded = tonic::transport::server::Router<Stack<GateLayer, Stack<Calls, Identity>>>;

fn router(engine: &Arc<Engine>, entrance: &Entrance) -> Result<(HealthReporter, Guarded), ServiceError> {
    let (health, health_server) = tonic_health::server::health_reporter();
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(nightingale_proto::DESCRIPTORS)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1()
        .map_err(|_| ServiceError::Bug("the service descriptors do not parse"))?;
    // The gate refuses by method and sooner; this is what the largest of a service's messages may be.
    let sizes = Sizes::of_config(&engine.config);
    let (request_limit, publish_limit) = (sizes.of(Size::Request), sizes.of(Size::Publication));
    let (building, opening) = (Building::of_publications(), Building::of_openings());
    let registering = Building::of_registrations();
    let revoking = registering.of_revocations();
    let descriptors = [nightingale_proto::DESCRIPTORS, tonic_health::pb::FILE_DESCRIPTOR_SET];
    let router = entrance::transport(&engine.config)
        .layer(Calls::of(engine, &descriptors))
        .layer(entrance.layer(engine))
        .add_service(health_server)
        .add_optional_service(engine.config.reflection.then_some(reflection))
        .add_service(
            ClaimServiceServer::new(claims::Claims(engine.clone())).max_decoding_message_size(request_limit),
        )
        .add_service(
            EpochServiceServer::new(epochs::Epochs::new(engine.clone(), building.clone()))
                .max_decoding_message_size(publish_limit),
        )
        .add_service(
            CohortServiceServer::new(cohorts::Cohorts::new(engine.clone(), opening.clone()))
                .max_decoding_message_size(request_limit),
        )
        .add_service(AuditServiceServer::new(audits::Audits::new(engine.clone(), opening.clone())))
        .add_service(
            ConsentServiceServer::new(consents::Consents::new(engine.clone(), building, revoking))
                .max_decoding_message_size(publish_limit),
        )
        .add_service(DatasetServiceServer::new(datasets::Datasets::new(engine.clone(), registering, opening)))
        .add_service(JobServiceServer::new(jobs::Jobs(engine.clone())))
        .add_service(KeyServiceServer::new(keys::Keys(engine.clone())));
    Ok((health, router))
}
