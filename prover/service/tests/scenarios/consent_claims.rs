//! A claim whose consent is revoked: refused at the door, failed wherever it is, and refused in the transaction that would end it.

use crate::{
    audit::execute,
    clinic::{Clinic, failure, result, visit},
    consent_ledger::{granting, revoking},
    late_result::decide,
    running::{Running, config, ended, in_state, keyed},
    site::Oracle,
    stand_in::StandIn,
};
use anyhow::{Context, Result};
use nightingale::{
    Config, StoreError,
    audit::{Draft, Event},
    client::ClientError,
    config::Consent,
    jobs::{Instant, JobClass, SpentAccount, Tenant},
    store::{
        Store,
        consents::{
            Asked, Effect, Naming, Proposal, Reliance,
            epochs::{Built, EpochRow, Publication},
        },
        idempotency::Space,
        jobs::{Submission, Submitted},
        ledger::{Finish, Standing},
        queue::{Lease, Share},
    },
};
use nightingale_circuits::{
    Fr,
    claim::{Date, Request, SizeClass},
};
use nightingale_proto::v1::JobState;
use std::{sync::Arc, time::Duration};

fn reason<T>(answer: Result<T, ClientError>) -> Result<String> {
    match answer.err().context("accepted")? {
        ClientError::Refused { reason, .. } => Ok(reason),
        other => Err(other.into()),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_is_not_accepted_under_a_consent_that_is_not_in_force() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let server = Running::start(config(folder.path()), StandIn::default()).await?;
    let (mut client, mut clinic) = (server.client().await?, Clinic::new()?);
    // The clinic's claims are received on 2024-06-01. A ledger that is silent leaves it to the register.
    client.adjudicate(clinic.file(0, &[1])?, keyed("silent"), true).await?;
    for (i, from, to, permit, accepted) in [
        (1, "2024-06-01", "2024-06-01", true, true),
        (2, "2024-06-02", "", true, false),
        (3, "", "2024-05-31", true, false),
        (4, "", "", false, false),
    ] {
        client.grant(granting(&format!("g{i}"), i, from, to, permit)).await?;
        let answer = client.adjudicate(clinic.file(i, &[1])?, keyed(&format!("c{i}")), true).await;
        match accepted {
            true => assert!(result(&answer?)?.approved),
            false => assert_eq!(reason(answer)?, "CONSENT_REVOKED", "member {i}"),
        }
    }
    client.revoke(revoking("r", 5)).await?;
    let answer = client.adjudicate(clinic.file(5, &[1])?, keyed("c5"), true).await;
    assert_eq!(reason(answer)?, "CONSENT_REVOKED");
    // Granted again, it is in force again.
    client.grant(granting("again", 5, "", "", true)).await?;
    assert!(result(&client.adjudicate(clinic.file(5, &[1])?, keyed("c6"), true).await?)?.approved);
    // Another tenant's revocation is not this one's.
    let mut south = server.client_of("south").await?;
    south.revoke(revoking("r", 6)).await?;
    assert!(result(&client.adjudicate(clinic.file(6, &[1])?, keyed("c7"), true).await?)?.approved);
    server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_fails_the_open_jobs_that_rely_on_it_and_no_other() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let prover = StandIn { stops: true, ..StandIn::slow(60_000) };
    let server =
        Running::start(Config { lease: Duration::from_secs(30), ..config(folder.path()) }, prover).await?;
    let (mut client, mut clinic) = (server.client().await?, Clinic::new()?);
    let running = client.adjudicate(clinic.file(0, &[1])?, keyed("running"), false).await?.id;
    in_state(&mut client, &running, JobState::Running).await?;
    let queued = client.adjudicate(clinic.file(0, &[2])?, keyed("queued"), false).await?.id;
    let other = client.adjudicate(clinic.file(1, &[1])?, keyed("other"), false).await?.id;
    let answer = client.revoke(revoking("r", 0)).await?;
    assert_eq!(answer.failed_jobs, 2);
    for id in [&running, &queued] {
        let job = client.job(id).await?;
        assert_eq!(job.state(), JobState::Failed, "not at once");
        assert_eq!(failure(&job)?.code, "CONSENT_REVOKED");
    }
    // The worker lets go of the one that it had in hand and takes the next.
    in_state(&mut client, &other, JobState::Running).await?;
    assert!(client.revoke(revoking("r", 0)).await?.known, "the same request");
    assert_eq!(client.job(&other).await?.state(), JobState::Running);
    client.cancel(&other).await?;
    server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waiting_claim_fails_with_its_consent() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let server = Running::start(config(folder.path()), StandIn::default()).await?;
    let (mut client, mut clinic) = (server.client().await?, Clinic::new()?);
    client.adjudicate(clinic.file(0, &[1])?, keyed("a"), true).await?;
    let waiting = client.adjudicate(clinic.file(0, &[2])?, keyed("b"), true).await?;
    assert_eq!(waiting.state(), JobState::Waiting);
    client.grant(granting("deny", 0, "", "", false)).await?;
    assert_eq!(failure(&ended(&mut client, &waiting.id).await?)?.code, "CONSENT_REVOKED");
    server.stop().await
}

/// Where the ledger must know a consent, silence refuses; and so does a root that was not published here, or is not recent.
#[tokio::test(flavor = "multi_thread")]
async fn a_required_ledger_refuses_what_it_does_not_know() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let consent = Consent { required: true, grace: Duration::ZERO, ..Consent::default() };
    let server = Running::start(Config { consent, ..config(folder.path()) }, StandIn::default()).await?;
    let mut client = server.client().await?;
    let mut foreign = Clinic::new()?;
    assert_eq!(reason(client.adjudicate(foreign.file(0, &[1])?, keyed("a"), true).await)?, "CONSENT_UNKNOWN");
    client.grant(granting("g", 0, "", "", true)).await?;
    // The ledger knows it, and the request shows it under a register that was never published here.
    assert_eq!(
        reason(client.adjudicate(foreign.file(0, &[1])?, keyed("b"), true).await)?,
        "CONSENT_ROOT_OLD"
    );
    client.publish_consents("p1").await?;
    let mut clinic = published(&mut client).await?;
    assert!(result(&client.adjudicate(clinic.file(0, &[1])?, keyed("c"), true).await?)?.approved);
    client.grant(granting("g1", 1, "", "", true)).await?;
    client.publish_consents("p2").await?;
    tokio::time::sleep(Duration::from_millis(20)).await;
    // Without a grace, the epoch before is none.
    assert_eq!(reason(client.adjudicate(clinic.file(0, &[2])?, keyed("d"), true).await)?, "CONSENT_ROOT_OLD");
    let mut clinic = published(&mut client).await?;
    assert!(result(&client.adjudicate(clinic.file(1, &[2])?, keyed("e"), true).await?)?.approved);
    server.stop().await
}

