//! The other side of the wire contract: what `nightingale claim submit` and the demo call.

mod consents;
mod credentials;

pub use credentials::{Bearer, Credentials};

use crate::server::wire;
use nightingale_circuits::claim::Epoch;
use nightingale_proto::v1::{
    self, audit_service_client::AuditServiceClient, claim_service_client::ClaimServiceClient,
    cohort_service_client::CohortServiceClient, consent_service_client::ConsentServiceClient,
    dataset_service_client::DatasetServiceClient, epoch_service_client::EpochServiceClient,
    job_service_client::JobServiceClient, key_service_client::KeyServiceClient,
};
use nightingale_trace::Traceparent;
use std::time::Duration;
use thiserror::Error;
use tonic::{Code, Status, Streaming, service::interceptor::InterceptedService, transport::Channel};
use tonic_types::StatusExt;

/// The largest answer read: a page of jobs, or a job with its proof.
const ANSWER_BYTES: usize = 64 << 20;
/// How long to wait before watching again after the server went away.
const PAUSE: Duration = Duration::from_secs(1);

/// Why a call did not succeed.
#[derive(Debug, Error)]
pub enum ClientError {
    /// Not an address.
    #[error("server address `{0}`: expected host:port, or https://host:port")]
    Address(String),
    /// A certificate, key or token file that cannot be used.
    #[error("{problem}")]
    Credentials {
        /// Which, and what to do.
        problem: String,
    },
    /// Nobody answers.
    #[error("cannot reach {address}: {problem}; is the server running?")]
    Unreachable {
        /// Where.
        address: String,
        /// What the transport says.
        problem: String,
    },
    /// The server says no: the caller changes the request.
    #[error("{message} ({reason})")]
    Refused {
        /// The gRPC code.
        code: Code,
        /// The fixed reason, or the code's name.
        reason: String,
        /// What happened and what to do next.
        message: String,
        /// The elements that are meant, with what was expected.
        elements: Vec<(String, String)>,
    },
    /// The server cannot now: the same call may succeed later.
    #[error("{message} ({reason}); try again")]
    Unavailable {
        /// The fixed reason.
        reason: String,
        /// What happened.
        message: String,
    },
}

impl From<Status> for ClientError {
    fn from(status: Status) -> Self {
        let details = status.get_error_details();
        let reason =
            details.error_info().map_or_else(|| format!("{:?}", status.code()), |info| info.reason.clone());
        let message = status.message().to_owned();
        match status.code() {
            Code::Unavailable | Code::Internal | Code::Unknown | Code::DataLoss => {
                Self::Unavailable { reason, message }
            }
            code => {
                let violations =
                    details.bad_request().map(|b| b.field_violations.clone()).unwrap_or_default();
                let elements = violations.into_iter().map(|v| (v.field, v.description)).collect();
                Self::Refused { code, reason, message, elements }
            }
        }
    }
}

/// How a claim is to be treated.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Names the request once and for all.
    pub idempotency_key: String,
    /// Higher goes first, -100 to 100.
    pub priority: i32,
    /// Fails when it has not ended so long from now.
    pub deadline: Option<Duration>,
    /// Whether the epoch is compared with the published one.
    pub epoch_check: v1::EpochCheck,
    /// What to do when the account version is used up.
    pub spent_account: v1::SpentAccount,
}

/// What carries calls: a connection, and what each call shows.
type Transport = InterceptedService<Channel, Bearer>;

/// A connection to a server, for one tenant.
#[derive(Clone)]
pub struct Client {
    tenant: String,
    trace: Option<Traceparent>,
    claims: ClaimServiceClient<Transport>,
    cohorts: CohortServiceClient<Transport>,
    consents: ConsentServiceClient<Transport>,
    datasets: DatasetServiceClient<Transport>,
    jobs: JobServiceClient<Transport>,
    epochs: EpochServiceClient<Transport>,
    keys: KeyServiceClient<Transport>,
    audit: AuditServiceClient<Transport>,
}

impl Client {
    /// Connects to `host:port`, or to an `https://` address that the system's authorities vouch for.
    ///
    /// # Errors
    /// Not an address, or nobody answers.
    pub async fn connect(server: &str, tenant: &str) -> Result<Self, ClientError> {
        Self::connect_as(server, tenant, &Credentials::default()).await
    }

