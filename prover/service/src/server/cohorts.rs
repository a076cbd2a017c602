//! `CohortService`: reads a question, decides whether it is answered, makes it a job, and waits for the job where asked.

use super::{
    building::{self, Building},
    claims::{answered, known_job, quota},
    datasets::{digest, not_imported, unknown},
    status::{cohort, draining, invalid, overloaded, typed},
    wire,
};
use crate::{
    audit::{Draft, Event, Purpose},
    cohort::{Archive, understand},
    engine::Engine,
    error::{CohortError, StoreError},
    gate::{limits::Load, role_missing},
    identity::{self, Caller},
    jobs::{Instant, Job, JobClass, SpentAccount, Tenant},
    store::{
        idempotency::Space,
        jobs::{Submission, Submitted},
        questions::{LedgerLine, StoredQuestion},
    },
};
use nightingale_proto::v1::{self, cohort_service_server::CohortService};
use nightingale_trace::Traceparent;
use std::sync::Arc;
use tonic::{Code, Request, Response, Status};

const QUERY: &str = "CohortService.Query";

/// The service.
#[derive(Clone)]
pub(super) struct Cohorts {
    engine: Arc<Engine>,
    opening: Building,
}

/// A question that was read: its class, or the refusal, with its line in the ledger.
enum Judged {
    Allowed(Box<LedgerLine>, JobClass),
    Refused(Box<LedgerLine>, CohortError),
}

/// Reads a question and decides from it, the registration and nothing else. Only for one that is allowed is every file opened, to be
/// checked: a refusal costs no look at a record.
fn judge(archive: &Archive, stored: &StoredQuestion) -> Result<Judged, CohortError> {
    let public = archive.public()?;
    let understood = understand(&public, &stored.question())?;
    let sealable = match archive.has_regulator_key() {
        false if stored.regulator => Err(CohortError::NoRegulatorKey),
        _ => Ok(()),
    };
    if let Err(refusal) = understood.allow(&public).and(sealable) {
        let line = LedgerLine::of(&understood, &public, Err(refusal.reason().to_owned()));
        return Ok(Judged::Refused(Box::new(line), refusal));
    }
    archive.open()?;
    let schema = understood.table(&public)?.schema();
    let line = LedgerLine::of(&understood, &public, Ok(0));
    Ok(Judged::Allowed(Box::new(line), JobClass::Cohort(understood.ask.query.class(schema))))
}

pub(super) fn stored(message: &v1::QueryRequest) -> Result<StoredQuestion, Status> {
    let regulator = match v1::Role::try_from(message.role) {
        Ok(v1::Role::Unspecified | v1::Role::Researcher) => false,
        Ok(v1::Role::Regulator) => true,
        Err(_) => return Err(invalid("role", "expected a known value")),
    };
    let contract = match (message.chain_id, message.contract.as_slice()) {
        (0, []) => [0; 20],
        (0, _) | (_, []) => return Err(invalid("contract", "expected with chain_id, or neither")),
        (_, bytes) => bytes.try_into().map_err(|_| invalid("contract", "expected 20 bytes"))?,
    };
    Ok(StoredQuestion {
        dataset: digest(&message.dataset)?,
        sql: message.sql.clone(),
        regulator,
        chain_id: message.chain_id,
        contract,
    })
}

/// What the caller is told, and whether it is on record.
struct Refused {
    status: Status,
    recorded: bool,
}

impl From<Status> for Refused {
    fn from(status: Status) -> Self {
        Self { status, recorded: false }
    }
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        Status::from(error).into()
    }
}

impl Cohorts {
    pub(super) const fn new(engine: Arc<Engine>, opening: Building) -> Self {
        Self { engine, opening }
    }

