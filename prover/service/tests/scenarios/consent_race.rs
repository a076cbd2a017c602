//! Revocations race with proofs, many times. The witness is the database itself: triggers of the test write down, inside each transaction and one
//! transaction after the other, what it does; so the order in which they are written down is the order in which they were committed.

use crate::{
    archive::Custodian,
    clinic::{Clinic, failure},
    cohort_command::dataset,
    consent_ledger::{granting, revoking},
    running::{Running, ended, keyed},
    site::{Oracle, Site, on_both},
    stand_in::StandIn,
};
use anyhow::{Context, Result};
use nightingale::{
    Config,
    audit::{Draft, Event},
    cohort::folder::newest_consents,
    jobs::{Answer, Instant, JobClass, SpentAccount, Tenant},
    store::{
        Store,
        consents::{Asked, Naming, versions::TableVersion},
        idempotency::Space,
        jobs::{Submission, Submitted},
        questions::{Answered, LedgerLine},
        queue::{Lease, Share},
    },
};
use nightingale_circuits::cohort::Class;
use nightingale_proto::v1::JobState;
use nightingale_verifier::cohort::Dataset;
use rand_chacha::{
    ChaCha20Rng,
    rand_core::{RngCore, SeedableRng},
};
use std::{sync::Arc, time::Duration};

const ON_SQLITE: &str = "CREATE TABLE witness (n INTEGER PRIMARY KEY AUTOINCREMENT, what TEXT, tenant TEXT, subject BLOB, version INTEGER); \
     CREATE TRIGGER witness_done AFTER UPDATE OF state ON jobs WHEN NEW.state = 'done' BEGIN \
     INSERT INTO witness (what, tenant, subject) VALUES ('done', NEW.tenant, NEW.consent); END; \
     CREATE TRIGGER witness_stated AFTER INSERT ON consent_statements BEGIN INSERT INTO witness (what, tenant, subject, version) \
     SELECT 'stated', NEW.tenant, NEW.subject, COUNT(*) FROM consent_statements s \
     WHERE s.tenant = NEW.tenant AND s.subject = NEW.subject; END; \
     CREATE TRIGGER witness_answer AFTER INSERT ON query_ledger BEGIN \
     INSERT INTO witness (what, tenant, version) VALUES ('answer', NEW.tenant, NEW.consent_version); END; \
     CREATE TRIGGER witness_version AFTER INSERT ON dataset_consents BEGIN \
     INSERT INTO witness (what, tenant, version) VALUES ('version', NEW.tenant, NEW.version); END";

/// Transactions overlap on PostgreSQL. Whichever writes something down holds a lock of the test's own until it has ended.
const ON_POSTGRES: &str = "CREATE TABLE witness (n BIGSERIAL PRIMARY KEY, what TEXT, tenant TEXT, subject BYTEA, version BIGINT); \
     CREATE FUNCTION witness() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
     PERFORM pg_advisory_xact_lock(4712); \
     CASE TG_TABLE_NAME \
     WHEN 'jobs' THEN INSERT INTO witness (what, tenant, subject) VALUES ('done', NEW.tenant, NEW.consent); \
     WHEN 'consent_statements' THEN INSERT INTO witness (what, tenant, subject, version) \
     SELECT 'stated', NEW.tenant, NEW.subject, COUNT(*) FROM consent_statements s \
     WHERE s.tenant = NEW.tenant AND s.subject = NEW.subject; \
     WHEN 'query_ledger' THEN INSERT INTO witness (what, tenant, version) VALUES ('answer', NEW.tenant, NEW.consent_version); \
     WHEN 'dataset_consents' THEN INSERT INTO witness (what, tenant, version) VALUES ('version', NEW.tenant, NEW.version); \
     END CASE; RETURN NULL; END $$; \
     CREATE TRIGGER witness AFTER UPDATE OF state ON jobs FOR EACH ROW WHEN (NEW.state = 'done') EXECUTE FUNCTION witness(); \
     CREATE TRIGGER witness AFTER INSERT ON consent_statements FOR EACH ROW EXECUTE FUNCTION witness(); \
     CREATE TRIGGER witness AFTER INSERT ON query_ledger FOR EACH ROW EXECUTE FUNCTION witness(); \
     CREATE TRIGGER witness AFTER INSERT ON dataset_consents FOR EACH ROW EXECUTE FUNCTION witness()";

/// Makes the database write down its own history: results, and everything that is stated about consents.
async fn witnessed(site: &Site) -> Result<Oracle> {
    let oracle = site.oracle().await?;
    oracle.place_also(ON_SQLITE, ON_POSTGRES).await?;
    Ok(oracle)
}

/// Results that were committed after the second statement about their consent: the revocation, or the shorter permission.
const AFTER: &str = "SELECT COUNT(*) FROM witness d JOIN witness r ON r.tenant = d.tenant AND r.subject = d.subject \
                     WHERE d.what = 'done' AND r.what = 'stated' AND r.version = 2 AND d.n > r.n";

const TENANTS: u64 = 14;
const MEMBERS: usize = 8;

