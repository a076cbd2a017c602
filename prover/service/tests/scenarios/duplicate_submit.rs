//! The same request comes twice, or one key comes with two requests.

use crate::{
    clinic::{Clinic, result},
    running::{Running, config, keyed},
    stand_in::StandIn,
};
use anyhow::Result;
use nightingale::client::ClientError;
use std::collections::HashSet;

#[tokio::test(flavor = "multi_thread")]
async fn the_same_request_under_the_same_key_is_the_same_job() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let server = Running::start(config(folder.path()), StandIn::slow(100)).await?;
    let request = Clinic::new()?.file(0, &[1])?;
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..12 {
        let (mut client, request) = (server.client().await?, request.clone());
        calls.spawn(async move { client.adjudicate(request, keyed("once"), true).await });
    }
    let mut ids = HashSet::new();
    while let Some(job) = calls.join_next().await {
        let job = job??;
        assert!(result(&job)?.approved);
        ids.insert(job.id);
    }
    assert_eq!(ids.len(), 1);
    let mut client = server.client().await?;
    let again = client.adjudicate(request, keyed("once"), true).await?;
    assert!(ids.contains(&again.id), "asked again after the end");
    assert_eq!(again.attempts, 1);
    server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_names_one_request_of_its_tenant() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let server = Running::start(config(folder.path()), StandIn::default()).await?;
    let (mut client, mut clinic) = (server.client().await?, Clinic::new()?);
    let first = client.adjudicate(clinic.file(0, &[1])?, keyed("k"), true).await?;
    let reused = client.adjudicate(clinic.file(1, &[1])?, keyed("k"), true).await;
    assert!(matches!(
        reused,
        Err(ClientError::Refused { code: tonic::Code::AlreadyExists, ref reason, .. })
            if reason == "IDEMPOTENCY_KEY_REUSED"
    ));
    let mut other = server.client_of("south").await?;
    let elsewhere = other.adjudicate(clinic.file(1, &[1])?, keyed("k"), true).await?;
    assert_ne!(first.id, elsewhere.id);
    server.stop().await
}
