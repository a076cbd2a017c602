//! Blocks that vanish: what was in them is sent again, with the same bytes.

use super::{
    proofs::root,
    proxy::Proxy,
    world::{World, open},
};
use alloy_primitives::{Address, B256, hex, keccak256};
use anyhow::{Context, Result, ensure};
use nightingale_poster::{
    Again, Claim, How, Outcome, Poster, PosterError, Refusal, Terms, administration as tell, outbox::State,
};
use serde_json::{Value, json};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// Waits for the first transaction of an account to be in a block.
async fn until_mined(world: &World, sender: Address) -> Result<()> {
    while world.anvil.mined_of(sender)? == 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_settlement_whose_block_vanishes_is_sent_again_and_confirmed_in_another() -> Result<()> {
    let Some(world) = World::new().await? else { return Ok(()) };
    let claim = world.claim("a").await?;
    let poster = world
        .poster("stranger", |mut terms| {
            terms.confirmations = 3;
            terms
        })
        .await?;
    let (deployment, sender) = (world.deployment.clone(), poster.address());
    let snapshot = world.anvil.ask("evm_snapshot", json!([]))?;
    let posting = tokio::spawn(async move { poster.settle(&deployment, &[claim]).await });
    until_mined(&world, sender).await?;
    world.anvil.mine(1)?;
    tokio::time::sleep(Duration::from_millis(500)).await;
    ensure!(!posting.is_finished(), "two blocks are not three");
    world.anvil.ask("evm_revert", json!([snapshot]))?;
    ensure!(world.settlements()? == 0);
    until_mined(&world, sender).await?;
    world.anvil.mine(2)?;
    let settlement = posting.await??;
    ensure!(settlement.all_paid() && world.settlements()? == 1);
    let rows = world.watch("stranger.sqlite", |_| true).await?;
    ensure!(rows.len() == 1 && rows[0].attempts.len() == 1 && rows[0].state == State::Done);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_done_and_vanishes_deeper_than_wanted_is_opened_again() -> Result<()> {
    let Some(world) = World::new().await? else { return Ok(()) };
    let claim = world.claim("a").await?;
    let poster = world.poster("stranger", |terms| terms).await?;
    let snapshot = world.anvil.ask("evm_snapshot", json!([]))?;
    let first = poster.settle(&world.deployment, std::slice::from_ref(&claim)).await?;
    world.anvil.ask("evm_revert", json!([snapshot]))?;
    ensure!(world.settlements()? == 0);
    // Another block stands where it was: that, and not a shorter chain, is what shows that it vanished.
    world.anvil.mine(1)?;
    let ended = poster.resume().await?;
    ensure!(ended.len() == 1 && ended[0].state == State::Done);
    ensure!(ended[0].mined.map(|mined| mined.transaction) == Some(first.transactions[0].transaction));
    ensure!(world.settlements()? == 1);
    let again = poster.settle(&world.deployment, &[claim]).await?;
    ensure!(again.all_paid() && again.transactions.is_empty());
    Ok(())
}

/// A claim that a rival settles at depth one, and a poster that wants three.
async fn overtaken(world: &World) -> Result<(Claim, Poster, B256, Value)> {
    let claim = world.claim("a").await?;
    let poster = world
        .poster("stranger", |mut terms| {
            terms.confirmations = 3;
            terms
        })
        .await?;
    let snapshot = world.anvil.ask("evm_snapshot", json!([]))?;
    let rival = world.poster("operator", |terms| terms).await?;
    let settled = rival.settle(&world.deployment, std::slice::from_ref(&claim)).await?;
    let by = settled.transactions.first().context("no transaction")?.transaction;
    Ok((claim, poster, by, snapshot))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_else_settled_counts_only_when_it_is_as_deep_as_wanted() -> Result<()> {
    let Some(world) = World::new().await? else { return Ok(()) };
    let (claim, poster, by, _) = overtaken(&world).await?;
    let (deployment, sender) = (world.deployment.clone(), poster.address());
    let posting = tokio::spawn(async move { poster.settle(&deployment, &[claim]).await });
    tokio::time::sleep(Duration::from_millis(700)).await;
    ensure!(!posting.is_finished(), "one block is not three");
    world.anvil.mine(2)?;
    let settlement = posting.await??;
    let expected = Outcome::Refused(Refusal::AlreadySettled { by: Some(by) });
    ensure!(settlement.entries[0].outcome == expected && settlement.all_paid());
    ensure!(world.anvil.mined_of(sender)? == 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_whose_settlement_by_somebody_else_vanishes_is_settled_after_all() -> Result<()> {
    let Some(world) = World::new().await? else { return Ok(()) };
    let (claim, poster, by, snapshot) = overtaken(&world).await?;
    let (deployment, sender) = (world.deployment.clone(), poster.address());
    let posting = tokio::spawn(async move { poster.settle(&deployment, &[claim]).await });
    tokio::time::sleep(Duration::from_millis(700)).await;
    ensure!(!posting.is_finished(), "one block is not three");
    world.anvil.ask("evm_revert", json!([snapshot]))?;
    ensure!(world.settlements()? == 0);
    until_mined(&world, sender).await?;
    world.anvil.mine(2)?;
    let settlement = posting.await??;
    ensure!(matches!(settlement.entries[0].outcome, Outcome::Settled(mined) if mined.transaction != by));
    ensure!(world.settlements()? == 1 && world.anvil.mined_of(sender)? == 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_whose_nonce_another_transaction_has_after_a_deep_reorganisation_is_not_called_done()
-> Result<()> {
    let Some(world) = World::new().await? else { return Ok(()) };
    let poster = world.poster("stranger", |terms| terms).await?;
    let mint = |cents| [tell::mint(&world.deployment, Address::repeat_byte(1), cents)];
    let snapshot = world.anvil.ask("evm_snapshot", json!([]))?;
    let done = poster.once(&mint(1), false).await?;
    world.anvil.ask("evm_revert", json!([snapshot]))?;
    let twin = open(&world.anvil.url(), &world.path("twin.sqlite"), "stranger", |terms| terms).await?;
    twin.once(&mint(2), false).await?;
    let again = poster.once(&mint(1), false).await;
    let Err(PosterError::Doubtful { transaction, .. }) = &again else { anyhow::bail!("{again:?}") };
    ensure!(Some(*transaction) == done.first().map(|posted| posted.mined.transaction));
    ensure!(world.watch("stranger.sqlite", |_| true).await?[0].state == State::Lost);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_moved_to_another_block_is_found_done_there() -> Result<()> {
    let Some(world) = World::new().await? else { return Ok(()) };
    let poster = world.poster("stranger", |terms| terms).await?;
    let mint = [tell::mint(&world.deployment, Address::repeat_byte(1), 1)];
    let snapshot = world.anvil.ask("evm_snapshot", json!([]))?;
    let first = poster.once(&mint, false).await?;
    let raw = world.watch("stranger.sqlite", |_| true).await?[0].attempts[0].raw.clone();
    world.anvil.ask("evm_revert", json!([snapshot]))?;
    world.anvil.mine(2)?;
    world.anvil.ask("eth_sendRawTransaction", json!([raw]))?;
    until_mined(&world, poster.address()).await?;
    let again = poster.once(&mint, false).await?;
    ensure!(again[0].mined.transaction == first[0].mined.transaction, "{again:?}");
    ensure!(again[0].mined.block == first[0].mined.block + 2 && again[0].how == How::Resumed, "{again:?}");
    ensure!(poster.once(&mint, false).await?[0].how == How::AlreadyDone);
    ensure!(world.anvil.mined_of(poster.address())? == 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_that_takes_all_the_time_takes_none_from_the_others() -> Result<()> {
    let Some(world) = World::new().await? else { return Ok(()) };
    let claims = [world.claim("slow").await?, world.claim("fast").await?];
    let rival = world.poster("operator", |terms| terms).await?;
    rival.settle(&world.deployment, &claims[..1]).await?;
    world.anvil.mine(5)?;
    // A node that never shows the first as deep as wanted.
    let tags = ["slow spend tag", "slow nullifier"].map(|tag| hex::encode(root(tag)));
    let looks = Arc::new(AtomicBool::new(false));
    let looked = looks.clone();
    let proxy = Proxy::lying(world.anvil.address(), move |request, answer| {
        let asked = request["params"].to_string();
        if request["method"] == "eth_call"
            && request["params"][1] != "latest"
            && tags.iter().any(|tag| asked.contains(tag))
        {
            answer["result"] = json!(B256::ZERO);
            looked.store(true, Ordering::SeqCst);
        }
    })?;
    let poster = world
        .poster_at(proxy.url(), "stranger", |mut terms| {
            (terms.confirmations, terms.timeout) = (3, Duration::from_secs(5));
            terms
        })
        .await?;
    let snapshot = world.anvil.ask("evm_snapshot", json!([]))?;
    rival.settle(&world.deployment, &claims[1..]).await?;
    let (deployment, sender) = (world.deployment.clone(), poster.address());
    let posting = tokio::spawn(async move { poster.settle(&deployment, &claims).await });
    while !looks.load(Ordering::SeqCst) && !posting.is_finished() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    world.anvil.ask("evm_revert", json!([snapshot]))?;
    // It goes out, or the settlement ends without.
    while world.anvil.mined_of(sender)? == 0 && !posting.is_finished() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    world.anvil.mine(2)?;
    let entries = posting.await??.entries;
    ensure!(entries[0].outcome == Outcome::Refused(Refusal::SettledNotDeep), "{entries:?}");
    ensure!(matches!(entries[1].outcome, Outcome::Settled(_)), "{entries:?}");
    Ok(())
}

/// With too little gas the first is mined and does nothing; the second does it. Both blocks vanish.
#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_was_signed_once_more_is_not_sent_twice_after_a_deep_reorganisation() -> Result<()> {
    let Some(world) = World::new().await? else { return Ok(()) };
    let mint = [tell::mint(&world.deployment, Address::repeat_byte(1), 1)];
    let proxy = Proxy::lying(world.anvil.address(), |request, answer| {
        if request["method"] == "eth_estimateGas" {
            answer["result"] = json!("0x6000");
        }
    })?;
    let snapshot = world.anvil.ask("evm_snapshot", json!([]))?;
    let failed = world.poster_at(proxy.url(), "stranger", |terms| terms).await?.once(&mint, false).await;
    let Err(PosterError::Doubtful { transaction, .. }) = failed else { anyhow::bail!("{failed:?}") };
    let poster = world.poster("stranger", |terms| terms).await?;
    ensure!(poster.once(&mint, Again::After(transaction)).await?[0].how == How::Sent);
    world.anvil.ask("evm_revert", json!([snapshot]))?;
    world.anvil.mine(3)?;
    ensure!(poster.once(&mint, false).await?.len() == 1);
    let rows = world.watch("stranger.sqlite", |_| true).await?;
    let [first, second] = &rows[..] else { anyhow::bail!("{rows:?}") };
    ensure!(first.to == Some(poster.address()) && first.data.is_empty(), "{first:?}");
    ensure!(second.data == mint[0].data && second.attempts.len() == 1, "{second:?}");
    ensure!(rows.iter().all(|row| row.state == State::Done), "{rows:?}");
    Ok(())
}

/// A node that shows what a claim uses up as used when its transaction is looked at, and else as unused, in blocks without transactions.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_calls_a_claim_settled_and_not_settled_is_not_asked_for_ever() -> Result<()> {
    let Some(world) = World::new().await? else { return Ok(()) };
    let claim = [world.claim("a").await?];
    let settled = world.poster("stranger", |terms| terms).await?.settle(&world.deployment, &claim).await?;
    ensure!(settled.all_paid());
    let asked = hex::encode(&keccak256("isSpent(uint96,bytes32)")[..4]);
    let of_newest = AtomicBool::new(false);
    let proxy = Proxy::lying(world.anvil.address(), move |request, answer| {
        let text = request["params"].to_string();
        if request["method"] == "eth_getBlockByNumber" {
            of_newest.store(request["params"][0] == "latest", Ordering::SeqCst);
            if request["params"][1] == true {
                answer["result"]["transactions"] = json!([]);
            }
        } else if request["method"] == "eth_call" && text.contains(&asked) && of_newest.load(Ordering::SeqCst)
        {
            answer["result"] = json!(B256::ZERO);
        }
    })?;
    let hasty = |terms: Terms| Terms { timeout: Duration::from_secs(2), ..terms };
    let poster = world.poster_at(proxy.url(), "stranger", hasty).await?;
    let asked = tokio::time::timeout(Duration::from_secs(30), poster.settle(&world.deployment, &claim));
    let refused = asked.await.context("it asks on")?;
    ensure!(matches!(refused, Err(PosterError::NodeBehind { .. })), "{refused:?}");
    Ok(())
}