on_both!(
    no_claim_ends_with_a_proof_after_its_consent_was_revoked,
    no_answer_ends_under_consents_that_were_superseded_before,
    an_answer_under_another_version_of_the_same_number_is_dropped,
);

async fn no_claim_ends_with_a_proof_after_its_consent_was_revoked(site: Site) -> Result<()> {
    let oracle = witnessed(&site).await?;
    let config = Config::read(&site.file()?)?;
    let lease = Duration::from_secs(20);
    let server = Running::start(Config { workers: 4, lease, ..config }, StandIn::slow(12)).await?;
    let mut files = Vec::new();
    let mut clinic = Clinic::new()?;
    for member in 0..MEMBERS {
        files.push(clinic.file(member, &[1])?);
    }
    let (mut done, mut revoked) = (0, 0);
    for round in 0..TENANTS {
        let tenant = format!("t{round}");
        let mut races = Vec::new();
        for (member, file) in files.iter().cloned().enumerate() {
            let mut client = server.client_of(&tenant).await?;
            client.grant(granting(&format!("g{member}"), member, "", "", true)).await?;
            races.push(tokio::spawn(async move {
                let mut rng = ChaCha20Rng::seed_from_u64(round << 8 | member as u64);
                let id = client.adjudicate(file, keyed(&format!("c{member}")), false).await?.id;
                // From before the proof begins until after it has ended.
                let delay = Duration::from_micros(u64::from(rng.next_u32() % 120_000));
                tokio::time::sleep(delay).await;
                // Half of them take the consent back, which fails the job at once; half shorten it, which only the end of the job finds out.
                let ended_at_once = member % 2 == 0;
                if ended_at_once {
                    client.revoke(revoking(&format!("r{member}"), member)).await?;
                } else {
                    client.grant(granting(&format!("s{member}"), member, "", "2024-05-31", true)).await?;
                }
                let at_answer = client.job(&id).await?.state();
                let job = ended(&mut client, &id).await?;
                match job.state() {
                    JobState::Done => anyhow::ensure!(
                        at_answer == JobState::Done,
                        "it ended after the revocation was answered"
                    ),
                    JobState::Failed => anyhow::ensure!(failure(&job)?.code == "CONSENT_REVOKED"),
                    other => anyhow::bail!("{other:?}"),
                }
                anyhow::ensure!(
                    !ended_at_once || at_answer == job.state(),
                    "still open after the revocation"
                );
                anyhow::Ok(job.state() == JobState::Done)
            }));
        }
        for race in races {
            if race.await?? { done += 1 } else { revoked += 1 }
        }
    }
    assert_eq!(oracle.number(AFTER).await?, 0, "committed after the revocation");
    assert_eq!(oracle.number("SELECT COUNT(*) FROM witness WHERE what = 'done'").await?, done);
    assert_eq!(done + revoked, i64::try_from(TENANTS * MEMBERS as u64)?);
    // A race that one side always wins is none.
    assert!(done >= 10 && revoked >= 10, "{done} done, {revoked} revoked");
    server.stop().await
}

/// A version of the consents of table `t`, with a commitment of its own.
fn under(version: u32, commitment: u8) -> TableVersion {
    TableVersion { table: "t".to_owned(), version, commitment: vec![commitment; 64] }
}

fn answer(dataset: [u8; 32], version: u32) -> (Answer, LedgerLine) {
    let answer = Answer {
        dataset,
        table: "t".to_owned(),
        query: "SELECT COUNT(*) FROM t".to_owned(),
        role: "researcher".to_owned(),
        threshold: 11,
        consent_version: version,
        groups: 1,
        suppressed: 0,
        sealed: false,
        key_digest: [7; 32],
        prove_ms: 1,
        file: "{}".to_owned(),
    };
    let line = LedgerLine {
        dataset,
        role: answer.role.clone(),
        query: answer.query.clone(),
        digest: [9; 32],
        threshold: 11,
        outcome: Ok(version),
    };
    (answer, line)
}

/// How long a lease lasts unheard.
const LASTS: Duration = Duration::from_secs(60);

/// A question that was accepted and is in hand.
async fn question(store: &Store, tenant: &Tenant, key: &str) -> Result<Lease> {
    let submission = Submission {
        tenant,
        space: Space::Research,
        idempotency_key: key,
        request: b"{}",
        payer: None,
        account: None,
        class: JobClass::Cohort(Class::Narrow),
        priority: 0,
        deadline: None,
        spent_account: SpentAccount::Fail,
        entry: Draft::by_service(Event::Accepted),
        trace: None,
    };
    anyhow::ensure!(matches!(store.submit(submission, 10, Instant::now()).await?, Submitted::New(_)));
    store.lease(Share::Cohorts, Instant::now(), LASTS).await?.context("nothing to lease")
}

