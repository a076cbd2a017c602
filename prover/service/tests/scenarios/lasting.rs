//! Streams that outlast what their caller showed: they end with it, and nothing that comes later is taken.

use crate::{
    authority::{Authority, Wanted},
    clinic::Clinic,
    issuer::{Issuer, now},
    raw_call::{channel, encrypted, verdict},
    running::{Running, SOON, config},
    stand_in::StandIn,
};
use anyhow::{Context, Result, ensure};
use nightingale::{
    Config,
    client::Client,
    config::identity::{Identity, Oidc},
};
use nightingale_proto::v1::{
    self, adjudicate_stream_response::Answer, audit_service_client::AuditServiceClient,
    claim_service_client::ClaimServiceClient, job_service_client::JobServiceClient,
};
use serde_json::json;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Request, Streaming, transport::Channel};

/// How long a token lasts here.
const LASTS: u64 = 6;

fn claim(request: Vec<u8>, key: &str) -> v1::AdjudicateRequest {
    v1::AdjudicateRequest { request, idempotency_key: key.into(), ..Default::default() }
}

/// Reads a stream until it ends; how it ended, and how much came before.
async fn end<M>(mut stream: Streaming<M>) -> Result<((Code, String), usize)> {
    let mut read = 0;
    let last = async {
        loop {
            match stream.message().await {
                Ok(Some(_)) => read += 1,
                Ok(None) => return Ok(()),
                Err(status) => return Err(status),
            }
        }
    };
    let last = tokio::time::timeout(SOON, last).await.context("the stream goes on")?;
    Ok((verdict(last), read))
}

/// A stream of claims that is open: where to put more, and its answers.
struct Claims {
    more: mpsc::Sender<v1::AdjudicateRequest>,
    answers: Streaming<v1::AdjudicateStreamResponse>,
}

impl Claims {
    async fn open(channel: Channel, token: Option<&str>) -> Result<Self> {
        let (more, messages) = mpsc::channel(4);
        let mut request = Request::new(ReceiverStream::new(messages));
        if let Some(token) = token {
            request.metadata_mut().insert("authorization", format!("Bearer {token}").parse()?);
        }
        let answers = ClaimServiceClient::new(channel).adjudicate_stream(request).await?.into_inner();
        Ok(Self { more, answers })
    }

    /// Has a claim decided.
    async fn decide(&mut self, message: v1::AdjudicateRequest) -> Result<v1::Job> {
        self.more.send(message).await?;
        let answer = tokio::time::timeout(SOON, self.answers.message()).await.context("no answer")??;
        match answer.context("the stream ended")?.answer {
            Some(Answer::Job(job)) => Ok(job),
            other => anyhow::bail!("{other:?}"),
        }
    }

