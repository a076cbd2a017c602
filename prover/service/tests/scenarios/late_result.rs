//! A lease runs out, another worker takes the job, and the first one comes back with a result.

use crate::{
    clinic::Clinic,
    running::{Running, config, ended, keyed},
    stand_in::StandIn,
};
use anyhow::{Context, Result};
use nightingale::{
    adjudicator::Adjudicator,
    jobs::{Decision, Instant, JobClass, SpentAccount, State, Tenant},
    store::{
        Store,
        jobs::{Submission, Submitted},
        ledger::Finish,
        queue::Lease,
    },
};
use nightingale_circuits::claim::SizeClass;
use std::{ops::ControlFlow, time::Duration};

async fn submit(store: &Store, tenant: &Tenant, request: &[u8]) -> Result<()> {
    let facts = nightingale_records::request::from_json(request)?;
    let submission = Submission {
        tenant,
        idempotency_key: "k",
        request,
        payer: Some(facts.epoch.payer),
        account: Some(&[1; 36]),
        class: JobClass::Claim(SizeClass::Two),
        priority: 0,
        deadline: None,
        spent_account: SpentAccount::Rebase,
    };
    anyhow::ensure!(matches!(store.submit(submission, 10, Instant(0)).await?, Submitted::New(_)));
    Ok(())
}

fn decide(lease: &Lease) -> Result<Decision> {
    let bytes = lease.request.as_ref().map_err(|error| anyhow::anyhow!("{error}"))?;
    let request = nightingale_records::request::from_json(bytes)?;
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

#[tokio::test]
async fn the_fence_refuses_the_old_holder_in_everything() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let store = Store::open(&config(folder.path())).await?;
    let tenant = Tenant::new("north").context("tenant")?;
    submit(&store, &tenant, &Clinic::new()?.file(0, &[1])?).await?;
    let old = store.lease(Instant(0), Instant(100)).await?.context("nothing to lease")?;
    assert!(store.lease(Instant(50), Instant(150)).await?.is_none(), "leased twice");
    assert!(store.sweep(5, Instant(99)).await?.requeued.is_empty(), "taken back early");
    assert_eq!(store.sweep(5, Instant(100)).await?.requeued, [old.id]);
    let new = store.lease(Instant(100), Instant(200)).await?.context("nothing to lease")?;
    assert_eq!((new.id, new.fence), (old.id, old.fence + 1));
    let decision = decide(&old)?;
    assert_eq!(store.finish(&old, &decision, None, Instant(110)).await?, Finish::Stale);
    assert!(!store.heartbeat(&old, Instant(900)).await?);
    assert!(!store.release(&old).await?);
    let failure = nightingale::jobs::Failure::new(nightingale::jobs::FailureCode::Internal);
    assert!(!store.fail(&old, &failure, Instant(110)).await?);
    assert_eq!(store.finish(&new, &decision, None, Instant(120)).await?, Finish::Committed);
    assert_eq!(store.finish(&new, &decision, None, Instant(121)).await?, Finish::Stale, "committed twice");
    let job = store.job(&tenant, &new.id).await?.context("the job is gone")?;
    assert_eq!((job.state, job.attempts, job.ended), (State::Done, 2, Some(Instant(120))));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_heartbeat_keeps_a_proof_that_takes_longer_than_its_lease() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let config =
        nightingale::Config { lease: Duration::from_millis(600), workers: 2, ..config(folder.path()) };
    let server = Running::start(config, StandIn::slow(2500)).await?;
    let mut client = server.client().await?;
    let job = client.adjudicate(Clinic::new()?.file(0, &[1])?, keyed("a"), false).await?;
    let job = ended(&mut client, &job.id).await?;
    assert_eq!(job.attempts, 1);
    server.stop().await
}
