//! What is shown to operators and what wakes them: every query of the dashboard and of the alerts is about metrics that exist, with
//! labels that they have; probes say what is so.

use crate::{
    clinic::Clinic,
    running::{Running, config, database_of, in_state, keyed},
    stand_in::StandIn,
    surroundings::get,
};
use anyhow::{Context, Result};
use nightingale::{
    Config,
    telemetry::metrics::{Described, Kind, described},
};
use nightingale_proto::v1::JobState;
use serde_json::Value;
use std::{collections::BTreeMap, fs, net::SocketAddr, path::PathBuf, time::Duration};

/// Labels that Prometheus itself adds.
const ADDED: [&str; 2] = ["instance", "job"];
/// Words of PromQL that stand where a metric could.
const WORDS: [&str; 14] = [
    "and",
    "or",
    "unless",
    "by",
    "without",
    "on",
    "ignoring",
    "bool",
    "offset",
    "group_left",
    "sum",
    "min",
    "max",
    "avg",
];

fn docs(name: &str) -> Result<String> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(name);
    fs::read_to_string(&path).with_context(|| path.display().to_string())
}

/// Names of series with their labels.
fn series() -> Result<BTreeMap<String, Vec<String>>> {
    let mut all = BTreeMap::new();
    for Described { name, kind, labels, .. } in described()? {
        match kind {
            Kind::Counter | Kind::Gauge => {
                all.insert(name, labels);
            }
            Kind::Histogram => {
                for end in ["_sum", "_count"] {
                    all.insert(format!("{name}{end}"), labels.clone());
                }
                let bucket = labels.into_iter().chain(["le".to_owned()]).collect();
                all.insert(format!("{name}_bucket"), bucket);
            }
        }
    }
    Ok(all)
}

/// The metrics of a query, each with the labels that it is asked for, and the labels that the query groups by.
fn read(query: &str) -> (Vec<(String, Vec<String>)>, Vec<String>) {
    let (mut metrics, mut grouped) = (Vec::new(), Vec::new());
    let mut rest = query;
    let mut last = String::new();
    while let Some(first) = rest.chars().next() {
        if first.is_ascii_alphabetic() || first == '_' {
            let end =
                rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != ':').unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            let called = after.trim_start().starts_with('(');
            if !called && !WORDS.contains(&word) {
                metrics.push((word.to_owned(), Vec::new()));
            }
            (last, rest) = (word.to_owned(), after);
        } else if first.is_ascii_digit() {
            // A number, with its exponent.
            rest = rest.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '.');
        } else if first == '{' {
            let (inside, after) = rest[1..].split_once('}').unwrap_or((rest, ""));
            let labels = inside.split(',').filter_map(|part| part.split(['=', '!', '~']).next());
            let labels = labels.map(|label| label.trim().to_owned()).filter(|label| !label.is_empty());
            if let Some((_, asked)) = metrics.last_mut() {
                asked.extend(labels);
            }
            rest = after;
        } else if first == '(' && ["by", "without", "on", "ignoring"].contains(&last.as_str()) {
            let (inside, after) = rest[1..].split_once(')').unwrap_or((rest, ""));
            grouped.extend(inside.split(',').map(|label| label.trim().to_owned()));
            rest = after;
        } else if first == '[' {
            rest = rest.split_once(']').map_or("", |(_, after)| after);
        } else {
            rest = &rest[first.len_utf8()..];
        }
        if first != ' ' && !first.is_ascii_alphabetic() {
            last.clear();
        }
    }
    (metrics, grouped)
}