/// The end of a question's job and the revocation of a subject, on the store's own transactions: [`crate::consent_cohorts`] has the proofs.
async fn no_answer_ends_under_consents_that_were_superseded_before(site: Site) -> Result<()> {
    const ROUNDS: u32 = 120;
    let oracle = witnessed(&site).await?;
    let store = Arc::new(Store::open(&Config::read(&site.file()?)?).await?);
    let tenant = Tenant::new("north").context("tenant")?;
    let mut rng = ChaCha20Rng::seed_from_u64(4);
    let (mut committed, mut superseded) = (0, 0);
    for version in 0..ROUNDS {
        let lease = question(&store, &tenant, &format!("k{version}")).await?;
        let delays =
            [rng.next_u32() % 3_000, rng.next_u32() % 3_000].map(|us| Duration::from_micros(us.into()));
        let revoking = {
            let (store, tenant, key) = (store.clone(), tenant.clone(), format!("r{version}"));
            tokio::spawn(async move {
                tokio::time::sleep(delays[0]).await;
                let naming = Naming {
                    space: Space::RevokeSubjects,
                    key: &key,
                    request: &[key.as_bytes()],
                    entry: Draft::by_service(Event::Revoked),
                };
                let tables = [under(version + 1, 5)];
                store.record_consents(&tenant, &naming, &[5; 32], &tables, Instant::now()).await
            })
        };
        tokio::time::sleep(delays[1]).await;
        let (answer, line) = answer([5; 32], version);
        match store.finish_question(&lease, &answer, &under(version, 5), &line, Instant::now).await? {
            Answered::Committed => committed += 1,
            Answered::Superseded => {
                superseded += 1;
                // Given back, it is answered under the newest consents, once.
                assert!(store.release(&lease).await?);
                let again =
                    store.lease(Share::Cohorts, Instant::now(), LASTS).await?.context("not given back")?;
                let (answer, line) = self::answer([5; 32], version + 1);
                let ended = store
                    .finish_question(&again, &answer, &under(version + 1, 5), &line, Instant::now)
                    .await?;
                assert_eq!(ended, Answered::Committed);
            }
            Answered::Stale => anyhow::bail!("the lease is gone"),
        }
        anyhow::ensure!(matches!(revoking.await??, Asked::Done(_)));
    }
    let after = "SELECT COUNT(*) FROM witness a JOIN witness v ON v.tenant = a.tenant \
                 WHERE a.what = 'answer' AND v.what = 'version' AND v.n < a.n AND v.version > a.version";
    assert_eq!(oracle.number(after).await?, 0, "an answer was committed under older consents");
    assert_eq!(oracle.number("SELECT COUNT(*) FROM witness WHERE what = 'answer'").await?, i64::from(ROUNDS));
    assert!(committed >= 10 && superseded >= 10, "{committed} committed, {superseded} superseded");
    Ok(())
}

async fn an_answer_under_another_version_of_the_same_number_is_dropped(site: Site) -> Result<()> {
    let store = Store::open(&Config::read(&site.file()?)?).await?;
    let tenant = Tenant::new("north").context("tenant")?;
    let lease = question(&store, &tenant, "k").await?;
    store.note_consents(&tenant, &[5; 32], &[under(1, 5)], Instant::now()).await?;
    let noted = store.note_consents(&tenant, &[5; 32], &[under(1, 6)], Instant::now()).await;
    anyhow::ensure!(noted.is_err(), "recorded under the number of another");
    let (answer, line) = answer([5; 32], 1);
    for (version, commitment) in [(0, 5), (1, 6)] {
        let late = under(version, commitment);
        let ended = store.finish_question(&lease, &answer, &late, &line, Instant::now).await?;
        assert_eq!(ended, Answered::Superseded, "{version}, {commitment}");
    }
    let ended = store.finish_question(&lease, &answer, &under(1, 5), &line, Instant::now).await?;
    assert_eq!(ended, Answered::Committed);
    store.close().await;
    Ok(())
}

/// Whoever revokes by hand registers the folder again, and then the new consents count.
#[tokio::test(flavor = "multi_thread")]
async fn no_answer_ends_under_older_consents_than_were_imported_meanwhile() -> Result<()> {
    let custodian = Custodian::new().await?;
    let (store, north) = (&custodian.store, Tenant::new("north").context("tenant")?);
    custodian.import(&custodian.ds()).await?;
    let lease = question(store, &north, "k").await?;
    let held = dataset(&custodian.ds())?;
    let of_table = |held: &Dataset| newest_consents(held).into_iter().find(|held| held.table == "t");
    let before = of_table(&held).context("no consents")?;
    // As a worker does before it proves.
    store.note_consents(&north, held.digest(), std::slice::from_ref(&before), Instant::now()).await?;
    custodian.revoke(7)?;
    anyhow::ensure!(custodian.import(&custodian.ds()).await?.is_new);
    let (late, line) = answer(*held.digest(), 0);
    let ended = store.finish_question(&lease, &late, &before, &line, Instant::now).await?;
    assert_eq!(ended, Answered::Superseded, "the subject who revoked is counted");
    let after = of_table(&dataset(&custodian.ds())?).context("no consents")?;
    let (fresh, line) = answer(*held.digest(), 1);
    let ended = store.finish_question(&lease, &fresh, &after, &line, Instant::now).await?;
    assert_eq!(ended, Answered::Committed);
    Ok(())
}
