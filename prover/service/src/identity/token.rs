//! Who a bearer token is of: a JWT of the configured issuer, for this audience, in its time, under a key of the issuer's. What the
//! token itself says about keys (`jwk`, `jku`, `x5u`) is not read, and neither `none` nor a shared secret is an algorithm here.

pub(super) mod claims;
mod fetch;
pub(super) mod keys;
mod verify;

pub(crate) use keys::Keys;

use super::{Caller, Means, Roles, authenticate::Known};
use crate::config::identity::{Oidc, is_subject, tenant};
use claims::Claims;
use jsonwebtoken::{Validation, decode, decode_header, errors::ErrorKind};
use std::time::{Duration, UNIX_EPOCH};

/// The longest token that is read.
const TOKEN_BYTES: usize = 8 << 10;

/// Why a token is not taken. No variant holds a part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Its time is over.
    Expired,
    /// It is not a token of the issuer's for this service, or was changed; the text says which rule it breaks.
    Invalid(&'static str),
    /// The issuer's keys are not there.
    NoKeys,
}

/// Reads bearer tokens.
pub(crate) struct Tokens {
    settings: Oidc,
    keys: Keys,
}

impl Tokens {
    pub(crate) fn new(settings: Oidc, keys: Keys) -> Self {
        verify::install();
        Self { settings, keys }
    }

    pub(crate) const fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Who sent this token, and until when it counts.
    pub(crate) async fn caller(&self, token: &str) -> Result<Known, Refusal> {
        if token.len() > TOKEN_BYTES {
            return Err(Refusal::Invalid("it is too long"));
        }
        let header = decode_header(token).map_err(|_| Refusal::Invalid("it is no signed JWT"))?;
        if !self.settings.algorithms.contains(&header.alg) {
            return Err(Refusal::Invalid("its algorithm is not taken"));
        }
        if header.crit.is_some() {
            return Err(Refusal::Invalid("it asks for an extension"));
        }
        if header.typ.as_deref().is_some_and(|kind| !is_of_access(kind)) {
            return Err(Refusal::Invalid("it is of another type"));
        }
        let kid = header.kid.ok_or(Refusal::Invalid("it names no key"))?;
        let key = self.keys.find(&kid).await?;
        if key.algorithm != header.alg {
            return Err(Refusal::Invalid("its algorithm is not its key's"));
        }
        let mut validation = Validation::new(key.algorithm);
        validation.leeway = self.settings.leeway.as_secs();
        validation.validate_nbf = true;
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        validation.set_issuer(&[&self.settings.issuer]);
        validation.set_audience(&[&self.settings.audience]);
        let claims: Claims =
            decode(token, &key.key, &validation).map_err(|error| refusal(error.kind()))?.claims;
        let ends = claims.seconds("exp").ok_or(Refusal::Invalid("its time to end is no time"))?;
        let ends = Duration::from_secs(ends).saturating_add(self.settings.leeway);
        Ok(Known { caller: named(&self.settings, &claims)?, until: UNIX_EPOCH.checked_add(ends) })
    }
}

/// Whom the claims of a token name.
pub(super) fn named(settings: &Oidc, claims: &Claims) -> Result<Caller, Refusal> {
    // The library takes a list of issuers with the right one in it: a token has one issuer.
    if claims.text("iss") != Some(settings.issuer.as_str()) {
        return Err(Refusal::Invalid("it is of another issuer"));
    }
    let subject = claims.text("sub").filter(|subject| is_subject(subject));
    let subject = subject.ok_or(Refusal::Invalid("its subject is not 1 to 128 visible ASCII characters"))?;
    let roles = claims.list(&settings.roles_claim);
    let roles = roles.ok_or(Refusal::Invalid("it has no list of roles"))?;
    let prefix = settings.roles_prefix.as_str();
    let roles = Roles::parse(roles.iter().filter_map(|role| role.strip_prefix(prefix)));
    let roles = roles.ok_or(Refusal::Invalid("its roles are not roles here, or are none"))?;
    let named = claims.text(&settings.tenant_claim);
    let tenant = named.and_then(|name| tenant(name, roles));
    let tenant = tenant.ok_or(Refusal::Invalid("it names no tenant"))?;
    Ok(Caller { subject: subject.to_owned(), tenant, roles, means: Means::Token })
}

/// An access token says that it is one, or nothing (RFC 9068): an identity token of the same issuer is for its client, not for us.
fn is_of_access(kind: &str) -> bool {
    ["jwt", "at+jwt", "application/at+jwt"].iter().any(|known| kind.eq_ignore_ascii_case(known))
}

fn refusal(kind: &ErrorKind) -> Refusal {
    match kind {
        ErrorKind::ExpiredSignature => Refusal::Expired,
        ErrorKind::ImmatureSignature => Refusal::Invalid("its time has not come"),
        ErrorKind::InvalidIssuer => Refusal::Invalid("it is of another issuer"),
        ErrorKind::InvalidAudience => Refusal::Invalid("it is for another audience"),
        ErrorKind::InvalidSignature => Refusal::Invalid("its signature is wrong"),
        ErrorKind::MissingRequiredClaim(_) | ErrorKind::InvalidClaimFormat(_) => {
            Refusal::Invalid("it lacks exp, iss, aud or sub, or one is not what it should be")
        }
        _ => Refusal::Invalid("it cannot be read"),
    }
}
