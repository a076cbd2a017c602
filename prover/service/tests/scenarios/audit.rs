//! The audit log: everything is on record when it happens, nothing leaves without its entry, and nothing on record changes.

use crate::{
    clinic::{Clinic, MARKERS, failure, result},
    running::{Running, SOON, ended, in_state, keyed},
    site::{Oracle, Site, on_both},
    stand_in::StandIn,
};
use anyhow::{Context, Result, ensure};
use nightingale::{Config, client::Client, client::ClientError};
use nightingale_proto::v1::{self, JobState, export_audit_response::Part};
use nightingale_verifier::audit::{Closing, Entry, Hash, Opening, Reader, entry_line, line};
use sha2::{Digest, Sha256};
use sqlx::{AssertSqlSafe, Executor};
use std::collections::BTreeSet;

/// A server at a site.
pub(crate) async fn serving(site: &Site, prover: StandIn) -> Result<Running> {
    Running::start(Config::read(&site.file()?)?, prover).await
}

fn hash(bytes: &[u8]) -> Result<Hash> {
    Ok(bytes.try_into()?)
}

/// The lines of an export, as the command writes them.
pub(crate) async fn exported(client: &mut Client, first: u64) -> Result<Vec<String>> {
    let mut parts = client.audit_export(first, false).await?;
    let mut lines = Vec::new();
    while let Some(part) = parts.message().await? {
        lines.push(match part.part.context("an empty part")? {
            Part::Opening(o) => line(&Opening::new(&o.tenant, &hash(&o.log)?, o.first, &hash(&o.previous)?)),
            Part::Entry(e) => {
                let of = hash(&e.hash)?;
                let facts = e.facts.into_iter().collect();
                let (sequence, at, event, subject, roles, method) =
                    (e.sequence, e.at, e.event, e.subject, e.roles, e.method);
                entry_line(&Entry { sequence, at, event, subject, roles, method, facts }, &of)
            }
            Part::Closing(c) => line(&Closing { last: c.last, head: hex::encode(c.head) }),
        });
    }
    Ok(lines)
}

/// The entries of an export that holds.
pub(crate) fn held(lines: &[String]) -> Result<Vec<Entry>> {
    let mut entries = Vec::new();
    let text = lines.join("\n") + "\n";
    Reader::new(&[]).read(text.as_bytes(), |entry, _| entries.push(entry.clone()))?;
    Ok(entries)
}

pub(crate) async fn entries(client: &mut Client) -> Result<Vec<Entry>> {
    held(&exported(client, 1).await?)
}

/// The entries of one event.
pub(crate) fn of<'a>(entries: &'a [Entry], event: &str) -> Vec<&'a Entry> {
    entries.iter().filter(|entry| entry.event == event).collect()
}

pub(crate) fn fact<'a>(entry: &'a Entry, name: &str) -> Result<&'a str> {
    entry.facts.get(name).map(String::as_str).with_context(|| format!("{} without {name}", entry.event))
}

fn reason(answer: Result<v1::Job, ClientError>) -> Result<String> {
    match answer {
        Err(ClientError::Refused { reason, .. } | ClientError::Unavailable { reason, .. }) => Ok(reason),
        Err(error) => Err(error.into()),
        Ok(job) => anyhow::bail!("{} was shown", job.id),
    }
}

/// Runs statements of the test's own in the database.
pub(crate) async fn execute(oracle: &Oracle, statements: &str) -> Result<()> {
    let statements = AssertSqlSafe(statements.to_owned());
    match oracle {
        Oracle::Sqlite(pool) => pool.execute(sqlx::raw_sql(statements)).await.map(|_| ())?,
        Oracle::Postgres(pool) => pool.execute(sqlx::raw_sql(statements)).await.map(|_| ())?,
    }
    Ok(())
}

on_both!(
    a_claims_whole_life_is_on_record_and_the_export_holds,
    a_result_that_cannot_be_put_on_record_is_not_shown,
    what_cannot_be_put_on_record_does_not_happen,
    what_is_on_record_is_not_changed_removed_or_put_in,
    two_hundred_reads_at_once_are_one_release_for_each_job,
);

