//! A database of either kind as the release before the last change of rows left it, killed with a job in hand: what it holds is there after the upgrade,
//! and goes on. `fixtures/schema-0009/` has the dumps, whose first lines say how they were written.

use crate::{
    audit::{entries, execute, exported, fact, of},
    clinic::{Clinic, failure, names},
    consent_ledger::{PAYER, bytes, fhir, granting, importing, leaf, revoking, seconds_from_now},
    custody::tenant,
    running::{Running, ended, keyed},
    site::{Oracle, Site, on_both},
    stand_in::StandIn,
    upgrade::jobs,
};
use anyhow::{Context, Result, ensure};
use nightingale::{
    Config,
    audit::{Draft, Event},
    client::{Client, ClientError},
    config::Retention,
    jobs::Instant,
    store::{
        Store,
        consents::{Asked, Naming},
        idempotency::Space,
        jobs::Submitted,
        queue::Share,
    },
};
use nightingale_circuits::field::to_be_bytes;
use nightingale_proto::v1::{self, ImportOutcome, JobState, job::Outcome};
use nightingale_records::consent::build_register;
use nightingale_verifier::audit::{Anchors, Hash, Reader};
use serde_json::json;
use sha2::{Digest, Sha256};
use sqlx::{Connection, Executor, PgConnection, PgPool, SqlitePool};
use std::{collections::BTreeMap, fs, io::Write, os::unix::fs::OpenOptionsExt, path::Path, time::Duration};

const SQLITE: &str = include_str!("../fixtures/schema-0009/sqlite.sql");
const POSTGRES: &str = include_str!("../fixtures/schema-0009/postgres.sql");
const MASTER: &str = include_str!("../fixtures/schema-0009/master.key");

/// The jobs of `north` in the order of their acceptance, by the keys under which they were submitted, and what they hold once all have ended.
const JOBS: [(&str, JobState, &str); 9] = [
    ("purged", JobState::Done, "nothing"),
    ("question", JobState::Done, "answer"),
    ("approved", JobState::Done, "approval"),
    ("denied", JobState::Done, "denial"),
    ("failed", JobState::Failed, "DUPLICATE"),
    ("cancelled", JobState::Cancelled, "nothing"),
    ("spent", JobState::Done, "approval"),
    ("revoked", JobState::Failed, "CONSENT_REVOKED"),
    ("leased", JobState::Done, "approval"),
];
/// What tenants stated of their members, from the first line. The lines of both, and those of a tenant that was erased, are mixed in the table.
const NORTH: [(usize, &str); 6] =
    [(0, "permits"), (2, "permits"), (1, "forbids"), (4, "permits"), (2, "revokes"), (3, "permits")];
const SOUTH: [(usize, &str); 4] = [(0, "permits"), (1, "forbids"), (1, "permits"), (1, "revokes")];
/// What `north` imported under the key `import`.
const IMPORT: &str = r#"{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Consent","id":"four","status":"active","patient":{"display":"MARKER-PATIENT-4"},"scope":{"coding":[{"code":"patient-privacy"}]},"provision":{"type":"permit","period":{"start":"2024-01-01"}}}}]}"#;
const ONLY_APPENDED_TO: [&str; 7] = [
    "audit_logs",
    "audit_entries",
    "query_ledger",
    "consent_statements",
    "consent_requests",
    "consent_epochs",
    "dataset_consents",
];

on_both!(
    no_row_of_the_schema_before_is_lost_or_changed,
    jobs_of_the_schema_before_hold_what_they_held_and_those_that_were_open_end_once,
    statements_of_the_schema_before_are_numbered_in_their_order_and_go_on,
    what_was_asked_before_an_upgrade_is_answered_as_it_was,
    an_audit_log_holds_to_the_head_that_it_had_before_an_upgrade,
    what_was_only_appended_to_before_an_upgrade_still_is,
);