/// A clinic whose consents are those of the newest epoch.
async fn published(client: &mut nightingale::client::Client) -> Result<Clinic> {
    let (_, leaves) = client.consent_register(0).await?;
    let entries: Vec<serde_json::Value> = leaves
        .iter()
        .map(|leaf| {
            let id = |bytes: &[u8]| format!("id:0x{}", hex::encode(bytes));
            serde_json::json!({"member": id(&leaf.member), "payer": id(&leaf.payer), "permit": leaf.permit})
        })
        .collect();
    Clinic::with_consents(&serde_json::to_string(&entries)?)
}

/// A store with one leased claim of member 0, whose consent is granted.
pub(crate) struct Leased {
    pub(crate) store: Store,
    pub(crate) tenant: Tenant,
    pub(crate) lease: Lease,
    pub(crate) request: Request,
}

/// States something about the consent that the request relies on.
pub(crate) async fn state(
    store: &Store,
    tenant: &Tenant,
    key: &str,
    request: &Request,
    effect: Effect,
    to: Date,
) -> Result<()> {
    let consent = request.consent.leaf.record.clone().context("no consent")?;
    let consent = nightingale_circuits::claim::Consent { to, permit: effect == Effect::Permit, ..consent };
    let proposal = Proposal { consent, effect, source: String::new(), is_import: false, updated: None };
    let space = if effect == Effect::Revoke { Space::Revoke } else { Space::Grant };
    let naming = Naming { space, key, request: &[key.as_bytes()], entry: Draft::by_service(Event::Revoked) };
    let asked = store.state_consents(tenant, &naming, &[proposal], Instant::now()).await?;
    anyhow::ensure!(matches!(asked, Asked::Done(_)));
    Ok(())
}

