//! New consents are published once, in order, by the sponsor alone; and confirmed once, by a registrar alone.

use super::{
    super::world::{account, said},
    fixture::{dataset, table_of, trial},
    world::World,
};
use anyhow::{Context, Result, ensure};
use nightingale_contracts::bindings::Registry::datasetCall;
use nightingale_poster::{How, PosterError};

#[tokio::test(flavor = "multi_thread")]
async fn what_the_chain_does_not_know_is_published_once() -> Result<()> {
    let both = trial(2)?;
    let Some(world) = World::with(&trial(1)?).await? else { return Ok(()) };
    let poster = world.poster("sponsor", |terms| terms).await?;
    let publish = || poster.publish_dataset_consents(&world.deployment, &both, Some("ADSL"));
    let posted = publish().await?;
    ensure!(posted.len() == 1 && posted[0].how == How::Sent, "{posted:?}");
    let found =
        poster.node().ask(world.deployment.registry, &datasetCall { table: table_of("main")? }).await?;
    ensure!(found.versions.to::<u32>() == 2);
    let again = publish().await?;
    ensure!(again.len() == 1 && again[0].how == How::AlreadyDone && again[0].mined == posted[0].mined);
    ensure!(world.anvil.mined_of(poster.address())? == 1);
    // From another outbox there is nothing left to do.
    drop(poster);
    std::fs::rename(world.path("sponsor.sqlite"), world.path("kept"))?;
    for file in ["sponsor.sqlite-wal", "sponsor.sqlite-shm"] {
        let _ = std::fs::remove_file(world.path(file));
    }
    let fresh = world.poster("sponsor", |terms| terms).await?;
    ensure!(fresh.publish_dataset_consents(&world.deployment, &both, None).await?.is_empty());
    ensure!(world.anvil.mined_of(fresh.address())? == 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_older_files_and_unknown_tables_are_refused() -> Result<()> {
    let both = trial(2)?;
    let Some(world) = World::with(&trial(1)?).await? else { return Ok(()) };
    let stranger = world.poster("stranger", |terms| terms).await?;
    let error = stranger.publish_dataset_consents(&world.deployment, &both, None).await.err();
    let error = error.context("a stranger published")?;
    ensure!(error.to_string().contains("NotSponsor"), "{error}");
    let sponsor = world.poster("sponsor", |terms| terms).await?;
    let publish =
        async |dataset, table| sponsor.publish_dataset_consents(&world.deployment, dataset, table).await;
    let other = dataset("other", 2, &["main"])?;
    ensure!(matches!(publish(&other, None).await, Err(PosterError::TableNotRegistered { .. })));
    ensure!(matches!(publish(&both, Some("adae")).await, Err(PosterError::Malformed { .. })));
    publish(&both, None).await?;
    let behind = publish(&trial(1)?, None).await;
    ensure!(matches!(behind, Err(PosterError::ConsentsBehind { known: 1, published: 2, .. })), "{behind:?}");
    ensure!(world.anvil.mined_of(sponsor.address())? == 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn consents_under_another_first_version_are_not_published() -> Result<()> {
    let Some(world) = World::with(&trial(1)?).await? else { return Ok(()) };
    let mut forked = trial(2)?;
    forked.tables_mut()[0].consents.swap(0, 1);
    let sponsor = world.poster("sponsor", |terms| terms).await?;
    let refused = sponsor.publish_dataset_consents(&world.deployment, &forked, None).await;
    ensure!(matches!(refused, Err(PosterError::ConsentsDiffer { version: 0, .. })), "{refused:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_consents_are_confirmed_once_by_a_registrar() -> Result<()> {
    let both = trial(2)?;
    let Some(world) = World::with(&trial(1)?).await? else { return Ok(()) };
    let registrar = world.poster("operator", |terms| terms).await?;
    let confirm = || registrar.confirm_dataset_consents(&world.deployment, &both, None);
    ensure!(confirm().await?.is_empty(), "the first are confirmed with their table");
    let sponsor = world.poster("sponsor", |terms| terms).await?;
    sponsor.publish_dataset_consents(&world.deployment, &both, None).await?;
    let refused = sponsor.confirm_dataset_consents(&world.deployment, &both, None).await.err();
    ensure!(refused.as_ref().is_some_and(|error| error.to_string().contains("RoleMissing")), "{refused:?}");
    let behind = registrar.confirm_dataset_consents(&world.deployment, &trial(1)?, None).await;
    ensure!(matches!(behind, Err(PosterError::ConsentsBehind { .. })), "{behind:?}");
    let posted = confirm().await?;
    ensure!(posted.len() == 1 && posted[0].how == How::Sent, "{posted:?}");
    let found =
        registrar.node().ask(world.deployment.registry, &datasetCall { table: table_of("main")? }).await?;
    ensure!(found.confirmed && found.versions.to::<u32>() == 2);
    let again = confirm().await?;
    ensure!(again.len() == 1 && again[0].how == How::AlreadyDone && again[0].mined == posted[0].mined);
    // Whoever else asks finds it done.
    ensure!(sponsor.confirm_dataset_consents(&world.deployment, &both, None).await?.is_empty());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn consents_whose_proofs_do_not_hold_are_neither_published_nor_confirmed() -> Result<()> {
    let both = trial(2)?;
    let Some(world) = World::with(&trial(1)?).await? else { return Ok(()) };
    world.write(&both, &[])?;
    let sent = world.anvil.mined_of(account("operator")?.address())?;
    for (who, name) in [("sponsor", "publish-dataset-consents"), ("operator", "confirm-dataset-consents")] {
        let (code, _, stderr) = said(&world.command(who, name, &world.anvil.url()).output()?)?;
        ensure!(code == 1 && stderr.contains("dataset: registration"), "{name}: {code} {stderr}");
    }
    ensure!(world.anvil.mined_of(account("sponsor")?.address())? == 0);
    ensure!(world.anvil.mined_of(account("operator")?.address())? == sent);
    Ok(())
}
