//! `ClaimService`: reads and checks a request, makes it a job, and waits for the job where asked.

use super::{
    building,
    status::{draining, invalid, overloaded, refused, typed, unreadable, with_metadata},
    wire,
};
use crate::{
    audit::{Draft, Event, Purpose, release::clear},
    engine::Engine,
    gate::{exhausted, limits::Load},
    identity::{self, Caller},
    jobs::{Failure, FailureCode, Instant, Job, JobClass, JobId, SpentAccount, State, Tenant},
    process::wiping,
    store::{
        consents::Reliance,
        epochs::EpochStanding,
        idempotency::Space,
        jobs::{Submission, Submitted, payer_bytes},
        quotas::{Quota, until_tomorrow},
    },
};
use nightingale_circuits::{
    Fr,
    claim::{Id, SizeClass},
    field::to_be_bytes,
};
use nightingale_proto::v1::{self, claim_service_server::ClaimService};
use nightingale_trace::Traceparent;
use std::{pin::Pin, sync::Arc, time::Duration};
use tokio::sync::{Semaphore, mpsc};
use tokio_stream::{Stream, wrappers::ReceiverStream};
use tonic::{Code, Request, Response, Status, Streaming};
use tonic_types::StatusExt;
use zeroize::Zeroizing;

const ADJUDICATE: &str = "ClaimService.Adjudicate";
const STREAM: &str = "ClaimService.AdjudicateStream";
/// How often a waiting call looks by itself.
pub(super) const LOOK: Duration = Duration::from_secs(1);

/// The service.
#[derive(Clone)]
pub(super) struct Claims(pub(super) Arc<Engine>);

/// What the service must know of a request.
pub(super) struct Facts {
    reliance: Reliance,
    payer: Id,
    epoch_root: Fr,
    patient: Id,
    account: Option<Vec<u8>>,
    class: SizeClass,
}

/// Reads a request and checks that it can be proven.
pub(super) fn facts(bytes: &[u8]) -> Result<Facts, Status> {
    let request = nightingale_records::request::from_json(bytes).map_err(|error| unreadable(&error))?;
    let class = request.check().map_err(|refusal| refused(&refusal))?;
    let year = request.benefit_year();
    let account = request.enrolled().map(|enrolled| {
        let member = to_be_bytes(&enrolled.nullifier_key_hash);
        [member.as_slice(), &enrolled.coverage.number().to_be_bytes(), &year.to_be_bytes()].concat()
    });
    let reliance = Reliance::of(&request);
    let (payer, epoch_root, patient) = (request.epoch.payer, request.epoch.root(), request.claim.patient);
    Ok(Facts { reliance, payer, epoch_root, patient, account, class })
}

