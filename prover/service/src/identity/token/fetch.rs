//! One small GET: no redirects, no proxy, no cookies, a bounded answer, in a bounded time.

use crate::error::ServiceError;
use bytes::Bytes;
use http::{Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::rt::TokioIo;
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use std::{path::Path, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

/// How long it may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// The largest answer that is read.
const ANSWER_BYTES: usize = 1 << 20;

/// The authorities by which an issuer's certificate is believed: those of a file, or the system's.
///
/// # Errors
/// None at all.
pub(super) fn roots(file: Option<&Path>) -> Result<RootCertStore, ServiceError> {
    let mut roots = RootCertStore::empty();
    let certificates: Vec<CertificateDer<'static>> = match file {
        Some(path) => CertificateDer::pem_file_iter(path)
            .and_then(Iterator::collect)
            .map_err(|error| unusable(path, format!("is no PEM file of certificates: {error}")))?,
        None => rustls_native_certs::load_native_certs().certs,
    };
    roots.add_parsable_certificates(certificates);
    if roots.is_empty() {
        let place = file.unwrap_or(Path::new("/etc/ssl/certs"));
        return Err(unusable(
            place,
            "holds no authority; install ca-certificates, or name the issuer's in oidc.ca".into(),
        ));
    }
    Ok(roots)
}

fn unusable(path: &Path, problem: String) -> ServiceError {
    ServiceError::Path { path: path.to_owned(), problem }
}

/// Gets an address.
pub(super) async fn get(address: &str, roots: &Arc<RootCertStore>) -> Result<Bytes, String> {
    let answer = tokio::time::timeout(PATIENCE, ask(address, roots)).await;
    answer
        .map_err(|_| format!("{address} did not answer in time"))?
        .map_err(|why| format!("{address}: {why}"))
}

async fn ask(address: &str, roots: &Arc<RootCertStore>) -> Result<Bytes, String> {
    let uri: Uri = address.parse().map_err(|_| "is no address")?;
    let host = uri.host().ok_or("is no address")?.to_owned();
    let bare = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let is_plain = uri.scheme_str() == Some("http");
    let port = uri.port_u16().unwrap_or(if is_plain { 80 } else { 443 });
    let stream = TcpStream::connect((bare.as_str(), port)).await.map_err(|error| error.kind().to_string())?;
    if is_plain {
        return exchange(stream, &uri, &host).await;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots.clone())
        .with_no_client_auth();
    let name = ServerName::try_from(bare).map_err(|_| "has no host that a certificate can name")?;
    let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await;
    exchange(stream.map_err(|error| error.to_string())?, &uri, &host).await
}

async fn exchange<T>(stream: T, uri: &Uri, host: &str) -> Result<Bytes, String>
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let said = |error: hyper::Error| error.to_string();
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(said)?;
    let driver = tokio::spawn(connection);
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let request = Request::get(path)
        .header(header::HOST, uri.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")))
        .header(header::ACCEPT, "application/json")
        .body(Empty::<Bytes>::new())
        .map_err(|error| error.to_string())?;
    let answer = async {
        let response = sender.send_request(request).await.map_err(said)?;
        if response.status() != StatusCode::OK {
            return Err(format!("answered {}", response.status()));
        }
        let body = Limited::new(response.into_body(), ANSWER_BYTES).collect().await;
        Ok(body.map_err(|_| "sent too much, or broke off")?.to_bytes())
    };
    let answer = answer.await;
    driver.abort();
    answer
}
