//! What operators' tools see: health, reflection, metrics; and what stands in the way of a start.

use crate::{
    clinic::Clinic,
    running::{Running, SOON, config, keyed},
    stand_in::StandIn,
};
use anyhow::{Context, Result};
use nightingale::{Config, Server};
use std::sync::Arc;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tonic::transport::Channel;
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
    server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
};

#[tokio::test(flavor = "multi_thread")]
async fn health_and_reflection_answer() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let server = Running::start(config(folder.path()), StandIn::default()).await?;
    let channel = Channel::from_shared(format!("http://{}", server.address))?.connect().await?;
    for service in ["", "nightingale.v1.ClaimService", "nightingale.v1.JobService"] {
        let request = HealthCheckRequest { service: service.into() };
        let status = HealthClient::new(channel.clone()).check(request).await?.into_inner().status();
        assert_eq!(status, ServingStatus::Serving, "{service:?}");
    }
    let ask = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut answers = ServerReflectionClient::new(channel)
        .server_reflection_info(tokio_stream::iter([ask]))
        .await?
        .into_inner();
    let answer = answers.message().await?.and_then(|a| a.message_response).context("no answer")?;
    let MessageResponse::ListServicesResponse(list) = answer else { anyhow::bail!("another answer") };
    let names: Vec<&str> = list.service.iter().map(|s| s.name.as_str()).collect();
    for service in ["Audit", "Claim", "Cohort", "Consent", "Dataset", "Epoch", "Job", "Key"] {
        assert!(names.contains(&format!("nightingale.v1.{service}Service").as_str()), "{names:?}");
    }
    server.stop().await
}

/// An answer, head and body.
pub(crate) async fn get(address: std::net::SocketAddr, path: &str) -> Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes()).await?;
    let mut text = String::new();
    tokio::time::timeout(SOON, stream.read_to_string(&mut text)).await??;
    Ok(text)
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_count_without_naming() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let local = Some(std::net::SocketAddr::from(([127, 0, 0, 1], 0)));
    let server =
        Running::start(Config { metrics: local, ..config(folder.path()) }, StandIn::default()).await?;
    let (mut client, mut clinic) = (server.client_of("secret-tenant").await?, Clinic::new()?);
    client.adjudicate(clinic.file(0, &[1])?, keyed("a"), true).await?;
    let _ = client.adjudicate(b"nonsense".to_vec(), keyed("b"), true).await;
    let text = get(server.metrics.context("no metrics")?, "/metrics").await?;
    assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{text}");
    for line in [
        "nightingale_jobs_accepted_total{size_class=\"claim-2\"} 1",
        "nightingale_jobs_ended_total{outcome=\"APPROVED\"} 1",
        "nightingale_requests_rejected_total{reason=\"INVALID\"} 1",
        "nightingale_jobs{state=\"done\"} 1",
        "nightingale_prove_seconds_count{size_class=\"claim-2\"} 1",
    ] {
        assert!(text.contains(line), "{line} is not in {text}");
    }
    assert!(!text.contains("secret-tenant"));
    assert!(get(server.metrics.context("no metrics")?, "/").await?.starts_with("HTTP/1.1 404"));
    server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_in_use_and_an_unwritable_folder_are_said() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let server = Running::start(config(folder.path()), StandIn::default()).await?;
    let other = tempfile::tempdir()?;
    let same_port = Config { listen: server.address, ..config(other.path()) };
    let taken = Server::bind(same_port, Arc::new(StandIn::default())).await.err().context("bound twice")?;
    assert!(taken.to_string().contains("another program listens there"), "{taken}");
    let file = other.path().join("file");
    std::fs::write(&file, b"")?;
    let no_folder = Config { data_dir: file.join("data"), ..config(other.path()) };
    let unwritable = Server::bind(no_folder, Arc::new(StandIn::default())).await.err().context("bound")?;
    assert!(unwritable.to_string().contains("cannot be created"), "{unwritable}");
    server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_database_is_said() -> Result<()> {
    let folder = tempfile::tempdir()?;
    Running::start(config(folder.path()), StandIn::default()).await?.stop().await?;
    let database = folder.path().join("data/jobs.sqlite");
    std::fs::write(&database, b"this is no database, and long enough to be read as one".repeat(100))?;
    let damaged =
        Server::bind(config(folder.path()), Arc::new(StandIn::default())).await.err().context("bound")?;
    assert!(damaged.to_string().contains("damaged"), "{damaged}");
    Ok(())
}
