//! `CohortService`: reads a question, decides whether it is answered, makes it a job, and waits for the job where asked.

use super::{
    claims::{answered, known_job},
    datasets::{blocking, digest, unknown},
    status::{cohort, draining, invalid, typed},
    wire,
};
use crate::{
    cohort::{Folder, understand},
    engine::Engine,
    error::CohortError,
    jobs::{Instant, Job, JobClass, SpentAccount, Tenant},
    store::{
        jobs::{Submission, Submitted},
        questions::{LedgerLine, StoredQuestion},
    },
};
use nightingale_proto::v1::{self, cohort_service_server::CohortService};
use std::{path::Path, sync::Arc};
use tonic::{Code, Request, Response, Status};

/// The service.
#[derive(Clone)]
pub(super) struct Cohorts(pub(super) Arc<Engine>);

/// A question that was read: its class, or the refusal with its line in the ledger.
enum Judged {
    Allowed(JobClass),
    Refused(Box<LedgerLine>, CohortError),
}

/// Reads a question and decides from it, the registration and nothing else. Every file of the folder is checked on the way.
fn judge(path: &Path, stored: &StoredQuestion) -> Result<Judged, CohortError> {
    let folder = Folder::open_registered(path, &stored.dataset)?;
    let understood = understand(folder.public(), &stored.question())?;
    let sealable = match &folder.regulator {
        None if stored.regulator => Err(CohortError::NoRegulatorKey),
        _ => Ok(()),
    };
    if let Err(refusal) = understood.allow(folder.public()).and(sealable) {
        let line = LedgerLine::of(&understood, &folder, Err(refusal.reason().to_owned()));
        return Ok(Judged::Refused(Box::new(line), refusal));
    }
    let schema = understood.table(folder.public())?.schema();
    Ok(Judged::Allowed(JobClass::Cohort(understood.ask.query.class(schema))))
}

fn stored(message: &v1::QueryRequest) -> Result<StoredQuestion, Status> {
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

impl Cohorts {
    async fn accept(&self, message: v1::QueryRequest) -> Result<(Tenant, Job, bool), Status> {
        let engine = &self.0;
        if engine.is_draining() {
            return Err(draining());
        }
        let tenant = wire::tenant(&message.tenant)?;
        let key = message.idempotency_key.as_str();
        wire::naming(key, message.priority)?;
        if message.sql.len() > engine.config.request_bytes {
            let text = format!("sql: larger than {} bytes", engine.config.request_bytes);
            return Err(typed(Code::ResourceExhausted, "REQUEST_TOO_LARGE", text));
        }
        let now = Instant::now();
        let deadline = message.deadline.map(|time| wire::instant("deadline", time)).transpose()?;
        let question = stored(&message)?;
        let request = serde_json::to_vec(&question)
            .map_err(|_| typed(Code::Internal, "INTERNAL", "the question cannot be kept; report it"))?;
        if let Some(known) = engine.store.find(&tenant, key, &request).await? {
            return known_job(tenant, known);
        }
        if deadline.is_some_and(|deadline| deadline <= now) {
            return Err(typed(
                Code::DeadlineExceeded,
                "DEADLINE_PASSED",
                "deadline: has passed; nothing was accepted",
            ));
        }
        let row = engine.store.dataset(&tenant, &question.dataset).await?.ok_or_else(unknown)?;
        let path = engine.dataset_folder(&tenant, &row.path);
        let class = match blocking(move || judge(&path, &question)).await? {
            Ok(Judged::Allowed(class)) => class,
            Ok(Judged::Refused(line, refusal)) => {
                engine.store.record_refusal(&tenant, &line, now).await?;
                return Err(cohort(&refusal));
            }
            Err(error) => return Err(cohort(&error)),
        };
        let submission = Submission {
            tenant: &tenant,
            idempotency_key: key,
            request: &request,
            payer: None,
            account: None,
            class,
            priority: message.priority,
            deadline,
            spent_account: SpentAccount::Fail,
        };
        match engine.store.submit(submission, engine.config.queued_jobs, now).await? {
            Submitted::New(job) => {
                engine.metrics.accepted.with_label_values(&[class.name()]).inc();
                tracing::info!(job = %job.id, tenant = tenant.as_str(), class = class.name(), "accepted");
                engine.events.work_arrived();
                Ok((tenant, job, false))
            }
            known => known_job(tenant, known),
        }
    }
}

#[tonic::async_trait]
impl CohortService for Cohorts {
    async fn query(&self, request: Request<v1::QueryRequest>) -> Result<Response<v1::QueryResponse>, Status> {
        let message = request.into_inner();
        let wait = message.wait;
        let (tenant, job, known) = self.accept(message).await.inspect_err(|status| {
            self.0.reject(status);
        })?;
        let job = answered(&self.0, &tenant, job, wait).await?;
        Ok(Response::new(v1::QueryResponse { job: Some(job), known }))
    }
}
