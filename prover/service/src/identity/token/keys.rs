//! The issuer's keys: from a file, or from where its discovery document says. Few, kept for a while, and fetched anew when a token names
//! one that is not known, which strangers can make happen once a minute and no more. What cannot be read counts for a day ([`Watched`]); a set
//! without a key that can be used is read, and is how an issuer withdraws them all.

use super::{Refusal, fetch};
use crate::{
    config::identity::{Oidc, is_loopback_http},
    error::ServiceError,
    telemetry::metrics::Metrics,
    watched::{Stamp, Watched, stamp},
};
use bytes::Bytes;
use jsonwebtoken::{
    Algorithm, DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse},
};
use rustls::RootCertStore;
use serde::Deserialize;
use serde_json::Value;
use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError},
    time::{Duration, Instant},
};
use tokio::sync::Mutex;

/// Keys that are held at most.
const KEYS: usize = 64;
/// Tokens that name an unknown key have the keys fetched at most so often.
const UNKNOWN: Duration = Duration::from_secs(60);
/// Where keys cannot be fetched, the next try is so long after.
const RETRY: Duration = Duration::from_secs(15);
/// How often a file is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// One key, and the one algorithm that it is for.
pub(crate) struct Key {
    pub(super) algorithm: Algorithm,
    pub(super) key: DecodingKey,
}

/// Where keys come from.
enum Source {
    File(PathBuf),
    Issuer { issuer: String, roots: Arc<RootCertStore> },
}

/// Keys by name.
type Named = Arc<HashMap<String, Arc<Key>>>;

/// The issuer's keys.
pub(crate) struct Keys {
    source: Source,
    refresh: Duration,
    held: Watched<Named>,
    /// The file as it was when it was looked at last.
    seen: std::sync::Mutex<Stamp>,
    /// When a token that names an unknown key last had them fetched. Held by whoever fetches, from the question until the answer is
    /// taken: an answer that was given earlier is never taken later, and one fetch serves all who wait.
    fetching: Mutex<Option<Instant>>,
}

impl Keys {
    /// Opens the source; of an issuer, nothing is fetched yet.
    ///
    /// # Errors
    /// A file that cannot be read or holds no key, or no authorities to believe the issuer's certificate by.
    pub(crate) fn open(settings: &Oidc) -> Result<Self, ServiceError> {
        let source = match &settings.jwks_file {
            Some(path) => Source::File(path.clone()),
            None => Source::Issuer {
                issuer: settings.issuer.clone(),
                roots: Arc::new(fetch::roots(settings.ca.as_deref())?),
            },
        };
        let (mut seen, mut first) = (None, (Named::default(), None));
        if let Source::File(path) = &source {
            seen = stamp(path);
            let refused = |problem| ServiceError::Path { path: path.clone(), problem };
            let keys = read_file(path).map_err(refused)?;
            if keys.is_empty() {
                let problem =
                    "holds no RSA, P-256 or Ed25519 key with a kid for signatures; put the issuer's there";
                return Err(refused(problem.into()));
            }
            first = (keys, Some(Instant::now()));
        }
        let held = Watched::new("issuer", first.0, first.1);
        let (seen, refresh) = (std::sync::Mutex::new(seen), settings.refresh);
        Ok(Self { source, refresh, held, seen, fetching: Mutex::new(None) })
    }

    /// The key of this name.
    pub(crate) async fn find(&self, kid: &str) -> Result<Arc<Key>, Refusal> {
        if let Some(key) = self.held(kid, Instant::now()) {
            return Ok(key);
        }
        // A file is looked at every second, by `keep` alone.
        if let Source::Issuer { issuer, roots } = &self.source {
            let mut last = self.fetching.lock().await;
            // Who waited for another's fetch finds its outcome here.
            if let Some(key) = self.held(kid, Instant::now()) {
                return Ok(key);
            }
            if last.is_none_or(|last| last.elapsed() >= UNKNOWN) {
                *last = Some(Instant::now());
                self.fetch(issuer, roots).await;
            }
        }
        let keys = self.held.believed(Instant::now()).ok_or(Refusal::NoKeys)?;
        keys.get(kid).cloned().ok_or(Refusal::Invalid("its key is not one of the issuer's"))
    }

    fn held(&self, kid: &str, now: Instant) -> Option<Arc<Key>> {
        self.held.believed(now)?.get(kid).cloned()
    }

