//! The database cannot grow any more, and later it can again.

use crate::{
    clinic::{Clinic, result},
    running::{Running, config, ended, keyed},
    stand_in::StandIn,
};
use anyhow::{Context, Result};
use nightingale::{Config, client::ClientError};

#[tokio::test(flavor = "multi_thread")]
async fn what_was_accepted_is_kept_and_what_was_not_is_said() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let small = Config { database_mebibytes: Some(1), ..config(folder.path()) };
    let server = Running::start(small.clone(), StandIn::slow(40)).await?;
    let (mut client, mut clinic) = (server.client().await?, Clinic::new()?);
    let mut accepted = Vec::new();
    let full = loop {
        let member = accepted.len() % 8;
        let day = 1 + u32::try_from(accepted.len() / 8)?;
        anyhow::ensure!(day < 28, "the database never filled");
        let key = format!("k{}", accepted.len());
        match client.adjudicate(clinic.file(member, &[day])?, keyed(&key), false).await {
            Ok(job) => accepted.push(job.id),
            Err(error) => break error,
        }
    };
    assert!(
        matches!(full, ClientError::Unavailable { ref reason, .. } if reason == "STORAGE_FULL"),
        "{full}"
    );
    assert!(accepted.len() > 5);
    // Witnesses of ended jobs make room: what was accepted goes on without anybody's help.
    for id in accepted.iter().take(8) {
        assert!(result(&ended(&mut client, id).await?)?.approved);
    }
    server.stop().await?;
    let server = Running::start(Config { database_mebibytes: None, ..small }, StandIn::default()).await?;
    let mut client = server.client().await?;
    let listed = client.jobs(&[], 1000).await?;
    assert_eq!(listed.len(), accepted.len(), "a job was lost, or accepted without saying so");
    let last = accepted.last().context("nothing was accepted")?;
    client.adjudicate(clinic.file(7, &[28])?, keyed("after"), false).await?;
    assert!(client.job(last).await.is_ok());
    server.stop().await
}
