//! What a client shows, and what it believes: certificate, token, the server's authority. All are files; their content is never printed.

use super::ClientError;
use std::{
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};
use tonic::{
    Request, Status,
    metadata::{Ascii, MetadataValue},
    service::Interceptor,
    transport::{Certificate, ClientTlsConfig, Endpoint, Identity, Uri},
};
use zeroize::Zeroizing;

/// The files that a client shows and believes by. Default: none, as a server without identities wants it.
#[derive(Clone, Debug, Default)]
pub struct Credentials {
    /// The authorities of the server's certificate, PEM; `None` for the system's.
    pub ca: Option<PathBuf>,
    /// The client's certificate, PEM, and its key.
    pub certificate: Option<(PathBuf, PathBuf)>,
    /// A file with a bearer token. It is read again for each call, so that whoever keeps it new needs to tell nobody.
    pub token_file: Option<PathBuf>,
    /// The name that the server's certificate is for, where it is not the address's.
    pub server_name: Option<String>,
}

impl Credentials {
    /// Whether anything shows who the client is.
    #[must_use]
    pub const fn show_somebody(&self) -> bool {
        self.certificate.is_some() || self.token_file.is_some()
    }

    /// The endpoint at an address: `host:port`, `http://..` or `https://..`.
    ///
    /// # Errors
    /// Not an address, a file that cannot be used, or a secret that would travel in the clear.
    pub(super) fn endpoint(&self, server: &str) -> Result<Endpoint, ClientError> {
        let address = || ClientError::Address(server.to_owned());
        let wants_tls = self.certificate.is_some() || self.ca.is_some();
        let text = match (server.contains("://"), wants_tls) {
            (true, _) => server.to_owned(),
            (false, true) => format!("https://{server}"),
            (false, false) => format!("http://{server}"),
        };
        let uri: Uri = text.parse().map_err(|_| address())?;
        let endpoint = Endpoint::from(uri.clone());
        match uri.scheme_str() {
            Some("https") => endpoint.tls_config(self.tls()?).map_err(|error| ClientError::Credentials {
                problem: format!("the TLS files cannot be used: {}", cause(&error)),
            }),
            Some("http") if wants_tls => {
                Err(unusable("a certificate is of no use over http://; use https://"))
            }
            Some("http") if self.token_file.is_some() && !is_local(&uri) => {
                Err(unusable("a token is not sent over http:// to another machine; use https://"))
            }
            Some("http") => Ok(endpoint),
            _ => Err(address()),
        }
    }

    fn tls(&self) -> Result<ClientTlsConfig, ClientError> {
        let mut tls = ClientTlsConfig::new();
        tls = match &self.ca {
            Some(path) => tls.ca_certificate(Certificate::from_pem(read(path)?.as_slice())),
            None => tls.with_native_roots(),
        };
        if let Some((certificate, key)) = &self.certificate {
            let (certificate, key) = (read(certificate)?, secret(key)?);
            tls = tls.identity(Identity::from_pem(certificate.as_slice(), key.as_slice()));
        }
        if let Some(name) = &self.server_name {
            tls = tls.domain_name(name);
        }
        Ok(tls)
    }

    /// Adds the token to each call.
    pub(super) fn bearer(&self) -> Bearer {
        Bearer(self.token_file.clone())
    }
}

fn unusable(problem: impl Into<String>) -> ClientError {
    ClientError::Credentials { problem: problem.into() }
}

fn cause(error: &tonic::transport::Error) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string)
}

fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, ClientError> {
    let bytes = std::fs::read(path);
    bytes
        .map(Zeroizing::new)
        .map_err(|error| unusable(format!("{}: cannot be read: {error}", path.display())))
}

/// Reads a file that nobody but its owner may read.
fn secret(path: &Path) -> Result<Zeroizing<Vec<u8>>, ClientError> {
    let bytes = read(path)?;
    let mode = std::fs::metadata(path).map(|data| data.permissions().mode()).unwrap_or(0o777);
    if mode & 0o077 != 0 {
        return Err(unusable(format!("{}: may be read by others than its owner; chmod 600", path.display())));
    }
    Ok(bytes)
}

fn is_local(uri: &Uri) -> bool {
    crate::config::identity::is_loopback_http(&uri.to_string())
}

/// Adds a bearer token, read from its file, to each call.
#[derive(Clone)]
pub struct Bearer(Option<PathBuf>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let Some(path) = &self.0 else { return Ok(request) };
        let bytes = secret(path).map_err(|error| Status::unauthenticated(error.to_string()))?;
        let text = std::str::from_utf8(&bytes).unwrap_or_default().trim();
        let value: Result<MetadataValue<Ascii>, _> = Zeroizing::new(format!("Bearer {text}")).parse();
        let mut value = value
            .map_err(|_| Status::unauthenticated(format!("{}: holds no bearer token", path.display())))?;
        value.set_sensitive(true);
        request.metadata_mut().insert("authorization", value);
        Ok(request)
    }
}