    /// Keeps the keys new, for ever.
    pub(crate) async fn keep(&self, metrics: &Metrics) {
        loop {
            let pause = match &self.source {
                Source::File(path) => {
                    self.look(path, Instant::now());
                    LOOK
                }
                Source::Issuer { issuer, roots } => {
                    let fetching = self.fetching.lock().await;
                    self.fetch(issuer, roots).await;
                    drop(fetching);
                    if self.held.is_in_trouble() { RETRY.min(self.refresh) } else { self.refresh }
                }
            };
            metrics.note_unread(self.held.what(), self.held.unread(Instant::now()));
            tokio::time::sleep(pause).await;
        }
    }

    /// Reads the file where it changed, or could not be read.
    fn look(&self, path: &Path, now: Instant) {
        let found = stamp(path);
        let seen = std::mem::replace(&mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner), found);
        if self.held.look(found != seen, now, || read_file(path)) {
            tracing::info!("the token issuer's keys changed and were read again");
            self.warn_of_none();
        }
    }

    /// Says so where no token can be taken, although everything was read.
    fn warn_of_none(&self) {
        if self.held.last().is_empty() {
            tracing::error!(
                "the token issuer has no RSA, P-256 or Ed25519 key with a kid for signatures any more; every token is refused"
            );
        }
    }

    /// Fetches the keys, for whoever holds `fetching`; those that are held stay when that fails.
    async fn fetch(&self, issuer: &str, roots: &Arc<RootCertStore>) {
        let asked = Instant::now();
        let fetched = match discover(issuer, roots).await {
            Ok(text) => read(&text).map(Arc::new),
            Err(problem) => Err(problem),
        };
        if self.held.take(fetched, asked) {
            self.warn_of_none();
        }
    }
}

fn read_file(path: &Path) -> Result<Named, String> {
    let text = std::fs::read(path).map_err(|error| format!("cannot be read: {error}"))?;
    read(&text).map(Arc::new)
}

#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
}

/// The issuer's key set, from where its discovery document says.
async fn discover(issuer: &str, roots: &Arc<RootCertStore>) -> Result<Bytes, String> {
    let address = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
    let text = fetch::get(&address, roots).await?;
    let keys = place(&text, issuer).map_err(|problem| format!("{address} {problem}"))?;
    fetch::get(&keys, roots).await
}

/// Where this discovery document of an issuer says that its keys are.
pub(in crate::identity) fn place(text: &[u8], issuer: &str) -> Result<String, &'static str> {
    let found: Discovery = serde_json::from_slice(text).map_err(|_| "is no discovery document")?;
    if found.issuer != issuer {
        return Err("is of another issuer than oidc.issuer says");
    }
    let is_secure = found.jwks_uri.starts_with("https://");
    let may_be_plain = is_loopback_http(issuer) && is_loopback_http(&found.jwks_uri);
    if !is_secure && !may_be_plain {
        return Err("says that the keys are at an address that is not https://");
    }
    Ok(found.jwks_uri)
}

/// The keys of a set that can be used here, be it none. The others are another application's business.
pub(in crate::identity) fn read(text: &[u8]) -> Result<HashMap<String, Arc<Key>>, String> {
    #[derive(Deserialize)]
    struct Set {
        keys: Vec<Value>,
    }
    let set: Set = serde_json::from_slice(text).map_err(|_| "is no JSON Web Key Set".to_owned())?;
    if set.keys.len() > KEYS {
        return Err(format!("holds more than {KEYS} keys"));
    }
    let mut keys = HashMap::new();
    let mut doubled = Vec::new();
    for value in set.keys {
        let Some((kid, key)) = serde_json::from_value::<Jwk>(value).ok().and_then(|jwk| usable(&jwk)) else {
            continue;
        };
        if keys.insert(kid.clone(), Arc::new(key)).is_some() {
            doubled.push(kid);
        }
    }
    // Two keys of one name: which one is meant cannot be known.
    for kid in doubled {
        keys.remove(&kid);
    }
    Ok(keys)
}