impl Claims {
    async fn accept(
        &self,
        caller: &Caller,
        method: &'static str,
        mut message: v1::AdjudicateRequest,
        trace: Option<Traceparent>,
        load: Option<Arc<Load>>,
    ) -> Result<(Tenant, Job, bool), Status> {
        let engine = &self.0;
        // The record, wiped however this ends.
        let request = Zeroizing::new(std::mem::take(&mut message.request));
        if engine.is_draining() {
            return Err(draining());
        }
        let tenant = engine.tenant(caller, &message.tenant).await?;
        let place = engine.place(&tenant).await.ok_or_else(overloaded)?;
        let key = message.idempotency_key.as_str();
        wire::naming(key, message.priority)?;
        let limit = engine.config.request_bytes;
        if request.len() > limit {
            let text = format!("request: larger than {limit} bytes");
            return Err(typed(Code::ResourceExhausted, "REQUEST_TOO_LARGE", text));
        }
        if v1::RequestFormat::try_from(message.format).is_err() {
            return Err(invalid("format", "expected REQUEST_FORMAT_JSON"));
        }
        let spent_account = match v1::SpentAccount::try_from(message.spent_account) {
            Ok(v1::SpentAccount::Unspecified | v1::SpentAccount::Rebase) => SpentAccount::Rebase,
            Ok(v1::SpentAccount::Fail) => SpentAccount::Fail,
            Err(_) => return Err(invalid("spent_account", "expected a known value")),
        };
        let now = Instant::now();
        let deadline = message.deadline.map(|time| wire::instant("deadline", time)).transpose()?;
        if let Some(known) = engine.store.find(&tenant, Space::Claim, key, &request).await? {
            return known_job(tenant, known);
        }
        if deadline.is_some_and(|deadline| deadline <= now) {
            return Err(typed(
                Code::DeadlineExceeded,
                "DEADLINE_PASSED",
                "deadline: has passed; nothing was accepted",
            ));
        }
        let quota = quota(engine, &tenant);
        if engine.store.is_full(&tenant, quota.open).await? {
            // Said before the work of reading it: that is what an overload would be made of.
            return known_job(tenant, Submitted::QueueFull);
        }
        // After whatever may wait for the tenant's key. A caller that goes away meanwhile leaves its places, and what it holds, to the
        // reading, which goes on to its end.
        let reading = engine.reading(&tenant).await.ok_or_else(overloaded)?;
        let read = move || {
            let _reading = reading;
            facts(&request).map(|facts| (request, facts, place, load))
        };
        let read = tokio::task::spawn_blocking(|| wiping(read)).await;
        let (request, facts, _place, _load) =
            read.map_err(|_| typed(Code::Internal, "INTERNAL", "reading the request failed; report it"))??;
        self.check_epoch(&tenant, &facts, message.epoch_check, now).await?;
        let member = engine.store.seal(&tenant).await?.member(facts.patient);
        let entry = Draft::new(Event::Accepted, caller, method)
            .member(&member)
            .digest("payer", &payer_bytes(facts.payer))
            .digest("epoch_root", &to_be_bytes(&facts.epoch_root))
            .purpose(Purpose::Payment, &engine.config.audit.bases.claims);
        let submission = Submission {
            tenant: &tenant,
            space: Space::Claim,
            idempotency_key: key,
            request: &request,
            payer: Some(facts.payer),
            account: facts.account.as_deref(),
            class: JobClass::Claim(facts.class),
            priority: message.priority,
            deadline,
            spent_account,
            entry,
            trace,
        };
        match engine.store.submit_relying(submission, Some(&facts.reliance), quota, now).await? {
            Submitted::New(job) => {
                engine.metrics.accepted.with_label_values(&[facts.class.name()]).inc();
                tracing::info!(job = %job.id, tenant = tenant.as_str(), class = facts.class.name(), "accepted");
                engine.events.work_arrived();
                Ok((tenant, job, false))
            }
            known => known_job(tenant, known),
        }
    }

    async fn check_epoch(
        &self,
        tenant: &Tenant,
        facts: &Facts,
        check: i32,
        now: Instant,
    ) -> Result<(), Status> {
        let required = match v1::EpochCheck::try_from(check) {
            Ok(v1::EpochCheck::None) => return Ok(()),
            Ok(v1::EpochCheck::Unspecified) => false,
            Ok(v1::EpochCheck::Required) => true,
            Err(_) => return Err(invalid("epoch_check", "expected a known value")),
        };
        let (store, grace) = (&self.0.store, self.0.config.retention.epoch_grace);
        match store.epoch_standing(tenant, facts.payer, facts.epoch_root, grace, now).await? {
            EpochStanding::Current => Ok(()),
            EpochStanding::Unpublished if !required => Ok(()),
            EpochStanding::Unpublished => {
                let text =
                    "epoch: this payer has published none here; publish it, or submit without the check";
                Err(typed(Code::FailedPrecondition, "EPOCH_UNKNOWN", text))
            }
            EpochStanding::Superseded(number) => {
                let text = format!(
                    "epoch: not the newest, which is number {number}; make the request from its registers"
                );
                let facts = [("newest_epoch", number.to_string())];
                Err(with_metadata(Code::FailedPrecondition, "EPOCH_SUPERSEDED", text, facts))
            }
        }
    }