pub(crate) async fn leased(folder: &std::path::Path, member: usize) -> Result<Leased> {
    let store = Store::open(&config(folder)).await?;
    let tenant = Tenant::new("north").context("tenant")?;
    let mut clinic = Clinic::new()?;
    let request = clinic.request(member, vec![visit(1)?])?;
    let bytes = nightingale_records::request::to_json(&request);
    state(&store, &tenant, "grant", &request, Effect::Permit, Date::MAX).await?;
    let submission = Submission {
        tenant: &tenant,
        space: Space::Claim,
        idempotency_key: "k",
        request: bytes.as_bytes(),
        payer: Some(request.epoch.payer),
        account: Some(&[1; 36]),
        class: JobClass::Claim(SizeClass::Two),
        priority: 0,
        deadline: None,
        spent_account: SpentAccount::Rebase,
        entry: Draft::by_service(Event::Accepted),
        trace: None,
    };
    let submitted =
        store.submit_relying(submission, Some(&Reliance::of(&request)), 10, Instant::now()).await?;
    anyhow::ensure!(matches!(submitted, Submitted::New(_)));
    let until = Duration::from_secs(60);
    let lease = store.lease(Share::Everything, Instant::now(), until).await?.context("nothing to lease")?;
    Ok(Leased { store, tenant, lease, request })
}

/// The proof is ready and the lease is held: only the ledger can say no, and it does so in the transaction that would end the job.
#[tokio::test]
async fn the_transaction_that_ends_a_job_asks_the_ledger() -> Result<()> {
    // A shorter permission is no revocation that fails open jobs: it is found at the end, if the day of receipt is not in it.
    let before = Date::from_calendar(2024, 5, 31)?;
    for (to, expected) in [
        (Date::from_calendar(2024, 6, 1)?, Finish::Committed),
        (before, Finish::Conflict(Standing::ConsentRevoked)),
    ] {
        let folder = tempfile::tempdir()?;
        let Leased { store, tenant, lease, request } = leased(folder.path(), 0).await?;
        let decision = decide(&store, &lease).await?;
        state(&store, &tenant, "shorter", &request, Effect::Permit, to).await?;
        assert!(store.heartbeat(&lease, Instant::now().plus(Duration::from_secs(60))).await?, "still leased");
        assert_eq!(store.finish(&lease, &decision, None, Instant::now).await?, expected);
        // Refused, it has used up nothing: under a consent in force the same proof ends the job.
        if expected != Finish::Committed {
            state(&store, &tenant, "longer", &request, Effect::Permit, Date::MAX).await?;
            assert_eq!(store.finish(&lease, &decision, None, Instant::now).await?, Finish::Committed);
        }
    }
    Ok(())
}

/// What the ledger says may be sealed under a key that came while the result waited: it is opened first, and nothing is lost.
#[tokio::test(flavor = "multi_thread")]
async fn a_result_that_waited_while_a_key_came_is_brought_again() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let Leased { store, lease, .. } = leased(folder.path(), 0).await?;
    let decision = decide(&store, &lease).await?;
    let store = Arc::new(store);
    let held = Oracle::of(folder.path()).await?.hold_tenant("north").await?;
    let own = store.clone();
    let ending = tokio::spawn(async move { own.finish(&lease, &decision, None, Instant::now).await });
    tokio::time::sleep(Duration::from_secs(1)).await;
    anyhow::ensure!(!ending.is_finished(), "it did not wait");
    held.commit_with(
        "INSERT INTO tenant_keys SELECT tenant, 2, wrapped, wrapped_by, derived, created FROM tenant_keys",
    )
    .await?;
    let told = ending.await?.err().context("it ended the job by what it could not open")?;
    anyhow::ensure!(matches!(told, StoreError::Busy) && told.is_transient(), "{told}");
    Ok(())
}

