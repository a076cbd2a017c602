//! The server's side of TLS: 1.3 only, HTTP/2 only, no resumption (a resumed session would skip the look at the client's certificate).
//! The files are read again when they change; connections that are open stay, and their certificates are looked at anew.

use crate::{config::identity::Tls as Files, error::ServiceError};
use rustls::{
    RootCertStore, ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, UnixTime, pem::PemObject},
    server::{NoServerSessionStorage, WebPkiClientVerifier, danger::ClientCertVerifier},
    version::TLS13,
};
use std::{
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};
use tokio_rustls::TlsAcceptor;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(1);

/// What was read from the files last.
struct Loaded {
    generation: u64,
    server: Arc<ServerConfig>,
    verifier: Option<Arc<dyn ClientCertVerifier>>,
}

/// The server's side of TLS.
pub(crate) struct Tls {
    files: Files,
    /// Whether a connection may come without a certificate: a token is to come with its requests.
    optional: bool,
    loaded: RwLock<Loaded>,
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// Which file cannot be used, and why.
    pub(crate) fn open(files: Files, optional: bool) -> Result<Self, ServiceError> {
        let loaded = RwLock::new(load(&files, optional, 0)?);
        Ok(Self { files, optional, loaded })
    }

    pub(super) fn acceptor(&self) -> (u64, TlsAcceptor) {
        let loaded = self.loaded.read().unwrap_or_else(PoisonError::into_inner);
        (loaded.generation, TlsAcceptor::from(loaded.server.clone()))
    }

    pub(super) fn generation(&self) -> u64 {
        self.loaded.read().unwrap_or_else(PoisonError::into_inner).generation
    }

    /// Whether this chain, the caller's own certificate first, would be taken in a handshake now.
    pub(super) fn trusts(&self, chain: &[CertificateDer<'_>]) -> bool {
        let verifier = self.loaded.read().unwrap_or_else(PoisonError::into_inner).verifier.clone();
        match (verifier, chain) {
            (Some(verifier), [own, between @ ..]) => {
                verifier.verify_client_cert(own, between, UnixTime::now()).is_ok()
            }
            _ => false,
        }
    }

    /// Reads the files again whenever they change, for ever. Files that do not fit together change nothing.
    pub(crate) async fn keep(&self) {
        let mut seen = self.stamps();
        loop {
            tokio::time::sleep(LOOK).await;
            let now = self.stamps();
            if now == seen {
                continue;
            }
            let next = self.generation() + 1;
            match load(&self.files, self.optional, next) {
                Ok(loaded) => {
                    *self.loaded.write().unwrap_or_else(PoisonError::into_inner) = loaded;
                    tracing::info!("the TLS files changed and were read again");
                    seen = now;
                }
                // Perhaps the other half is still being written: looked at again, and said once.
                Err(error) if now != seen => {
                    tracing::warn!(%error, "the TLS files changed and cannot be used; the old ones stay");
                    seen = now;
                }
                Err(_) => {}
            }
        }
    }

    fn stamps(&self) -> Vec<Option<(i64, i64, u64, u64)>> {
        let Files { certificate, key, client_ca, client_crl } = &self.files;
        let stamp = |path: &PathBuf| {
            let data = std::fs::metadata(path).ok()?;
            Some((data.mtime(), data.mtime_nsec(), data.len(), data.ino()))
        };
        [Some(certificate), Some(key), client_ca.as_ref(), client_crl.as_ref()]
            .into_iter()
            .flatten()
            .map(stamp)
            .collect()
    }
}

fn unusable(path: &Path, problem: impl Into<String>) -> ServiceError {
    ServiceError::Path { path: path.to_owned(), problem: problem.into() }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, ServiceError> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    let read = read.map_err(|error| unusable(path, format!("is no PEM file of certificates: {error}")))?;
    if read.is_empty() { Err(unusable(path, "holds no certificate")) } else { Ok(read) }
}

/// Reads a key that nobody but its owner may read.
fn key(path: &Path) -> Result<PrivateKeyDer<'static>, ServiceError> {
    let data = std::fs::metadata(path).map_err(|error| unusable(path, format!("cannot be read: {error}")))?;
    if data.permissions().mode() & 0o077 != 0 {
        return Err(unusable(
            path,
            "may be read by others than its owner; chmod 600, and make a new key where others could read it",
        ));
    }
    // The reader's own error may name a part of the file.
    PrivateKeyDer::from_pem_file(path).map_err(|_| unusable(path, "holds no PEM private key"))
}

fn load(files: &Files, optional: bool, generation: u64) -> Result<Loaded, ServiceError> {
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&TLS13])
        .map_err(|_| ServiceError::Bug("the TLS versions contradict the cryptography"))?;
    let verifier = match &files.client_ca {
        None => None,
        Some(path) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates(path)? {
                roots
                    .add(certificate)
                    .map_err(|error| unusable(path, format!("holds no authority: {error}")))?;
            }
            let mut verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            if let Some(path) = &files.client_crl {
                let lists: Result<Vec<_>, _> =
                    CertificateRevocationListDer::pem_file_iter(path).and_then(Iterator::collect);
                let lists = lists.map_err(|error| {
                    unusable(path, format!("is no PEM file of revocation lists: {error}"))
                })?;
                if lists.is_empty() {
                    return Err(unusable(path, "holds no revocation list"));
                }
                verifier = verifier.with_crls(lists).allow_unknown_revocation_status();
            }
            if optional {
                verifier = verifier.allow_unauthenticated();
            }
            Some(verifier.build().map_err(|error| unusable(path, error.to_string()))?)
        }
    };
    let builder = match &verifier {
        None => builder.with_no_client_auth(),
        Some(verifier) => builder.with_client_cert_verifier(verifier.clone()),
    };
    let mut server =
        builder.with_single_cert(certificates(&files.certificate)?, key(&files.key)?).map_err(|error| {
            unusable(&files.certificate, format!("does not fit its key {}: {error}", files.key.display()))
        })?;
    server.alpn_protocols = vec![b"h2".to_vec()];
    server.session_storage = Arc::new(NoServerSessionStorage {});
    server.send_tls13_tickets = 0;
    Ok(Loaded { generation, server: Arc::new(server), verifier })
}
