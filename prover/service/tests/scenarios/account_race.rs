//! Two claims race for one account: the second waits for the payer to publish what the first left, and is proven on it.

use crate::{
    clinic::{Clinic, failure, next_note, published, result},
    late_result::submit,
    running::{Running, SOON, config, in_state, keyed},
    site::{Site, on_both},
    stand_in::StandIn,
};
use anyhow::{Context, Result, ensure};
use nightingale::{
    Config,
    audit::{Draft, Event},
    client::{Client, Options, epoch_message},
    jobs::{Instant, Tenant, Waiting},
    store::{
        Store,
        accounts::{Publication, PublishedAccounts},
        queue::{SetAside, Share},
    },
};
use nightingale_proto::v1::{self, JobState};
use std::time::Duration;

/// Takes the one that ends first out of `ids`: lanes that look in the same moment may take claims of one account in any order.
async fn first_to_end(client: &mut Client, ids: &mut Vec<String>) -> Result<v1::Job> {
    let looking = async {
        loop {
            for (place, id) in ids.iter().enumerate() {
                let job = client.job(id).await?;
                if job.state() == JobState::Done {
                    return anyhow::Ok((place, job));
                }
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let (place, job) = tokio::time::timeout(SOON, looking).await.context("none of them ends")??;
    ids.remove(place);
    Ok(job)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_losing_claim_is_moved_onto_the_newer_account_and_proven() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let server = Running::start(Config { workers: 3, ..config(folder.path()) }, StandIn::slow(150)).await?;
    let (mut client, mut clinic) = (server.client().await?, Clinic::new()?);
    let mut ids = Vec::new();
    for (key, day) in [("a", 1), ("b", 2), ("c", 3)] {
        ids.push(client.adjudicate(clinic.file(0, &[day])?, keyed(key), false).await?.id);
    }
    let first = first_to_end(&mut client, &mut ids).await?;
    let after_first = result(&first)?.account_after.context("no account")?;
    for id in &ids {
        let waiting = in_state(&mut client, id, JobState::Waiting).await?.waiting.context("no reason")?;
        assert_eq!(waiting.reason, "ACCOUNT_UNPUBLISHED");
    }
    // A register without the note changes nothing.
    let strange = published(clinic.epoch(), 1, &[5u64.into()])?;
    assert_eq!(client.publish(None, Some(strange)).await?.resumed_jobs, 2);
    for id in &ids {
        in_state(&mut client, id, JobState::Waiting).await?;
    }
    let mut notes = vec![next_note(&first)?];
    client.publish(Some(epoch_message(clinic.epoch())), Some(published(clinic.epoch(), 2, &notes)?)).await?;
    let second = first_to_end(&mut client, &mut ids).await?;
    assert_eq!(second.rebases, 1);
    let after_second = result(&second)?.account_after.context("no account")?;
    assert_eq!((after_first.version, after_second.version), (1, 2));
    assert!(after_second.out_of_pocket_cents < after_first.out_of_pocket_cents, "judged on the old balances");
    let spent = |job| anyhow::Ok(result(job)?.public_inputs.as_ref().map(|public| public.spend_tag.clone()));
    assert_ne!(spent(&first)?, spent(&second)?);
    in_state(&mut client, &ids[0], JobState::Waiting).await?;
    notes.push(next_note(&second)?);
    assert_eq!(client.publish(None, Some(published(clinic.epoch(), 3, &notes)?)).await?.resumed_jobs, 1);
    let third = first_to_end(&mut client, &mut ids).await?;
    assert_eq!(result(&third)?.account_after.context("no account")?.version, 3);
    let overlapped = server.prover.overlapped.lock().map_or(true, |overlapped| *overlapped);
    assert!(!overlapped, "two claims of one account were in hand at once");
    server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_that_must_not_wait_fails_with_the_reason() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let server = Running::start(config(folder.path()), StandIn::default()).await?;
    let (mut client, mut clinic) = (server.client().await?, Clinic::new()?);
    client.adjudicate(clinic.file(0, &[1])?, keyed("a"), true).await?;
    let impatient = Options { spent_account: v1::SpentAccount::Fail, ..keyed("b") };
    let job = client.adjudicate(clinic.file(0, &[2])?, impatient, true).await?;
    assert_eq!(failure(&job)?.code, "ACCOUNT_SPENT");
    assert!(failure(&job)?.message.contains("publish"), "does not say what to do next");
    server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denial_neither_spends_nor_waits() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let server = Running::start(config(folder.path()), StandIn::default()).await?;
    let (mut client, mut clinic) = (server.client().await?, Clinic::new()?);
    for key in ["a", "b"] {
        let mut uncovered = crate::clinic::visit(1)?;
        uncovered.code =
            nightingale_circuits::claim::Code::new(nightingale_circuits::claim::CodeSystem::Cpt, "99999")?;
        let request = clinic.request(0, vec![uncovered])?;
        let bytes = nightingale_records::request::to_json(&request).as_bytes().to_vec();
        let job = client.adjudicate(bytes, keyed(key), true).await?;
        assert_eq!(result(&job)?.reasons, ["96"]);
    }
    server.stop().await
}

on_both!(a_claim_is_not_set_aside_for_what_was_published_meanwhile);

/// Nobody has to live on for it: what looks and what sets aside is one transaction, and so is what publishes and what resumes.
async fn a_claim_is_not_set_aside_for_what_was_published_meanwhile(site: Site) -> Result<()> {
    let store = Store::open(&Config::read(&site.file()?)?).await?;
    let (tenant, file) = (Tenant::new("north").context("tenant")?, Clinic::new()?.file(0, &[1])?);
    let payer = nightingale_records::request::from_json(&file)?.epoch.payer;
    let publish = async |revision: u64| {
        let accounts = PublishedAccounts { revision, root: revision.into(), notes: Vec::new() };
        let entry = Draft::by_service(Event::Published);
        store.publish_accounts(&tenant, payer, &accounts, entry, Instant(0)).await
    };
    let lease = async || store.lease(Share::Claims, Instant(0), SOON).await;
    let unpublished = Waiting::AccountUnpublished;
    submit(&store, &tenant, &file).await?;
    let first = lease().await?.context("nothing to lease")?;
    let id = first.id;
    assert_eq!(publish(1).await?, (Publication::Published, Vec::new()));
    assert_eq!(store.set_aside(&first, unpublished, None).await?, SetAside::Overtaken);

    let second = lease().await?.context("it waits for what was published")?;
    assert_eq!(publish(2).await?, (Publication::Published, Vec::new()));
    assert_eq!(store.set_aside(&second, unpublished, Some(1)).await?, SetAside::Overtaken);

    let third = lease().await?.context("it waits for what was published")?;
    assert_eq!(store.set_aside(&second, unpublished, Some(2)).await?, SetAside::Gone);
    assert_eq!(store.set_aside(&third, unpublished, Some(2)).await?, SetAside::Waiting);
    ensure!(lease().await?.is_none(), "it waits, and is leased");
    assert_eq!(publish(3).await?, (Publication::Published, vec![id]));

    let fourth = lease().await?.context("it was not queued with the publication")?;
    assert_eq!(store.set_aside(&fourth, unpublished, Some(3)).await?, SetAside::Waiting);
    assert_eq!(publish(3).await?, (Publication::Known, vec![id]), "told again, it resumes again");
    Ok(())
}
