//! Counts, times and traces gRPC calls, around everything that answers them. Methods are those of the descriptors; whatever else a
//! caller names is `unknown`, so that nobody makes labels.

use crate::engine::Engine;
use http::{HeaderMap, Request, Response};
use http_body::{Body, Frame, SizeHint};
use nightingale_trace::{Kind, Span, Traceparent, Tracer, Value};
use prost::Message;
use prost_types::FileDescriptorSet;
use std::{
    collections::HashMap,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};
use tonic::Code;
use tower_layer::Layer;
use tower_service::Service;

/// What begins a job: traced also where its caller does not trace.
const SUBMISSIONS: [&str; 3] = [
    "nightingale.v1.ClaimService/Adjudicate",
    "nightingale.v1.ClaimService/AdjudicateStream",
    "nightingale.v1.CohortService/Query",
];
const UNKNOWN: &str = "unknown";

/// Puts itself around a service.
#[derive(Clone)]
pub(crate) struct Calls {
    engine: Arc<Engine>,
    /// By path without its first slash.
    methods: Arc<HashMap<String, Arc<str>>>,
}

impl Calls {
    /// Knows the methods of these descriptors.
    pub(crate) fn of(engine: &Arc<Engine>, descriptors: &[&[u8]]) -> Self {
        let mut methods = HashMap::new();
        for bytes in descriptors {
            let files = FileDescriptorSet::decode(*bytes).unwrap_or_default();
            for file in files.file {
                let package = file.package.unwrap_or_default();
                for service in file.service {
                    let name = service.name.unwrap_or_default();
                    for method in service.method {
                        let path = format!("{package}.{name}/{}", method.name.unwrap_or_default());
                        methods.insert(path.clone(), path.into());
                    }
                }
            }
        }
        Self { engine: engine.clone(), methods: Arc::new(methods) }
    }
}

impl<S> Layer<S> for Calls {
    type Service = Counted<S>;

    fn layer(&self, inner: S) -> Counted<S> {
        Counted { inner, calls: self.clone() }
    }
}

/// A service whose calls are counted.
#[derive(Clone)]
pub(crate) struct Counted<S> {
    inner: S,
    calls: Calls,
}

impl<S, A, B> Service<Request<A>> for Counted<S>
where
    S: Service<Request<A>, Response = Response<B>>,
    S::Future: Send + 'static,
    S::Error: 'static,
    B: 'static,
{
    type Response = Response<Answer<B>>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<A>) -> Self::Future {
        let path = request.uri().path().trim_start_matches('/');
        let method = self.calls.methods.get(path).cloned().unwrap_or_else(|| UNKNOWN.into());
        let caller = request.headers().get(Traceparent::HEADER).and_then(|value| value.to_str().ok());
        let caller = caller.and_then(Traceparent::parse);
        let span = span(&self.calls.engine.tracer, &method, caller);
        // For whoever begins a job.
        if let Some(context) = span.context() {
            request.extensions_mut().insert(context);
        }
        let mut call = Call::begin(self.calls.engine.clone(), method, span);
        let answer = self.inner.call(request);
        Box::pin(async move {
            let answer = answer.await?;
            // An answer that is over before it begins has its code here.
            call.read(answer.headers());
            Ok(answer.map(|body| Answer { body, call }))
        })
    }
}

fn span(tracer: &Tracer, method: &str, caller: Option<Traceparent>) -> Span {
    let wanted = caller.is_some() || SUBMISSIONS.contains(&method);
    let off = Tracer::off();
    let tracer = if wanted { tracer } else { &off };
    let name = match method {
        "nightingale.v1.ClaimService/Adjudicate" => "adjudicate",
        "nightingale.v1.ClaimService/AdjudicateStream" => "adjudicate stream",
        "nightingale.v1.CohortService/Query" => "query",
        "nightingale.v1.JobService/Get" => "get",
        "nightingale.v1.JobService/Watch" => "watch",
        "nightingale.v1.JobService/Cancel" => "cancel",
        _ => "call",
    };
    tracer.span(name, Kind::Server, caller)
}

/// A call that is being answered. It ends when it is dropped: with the answer's last byte, or when its caller has gone.
struct Call {
    engine: Arc<Engine>,
    method: Arc<str>,
    begun: Instant,
    code: Code,
    span: Span,
}

impl Call {
    fn begin(engine: Arc<Engine>, method: Arc<str>, span: Span) -> Self {
        engine.metrics.calls_open.inc();
        Self { engine, method, begun: Instant::now(), code: Code::Cancelled, span }
    }

    fn read(&mut self, headers: &HeaderMap) {
        if let Some(status) = headers.get("grpc-status") {
            self.code = Code::from_bytes(status.as_bytes());
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        let metrics = &self.engine.metrics;
        metrics.calls_open.dec();
        metrics.calls.with_label_values(&[&*self.method, name(self.code)]).inc();
        let seconds = self.begun.elapsed().as_secs_f64();
        metrics.call_seconds.with_label_values(&[&*self.method]).observe(seconds);
        self.span.set("rpc.grpc.status_code", Value::Count(i64::from(i32::from(self.code))));
        // By the semantic conventions: what is the server's fault.
        if matches!(
            self.code,
            Code::Unknown
                | Code::DeadlineExceeded
                | Code::Unimplemented
                | Code::Internal
                | Code::Unavailable
                | Code::DataLoss
        ) {
            self.span.fail();
        }
    }
}

/// A code's name, as the specification of gRPC writes it.
const fn name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

/// An answer's body, which knows when it is over.
pub(crate) struct Answer<B> {
    body: B,
    call: Call,
}

impl<B: Body + Unpin> Body for Answer<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &frame
            && let Some(trailers) = frame.trailers_ref()
        {
            self.call.read(trailers);
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
