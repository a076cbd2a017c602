//! An issuer of tokens for a test: its own keys of every kind, tokens of any content, and a discovery document on a loopback address.

use anyhow::{Context, Result};
use nightingale::config::identity::Oidc;
use ring::{
    rand::SystemRandom,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
        RsaPublicKeyComponents,
    },
};
use serde_json::{Value, json};
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

/// The audience of this service's tokens.
pub(crate) const AUDIENCE: &str = "nightingale-test";
/// Of this test only: nothing anywhere believes it.
const RSA: &str = include_str!("issuer_rsa.pem");

/// An issuer.
pub(crate) struct Issuer {
    pub(crate) name: String,
    rsa: RsaKeyPair,
    ec: EcdsaKeyPair,
    ed: Ed25519KeyPair,
    random: SystemRandom,
}

/// Encodes as a JWT does: base64url without padding.
pub(crate) fn encode(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for part in bytes.chunks(3) {
        let word =
            part.iter().fold(0u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - part.len()));
        for place in 0..=part.len() {
            text.push(char::from(LETTERS[(word >> (18 - 6 * place)) as usize & 63]));
        }
    }
    text
}

fn decode_pem(text: &str) -> Vec<u8> {
    let body: String = text.lines().filter(|line| !line.starts_with('-')).collect();
    let value = |letter: u8| match letter {
        b'A'..=b'Z' => letter - b'A',
        b'a'..=b'z' => letter - b'a' + 26,
        b'0'..=b'9' => letter - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let (mut bytes, mut word, mut bits) = (Vec::new(), 0u32, 0);
    for letter in body.bytes().filter(|letter| *letter != b'=') {
        (word, bits) = (word << 6 | u32::from(value(letter)), bits + 6);
        if bits >= 8 {
            bits -= 8;
            bytes.push((word >> bits) as u8);
        }
    }
    bytes
}

pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

impl Issuer {
    pub(crate) fn new(name: &str) -> Result<Self> {
        let random = SystemRandom::new();
        let ec = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random)
            .map_err(|_| anyhow::anyhow!("no P-256 key"))?;
        let ed = Ed25519KeyPair::generate_pkcs8(&random).map_err(|_| anyhow::anyhow!("no Ed25519 key"))?;
        let rejected = |error: ring::error::KeyRejected| anyhow::anyhow!("{error}");
        Ok(Self {
            name: name.to_owned(),
            rsa: RsaKeyPair::from_pkcs8(&decode_pem(RSA)).map_err(rejected)?,
            ec: EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, ec.as_ref(), &random)
                .map_err(rejected)?,
            ed: Ed25519KeyPair::from_pkcs8(ed.as_ref()).map_err(rejected)?,
            random,
        })
    }

    fn components(&self) -> RsaPublicKeyComponents<Vec<u8>> {
        self.rsa.public().into()
    }

    /// The issuer's public keys, under the names `rsa`, `ec` and `ed`.
    pub(crate) fn keys(&self) -> Value {
        let (rsa, point) = (self.components(), self.ec.public_key().as_ref());
        json!({"keys": [
            {"kty": "RSA", "use": "sig", "kid": "rsa", "alg": "RS256",
             "n": encode(&rsa.n),
             "e": encode(&rsa.e)},
            {"kty": "EC", "crv": "P-256", "kid": "ec", "x": encode(&point[1..33]), "y": encode(&point[33..])},
            {"kty": "OKP", "crv": "Ed25519", "kid": "ed", "alg": "EdDSA",
             "x": encode(self.ed.public_key().as_ref())},
        ]})
    }

    /// The RSA key's modulus: what a confused verifier takes for a shared secret.
    pub(crate) fn modulus(&self) -> Vec<u8> {
        self.components().n
    }

    /// What a good token of this caller claims.
    pub(crate) fn claims(&self, tenant: &str, roles: &[&str]) -> Value {
        json!({
            "iss": self.name, "aud": AUDIENCE, "sub": "somebody", "exp": now() + 600, "nbf": now() - 5,
            "tenant": tenant, "roles": roles,
        })
    }

    /// A token, signed as `kid` says.
    pub(crate) fn sign(&self, kid: &str, claims: &Value) -> Result<String> {
        let algorithm = match kid {
            "rsa" => "RS256",
            "ec" => "ES256",
            _ => "EdDSA",
        };
        self.sign_as(&json!({"alg": algorithm, "typ": "JWT", "kid": kid}), kid, &claims.to_string())
    }

    /// A token with this header and this text for its claims, signed with a key.
    pub(crate) fn sign_as(&self, header: &Value, key: &str, claims: &str) -> Result<String> {
        let message = format!("{}.{}", encode(header.to_string().as_bytes()), encode(claims.as_bytes()));
        let signature = match key {
            "rsa" => {
                let mut signature = vec![0; self.rsa.public().modulus_len()];
                self.rsa
                    .sign(&RSA_PKCS1_SHA256, &self.random, message.as_bytes(), &mut signature)
                    .map_err(|_| anyhow::anyhow!("not signed"))?;
                signature
            }
            "ec" => {
                let signature = self.ec.sign(&self.random, message.as_bytes());
                signature.map_err(|_| anyhow::anyhow!("not signed"))?.as_ref().to_vec()
            }
            "ed" => self.ed.sign(message.as_bytes()).as_ref().to_vec(),
            _ => Vec::new(),
        };
        Ok(format!("{message}.{}", encode(&signature)))
    }

    /// A good token.
    pub(crate) fn token(&self, tenant: &str, roles: &[&str]) -> Result<String> {
        self.sign("ec", &self.claims(tenant, roles))
    }

    /// Settings that read the keys from a file, which is written.
    pub(crate) fn by_file(&self, folder: &Path) -> Result<Oidc> {
        let path = folder.join("jwks.json");
        std::fs::write(&path, self.keys().to_string())?;
        Ok(self.settings(Some(path)))
    }

    /// Settings.
    pub(crate) fn settings(&self, jwks_file: Option<PathBuf>) -> Oidc {
        Oidc {
            issuer: self.name.clone(),
            audience: AUDIENCE.into(),
            jwks_file,
            ca: None,
            algorithms: vec![
                jsonwebtoken::Algorithm::RS256,
                jsonwebtoken::Algorithm::ES256,
                jsonwebtoken::Algorithm::EdDSA,
            ],
            leeway: Duration::from_secs(30),
            tenant_claim: "tenant".into(),
            roles_claim: "roles".into(),
            roles_prefix: String::new(),
            refresh: Duration::from_secs(600),
        }
    }
}

