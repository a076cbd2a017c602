//! Calls of any method by its path, with any message and any credentials: what no generated client would send.

use anyhow::Result;
use http::uri::PathAndQuery;
use nightingale::client::Credentials;
use std::net::SocketAddr;
use tonic::{
    Code, Request, Status,
    client::Grpc,
    metadata::MetadataMap,
    transport::{Certificate, Channel, ClientTlsConfig, Identity},
};
use tonic_prost::ProstCodec;
use tonic_types::StatusExt;

/// A plain connection.
pub(crate) async fn channel(address: SocketAddr) -> Result<Channel> {
    Ok(Channel::from_shared(format!("http://{address}"))?.connect().await?)
}

/// An encrypted connection that shows these credentials.
pub(crate) async fn encrypted(address: SocketAddr, credentials: &Credentials) -> Result<Channel> {
    let mut tls = ClientTlsConfig::new();
    if let Some(ca) = &credentials.ca {
        tls = tls.ca_certificate(Certificate::from_pem(std::fs::read(ca)?));
    }
    if let Some((certificate, key)) = &credentials.certificate {
        tls = tls.identity(Identity::from_pem(std::fs::read(certificate)?, std::fs::read(key)?));
    }
    Ok(Channel::from_shared(format!("https://{address}"))?.tls_config(tls)?.connect().await?)
}

/// What a method answers to one message. Of a stream, its first message or its end.
pub(crate) async fn call<M: prost::Message + Default + Clone + 'static>(
    channel: &Channel,
    path: &str,
    message: M,
    metadata: &[(&'static str, String)],
) -> Result<(), Status> {
    let mut grpc = Grpc::new(channel.clone());
    grpc.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
    let mut request = Request::new(tokio_stream::iter([message]));
    for (name, value) in metadata {
        let value = value.parse().map_err(|_| Status::internal("no metadata"))?;
        MetadataMap::insert(request.metadata_mut(), *name, value);
    }
    let path: PathAndQuery = path.parse().map_err(|_| Status::internal("no path"))?;
    let codec: ProstCodec<M, ()> = ProstCodec::default();
    let mut answers = grpc.streaming(request, path, codec).await?.into_inner();
    answers.message().await.map(drop)
}

/// The same with a token.
pub(crate) async fn call_with<M: prost::Message + Default + Clone + 'static>(
    channel: &Channel,
    path: &str,
    message: M,
    token: &str,
) -> Result<(), Status> {
    call(channel, path, message, &[("authorization", format!("Bearer {token}"))]).await
}

/// The code and the fixed reason of an answer.
pub(crate) fn verdict(answer: Result<(), Status>) -> (Code, String) {
    match answer {
        Ok(()) => (Code::Ok, String::new()),
        Err(status) => {
            let details = status.get_error_details();
            (status.code(), details.error_info().map(|info| info.reason.clone()).unwrap_or_default())
        }
    }
}
