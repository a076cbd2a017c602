//! Commands that are given again: done once, unless asked for once more; gone on with where they were cut off.

use super::{
    proxy::{Moment, Proxy},
    world::{World, account, config, open, payer},
};
use alloy_primitives::{Address, Bytes, U256, hex};
use anyhow::{Result, ensure};
use nightingale_contracts::{
    bindings::{ClaimSettlement::escrowOfCall, Token::approveCall},
    deploy::{Config, Deployment, Request, TokenChoice},
};
use nightingale_poster::{How, Posted, Poster, administration as tell};
use serde_json::json;

async fn escrow(poster: &Poster, deployment: &Deployment) -> Result<U256> {
    Ok(poster.node().ask(deployment.settlement, &escrowOfCall { payer: payer() }).await?)
}

fn hows(posted: &[Posted]) -> Vec<How> {
    posted.iter().map(|posted| posted.how).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deposit_that_is_done_is_not_made_again_unless_asked_for() -> Result<()> {
    let Some(world) = World::new().await? else { return Ok(()) };
    let poster = world.poster("operator", |terms| terms).await?;
    let before = escrow(&poster, &world.deployment).await?;
    let deposit = |again| poster.deposit(&world.deployment, payer(), 700, true, again);
    let first = deposit(false).await?;
    ensure!(hows(&first) == [How::Sent; 3], "{first:?}");
    let sent = world.anvil.mined_of(poster.address())?;
    let second = deposit(false).await?;
    ensure!(hows(&second) == [How::AlreadyDone; 3], "{second:?}");
    ensure!(second.iter().zip(&first).all(|(second, first)| second.mined == first.mined));
    ensure!(world.anvil.mined_of(poster.address())? == sent);
    ensure!(escrow(&poster, &world.deployment).await? == before + U256::from(700));
    ensure!(hows(&deposit(true).await?) == [How::Sent; 3]);
    ensure!(hows(&deposit(false).await?) == [How::AlreadyDone; 3]);
    ensure!(escrow(&poster, &world.deployment).await? == before + U256::from(1_400));
    // Another amount is another command.
    let other = poster.deposit(&world.deployment, payer(), 701, true, false).await?;
    ensure!(hows(&other) == [How::Sent; 3]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_account_has_done_is_not_done_for_another_that_shares_its_outbox() -> Result<()> {
    let Some(world) = World::new().await? else { return Ok(()) };
    let (outbox, url) = (world.path("shared.sqlite"), world.anvil.url());
    let as_account = async |who: &str| open(&url, &outbox, who, |terms| terms).await;
    let first = as_account("operator").await?;
    first.send(&tell::mint(&world.deployment, account("stranger")?.address(), 700)).await?;
    let before = escrow(&first, &world.deployment).await?;
    let deposit = async |poster: &Poster| poster.deposit(&world.deployment, payer(), 700, false, false).await;
    first.send(&tell::mint(&world.deployment, first.address(), 700)).await?;
    let sent = [How::Sent; 2];
    ensure!(hows(&deposit(&first).await?) == sent);
    drop(first);
    let second = as_account("stranger").await?;
    let posted = deposit(&second).await?;
    ensure!(hows(&posted) == sent, "{posted:?}");
    ensure!(escrow(&second, &world.deployment).await? == before + U256::from(1_400));
    drop(second);
    // Each finds its own done.
    for who in ["operator", "stranger"] {
        let posted = deposit(&as_account(who).await?).await?;
        ensure!(hows(&posted) == [How::AlreadyDone; 2], "{who}: {posted:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deposit_that_was_cut_off_goes_on_even_when_another_is_asked_for() -> Result<()> {
    let Some(world) = World::new().await? else { return Ok(()) };
    let proxy = Proxy::holding(world.anvil.address(), "eth_sendRawTransaction", 2, Moment::Before)?;
    let cut = world.poster_at(proxy.url(), "operator", |terms| terms).await?;
    let before = escrow(&cut, &world.deployment).await?;
    let deployment = world.deployment.clone();
    let posting = tokio::spawn(async move { cut.deposit(&deployment, payer(), 700, true, false).await });
    tokio::task::block_in_place(|| proxy.reached())?;
    posting.abort();
    let _ = posting.await;
    let poster = world.poster("operator", |terms| terms).await?;
    let posted = poster.deposit(&world.deployment, payer(), 700, true, true).await?;
    ensure!(hows(&posted) == [How::AlreadyDone, How::AlreadyDone, How::Resumed], "{posted:?}");
    ensure!(escrow(&poster, &world.deployment).await? == before + U256::from(700));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_root_that_was_published_is_published_again_only_when_asked_for() -> Result<()> {
    let Some(world) = World::new().await? else { return Ok(()) };
    let poster = world.poster("operator", |terms| terms).await?;
    let publish = async |label, again| -> Result<How> {
        let root = super::proofs::root(label);
        Ok(poster.publish_consent_root(&world.deployment, root, again).await?.how)
    };
    ensure!(publish("one", false).await? == How::Sent);
    ensure!(publish("two", false).await? == How::Sent);
    ensure!(publish("one", false).await? == How::AlreadyDone);
    ensure!(publish("one", true).await? == How::Sent);
    Ok(())
}

/// A token's code that refuses to change an allowance into another, and else does what the test token does.
fn careful_token(test_token: Address) -> Bytes {
    // approve(spender, amount): with an amount and an allowance (slot keccak(spender . keccak(caller . 2))), revert. All else
    // jumps over that, to byte 0x35.
    let guard = hex!(
        "5f3560e01c63095ea7b31460243515151615603557"
        "335f52600260205260405f20602052"
        "6004355f5260405f205415603557"
        "5f5ffd"
    );
    let mut code = guard.to_vec();
    // Forward to the test token's code on this account's storage, and pass on what it says.
    code.extend(hex!("5b365f5f375f5f365f73"));
    code.extend(test_token);
    code.extend(hex!("5af43d5f5f3e"));
    let passed_on = u8::try_from(code.len() + 6).unwrap_or_default();
    code.extend([0x60, passed_on, 0x57, 0x3d, 0x5f, 0xfd, 0x5b, 0x3d, 0x5f, 0xf3]);
    code.into()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_refuses_to_change_an_allowance_is_told_nothing_first() -> Result<()> {
    let Some(world) = World::new().await? else { return Ok(()) };
    let token = Address::repeat_byte(0xca);
    world.anvil.ask("anvil_setCode", json!([token, careful_token(world.deployment.token)]))?;
    let operator =
        open(&world.anvil.url(), &world.path("operator.sqlite"), "operator", |terms| terms).await?;
    let config = Config { token: TokenChoice::Existing(token), ..config(operator.address())? };
    let careful = operator.deploy(config, "careful").await?;
    let approve = |amount: u64| {
        use alloy_sol_types::SolCall;
        let call = approveCall { spender: careful.settlement, amount: U256::from(amount) };
        Request { purpose: format!("approve {amount}"), to: Some(token), data: call.abi_encode().into() }
    };
    operator.send_all(&[tell::add_payer(&careful, payer(), operator.address()), approve(5)]).await?;
    ensure!(operator.send(&approve(6)).await.is_err(), "the token is not careful");
    let posted = operator.deposit(&careful, payer(), 100, true, false).await?;
    ensure!(posted.len() == 4 && escrow(&operator, &careful).await? == U256::from(100), "{posted:?}");
    ensure!(posted[1].purpose.contains("take nothing"), "{posted:?}");
    // What may be taken already is used.
    operator.send(&approve(1_000)).await?;
    let posted = operator.deposit(&careful, payer(), 50, true, false).await?;
    ensure!(posted.len() == 2 && escrow(&operator, &careful).await? == U256::from(150), "{posted:?}");
    Ok(())
}
