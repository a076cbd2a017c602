//! The outbox's file: its owner's alone, under one lock, whatever links lead to it.

#![cfg(unix)]

use super::world::{World, said};
use anyhow::{Context, Result, ensure};
use nightingale_poster::{Outbox, PosterError, administration as tell};
use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
};

#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_reads_what_was_signed() -> Result<()> {
    let Some(world) = World::new().await? else { return Ok(()) };
    let poster = world.poster("stranger", |terms| terms).await?;
    poster.send(&tell::mint(&world.deployment, poster.address(), 1)).await?;
    for name in ["stranger.sqlite", "stranger.sqlite-wal", "stranger.sqlite-shm", "stranger.sqlite.lock"] {
        let mode = fs::metadata(world.path(name)).context(name)?.permissions().mode();
        ensure!(mode & 0o777 == 0o600, "{name}: {mode:o}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_that_is_a_link_is_refused_and_nothing_is_made_where_it_leads() -> Result<()> {
    let Some(world) = World::new().await? else { return Ok(()) };
    let elsewhere = world.path("elsewhere");
    symlink(&elsewhere, world.path("stranger.sqlite.lock"))?;
    let refused = world.poster("stranger", |terms| terms).await.err().context("it was opened")?;
    let error = refused.downcast_ref::<PosterError>().context("another error")?;
    ensure!(matches!(error, PosterError::LockIsLink(_)) && error.is_wrong_use(), "{error}");
    ensure!(!elsewhere.exists());
    fs::write(&elsewhere, "precious")?;
    ensure!(world.poster("stranger", |terms| terms).await.is_err());
    ensure!(fs::read_to_string(&elsewhere)? == "precious");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn two_names_of_one_outbox_have_one_lock() -> Result<()> {
    let Some(world) = World::new().await? else { return Ok(()) };
    let _held = world.poster("stranger", |terms| terms).await?;
    symlink(world.path("stranger.sqlite"), world.path("provider.sqlite"))?;
    let refused = world.poster("provider", |terms| terms).await.err().context("it was opened")?;
    let error = refused.downcast_ref::<PosterError>().context("another error")?;
    ensure!(matches!(error, PosterError::OutboxBusy(_)), "{error}");
    Ok(())
}

/// Its lock and its log are named after it, so that two names are two outboxes of one account.
#[tokio::test(flavor = "multi_thread")]
async fn an_outbox_with_a_second_name_is_refused_under_both() -> Result<()> {
    let Some(world) = World::new().await? else { return Ok(()) };
    drop(world.poster("stranger", |terms| terms).await?);
    fs::hard_link(world.path("stranger.sqlite"), world.path("provider.sqlite"))?;
    for name in ["stranger", "provider"] {
        let refused = world.poster(name, |terms| terms).await.err().context("it was opened")?;
        let error = refused.downcast_ref::<PosterError>().context("another error")?;
        ensure!(matches!(error, PosterError::OutboxIsLinked(_)) && error.is_wrong_use(), "{error}");
    }
    fs::remove_file(world.path("provider.sqlite"))?;
    world.poster("stranger", |terms| terms).await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_command_all_of_the_outbox_is_in_its_one_file() -> Result<()> {
    let Some(world) = World::new().await? else { return Ok(()) };
    let claim = world.claim("a").await?;
    let proof = world.write("a", &claim)?;
    let (code, _, stderr) = said(&world.settle_command(&world.anvil.url(), &[&proof]).output()?)?;
    ensure!(code == 0, "{stderr}");
    let log = fs::metadata(world.path("command.sqlite-wal")).map_or(0, |log| log.len());
    fs::copy(world.path("command.sqlite"), world.path("moved.sqlite"))?;
    ensure!(log == 0 && Outbox::list(&world.path("moved.sqlite")).await?.len() == 1, "{log} bytes beside it");
    Ok(())
}

/// As after a crash, and after the file alone was moved away.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_without_its_outbox_is_kept_and_named() -> Result<()> {
    let Some(world) = World::new().await? else { return Ok(()) };
    let poster = world.poster("stranger", |terms| terms).await?;
    poster.send(&tell::mint(&world.deployment, poster.address(), 1)).await?;
    let (file, log) = (world.path("provider.sqlite"), world.path("provider.sqlite-wal"));
    fs::copy(world.path("stranger.sqlite-wal"), &log)?;
    let before = fs::read(&log)?;
    ensure!(!before.is_empty(), "everything is in the file");
    for empty in [false, true] {
        if empty {
            fs::write(&file, "")?;
        }
        let refused = world.poster("provider", |terms| terms).await.err().context("it was opened")?;
        let error = refused.downcast_ref::<PosterError>().context("another error")?;
        ensure!(matches!(error, PosterError::OutboxIsTorn(_)) && error.is_wrong_use(), "{error}");
        let listed = Outbox::list(&file).await;
        ensure!(matches!(listed, Err(PosterError::OutboxIsTorn(_))), "{listed:?}");
        ensure!(file.exists() == empty && fs::read(&log)? == before, "the log was touched");
    }
    Ok(())
}
