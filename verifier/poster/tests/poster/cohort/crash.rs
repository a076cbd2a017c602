//! The process is killed (SIGKILL) around sending, and started again with the same outbox: the answer is logged once.

use super::{
    super::{
        proxy::{Moment, Proxy},
        world::{account, said},
    },
    fixture::{statement, trial},
    world::World,
};
use anyhow::{Context, Result, ensure};
use nightingale_poster::{Outbox, outbox::State};
use std::process::Stdio;

async fn killed_at(method: &'static str, moment: Moment, rows: usize, mined: u64) -> Result<()> {
    let dataset = trial(1)?;
    let Some(world) = World::with(&dataset).await? else { return Ok(()) };
    world.write(&dataset, &["main"])?;
    let sender = account("stranger")?.address();
    let proxy = Proxy::holding(world.anvil.address(), method, 0, moment)?;
    let mut child =
        world.command("stranger", "log", proxy.url()).arg("main.json").stdout(Stdio::null()).spawn()?;
    let reached = tokio::task::block_in_place(|| proxy.reached());
    child.kill()?;
    child.wait()?;
    reached?;
    let before = Outbox::list(&world.path("stranger.sqlite")).await?;
    ensure!(before.len() == rows && before.iter().all(|(_, row)| row.state == State::Open), "{before:?}");
    ensure!(world.anvil.mined_of(sender)? == mined);
    let output = world.command("stranger", "log", &world.anvil.url()).arg("main.json").output()?;
    let (code, report, stderr) = said(&output)?;
    ensure!(code == 0 && report["entries"][0]["logged"] == true, "{stderr}");
    ensure!(world.anvil.mined_of(sender)? == 1, "a second transaction was sent");
    ensure!(world.logged(statement("main")?.digest)?.len() == 1);
    let how = if rows == 0 { "sent" } else { "resumed" };
    ensure!(report["entries"][0]["how"] == how, "{report}");
    if let Some((_, row)) = before.first() {
        let sent = row.newest().context("nothing signed")?.hash;
        ensure!(report["entries"][0]["transaction"] == sent.to_string(), "other bytes were sent");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_before_signing() -> Result<()> {
    killed_at("eth_feeHistory", Moment::After, 0, 0).await
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_between_signing_and_sending() -> Result<()> {
    killed_at("eth_sendRawTransaction", Moment::Before, 1, 0).await
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_between_sending_and_the_nodes_answer() -> Result<()> {
    killed_at("eth_sendRawTransaction", Moment::After, 1, 1).await
}