async fn a_claims_whole_life_is_on_record_and_the_export_holds(site: Site) -> Result<()> {
    let server = serving(&site, StandIn::default()).await?;
    let (mut client, mut clinic) = (server.client().await?, Clinic::new()?);
    let nothing = client.audit_head().await.err().context("a head of nothing")?;
    ensure!(nothing.to_string().contains("AUDIT_EMPTY"), "{nothing}");
    let file = clinic.file(0, &[1])?;
    let approved = client.adjudicate(file.clone(), keyed("a"), true).await?;
    for _ in 0..3 {
        client.job(&approved.id).await?;
    }
    ended(&mut client, &approved.id).await?;
    let duplicate = client.adjudicate(file.clone(), keyed("b"), true).await?;
    ensure!(failure(&duplicate)?.code == "DUPLICATE");
    for _ in 0..3 {
        ensure!(reason(client.adjudicate(b"nonsense".to_vec(), keyed("c"), true).await)? == "INVALID");
    }
    ensure!(reason(client.job(&"0".repeat(32)).await)? == "JOB_UNKNOWN");
    client.publish(Some(nightingale::client::epoch_message(clinic.epoch())), None).await?;
    let lines = exported(&mut client, 1).await?;
    let entries = held(&lines)?;
    let events: Vec<&str> = entries.iter().map(|entry| entry.event.as_str()).collect();
    ensure!(
        events
            == [
                "accepted",
                "decided",
                "released",
                "accepted",
                "failed",
                "refused",
                "refused",
                "published",
                "exported"
            ],
        "{events:?}"
    );
    let (accepted, decided, released) = (&entries[0], &entries[1], &entries[2]);
    let proof = hex::encode(Sha256::digest(&result(&approved)?.proof_json));
    for entry in [accepted, decided, released] {
        ensure!(fact(entry, "job")? == approved.id);
    }
    ensure!((accepted.subject.as_str(), accepted.roles.len()) == ("anonymous", 0));
    ensure!(accepted.method == "ClaimService.Adjudicate" && released.method == "ClaimService.Adjudicate");
    ensure!((decided.subject.as_str(), decided.roles.join(",").as_str()) == ("service", "service"));
    ensure!(fact(decided, "proof")? == proof && fact(released, "proof")? == proof, "a digest of what left");
    for name in ["member", "payer", "purpose", "basis"] {
        ensure!(fact(released, name)? == fact(accepted, name)?, "{name}");
    }
    ensure!(fact(released, "purpose")? == "payment" && fact(released, "consent_root")?.len() == 64);
    // The same member, another job: the same digest; another tenant's is another.
    ensure!(fact(accepted, "member")? == fact(&entries[3], "member")?);
    let mut south = server.client_of("south").await?;
    south.adjudicate(file, keyed("a"), true).await?;
    let others = self::entries(&mut south).await?;
    ensure!(others.len() == 4 && fact(&others[0], "member")? != fact(accepted, "member")?);
    ensure!(fact(&entries[4], "reason")? == "DUPLICATE" && fact(&entries[5], "reason")? == "INVALID");
    ensure!(fact(&entries[6], "reason")? == "JOB_UNKNOWN" && fact(&entries[7], "epoch")? == "1");
    for line in &lines {
        ensure!(!MARKERS.iter().any(|marker| line.contains(marker)), "{line}");
    }
    // Repetitions are counted, and on record at the end at the latest.
    server.stop().await?;
    let server = serving(&site, StandIn::default()).await?;
    let mut client = server.client().await?;
    let entries = self::entries(&mut client).await?;
    let again = of(&entries, "released_again");
    let times = again.iter().map(|entry| Ok(fact(entry, "times")?.parse::<u32>()?)).sum::<Result<u32>>()?;
    ensure!(times == 4 && again.iter().all(|entry| entry.facts["job"] == approved.id), "{again:?}");
    let refused = of(&entries, "refused_again");
    ensure!(refused.len() == 1 && fact(refused[0], "times")? == "2");
    // A server that knows nothing of the release any more finds it in the database.
    client.job(&approved.id).await?;
    ensure!(of(&self::entries(&mut client).await?, "released").len() == 1);
    // A part of the log holds too, and the chain goes on over the restart.
    let part = held(&exported(&mut client, 5).await?)?;
    ensure!(part.first().context("empty")?.sequence == 5);
    server.stop().await
}

/// The test's own trigger refuses every entry of one event.
pub(crate) async fn refuse(oracle: &Oracle, event: &str) -> Result<()> {
    let (begin, end) = match oracle {
        Oracle::Sqlite(_) => (
            format!("CREATE TRIGGER refused_{event} BEFORE INSERT ON audit_entries WHEN NEW.event = '{event}' BEGIN SELECT RAISE(ABORT, 'told to'); END"),
            String::new(),
        ),
        Oracle::Postgres(_) => (
            "CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''told to''; END';".to_owned(),
            format!("CREATE TRIGGER refused_{event} BEFORE INSERT ON audit_entries FOR EACH ROW WHEN (NEW.event = '{event}') EXECUTE FUNCTION refuse()"),
        ),
    };
    execute(oracle, &(begin + &end)).await
}