    /// As `accept`; a refusal is on record before the caller hears of it.
    async fn accept_or_record(
        &self,
        caller: &Caller,
        method: &'static str,
        message: v1::AdjudicateRequest,
        trace: Option<Traceparent>,
        load: Option<Arc<Load>>,
    ) -> Result<(Tenant, Job, bool), Status> {
        let named = message.tenant.clone();
        // The name may be as large as the message: its bytes are held until the refusal is on record.
        let _held = load.clone();
        match self.accept(caller, method, message, trace, load).await {
            Ok(accepted) => Ok(accepted),
            Err(status) => {
                self.0.audit_refusal(caller, &named, method, &status).await?;
                Err(status)
            }
        }
    }

    /// A message of a stream, answered; its bytes are held until it is written down or refused.
    async fn answer(
        &self,
        caller: &Caller,
        message: v1::AdjudicateRequest,
        trace: Option<Traceparent>,
        load: Option<Load>,
    ) -> v1::AdjudicateStreamResponse {
        use v1::adjudicate_stream_response::Answer;
        // What cannot be a key is not held until somebody reads the answer.
        let named = wire::naming(&message.idempotency_key, 0).is_ok();
        let idempotency_key = if named { message.idempotency_key.clone() } else { String::new() };
        let answer = async {
            let (tenant, job, _) =
                self.accept_or_record(caller, STREAM, message, trace, load.map(Arc::new)).await?;
            outcome(&self.0, caller, STREAM, &tenant, job.id).await
        };
        let answer = match answer.await {
            Ok(job) => Answer::Job(job),
            Err(status) => Answer::Rejection(self.rejection(&status)),
        };
        v1::AdjudicateStreamResponse { idempotency_key, answer: Some(answer) }
    }

    fn rejection(&self, status: &Status) -> v1::Rejection {
        let details = status.get_error_details();
        let violations = details.bad_request().map(|bad| bad.field_violations.as_slice()).unwrap_or_default();
        self.0.reject(status);
        let reason = super::status::reason(status);
        v1::Rejection {
            code: status.code().into(),
            reason,
            message: status.message().to_owned(),
            element: violations.first().map(|v| v.field.clone()).unwrap_or_default(),
        }
    }
}

/// Waits until the job has ended or waits for something itself.
pub(super) async fn outcome(
    engine: &Arc<Engine>,
    caller: &Caller,
    method: &'static str,
    tenant: &Tenant,
    id: JobId,
) -> Result<v1::Job, Status> {
    let mut watcher = engine.events.watch(id);
    let mut has_looked = false;
    loop {
        let job = engine.store.job(tenant, &id).await?;
        let job =
            job.ok_or_else(|| typed(Code::NotFound, "JOB_UNKNOWN", "id: no such job of this tenant"))?;
        if job.state.has_ended() || job.state == State::Waiting {
            if has_looked {
                engine.events.changed(id);
            }
            return Ok(wire::job(clear(engine, caller, method, job).await?, None));
        }
        let look = tokio::time::sleep(LOOK);
        tokio::pin!(look);
        loop {
            tokio::select! {
                () = watcher.changed() => break,
                // One of those who wait looks for all of them.
                () = &mut look => {
                    has_looked = engine.events.may_look(id, LOOK);
                    if has_looked {
                        break;
                    }
                    look.as_mut().reset(tokio::time::Instant::now() + LOOK);
                }
                () = engine.drained() => {
                    let text = "the server is stopping; the job is accepted and goes on when it is back, watch it then";
                    return Err(with_metadata(Code::Unavailable, "DRAINING", text, [("job", id.to_string())]));
                }
            }
        }
    }
}

/// What a submission is answered with: the job's outcome where the caller waits for it, else the job as it stands.
pub(super) async fn answered(
    engine: &Arc<Engine>,
    caller: &Caller,
    method: &'static str,
    tenant: &Tenant,
    job: Job,
    wait: bool,
) -> Result<v1::Job, Status> {
    if wait {
        return outcome(engine, caller, method, tenant, job.id).await;
    }
    let progress = engine.events.phase(job.id);
    Ok(wire::job(clear(engine, caller, method, job).await?, progress))
}