/// A job of an older release does not name its consent; whoever takes it gives it its name before anything is proven.
#[tokio::test]
async fn a_claim_that_an_older_release_accepted_is_held_to_its_consent_too() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let Leased { store, tenant, lease, request } = leased(folder.path(), 0).await?;
    let oracle = Oracle::of(folder.path()).await?;
    execute(&oracle, "UPDATE jobs SET consent = NULL").await?;
    assert_eq!(store.rely(&lease, &Reliance::of(&request), Instant::now()).await?, Standing::Clear);
    assert_eq!(oracle.number("SELECT COUNT(*) FROM jobs WHERE consent IS NOT NULL").await?, 1);
    let decision = decide(&store, &lease).await?;
    state(&store, &tenant, "revoke", &request, Effect::Revoke, Date::MAX).await?;
    assert_eq!(store.rely(&lease, &Reliance::of(&request), Instant::now()).await?, Standing::ConsentRevoked);
    assert_eq!(store.finish(&lease, &decision, None, Instant::now).await?, Finish::Stale, "it has failed");
    Ok(())
}

/// Publishes the register with this root, at that time.
async fn publish(store: &Store, tenant: &Tenant, key: &str, root: Fr, now: Instant) -> Result<EpochRow> {
    // Nothing is stated in between: the ledger's last line is the same each time.
    let (through, _) = store.consents_in_force(tenant).await?;
    let entry = Draft::by_service(Event::Published);
    let naming = Naming { space: Space::Publish, key, request: &[b"publish"], entry };
    let built = Built { through, root, consents: 1 };
    match store.publish_consents(tenant, &naming, &built, now).await? {
        Publication::Asked(Asked::Done(epoch)) => Ok(epoch),
        _ => anyhow::bail!("{key} was not published"),
    }
}

/// The clock is ahead for one publication. What that superseded is superseded, also by the right clock.
#[tokio::test]
async fn a_root_that_was_superseded_by_a_date_ahead_is_superseded() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let Leased { store, tenant, lease, request } = leased(folder.path(), 0).await?;
    drop(store);
    let consent = Consent { required: true, ..Consent::default() };
    let store = Store::open(&Config { consent, ..config(folder.path()) }).await?;
    let standing = async |now| store.rely(&lease, &Reliance::of(&request), now).await;
    let (now, year) = (Instant::now(), Duration::from_secs(365 * 86_400));
    publish(&store, &tenant, "1", request.consent_root, now).await?;
    assert_eq!(standing(now).await?, Standing::Clear);
    let second = publish(&store, &tenant, "2", Fr::from(2u64), now.plus(year)).await?;
    let third = publish(&store, &tenant, "3", Fr::from(3u64), now).await?;
    assert_eq!((third.number, third.published), (3, second.published), "a later epoch that looks older");
    assert!(third.is_ahead(now) && !third.is_ahead(now.plus(year)));
    assert_eq!(standing(now).await?, Standing::ConsentRootOld);
    Ok(())
}

/// Another machine's clock may be ahead by a little: the root before is in its grace, as it will be.
#[tokio::test]
async fn clocks_that_differ_by_a_little_take_no_grace_away() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let Leased { store, tenant, lease, request } = leased(folder.path(), 0).await?;
    drop(store);
    let consent = Consent { required: true, ..Consent::default() };
    let store = Store::open(&Config { consent, ..config(folder.path()) }).await?;
    let now = Instant::now();
    publish(&store, &tenant, "1", request.consent_root, now).await?;
    publish(&store, &tenant, "2", Fr::from(2u64), now.plus(Duration::from_secs(60))).await?;
    for seconds in [0, 60, 3_600] {
        let then = now.plus(Duration::from_secs(seconds));
        assert_eq!(store.rely(&lease, &Reliance::of(&request), then).await?, Standing::Clear, "{seconds}");
    }
    Ok(())
}
