//! A consent authority's epochs on the chain: the newest root once, again only when asked, and never from a list that is older than the chain.

use super::{
    proofs::root,
    world::{World, program, said, secret},
};
use alloy_primitives::B256;
use anyhow::{Result, ensure};
use nightingale_contracts::bindings::Registry::{consentStampCall, newestConsentRootCall};
use nightingale_poster::{How, PosterError};
use nightingale_verifier::{ConsentEpoch, ConsentEpochs, expectation::parse_root};
use serde_json::json;
use std::fs;

fn epochs(labels: &[&str]) -> Result<ConsentEpochs> {
    let epochs = (1..).zip(labels).map(|(number, label)| {
        let root = parse_root(&root(label).to_string(), "root")?;
        Ok(ConsentEpoch { number, root, published: 1_768_400_000 + number })
    });
    Ok(ConsentEpochs::new(epochs.collect::<Result<_>>()?)?)
}

/// In the world, `consents` is the newest root.
#[tokio::test(flavor = "multi_thread")]
async fn the_newest_root_is_published_once_and_renewed_when_asked() -> Result<()> {
    let Some(world) = World::new().await? else { return Ok(()) };
    let poster = world.poster("operator", |terms| terms).await?;
    let (deployment, authority) = (&world.deployment, poster.address());
    let newest = async || poster.node().ask(deployment.registry, &newestConsentRootCall { authority }).await;
    let first = poster.publish_consents(deployment, &epochs(&["consents"])?, false).await?;
    ensure!(first.is_none(), "{first:?}");
    let list = epochs(&["consents", "revoked"])?;
    let posted = poster.publish_consents(deployment, &list, false).await?;
    ensure!(posted.is_some_and(|posted| posted.how == How::Sent) && newest().await? == root("revoked"));
    ensure!(poster.publish_consents(deployment, &list, false).await?.is_none());
    // Back to a root that this outbox has published before, and forth again.
    for labels in [&["consents", "revoked", "consents"][..], &["consents", "revoked", "consents", "revoked"]]
    {
        let posted = poster.publish_consents(deployment, &epochs(labels)?, false).await?;
        ensure!(posted.is_some_and(|posted| posted.how == How::Sent), "{labels:?}");
    }
    ensure!(newest().await? == root("revoked"));
    let stamp = async || {
        let call = consentStampCall { authority, consentRoot: root("revoked") };
        poster.node().ask(deployment.registry, &call).await
    };
    let before = stamp().await?.publishedAt;
    world.anvil.ask("evm_increaseTime", json!([86_400]))?;
    let renewed = poster.publish_consents(deployment, &list, true).await?;
    ensure!(renewed.is_some_and(|posted| posted.how == How::Sent));
    ensure!(stamp().await?.publishedAt >= before + 86_400, "its age did not start anew");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_list_and_strangers_publish_nothing() -> Result<()> {
    let Some(world) = World::new().await? else { return Ok(()) };
    let poster = world.poster("operator", |terms| terms).await?;
    let mined = || world.anvil.mined_of(poster.address());
    let before = mined()?;
    // It ends before what the chain has: it would bring revoked consents back.
    let older = poster.publish_consents(&world.deployment, &epochs(&["long ago"])?, true).await;
    let Err(error @ PosterError::ConsentListBehind { .. }) = older else { anyhow::bail!("{older:?}") };
    ensure!(error.to_string().contains(&root("consents").to_string()) && mined()? == before, "{error}");
    let stranger = world.poster("stranger", |terms| terms).await?;
    let refused = stranger.publish_consents(&world.deployment, &epochs(&["mine"])?, false).await;
    ensure!(refused.err().is_some_and(|error| error.to_string().contains("NotAuthority")));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_takes_the_file_that_the_service_writes() -> Result<()> {
    let Some(world) = World::new().await? else { return Ok(()) };
    fs::write(world.path("epochs.json"), epochs(&["consents", "c2"])?.to_json())?;
    fs::write(world.path("deployment.json"), serde_json::to_string(&world.deployment)?)?;
    let run = |more: &[&str]| {
        let mut command = program(world.folder.path());
        command.args(["publish-consents", "--json", "--rpc", &world.anvil.url()]);
        command.args(["--deployment", "deployment.json"]).args(more);
        said(
            &command
                .current_dir(world.folder.path())
                .env("NIGHTINGALE_POSTER_KEY", secret("operator"))
                .output()?,
        )
    };
    let (code, report, stderr) = run(&["--consents", "epochs.json"])?;
    ensure!(code == 0 && report[0]["how"] == "sent", "{code} {report} {stderr}");
    let (code, report, _) = run(&["--consents", "epochs.json"])?;
    ensure!(code == 0 && report == json!([]), "{code} {report}");
    ensure!(
        run(&[])?.0 == 2 && run(&["--root", &B256::ZERO.to_string(), "--consents", "epochs.json"])?.0 == 2
    );
    fs::write(world.path("epochs.json"), "{}")?;
    ensure!(run(&["--consents", "epochs.json"])?.0 == 2);
    Ok(())
}
