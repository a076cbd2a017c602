//! The server's side of TLS: 1.3 only, HTTP/2 only, no resumption (a resumed session would skip the look at the client's certificate).
//! The files are read again when they change; connections that are open stay, and their certificates are looked at anew.
//!
//! The server's own pair, and who vouches for callers, are read each by itself: a pair that is half written keeps no revocation out.

use crate::{
    config::identity::Tls as Files,
    error::ServiceError,
    telemetry::metrics::Metrics,
    watched::{Stamp, Watched, stamp},
};
use rustls::{
    RootCertStore, ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, UnixTime, pem::PemObject},
    server::{NoServerSessionStorage, WebPkiClientVerifier, danger::ClientCertVerifier},
    version::TLS13,
};
use std::{
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::{Duration, Instant as Moment},
};
use tokio_rustls::TlsAcceptor;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(1);

/// The server's certificate, with what leads to its authority, and its key.
struct Pair {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

/// Who vouches for callers, and who of them was revoked; `None` where no certificate is asked for.
type Verifier = Option<Arc<dyn ClientCertVerifier>>;

/// What is served with.
struct Loaded {
    generation: u64,
    server: Arc<ServerConfig>,
}

/// When the files of the pair, and of who vouches for callers, changed last.
type Stamps = [Vec<Stamp>; 2];

/// The server's side of TLS.
pub(crate) struct Tls {
    files: Files,
    /// Whether a connection may come without a certificate: a token is to come with its requests.
    optional: bool,
    pair: Watched<Arc<Pair>>,
    callers: Watched<Verifier>,
    seen: Mutex<Stamps>,
    loaded: RwLock<Loaded>,
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// Which file cannot be used, and why.
    pub(crate) fn open(files: Files, optional: bool) -> Result<Self, ServiceError> {
        // First: what changes while it is read is read again.
        let (seen, now) = (Mutex::new(stamps(&files)), Moment::now());
        let verifier = read_verifier(&files, optional)?;
        let pair = Arc::new(read_pair(&files)?);
        let server = build(&files, &pair, verifier.as_ref())?;
        Ok(Self {
            pair: Watched::new("certificate", pair, Some(now)),
            callers: Watched::new("callers", verifier, Some(now)),
            loaded: RwLock::new(Loaded { generation: 0, server }),
            seen,
            files,
            optional,
        })
    }

    pub(super) fn acceptor(&self) -> (u64, TlsAcceptor) {
        let loaded = self.loaded.read().unwrap_or_else(PoisonError::into_inner);
        (loaded.generation, TlsAcceptor::from(loaded.server.clone()))
    }

    pub(super) fn generation(&self) -> u64 {
        self.loaded.read().unwrap_or_else(PoisonError::into_inner).generation
    }

    /// Whether it is known who may be believed: authorities and revocations were read within a day.
    pub(super) fn knows_callers(&self, now: Moment) -> bool {
        self.callers.believed(now).is_some()
    }

    /// Whether this chain, the caller's own certificate first, would be taken in a handshake now.
    pub(super) fn trusts(&self, chain: &[CertificateDer<'_>]) -> bool {
        match (self.callers.last(), chain) {
            (Some(verifier), [own, between @ ..]) => {
                verifier.verify_client_cert(own, between, UnixTime::now()).is_ok()
            }
            _ => false,
        }
    }

    /// Reads the files again whenever they change, for ever.
    pub(crate) async fn keep(&self, metrics: &Metrics) {
        loop {
            let now = Moment::now();
            self.look(now);
            metrics.note_unread(self.pair.what(), self.pair.unread(now));
            metrics.note_unread(self.callers.what(), self.callers.unread(now));
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Reads what changed since the last look, and what could not be read then. Files that do not fit together change nothing.
    fn look(&self, now: Moment) {
        let found = stamps(&self.files);
        let seen =
            std::mem::replace(&mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner), found.clone());
        let text = |error: ServiceError| error.to_string();
        let pair = || read_pair(&self.files).map(Arc::new).map_err(text);
        let callers = || read_verifier(&self.files, self.optional).map_err(text);
        let pair = self.pair.look(found[0] != seen[0], now, pair);
        let callers = self.callers.look(found[1] != seen[1], now, callers);
        if pair || callers {
            match build(&self.files, &self.pair.last(), self.callers.last().as_ref()) {
                Ok(server) => {
                    let mut loaded = self.loaded.write().unwrap_or_else(PoisonError::into_inner);
                    *loaded = Loaded { generation: loaded.generation + 1, server };
                    tracing::info!("the TLS files changed and were read again");
                }
                // Each was good by itself.
                Err(error) => {
                    tracing::error!(%error, "the TLS files cannot be used together; restart the server")
                }
            }
        }
    }
}

fn stamps(files: &Files) -> Stamps {
    let Files { certificate, key, client_ca, client_crl } = files;
    let of = |paths: [Option<&PathBuf>; 2]| paths.into_iter().flatten().map(|path| stamp(path)).collect();
    [of([Some(certificate), Some(key)]), of([client_ca.as_ref(), client_crl.as_ref()])]
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

fn read_pair(files: &Files) -> Result<Pair, ServiceError> {
    let pair = Pair { chain: certificates(&files.certificate)?, key: key(&files.key)? };
    // Whether they fit each other.
    build(files, &pair, None).map(|_| pair)
}

fn read_verifier(files: &Files, optional: bool) -> Result<Verifier, ServiceError> {
    let Some(path) = &files.client_ca else { return Ok(None) };
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots.add(certificate).map_err(|error| unusable(path, format!("holds no authority: {error}")))?;
    }
    let provider = Arc::new(ring::default_provider());
    let mut verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    if let Some(path) = &files.client_crl {
        let lists: Result<Vec<_>, _> =
            CertificateRevocationListDer::pem_file_iter(path).and_then(Iterator::collect);
        let lists =
            lists.map_err(|error| unusable(path, format!("is no PEM file of revocation lists: {error}")))?;
        if lists.is_empty() {
            return Err(unusable(path, "holds no revocation list"));
        }
        verifier = verifier.with_crls(lists).allow_unknown_revocation_status();
    }
    if optional {
        verifier = verifier.allow_unauthenticated();
    }
    let verifier = verifier.build().map_err(|error| unusable(path, error.to_string()))?;
    Ok(Some(verifier))
}

fn build(
    files: &Files,
    pair: &Pair,
    verifier: Option<&Arc<dyn ClientCertVerifier>>,
) -> Result<Arc<ServerConfig>, ServiceError> {
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&TLS13])
        .map_err(|_| ServiceError::Bug("the TLS versions contradict the cryptography"))?;
    let builder = match verifier {
        None => builder.with_no_client_auth(),
        Some(verifier) => builder.with_client_cert_verifier(verifier.clone()),
    };
    let mut server = builder.with_single_cert(pair.chain.clone(), pair.key.clone_key()).map_err(|error| {
        unusable(&files.certificate, format!("does not fit its key {}: {error}", files.key.display()))
    })?;
    server.alpn_protocols = vec![b"h2".to_vec()];
    server.session_storage = Arc::new(NoServerSessionStorage {});
    server.send_tls13_tickets = 0;
    Ok(Arc::new(server))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watched::STALE;

