//! The chain's part of a trace: below the span that the surroundings name, with every transaction's hash.

use super::{
    anvil::Anvil,
    collector::{Collector, one, transaction},
    proxy::{Moment, Proxy},
    world::{World, account, program, said, secret, write_keys},
};
use alloy_primitives::U256;
use anyhow::{Context, Result, ensure};
use nightingale_circuits::field::to_be_bytes;
use nightingale_poster::{Account, Claim, outbox::State};
use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    net::TcpListener,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// The trace that the surroundings of a command are part of, and the span in it that begins the command.
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";

/// A command as a part of the trace.
fn traced(command: &mut Command, collector: &str) {
    command.env("NIGHTINGALE_OTLP", collector).env("TRACEPARENT", format!("00-{TRACE}-{CALLER}-01"));
}

/// All are in the caller's trace and begun by its commands, which the caller began.
fn hang_together(spans: &[Span], command: &str) -> Result<()> {
    let roots: BTreeSet<_> =
        spans.iter().filter(|span| span.name == command).map(|span| &span.span_id).collect();
    for span in spans {
        ensure!(hex::encode(&span.trace_id) == TRACE, "{} is elsewhere", span.name);
        ensure!(span.end_time_unix_nano >= span.start_time_unix_nano, "{} ends first", span.name);
        let right = match span.name == command {
            true => hex::encode(&span.parent_span_id) == CALLER,
            false => roots.contains(&span.parent_span_id),
        };
        ensure!(right, "{} hangs elsewhere", span.name);
    }
    Ok(())
}

fn of<'a>(spans: &'a [Span], name: &str) -> Vec<&'a Span> {
    spans.iter().filter(|span| span.name == name).collect()
}

#[test]
fn every_transaction_of_a_command_is_in_the_callers_trace() -> Result<()> {
    let Some(anvil) = Anvil::start()? else { return Ok(()) };
    anvil.give_ether(account("operator")?.address())?;
    let folder = tempfile::TempDir::new()?;
    write_keys(&folder.path().join("keys"))?;
    let collector = Collector::start()?;
    let mut command = program(folder.path());
    command.args(["deploy", "--keys", "keys", "--json", "--rpc", &anvil.url()]).current_dir(folder.path());
    command.env("NIGHTINGALE_POSTER_KEY", secret("operator"));
    traced(&mut command, &collector.url());
    let (code, _, stderr) = said(&command.output()?)?;
    ensure!(code == 0, "{stderr}");
    let spans = collector.spans()?;
    one(&spans, "deploy")?;
    hang_together(&spans, "deploy")?;
    ensure!(spans.iter().any(|span| span.name == "confirm"));
    let traced: BTreeSet<String> = of(&spans, "sign").into_iter().filter_map(transaction).collect();
    let mut status = program(folder.path());
    status
        .args(["status", "--json"])
        .current_dir(folder.path())
        .env("NIGHTINGALE_POSTER_KEY", secret("operator"));
    let (_, rows, _) = said(&status.output()?)?;
    let rows = rows.as_array().context("no rows")?;
    let sent: BTreeSet<String> =
        rows.iter().filter_map(|row| Some(row["transaction"].as_str()?.to_lowercase())).collect();
    ensure!(!sent.is_empty() && sent == traced, "sent {sent:?}, traced {traced:?}");
    Ok(())
}

#[test]
fn a_dead_collector_does_not_hold_a_command_up() -> Result<()> {
    let folder = tempfile::TempDir::new()?;
    // Nobody listens there: the port was free a moment ago.
    let free = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let begun = Instant::now();
    let mut command = program(folder.path());
    command
        .args(["status", "--json"])
        .current_dir(folder.path())
        .env("NIGHTINGALE_OTLP", format!("http://{free}"));
    said(&command.output()?)?;
    ensure!(begun.elapsed() < Duration::from_secs(10), "it waited for {:?}", begun.elapsed());
    let mut remote = program(folder.path());
    remote.arg("status").current_dir(folder.path()).env("NIGHTINGALE_OTLP", "http://192.0.2.1:4318");
    let (code, _, stderr) = said(&remote.output()?)?;
    ensure!(code == 2 && stderr.contains("is not a loopback address"), "{code} {stderr}");
    Ok(())
}