fn usable(jwk: &Jwk) -> Option<(String, Key)> {
    let common = &jwk.common;
    let kid = common.key_id.clone().filter(|kid| (1..=256).contains(&kid.len()))?;
    if common.public_key_use.as_ref().is_some_and(|purpose| *purpose != PublicKeyUse::Signature) {
        return None;
    }
    if common.key_operations.as_ref().is_some_and(|all| !all.contains(&KeyOperations::Verify)) {
        return None;
    }
    let (algorithm, named) = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => (Algorithm::RS256, KeyAlgorithm::RS256),
        AlgorithmParameters::EllipticCurve(of) if of.curve == EllipticCurve::P256 => {
            (Algorithm::ES256, KeyAlgorithm::ES256)
        }
        AlgorithmParameters::OctetKeyPair(of) if of.curve == EllipticCurve::Ed25519 => {
            (Algorithm::EdDSA, KeyAlgorithm::EdDSA)
        }
        _ => return None,
    };
    if common.key_algorithm.is_some_and(|said| said != named) {
        return None;
    }
    let key = DecodingKey::from_jwk(jwk).ok()?;
    Some((kid, Key { algorithm, key }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watched::STALE;

    const EC: &str = r#""kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0""#;

    fn kids(keys: &[String]) -> Result<Vec<String>, String> {
        let text = format!(r#"{{"keys":[{}]}}"#, keys.join(","));
        read(text.as_bytes()).map(|keys| {
            let mut kids: Vec<String> = keys.into_keys().collect();
            kids.sort();
            kids
        })
    }

    #[test]
    fn only_keys_for_signatures_of_the_taken_kinds_count() {
        let good = format!(r#"{{"kid":"a","use":"sig",{EC}}}"#);
        for other in [
            format!(r#"{{"kid":"b","use":"enc",{EC}}}"#),
            format!(r#"{{"kid":"b","key_ops":["sign"],{EC}}}"#),
            format!(r#"{{"kid":"b","alg":"ES384",{EC}}}"#),
            format!("{{{EC}}}"),
            r#"{"kid":"b","kty":"oct","k":"c2VjcmV0"}"#.to_owned(),
            r#"{"kid":"b","kty":"oct","alg":"HS256","k":"c2VjcmV0"}"#.to_owned(),
            EC.replace("P-256", "P-384").replacen('"', r#"{"kid":"b",""#, 1) + "}",
            EC.replace("P-256", "secp256k1").replacen('"', r#"{"kid":"b",""#, 1) + "}",
            r#"{"kid":"b"}"#.to_owned(),
            "7".to_owned(),
        ] {
            assert_eq!(kids(&[good.clone(), other.clone()]), Ok(vec!["a".to_owned()]), "{other}");
        }
        let second = format!(r#"{{"kid":"b",{EC}}}"#);
        assert_eq!(kids(&[good.clone(), second.clone()]), Ok(vec!["a".to_owned(), "b".to_owned()]));
        assert_eq!(kids(&[good.clone(), good.clone(), second]), Ok(vec!["b".to_owned()]));
        assert_eq!(kids(&[good.clone(), good.clone()]), Ok(Vec::new()));
        assert!(kids(&vec![good; KEYS + 1]).is_err());
        assert_eq!(kids(&[]), Ok(Vec::new()));
        assert!(read(b"{}").is_err() && read(b"[]").is_err(), "no set");
    }

    #[test]
    fn a_key_file_that_cannot_be_read_is_read_again_and_counts_for_a_day() -> Result<(), String> {
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let path = folder.path().join("jwks.json");
        let write = |text: &str| std::fs::write(&path, text).map_err(|error| error.to_string());
        let good = format!(r#"{{"keys":[{{"kid":"a",{EC}}}]}}"#);
        write(&good)?;
        let begun = Instant::now();
        let keys = Keys {
            source: Source::File(path.clone()),
            refresh: Duration::from_secs(600),
            held: Watched::new("issuer", read_file(&path)?, Some(begun)),
            seen: std::sync::Mutex::new(stamp(&path)),
            fetching: Mutex::new(None),
        };
        // A file that nobody changes is as new as ever.
        let week = begun + 7 * STALE;
        keys.look(&path, week);
        assert!(keys.held("a", week).is_some());
        write("{}")?;
        keys.look(&path, week);
        keys.look(&path, week + STALE);
        assert!(keys.held("a", week + STALE).is_some() && keys.held.is_in_trouble());
        assert!(keys.held("a", week + STALE + Duration::from_secs(1)).is_none(), "believed for ever");
        write(&good)?;
        keys.look(&path, week + 2 * STALE);
        assert!(keys.held("a", week + 2 * STALE).is_some() && !keys.held.is_in_trouble());
        Ok(())
    }
}
