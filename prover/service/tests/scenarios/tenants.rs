//! One tenant never sees, steers or blocks another's jobs.

use crate::{
    clinic::{Clinic, result},
    running::{Running, SOON, config, keyed},
    stand_in::StandIn,
};
use anyhow::Result;
use nightingale::client::{Client, ClientError};
use nightingale_proto::v1::JobState;
use std::os::unix::fs::PermissionsExt;

#[tokio::test(flavor = "multi_thread")]
async fn another_tenants_job_is_not_found() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let server = Running::start(config(folder.path()), StandIn::default()).await?;
    let (mut north, mut south) = (server.client().await?, server.client_of("south").await?);
    let request = Clinic::new()?.file(0, &[1])?;
    let job = north.adjudicate(request.clone(), keyed("k"), true).await?;
    let missing = |answer: Result<_, ClientError>| matches!(answer, Err(ClientError::Refused { code: tonic::Code::NotFound, ref reason, .. }) if reason == "JOB_UNKNOWN");
    assert!(missing(south.job(&job.id).await));
    assert!(missing(south.cancel(&job.id).await));
    assert!(missing(south.watch(&job.id, SOON, |_| {}).await));
    assert!(south.jobs(&[], 100).await?.is_empty());
    // The ledger is a tenant's own too: the same claim is no duplicate elsewhere.
    assert!(result(&south.adjudicate(request, keyed("k"), true).await?)?.approved);
    assert_eq!(north.jobs(&[], 100).await?.len(), 1);
    server.stop().await
}

/// A statement with a parameter for each is seconds of work, and stays in a connection's memory.
#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_a_state_told_forty_thousand_times_is_a_list_of_it() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let server = Running::start(config(folder.path()), StandIn::default()).await?;
    let (mut client, mut clinic) = (server.client().await?, Clinic::new()?);
    let done = client.adjudicate(clinic.file(0, &[1])?, keyed("k"), true).await?;
    let listed = client.jobs(&[JobState::Done; 40_000], 100).await?;
    assert_eq!(listed.iter().map(|job| job.id.as_str()).collect::<Vec<_>>(), [done.id]);
    assert!(client.jobs(&[JobState::Queued; 40_000], 100).await?.is_empty());
    server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_refuses_a_name_that_is_no_tenant() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let server = Running::start(config(folder.path()), StandIn::default()).await?;
    let mut nobody: Client = server.client_of("").await?;
    let id = "0".repeat(32);
    let answers = [
        nobody.job(&id).await.err(),
        nobody.cancel(&id).await.err(),
        nobody.jobs(&[], 1).await.err(),
        nobody.keys().await.err(),
        nobody.epoch(vec![1; 12]).await.err(),
        nobody.publish(None, None).await.err(),
        nobody.adjudicate(Vec::new(), keyed("k"), false).await.err(),
        nobody.consents(Vec::new(), true, 1).await.err(),
        nobody.publish_consents("k").await.err(),
        nobody.consent_epochs().await.err(),
        nobody.consent_register(0).await.err(),
        nobody.revoke_subjects("k", vec![1; 32], vec!["s".to_owned()]).await.err(),
        nobody.grant(crate::consent_ledger::granting("k", 0, "", "", true)).await.err(),
        nobody.revoke(crate::consent_ledger::revoking("k", 0)).await.err(),
        nobody.watch(&id, SOON, |_| {}).await.err(),
    ];
    for answer in answers {
        let text = answer.map(|error| error.to_string()).unwrap_or_default();
        assert!(text.starts_with("tenant: "), "{text:?}");
    }
    // A folder has a tenant's name: these would be other tenants' folders.
    for name in [".", "..", ".north", "a/b", "North"] {
        let answer = server.client_of(name).await?.keys().await.err();
        let text = answer.map(|error| error.to_string()).unwrap_or_default();
        assert!(text.starts_with("tenant: "), "{name}: {text:?}");
    }
    let mode = |name: &str| {
        std::fs::metadata(folder.path().join(name)).map(|data| data.permissions().mode() & 0o777)
    };
    assert_eq!((mode("data")?, mode("data/jobs.sqlite")?), (0o700, 0o600));
    server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_comes_in_pages_the_newest_first() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let server = Running::start(config(folder.path()), StandIn::default()).await?;
    let (mut client, mut clinic) = (server.client().await?, Clinic::new()?);
    let mut ids = Vec::new();
    for member in 0..5 {
        ids.insert(
            0,
            client.adjudicate(clinic.file(member, &[1])?, keyed(&format!("{member}")), true).await?.id,
        );
    }
    let listed: Vec<String> = client.jobs(&[], 3).await?.into_iter().map(|job| job.id).collect();
    assert_eq!(listed, ids[..3]);
    let done = client.jobs(&[nightingale_proto::v1::JobState::Done], 100).await?;
    assert_eq!(done.len(), 5);
    assert!(client.jobs(&[nightingale_proto::v1::JobState::Failed], 100).await?.is_empty());
    server.stop().await
}
