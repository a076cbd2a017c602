//! The service's edge: messages from the wire, what callers show to say who they are, and its configuration.

use nightingale::{
    Config,
    config::identity::Oidc,
    edge,
    identity::{self, Role, Roles},
};
use nightingale_trace::Traceparent;
use serde_json::Value;
use std::{path::Path, time::Duration};

const ISSUER: &str = "https://issuer.example.org";

/// What a client takes of headers in all, by default; the status has a part of them.
const HEADER_BYTES: usize = 12 << 10;

/// A message of the method that the first byte says: read or refused with a status that a header bears; what is given back reads as itself.
pub fn wire(bytes: &[u8]) {
    let Some((method, message)) = bytes.split_first() else { return };
    let method = method % 6;
    match edge::read(method, message) {
        Ok(given) if !given.is_empty() => {
            let again = edge::read(method, &given);
            assert!(again.is_ok_and(|again| again == given), "a message changes when it is sent again");
        }
        Ok(_) => {}
        Err(status) => {
            assert!(!status.message().is_empty(), "a refusal without a word");
            assert!(status.code() != tonic::Code::Internal, "{}", status.message());
            // The details travel in base64.
            let size = 3 * status.message().len() + status.details().len().div_ceil(3) * 4;
            assert!(size <= HEADER_BYTES, "a status of {size} bytes does not fit into the headers");
        }
    }
}

/// What the first byte says, claims of a token, a certificate, a key set, a discovery document or a trace's context: whoever is named so is named
/// once, by a name that can stand in a log, and nobody but an operator acts for all tenants.
pub fn credentials(bytes: &[u8]) {
    let Some((kind, shown)) = bytes.split_first() else { return };
    let caller = match kind % 5 {
        0 => {
            let caller = identity::edge::claims(&oidc(), shown);
            if let Some(caller) = &caller {
                // Another reader finds the same.
                let read: Option<Value> = serde_json::from_slice(shown).ok();
                let says = |name: &str| read.as_ref().and_then(|read| read[name].as_str());
                assert_eq!((says("sub"), says("iss")), (Some(caller.subject.as_str()), Some(ISSUER)));
            }
            caller
        }
        1 => identity::edge::certificate(shown),
        2 => {
            if let Some(names) = identity::edge::key_set(shown) {
                assert!(names.len() <= 64 && names.iter().all(|name| (1..=256).contains(&name.len())));
            }
            None
        }
        3 => {
            if let Some(place) = identity::edge::discovery(shown, ISSUER) {
                assert!(place.starts_with("https://"), "keys are fetched in clear from {place}");
            }
            None
        }
        _ => {
            if let Some(context) = str::from_utf8(shown).ok().and_then(Traceparent::parse) {
                assert!(Traceparent::parse(&context.to_string()) == Some(context), "a context changes");
            }
            None
        }
    };
    if let Some(caller) = caller {
        let is_plain = caller.subject.bytes().all(|byte| byte.is_ascii_graphic());
        assert!(is_plain && (1..=128).contains(&caller.subject.len()), "{:?}", caller.subject);
        assert!(caller.roles.iter().next().is_some(), "a caller without a role");
        assert!(caller.tenant.is_some() || caller.roles == Roles::of(&[Role::Operator]));
    }
}

/// The settings under which claims are read.
pub fn oidc() -> Oidc {
    Oidc {
        issuer: ISSUER.to_owned(),
        audience: "nightingale".to_owned(),
        jwks_file: None,
        ca: None,
        algorithms: Vec::new(),
        leeway: Duration::ZERO,
        tenant_claim: "/at/tenant".to_owned(),
        roles_claim: "roles".to_owned(),
        roles_prefix: "n:".to_owned(),
        refresh: Duration::from_secs(60),
    }
}

/// A configuration file: whatever is accepted listens where it may.
pub fn config(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    match Config::parse(text, Path::new("/etc/nightingale")) {
        Ok(config) => {
            assert!(
                config.listen.ip().is_loopback() || text.contains("allow_remote"),
                "listens anywhere unasked"
            );
            assert!(config.metrics.is_none_or(|address| address.ip().is_loopback()));
            assert!(config.workers > 0 && config.request_bytes > 0 && !config.lease.is_zero());
        }
        Err(error) => {
            let text = error.to_string();
            assert!(text.starts_with("configuration: ") && !text.contains('\n'), "{text}");
        }
    }
}
