//! Who reads the audit log and what for: the command, an accounting of disclosures, and break-glass access.

use crate::{
    audit::{entries, fact, of, serving},
    clinic::{Clinic, MARKERS, result},
    cohort_command::{done, nightingale},
    issuer::Issuer,
    running::{Running, SOON, config, keyed},
    site::{Site, on_both},
    stand_in::StandIn,
};
use anyhow::{Context, Result, ensure};
use nightingale::{
    Config,
    client::{Client, ClientError, Credentials},
    config::{Alarm, Audit, identity::Identity},
    jobs::{Instant, Tenant},
    store::Store,
};
use nightingale_proto::v1;
use nightingale_records::consent::{identifier, identifier_text};
use nightingale_verifier::audit::{Anchors, Reader};
use serde_json::Value;
use std::{fs, os::unix::fs::PermissionsExt, path::Path, process::Stdio};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};

on_both!(
    the_command_exports_what_the_verifier_takes,
    an_accounting_finds_every_disclosure_about_a_member_and_no_other,
    broken_glass_is_on_record_and_told_before_anything_is_shown,
    an_alarm_that_nobody_hears_shows_nothing,
    a_command_is_told_one_line_of_json_on_its_input,
    of_a_tenant_that_was_erased_no_broken_glass_and_no_refusal_is_on_record,
);

fn verified(file: &Path, anchors: &[Anchors]) -> Result<nightingale_verifier::audit::Verified> {
    Ok(Reader::new(anchors).read(std::io::BufReader::new(fs::File::open(file)?), |_, _| {})?)
}

async fn the_command_exports_what_the_verifier_takes(site: Site) -> Result<()> {
    let server = serving(&site, StandIn::default()).await?;
    let address = server.address.to_string();
    let (mut client, mut clinic) = (server.client().await?, Clinic::new()?);
    client.adjudicate(clinic.file(0, &[1])?, keyed("a"), true).await?;
    let folder = site.path().to_owned();
    let run = async |arguments: &[&str]| {
        let (folder, remote) = (folder.clone(), ["--server", &address, "--tenant", "north"]);
        let all: Vec<String> = arguments.iter().chain(&remote).map(|text| (*text).to_owned()).collect();
        let ran = tokio::task::spawn_blocking(move || {
            done(&folder, &all.iter().map(String::as_str).collect::<Vec<_>>())
        });
        ran.await?
    };
    run(&["audit", "export", "--out", "north.jsonl"]).await?;
    let whole = verified(&folder.join("north.jsonl"), &[])?;
    ensure!((whole.tenant.as_str(), whole.first, whole.last) == ("north", 1, 4));
    let mode = fs::metadata(folder.join("north.jsonl"))?;
    ensure!(mode.permissions().mode() & 0o777 == 0o600);
    let head: Value = serde_json::from_str(&run(&["audit", "head", "--json"]).await?)?;
    ensure!(head["sequence"] == 4 && head["head"] == format!("0x{}", hex::encode(whole.head)));
    ensure!(head["log"] == format!("0x{}", hex::encode(whole.log)));
    // Offline, while the server runs; and held against the head that was told before.
    run(&["audit", "export", "--config", "config.toml", "--from", "3", "--out", "part.jsonl"]).await?;
    let part = verified(&folder.join("part.jsonl"), &[Anchors::of_head(4, whole.head)])?;
    ensure!((part.first, part.last, part.log) == (3, 5, whole.log));
    ensure!(part.anchored.context("not held against the head")?.sequence == 4);
    let lines = run(&["audit", "tail", "--once", "--format", "ecs"]).await?;
    let lines: Vec<Value> = lines.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let actions: Vec<&str> = lines.iter().filter_map(|line| line["event"]["action"].as_str()).collect();
    ensure!(
        actions == ["accepted", "decided", "released", "exported", "exported", "exported"],
        "{actions:?}"
    );
    ensure!(lines.iter().all(|line| line["organization"]["id"] == "north"));
    let beyond = tokio::task::spawn_blocking({
        let (folder, address) = (folder.clone(), address.clone());
        let arguments =
            ["audit", "export", "--from", "99", "--out", "no.jsonl", "--tenant", "north", "--server"];
        move || nightingale(&folder, &[&arguments[..], &[&address]].concat())
    });
    ensure!(beyond.await??.code == Some(1) && !folder.join("no.jsonl").exists());
    follows(&folder, &address, &mut client, &mut clinic).await?;
    ensure!(
        fs::read_dir(&folder)?.flatten().all(|entry| !entry.file_name().to_string_lossy().contains(".draft"))
    );
    server.stop().await
}

