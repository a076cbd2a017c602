//! What strangers show to say who they are, as functions of bytes: after the signature, whose check is a library's. Fuzzing and its replay start
//! here; the server calls the same functions.

use super::{
    Caller,
    certificate::Names,
    token::{
        claims::Claims,
        keys::{self, place},
        named,
    },
};
use crate::config::identity::Oidc;
use rustls::pki_types::CertificateDer;

/// Whom the claims of a token name, under these settings.
#[must_use]
pub fn claims(settings: &Oidc, text: &[u8]) -> Option<Caller> {
    named(settings, &serde_json::from_slice::<Claims>(text).ok()?).ok()
}

/// Whom a certificate names by its one URI.
#[must_use]
pub fn certificate(der: &[u8]) -> Option<Caller> {
    Names::read(&CertificateDer::from(der))?.caller(&[])
}

/// The names of a key set's usable keys.
#[must_use]
pub fn key_set(text: &[u8]) -> Option<Vec<String>> {
    Some(keys::read(text).ok()?.into_keys().collect())
}

/// Where an issuer's discovery document says that its keys are.
#[must_use]
pub fn discovery(text: &[u8], issuer: &str) -> Option<String> {
    place(text, issuer).ok()
}
