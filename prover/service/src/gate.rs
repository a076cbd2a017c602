//! The one way in: a layer in front of all services that says who calls, whether they may, and whether it is too much. What it lets
//! through carries its [`Caller`]; what it refuses has touched nothing.

mod body;
mod deadline;
pub(crate) mod limits;
mod term;

use crate::{
    config::Config,
    engine::Engine,
    identity::{
        Caller,
        access::{self, Access, Method, Size},
        authenticate::{Authenticator, Known, Shown},
    },
    server::status::{invalid, reason, typed},
    transport::Peer,
};
use body::{Held, Pace, Paced};
use http::{HeaderMap, Request, Response, StatusCode, header::CONTENT_TYPE, request::Parts};
use limits::{Excess, Limits, Permit};
use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use term::Term;
use tokio::time::Instant;
use tonic::{Code, Status, body::Body};
use tonic_types::{ErrorDetails, StatusExt};
use tower_layer::Layer;
use tower_service::Service;

/// What a message holds beside its request.
const ENVELOPE_BYTES: usize = 1 << 16;

/// What the layer decides by.
pub(crate) struct Gate {
    pub(crate) engine: Arc<Engine>,
    pub(crate) authenticator: Arc<Authenticator>,
    pub(crate) limits: Limits,
    pub(crate) sizes: Sizes,
    /// How long a message may take, beside what its size takes.
    pub(crate) message: Duration,
}

/// How large messages may be, in bytes.
#[derive(Clone, Copy)]
pub(crate) struct Sizes {
    request: usize,
    publication: usize,
}

impl Sizes {
    pub(crate) const fn of_config(config: &Config) -> Self {
        // A request a little too large is answered with a reason; one far too large is not read.
        let request = config.request_bytes.saturating_mul(2).saturating_add(ENVELOPE_BYTES);
        Self { request, publication: config.publish_bytes.saturating_add(ENVELOPE_BYTES) }
    }

    /// The largest message of a method.
    pub(crate) const fn of(self, size: Size) -> usize {
        match size {
            Size::Word => 1 << 10,
            Size::Plain => 64 << 10,
            Size::Request => self.request,
            Size::Publication => self.publication,
        }
    }
}

/// The layer.
#[derive(Clone)]
pub(crate) struct GateLayer(pub(crate) Arc<Gate>);

impl<S> Layer<S> for GateLayer {
    type Service = Gated<S>;

    fn layer(&self, inner: S) -> Gated<S> {
        Gated { gate: self.0.clone(), inner }
    }
}

/// Services behind the layer.
#[derive(Clone)]
pub(crate) struct Gated<S> {
    gate: Arc<Gate>,
    inner: S,
}

/// A request that was let through.
struct Admitted {
    method: &'static Method,
    permit: Option<Permit>,
    term: Term,
}

impl<S> Service<Request<Body>> for Gated<S>
where
    S: Service<Request<Body>, Response = Response<Body>> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        // The one that was ready answers; its clone waits for the next.
        let next = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, next);
        let (gate, arrived) = (self.gate.clone(), Instant::now());
        let (mut head, body) = request.into_parts();
        Box::pin(async move {
            if let Some(answer) = no_call(&head) {
                return Ok(answer);
            }
            let admitted = match gate.admit(&mut head, arrived).await {
                Ok(admitted) => admitted,
                Err(status) => return Ok(status.into_http()),
            };
            let Admitted { method, permit, term } = admitted;
            let (tally, term) = (permit.as_ref().map(Permit::tally), Arc::new(term));
            let load = Arc::new(gate.limits.load(tally.clone()));
            // For whoever works on what came in after its caller has gone.
            head.extensions.insert(load.clone());
            let pace = Pace {
                streams: method.streams,
                allowance: gate.message,
                largest: gate.sizes.of(method.size),
            };
            let body = Body::new(Paced::new(body, pace, tally, load.clone(), term.clone()));
            let request = Request::from_parts(head, body);
            let response = tokio::select! {
                biased;
                response = inner.call(request) => response?,
                status = term.ended() => return Ok(status.into_http()),
            };
            Ok(response.map(|body| Body::new(Held::new(body, (permit, load), term))))
        })
    }
}

