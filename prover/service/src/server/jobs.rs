//! `JobService`: get, watch, cancel and list, always of one tenant.

use super::{
    claims::LOOK,
    status::{draining, invalid, typed},
    wire,
};
use crate::{
    audit::{
        Draft, Event,
        release::{Cleared, clear},
    },
    engine::Engine,
    identity::{
        self, Caller, Role, Roles,
        access::{Sight, acting, sight},
    },
    jobs::{Instant, Job, JobClass, JobId, Tenant},
    store::jobs::Cancelled,
};
use nightingale_proto::v1::{self, job_service_server::JobService};
use std::{pin::Pin, sync::Arc};
use tokio::sync::mpsc;
use tokio_stream::{Stream, wrappers::ReceiverStream};
use tonic::{Code, Request, Response, Status};

const GET: &str = "JobService.Get";
const WATCH: &str = "JobService.Watch";
const CANCEL: &str = "JobService.Cancel";
/// Updates that a slow watcher may leave unread.
const UNREAD: usize = 16;

/// The service.
#[derive(Clone)]
pub(super) struct Jobs(pub(super) Arc<Engine>);

fn unknown() -> Status {
    typed(Code::NotFound, "JOB_UNKNOWN", "id: no such job of this tenant")
}

/// Whether a caller sees a job's result: its roles see results, and a regulator's answer only for those who hold the records, or are
/// one.
pub(super) fn sees_result(caller: &Caller, job: &Job) -> bool {
    let of_regulator = job.answer.as_ref().is_some_and(|answer| answer.role == "regulator");
    let sees_regulators = caller.roles.any_of(Roles::of(&[Role::Custodian, Role::Regulator]));
    sight(caller.roles, job.class) == Sight::Results && (!of_regulator || sees_regulators)
}

impl Jobs {
    /// A job of the tenant that these roles of a caller may know of. One that they may not is one that there is not.
    async fn read(&self, roles: Roles, tenant: &Tenant, id: JobId) -> Result<Job, Status> {
        let job = self.0.store.job(tenant, &id).await?;
        job.filter(|job| sight(roles, job.class) > Sight::Nothing).ok_or_else(unknown)
    }

    /// A job as the caller may see it.
    async fn seen(
        &self,
        caller: &Caller,
        method: &'static str,
        tenant: &Tenant,
        id: JobId,
    ) -> Result<Cleared, Status> {
        let job = self.read(caller.roles, tenant, id).await?;
        if !sees_result(caller, &job) {
            return Ok(Cleared::bare(job));
        }
        Ok(clear(&self.0, caller, method, job).await?)
    }

    /// Puts a refusal on record, and gives what the caller is told.
    async fn refused(&self, caller: &Caller, named: &str, method: &'static str, status: Status) -> Status {
        match self.0.audit_refusal(caller, named, method, &status).await {
            Ok(()) => status,
            Err(error) => error.into(),
        }
    }

    /// Sends the job whenever it looks different, until it has ended.
    async fn follow(
        &self,
        caller: &Caller,
        tenant: &Tenant,
        id: JobId,
        updates: &mpsc::Sender<Result<v1::Job, Status>>,
    ) {
        let mut watcher = self.0.events.watch(id);
        let mut last = None;
        loop {
            let job = match self.seen(caller, WATCH, tenant, id).await {
                Ok(job) => job,
                Err(status) => {
                    let _ = updates.send(Err(status)).await;
                    return;
                }
            };
            let ended = job.has_ended();
            let seen = wire::job(job, self.0.events.phase(id));
            if last.as_ref() != Some(&seen) {
                if updates.send(Ok(seen.clone())).await.is_err() {
                    return;
                }
                last = Some(seen);
            }
            if ended {
                return;
            }
            tokio::select! {
                () = watcher.stepped() => {}
                () = tokio::time::sleep(LOOK) => {}
                () = updates.closed() => return,
                () = self.0.drained() => {
                    let _ = updates.send(Err(draining())).await;
                    return;
                }
            }
        }
    }
}

#[tonic::async_trait]
impl JobService for Jobs {
    type WatchStream = Pin<Box<dyn Stream<Item = Result<v1::Job, Status>> + Send>>;

