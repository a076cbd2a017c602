//! Canaries: every value of a record is planted, the server is run through all that can happen to it, and then everything that it wrote is
//! searched for them, whichever way they may be written. [`search`] shows that the search finds what is there.
//!
//! What leaves on purpose is not searched: results and proofs in the answers to their own tenant, claim files that `ingest --out` writes for the
//! custodian. Names of tenants, the payer and the queries' text are no record data (docs/secrets.md).

#[path = "canary/cage.rs"]
mod cage;
#[path = "canary/office.rs"]
mod office;
#[path = "canary/payment.rs"]
mod payment;
#[path = "canary/records.rs"]
mod records;
#[path = "canary/search.rs"]
mod search;

use crate::{
    cohort_command::place,
    collector::Collector,
    postgres::Cluster,
    running::{SOON, ended, keyed},
    stand_in::StandIn,
};
use anyhow::{Context, Result, ensure};
use cage::{CONFIG, Cage};
use nightingale::{
    Config, Server,
    adjudicator::{Adjudicator, Progress, ProveFailure},
    client::{Client, ClientError, Options},
    process, telemetry,
};
use nightingale_circuits::claim::Request;
use nightingale_proto::v1::{self, JobState, Role, job::Outcome};
use nightingale_verifier::{ClaimProof, VerifyingKey};
use records::{Aviary, KEY, MEMBER, NAME, NOTE, interchange, leaves, spoiled};
pub(crate) use search::files;
use search::{Leak, Planted, Searcher};
use std::{
    fs,
    io::Write,
    net::Ipv4Addr,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

/// How long a proof may take on a busy machine, its setup and key included.
const LONG: Duration = Duration::from_secs(900);
const SQL: &str = "SELECT ARM, AVG(AGE) FROM t WHERE AGE IS NOT NULL GROUP BY ARM";

/// Submits, in every way that can go well or wrong. Returns a job that is still open.
async fn adjudicate(
    cage: &mut Cage,
    address: &str,
    aviary: &mut Aviary,
    planted: &mut Vec<Planted>,
) -> Result<String> {
    let mut client = Client::connect(address, "north").await?;
    let good = aviary.file(0, 11)?;
    planted.extend(leaves(&good)?);
    let job = client.adjudicate(good.clone(), keyed(&format!("{KEY}-1")), true).await?;
    ensure!(
        matches!(job.outcome, Some(Outcome::Result(_))),
        "the good claim was not decided: {:?}",
        job.state()
    );
    let again = client.adjudicate(good.clone(), keyed(&format!("{KEY}-2")), true).await?;
    ensure!(
        matches!(&again.outcome, Some(Outcome::Failure(failure)) if failure.code == "DUPLICATE"),
        "not a duplicate"
    );
    cage.note("a duplicate", format!("{:?}", again.outcome));
    for (number, (what, bytes)) in spoiled(&good)?.into_iter().enumerate() {
        let answer = client.adjudicate(bytes, keyed(&format!("{KEY}-spoiled-{number}")), false).await;
        cage.refused(what, answer)?;
    }
    for (number, place) in (0..good.len()).step_by(good.len() / 40).enumerate() {
        // A quote or a brace lost or gained anywhere: mostly refused, whatever it does.
        let mut bytes = good.clone();
        bytes[place] = b"\"{}[]:,\\9z"[number % 10];
        let answer = client.adjudicate(bytes, keyed(&format!("{KEY}-changed-{number}")), false).await;
        match answer {
            Ok(job) => drop(client.cancel(&job.id).await),
            Err(error) => cage.note("a changed byte", format!("{error} {error:?}")),
        }
    }
    let silent = aviary.file(7, 12)?;
    planted.extend(leaves(&silent)?);
    cage.refused(
        "a member without a consent",
        client.adjudicate(silent, keyed(&format!("{KEY}-3")), true).await,
    )?;
    cage.refused("a job that is none", client.job(NAME).await)?;
    cage.refused("a key with spaces", client.adjudicate(good.clone(), keyed(NAME), false).await)?;
    let late = Options { deadline: Some(Duration::ZERO), ..keyed(&format!("{KEY}-4")) };
    cage.refused("a deadline that has passed", client.adjudicate(aviary.file(1, 13)?, late, false).await)?;
    let mut nobody = Client::connect(address, NAME).await?;
    cage.refused("a tenant that is none", nobody.adjudicate(good, keyed(&format!("{KEY}-5")), false).await)?;
    // One is cancelled, one stays open.
    let (first, second) = (aviary.file(2, 14)?, aviary.file(3, 15)?);
    planted.extend(leaves(&first)?);
    planted.extend(leaves(&second)?);
    let low = |key: &str| Options { priority: -100, ..keyed(&format!("{KEY}-{key}")) };
    let cancelled = client.adjudicate(first, low("6"), false).await?;
    client.cancel(&cancelled.id).await.map(drop).or_else(|error| match error {
        ClientError::Refused { ref reason, .. } if reason == "JOB_ENDED" => Ok(()),
        other => Err(other),
    })?;
    Ok(client.adjudicate(second, low("7"), false).await?.id)
}

/// Registers the trial, asks it, and removes its clear half.
async fn ask(cage: &mut Cage, address: &str, planted: &mut Vec<Planted>) -> Result<()> {
    let folder = cage.folder.path().join("data/datasets/north/trial");
    place(&folder)?;
    let table = fs::read(folder.join("private/t.table"))?;
    for place in (64..table.len() - 32).step_by(table.len() / 50) {
        let part = &table[place..place + 24];
        let distinct: std::collections::BTreeSet<u8> = part.iter().copied().collect();
        if distinct.len() >= 7 {
            planted.push(Planted::bytes("a part of the trial's private table", part));
        }
    }
    let mut client = Client::connect(address, "north").await?;
    let dataset = client.register_dataset("trial").await?.dataset;
    let question = |key: &str, sql: &str, role: Role| v1::QueryRequest {
        idempotency_key: format!("{KEY}-{key}"),
        dataset: dataset.clone(),
        sql: sql.to_owned(),
        role: role.into(),
        ..v1::QueryRequest::default()
    };
    let job = client.query(question("8", SQL, Role::Researcher)).await?;
    tokio::time::timeout(LONG, client.watch(&job.id, LONG, |_| {})).await.context("no answer")??;
    ensure!(
        matches!(client.job(&job.id).await?.outcome, Some(Outcome::Answer(_))),
        "the question was not answered"
    );
    cage.refused(
        "an unplanned question",
        client.query(question("9", "SELECT COUNT(*) FROM t WHERE AGE > 60", Role::Researcher)).await,
    )?;
    cage.refused(
        "a regulator without a key",
        client.query(question("10", "SELECT COUNT(*) FROM t", Role::Regulator)).await,
    )?;
    let (config, folder) = (cage.config().display().to_string(), folder.display().to_string());
    let import = [
        "dataset",
        "import",
        "--config",
        &config,
        "--tenant",
        "north",
        "--dataset",
        &folder,
        "--remove-clear",
    ];
    ensure!(cage.command(&import)? == Some(0), "not imported");
    Ok(())
}

/// The commands of the custodian, on good files and on spoiled ones. What they print is searched, what they write for the custodian is not.
fn by_hand(cage: &mut Cage) -> Result<()> {
    let inputs = tempfile::tempdir()?;
    for (format, name, text) in interchange() {
        let path = inputs.path().join(name);
        fs::write(&path, text)?;
        let out = inputs.path().join(format!("{name}-claims")).display().to_string();
        let code =
            cage.command(&["ingest", "--format", format, &path.display().to_string(), "--out", &out])?;
        ensure!(!name.starts_with("good") || code == Some(0), "{name} ended with {code:?}");
    }
    for (name, text) in [
        ("words.json", format!("{NAME} {NOTE}")),
        ("element.json", format!("{{\"{MEMBER}\": 1}}")),
        ("payer.json", format!("{{\"payer\": {{\"{NAME}\": 1}}}}")),
    ] {
        let path = inputs.path().join(format!("registers-{name}"));
        fs::write(&path, text)?;
        let path = path.display().to_string();
        let out = inputs.path().join("request.json").display().to_string();
        let code =
            cage.command(&["claim", "request", "--claim", &path, "--registers", &path, "--out", &out])?;
        ensure!(code == Some(2), "{name} ended with {code:?}");
        ensure!(cage.command(&["claim", "explain", &path])? == Some(2), "{name} was explained");
    }
    let trial = |name: &str| inputs.path().join(name).display().to_string();
    ensure!(
        cage.command(&["synth", "trial", "--rows", "40", "--seed", "5", "--out", &trial("t.csv")])?
            == Some(0),
        "no trial"
    );
    let csv = fs::read_to_string(trial("t.csv"))?;
    for (number, (from, to)) in
        [("Placebo", NAME), (",M,", ",QUILLFEATHER,"), (",F,", ",1947-03-19,")].into_iter().enumerate()
    {
        let folder = inputs.path().join(format!("spoiled-{number}"));
        fs::create_dir(&folder)?;
        fs::write(folder.join("t.csv"), csv.replacen(from, to, 1))?;
        let (data, out) =
            (folder.join("t.csv").display().to_string(), folder.join("ds").display().to_string());
        let commit =
            ["dataset", "commit", &data, &trial("t_events.csv"), "--schema", &trial("t.toml"), "--out", &out];
        let code = cage.command(&commit)?;
        ensure!(code == Some(1), "spoiled trial {number} ended with {code:?}");
    }
    Ok(())
}

fn found(leaks: &[Leak]) -> String {
    leaks.iter().take(40).map(|leak| format!("{leak:?}\n")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_is_planted_in_records_is_found_in_what_the_service_writes() -> Result<()> {
    let collector = Collector::start().await?;
    let mut cage = Cage::new(&watched(&collector))?;
    everything(&mut cage, &collector, None).await
}

#[tokio::test(flavor = "multi_thread")]
async fn nor_is_it_found_in_the_files_of_postgresql() -> Result<()> {
    let data = tempfile::tempdir()?;
    let cluster = Cluster::in_folder(data.path().to_owned(), None, Ipv4Addr::LOCALHOST.into()).await?;
    let Some(cluster) = cluster else { return Ok(()) };
    let url = cluster.database().await?;
    // Its own catalogues, before anybody has written a record.
    let fresh = tempfile::tempdir()?;
    for (number, file) in files(data.path())?.into_iter().enumerate() {
        fs::copy(file, fresh.path().join(number.to_string()))?;
    }
    let collector = Collector::start().await?;
    let mut cage = Cage::new(&format!("[store]\nurl = '{url}'\n{}", watched(&collector)))?;
    everything(&mut cage, &collector, Some((data.path(), fresh.path()))).await
}

/// Traces go to a collector, and who breaks glass is told of in a file.
fn watched(collector: &Collector) -> String {
    format!(
        "[telemetry]\notlp = '{}'\n[audit]\nbreak_glass = true\nbreak_glass_file = 'run/alarm.jsonl'\n",
        collector.url()
    )
}

/// Runs a server through everything, and searches its folder, what it told others, and the folder of its database, beside which stands a copy of
/// it from before.
async fn everything(cage: &mut Cage, collector: &Collector, database: Option<(&Path, &Path)>) -> Result<()> {
    let mut aviary = Aviary::new()?;
    let mut planted = aviary.words();
    by_hand(cage)?;
    let bird = cage.serve()?;
    let open = adjudicate(cage, &bird.address, &mut aviary, &mut planted).await?;
    ask(cage, &bird.address, &mut planted).await?;
    cage.scrape()?;
    cage.crash(bird, "-KILL")?;

    let config = cage.config().display().to_string();
    ensure!(cage.command(&["store", "rotate-master", "--config", &config])? == Some(0), "not rotated");
    ensure!(
        cage.command(&["store", "rotate-tenant", "north", "--config", &config])? == Some(0),
        "not rotated"
    );
    for signal in ["-SEGV", "-ABRT"] {
        let bird = cage.serve()?;
        let mut client = Client::connect(&bird.address, "north").await?;
        let (day, key) = if signal == "-SEGV" { (16, "11") } else { (17, "12") };
        let file = aviary.file(4, day)?;
        planted.extend(leaves(&file)?);
        let job = client.adjudicate(file, keyed(&format!("{KEY}-{key}")), false).await?;
        let begun = std::time::Instant::now();
        while client.job(&job.id).await?.state() == JobState::Queued && begun.elapsed() < SOON {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        cage.crash(bird, signal)?;
    }
    let bird = cage.serve()?;
    let mut client = Client::connect(&bird.address, "north").await?;
    let job = tokio::time::timeout(LONG, client.watch(&open, LONG, |_| {}))
        .await
        .context("the open job does not end")??;
    ensure!(job.state() == JobState::Done, "the job of before the crashes: {:?}", job.state());
    cage.scrape()?;
    drop(client);
    cage.crash(bird, "-TERM")?;
    let bird = cage.front()?;
    office::run(cage, &bird.address, &open, &mut aviary, &mut planted).await?;
    if database.is_none() {
        let copy = cage.folder.path().join("copy.sqlite").display().to_string();
        ensure!(
            cage.command(&["store", "backup", "--config", &config, "--out", &copy])? == Some(0),
            "no copy"
        );
    }
    cage.scrape()?;
    cage.crash(bird, "-TERM")?;
    // How many messages they come in depends on how long it all took.
    let traces = collector.bodies().concat();
    ensure!(traces.len() > 1 << 12, "only {} bytes came to the collector", traces.len());
    cage.note("traces", traces);

    let searcher = Searcher::new(planted);
    ensure!(searcher.planted().len() > 200, "only {} values were planted", searcher.planted().len());
    let of_database = database.map(|(_, fresh)| searcher.without_what_is_in(fresh)).transpose()?;
    if let Some((_, left_out, of)) = &of_database {
        ensure!(left_out * 20 < *of, "{left_out} of {of} forms are not looked for in the database");
    }
    let of_database =
        database.zip(of_database.as_ref()).map(|((folder, _), (searcher, ..))| (folder, searcher));
    let (leaks, read) = cage.search(&searcher, of_database)?;
    ensure!(leaks.is_empty(), "{} leaks:\n{}", leaks.len(), found(&leaks));
    ensure!(read > 1 << 20, "only {read} bytes were searched");
    let cores = files(cage.folder.path())?;
    let core = cores
        .iter()
        .find(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("core")));
    ensure!(core.is_none(), "a core dump was left: {core:?}");
    // It can fail: one request that was not sealed, in the very folder, is found.
    let unsealed = cage.folder.path().join("data/unsealed");
    fs::write(&unsealed, aviary.file(0, 11)?)?;
    let (leaks, _) = cage.search(&searcher, of_database)?;
    ensure!(
        leaks.len() > 20 && leaks.iter().all(|leak| leak.place.contains("unsealed")),
        "{}",
        found(&leaks)
    );
    Ok(())
}

/// A prover that panics over its first claims with the record in its words.
struct Blurting {
    left: AtomicU32,
    inner: StandIn,
}

impl Adjudicator for Blurting {
    fn keys(&self) -> Vec<VerifyingKey> {
        Vec::new()
    }

    #[expect(clippy::panic, reason = "a careless panic is what is being told")]
    fn prove(&self, request: &Request, progress: Progress<'_>) -> Result<ClaimProof, ProveFailure> {
        let left = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        if left.is_ok() {
            panic!("cannot prove {}", *nightingale_records::request::to_json(request));
        }
        self.inner.prove(request, progress)
    }
}

#[test]
#[ignore = "not a story: the story below starts it as a process"]
fn blurting_process() -> Result<()> {
    let config = Config::read(Path::new(&std::env::var(CONFIG).context("started by hand")?))?;
    process::harden()?;
    telemetry::start();
    tokio::runtime::Runtime::new()?.block_on(async {
        let prover = Blurting { left: AtomicU32::new(3), inner: StandIn::slow(50) };
        let server = Server::bind(config, Arc::new(prover)).await?;
        let mut stop = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        writeln!(std::io::stdout(), "listening {}", server.address())?;
        server.serve(async move { stop.recv().await.unwrap_or(()) }).await?;
        Ok(())
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_over_a_record_tells_its_place_and_nothing_else() -> Result<()> {
    let cage = Cage::new("")?;
    let mut aviary = Aviary::new()?;
    let mut planted = aviary.words();
    let this = std::env::current_exe()?.display().to_string();
    let bird = cage.start(&this, &["--exact", "canary::blurting_process", "--ignored", "--nocapture"])?;
    let mut client = Client::connect(&bird.address, "north").await?;
    let file = aviary.file(0, 11)?;
    planted.extend(leaves(&file)?);
    let job = client.adjudicate(file, keyed(&format!("{KEY}-1")), false).await?;
    let job = ended(&mut client, &job.id).await?;
    ensure!(job.state() == JobState::Done && job.attempts == 4, "three panics, then done: {}", job.attempts);
    drop(client);
    cage.crash(bird, "-TERM")?;
    let (leaks, _) = cage.search(&Searcher::new(planted), None)?;
    ensure!(leaks.is_empty(), "{}", found(&leaks));
    let logs = files(cage.folder.path())?;
    let panics =
        logs.iter().filter_map(|path| fs::read_to_string(path).ok()).any(|text| text.contains("\"panic\""));
    ensure!(panics, "no panic was logged");
    Ok(())
}