/// What is HTTP/2 and no call of gRPC.
fn no_call(head: &Parts) -> Option<Response<Body>> {
    let kind = head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let is_grpc = kind.and_then(|kind| kind.strip_prefix("application/grpc"));
    let is_proto = is_grpc.is_some_and(|rest| rest.is_empty() || rest == "+proto" || rest.starts_with(';'));
    let code = if head.method != http::Method::POST {
        StatusCode::METHOD_NOT_ALLOWED
    } else if !is_proto {
        StatusCode::UNSUPPORTED_MEDIA_TYPE
    } else {
        return None;
    };
    let mut answer = Response::new(Body::empty());
    *answer.status_mut() = code;
    Some(answer)
}

impl Gate {
    async fn admit(&self, head: &mut Parts, arrived: Instant) -> Result<Admitted, Status> {
        let method = access::find(head.uri.path());
        let name = method.map_or("unknown", Method::name);
        let admitted = self.decide(head, method, arrived).await;
        let answer = admitted.as_ref().map_or_else(reason, |_| "ADMITTED".to_owned());
        self.engine.metrics.admissions.with_label_values(&[name, answer.as_str()]).inc();
        if admitted.is_err() {
            let subject = head.extensions.get::<Caller>().map_or("-", |caller| caller.subject.as_str());
            tracing::info!(method = name, subject, reason = answer, "not admitted");
        }
        match (&admitted, method, head.extensions.get::<Caller>()) {
            // Of strangers and of unknown methods there is no tenant's log to tell.
            (Err(status), Some(method), Some(caller)) if caller.is_known() => {
                let name = method.path.strip_prefix("/nightingale.v1.").unwrap_or(method.path);
                self.engine.audit_refusal(caller, "", name, status).await?;
            }
            _ => {}
        }
        admitted
    }

    async fn decide(
        &self,
        head: &mut Parts,
        method: Option<&'static Method>,
        arrived: Instant,
    ) -> Result<Admitted, Status> {
        let ends = deadline::read(&head.headers)?.and_then(|after| arrived.checked_add(after));
        if ends.is_some_and(|ends| ends <= Instant::now()) {
            return Err(deadline::passed());
        }
        let term = Term::until(ends);
        if let Some(method @ Method { access: Access::Open, .. }) = method {
            return Ok(Admitted { method, permit: None, term });
        }
        let Known { caller, until } = self.caller(head).await?;
        let term = term.and_while_known(until, head.extensions.get());
        head.extensions.insert(caller.clone());
        let Some(method) = method else {
            // The same for what is unknown and for what has no row.
            return Err(typed(Code::Unimplemented, "METHOD_UNKNOWN", "no such method here"));
        };
        let allowed = match method.access {
            Access::Open => true,
            Access::Roles(roles) => caller.roles.any_of(roles),
        };
        let share = match &caller.tenant {
            Some(tenant) => tenant.as_str(),
            None if caller.is_known() => crate::config::identity::EVERY_TENANT,
            None => "",
        };
        let permit = self.limits.enter(share, arrived).map_err(|excess| too_much(&excess))?;
        // After the limits: whoever may not do a thing may not ask for it without end either.
        if !allowed {
            return Err(role_missing());
        }
        // Nobody behind the layer needs what a caller showed.
        head.headers.remove(http::header::AUTHORIZATION);
        Ok(Admitted { method, permit: Some(permit), term })
    }

    async fn caller(&self, head: &Parts) -> Result<Known, Status> {
        let peer = head.extensions.get::<Peer>();
        let shown = peer.map_or(Shown::Nothing, Peer::shown);
        self.authenticator.caller(&head.headers, shown).await
    }
}

/// The caller has no role that may do this.
pub(crate) fn role_missing() -> Status {
    let text = "none of the caller's roles may do this; docs/identity.md says which may";
    typed(Code::PermissionDenied, "ROLE_MISSING", text)
}

fn too_much(excess: &Excess) -> Status {
    exhausted(excess.reason, excess.text, excess.retry)
}

/// Too much was asked for: when to try again.
pub(crate) fn exhausted(reason: &'static str, text: &str, retry: Duration) -> Status {
    let mut details = ErrorDetails::with_error_info(
        reason,
        crate::server::status::DOMAIN,
        std::collections::HashMap::new(),
    );
    details.set_retry_info(Some(retry));
    Status::with_error_details(Code::ResourceExhausted, text, details)
}

/// A header that cannot be read.
fn malformed(name: &str, expected: &str) -> Status {
    invalid(name, expected)
}

/// The one value of a header; an error when there are two.
fn single<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<Option<&'a str>, Status> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => {
            value.to_str().map(Some).map_err(|_| malformed(name, "expected visible ASCII characters"))
        }
        (Some(_), Some(_)) => Err(malformed(name, "expected once")),
    }
}