pub(crate) async fn allow(oracle: &Oracle, event: &str) -> Result<()> {
    let drop = match oracle {
        Oracle::Sqlite(_) => format!("DROP TRIGGER refused_{event}"),
        Oracle::Postgres(_) => format!("DROP TRIGGER refused_{event} ON audit_entries"),
    };
    execute(oracle, &drop).await
}

async fn a_result_that_cannot_be_put_on_record_is_not_shown(site: Site) -> Result<()> {
    let oracle = site.oracle().await?;
    let server = serving(&site, StandIn::default()).await?;
    let (mut client, mut clinic) = (server.client().await?, Clinic::new()?);
    refuse(&oracle, "released").await?;
    let waited = client.adjudicate(clinic.file(0, &[1])?, keyed("a"), true).await;
    ensure!(reason(waited)? == "DATABASE");
    let job = client.jobs(&[], 1).await?.into_iter().next().context("no job")?;
    ensure!(job.state() == JobState::Done && job.outcome.is_none(), "a list shows no result");
    ensure!(reason(client.job(&job.id).await)? == "DATABASE");
    let watched =
        client.watch(&job.id, std::time::Duration::ZERO, |seen| assert!(seen.outcome.is_none())).await;
    ensure!(watched.is_err(), "a watch showed it");
    let known = client.adjudicate(clinic.file(0, &[1])?, keyed("a"), false).await;
    ensure!(known.is_err() || known.is_ok_and(|job| job.outcome.is_none()));
    ensure!(of(&entries(&mut client).await?, "released").is_empty());
    allow(&oracle, "released").await?;
    ensure!(result(&client.job(&job.id).await?)?.approved);
    ensure!(of(&entries(&mut client).await?, "released").len() == 1);
    server.stop().await
}

async fn what_cannot_be_put_on_record_does_not_happen(site: Site) -> Result<()> {
    let oracle = site.oracle().await?;
    let server = serving(&site, StandIn::slow(50)).await?;
    let (mut client, mut clinic) = (server.client().await?, Clinic::new()?);
    let file = clinic.file(0, &[1])?;
    refuse(&oracle, "accepted").await?;
    ensure!(reason(client.adjudicate(file.clone(), keyed("a"), false).await)? == "DATABASE");
    ensure!(client.jobs(&[], 10).await?.is_empty(), "accepted without an entry");
    allow(&oracle, "accepted").await?;
    // A decision without its entry is no decision: the job is proven again once the log takes it.
    refuse(&oracle, "decided").await?;
    let job = client.adjudicate(file.clone(), keyed("a"), false).await?;
    tokio::time::sleep(std::time::Duration::from_millis(600)).await;
    ensure!(oracle.count("done").await? == 0, "decided without an entry");
    ensure!(oracle.number("SELECT COUNT(*) FROM nullifiers").await? == 0, "spent without an entry");
    allow(&oracle, "decided").await?;
    ensure!(result(&ended(&mut client, &job.id).await?)?.approved);
    // Nor is one cancelled.
    let slow = serving_slow(&site, server).await?;
    let mut client = slow.client().await?;
    let job = client.adjudicate(clinic.file(1, &[1])?, keyed("b"), false).await?;
    in_state(&mut client, &job.id, JobState::Running).await?;
    refuse(&oracle, "cancelled").await?;
    ensure!(reason(client.cancel(&job.id).await)? == "DATABASE");
    ensure!(client.job(&job.id).await?.state() == JobState::Running);
    allow(&oracle, "cancelled").await?;
    ensure!(client.cancel(&job.id).await?.state() == JobState::Cancelled);
    ensure!(of(&entries(&mut client).await?, "cancelled").len() == 1);
    slow.stop().await
}

async fn serving_slow(site: &Site, before: Running) -> Result<Running> {
    before.stop().await?;
    serving(site, StandIn { stops: true, ..StandIn::slow(60_000) }).await
}