/// A loopback address that answers a discovery document and keys.
pub(crate) struct Published {
    pub(crate) address: SocketAddr,
    /// How often the keys were asked for.
    pub(crate) asked: Arc<AtomicU32>,
    /// What is answered for the keys.
    pub(crate) keys: Arc<Mutex<Value>>,
    /// How many times an answer with the keys was given to its end.
    pub(crate) answered: Arc<AtomicU32>,
}

/// Publishes; `issuer` is what the document says, by the address that it is at.
pub(crate) async fn publish(issuer: impl Fn(SocketAddr) -> String, keys: Value) -> Result<Published> {
    publish_held(issuer, keys, Duration::ZERO).await
}

/// The same; the first answer for the keys holds what they were when it was asked, and comes so much later.
pub(crate) async fn publish_held(
    issuer: impl Fn(SocketAddr) -> String,
    keys: Value,
    first: Duration,
) -> Result<Published> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let document =
        json!({"issuer": issuer(address), "jwks_uri": format!("http://{address}/keys")}).to_string();
    let count = || Arc::new(AtomicU32::new(0));
    let published =
        Published { address, asked: count(), answered: count(), keys: Arc::new(Mutex::new(keys)) };
    let (asked, answered, keys) =
        (published.asked.clone(), published.answered.clone(), published.keys.clone());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (document, asked, answered, keys) =
                (document.clone(), asked.clone(), answered.clone(), keys.clone());
            tokio::spawn(async move {
                let mut request = vec![0; 4096];
                let read = stream.read(&mut request).await.unwrap_or_default();
                let line = String::from_utf8_lossy(request.get(..read).unwrap_or_default()).into_owned();
                let is_keys = line.starts_with("GET /keys ");
                let body = if line.starts_with("GET /.well-known/openid-configuration ") {
                    document
                } else if is_keys {
                    let body = keys.lock().unwrap_or_else(PoisonError::into_inner).to_string();
                    if asked.fetch_add(1, Ordering::SeqCst) == 0 {
                        tokio::time::sleep(first).await;
                    }
                    body
                } else {
                    String::new()
                };
                let head =
                    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
                let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
                drop(stream);
                if is_keys {
                    answered.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
    });
    Ok(published)
}

impl Published {
    /// How often the keys were asked for.
    pub(crate) fn asked(&self) -> u32 {
        self.asked.load(Ordering::SeqCst)
    }

    /// Waits until the keys were asked for so often.
    pub(crate) async fn wait_for(&self, times: u32) -> Result<()> {
        until(&self.asked, times).await
    }

    /// Waits until the keys were given so often.
    pub(crate) async fn wait_for_answers(&self, times: u32) -> Result<()> {
        until(&self.answered, times).await
    }
}

async fn until(count: &AtomicU32, times: u32) -> Result<()> {
    let wait = async {
        while count.load(Ordering::SeqCst) < times {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(crate::running::SOON, wait).await.context("the keys are not fetched")
}
