//! In which order queued jobs are taken.

use crate::{
    clinic::Clinic,
    custody::tenant,
    running::{Running, config, ended, in_state, keyed},
    site::{Site, on_both},
    stand_in::StandIn,
};
use anyhow::{Context, Result, ensure};
use nightingale::{
    Config,
    audit::{Draft, Event},
    client::Options,
    jobs::{Failure, FailureCode, Instant, JobClass, SpentAccount, Tenant},
    store::{
        Store,
        idempotency::Space,
        jobs::{Submission, Submitted},
        queue::{Lease, Share},
    },
};
use nightingale_circuits::claim::SizeClass;
use nightingale_proto::v1::JobState;
use nightingale_records::request::{from_json, to_json};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn priority_goes_before_deadline_goes_before_age() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let server = Running::start(config(folder.path()), StandIn::held()).await?;
    let (mut client, mut clinic) = (server.client().await?, Clinic::new()?);
    let far = Some(Duration::from_secs(3600));
    let near = Some(Duration::from_secs(1800));
    let options = [
        ("running", 0, None),
        ("plain", 0, None),
        ("far", 0, far),
        ("near", 0, near),
        ("low", -5, near),
        ("high", 7, None),
    ];
    let mut jobs = Vec::new();
    for (member, (key, priority, deadline)) in options.into_iter().enumerate() {
        let request = clinic.request(member, vec![crate::clinic::visit(1)?])?;
        let bytes = to_json(&request).as_bytes().to_vec();
        let commitment = from_json(&bytes)?.claim.commitment(&request.claim_salt);
        let job = client.adjudicate(bytes, Options { priority, deadline, ..keyed(key) }, false).await?;
        if member == 0 {
            in_state(&mut client, &job.id, JobState::Running).await?;
        }
        jobs.push((key, commitment, job.id));
    }
    server.prover.let_go();
    for (_, _, id) in &jobs {
        ended(&mut client, id).await?;
    }
    let order = server.prover.order.lock().map(|order| order.clone()).unwrap_or_default();
    let name = |commitment| jobs.iter().find(|job| job.1 == commitment).map_or("?", |job| job.0);
    let order: Vec<&str> = order.into_iter().map(name).collect();
    assert_eq!(order, ["running", "high", "near", "far", "plain", "low"]);
    server.stop().await
}

/// Puts a job into the queue.
async fn queued(
    store: &Store,
    tenant: &Tenant,
    request: &[u8],
    number: u32,
    class: JobClass,
    (priority, deadline): (i32, Option<Instant>),
) -> Result<()> {
    let payer = nightingale_records::request::from_json(request)?.epoch.payer;
    let submission = Submission {
        tenant,
        space: if matches!(class, JobClass::Claim(_)) { Space::Claim } else { Space::Research },
        idempotency_key: &number.to_string(),
        request,
        payer: Some(payer),
        account: None,
        class,
        priority,
        deadline,
        trace: None,
        spent_account: SpentAccount::Rebase,
        entry: Draft::by_service(Event::Accepted),
    };
    ensure!(matches!(store.submit(submission, 100, Instant(0)).await?, Submitted::New(_)));
    Ok(())
}

const CLAIM: JobClass = JobClass::Claim(SizeClass::Two);
const LASTS: Duration = Duration::from_secs(60);

async fn lease(store: &Store, share: Share) -> Result<Lease> {
    store.lease(share, Instant(1), LASTS).await?.context("nothing to lease")
}

on_both!(
    a_tenant_that_keeps_its_queue_full_keeps_nobody_else_waiting,
    a_tenants_claims_keep_its_own_questions_from_no_turn,
);

async fn a_tenant_that_keeps_its_queue_full_keeps_nobody_else_waiting(site: Site) -> Result<()> {
    let store = Store::open(&Config::read(&site.file()?)?).await?;
    let (north, south, west) = (tenant("north")?, tenant("south")?, tenant("west")?);
    let request = Clinic::new()?.file(0, &[1])?;
    for number in 0..2 {
        queued(&store, &south, &request, number, CLAIM, (0, None)).await?;
    }
    // Before them by its priority, or, as far away as it is, by its deadline.
    for number in 0..50 {
        let deadline = (number % 2 == 0).then_some(Instant(253_402_214_400_000));
        queued(&store, &north, &request, number, CLAIM, (if number < 25 { 100 } else { 0 }, deadline))
            .await?;
    }
    queued(&store, &west, &request, 0, CLAIM, (-100, None)).await?;
    // With one lane no job is leased when the next one is taken.
    let mut served = Vec::new();
    for now in 2..5 {
        let lease = lease(&store, Share::Claims).await?;
        ensure!(store.fail(&lease, &Failure::new(FailureCode::Internal), Instant(now)).await?);
        served.push(lease.tenant.as_str().to_owned());
    }
    assert_eq!(served, ["north", "south", "west"]);
    // With several, the one that holds the fewest is next, however long ago it was served: of another process too.
    let other = Store::attach(&Config::read(&site.file()?)?).await?;
    let first = lease(&other, Share::Claims).await?;
    let second = lease(&other, Share::Claims).await?;
    assert_eq!([first.tenant.as_str(), second.tenant.as_str()], ["north", "south"]);
    assert_eq!(lease(&store, Share::Claims).await?.tenant, north, "who has no jobs holds nobody up");
    other.close().await;
    store.close().await;
    Ok(())
}

/// One lane takes everything, and others claims only.
async fn a_tenants_claims_keep_its_own_questions_from_no_turn(site: Site) -> Result<()> {
    let store = Store::open(&Config::read(&site.file()?)?).await?;
    let (north, south) = (tenant("north")?, tenant("south")?);
    let request = Clinic::new()?.file(0, &[1])?;
    for number in 0..6 {
        queued(&store, &north, &request, number, CLAIM, (0, None)).await?;
    }
    let mut held = Vec::new();
    for _ in 0..6 {
        held.push(lease(&store, Share::Claims).await?);
    }
    let question = JobClass::ALL.into_iter().find(|class| matches!(class, JobClass::Cohort(_)));
    let question = question.context("no class of questions")?;
    for number in 0..4 {
        queued(&store, &south, &request, number, question, (100, None)).await?;
    }
    queued(&store, &north, &request, 9, question, (0, None)).await?;
    let first = lease(&store, Share::Everything).await?;
    let second = lease(&store, Share::Everything).await?;
    assert_eq!([first.tenant.as_str(), second.tenant.as_str()], ["south", "north"]);
    store.close().await;
    Ok(())
}