    async fn accept(
        &self,
        caller: &Caller,
        message: v1::QueryRequest,
        trace: Option<Traceparent>,
        load: Option<Arc<Load>>,
    ) -> Result<(Tenant, Job, bool), Refused> {
        let engine = &self.engine;
        if engine.is_draining() {
            return Err(draining().into());
        }
        let tenant = engine.tenant(caller, &message.tenant).await?;
        let place = engine.place(&tenant).await.ok_or_else(overloaded)?;
        let key = message.idempotency_key.as_str();
        wire::naming(key, message.priority)?;
        if message.sql.len() > engine.config.request_bytes {
            let text = format!("sql: larger than {} bytes", engine.config.request_bytes);
            return Err(typed(Code::ResourceExhausted, "REQUEST_TOO_LARGE", text).into());
        }
        let now = Instant::now();
        let deadline = message.deadline.map(|time| wire::instant("deadline", time)).transpose()?;
        let question = stored(&message)?;
        // What the message says who asks is what the caller must be.
        let asked = if question.regulator { identity::Role::Regulator } else { identity::Role::Researcher };
        if !caller.roles.has(asked) {
            return Err(role_missing().into());
        }
        let request = serde_json::to_vec(&question)
            .map_err(|_| typed(Code::Internal, "INTERNAL", "the question cannot be kept; report it"))?;
        let space = if question.regulator { Space::Oversight } else { Space::Research };
        if let Some(known) = engine.store.find(&tenant, space, key, &request).await? {
            return Ok(known_job(tenant, known)?);
        }
        if deadline.is_some_and(|deadline| deadline <= now) {
            return Err(typed(
                Code::DeadlineExceeded,
                "DEADLINE_PASSED",
                "deadline: has passed; nothing was accepted",
            )
            .into());
        }
        let quota = quota(engine, &tenant);
        if engine.store.is_full(&tenant, quota.open).await? {
            // Said before a dataset is opened.
            return Ok(known_job(tenant, Submitted::QueueFull)?);
        }
        engine.store.dataset(&tenant, &question.dataset).await?.ok_or_else(unknown)?;
        let archive = engine.archive(&tenant, &question.dataset).await?.ok_or_else(not_imported)?;
        let (purpose, basis) = match question.regulator {
            true => (Purpose::Oversight, &engine.config.audit.bases.oversight),
            false => (Purpose::Research, &engine.config.audit.bases.research),
        };
        let entry = |event| Draft::new(event, caller, QUERY).purpose(purpose, basis);
        // While it waits for its turn, the tenant's claims have its place.
        drop(place);
        let judged = self.opening.work(&tenant, load, move || judge(&archive, &question)).await?;
        let judged = judged.map_err(|error| cohort(&error))?;
        let _place = engine.place(&tenant).await.ok_or_else(overloaded)?;
        let (line, class) = match judged {
            Judged::Allowed(line, class) => (line, class),
            Judged::Refused(line, refusal) => {
                engine.audit_refused_question(&tenant, line, entry(Event::Refused)).await?;
                return Err(Refused { status: cohort(&refusal), recorded: true });
            }
        };
        let entry = entry(Event::Accepted).dataset(&line.dataset);
        let entry = entry.question(&line.role, &line.query, &line.digest, line.threshold);
        let submission = Submission {
            tenant: &tenant,
            space,
            idempotency_key: key,
            request: &request,
            payer: None,
            account: None,
            class,
            priority: message.priority,
            deadline,
            spent_account: SpentAccount::Fail,
            entry,
            trace,
        };
        match engine.store.submit(submission, quota, now).await? {
            Submitted::New(job) => {
                engine.metrics.accepted.with_label_values(&[class.name()]).inc();
                tracing::info!(job = %job.id, tenant = tenant.as_str(), class = class.name(), "accepted");
                engine.events.work_arrived();
                Ok((tenant, job, false))
            }
            known => Ok(known_job(tenant, known)?),
        }
    }
}

#[tonic::async_trait]
impl CohortService for Cohorts {
    async fn query(&self, request: Request<v1::QueryRequest>) -> Result<Response<v1::QueryResponse>, Status> {
        let caller = identity::caller(&request)?;
        let (trace, load) = (request.extensions().get().copied(), building::load(request.extensions()));
        let message = request.into_inner();
        let wait = message.wait;
        let named = message.tenant.clone();
        let (tenant, job, known) = match self.accept(&caller, message, trace, load).await {
            Ok(accepted) => accepted,
            Err(Refused { status, recorded }) => {
                self.engine.reject(&status);
                if !recorded {
                    self.engine.audit_refusal(&caller, &named, QUERY, &status).await?;
                }
                return Err(status);
            }
        };
        let job = answered(&self.engine, &caller, QUERY, &tenant, job, wait).await?;
        Ok(Response::new(v1::QueryResponse { job: Some(job), known }))
    }
}
