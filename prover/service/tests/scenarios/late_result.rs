//! A lease runs out, another worker takes the job, and the first one comes back with a result.

use crate::{
    clinic::Clinic,
    running::{Running, config, ended, keyed},
    site::{Site, on_both},
    stand_in::StandIn,
};
use anyhow::{Context, Result};
use nightingale::{
    Config,
    adjudicator::Adjudicator,
    audit::{Draft, Event},
    jobs::{Decision, Instant, JobClass, SpentAccount, State, Tenant},
    store::{
        Store,
        idempotency::Space,
        jobs::{Submission, Submitted},
        ledger::Finish,
        lifecycle::LeaseWatch,
        queue::{Lease, Share},
    },
};
use nightingale_circuits::claim::SizeClass;
use std::{
    ops::ControlFlow,
    time::{Duration, Instant as Moment},
};

/// How long a lease lasts unheard.
const LASTS: Duration = Duration::from_millis(100);

pub(crate) async fn submit(store: &Store, tenant: &Tenant, request: &[u8]) -> Result<()> {
    submit_as(store, tenant, request, 0).await
}

/// Another of the same tenant, for another account.
pub(crate) async fn submit_as(store: &Store, tenant: &Tenant, request: &[u8], number: u8) -> Result<()> {
    let facts = nightingale_records::request::from_json(request)?;
    let submission = Submission {
        tenant,
        space: Space::Claim,
        idempotency_key: &number.to_string(),
        request,
        payer: Some(facts.epoch.payer),
        account: Some(&[number; 36]),
        class: JobClass::Claim(SizeClass::Two),
        priority: 0,
        deadline: None,
        trace: None,
        spent_account: SpentAccount::Rebase,
        entry: Draft::by_service(Event::Accepted),
    };
    anyhow::ensure!(matches!(store.submit(submission, 10, Instant(0)).await?, Submitted::New(_)));
    Ok(())
}

pub(crate) async fn decide(store: &Store, lease: &Lease) -> Result<Decision> {
    let request = nightingale_records::request::from_json(&store.request(lease).await?)?;
    let proof = StandIn::default().prove(&request, &mut |_, _| ControlFlow::Continue(()));
    let proof = proof.map_err(|error| anyhow::anyhow!("{error:?}"))?;
    let opening = proof.opening.as_ref().context("no opening")?;
    Ok(Decision {
        approved: opening.approved,
        reasons: opening.reasons,
        payable: 0,
        proof_json: proof.to_json().into_bytes(),
        public: proof.public,
        key_digest: proof.key.0,
        account_after: None,
        prove_ms: 1,
    })
}

on_both!(
    the_fence_refuses_the_old_holder_in_everything,
    a_lease_is_taken_when_nothing_is_heard_whatever_the_clock_says
);

async fn the_fence_refuses_the_old_holder_in_everything(site: Site) -> Result<()> {
    let store = Store::open(&Config::read(&site.file()?)?).await?;
    let tenant = Tenant::new("north").context("tenant")?;
    submit(&store, &tenant, &Clinic::new()?.file(0, &[1])?).await?;
    assert!(store.lease(Share::Cohorts, Instant(0), LASTS).await?.is_none(), "a claim is no question");
    let old = store.lease(Share::Everything, Instant(0), LASTS).await?.context("nothing to lease")?;
    assert!(store.lease(Share::Everything, Instant(50), LASTS).await?.is_none(), "leased twice");
    let (mut watch, begun) = (LeaseWatch::default(), Moment::now());
    assert!(store.sweep(&mut watch, || begun, 5, Instant(99)).await?.requeued.is_empty(), "taken back early");
    assert_eq!(store.sweep(&mut watch, || begun + LASTS, 5, Instant(100)).await?.requeued, [old.id]);
    let new = store.lease(Share::Everything, Instant(100), LASTS).await?.context("nothing to lease")?;
    assert_eq!((new.id, new.fence), (old.id, old.fence + 1));
    let decision = decide(&store, &old).await?;
    assert_eq!(store.finish(&old, &decision, None, || Instant(110)).await?, Finish::Stale);
    assert!(!store.heartbeat(&old, Instant(900)).await?);
    assert!(!store.release(&old).await?);
    let failure = nightingale::jobs::Failure::new(nightingale::jobs::FailureCode::Internal);
    assert!(!store.fail(&old, &failure, Instant(110)).await?);
    assert_eq!(store.finish(&new, &decision, None, || Instant(120)).await?, Finish::Committed);
    assert_eq!(store.finish(&new, &decision, None, || Instant(121)).await?, Finish::Stale, "committed twice");
    let job = store.job(&tenant, &new.id).await?.context("the job is gone")?;
    assert_eq!((job.state, job.attempts, job.ended), (State::Done, 2, Some(Instant(120))));
    Ok(())
}

async fn a_lease_is_taken_when_nothing_is_heard_whatever_the_clock_says(site: Site) -> Result<()> {
    let store = Store::open(&Config::read(&site.file()?)?).await?;
    let tenant = Tenant::new("north").context("tenant")?;
    submit(&store, &tenant, &Clinic::new()?.file(0, &[1])?).await?;
    let lease = store.lease(Share::Claims, Instant(1_000_000), LASTS).await?.context("nothing to lease")?;
    let (mut one, mut other, begun) = (LeaseWatch::default(), LeaseWatch::default(), Moment::now());
    let year = 365 * 86_400_000;
    // The clock is a year ahead, then a year behind: the holder is heard of, so it keeps its lease.
    for (look, clock) in [(0, year), (1, -year), (2, 0), (3, year)] {
        let swept = store.sweep(&mut one, || begun + LASTS * look, 5, Instant(clock)).await?;
        assert!(swept.requeued.is_empty(), "look {look}");
        assert!(store.heartbeat(&lease, Instant(clock)).await?, "look {look}");
    }
    // Nothing is heard of it any more, and the clock stands still. Who listens later waits as long.
    assert!(store.sweep(&mut one, || begun + LASTS * 4, 5, Instant(0)).await?.requeued.is_empty());
    assert!(store.sweep(&mut other, || begun + LASTS * 5, 5, Instant(0)).await?.requeued.is_empty());
    assert_eq!(store.sweep(&mut one, || begun + LASTS * 5, 5, Instant(0)).await?.requeued, [lease.id]);
    assert!(
        store.sweep(&mut other, || begun + LASTS * 6, 5, Instant(0)).await?.requeued.is_empty(),
        "taken twice"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_heartbeat_keeps_a_proof_that_takes_longer_than_its_lease() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let config = Config { lease: Duration::from_secs(1), workers: 2, ..config(folder.path()) };
    let server = Running::start(config, StandIn::slow(3000)).await?;
    let mut client = server.client().await?;
    let job = client.adjudicate(Clinic::new()?.file(0, &[1])?, keyed("a"), false).await?;
    let job = ended(&mut client, &job.id).await?;
    assert_eq!(job.attempts, 1);
    server.stop().await
}
