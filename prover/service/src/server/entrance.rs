//! What stands before the services: who may connect, who calls, how much. Opened before anything is served, and kept new while it is.

use crate::{
    config::Config,
    engine::Engine,
    error::ServiceError,
    gate::{Gate, GateLayer, Sizes, limits::Limits},
    identity::{
        authenticate::Authenticator,
        token::{Keys, Tokens},
    },
    telemetry::metrics::Metrics,
    transport::tls::Tls,
};
use std::sync::Arc;
use tokio::task::JoinSet;
use tonic::transport::server::Server;

/// After its age, a connection is told to end; its calls may.
const KEEPALIVE: std::time::Duration = std::time::Duration::from_secs(30);

/// The opened parts.
pub(super) struct Entrance {
    pub(super) tls: Option<Arc<Tls>>,
    authenticator: Arc<Authenticator>,
}

impl Entrance {
    /// Reads certificates and keys.
    ///
    /// # Errors
    /// A file that cannot be used.
    pub(super) fn open(config: &Config) -> Result<Self, ServiceError> {
        let identity = &config.identity;
        let tls = match &identity.tls {
            Some(files) => Some(Arc::new(Tls::open(files.clone(), identity.oidc.is_some())?)),
            None => None,
        };
        let tokens = match &identity.oidc {
            Some(settings) => Some(Tokens::new(settings.clone(), Keys::open(settings)?)),
            None => None,
        };
        let authenticator =
            Arc::new(Authenticator::new(identity.is_required(), identity.callers.clone(), tokens));
        Ok(Self { tls, authenticator })
    }

    /// Keeps certificates and keys new, until it is aborted.
    pub(super) fn keep(&self, tasks: &mut JoinSet<()>, metrics: &Metrics) {
        if let Some(tls) = self.tls.clone() {
            let metrics = metrics.clone();
            tasks.spawn(async move { tls.keep(&metrics).await });
        }
        let (authenticator, metrics) = (self.authenticator.clone(), metrics.clone());
        if authenticator.tokens().is_some() {
            tasks.spawn(async move {
                if let Some(tokens) = authenticator.tokens() {
                    tokens.keys().keep(&metrics).await;
                }
            });
        }
    }

    /// The layer in front of all services.
    pub(super) fn layer(&self, engine: &Arc<Engine>) -> GateLayer {
        let rates = &engine.config.rates;
        GateLayer(Arc::new(Gate {
            engine: engine.clone(),
            authenticator: self.authenticator.clone(),
            limits: Limits::new(rates.clone()),
            sizes: Sizes::of_config(&engine.config),
            message: rates.message,
        }))
    }
}

/// Bytes of a call that may be on their way unread: a part of what its connection may, so that one that waits for room does not stop the
/// others.
const STREAM_WINDOW: u32 = 128 << 10;
/// Of a connection.
const CONNECTION_WINDOW: u32 = 1 << 20;

/// A transport that holds what is configured of a connection.
pub(super) fn transport(config: &Config) -> Server {
    Server::builder()
        .http2_keepalive_interval(Some(KEEPALIVE))
        .max_concurrent_streams(config.rates.streams_per_connection)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .http2_max_header_list_size(config.rates.header_bytes)
        .max_connection_age(config.rates.connection_age)
}