    /// Connects and shows these credentials. `tenant` may be empty where they say it.
    ///
    /// # Errors
    /// Not an address, credentials that cannot be used, nobody answers, or whoever does is not believed.
    pub async fn connect_as(
        server: &str,
        tenant: &str,
        credentials: &Credentials,
    ) -> Result<Self, ClientError> {
        let endpoint = credentials.endpoint(server)?;
        let channel = endpoint.connect_timeout(Duration::from_secs(5)).connect().await.map_err(|error| {
            let mut cause: &dyn std::error::Error = &error;
            while let Some(deeper) = cause.source() {
                cause = deeper;
            }
            ClientError::Unreachable { address: server.to_owned(), problem: cause.to_string() }
        })?;
        let channel = InterceptedService::new(channel, credentials.bearer());
        Ok(Self {
            tenant: tenant.to_owned(),
            trace: None,
            claims: ClaimServiceClient::new(channel.clone()).max_decoding_message_size(ANSWER_BYTES),
            cohorts: CohortServiceClient::new(channel.clone()).max_decoding_message_size(ANSWER_BYTES),
            consents: ConsentServiceClient::new(channel.clone())
                .max_decoding_message_size(ANSWER_BYTES)
                .max_encoding_message_size(usize::MAX),
            datasets: DatasetServiceClient::new(channel.clone()).max_decoding_message_size(ANSWER_BYTES),
            jobs: JobServiceClient::new(channel.clone()).max_decoding_message_size(ANSWER_BYTES),
            epochs: EpochServiceClient::new(channel.clone()).max_encoding_message_size(usize::MAX),
            audit: AuditServiceClient::new(channel.clone()).max_decoding_message_size(ANSWER_BYTES),
            keys: KeyServiceClient::new(channel),
        })
    }

    /// As part of a trace.
    #[must_use]
    pub fn within(self, trace: Option<Traceparent>) -> Self {
        Self { trace, ..self }
    }

    /// A call that says which trace it is part of.
    fn traced<T>(&self, message: T) -> tonic::Request<T> {
        let mut request = tonic::Request::new(message);
        if let Some(value) = self.trace.and_then(|trace| trace.to_string().parse().ok()) {
            request.metadata_mut().insert(Traceparent::HEADER, value);
        }
        request
    }

    fn message(&self, request: Vec<u8>, options: Options, wait: bool) -> v1::AdjudicateRequest {
        let deadline = options.deadline.and_then(|after| std::time::SystemTime::now().checked_add(after));
        v1::AdjudicateRequest {
            tenant: self.tenant.clone(),
            idempotency_key: options.idempotency_key,
            request,
            format: v1::RequestFormat::Json.into(),
            priority: options.priority,
            deadline: deadline.map(Into::into),
            wait,
            epoch_check: options.epoch_check.into(),
            spent_account: options.spent_account.into(),
        }
    }

    /// Submits a request; with `wait`, returns when its job has ended or waits for something.
    ///
    /// # Errors
    /// As `ClaimService.Adjudicate`.
    pub async fn adjudicate(
        &mut self,
        request: Vec<u8>,
        options: Options,
        wait: bool,
    ) -> Result<v1::Job, ClientError> {
        let message = self.message(request, options, wait);
        let call = self.traced(message);
        let answer = self.claims.adjudicate(call).await?.into_inner();
        answer.job.ok_or_else(incomplete)
    }

    /// Submits many requests over one stream; `each` is given every answer as it comes.
    ///
    /// # Errors
    /// The stream broke; what was accepted goes on.
    pub async fn adjudicate_many(
        &mut self,
        requests: Vec<(Vec<u8>, Options)>,
        mut each: impl FnMut(v1::AdjudicateStreamResponse),
    ) -> Result<(), ClientError> {
        let messages: Vec<_> =
            requests.into_iter().map(|(bytes, options)| self.message(bytes, options, false)).collect();
        let call = self.traced(tokio_stream::iter(messages));
        let mut answers = self.claims.adjudicate_stream(call).await?.into_inner();
        while let Some(answer) = answers.message().await? {
            each(answer);
        }
        Ok(())
    }