    async fn get(&self, request: Request<v1::GetJobRequest>) -> Result<Response<v1::Job>, Status> {
        let caller = identity::caller(&request)?;
        let message = request.into_inner();
        let (tenant, id) = (self.0.tenant(&caller, &message.tenant).await?, wire::job_id(&message.id)?);
        match self.seen(&caller, GET, &tenant, id).await {
            Ok(job) => Ok(Response::new(wire::job(job, self.0.events.phase(id)))),
            Err(status) => Err(self.refused(&caller, &message.tenant, GET, status).await),
        }
    }

    async fn watch(
        &self,
        request: Request<v1::WatchJobRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let caller = identity::caller(&request)?;
        let message = request.into_inner();
        let (tenant, id) = (self.0.tenant(&caller, &message.tenant).await?, wire::job_id(&message.id)?);
        if let Err(status) = self.read(caller.roles, &tenant, id).await {
            return Err(self.refused(&caller, &message.tenant, WATCH, status).await);
        }
        let (updates, stream) = mpsc::channel(UNREAD);
        let jobs = self.clone();
        tokio::spawn(async move { jobs.follow(&caller, &tenant, id, &updates).await });
        Ok(Response::new(Box::pin(ReceiverStream::new(stream))))
    }

    async fn cancel(&self, request: Request<v1::CancelJobRequest>) -> Result<Response<v1::Job>, Status> {
        let caller = identity::caller(&request)?;
        let message = request.into_inner();
        let (tenant, id) = (self.0.tenant(&caller, &message.tenant).await?, wire::job_id(&message.id)?);
        // A role that may see the job lends nothing to one that may cancel others.
        if let Err(status) = self.read(acting(caller.roles, CANCEL), &tenant, id).await {
            return Err(self.refused(&caller, &message.tenant, CANCEL, status).await);
        }
        let entry = Draft::new(Event::Cancelled, &caller, CANCEL);
        let status = match self.0.store.cancel(&tenant, &id, entry, Instant::now()).await? {
            Cancelled::Now(job) => {
                self.0.ended(id, "CANCELLED");
                return Ok(Response::new(wire::job(Cleared::bare(job), None)));
            }
            Cancelled::Before(job) => return Ok(Response::new(wire::job(Cleared::bare(job), None))),
            Cancelled::Ended => {
                typed(Code::FailedPrecondition, "JOB_ENDED", "id: the job has ended and stays as it is")
            }
            Cancelled::Unknown => unknown(),
        };
        Err(self.refused(&caller, &message.tenant, CANCEL, status).await)
    }

    async fn list(
        &self,
        request: Request<v1::ListJobsRequest>,
    ) -> Result<Response<v1::ListJobsResponse>, Status> {
        let caller = identity::caller(&request)?;
        let message = request.into_inner();
        let tenant = self.0.tenant(&caller, &message.tenant).await?;
        let states = message.states.iter().map(|state| wire::state(*state)).collect::<Result<Vec<_>, _>>()?;
        let size = match message.page_size {
            0 => 100,
            size @ 1..=1000 => size,
            _ => return Err(invalid("page_size", "expected 0 to 1000")),
        };
        let before = if message.page_token.is_empty() {
            i64::MAX
        } else {
            let stale =
                || invalid("page_token", "expected the token of the page before; start again without one");
            let id = JobId::parse(&message.page_token).ok_or_else(stale)?;
            self.read(caller.roles, &tenant, id).await.map_err(|_| stale())?.sequence
        };
        let seen = |class: &JobClass| sight(caller.roles, *class) > Sight::Nothing;
        let classes: Vec<JobClass> = JobClass::ALL.into_iter().filter(seen).collect();
        let jobs = self.0.store.jobs(&tenant, &states, &classes, before, size).await?;
        let full = jobs.len() == usize::try_from(size).unwrap_or(usize::MAX);
        let next_page_token = jobs.last().filter(|_| full).map(|job| job.id.to_string()).unwrap_or_default();
        let progress = |job: Job| {
            let phase = self.0.events.phase(job.id);
            wire::job(Cleared::bare(job), phase)
        };
        Ok(Response::new(v1::ListJobsResponse {
            jobs: jobs.into_iter().map(progress).collect(),
            next_page_token,
        }))
    }
}