/// Somebody with the database cuts the log off while it is exported: the export ends, and says so.
#[tokio::test(flavor = "multi_thread")]
async fn an_export_of_a_log_whose_end_goes_meanwhile_ends_with_that() -> Result<()> {
    let site = Site::sqlite()?;
    let oracle = site.oracle().await?;
    let server = serving(&site, StandIn::default()).await?;
    let (mut client, mut clinic) = (server.client().await?, Clinic::new()?);
    client.adjudicate(clinic.file(0, &[1])?, keyed("a"), true).await?;
    // More than a reader may leave unread, each of two kilobytes.
    let more = format!(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) \
         INSERT INTO audit_entries (tenant, sequence, at, event, subject, roles, method, facts, hash) \
         SELECT tenant, 3 + i, at, event, subject, roles, method, '{{\"key\":\"{}\"}}', hash FROM audit_entries, n WHERE sequence = 1",
        "x".repeat(2000)
    );
    execute(&oracle, &more).await?;
    let mut parts = client.audit_export(1, false).await?;
    parts.message().await?.context("no opening")?;
    let cut = "DROP TRIGGER audit_entries_are_not_removed; DELETE FROM audit_entries WHERE sequence > 1900";
    execute(&oracle, cut).await?;
    let reading = async {
        loop {
            match parts.message().await {
                Ok(Some(part)) => ensure!(!matches!(part.part, Some(Part::Closing(_))), "it closes"),
                Ok(None) => anyhow::bail!("it ends as if it were whole"),
                Err(status) => return Ok(status.code()),
            }
        }
    };
    let told = tokio::time::timeout(SOON, reading).await.context("it does not end")??;
    ensure!(told == tonic::Code::DataLoss, "{told}");
    server.stop().await
}

async fn what_is_on_record_is_not_changed_removed_or_put_in(site: Site) -> Result<()> {
    let oracle = site.oracle().await?;
    let server = serving(&site, StandIn::default()).await?;
    let (mut client, mut clinic) = (server.client().await?, Clinic::new()?);
    client.adjudicate(clinic.file(0, &[1])?, keyed("a"), true).await?;
    let before = exported(&mut client, 1).await?;
    let row = "INTO audit_entries (tenant, sequence, at, event, subject, roles, method, facts, hash) \
               SELECT tenant, SEQUENCE, at, event, subject, roles, method, facts, hash FROM audit_entries WHERE sequence = 2";
    let put_in = |verb: &str, sequence: &str| format!("{verb} {}", row.replace("SEQUENCE", sequence));
    let mut attempts = vec![
        "UPDATE audit_entries SET subject = 'nobody' WHERE sequence = 2".to_owned(),
        "DELETE FROM audit_entries WHERE sequence = 2".to_owned(),
        "DELETE FROM audit_entries".to_owned(),
        "UPDATE audit_logs SET log = log".to_owned(),
        "DELETE FROM audit_logs".to_owned(),
        put_in("INSERT", "sequence"),
        put_in("INSERT", "99"),
        put_in("INSERT", "0"),
    ];
    match oracle {
        Oracle::Sqlite(_) => {
            attempts.push(put_in("INSERT OR REPLACE", "sequence"));
            attempts.push(
                "INSERT OR REPLACE INTO audit_logs SELECT tenant, randomblob(32) FROM audit_logs".to_owned(),
            );
            attempts.push("UPDATE OR REPLACE audit_entries SET sequence = 1 WHERE sequence = 2".to_owned());
        }
        Oracle::Postgres(_) => {
            attempts.push("TRUNCATE audit_entries".to_owned());
            attempts.push(
                put_in("INSERT", "2") + " ON CONFLICT (tenant, sequence) DO UPDATE SET subject = 'nobody'",
            );
        }
    }
    for attempt in attempts {
        ensure!(execute(&oracle, &attempt).await.is_err(), "{attempt}");
    }
    let after = exported(&mut client, 1).await?;
    let entries = before.len() - 2;
    ensure!(
        after[..=entries] == before[..=entries] && held(&after)?.len() == entries + 1,
        "only appended to"
    );
    server.stop().await
}

async fn two_hundred_reads_at_once_are_one_release_for_each_job(site: Site) -> Result<()> {
    let server = serving(&site, StandIn::default()).await?;
    let (mut client, mut clinic) = (server.client().await?, Clinic::new()?);
    let mut ids = Vec::new();
    for member in 0..5 {
        let job = client.adjudicate(clinic.file(member, &[1])?, keyed(&format!("{member}")), false).await?;
        ids.push(job.id);
    }
    let done = async {
        while client.jobs(&[JobState::Done], 10).await?.len() < 5 {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(SOON, done).await.context("the jobs do not end")??;
    let mut reads = tokio::task::JoinSet::new();
    for read in 0..200 {
        let (mut client, id) = (client.clone(), ids[read % 5].clone());
        reads.spawn(async move { Ok::<_, ClientError>(client.job(&id).await?.outcome.is_some()) });
    }
    while let Some(read) = reads.join_next().await {
        ensure!(read??, "a read without its result");
    }
    let entries = self::entries(&mut client).await?;
    let released = of(&entries, "released");
    let jobs: BTreeSet<&str> = released.iter().map(|entry| fact(entry, "job")).collect::<Result<_>>()?;
    ensure!(released.len() == 5 && jobs == ids.iter().map(String::as_str).collect(), "{}", released.len());
    server.stop().await
}