    type Outcome = Result<(), Box<dyn std::error::Error>>;

    fn pair_in(folder: &Path) -> Result<Files, Box<dyn std::error::Error>> {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
        let files = Files {
            certificate: folder.join("server.pem"),
            key: folder.join("server.key"),
            client_ca: Some(folder.join("ca.pem")),
            client_crl: Some(folder.join("callers.crl")),
        };
        std::fs::write(&files.certificate, made.cert.pem())?;
        std::fs::write(&files.key, made.signing_key.serialize_pem())?;
        std::fs::set_permissions(&files.key, std::fs::Permissions::from_mode(0o600))?;
        Ok(files)
    }

    /// An authority with an empty list of revoked callers.
    fn authority_in(folder: &Path) -> Result<String, Box<dyn std::error::Error>> {
        let mut params = rcgen::CertificateParams::new(Vec::<String>::new())?;
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.key_usages = vec![rcgen::KeyUsagePurpose::KeyCertSign, rcgen::KeyUsagePurpose::CrlSign];
        let issuer = rcgen::CertifiedIssuer::self_signed(params, rcgen::KeyPair::generate()?)?;
        std::fs::write(folder.join("ca.pem"), issuer.pem())?;
        let list = rcgen::CertificateRevocationListParams {
            this_update: rcgen::date_time_ymd(2024, 1, 1),
            next_update: rcgen::date_time_ymd(2100, 1, 1),
            crl_number: rcgen::SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: Vec::new(),
            key_identifier_method: rcgen::KeyIdMethod::Sha256,
        };
        Ok(list.signed_by(&issuer)?.pem()?)
    }

    #[test]
    fn a_revocation_list_that_cannot_be_read_is_read_again_and_counts_for_a_day() -> Outcome {
        let folder = tempfile::tempdir()?;
        let (files, list) = (pair_in(folder.path())?, authority_in(folder.path())?);
        let crl = folder.path().join("callers.crl");
        std::fs::write(&crl, &list)?;
        let tls = Tls::open(files, false)?;
        let begun = Moment::now();
        tls.look(begun);
        for damage in ["", "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n", "gone"] {
            std::fs::write(&crl, damage)?;
            if damage == "gone" {
                std::fs::remove_file(&crl)?;
            }
            tls.look(begun + Duration::from_secs(1));
            assert!(tls.callers.is_in_trouble() && !tls.pair.is_in_trouble(), "{damage:?}");
            assert!(tls.knows_callers(begun + STALE), "{damage:?}");
            // Nothing changes, and it is read again all the same: it stays as bad as it was.
            tls.look(begun + STALE);
            assert!(!tls.knows_callers(begun + STALE + Duration::from_secs(1)), "{damage:?}");
        }
        assert_eq!(tls.generation(), 0, "what cannot be read is not served with");
        std::fs::write(&crl, &list)?;
        let mended = begun + 2 * STALE;
        tls.look(mended);
        assert!(tls.knows_callers(mended) && !tls.callers.is_in_trouble());
        assert_eq!(tls.generation(), 1);
        Ok(())
    }

    #[test]
    fn a_certificate_that_cannot_be_read_keeps_no_revocation_out() -> Outcome {
        let folder = tempfile::tempdir()?;
        let (files, list) = (pair_in(folder.path())?, authority_in(folder.path())?);
        std::fs::write(folder.path().join("callers.crl"), &list)?;
        let tls = Tls::open(files, false)?;
        let now = Moment::now();
        std::fs::write(folder.path().join("server.pem"), "half")?;
        tls.look(now);
        assert!(tls.pair.is_in_trouble() && tls.generation() == 0);
        let renewed = authority_in(folder.path())?;
        std::fs::write(folder.path().join("callers.crl"), renewed)?;
        tls.look(now);
        assert!(tls.pair.is_in_trouble() && !tls.callers.is_in_trouble());
        assert_eq!(tls.generation(), 1, "the new list is not in use");
        Ok(())
    }
}
