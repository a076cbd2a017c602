//! One trace from the command through the queue to the worker's phases and on to the chain; nothing of a record in it; and a
//! collector that is dead or silent slows nobody.

use crate::{
    clinic::{Clinic, MARKERS, visit},
    collector::{Collector, Received},
    desk::{Desk, OPERATOR, PROVIDER},
    end_to_end::keys,
    running::{Running, config, ended, keyed},
    stand_in::StandIn,
};
use alloy_primitives::U256;
use anyhow::{Context, Result};
use nightingale::Config;
use nightingale_circuits::field::to_be_bytes;
use nightingale_contracts::bindings::ClaimSettlement::creditOfCall;
use nightingale_poster::Node;
use nightingale_trace::Traceparent;
use nightingale_verifier::ClaimProof;
use serde_json::json;
use std::{
    collections::BTreeSet,
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net::TcpListener,
    process::Command,
};

const BINARY: &str = env!("CARGO_BIN_EXE_nightingale");
/// The trace that the surroundings of the command are part of, and the span in it that begins the command.
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";
const PHASES: [&str; 4] = ["checking", "assigning", "proving", "verifying"];

fn to(url: &str) -> Result<Option<nightingale_trace::Collector>> {
    nightingale_trace::Collector::new(url, false).map(Some).map_err(anyhow::Error::msg)
}

fn one<'a>(spans: &'a [Received], name: &str) -> Result<&'a Received> {
    let mut named = spans.iter().filter(|received| received.span.name == name);
    let found = named.next().with_context(|| format!("no span `{name}`"))?;
    anyhow::ensure!(named.next().is_none(), "two spans `{name}`");
    Ok(found)
}

/// A process of its own, and the first line that it says.
async fn process(arguments: &[&str], file: &Path) -> Result<(tokio::process::Child, String)> {
    let mut command = Command::new(BINARY);
    command.args(arguments).arg("--config").arg(file).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.stderr(Stdio::null()).kill_on_drop(true).spawn()?;
    let mut line = String::new();
    BufReader::new(child.stdout.take().context("no output")?).read_line(&mut line).await?;
    Ok((child, line.trim().to_owned()))
}

/// A server with the real prover, which may be in a process of its own, too; and where it listens.
async fn serve(
    folder: &Path,
    collector: &Collector,
    apart: bool,
) -> Result<(Vec<tokio::process::Child>, String)> {
    let file = folder.join("config.toml");
    let work = if apart { "[work]\nclaims = false\ncohorts = false\n" } else { "" };
    let text = format!(
        "data_dir = 'data'\nkeys_dir = '{}'\n[listen]\naddress = '127.0.0.1:0'\n[telemetry]\notlp = '{}'\n{work}",
        keys()?.display(),
        collector.url()
    );
    std::fs::write(&file, text)?;
    let (server, line) = process(&["serve"], &file).await?;
    let address = line.strip_prefix("listening ").context("the server does not listen")?.to_owned();
    let mut children = vec![server];
    if apart {
        let (worker, line) = process(&["work", "--share", "claims"], &file).await?;
        anyhow::ensure!(line.starts_with("working"), "{line}");
        children.push(worker);
    }
    Ok((children, address))
}

#[tokio::test(flavor = "multi_thread")]
async fn one_trace_leads_from_the_command_through_the_queue_to_the_workers_phases() -> Result<()> {
    followed(false).await
}

#[tokio::test(flavor = "multi_thread")]
async fn and_into_the_process_that_works_for_the_server() -> Result<()> {
    followed(true).await
}

