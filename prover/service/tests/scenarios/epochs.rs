//! Payers publish epochs, and requests of older ones are refused.

use crate::{
    clinic::{Clinic, published, result},
    running::{Running, config, keyed},
    stand_in::StandIn,
};
use anyhow::Result;
use nightingale::{
    Config,
    client::{ClientError, Options, epoch_message},
    config::Retention,
};
use nightingale_proto::v1::EpochCheck;
use std::time::Duration;

fn reason<T>(answer: Result<T, ClientError>) -> String {
    match answer {
        Err(ClientError::Refused { reason, .. } | ClientError::Unavailable { reason, .. }) => reason,
        Err(other) => other.to_string(),
        Ok(_) => "accepted".into(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_newest_epoch_and_the_one_before_within_its_grace_are_accepted() -> Result<()> {
    for (grace, expected) in [(Duration::from_secs(3600), "accepted"), (Duration::ZERO, "EPOCH_SUPERSEDED")] {
        let folder = tempfile::tempdir()?;
        let config = Config {
            retention: Retention { epoch_grace: grace, ..Retention::default() },
            ..config(folder.path())
        };
        let server = Running::start(config, StandIn::default()).await?;
        let mut client = server.client().await?;
        let (mut first, mut second, mut third) = (Clinic::at(1)?, Clinic::at(2)?, Clinic::at(3)?);
        let required = Options { epoch_check: EpochCheck::Required, ..keyed("unpublished") };
        assert_eq!(reason(client.adjudicate(first.file(0, &[1])?, required, false).await), "EPOCH_UNKNOWN");
        for clinic in [&first, &second, &third] {
            client.publish(Some(epoch_message(clinic.epoch())), None).await?;
        }
        assert_eq!(reason(client.adjudicate(third.file(0, &[1])?, keyed("newest"), false).await), "accepted");
        assert_eq!(reason(client.adjudicate(second.file(1, &[1])?, keyed("before"), false).await), expected);
        assert_eq!(
            reason(client.adjudicate(first.file(2, &[1])?, keyed("old"), false).await),
            "EPOCH_SUPERSEDED"
        );
        let unchecked = Options { epoch_check: EpochCheck::None, ..keyed("unchecked") };
        assert!(result(&client.adjudicate(first.file(3, &[1])?, unchecked, true).await?)?.approved);
        server.stop().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publication_is_checked_and_kept() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let server = Running::start(config(folder.path()), StandIn::default()).await?;
    let mut client = server.client().await?;
    let clinic = Clinic::at(5)?;
    let good = epoch_message(clinic.epoch());
    client.publish(Some(good.clone()), None).await?;
    client.publish(Some(good.clone()), None).await?;
    let mut other = good.clone();
    other.chain_id += 1;
    assert_eq!(reason(client.publish(Some(other), None).await), "EPOCH_DIFFERS");
    assert_eq!(reason(client.publish(Some(epoch_message(Clinic::at(4)?.epoch())), None).await), "EPOCH_OLD");
    let mut unreduced = good.clone();
    unreduced.policy_root = vec![0xff; 32];
    assert_eq!(reason(client.publish(Some(unreduced), None).await), "INVALID");
    let notes = [3u64.into(), 4u64.into()];
    let mut wrong = published(clinic.epoch(), 7, &notes)?;
    wrong.notes.pop();
    assert_eq!(reason(client.publish(None, Some(wrong)).await), "INVALID", "notes that do not give the root");
    client.publish(None, Some(published(clinic.epoch(), 7, &notes)?)).await?;
    assert_eq!(
        reason(client.publish(None, Some(published(clinic.epoch(), 6, &notes)?)).await),
        "ACCOUNTS_OLD"
    );
    assert_eq!(
        reason(client.publish(None, Some(published(clinic.epoch(), 7, &notes[..1])?)).await),
        "ACCOUNTS_DIFFER"
    );
    assert_eq!(reason(client.publish(None, None).await), "INVALID");
    server.stop().await?;
    let server = Running::start(config(folder.path()), StandIn::default()).await?;
    let kept = server.client().await?.epoch(good.payer.clone()).await?;
    assert_eq!((kept.epoch.as_ref(), kept.accounts_revision), (Some(&good), 7));
    let elsewhere = server.client_of("south").await?.epoch(good.payer).await;
    assert_eq!(reason(elsewhere), "EPOCH_UNKNOWN", "another tenant sees it");
    server.stop().await
}