/// Puts the database and its master key there. The configuration keeps ended jobs however old they are.
async fn restored(site: &Site) -> Result<(Config, Oracle)> {
    let long = Duration::from_secs(36_600 * 86_400);
    let retention = Retention { ended_jobs: long, results: long, ..Retention::default() };
    let config = Config { retention, ..Config::read(&site.file()?)? };
    fs::create_dir_all(&config.data_dir)?;
    private(&config.data_dir.join("master.key"))?.write_all(&hex::decode(MASTER.trim())?)?;
    let oracle = match &site.url {
        None => {
            let database = config.data_dir.join("jobs.sqlite");
            private(&database)?;
            let pool = SqlitePool::connect(&format!("sqlite://{}", database.display())).await?;
            pool.execute(sqlx::raw_sql(SQLITE)).await?;
            Oracle::Sqlite(pool)
        }
        Some(url) => {
            // The dump leaves its session with settings of its own.
            let mut connection = PgConnection::connect(url).await?;
            connection.execute(sqlx::raw_sql(POSTGRES)).await?;
            connection.close().await?;
            Oracle::Postgres(PgPool::connect(url).await?)
        }
    };
    Ok((config, oracle))
}

fn private(path: &Path) -> Result<fs::File> {
    Ok(fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?)
}

fn reason<T>(answer: Result<T, ClientError>) -> Result<String> {
    match answer.err().context("accepted")? {
        ClientError::Refused { reason, .. } => Ok(reason),
        other => Err(other.into()),
    }
}

async fn no_row_of_the_schema_before_is_lost_or_changed(site: Site) -> Result<()> {
    let (config, oracle) = restored(&site).await?;
    let tables = match oracle {
        Oracle::Sqlite(_) => {
            "SELECT name, (SELECT group_concat(name) FROM pragma_table_info(m.name)) FROM sqlite_master m \
             WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
        }
        Oracle::Postgres(_) => {
            "SELECT table_name::text, string_agg(column_name, ',') FROM information_schema.columns \
             WHERE table_schema = 'public' GROUP BY 1"
        }
    };
    let tables = oracle.pairs(tables).await?;
    for (table, _) in &tables {
        execute(&oracle, &format!("CREATE TABLE before_{table} AS SELECT * FROM {table}")).await?;
        let rows = oracle.number(format!("SELECT COUNT(*) FROM before_{table}")).await?;
        // No claim of the dump needed an authorisation.
        ensure!(rows > 0 || table == "authorisation_uses", "{table} was empty: nothing is shown of it");
    }
    Store::open(&config).await?.close().await;
    for (table, columns) in &tables {
        let (before, after) =
            (format!("SELECT {columns} FROM before_{table}"), format!("SELECT {columns} FROM {table}"));
        let mut differences = vec![format!("{before} EXCEPT {after}")];
        if table != "_sqlx_migrations" {
            differences.push(format!("{after} EXCEPT {before}"));
        }
        for difference in differences {
            let rows = oracle.number(format!("SELECT COUNT(*) FROM ({difference}) AS difference")).await?;
            ensure!(rows == 0, "{rows} rows of {difference}");
        }
    }
    // Of the erased tenant's lines as well, which nobody can open.
    let misnumbered = "SELECT COUNT(*) FROM consent_statements s WHERE number <> (SELECT COUNT(*) FROM before_consent_statements b \
                       WHERE b.tenant = s.tenant AND b.sequence <= s.sequence)";
    ensure!(oracle.number(misnumbered).await? == 0);
    ensure!(oracle.number("SELECT COUNT(DISTINCT tenant) FROM consent_statements").await? == 3);
    Ok(())
}

/// The digest of each proof that was decided on, by its job, as the audit log has it.
async fn decided(client: &mut Client) -> Result<BTreeMap<String, String>> {
    let entries = entries(client).await?;
    let pair = |entry| Ok((fact(entry, "job")?.to_owned(), fact(entry, "proof")?.to_owned()));
    of(&entries, "decided").into_iter().map(pair).collect()
}

/// What a job holds: the code of its failure, or which kind of result, whose proof is the one that was decided on.
fn holds(job: &v1::Job, decided: &BTreeMap<String, String>) -> Result<String> {
    Ok(match &job.outcome {
        None => "nothing".to_owned(),
        Some(Outcome::Failure(failure)) => failure.code.clone(),
        Some(Outcome::Answer(answer)) => {
            ensure!(answer.proof_json == b"{}" && answer.consent_version == 0);
            "answer".to_owned()
        }
        Some(Outcome::Result(result)) => {
            let proof = hex::encode(Sha256::digest(&result.proof_json));
            ensure!(decided.get(&job.id) == Some(&proof), "{} has another proof", job.id);
            if result.approved { "approval" } else { "denial" }.to_owned()
        }
    })
}