    /// Asks a question; with `wait`, returns when its job has ended. The message's tenant is this client's.
    ///
    /// # Errors
    /// As `CohortService.Query`.
    pub async fn query(&mut self, question: v1::QueryRequest) -> Result<v1::Job, ClientError> {
        let message = v1::QueryRequest { tenant: self.tenant.clone(), ..question };
        let call = self.traced(message);
        let answer = self.cohorts.query(call).await?.into_inner();
        answer.job.ok_or_else(incomplete)
    }

    /// Registers a dataset folder on the server's side.
    ///
    /// # Errors
    /// As `DatasetService.Register`.
    pub async fn register_dataset(&mut self, path: &str) -> Result<v1::Dataset, ClientError> {
        let message = v1::RegisterDatasetRequest { tenant: self.tenant.clone(), path: path.to_owned() };
        Ok(self.datasets.register(message).await?.into_inner())
    }

    /// A registered dataset with its public file.
    ///
    /// # Errors
    /// As `DatasetService.Describe`.
    pub async fn dataset(&mut self, digest: Vec<u8>) -> Result<v1::Dataset, ClientError> {
        let message = v1::DescribeDatasetRequest { tenant: self.tenant.clone(), dataset: digest };
        Ok(self.datasets.describe(message).await?.into_inner())
    }

    /// All registered datasets.
    ///
    /// # Errors
    /// As `DatasetService.List`.
    pub async fn datasets(&mut self) -> Result<Vec<v1::Dataset>, ClientError> {
        let message = v1::ListDatasetsRequest { tenant: self.tenant.clone() };
        Ok(self.datasets.list(message).await?.into_inner().datasets)
    }

    /// A job as it is now.
    ///
    /// # Errors
    /// As `JobService.Get`.
    pub async fn job(&mut self, id: &str) -> Result<v1::Job, ClientError> {
        let message = v1::GetJobRequest { tenant: self.tenant.clone(), id: id.to_owned() };
        Ok(self.jobs.get(message).await?.into_inner())
    }

