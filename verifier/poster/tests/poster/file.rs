//! The outbox's file: its owner's alone, under one lock, whatever links lead to it.

#![cfg(unix)]

use super::world::World;
use anyhow::{Context, Result, ensure};
use nightingale_poster::{PosterError, administration as tell};
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