/// Has a server prove the request in this file, by the command, which writes `proof.json` beside it.
async fn submit(request: &Path, server: &str, collector: &Collector) -> Result<()> {
    let output = Command::new(BINARY)
        .args(["claim", "submit", "--server", server, "--tenant", "marker-tenant"])
        .args(["--idempotency-key", "MARKER-KEY"])
        .arg(request)
        .arg("--out")
        .arg(request.with_file_name("proof.json"))
        .env("NIGHTINGALE_OTLP", collector.url())
        .env("TRACEPARENT", format!("00-{TRACE}-{CALLER}-01"))
        .stdin(Stdio::null())
        .output()
        .await?;
    anyhow::ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

/// Follows a claim from the command to the proof, which is made in a process apart or in the server's.
async fn followed(apart: bool) -> Result<()> {
    let (folder, collector) = (tempfile::tempdir()?, Collector::start().await?);
    let request = Clinic::new()?.file(0, &[1])?;
    let file = folder.path().join("request.json");
    std::fs::write(&file, &request)?;
    let (children, address) = serve(folder.path(), &collector, apart).await?;
    submit(&file, &address, &collector).await?;
    let spans = collector.until("job").await?;
    drop(children);

    for received in &spans {
        assert_eq!(hex::encode(&received.span.trace_id), TRACE, "{} is elsewhere", received.span.name);
        assert!(received.span.end_time_unix_nano >= received.span.start_time_unix_nano);
    }
    // Who began whom.
    let (command, call) = (one(&spans, "submit claim")?, one(&spans, "adjudicate")?);
    let (queued, job) = (one(&spans, "queued")?, one(&spans, "job")?);
    assert_eq!(hex::encode(&command.span.parent_span_id), CALLER);
    assert_eq!(call.span.parent_span_id, command.span.span_id);
    assert_eq!(queued.span.parent_span_id, call.span.span_id);
    assert_eq!(job.span.parent_span_id, call.span.span_id);
    let worker = if apart { "nightingale-worker" } else { "nightingale" };
    assert_eq!((command.service.as_str(), call.service.as_str()), ("nightingale-client", "nightingale"));
    assert_eq!(job.service, worker);
    assert_eq!(job.attribute("nightingale.outcome").as_deref(), Some("APPROVED"));
    assert_eq!(job.attribute("nightingale.class").as_deref(), Some("claim-2"));
    assert_eq!(job.attribute("nightingale.job"), queued.attribute("nightingale.job"));
    // The phases, one after another within the job.
    let mut at = job.span.start_time_unix_nano;
    for name in PHASES {
        let phase = one(&spans, name)?;
        assert_eq!(phase.span.parent_span_id, job.span.span_id, "{name}");
        assert!(phase.span.start_time_unix_nano >= at, "{name} began before the one before it had ended");
        at = phase.span.end_time_unix_nano;
    }
    assert!(at <= job.span.end_time_unix_nano);

    holds_nothing_of(&request, &collector)
}

/// Nothing of the record, of its secrets, of the caller's names or of the file's place came to the collector.
fn holds_nothing_of(request: &[u8], collector: &Collector) -> Result<()> {
    let parsed = nightingale_records::request::from_json(request)?;
    let mut canaries: Vec<Vec<u8>> = MARKERS.iter().map(|marker| marker.as_bytes().to_vec()).collect();
    for element in [parsed.claim_salt.expose(), parsed.outcome_salt.expose(), parsed.next_salt.expose()] {
        canaries.push(to_be_bytes(&element).to_vec());
        canaries.push(hex::encode(to_be_bytes(&element)).into_bytes());
    }
    for text in ["MARKER-KEY", "marker-tenant", "99213", "E11.9", "1234567893", "request.json", "proof.json"]
    {
        canaries.push(text.as_bytes().to_vec());
    }
    for body in collector.bodies() {
        for canary in &canaries {
            let found = body.windows(canary.len()).any(|window| window == canary.as_slice());
            assert!(!found, "a trace holds {:?}", String::from_utf8_lossy(canary));
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn and_from_the_proof_to_the_payment_on_the_chain() -> Result<()> {
    const PAYER: &str = "Acme Health";
    let Some(mut desk) = Desk::open()? else { return Ok(()) };
    let (folder, collector) = (tempfile::tempdir()?, Collector::start().await?);
    let mut clinic = Clinic::paid(desk.venue()?, Desk::payee()?)?;
    let request = clinic.request(0, vec![visit(1)?])?;
    desk.publish(PAYER, &request)?;
    let request = nightingale_records::request::to_json(&request);
    let (file, proof) = (folder.path().join("request.json"), folder.path().join("proof.json"));
    std::fs::write(&file, request.as_bytes())?;
    let (children, address) = serve(folder.path(), &collector, false).await?;
    submit(&file, &address, &collector).await?;
    collector.until("job").await?;
    drop(children);
    let proven = ClaimProof::from_file(&std::fs::read(&proof)?)?;
    desk.receive(PAYER, &proven)?;
    desk.endorse(PAYER, &proof, None)?;
    desk.surroundings =
        vec![("NIGHTINGALE_OTLP", collector.url()), ("TRACEPARENT", format!("00-{TRACE}-{CALLER}-01"))];
    let settled = desk.settle(&[&proof.display().to_string()])?;
    anyhow::ensure!(settled.code == Some(0), "{}{}", settled.json, settled.err);

    let spans = collector.until("settle").await?;
    for received in &spans {
        assert_eq!(hex::encode(&received.span.trace_id), TRACE, "{} is elsewhere", received.span.name);
    }
    let services: BTreeSet<_> = spans.iter().map(|received| received.service.as_str()).collect();
    assert_eq!(services, BTreeSet::from(["nightingale", "nightingale-client", "nightingale-poster"]));
    // Whoever began the one command began the other.
    let (submitted, settle) = (one(&spans, "submit claim")?, one(&spans, "settle")?);
    assert_eq!(hex::encode(&submitted.span.parent_span_id), CALLER);
    assert_eq!(settle.span.parent_span_id, submitted.span.parent_span_id);
    let mut at = one(&spans, "job")?.span.end_time_unix_nano;
    for name in ["verify", "sign", "confirm"] {
        let step = one(&spans, name)?;
        assert_eq!(step.service, "nightingale-poster", "{name}");
        assert_eq!(step.span.parent_span_id, settle.span.span_id, "{name}");
        assert_eq!(step.attribute("chain.id").as_deref(), Some("31337"), "{name}");
        assert!(step.span.start_time_unix_nano >= at, "{name} began before the one before it had ended");
        at = step.span.end_time_unix_nano;
    }
    assert!(at <= settle.span.end_time_unix_nano);
    // The transaction of the trace is the one in the chain, to the settlement contract, and it paid.
    let of = |name: &str| one(&spans, name)?.attribute("chain.transaction").context("no transaction");
    let transaction = of("confirm")?;
    assert_eq!(
        (&of("sign")?, settled.json["transaction"].as_str()),
        (&transaction, Some(transaction.as_str()))
    );
    let receipt = desk.anvil.ask("eth_getTransactionReceipt", json!([transaction])).await?;
    let deployment = desk.deployment()?;
    assert_eq!(receipt["status"], "0x1", "{receipt}");
    assert_eq!(receipt["to"], format!("{:#x}", deployment.settlement), "{receipt}");
    let credit = creditOfCall { payee: Desk::payee()?.0.into() };
    let credit = Node::new(desk.anvil.url())?.ask(deployment.settlement, &credit).await?;
    let (payable, ..) = proven.public.unpack_amount().context("malformed")?;
    assert!(payable > 0 && credit == U256::from(payable), "{credit} credited, {payable} payable");

    holds_nothing_of(request.as_bytes(), &collector)?;
    for body in collector.bodies() {
        for key in [OPERATOR, PROVIDER] {
            let bytes = hex::decode(key)?;
            let forms = [key.as_bytes(), &bytes];
            let found = forms.iter().any(|form| body.windows(form.len()).any(|window| window == *form));
            assert!(!found, "a trace holds a key");
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_wants_no_trace_gets_none_and_a_broken_context_breaks_nothing() -> Result<()> {
    let (folder, collector) = (tempfile::tempdir()?, Collector::start().await?);
    let traced = Config { telemetry: to(&collector.url())?, ..config(folder.path()) };
    let server = Running::start(traced, StandIn::default()).await?;
    let mut clinic = Clinic::new()?;
    let unwanted = Traceparent::parse(&format!("00-{TRACE}-{CALLER}-00"));
    let mut silent = server.client().await?.within(unwanted);
    silent.adjudicate(clinic.file(0, &[1])?, keyed("silent"), true).await?;
    // Without a context the server begins a trace of its own.
    let mut plain = server.client().await?;
    plain.adjudicate(clinic.file(1, &[1])?, keyed("plain"), true).await?;
    // A context that is none, by hand: the client makes no such thing.
    let channel =
        tonic::transport::Channel::from_shared(format!("http://{}", server.address))?.connect().await?;
    let mut jobs = nightingale_proto::v1::job_service_client::JobServiceClient::new(channel);
    let list = nightingale_proto::v1::ListJobsRequest { tenant: "north".into(), ..Default::default() };
    let mut broken = tonic::Request::new(list);
    broken.metadata_mut().insert("traceparent", "00-zz-zz-01".parse()?);
    assert_eq!(jobs.list(broken).await?.into_inner().jobs.len(), 2);
    let spans = collector.until("job").await?;
    server.stop().await?;
    assert_eq!(spans.iter().filter(|received| received.span.name == "job").count(), 1);
    for received in collector.spans() {
        assert_ne!(hex::encode(&received.span.trace_id), TRACE);
    }
    Ok(())
}

/// How long it takes to prove some claims with this collector.
async fn time_of(claims: usize, telemetry: Option<nightingale_trace::Collector>) -> Result<Duration> {
    let folder = tempfile::tempdir()?;
    let server = Running::start(Config { telemetry, ..config(folder.path()) }, StandIn::default()).await?;
    let (mut client, mut clinic) = (server.client().await?, Clinic::new()?);
    let begun = Instant::now();
    let mut ids = Vec::new();
    for number in 0..claims {
        let request = clinic.denied(number % 8)?;
        ids.push(client.adjudicate(request, keyed(&format!("k{number}")), false).await?.id);
    }
    for id in &ids {
        ended(&mut client, id).await?;
    }
    let took = begun.elapsed();
    server.stop().await?;
    Ok(took)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_or_silent_collector_slows_no_job() -> Result<()> {
    const CLAIMS: usize = 30;
    // Nobody listens there: the port was free a moment ago.
    let free = TcpListener::bind("127.0.0.1:0").await?.local_addr()?;
    // Somebody listens and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").await?;
    let without = time_of(CLAIMS, None).await?;
    for url in [format!("http://{free}"), format!("http://{}", silent.local_addr()?)] {
        let with = time_of(CLAIMS, to(&url)?).await?;
        // Whoever waited for one of the collector's limits of 5 s in each job would need 150 s. The machine may be busy.
        let bound = without * 4 + Duration::from_secs(40);
        assert!(with < bound, "{with:?} with, {without:?} without");
    }
    Ok(())
}