    /// Watches a job until it has ended, through restarts of the server; `each` is given every update.
    ///
    /// # Errors
    /// As `JobService.Watch`, and an unreachable server after `patience`.
    pub async fn watch(
        &mut self,
        id: &str,
        patience: Duration,
        mut each: impl FnMut(&v1::Job),
    ) -> Result<v1::Job, ClientError> {
        let mut gone_since: Option<std::time::Instant> = None;
        loop {
            let problem = match self.watch_once(id, &mut each, &mut gone_since).await {
                Ok(job) => return Ok(job),
                Err(error @ ClientError::Unavailable { .. }) => error,
                Err(other) => return Err(other),
            };
            if gone_since.get_or_insert_with(std::time::Instant::now).elapsed() > patience {
                return Err(problem);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn watch_once(
        &mut self,
        id: &str,
        each: &mut impl FnMut(&v1::Job),
        gone_since: &mut Option<std::time::Instant>,
    ) -> Result<v1::Job, ClientError> {
        let message = v1::WatchJobRequest { tenant: self.tenant.clone(), id: id.to_owned() };
        let call = self.traced(message);
        let mut updates = self.jobs.watch(call).await?.into_inner();
        while let Some(job) = updates.message().await? {
            *gone_since = None;
            each(&job);
            if has_ended(&job) {
                return Ok(job);
            }
        }
        Err(ClientError::Unavailable {
            reason: "CLOSED".into(),
            message: "the server ended the watch".into(),
        })
    }

    /// Cancels a job.
    ///
    /// # Errors
    /// As `JobService.Cancel`.
    pub async fn cancel(&mut self, id: &str) -> Result<v1::Job, ClientError> {
        let message = v1::CancelJobRequest { tenant: self.tenant.clone(), id: id.to_owned() };
        Ok(self.jobs.cancel(message).await?.into_inner())
    }

    /// The newest jobs, at most `most`, in these states; all states when there are none.
    ///
    /// # Errors
    /// As `JobService.List`.
    pub async fn jobs(&mut self, states: &[v1::JobState], most: usize) -> Result<Vec<v1::Job>, ClientError> {
        let mut jobs = Vec::new();
        let mut page_token = String::new();
        loop {
            let left = most.saturating_sub(jobs.len());
            let page_size = u32::try_from(left.min(1000)).unwrap_or(1000);
            if page_size == 0 {
                return Ok(jobs);
            }
            let states = states.iter().map(|state| i32::from(*state)).collect();
            let message = v1::ListJobsRequest { tenant: self.tenant.clone(), states, page_size, page_token };
            let page = self.jobs.list(message).await?.into_inner();
            jobs.extend(page.jobs);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return Ok(jobs);
            }
        }
    }

    /// Publishes an epoch, an account register, or both.
    ///
    /// # Errors
    /// As `EpochService.Publish`.
    pub async fn publish(
        &mut self,
        epoch: Option<v1::Epoch>,
        accounts: Option<v1::AccountRegister>,
    ) -> Result<v1::PublishedEpoch, ClientError> {
        let message = v1::PublishEpochRequest { tenant: self.tenant.clone(), epoch, accounts };
        Ok(self.epochs.publish(message).await?.into_inner())
    }

    /// The newest epoch of a payer.
    ///
    /// # Errors
    /// As `EpochService.Get`.
    pub async fn epoch(&mut self, payer: Vec<u8>) -> Result<v1::PublishedEpoch, ClientError> {
        let message = v1::GetEpochRequest { tenant: self.tenant.clone(), payer };
        Ok(self.epochs.get(message).await?.into_inner())
    }

    /// The audit log from an entry on, part by part; with `follow`, until the server or the caller goes.
    ///
    /// # Errors
    /// As `AuditService.Export`.
    pub async fn audit_export(
        &mut self,
        first: u64,
        follow: bool,
    ) -> Result<Streaming<v1::ExportAuditResponse>, ClientError> {
        let message = v1::ExportAuditRequest { tenant: self.tenant.clone(), first, follow };
        Ok(self.audit.export(message).await?.into_inner())
    }

    /// The audit log's newest entry.
    ///
    /// # Errors
    /// As `AuditService.Head`.
    pub async fn audit_head(&mut self) -> Result<v1::AuditHead, ClientError> {
        let message = v1::AuditHeadRequest { tenant: self.tenant.clone() };
        Ok(self.audit.head(message).await?.into_inner())
    }

    /// An accounting of disclosures about a member, a subject of datasets, or both. The message's tenant is this client's.
    ///
    /// # Errors
    /// As `AuditService.Disclosures`.
    pub async fn disclosures(
        &mut self,
        about: v1::DisclosuresRequest,
    ) -> Result<v1::DisclosuresResponse, ClientError> {
        let message = v1::DisclosuresRequest { tenant: self.tenant.clone(), ..about };
        Ok(self.audit.disclosures(message).await?.into_inner())
    }

    /// Reads a job of this client's tenant in an emergency, whoever the caller is.
    ///
    /// # Errors
    /// As `AuditService.BreakGlass`.
    pub async fn break_glass(&mut self, job: &str, reason: &str) -> Result<v1::Job, ClientError> {
        let (job, reason) = (job.to_owned(), reason.to_owned());
        let message = v1::BreakGlassRequest { tenant: self.tenant.clone(), job, reason };
        Ok(self.audit.break_glass(message).await?.into_inner())
    }

    /// The server's keys.
    ///
    /// # Errors
    /// As `KeyService.List`.
    pub async fn keys(&mut self) -> Result<Vec<v1::VerifyingKey>, ClientError> {
        let message = v1::ListKeysRequest { tenant: self.tenant.clone() };
        Ok(self.keys.list(message).await?.into_inner().keys)
    }
}

fn incomplete() -> ClientError {
    ClientError::Unavailable {
        reason: "INCOMPLETE".into(),
        message: "the server's answer lacks the job".into(),
    }
}

/// An epoch as it is published.
#[must_use]
pub fn epoch_message(epoch: &Epoch) -> v1::Epoch {
    wire::epoch_message(epoch)
}

/// Whether nothing changes the job any more.
#[must_use]
pub fn has_ended(job: &v1::Job) -> bool {
    matches!(job.state(), v1::JobState::Done | v1::JobState::Failed | v1::JobState::Cancelled)
}