    /// Goes on putting claims in until nobody takes them, and reads how the stream ends.
    async fn ends(self, mut clinic: Clinic) -> Result<(Code, String)> {
        let Self { more, answers } = self;
        let reading = tokio::spawn(end(answers));
        for number in 0.. {
            let late = claim(clinic.file(1, &[1])?, &format!("late-{number}"));
            let _ = tokio::time::timeout(Duration::from_millis(100), more.send(late)).await;
            if reading.is_finished() {
                break;
            }
        }
        Ok(reading.await??.0)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_with_the_token_that_opened_it() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let issuer = Issuer::new("https://issuer.example.org")?;
    let oidc = Oidc { leeway: Duration::ZERO, ..issuer.by_file(folder.path())? };
    let identity = Identity { oidc: Some(oidc), ..Identity::default() };
    let server = Running::start(Config { identity, ..config(folder.path()) }, StandIn::default()).await?;
    let channel = channel(server.address).await?;
    let mut short = issuer.claims("north", &["custodian", "auditor"]);
    short["exp"] = json!(now() + LASTS);
    let short = issuer.sign("ec", &short)?;
    fn with<M>(token: &str, message: M) -> Result<Request<M>> {
        let mut request = Request::new(message);
        request.metadata_mut().insert("authorization", format!("Bearer {token}").parse()?);
        Ok(request)
    }
    let mut clinic = Clinic::new()?;
    let mut claims = Claims::open(channel.clone(), Some(&short)).await?;
    let done = claims.decide(claim(clinic.file(0, &[1])?, "first")).await?;
    ensure!(done.outcome.is_some());
    // An export that follows what happens, and a watch of the health of the server, for which nobody shows anything.
    let follow = v1::ExportAuditRequest { first: 1, follow: true, ..Default::default() };
    let export = AuditServiceClient::new(channel.clone()).export(with(&short, follow)?).await?.into_inner();
    let mut health = tonic_health::pb::health_client::HealthClient::new(channel.clone());
    let mut health = health.watch(tonic_health::pb::HealthCheckRequest::default()).await?.into_inner();
    ensure!(health.message().await?.is_some());
    let (ended, exported) = tokio::try_join!(claims.ends(clinic), end(export))?;
    let expired = (Code::Unauthenticated, "TOKEN_EXPIRED".to_owned());
    ensure!(ended == expired, "{ended:?}");
    ensure!(exported.0 == expired && exported.1 > 2, "{exported:?}");
    let ended = tokio::time::timeout(Duration::from_millis(200), async {
        while let Ok(Some(_)) = health.message().await {}
    });
    ensure!(ended.await.is_err(), "the watch of health ended too");
    // What the stream took before is there, and nothing more comes.
    let long = issuer.token("north", &["custodian"])?;
    let list = || v1::ListJobsRequest { page_size: 1000, ..Default::default() };
    let mut jobs = JobServiceClient::new(channel.clone());
    let count = jobs.list(with(&long, list())?).await?.into_inner().jobs.len();
    ensure!(count > 1, "{count}");
    tokio::time::sleep(Duration::from_millis(500)).await;
    ensure!(jobs.list(with(&long, list())?).await?.into_inner().jobs.len() == count);
    server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_waits_ends_with_its_token_and_its_job_goes_on() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let issuer = Issuer::new("https://issuer.example.org")?;
    let oidc = Oidc { leeway: Duration::ZERO, ..issuer.by_file(folder.path())? };
    let identity = Identity { oidc: Some(oidc), ..Identity::default() };
    let server = Running::start(Config { identity, ..config(folder.path()) }, StandIn::slow(5_000)).await?;
    let channel = channel(server.address).await?;
    let mut short = issuer.claims("north", &["custodian"]);
    short["exp"] = json!(now() + 3);
    let message = v1::AdjudicateRequest { wait: true, ..claim(Clinic::new()?.file(0, &[1])?, "first") };
    let call = |token: &str, message| -> Result<Request<v1::AdjudicateRequest>> {
        let mut request = Request::new(message);
        request.metadata_mut().insert("authorization", format!("Bearer {token}").parse()?);
        Ok(request)
    };
    let mut claims = ClaimServiceClient::new(channel);
    let waited = claims.adjudicate(call(&issuer.sign("ec", &short)?, message.clone())?).await;
    let answer = verdict(waited.map(drop));
    ensure!(answer == (Code::Unauthenticated, "TOKEN_EXPIRED".into()), "{answer:?}");
    // Asked for again with a token that is good, it is the same job.
    let answer = claims.adjudicate(call(&issuer.token("north", &["custodian"])?, message)?).await?;
    ensure!(answer.get_ref().known && answer.get_ref().job.as_ref().is_some_and(|job| job.outcome.is_some()));
    server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_when_the_certificate_that_opened_it_is_revoked() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let authority = Authority::new(folder.path(), "authority")?;
    let mut tls = authority.tls()?;
    tls.client_crl = Some(authority.revoke(&[1])?);
    let identity = Identity { tls: Some(tls), ..Identity::default() };
    let server = Running::start(Config { identity, ..config(folder.path()) }, StandIn::default()).await?;
    let uri = ["nightingale://north/custodian,auditor/a"];
    let client =
        |name: &str, serial| authority.client(name, &Wanted { names: &uri, serial, ..Wanted::default() });
    let (revoked, good) = (client("revoked", 2)?, client("good", 3)?);
    let channel = encrypted(server.address, &revoked).await?;
    let mut clinic = Clinic::new()?;
    let mut claims = Claims::open(channel.clone(), None).await?;
    ensure!(claims.decide(claim(clinic.file(0, &[1])?, "first")).await?.outcome.is_some());
    let follow = v1::ExportAuditRequest { first: 1, follow: true, ..Default::default() };
    let export = AuditServiceClient::new(channel).export(follow).await?.into_inner();
    let mut kept = Claims::open(encrypted(server.address, &good).await?, None).await?;
    authority.revoke(&[1, 2])?;
    let (ended, exported) = tokio::try_join!(claims.ends(clinic), end(export))?;
    let unknown = (Code::Unauthenticated, "CERTIFICATE_UNKNOWN".to_owned());
    ensure!(ended == unknown && exported.0 == unknown, "{ended:?} {exported:?}");
    // Another's stream goes on.
    let again = claim(Clinic::new()?.file(2, &[1])?, "another");
    ensure!(kept.decide(again).await?.outcome.is_some());
    let mut client = Client::connect_as(&server.address.to_string(), "", &good).await?;
    let count = client.jobs(&[], 1000).await?.len();
    tokio::time::sleep(Duration::from_millis(500)).await;
    ensure!(client.jobs(&[], 1000).await?.len() == count, "the ended stream's messages are still taken");
    drop(kept);
    server.stop().await
}