/// A tail goes on with what happens while it runs.
async fn follows(folder: &Path, address: &str, client: &mut Client, clinic: &mut Clinic) -> Result<()> {
    let mut tail = tokio::process::Command::new(env!("CARGO_BIN_EXE_nightingale"))
        .args(["audit", "tail", "--tenant", "north", "--server", address, "--format", "json"])
        .current_dir(folder)
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let mut lines = BufReader::new(tail.stdout.take().context("no output")?).lines();
    let mut next = async || {
        let line = tokio::time::timeout(SOON, lines.next_line()).await.context("the tail is silent")??;
        anyhow::Ok(line.context("the tail ended")?)
    };
    while !next().await?.contains(r#""mode":"follow""#) {}
    client.adjudicate(clinic.file(1, &[1])?, keyed("later"), true).await?;
    ensure!(next().await?.contains(r#""event":"accepted""#));
    Ok(tail.kill().await?)
}

async fn an_accounting_finds_every_disclosure_about_a_member_and_no_other(site: Site) -> Result<()> {
    let server = serving(&site, StandIn::default()).await?;
    let (mut client, mut clinic) = (server.client().await?, Clinic::new()?);
    let first = client.adjudicate(clinic.file(0, &[1])?, keyed("a"), true).await?;
    client.adjudicate(clinic.file(1, &[1])?, keyed("b"), true).await?;
    // Accepted and never read: nothing was disclosed.
    client.adjudicate(clinic.file(2, &[1])?, keyed("c"), false).await?;
    let about = |member: &str| v1::DisclosuresRequest { member: member.into(), ..Default::default() };
    let found = client.disclosures(about("MARKER-PATIENT-0")).await?.disclosures;
    ensure!(found.len() == 1, "{found:?}");
    let one = found.first().context("none")?;
    ensure!(one.job == first.id && one.recipient == "anonymous" && one.purpose == "payment");
    ensure!(one.basis == "45 CFR 164.506(c)" && !one.break_glass && one.payer.len() == 24);
    ensure!(one.released == <sha2::Sha256 as sha2::Digest>::digest(&result(&first)?.proof_json).to_vec());
    // As a list of consents names a member.
    let numbered = identifier_text(identifier("MARKER-PATIENT-0").context("no identifier")?);
    ensure!(client.disclosures(about(&numbered)).await?.disclosures.len() == 1, "by number");
    ensure!(client.disclosures(about("id:0xnumber")).await.is_err(), "half a number");
    for stranger in ["MARKER-PATIENT-2", "MARKER-PATIENT-9", "marker-patient-0", "MARKER-PATIENT-0 "] {
        ensure!(client.disclosures(about(stranger)).await?.disclosures.is_empty(), "{stranger}");
    }
    let mut south = server.client_of("south").await?;
    ensure!(south.disclosures(about("MARKER-PATIENT-0")).await?.disclosures.is_empty(), "another tenant's");
    let later = v1::DisclosuresRequest {
        from: Some(std::time::SystemTime::now().into()),
        ..about("MARKER-PATIENT-0")
    };
    ensure!(client.disclosures(later).await?.disclosures.is_empty(), "before the time that was asked for");
    let nobody = client.disclosures(v1::DisclosuresRequest::default()).await.err().context("of nobody")?;
    ensure!(nobody.to_string().contains("member"), "{nobody}");
    let entries = entries(&mut client).await?;
    ensure!(of(&entries, "accounted").len() == 7, "an accounting is on record");
    ensure!(!format!("{entries:?}").contains(MARKERS[1]));
    server.stop().await
}

fn refusal(answer: Result<v1::Job, ClientError>) -> Result<String> {
    match answer {
        Err(ClientError::Refused { reason, .. } | ClientError::Unavailable { reason, .. }) => Ok(reason),
        Err(error) => Err(error.into()),
        Ok(job) => anyhow::bail!("{} was shown", job.id),
    }
}

async fn with_alarm(site: &Site, alarm: Option<Alarm>) -> Result<Running> {
    let config = Config::read(&site.file()?)?;
    let audit = Audit { break_glass: alarm, ..Audit::default() };
    Running::start(Config { audit, ..config }, StandIn::default()).await
}

async fn metrics(server: &Running) -> Result<String> {
    let mut stream = tokio::net::TcpStream::connect(server.metrics.context("no metrics")?).await?;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n").await?;
    let mut text = String::new();
    tokio::time::timeout(SOON, stream.read_to_string(&mut text)).await??;
    Ok(text)
}

const WHY: &str = "ticket 4711: the payer disputes the decision";

async fn broken_glass_is_on_record_and_told_before_anything_is_shown(site: Site) -> Result<()> {
    let server = with_alarm(&site, None).await?;
    let (mut client, mut clinic) = (server.client().await?, Clinic::new()?);
    let job = client.adjudicate(clinic.file(0, &[1])?, keyed("a"), true).await?;
    ensure!(refusal(client.break_glass(&job.id, WHY).await)? == "BREAK_GLASS_OFF");
    server.stop().await?;

    let alarm = site.path().join("alarm.jsonl");
    let server = with_alarm(&site, Some(Alarm::File(alarm.clone()))).await?;
    let mut client = server.client().await?;
    ensure!(metrics(&server).await?.contains("nightingale_break_glass_total 0"));
    for reason in ["", "because", "two\nlines of a reason", &"x".repeat(501)] {
        ensure!(refusal(client.break_glass(&job.id, reason).await)? == "INVALID", "{reason:?}");
    }
    ensure!(refusal(client.break_glass(&"0".repeat(32), WHY).await)? == "JOB_UNKNOWN");
    ensure!(fs::read(&alarm)?.is_empty() && client.audit_head().await?.break_glass == 0, "nothing was shown");
    let shown = client.break_glass(&job.id, WHY).await?;
    ensure!(result(&shown)?.proof_json == result(&job)?.proof_json);
    let told: Value = serde_json::from_str(&fs::read_to_string(&alarm)?)?;
    ensure!(told["event"] == "break_glass" && told["job"] == job.id && told["reason"] == WHY);
    ensure!(told["subject"] == "anonymous" && told["tenant"] == "north");
    let all = entries(&mut client).await?;
    let [entry] = of(&all, "break_glass")[..] else { anyhow::bail!("not one entry") };
    ensure!(fact(entry, "stated_reason")? == WHY && fact(entry, "purpose")? == "emergency");
    ensure!(entry.method == "AuditService.BreakGlass" && fact(entry, "job")? == job.id);
    let released = of(&all, "released");
    ensure!(fact(entry, "proof")? == fact(released.first().context("no release")?, "proof")?);
    let head = client.audit_head().await?;
    ensure!(head.break_glass == 1 && head.last_break_glass.is_some());
    ensure!(metrics(&server).await?.contains("nightingale_break_glass_total 1"));
    // It is a disclosure about the member, and marked as what it is.
    let about = v1::DisclosuresRequest { member: "MARKER-PATIENT-0".into(), ..Default::default() };
    let found = client.disclosures(about).await?.disclosures;
    ensure!(found.iter().map(|one| one.break_glass).collect::<Vec<_>>() == [false, true]);
    // Each access is an entry and an alarm of its own.
    client.break_glass(&job.id, WHY).await?;
    ensure!(client.audit_head().await?.break_glass == 2 && fs::read_to_string(&alarm)?.lines().count() == 2);
    server.stop().await
}

async fn an_alarm_that_nobody_hears_shows_nothing(site: Site) -> Result<()> {
    let folder = site.path().join("no/such/folder");
    let nowhere = folder.join("alarm");
    // Where nobody can ever be told, the server does not start.
    let unwritable = with_alarm(&site, Some(Alarm::File(nowhere.clone()))).await.err().context("started")?;
    ensure!(unwritable.to_string().contains("audit.break_glass_file"), "{unwritable}");
    for alarm in
        [Alarm::File(nowhere), Alarm::Command("/bin/false".into()), Alarm::Command("/no/command".into())]
    {
        fs::create_dir_all(&folder)?;
        let server = with_alarm(&site, Some(alarm.clone())).await?;
        fs::remove_dir_all(&folder)?;
        let (mut client, mut clinic) = (server.client().await?, Clinic::new()?);
        let job = client.adjudicate(clinic.file(0, &[1])?, keyed("a"), true).await?;
        let before = client.audit_head().await?.break_glass;
        ensure!(refusal(client.break_glass(&job.id, WHY).await)? == "BREAK_GLASS_UNHEARD", "{alarm:?}");
        ensure!(client.audit_head().await?.break_glass == before + 1, "the attempt is on record");
        let all = entries(&mut client).await?;
        let refused = of(&all, "refused");
        ensure!(fact(refused.last().context("no refusal")?, "reason")? == "BREAK_GLASS_UNHEARD");
        server.stop().await?;
    }
    Ok(())
}

async fn a_command_is_told_one_line_of_json_on_its_input(site: Site) -> Result<()> {
    let (script, told) = (site.path().join("alarm"), site.path().join("told"));
    let text = format!("#!/bin/sh\ncat > '{}'\n", told.display());
    // Written by another process: a file that this one has open for writing may not be run.
    let write = format!("cat > '{0}' <<'END'\n{text}END\nchmod 700 '{0}'", script.display());
    ensure!(std::process::Command::new("sh").args(["-c", &write]).status()?.success());
    let server = with_alarm(&site, Some(Alarm::Command(script))).await?;
    let (mut client, mut clinic) = (server.client().await?, Clinic::new()?);
    let job = client.adjudicate(clinic.file(0, &[1])?, keyed("a"), true).await?;
    let before = Instant::now().0;
    ensure!(client.break_glass(&job.id, WHY).await?.outcome.is_some());
    let text = fs::read_to_string(&told)?;
    ensure!(
        text.lines().count() == 1 && text.ends_with('\n') && !MARKERS.iter().any(|word| text.contains(word))
    );
    let mut told: Value = serde_json::from_str(&text)?;
    let at = told["at"].take();
    // By a clock that may follow the database's meanwhile.
    ensure!(at.as_i64().is_some_and(|at| at.abs_diff(before) < 60_000), "{at}");
    let rest = serde_json::json!({
        "event": "break_glass", "at": null, "tenant": "north", "job": job.id, "state": "done",
        "subject": "anonymous", "roles": [], "reason": WHY,
    });
    ensure!(told == rest, "{told}");
    server.stop().await
}

async fn of_a_tenant_that_was_erased_no_broken_glass_and_no_refusal_is_on_record(site: Site) -> Result<()> {
    let server = with_alarm(&site, Some(Alarm::File(site.path().join("alarm")))).await?;
    let (mut client, mut clinic) = (server.client().await?, Clinic::new()?);
    let job = client.adjudicate(clinic.file(0, &[1])?, keyed("a"), true).await?;
    let store = Store::attach(&Config::read(&site.file()?)?).await?;
    let north = Tenant::new("north").context("a tenant")?;
    store.erase_tenant(&north, "the contract has ended", Instant::now()).await?;
    let last = client.audit_head().await?.sequence;
    for (id, reason) in [(job.id.as_str(), WHY), ("0", WHY), (job.id.as_str(), "because")] {
        ensure!(refusal(client.break_glass(id, reason).await)? == "TENANT_ERASED", "{id} {reason}");
    }
    ensure!(client.audit_head().await?.sequence == last, "a refusal is on record");
    ensure!(fs::read(site.path().join("alarm"))?.is_empty());
    store.close().await;
    server.stop().await
}

/// A client with a token.
async fn known(
    server: &Running,
    issuer: &Issuer,
    folder: &Path,
    tenant: &str,
    named: &str,
    role: &str,
) -> Result<Client> {
    let path = folder.join(format!("{}-{role}.token", tenant.replace('*', "all")));
    fs::write(&path, issuer.token(tenant, &[role])?)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
    let credentials = Credentials { token_file: Some(path), ..Credentials::default() };
    Ok(Client::connect_as(&server.address.to_string(), named, &credentials).await?)
}

#[tokio::test(flavor = "multi_thread")]
async fn who_reads_the_log_and_who_is_refused_is_on_record_by_name_and_role() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let issuer = Issuer::new("https://issuer.example.org")?;
    let identity = Identity { oidc: Some(issuer.by_file(folder.path())?), ..Identity::default() };
    let alarm = folder.path().join("alarm");
    let audit = Audit { break_glass: Some(Alarm::File(alarm.clone())), ..Audit::default() };
    let server =
        Running::start(Config { identity, audit, ..config(folder.path()) }, StandIn::default()).await?;
    let client = async |tenant: &str, named: &str, role: &str| {
        known(&server, &issuer, folder.path(), tenant, named, role).await
    };
    let mut custodian = client("north", "", "custodian").await?;
    let job = custodian.adjudicate(Clinic::new()?.file(0, &[1])?, keyed("a"), true).await?;
    let mut insurer = client("north", "", "insurer").await?;
    ensure!(insurer.job(&job.id).await?.outcome.is_some());
    // Neither those who see results nor the auditor of another tenant read the log or break the glass.
    for role in ["custodian", "insurer", "researcher"] {
        let mut other = client("north", "", role).await?;
        for refused in [
            other.audit_head().await.err(),
            other.audit_export(1, false).await.err(),
            other
                .disclosures(v1::DisclosuresRequest { member: "x".into(), ..Default::default() })
                .await
                .err(),
            other.break_glass(&job.id, WHY).await.err(),
        ] {
            let text = refused.map(|error| error.to_string()).unwrap_or_default();
            ensure!(text.contains("ROLE_MISSING"), "{role}: {text:?}");
        }
    }
    let mut stranger = client("south", "north", "auditor").await?;
    let text = stranger.audit_head().await.err().map(|error| error.to_string()).unwrap_or_default();
    ensure!(text.contains("TENANT_FORBIDDEN"), "{text:?}");
    ensure!(stranger.job(&job.id).await.is_err());
    ensure!(fs::read(&alarm)?.is_empty());
    // Nor does another tenant's auditor, operator or regulator break the glass, whatever name it says.
    for role in ["auditor", "operator", "regulator"] {
        let answer = client("south", "north", role).await?.break_glass(&job.id, WHY).await;
        ensure!(refusal(answer)? == "TENANT_FORBIDDEN", "{role}");
        let answer = client("south", "", role).await?.break_glass(&job.id, WHY).await;
        ensure!(refusal(answer)? == "JOB_UNKNOWN", "{role}");
    }
    ensure!(fs::read(&alarm)?.is_empty());
    // An auditor sees states, and in an emergency the result; so does an operator of all tenants who names this one.
    let mut auditor = client("north", "", "auditor").await?;
    ensure!(auditor.job(&job.id).await?.outcome.is_none());
    ensure!(auditor.break_glass(&job.id, WHY).await?.outcome.is_some());
    ensure!(client("*", "north", "operator").await?.break_glass(&job.id, WHY).await?.outcome.is_some());
    ensure!(
        refusal(client("*", "south", "operator").await?.break_glass(&job.id, WHY).await)? == "JOB_UNKNOWN"
    );
    let all = entries(&mut auditor).await?;
    let whose = |event: &str| -> Vec<(String, String)> {
        of(&all, event).iter().map(|entry| (entry.subject.clone(), entry.roles.join(","))).collect()
    };
    let somebody = |role: &str| ("somebody".to_owned(), role.to_owned());
    ensure!(whose("released") == [somebody("custodian"), somebody("insurer")], "{:?}", whose("released"));
    ensure!(whose("break_glass") == [somebody("auditor"), somebody("operator")]);
    let refused = of(&all, "refused");
    ensure!(
        refused.len() == 12 && refused.iter().all(|entry| entry.facts["reason"] == "ROLE_MISSING"),
        "{refused:?}"
    );
    ensure!(refused.iter().any(|entry| entry.method == "AuditService.BreakGlass"));
    ensure!(fs::read_to_string(&alarm)?.contains("auditor"));
    // What a caller of another tenant tried is that tenant's to know.
    let mut own = client("south", "", "auditor").await?;
    let theirs = entries(&mut own).await?;
    let reasons: Vec<&str> =
        of(&theirs, "refused").iter().map(|entry| fact(entry, "reason")).collect::<Result<_>>()?;
    let of_role = |role: &str| of(&theirs, "refused").iter().filter(|entry| entry.roles == [role]).count();
    let forbidden = reasons.iter().filter(|reason| **reason == "TENANT_FORBIDDEN").count();
    // The log and the glass; and what is not there, of which the two operators' refusals are one and its repetition.
    ensure!(forbidden == 4 && reasons.len() == 7, "{reasons:?}");
    ensure!(of_role("auditor") == 3 && of_role("operator") == 2 && of_role("regulator") == 2);
    server.stop().await
}
