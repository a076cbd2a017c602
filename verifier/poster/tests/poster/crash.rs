//! The process is killed (SIGKILL) at every stage, and started again with the same outbox: each claim is settled once.

use super::{
    proxy::{Moment, Proxy},
    world::{World, account, said},
};
use alloy_primitives::U256;
use anyhow::{Context, Result, ensure};
use nightingale_poster::outbox::State;
use std::process::Stdio;

/// A request at which the process is killed, and what the outbox and the chain then hold.
struct Stage {
    method: &'static str,
    passing: usize,
    moment: Moment,
    rows: usize,
    mined: u64,
}

async fn killed_at(stage: Stage) -> Result<()> {
    let Some(world) = World::new().await? else { return Ok(()) };
    let claims = [world.claim("a").await?, world.claim("b").await?];
    let proofs = [world.write("a", &claims[0])?, world.write("b", &claims[1])?];
    let proofs = [proofs[0].as_path(), proofs[1].as_path()];
    let sender = account("stranger")?.address();
    let proxy = Proxy::holding(world.anvil.address(), stage.method, stage.passing, stage.moment)?;
    let mut child = world.settle_command(proxy.url(), &proofs).stdout(Stdio::null()).spawn()?;
    let reached = tokio::task::block_in_place(|| proxy.reached());
    child.kill()?;
    child.wait()?;
    reached?;
    let before = world.watch("command.sqlite", |_| true).await?;
    ensure!(before.len() == stage.rows, "{before:?}");
    ensure!(
        before.iter().all(|row| row.state == State::Open && row.attempts.len() == 1 && row.claims.len() == 2)
    );
    ensure!(world.anvil.mined_of(sender)? == stage.mined);

    let output = world.settle_command(&world.anvil.url(), &proofs).output()?;
    let (code, report, stderr) = said(&output)?;
    ensure!(code == 0, "{stderr}");
    ensure!(report["entries"].as_array().is_some_and(|all| all.iter().all(|entry| entry["settled"] == true)));
    ensure!(world.settlements()? == 2 && world.credit().await? == U256::from(2 * 12_345));
    ensure!(world.anvil.mined_of(sender)? == 1, "a second transaction was sent");
    let after = world.watch("command.sqlite", |_| true).await?;
    ensure!(after.len() == 1 && after[0].state == State::Done);
    if let Some(before) = before.first() {
        let sent = before.newest().context("nothing signed")?.hash;
        ensure!(report["transaction"] == sent.to_string(), "other bytes were sent");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_before_signing() -> Result<()> {
    let stage = Stage { method: "eth_feeHistory", passing: 0, moment: Moment::After, rows: 0, mined: 0 };
    killed_at(stage).await
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_between_signing_and_sending() -> Result<()> {
    let stage =
        Stage { method: "eth_sendRawTransaction", passing: 0, moment: Moment::Before, rows: 1, mined: 0 };
    killed_at(stage).await
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_between_sending_and_the_nodes_answer() -> Result<()> {
    let stage =
        Stage { method: "eth_sendRawTransaction", passing: 0, moment: Moment::After, rows: 1, mined: 1 };
    killed_at(stage).await
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_between_sending_and_confirmation() -> Result<()> {
    // The first receipt is asked for before sending, the second after it.
    let stage =
        Stage { method: "eth_getTransactionReceipt", passing: 1, moment: Moment::After, rows: 1, mined: 1 };
    killed_at(stage).await
}

#[tokio::test(flavor = "multi_thread")]
async fn resume_alone_sees_a_killed_settlement_through() -> Result<()> {
    let Some(world) = World::new().await? else { return Ok(()) };
    let claim = world.claim("a").await?;
    let path = world.write("a", &claim)?;
    let proxy = Proxy::holding(world.anvil.address(), "eth_sendRawTransaction", 0, Moment::Before)?;
    let mut child = world.settle_command(proxy.url(), &[&path]).stdout(Stdio::null()).spawn()?;
    let reached = tokio::task::block_in_place(|| proxy.reached());
    child.kill()?;
    child.wait()?;
    reached?;
    let mut resume = super::world::program(&world.path("keys"));
    resume
        .args(["resume", "--json", "--rpc", &world.anvil.url(), "--outbox"])
        .arg(world.path("command.sqlite"));
    resume.env("NIGHTINGALE_POSTER_KEY", super::world::secret("stranger"));
    let (code, report, stderr) = said(&resume.output()?)?;
    ensure!(
        code == 0 && report[0]["state"] == "done" && report[0]["claims"][0]["settled"] == true,
        "{stderr}"
    );
    ensure!(world.settlements()? == 1);
    let (code, report, _) = said(&resume.output()?)?;
    ensure!(code == 0 && report.as_array().is_some_and(Vec::is_empty));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_after_a_raise_was_written_and_before_it_was_sent() -> Result<()> {
    let Some(world) = World::new().await? else { return Ok(()) };
    let claim = world.claim("a").await?;
    let path = world.write("a", &claim)?;
    world.anvil.automine(false)?;
    let proxy = Proxy::holding(world.anvil.address(), "eth_sendRawTransaction", 1, Moment::Before)?;
    let mut command = world.settle_command(proxy.url(), &[&path]);
    let mut child = command.args(["--raise-after", "1"]).stdout(Stdio::null()).spawn()?;
    let reached = tokio::task::block_in_place(|| proxy.reached());
    child.kill()?;
    child.wait()?;
    reached?;
    let rows = world.watch("command.sqlite", |_| true).await?;
    ensure!(rows.len() == 1 && rows[0].attempts.len() == 2);
    // The first offer is mined before the second is ever sent.
    world.anvil.mine(1)?;
    world.anvil.automine(true)?;
    let (code, report, stderr) = said(&world.settle_command(&world.anvil.url(), &[&path]).output()?)?;
    ensure!(code == 0, "{stderr}");
    ensure!(report["transaction"] == rows[0].attempts[0].hash.to_string());
    ensure!(world.settlements()? == 1 && world.anvil.mined_of(account("stranger")?.address())? == 1);
    Ok(())
}
