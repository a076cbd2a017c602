//! From what came with a request to its caller: a bearer token where tokens are taken, else the connection's certificate.

use super::{
    Caller, Means,
    certificate::Names,
    token::{Refusal, Tokens},
};
use crate::{config::identity::Listed, server::status::typed};
use http::{HeaderMap, header::AUTHORIZATION};
use std::time::SystemTime;
use tonic::{Code, Status};

/// Says who callers are.
pub(crate) struct Authenticator {
    required: bool,
    listed: Vec<Listed>,
    tokens: Option<Tokens>,
}

/// What a connection says of whoever is at its other end.
pub(crate) enum Shown<'a> {
    /// No certificate.
    Nothing,
    /// One that leads to a trusted authority.
    Certificate(&'a Names),
    /// One that did and no longer does: its time is over, it was revoked, or its authority is no longer trusted.
    Lapsed,
    /// One of which nobody knows whether it was revoked: authorities and revocations could not be read for too long.
    Unchecked,
}

/// A caller, and until when what it showed counts; `None` for what has no end of its own.
pub(crate) struct Known {
    pub(crate) caller: Caller,
    pub(crate) until: Option<SystemTime>,
}

impl Shown<'_> {
    /// Why nobody at this connection is let in, or goes on, whatever else is shown.
    pub(crate) fn refusal(&self) -> Option<Status> {
        match self {
            Self::Nothing | Self::Certificate(_) => None,
            Self::Lapsed => Some(refused(
                "CERTIFICATE_UNKNOWN",
                "the certificate is no longer valid; connect with a new one",
            )),
            Self::Unchecked => {
                let text = "who vouches for callers, and who was revoked, cannot be read; the operator restores the server's files, and its log says which";
                Some(typed(Code::Unavailable, "REVOCATIONS_UNAVAILABLE", text))
            }
        }
    }
}

impl Authenticator {
    pub(crate) const fn new(required: bool, listed: Vec<Listed>, tokens: Option<Tokens>) -> Self {
        Self { required, listed, tokens }
    }

    pub(crate) const fn tokens(&self) -> Option<&Tokens> {
        self.tokens.as_ref()
    }

    /// Who sent a request.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` with the reason; `UNAVAILABLE`, `KEYS_UNAVAILABLE` while the issuer's keys cannot be had, and `REVOCATIONS_UNAVAILABLE` while
    /// it is not known who was revoked.
    pub(crate) async fn caller(&self, headers: &HeaderMap, shown: Shown<'_>) -> Result<Known, Status> {
        let for_ever = |caller| Known { caller, until: None };
        if !self.required {
            return Ok(for_ever(Caller::anybody()));
        }
        if let Some(refusal) = shown.refusal() {
            return Err(refusal);
        }
        let mut sent = headers.get_all(AUTHORIZATION).iter();
        match (sent.next(), sent.next()) {
            (None, _) => {}
            (Some(_), Some(_)) => {
                return Err(refused("TOKEN_INVALID", "authorization: two of them; send one bearer token"));
            }
            (Some(value), None) => {
                let Some(tokens) = &self.tokens else {
                    let text =
                        "authorization: this server takes no tokens; connect with a client certificate";
                    return Err(refused("TOKEN_INVALID", text));
                };
                let token = value.to_str().ok().and_then(bearer);
                let token = token
                    .ok_or_else(|| refused("TOKEN_INVALID", "authorization: expected `Bearer TOKEN`"))?;
                return tokens.caller(token).await.map_err(said);
            }
        }
        match shown {
            Shown::Certificate(names) => names.caller(&self.listed).map(for_ever).ok_or_else(|| {
                let text = "the certificate names no caller: it needs one URI nightingale://TENANT/ROLE[,ROLE]/NAME, or a place among \
                            the server's [[callers]]";
                refused("CERTIFICATE_UNKNOWN", text)
            }),
            Shown::Nothing | Shown::Lapsed | Shown::Unchecked => {
                let text = match &self.tokens {
                    Some(_) => "send a bearer token in `authorization`, or connect with a client certificate where the server asks for one",
                    None => "connect with a client certificate",
                };
                Err(refused("NO_CREDENTIALS", text))
            }
        }
    }
}

/// The token of `Bearer TOKEN`. The scheme is written in any case (RFC 9110, 11.1), the token has no blank in it.
fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() && token.bytes().all(plain)).then_some(token)
}

fn refused(reason: &'static str, text: &str) -> Status {
    typed(Code::Unauthenticated, reason, text)
}

/// The token's time is over.
pub(crate) fn expired() -> Status {
    refused("TOKEN_EXPIRED", "the token's time is over; get a new one")
}

fn said(refusal: Refusal) -> Status {
    match refusal {
        Refusal::Expired => expired(),
        Refusal::Invalid(why) => refused(
            "TOKEN_INVALID",
            &format!("the token is not taken: {why}; get one of this server's issuer for it"),
        ),
        Refusal::NoKeys => typed(
            Code::Unavailable,
            "KEYS_UNAVAILABLE",
            "the token issuer's keys cannot be had now; try again, and the server's log says why",
        ),
    }
}

impl Caller {
    /// Whether anything showed who it is.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.means != Means::Nothing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bearer_token_is_one_word_after_its_scheme() {
        assert_eq!(bearer("Bearer a.b-c_d"), Some("a.b-c_d"));
        assert_eq!(bearer("bearer x"), Some("x"));
        for wrong in
            ["Bearer", "Bearer ", "Basic eDp5", "Bearer  x", "Bearer a b", "Bearer a,b", "x", "", "Bearer\tx"]
        {
            assert_eq!(bearer(wrong), None, "{wrong:?}");
        }
    }
}
