//! One name for several requests: each kind has a space of its own, within a kind the first request has it, and a name that an earlier
//! release stored is still known.

use crate::{
    audit::{execute, serving},
    consent_ledger::{granting, revoking},
    custody::tenant,
    site::{Oracle, Site, on_both},
    stand_in::StandIn,
};
use anyhow::{Context, Result, ensure};
use nightingale::{
    Config,
    audit::{Draft, Event},
    client::ClientError,
    jobs::{Instant, JobClass, JobId, SpentAccount},
    store::{
        Store,
        idempotency::Space,
        jobs::{Submission, Submitted},
    },
};
use nightingale_circuits::{claim::SizeClass, cohort::Class};

const CLAIM: JobClass = JobClass::Claim(SizeClass::Two);
const QUESTION: JobClass = JobClass::Cohort(Class::Narrow);
/// What is asked for, and what of.
const KINDS: [(Space, JobClass); 3] =
    [(Space::Claim, CLAIM), (Space::Research, QUESTION), (Space::Oversight, QUESTION)];

on_both!(
    a_name_counts_for_one_kind_of_request_and_one_tenant,
    a_name_that_an_earlier_release_stored_is_known_and_blocks_no_other_kind,
    a_name_counts_for_one_kind_of_request_to_the_ledger_of_consents,
);

async fn submit(
    store: &Store,
    of: &str,
    kind: (Space, JobClass),
    name: &str,
    request: &[u8],
) -> Result<Submitted> {
    let (space, class) = kind;
    let tenant = tenant(of)?;
    let submission = Submission {
        tenant: &tenant,
        space,
        idempotency_key: name,
        request,
        payer: None,
        account: None,
        class,
        priority: 0,
        deadline: None,
        spent_account: SpentAccount::Fail,
        entry: Draft::by_service(Event::Accepted),
        trace: None,
    };
    Ok(store.submit(submission, 100, Instant::now()).await?)
}

fn new(submitted: Submitted) -> Result<JobId> {
    match submitted {
        Submitted::New(job) => Ok(job.id),
        Submitted::Known(job) => anyhow::bail!("answered with {}", job.id),
        Submitted::KeyReused => anyhow::bail!("blocked"),
        _ => anyhow::bail!("not accepted"),
    }
}

async fn a_name_counts_for_one_kind_of_request_and_one_tenant(site: Site) -> Result<()> {
    let store = Store::open(&Config::read(&site.file()?)?).await?;
    for of in ["north", "south"] {
        let mut jobs = Vec::new();
        // The same bytes even: what they are depends on who reads them.
        for kind in KINDS {
            jobs.push(new(submit(&store, of, kind, "k", b"{}").await?).with_context(|| format!("{kind:?}"))?);
        }
        for (kind, id) in KINDS.into_iter().zip(jobs) {
            let again = submit(&store, of, kind, "k", b"{}").await?;
            ensure!(matches!(again, Submitted::Known(job) if job.id == id), "not the job of {kind:?}");
            let found = store.find(&tenant(of)?, kind.0, "k", b"{}").await?;
            ensure!(matches!(found, Some(Submitted::Known(job)) if job.id == id), "{kind:?} is not found");
            let other = submit(&store, of, kind, "k", b"{ }").await?;
            ensure!(matches!(other, Submitted::KeyReused), "two requests of {kind:?} under one name");
        }
    }
    store.close().await;
    Ok(())
}

async fn a_name_that_an_earlier_release_stored_is_known_and_blocks_no_other_kind(site: Site) -> Result<()> {
    let oracle = site.oracle().await?;
    let store = Store::open(&Config::read(&site.file()?)?).await?;
    let north = tenant("north")?;
    for (kind, name) in [(KINDS[0], "claim"), (KINDS[1], "question")] {
        let id = new(submit(&store, "north", kind, name, b"{}").await?)?;
        // As it was stored: one space for all.
        let digest = hex::encode(store.seal(&north).await?.digest("idempotency", &[name.as_bytes()]));
        let (digest, id_text) = match oracle {
            Oracle::Sqlite(_) => (format!("x'{digest}'"), format!("x'{id}'")),
            Oracle::Postgres(_) => (format!("'\\x{digest}'"), format!("'\\x{id}'")),
        };
        execute(&oracle, &format!("UPDATE jobs SET idempotency = {digest} WHERE id = {id_text}")).await?;
        let again = submit(&store, "north", kind, name, b"{}").await?;
        ensure!(matches!(again, Submitted::Known(job) if job.id == id), "done twice after an upgrade");
        ensure!(matches!(submit(&store, "north", kind, name, b"{ }").await?, Submitted::KeyReused));
        let other = if kind == KINDS[0] { KINDS[1] } else { KINDS[0] };
        new(submit(&store, "north", other, name, b"{}").await?)?;
    }
    store.close().await;
    Ok(())
}

async fn a_name_counts_for_one_kind_of_request_to_the_ledger_of_consents(site: Site) -> Result<()> {
    let server = serving(&site, StandIn::default()).await?;
    let mut client = server.client().await?;
    ensure!(!client.grant(granting("k", 1, "", "", true)).await?.known);
    ensure!(!client.publish_consents("k").await?.known);
    ensure!(!client.revoke(revoking("k", 1)).await?.known);
    // Each again is answered as before.
    ensure!(client.grant(granting("k", 1, "", "", true)).await?.known);
    ensure!(client.publish_consents("k").await?.known);
    ensure!(client.revoke(revoking("k", 1)).await?.known);
    let other = client.grant(granting("k", 2, "", "", true)).await;
    ensure!(matches!(other, Err(ClientError::Refused { reason, .. }) if reason == "IDEMPOTENCY_KEY_REUSED"));
    ensure!(client.consents(Vec::new(), true, 10).await?.len() == 2);
    server.stop().await
}
