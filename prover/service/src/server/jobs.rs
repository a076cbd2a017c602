//! `JobService`: get, watch, cancel and list, always of one tenant.

use super::{
    claims::LOOK,
    status::{draining, invalid, typed},
    wire,
};
use crate::{
    engine::Engine,
    jobs::{Instant, Job, JobId, Tenant},
    store::jobs::Cancelled,
};
use nightingale_proto::v1::{self, job_service_server::JobService};
use std::{pin::Pin, sync::Arc};
use tokio::sync::mpsc;
use tokio_stream::{Stream, wrappers::ReceiverStream};
use tonic::{Code, Request, Response, Status};

/// Updates that a slow watcher may leave unread.
const UNREAD: usize = 16;

/// The service.
#[derive(Clone)]
pub(super) struct Jobs(pub(super) Arc<Engine>);

fn unknown() -> Status {
    typed(Code::NotFound, "JOB_UNKNOWN", "id: no such job of this tenant")
}

impl Jobs {
    async fn read(&self, tenant: &Tenant, id: JobId) -> Result<Job, Status> {
        self.0.store.job(tenant, &id).await?.ok_or_else(unknown)
    }

    /// Sends the job whenever it looks different, until it has ended.
    async fn follow(&self, tenant: &Tenant, id: JobId, updates: &mpsc::Sender<Result<v1::Job, Status>>) {
        let mut watcher = self.0.events.watch(id);
        let mut last = None;
        loop {
            let job = match self.read(tenant, id).await {
                Ok(job) => job,
                Err(status) => {
                    let _ = updates.send(Err(status)).await;
                    return;
                }
            };
            let ended = job.state.has_ended();
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
                () = watcher.changed() => {}
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
        let message = request.into_inner();
        let (tenant, id) = (wire::tenant(&message.tenant)?, wire::job_id(&message.id)?);
        let job = self.read(&tenant, id).await?;
        Ok(Response::new(wire::job(job, self.0.events.phase(id))))
    }

    async fn watch(
        &self,
        request: Request<v1::WatchJobRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let message = request.into_inner();
        let (tenant, id) = (wire::tenant(&message.tenant)?, wire::job_id(&message.id)?);
        self.read(&tenant, id).await?;
        let (updates, stream) = mpsc::channel(UNREAD);
        let jobs = self.clone();
        tokio::spawn(async move { jobs.follow(&tenant, id, &updates).await });
        Ok(Response::new(Box::pin(ReceiverStream::new(stream))))
    }

    async fn cancel(&self, request: Request<v1::CancelJobRequest>) -> Result<Response<v1::Job>, Status> {
        let message = request.into_inner();
        let (tenant, id) = (wire::tenant(&message.tenant)?, wire::job_id(&message.id)?);
        match self.0.store.cancel(&tenant, &id, Instant::now()).await? {
            Cancelled::Now(job) => {
                self.0.ended(id, "CANCELLED");
                Ok(Response::new(wire::job(job, None)))
            }
            Cancelled::Before(job) => Ok(Response::new(wire::job(job, None))),
            Cancelled::Ended => {
                Err(typed(Code::FailedPrecondition, "JOB_ENDED", "id: the job has ended and stays as it is"))
            }
            Cancelled::Unknown => Err(unknown()),
        }
    }

    async fn list(
        &self,
        request: Request<v1::ListJobsRequest>,
    ) -> Result<Response<v1::ListJobsResponse>, Status> {
        let message = request.into_inner();
        let tenant = wire::tenant(&message.tenant)?;
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
            self.0.store.job(&tenant, &id).await?.ok_or_else(stale)?.sequence
        };
        let jobs = self.0.store.jobs(&tenant, &states, before, size).await?;
        let full = jobs.len() == usize::try_from(size).unwrap_or(usize::MAX);
        let next_page_token = jobs.last().filter(|_| full).map(|job| job.id.to_string()).unwrap_or_default();
        let progress = |job: Job| {
            let phase = self.0.events.phase(job.id);
            wire::job(job, phase)
        };
        Ok(Response::new(v1::ListJobsResponse {
            jobs: jobs.into_iter().map(progress).collect(),
            next_page_token,
        }))
    }
}