async fn jobs_of_the_schema_before_hold_what_they_held_and_those_that_were_open_end_once(
    site: Site,
) -> Result<()> {
    let (config, before) = restored(&site).await?;
    ensure!(before.count("leased").await? == 1 && before.count("queued").await? == 1);
    let oracle = site.oracle().await?;
    let server = Running::start(config, StandIn::default()).await?;
    let (mut north, mut south) = (server.client_of("north").await?, server.client_of("south").await?);
    let (found, theirs) = (jobs(&mut north).await?, jobs(&mut south).await?);
    ensure!((found.len(), theirs.len()) == (JOBS.len(), 2));
    let [leased, queued] = [&found[8].id, &theirs[1].id];
    ensure!(ended(&mut north, leased).await?.attempts == 2, "the killed server's lease counts");
    ensure!(ended(&mut south, queued).await?.attempts == 1);

    let proofs = decided(&mut north).await?;
    for ((name, state, what), job) in JOBS.into_iter().zip(&found) {
        let job = north.job(&job.id).await?;
        ensure!((job.state(), holds(&job, &proofs)?.as_str()) == (state, what), "{name}: {job:?}");
        ensure!(reason(south.job(&job.id).await)? == "JOB_UNKNOWN", "{name} is shown to another tenant");
    }
    let proofs = decided(&mut south).await?;
    for job in &theirs {
        ensure!(holds(&south.job(&job.id).await?, &proofs)? == "approval");
        ensure!(reason(north.job(&job.id).await)? == "JOB_UNKNOWN");
    }
    ensure!(reason(server.client_of("gone").await?.jobs(&[], 1).await)? == "TENANT_ERASED");
    server.stop().await?;
    let mut ends = oracle.ends().await?;
    ends.sort();
    let mut expected = [leased, queued].map(|id| (id.clone(), "done".to_owned()));
    expected.sort();
    ensure!(ends == expected, "{ends:?}");
    Ok(())
}

/// A tenant's ledger from its first line: its number, the member, what it does.
async fn stated(client: &mut Client) -> Result<Vec<(i64, Vec<u8>, &'static str)>> {
    let mut all = client.consents(Vec::new(), true, 100).await?;
    all.reverse();
    let line = |statement: &v1::ConsentStatement| {
        let consent = statement.consent.as_ref().context("no consent")?;
        let does = match (statement.revokes, consent.permit) {
            (true, _) => "revokes",
            (false, true) => "permits",
            (false, false) => "forbids",
        };
        Ok((statement.sequence, consent.member.clone(), does))
    };
    all.iter().map(line).collect()
}