/// What is wrong with a query; nothing, where it is none.
fn problems(query: &str, series: &BTreeMap<String, Vec<String>>) -> Vec<String> {
    let mut problems = Vec::new();
    let (metrics, grouped) = read(query);
    if metrics.is_empty() {
        problems.push("asks for no metric".to_owned());
    }
    let mut known: Vec<&str> = ADDED.to_vec();
    for (metric, asked) in &metrics {
        let Some(labels) = series.get(metric) else {
            problems.push(format!("there is no metric {metric}"));
            continue;
        };
        known.extend(labels.iter().map(String::as_str));
        for label in asked {
            if !labels.contains(label) && !ADDED.contains(&label.as_str()) {
                problems.push(format!("{metric} has no label {label}"));
            }
        }
    }
    problems.extend(
        grouped
            .iter()
            .filter(|l| !known.contains(&l.as_str()))
            .map(|l| format!("no metric has the label {l}")),
    );
    problems
}

/// Every `expr` of a dashboard.
fn queries(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            if let Some(Value::String(query)) = fields.get("expr") {
                found.push(query.clone());
            }
            fields.values().for_each(|value| queries(value, found));
        }
        Value::Array(values) => values.iter().for_each(|value| queries(value, found)),
        _ => {}
    }
}

#[test]
fn every_query_of_the_dashboard_is_about_metrics_that_exist() -> Result<()> {
    let dashboard: Value = serde_json::from_str(&docs("grafana/nightingale.json")?)?;
    let (mut found, series) = (Vec::new(), series()?);
    queries(&dashboard, &mut found);
    assert!(found.len() > 30, "{} queries", found.len());
    for query in &found {
        assert_eq!(problems(query, &series), [""; 0], "{query}");
    }
    // Every metric is shown somewhere, but for those whose use is elsewhere.
    let all = found.join(" ");
    for Described { name, .. } in described()? {
        let elsewhere =
            ["process_virtual_memory_bytes", "process_start_time_seconds"].contains(&name.as_str());
        assert!(all.contains(&name) || elsewhere, "{name} is on no panel");
    }
    Ok(())
}

#[test]
fn every_alert_is_about_metrics_that_exist() -> Result<()> {
    let (text, series) = (docs("grafana/alerts.yaml")?, series()?);
    let found: Vec<&str> = text.lines().filter_map(|line| line.trim().strip_prefix("expr: ")).collect();
    let alerts = text.lines().filter(|line| line.trim().starts_with("- alert: ")).count();
    assert!(alerts > 10 && found.len() == alerts, "{alerts} alerts, {} queries", found.len());
    for query in found {
        assert_eq!(problems(query, &series), [""; 0], "{query}");
    }
    Ok(())
}

#[test]
fn a_query_about_what_does_not_exist_is_found() -> Result<()> {
    let series = series()?;
    for (query, problem) in [
        ("rate(nightingale_jobs_total[5m])", "there is no metric nightingale_jobs_total"),
        ("nightingale_jobs{stat=\"queued\"}", "nightingale_jobs has no label stat"),
        ("sum by (tenant) (nightingale_jobs)", "no metric has the label tenant"),
        ("nightingale_prove_seconds", "there is no metric nightingale_prove_seconds"),
        ("1 > 0", "asks for no metric"),
    ] {
        assert_eq!(problems(query, &series), [problem], "{query}");
    }
    let fine = "histogram_quantile(0.99, sum by (le) (rate(nightingale_prove_seconds_bucket{size_class=\"claim-2\"}[5m]))) > 1e3";
    assert_eq!(problems(fine, &series), [""; 0]);
    Ok(())
}

#[test]
fn every_metric_stands_in_the_documentation() -> Result<()> {
    let page = docs("operations.md")?;
    for Described { name, help, .. } in described()? {
        assert!(page.contains(&format!("`{name}")), "docs/operations.md does not name {name}: {help}");
        assert!(!help.is_empty(), "{name} says nothing");
    }
    Ok(())
}

fn probed(folder: &std::path::Path) -> Config {
    Config { metrics: Some(SocketAddr::from(([127, 0, 0, 1], 0))), ..config(folder) }
}

