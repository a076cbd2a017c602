//! One tenant's excess is refused, says when to come again, and costs the others nothing.

use crate::{
    clinic::Clinic,
    issuer::Issuer,
    raw_call::{call_with, channel, verdict},
    running::{Running, config, keyed},
    stand_in::StandIn,
};
use anyhow::{Context, Result};
use nightingale::{
    Config,
    client::{Client, ClientError, Credentials},
    config::identity::{Identity, Rates, Share},
};
use nightingale_proto::v1::{self, job_service_client::JobServiceClient};
use std::{collections::HashMap, os::unix::fs::PermissionsExt, path::Path, time::Duration};
use tonic::{Code, Request};
use tonic_types::StatusExt;

const LIST: &str = "/nightingale.v1.JobService/List";

async fn server(folder: &Path, issuer: &Issuer, rates: Rates, prover: StandIn) -> Result<Running> {
    let identity = Identity { oidc: Some(issuer.by_file(folder)?), ..Identity::default() };
    Running::start(Config { identity, rates, ..config(folder) }, prover).await
}

fn issuer() -> Result<Issuer> {
    Issuer::new("https://issuer.example.org")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_that_asks_too_often_is_told_when_to_come_again() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let issuer = issuer()?;
    let slow = Share { requests_per_second: Some(1), burst: Some(5), ..Share::default() };
    let rates = Rates { tenants: HashMap::from([("north".to_owned(), slow)]), ..Rates::default() };
    let server = server(folder.path(), &issuer, rates, StandIn::default()).await?;
    let channel = channel(server.address).await?;
    let (north, south) = (issuer.token("north", &["auditor"])?, issuer.token("south", &["auditor"])?);
    let (mut answered, mut refused) = (0u64, 0u64);
    let began = std::time::Instant::now();
    for _ in 0..20 {
        match call_with(&channel, LIST, v1::ListJobsRequest::default(), &north).await {
            Ok(()) => answered += 1,
            Err(status) => {
                let details = status.get_error_details();
                let retry = details.retry_info().and_then(|info| info.retry_delay).context("no delay")?;
                assert!(retry > Duration::ZERO && retry <= Duration::from_secs(1), "{retry:?}");
                assert_eq!(verdict(Err(status)), (Code::ResourceExhausted, "RATE_EXCEEDED".into()));
                refused += 1;
            }
        }
        // Who asks little is not touched.
        let other = call_with(&channel, LIST, v1::ListJobsRequest::default(), &south).await;
        assert!(other.is_ok());
    }
    let most = 5 + began.elapsed().as_secs() + 1;
    assert!(
        (5..=most).contains(&answered) && answered + refused == 20,
        "{answered} answered, {refused} refused"
    );
    tokio::time::sleep(Duration::from_millis(1200)).await;
    assert!(call_with(&channel, LIST, v1::ListJobsRequest::default(), &north).await.is_ok());
    server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn unanswered_requests_hold_their_place_until_they_are_gone() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let issuer = issuer()?;
    let rates = Rates { every: Share { in_flight: Some(3), ..Share::default() }, ..Rates::default() };
    let server =
        server(folder.path(), &issuer, rates, StandIn { stops: true, ..StandIn::slow(60_000) }).await?;
    let channel = channel(server.address).await?;
    let token = issuer.token("north", &["custodian"])?;
    let south = issuer.token("south", &["custodian"])?;
    let path = folder.path().join("token");
    std::fs::write(&path, &token)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    let credentials = Credentials { token_file: Some(path), ..Credentials::default() };
    let mut client = Client::connect_as(&server.address.to_string(), "", &credentials).await?;
    let job = client.adjudicate(Clinic::new()?.file(0, &[1])?, keyed("k"), false).await?;
    let mut jobs = JobServiceClient::new(channel.clone());
    let mut watches = Vec::new();
    for _ in 0..3 {
        let mut request = Request::new(v1::WatchJobRequest { tenant: String::new(), id: job.id.clone() });
        request.metadata_mut().insert("authorization", format!("Bearer {token}").parse()?);
        watches.push(jobs.watch(request).await?.into_inner());
    }
    let full = verdict(call_with(&channel, LIST, v1::ListJobsRequest::default(), &token).await);
    assert_eq!(full, (Code::ResourceExhausted, "TOO_MANY_IN_FLIGHT".into()));
    assert!(call_with(&channel, LIST, v1::ListJobsRequest::default(), &south).await.is_ok());
    watches.pop();
    let freed = async {
        while call_with(&channel, LIST, v1::ListJobsRequest::default(), &token).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), freed).await.context("a place is not given back")?;
    drop(watches);
    tokio::time::sleep(Duration::from_millis(100)).await;
    client.cancel(&job.id).await?;
    server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_days_quota_counts_jobs_once_and_is_each_tenants_own() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let quota = Share { jobs_per_day: Some(2), ..Share::default() };
    let rates = Rates { tenants: HashMap::from([("north".to_owned(), quota)]), ..Rates::default() };
    let configured = Config { rates, ..config(folder.path()) };
    let server = Running::start(configured.clone(), StandIn::default()).await?;
    let (mut north, mut south) = (server.client().await?, server.client_of("south").await?);
    let mut clinic = Clinic::new()?;
    let first = clinic.file(0, &[1])?;
    // The same request again is the same job, and a request that cannot be read is none.
    for _ in 0..3 {
        north.adjudicate(first.clone(), keyed("first"), true).await?;
        assert!(north.adjudicate(b"nonsense".to_vec(), keyed("nonsense"), false).await.is_err());
    }
    server.stop().await?;
    // A restart forgets nothing.
    let server = Running::start(configured, StandIn::default()).await?;
    let mut north_again = server.client().await?;
    north_again.adjudicate(clinic.file(1, &[1])?, keyed("second"), true).await?;
    let third = clinic.file(2, &[1])?;
    let refused = north_again.adjudicate(third.clone(), keyed("third"), true).await.err();
    let Some(ClientError::Refused { code, reason, .. }) = refused else {
        anyhow::bail!("a third was accepted")
    };
    assert_eq!((code, reason.as_str()), (Code::ResourceExhausted, "QUOTA_USED"));
    assert!(north_again.adjudicate(first, keyed("first"), true).await.is_ok());
    drop((north, south));
    south = server.client_of("south").await?;
    for number in 0..4 {
        south.adjudicate(clinic.file(3 + number, &[1])?, keyed(&format!("s{number}")), true).await?;
    }
    server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_streams_messages_come_no_faster_than_the_rate() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let issuer = issuer()?;
    let every = Share { requests_per_second: Some(20), burst: Some(5), ..Share::default() };
    let rates = Rates { every, ..Rates::default() };
    let server = server(folder.path(), &issuer, rates, StandIn::default()).await?;
    let channel = channel(server.address).await?;
    let mut claims = v1::claim_service_client::ClaimServiceClient::new(channel);
    let nonsense =
        |number: u32| v1::AdjudicateRequest { idempotency_key: number.to_string(), ..Default::default() };
    let mut request = Request::new(tokio_stream::iter((0..25).map(nonsense)));
    let token = issuer.token("north", &["custodian"])?;
    request.metadata_mut().insert("authorization", format!("Bearer {token}").parse()?);
    let began = std::time::Instant::now();
    let mut answers = claims.adjudicate_stream(request).await?.into_inner();
    let mut count = 0;
    while answers.message().await?.is_some() {
        count += 1;
    }
    // All are answered; those above the burst at 20 a second.
    assert_eq!(count, 25);
    let took = began.elapsed();
    assert!(took >= Duration::from_millis(900) && took < Duration::from_secs(10), "{took:?}");
    server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_is_told_to_end_when_it_is_old_and_clients_go_on() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let rates = Rates { connection_age: Duration::from_secs(1), ..Rates::default() };
    let server = Running::start(Config { rates, ..config(folder.path()) }, StandIn::default()).await?;
    let mut client = server.client().await?;
    for _ in 0..30 {
        client.jobs(&[], 1).await?;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    server.stop().await
}