/// The transaction as the chain has it.
fn mined(world: &World, transaction: &str) -> Result<Value> {
    let found = world.anvil.ask("eth_getTransactionByHash", json!([transaction]))?;
    ensure!(found["blockNumber"].is_string(), "{transaction} is in no block: {found}");
    Ok(found)
}

/// Chains and transactions, which are public; nothing of the claim, and no key.
fn holds_nothing_else(collector: &Collector, spans: &[Span], claim: &Claim) -> Result<()> {
    for attribute in spans.iter().flat_map(|span| &span.attributes) {
        let known = ["chain.id", "chain.transaction"].contains(&attribute.key.as_str());
        ensure!(known, "a span holds {}", attribute.key);
    }
    let endorsement = claim.endorsement.as_ref().context("not endorsed")?;
    let mut hidden = vec![endorsement.signature.to_vec(), account("provider")?.address().to_vec()];
    for who in ["stranger", "provider", "operator"] {
        hidden.push(hex::decode(secret(who))?);
    }
    hidden.extend(claim.proof.public.to_vec().iter().map(|input| to_be_bytes(input)[12..].to_vec()));
    hidden.retain(|bytes| bytes.iter().any(|byte| *byte != 0));
    for body in collector.bodies() {
        for bytes in &hidden {
            for form in [bytes.clone(), hex::encode(bytes).into_bytes()] {
                ensure!(!body.windows(form.len()).any(|window| window == form), "{}", hex::encode(bytes));
            }
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_offer_of_a_settlement_is_in_the_trace_and_the_one_that_was_mined_is_told() -> Result<()> {
    let Some(world) = World::new().await? else { return Ok(()) };
    let (collector, claim) = (Collector::start()?, world.claim("slow").await?);
    let proof = world.write("slow", &claim)?;
    world.anvil.automine(false)?;
    let mut command = world.settle_command(&world.anvil.url(), &[&proof]);
    traced(command.args(["--raise-after", "1"]), &collector.url());
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    // A third offer is written: the second was sent, and takes the place of the first.
    world.watch("command.sqlite", |rows| rows.iter().any(|row| row.attempts.len() >= 3)).await?;
    world.anvil.mine(1)?;
    let (code, report, stderr) = said(&child.wait_with_output()?)?;
    ensure!(code == 0 && report["entries"][0]["settled"] == true, "{code} {stderr}");

    let spans = collector.spans()?;
    hang_together(&spans, "settle")?;
    let (settle, verify) = (one(&spans, "settle")?, one(&spans, "verify")?);
    let (signs, confirm) = (of(&spans, "sign"), one(&spans, "confirm")?);
    ensure!(verify.end_time_unix_nano <= confirm.start_time_unix_nano, "it was posted unverified");
    ensure!(spans.iter().all(|span| span.end_time_unix_nano <= settle.end_time_unix_nano));
    ensure!(spans.iter().all(|span| span.status.as_ref().is_none_or(|status| status.code == 0)));
    let rows = world.watch("command.sqlite", |_| true).await?;
    ensure!(rows.len() == 1 && rows[0].state == State::Done, "{rows:?}");
    let offered: BTreeSet<_> =
        rows[0].attempts.iter().map(|attempt| format!("{:#x}", attempt.hash)).collect();
    let traced: BTreeSet<_> = signs.iter().filter_map(|span| transaction(span)).collect();
    ensure!(offered == traced && signs.len() == offered.len(), "offered {offered:?}, traced {traced:?}");
    let settled = transaction(confirm).context("nobody says which was mined")?;
    ensure!(report["transaction"] == settled.as_str() && offered.contains(&settled), "{report} {settled}");
    ensure!(settled != format!("{:#x}", rows[0].attempts[0].hash), "the first offer was mined");
    let on_chain: U256 = serde_json::from_value(mined(&world, &settled)?["nonce"].clone())?;
    ensure!(on_chain == U256::from(rows[0].nonce));
    holds_nothing_else(&collector, &spans, &claim)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_settlement_that_was_cut_off_is_confirmed_in_the_trace_by_the_transaction_it_had_signed()
-> Result<()> {
    let Some(world) = World::new().await? else { return Ok(()) };
    let (collector, claim) = (Collector::start()?, world.claim("cut").await?);
    let proof = world.write("cut", &claim)?;
    let proxy = Proxy::holding(world.anvil.address(), "eth_sendRawTransaction", 0, Moment::Before)?;
    let mut cut = world.settle_command(proxy.url(), &[&proof]);
    traced(&mut cut, &collector.url());
    let mut child = cut.stdout(Stdio::null()).spawn()?;
    let held = proxy.reached().and_then(|()| collector.until("sign"));
    child.kill()?;
    child.wait()?;
    held?;
    let mut command = world.settle_command(&world.anvil.url(), &[&proof]);
    traced(&mut command, &collector.url());
    let (code, report, stderr) = said(&command.output()?)?;
    ensure!(code == 0 && report["entries"][0]["settled"] == true, "{code} {stderr}");

    let spans = collector.spans()?;
    // The span of the first command went down with it.
    let first = one(&spans, "sign")?.parent_span_id.clone();
    let (settle, confirm) = (one(&spans, "settle")?, one(&spans, "confirm")?);
    ensure!(confirm.parent_span_id == settle.span_id && first != settle.span_id);
    ensure!(spans.iter().all(|span| hex::encode(&span.trace_id) == TRACE));
    let signed = transaction(one(&spans, "sign")?).context("no hash")?;
    ensure!(transaction(confirm).as_ref() == Some(&signed), "{signed} was signed, not confirmed");
    mined(&world, &signed)?;
    ensure!(world.anvil.mined_of(Account::from_hex(&secret("stranger"))?.address())? == 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_is_not_mined_in_time_has_failed_in_the_trace() -> Result<()> {
    let Some(world) = World::new().await? else { return Ok(()) };
    let (collector, claim) = (Collector::start()?, world.claim("late").await?);
    let proof = world.write("late", &claim)?;
    world.anvil.automine(false)?;
    let mut command = world.settle_command(&world.anvil.url(), &[&proof]);
    traced(command.args(["--timeout", "2"]), &collector.url());
    let (code, _, stderr) = said(&command.output()?)?;
    ensure!(code == 1 && stderr.contains("is not confirmed after 2 s"), "{code} {stderr}");
    let spans = collector.spans()?;
    hang_together(&spans, "settle")?;
    for (name, failed) in [("settle", true), ("confirm", true), ("sign", false), ("verify", false)] {
        let status = one(&spans, name)?.status.as_ref().map_or(0, |status| status.code);
        // STATUS_CODE_ERROR
        ensure!((status == 2) == failed, "{name}: {status}");
    }
    ensure!(transaction(one(&spans, "confirm")?).is_none(), "nothing was mined");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_or_silent_collector_slows_no_settlement_and_fails_none() -> Result<()> {
    let Some(world) = World::new().await? else { return Ok(()) };
    // Nobody listens there: the port was free a moment ago.
    let free = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    // Somebody listens and never answers.
    let silent = TcpListener::bind("127.0.0.1:0")?;
    let took = async |label: &str, collector: Option<String>| -> Result<Duration> {
        let proof = world.write(label, &world.claim(label).await?)?;
        let mut command = world.settle_command(&world.anvil.url(), &[&proof]);
        if let Some(url) = collector {
            traced(&mut command, &url);
        }
        let begun = Instant::now();
        let (code, report, stderr) = said(&command.output()?)?;
        ensure!(code == 0 && stderr.is_empty(), "{label}: {code} {stderr}");
        ensure!(report["entries"][0]["settled"] == true, "{label}: {report}");
        Ok(begun.elapsed())
    };
    let without = took("without", None).await?;
    for (label, address) in [("dead", free), ("silent", silent.local_addr()?)] {
        let with = took(label, Some(format!("http://{address}"))).await?;
        // It waits 2 s at its end. A sender that nobody answers gives up after 20 s. The machine may be busy.
        let bound = without * 4 + Duration::from_secs(10);
        ensure!(with < bound, "{label}: {with:?} with, {without:?} without");
    }
    Ok(())
}