/// Asks until the answer is this, and gives it.
async fn until(address: SocketAddr, path: &str, head: &str) -> Result<String> {
    let mut answer = String::new();
    for _ in 0..200 {
        answer = get(address, path).await?;
        if answer.starts_with(head) {
            return Ok(answer);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    anyhow::bail!("{path} does not become {head}: {answer}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_ready_while_it_can_work_and_says_what_is_missing() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut clinic = Clinic::new()?;
    let server = Running::start(probed(folder.path()), StandIn::held()).await?;
    let address = server.metrics.context("no endpoint")?;
    let ready = until(address, "/readyz", "HTTP/1.1 200 ").await?;
    assert!(ready.ends_with("accepting ok\ndatabase ok\ndevice ok\nkeys ok\n"), "{ready}");
    let mut client = server.client().await?;
    let job = client.adjudicate(clinic.file(0, &[1])?, keyed("a"), false).await?;
    in_state(&mut client, &job.id, JobState::Running).await?;
    let text = get(address, "/metrics").await?;
    let on_postgres = database_of(folder.path()).is_some();
    for line in [
        "nightingale_ready{check=\"database\"} 1",
        "nightingale_grpc_requests_total{code=\"OK\",method=\"nightingale.v1.ClaimService/Adjudicate\"} 1",
        "nightingale_oldest_job_seconds{state=\"queued\"} ",
        "nightingale_store_errors_total{kind=\"io\"} 0",
        if on_postgres { "store=\"postgres\"" } else { "store=\"sqlite\"" },
    ] {
        assert!(text.contains(line), "{line} is not in {text}");
    }
    let value = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().parse::<f64>().ok()
    };
    assert!(value("process_resident_memory_bytes ").context("no memory")? > 1e6);
    assert!(value("nightingale_store_seconds_count{operation=\"commit\"} ").context("no commits")? > 0.0);
    let bytes = value("nightingale_store_bytes ").context("no size")?;
    assert!(if on_postgres { bytes == 0.0 } else { bytes > 4096.0 }, "{bytes}");

    // While it drains it is alive and not ready: traffic goes elsewhere, and nobody restarts it.
    let prover = server.prover.clone();
    let stopping = tokio::spawn(server.stop());
    let draining = until(address, "/readyz", "HTTP/1.1 503 ").await?;
    assert!(draining.contains("accepting no\n") && draining.contains("database ok\n"), "{draining}");
    assert!(get(address, "/healthz").await?.starts_with("HTTP/1.1 200 "));
    prover.let_go();
    stopping.await?
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_device_that_works_a_server_is_alive_but_not_ready() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let retired = StandIn { retired: true, ..StandIn::default() };
    let server = Running::start(probed(folder.path()), retired).await?;
    let address = server.metrics.context("no endpoint")?;
    let answer = until(address, "/readyz", "HTTP/1.1 503 ").await?;
    let answer = if answer.contains("database ok") { answer } else { again(address).await? };
    assert!(answer.ends_with("accepting ok\ndatabase ok\ndevice no\nkeys ok\n"), "{answer}");
    assert!(get(address, "/healthz").await?.starts_with("HTTP/1.1 200 "));
    server.stop().await
}

/// After the first look.
async fn again(address: SocketAddr) -> Result<String> {
    tokio::time::sleep(Duration::from_secs(2)).await;
    get(address, "/readyz").await
}

/// Whoever reaches the port and says nothing has nobody restarted.
#[tokio::test(flavor = "multi_thread")]
async fn a_probe_is_answered_however_many_say_nothing() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let metrics = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
    let server = Running::start(Config { metrics, ..config(folder.path()) }, StandIn::default()).await?;
    let address = server.metrics.context("no metrics")?;
    let mut silent = Vec::new();
    for _ in 0..100 {
        silent.push(tokio::net::TcpStream::connect(address).await?);
        let answer = tokio::time::timeout(Duration::from_secs(1), get(address, "/healthz")).await;
        anyhow::ensure!(answer.context("no answer within a second")??.contains("alive"));
    }
    drop(silent);
    server.stop().await
}