/// What a tenant may have.
pub(super) fn quota(engine: &Engine, tenant: &Tenant) -> Quota {
    let per_day = engine.config.rates.share(tenant.as_str()).jobs_per_day;
    Quota { open: engine.config.queued_jobs, per_day }
}

pub(super) fn known_job(tenant: Tenant, submitted: Submitted) -> Result<(Tenant, Job, bool), Status> {
    match submitted {
        Submitted::Known(job) | Submitted::New(job) => Ok((tenant, job, true)),
        Submitted::KeyReused => {
            let text = "idempotency_key: names a job of another request; use a new key for a new request";
            Err(typed(Code::AlreadyExists, "IDEMPOTENCY_KEY_REUSED", text))
        }
        Submitted::QueueFull => {
            let text = "this tenant has as many open jobs as it may; try again when some have ended";
            Err(exhausted("QUEUE_FULL", text, Duration::from_secs(5)))
        }
        Submitted::QuotaUsed => {
            let text = "this tenant had as many jobs accepted today as it may; try again tomorrow, by UTC";
            Err(exhausted("QUOTA_USED", text, until_tomorrow(Instant::now())))
        }
        Submitted::NoConsent(standing) => {
            let failure = standing.failure().unwrap_or_else(|| Failure::new(FailureCode::Internal));
            Err(typed(Code::FailedPrecondition, failure.code.name(), failure.message))
        }
    }
}

#[tonic::async_trait]
impl ClaimService for Claims {
    type AdjudicateStreamStream =
        Pin<Box<dyn Stream<Item = Result<v1::AdjudicateStreamResponse, Status>> + Send>>;

    async fn adjudicate(
        &self,
        request: Request<v1::AdjudicateRequest>,
    ) -> Result<Response<v1::AdjudicateResponse>, Status> {
        let caller = identity::caller(&request)?;
        let trace = request.extensions().get().copied();
        let load = building::load(request.extensions());
        let message = request.into_inner();
        let wait = message.wait;
        let accepted = self.accept_or_record(&caller, ADJUDICATE, message, trace, load).await;
        let (tenant, job, known) = accepted.inspect_err(|status| {
            self.0.reject(status);
        })?;
        let job = answered(&self.0, &caller, ADJUDICATE, &tenant, job, wait).await?;
        Ok(Response::new(v1::AdjudicateResponse { job: Some(job), known }))
    }

    async fn adjudicate_stream(
        &self,
        request: Request<Streaming<v1::AdjudicateRequest>>,
    ) -> Result<Response<Self::AdjudicateStreamStream>, Status> {
        let caller = Arc::new(identity::caller(&request)?);
        let trace = request.extensions().get().copied();
        let load = building::load(request.extensions());
        let mut incoming = request.into_inner();
        let most = self.0.config.stream_in_flight;
        let (answers, outgoing) = mpsc::channel(most);
        let room = Arc::new(Semaphore::new(most));
        let claims = self.clone();
        tokio::spawn(async move {
            loop {
                // The next request is read only when there is room for its answer.
                let Ok(place) = room.clone().acquire_owned().await else { return };
                let message = tokio::select! {
                    message = incoming.message() => message,
                    () = answers.closed() => return,
                    () = claims.0.drained() => Err(draining()),
                };
                match message {
                    Ok(Some(message)) => {
                        let (claims, caller, answers) = (claims.clone(), caller.clone(), answers.clone());
                        let load = load.as_ref().map(|load| load.take_over());
                        tokio::spawn(async move {
                            tokio::select! {
                                answer = claims.answer(&caller, message, trace, load) => {
                                    let _ = answers.send(Ok(answer)).await;
                                }
                                // The caller has gone; its jobs go on, and nobody waits for them here.
                                () = answers.closed() => {}
                            }
                            drop(place);
                        });
                    }
                    Ok(None) => return,
                    Err(status) => {
                        let _ = answers.send(Err(status)).await;
                        return;
                    }
                }
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(outgoing))))
    }
}