fn numbered(statements: &[(usize, &'static str)]) -> Vec<(i64, Vec<u8>, &'static str)> {
    (1..).zip(statements).map(|(number, (member, does))| (number, bytes(&names(*member).1), *does)).collect()
}

async fn statements_of_the_schema_before_are_numbered_in_their_order_and_go_on(site: Site) -> Result<()> {
    let (config, _) = restored(&site).await?;
    let server = Running::start(config, StandIn::default()).await?;
    let (mut north, mut south) = (server.client_of("north").await?, server.client_of("south").await?);
    ensure!(stated(&mut north).await? == numbered(&NORTH));
    ensure!(stated(&mut south).await? == numbered(&SOUTH));
    let in_force = north.consents(Vec::new(), false, 100).await?;
    ensure!(in_force.iter().map(|statement| statement.sequence).collect::<Vec<_>>() == [6, 4, 3, 1]);
    ensure!(in_force[1].source == "Consent/four");
    // Registers are those that were published.
    for (number, members) in [(1, [0, 2, 1]), (2, [0, 1, 4])] {
        let (epoch, leaves) = north.consent_register(number).await?;
        ensure!(leaves.iter().map(|leaf| &leaf.member).eq(&members.map(|member| bytes(&names(member).1))));
        let leaves = leaves.iter().map(leaf).collect::<Result<Vec<_>>>()?;
        ensure!(epoch.root == to_be_bytes(&build_register(leaves)?.root()), "epoch {number}");
    }
    // The next of each tenant is the next of its own.
    for (client, line, epoch, consents) in [(&mut north, 7, 3, 5), (&mut south, 5, 2, 2)] {
        let next = client.grant(granting("next", 7, "", "", true)).await?;
        ensure!(next.statement.context("no statement")?.sequence == line);
        let published = client.publish_consents("next").await?.epoch.context("no epoch")?;
        ensure!((published.number, published.consents) == (epoch, consents));
        ensure!(client.consent_register(0).await?.1.len() == usize::try_from(consents)?);
    }
    // And what was stated counts.
    let mut clinic = Clinic::new()?;
    for member in [1, 2] {
        let refused = north.adjudicate(clinic.file(member, &[3])?, keyed(&format!("{member}")), true).await;
        ensure!(reason(refused)? == "CONSENT_REVOKED");
    }
    // What that release read from a file is told from what was stated to it by hand, though its lines do not say which was which.
    let expected = [
        (4, "other", "inactive", ImportOutcome::Refused),
        (4, "four", "inactive", ImportOutcome::Revoked),
        (4, "four", "active", ImportOutcome::Permitted),
        (3, "three", "inactive", ImportOutcome::Revoked),
        (2, "two", "active", ImportOutcome::Refused),
    ];
    // Each is newer than the one before.
    for (changed, (member, id, status, outcome)) in (60..).zip(expected) {
        let mut resource = fhir(id, status, json!({"type": "permit"}));
        resource["patient"] = json!({"display": names(member).1});
        resource["meta"] = json!({"lastUpdated": seconds_from_now(changed)});
        let told = importing(&mut north, &format!("{id}-{status}"), &[resource]).await?;
        ensure!(told.len() == 1 && told[0].outcome() == outcome, "{id} {status}: {told:?}");
    }
    server.stop().await
}

async fn what_was_asked_before_an_upgrade_is_answered_as_it_was(site: Site) -> Result<()> {
    let (config, _) = restored(&site).await?;
    let (store, of) = (Store::open(&config).await?, tenant("north")?);
    // The claim that `south` has queued is the one that `north` had approved.
    let lease = store.lease(Share::Claims, Instant::now(), Duration::from_secs(60)).await?;
    let lease = lease.context("nothing is queued")?;
    let request = store.request(&lease).await?.to_vec();
    ensure!(store.release(&lease).await?);
    let question = store.find(&of, Space::Research, "question", b"{}").await?;
    ensure!(matches!(question, Some(Submitted::Known(job)) if job.answer.is_some()));
    let naming = Naming {
        space: Space::RevokeSubjects,
        key: "subjects",
        request: &[b"subjects"],
        entry: Draft::by_service(Event::Revoked),
    };
    let known = store.known_revocation(&of, &naming).await?;
    ensure!(matches!(known, Some(Asked::Known(tables)) if tables == [("t".to_owned(), 1)]));
    store.close().await;

    let server = Running::start(config, StandIn::default()).await?;
    let (mut north, mut south) = (server.client_of("north").await?, server.client_of("south").await?);
    let (found, theirs) = (jobs(&mut north).await?, jobs(&mut south).await?);
    for (key, expected) in [("approved", &found[2]), ("failed", &found[4])] {
        let again = north.adjudicate(request.clone(), keyed(key), true).await?;
        ensure!(again.id == expected.id, "{key} was accepted again");
    }
    ensure!(south.adjudicate(request.clone(), keyed("queued"), true).await?.id == theirs[1].id);
    let other = north.adjudicate(Clinic::new()?.denied(3)?, keyed("approved"), true).await;
    ensure!(reason(other)? == "IDEMPOTENCY_KEY_REUSED");
    // Under a new key it is a new job, which finds spent what was spent.
    ensure!(failure(&north.adjudicate(request, keyed("new"), true).await?)?.code == "DUPLICATE");

    let dated = granting("b", 2, "2024-01-01", "2024-12-31", true);
    let sourced = v1::GrantConsentRequest { source: "a form of 2024".to_owned(), ..dated };
    for (request, number) in [
        (granting("a", 0, "", "", true), 1),
        (sourced, 2),
        (granting("c", 1, "", "", false), 3),
        (granting("late", 3, "", "", true), 6),
    ] {
        let again = north.grant(request).await?;
        ensure!(again.known && again.statement.context("no statement")?.sequence == number);
    }
    let again = south.grant(granting("c", 1, "", "", true)).await?;
    ensure!(again.known && again.statement.context("no statement")?.sequence == 3);
    let again = north.revoke(revoking("revoke", 2)).await?;
    ensure!(again.known && again.failed_jobs == 1 && again.statement.context("no statement")?.sequence == 5);
    let imported = v1::ImportConsentsRequest {
        idempotency_key: "import".to_owned(),
        fhir: IMPORT.as_bytes().to_vec(),
        payer: bytes(PAYER),
        ..v1::ImportConsentsRequest::default()
    };
    let again = north.import_consents(imported).await?;
    ensure!(again.known && again.consents[0].outcome() == ImportOutcome::Permitted);
    let epochs = north.consent_epochs().await?;
    for (key, epoch) in [("p1", &epochs[1]), ("p2", &epochs[0])] {
        let again = north.publish_consents(key).await?;
        ensure!(again.known && again.epoch.as_ref() == Some(epoch));
    }
    ensure!(stated(&mut north).await?.len() == NORTH.len() && epochs.len() == 2);
    server.stop().await
}

async fn an_audit_log_holds_to_the_head_that_it_had_before_an_upgrade(site: Site) -> Result<()> {
    let (config, oracle) = restored(&site).await?;
    let heads = match oracle {
        Oracle::Sqlite(_) => {
            "SELECT tenant || ' ' || MAX(sequence), lower(hex(hash)) FROM audit_entries GROUP BY tenant"
        }
        Oracle::Postgres(_) => {
            "SELECT DISTINCT ON (tenant) tenant || ' ' || sequence, encode(hash, 'hex') FROM audit_entries \
             ORDER BY tenant, sequence DESC"
        }
    };
    let heads: BTreeMap<String, String> = oracle.pairs(heads).await?.into_iter().collect();
    let server = Running::start(config, StandIn::default()).await?;
    for of in ["north", "south"] {
        let (place, head) = heads.iter().find(|(place, _)| place.starts_with(of)).context("no log")?;
        let last: u64 = place.split(' ').nth(1).context("no number")?.parse()?;
        let mut head_bytes: Hash = [0; 32];
        hex::decode_to_slice(head, &mut head_bytes)?;
        let kept = [Anchors::of_head(last, head_bytes)];
        let mut client = server.client_of(of).await?;
        client.grant(granting("next", 7, "", "", true)).await?;
        // All of it, and what came after.
        for first in [1, last + 1] {
            let text = exported(&mut client, first).await?.join("\n") + "\n";
            let mut events = Vec::new();
            Reader::new(&kept)
                .read(text.as_bytes(), |entry, _| events.push((entry.sequence, entry.event.clone())))?;
            ensure!(events.first().is_some_and(|(sequence, _)| *sequence == first), "{of}: {events:?}");
            ensure!(
                events.iter().any(|(sequence, event)| *sequence > last && event == "granted"),
                "{of}: {events:?}"
            );
        }
    }
    server.stop().await
}

async fn what_was_only_appended_to_before_an_upgrade_still_is(site: Site) -> Result<()> {
    let (config, oracle) = restored(&site).await?;
    Store::open(&config).await?.close().await;
    for table in ONLY_APPENDED_TO {
        let rows = format!("SELECT COUNT(*) FROM {table}");
        let before = oracle.number(&*rows).await?;
        let (again, other) = match oracle {
            Oracle::Sqlite(_) => ("", format!("REPLACE INTO {table} SELECT * FROM {table}")),
            Oracle::Postgres(_) => ("OVERRIDING SYSTEM VALUE", format!("TRUNCATE {table} CASCADE")),
        };
        for attempt in [
            format!("UPDATE {table} SET tenant = tenant"),
            format!("DELETE FROM {table}"),
            format!("INSERT INTO {table} {again} SELECT * FROM {table}"),
            other,
        ] {
            let refused =
                execute(&oracle, &attempt).await.err().with_context(|| attempt.clone())?.to_string();
            ensure!(refused.contains("append-only"), "{attempt}: {refused}");
        }
        ensure!(before > 0 && oracle.number(rows).await? == before, "{table}");
    }
    Ok(())
}
