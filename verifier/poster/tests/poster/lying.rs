//! Nodes that keep a signed transaction back and say that it came to nothing: what it was for happens once all the same.

use super::{
    proxy::{Kept, Moment, Proxy},
    world::{World, account, config, open, payer},
};
use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use anyhow::{Result, ensure};
use nightingale_contracts::{
    bindings::{ClaimSettlement::escrowOfCall, Token::balanceOfCall},
    deploy::Request,
};
use nightingale_poster::{
    Again, How, Node, Posted, Poster, PosterError, Terms, administration as tell, outbox::State,
};
use serde_json::{Value, json};
use std::{collections::BTreeSet, sync::PoisonError, time::Duration};

/// To whom is withdrawn.
const TO: Address = Address::repeat_byte(0xcc);
const CENTS: u64 = 5_000;

fn impatient(terms: Terms) -> Terms {
    Terms { timeout: Duration::from_secs(2), ..terms }
}

/// A world in which the provider has credit to withdraw.
async fn credited() -> Result<Option<World>> {
    let Some(world) = World::new().await? else { return Ok(None) };
    let claim = world.claim("a").await?;
    let settlement =
        world.poster("operator", |terms| terms).await?.settle(&world.deployment, &[claim]).await?;
    ensure!(settlement.all_paid());
    Ok(Some(world))
}

fn withdrawal(world: &World) -> [Request; 1] {
    [tell::withdraw(&world.deployment, TO, U256::from(CENTS))]
}

async fn withdrawn(world: &World) -> Result<U256> {
    let node = Node::new(&world.anvil.url())?;
    Ok(node.ask(world.deployment.token, &balanceOfCall { account: TO }).await?)
}

/// What was kept, each once.
fn distinct(kept: &Kept) -> BTreeSet<String> {
    kept.lock().unwrap_or_else(PoisonError::into_inner).iter().map(Value::to_string).collect()
}

/// Sends the chain everything that was kept, and waits until it is in blocks.
async fn let_go(world: &World, kept: &Kept) -> Result<()> {
    for raw in distinct(kept) {
        let raw: Value = serde_json::from_str(&raw)?;
        // What can no more be mined is refused.
        drop(world.anvil.ask("eth_sendRawTransaction", json!([raw])));
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    world.anvil.mine(1)
}

/// Says, once it has kept a transaction, that nonce 0 is used, by a transaction that it makes up.
fn says_lost(world: &World, kept: &Kept, account: Address) -> Result<Proxy> {
    let seen = kept.clone();
    Proxy::keeping(world.anvil.address(), kept, move |request, answer| {
        if distinct(&seen).is_empty() {
            return;
        }
        if request["method"] == "eth_getTransactionCount" {
            answer["result"] = json!("0x1");
        }
        if request["method"] == "eth_getBlockByNumber" && request["params"][1] == true {
            let made_up = json!({"hash": B256::repeat_byte(0xee), "from": account, "nonce": "0x0"});
            answer["result"]["transactions"]
                .as_array_mut()
                .into_iter()
                .for_each(|all| all.push(made_up.clone()));
        }
    })
}

/// Has a failed receipt, in the first block, for whatever is in no block, shows it there, and counts what it kept as mined.
fn says_failed(world: &World, kept: &Kept) -> Result<Proxy> {
    let block = world.anvil.ask("eth_getBlockByNumber", json!(["0x1", false]))?;
    let mut receipt = world.anvil.ask("eth_getTransactionReceipt", json!([block["transactions"][0]]))?;
    receipt["status"] = json!("0x0");
    let seen = kept.clone();
    Proxy::keeping(world.anvil.address(), kept, move |request, answer| {
        let asked = request["method"] == "eth_getTransactionReceipt" && answer["result"].is_null();
        if request["method"] == "eth_getTransactionCount" {
            let mined: U256 = serde_json::from_value(answer["result"].clone()).unwrap_or_default();
            answer["result"] = json!(mined + U256::from(distinct(&seen).len()));
        }
        let shown = request["method"] == "eth_getBlockByNumber" && request["params"] == json!(["0x1", true]);
        if shown && let Some(all) = answer["result"]["transactions"].as_array_mut() {
            let kept = distinct(&seen).into_iter().enumerate();
            all.extend(kept.filter_map(|(nonce, raw)| {
                let raw: Bytes = serde_json::from_str(&raw).ok()?;
                Some(json!({"hash": keccak256(raw), "from": Address::ZERO, "nonce": U256::from(nonce)}))
            }));
        }
        if asked && !distinct(&seen).is_empty() {
            let mut made_up = receipt.clone();
            made_up["transactionHash"] = request["params"][0].clone();
            answer["result"] = made_up;
        }
    })
}

fn doubtful(posted: Result<Vec<Posted>, PosterError>) -> Result<B256> {
    match posted {
        Err(error @ PosterError::Doubtful { transaction, .. }) => {
            let text = error.to_string();
            ensure!(
                text.contains("another node") && text.contains(&format!("--again {transaction}")),
                "{text}"
            );
            ensure!(!error.is_wrong_use());
            Ok(transaction)
        }
        other => anyhow::bail!("{other:?}"),
    }
}

/// A withdrawal that a node keeps back and calls failed.
struct Failed {
    world: World,
    kept: Kept,
    proxy: Proxy,
    poster: Poster,
    first: B256,
}

async fn called_failed() -> Result<Option<Failed>> {
    let Some(world) = credited().await? else { return Ok(None) };
    let kept = Kept::default();
    let proxy = says_failed(&world, &kept)?;
    let poster = provider(&world, proxy.url()).await?;
    let first = doubtful(poster.once(&withdrawal(&world), false).await)?;
    Ok(Some(Failed { world, kept, proxy, poster, first }))
}

async fn provider(world: &World, url: &str) -> Result<Poster> {
    world.poster_at(url, "provider", impatient).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_withdrawal_whose_nonce_a_node_calls_used_is_not_signed_a_second_time() -> Result<()> {
    let Some(world) = credited().await? else { return Ok(()) };
    let kept = Kept::default();
    let proxy = says_lost(&world, &kept, account("provider")?.address())?;
    let poster = provider(&world, proxy.url()).await?;
    for _ in 0..2 {
        let late = poster.once(&withdrawal(&world), false).await;
        ensure!(matches!(late, Err(PosterError::Unconfirmed { .. })), "{late:?}");
    }
    drop(poster);
    ensure!(distinct(&kept).len() == 1, "{kept:?}");
    ensure!(world.watch("provider.sqlite", |_| true).await?.iter().all(|row| row.state == State::Open));
    let_go(&world, &kept).await?;
    let posted = provider(&world, &world.anvil.url()).await?.once(&withdrawal(&world), false).await?;
    ensure!(posted[0].how == How::Resumed && withdrawn(&world).await? == U256::from(CENTS), "{posted:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_withdrawal_that_a_node_calls_failed_is_sent_as_it_was_by_an_honest_one() -> Result<()> {
    let Some(Failed { world, kept, proxy: _proxy, poster, first }) = called_failed().await? else {
        return Ok(());
    };
    // Neither again nor once more is another one signed.
    for again in [Again::No, Again::More] {
        ensure!(doubtful(poster.once(&withdrawal(&world), again).await)? == first);
    }
    drop(poster);
    ensure!(distinct(&kept).len() == 1, "{kept:?}");
    let honest = provider(&world, &world.anvil.url()).await?;
    let posted = honest.once(&withdrawal(&world), false).await?;
    ensure!(posted[0].how == How::Resumed && posted[0].mined.transaction == first, "{posted:?}");
    let_go(&world, &kept).await?;
    ensure!(honest.once(&withdrawal(&world), false).await?[0].how == How::AlreadyDone);
    ensure!(withdrawn(&world).await? == U256::from(CENTS) && world.anvil.mined_of(honest.address())? == 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_node_called_failed_and_the_chain_did_is_found_done_by_an_honest_one() -> Result<()> {
    let Some(Failed { world, kept, proxy: _proxy, poster, first }) = called_failed().await? else {
        return Ok(());
    };
    drop(poster);
    let_go(&world, &kept).await?;
    // Its nonce is used now, by the very transaction that is called failed.
    let honest = provider(&world, &world.anvil.url()).await?;
    let posted = honest.once(&withdrawal(&world), false).await?;
    ensure!(posted[0].mined.transaction == first, "{posted:?}");
    ensure!(withdrawn(&world).await? == U256::from(CENTS) && world.anvil.mined_of(honest.address())? == 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn only_who_names_the_failed_transaction_has_another_signed_and_only_one() -> Result<()> {
    let Some(Failed { world, kept, proxy: _proxy, poster, first }) = called_failed().await? else {
        return Ok(());
    };
    let other = poster.once(&withdrawal(&world), Again::After(B256::repeat_byte(7))).await;
    ensure!(
        matches!(&other, Err(error @ PosterError::Malformed { .. }) if error.is_wrong_use()),
        "{other:?}"
    );
    ensure!(distinct(&kept).len() == 1, "{kept:?}");
    // The second is said to have failed, too: the first's name is no licence for a third.
    for _ in 0..2 {
        let second = doubtful(poster.once(&withdrawal(&world), Again::After(first)).await)?;
        let rows = world.watch("provider.sqlite", |_| true).await?;
        ensure!(second != first && rows.len() == 2, "{rows:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deposit_that_a_node_calls_failed_is_not_made_twice() -> Result<()> {
    let Some(world) = World::new().await? else { return Ok(()) };
    let operator = account("operator")?.address();
    let [allow, _] = tell::deposit(&world.deployment, payer(), 10 * CENTS);
    world.prepare(&[tell::mint(&world.deployment, operator, 10 * CENTS), allow]).await?;
    let escrow = async || -> Result<U256> {
        let node = Node::new(&world.anvil.url())?;
        Ok(node.ask(world.deployment.settlement, &escrowOfCall { payer: payer() }).await?)
    };
    let (before, kept) = (escrow().await?, Kept::default());
    let proxy = says_failed(&world, &kept)?;
    let poster = world.poster_at(proxy.url(), "operator", impatient).await?;
    for _ in 0..2 {
        doubtful(poster.deposit(&world.deployment, payer(), CENTS, false, false).await)?;
    }
    let_go(&world, &kept).await?;
    ensure!(escrow().await? == before + U256::from(CENTS), "{kept:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_withdrawal_that_lost_its_nonce_is_asked_about_and_comes_back_where_the_nonce_does() -> Result<()> {
    let Some(world) = credited().await? else { return Ok(()) };
    let (snapshot, _, lost) = overtaken(&world).await?;
    let poster = provider(&world, &world.anvil.url()).await?;
    ensure!(doubtful(poster.once(&withdrawal(&world), false).await)? == lost);
    // What took the nonce is gone: the same bytes take it.
    world.anvil.ask("evm_revert", json!([snapshot]))?;
    world.anvil.mine(1)?;
    let posted = poster.once(&withdrawal(&world), false).await?;
    ensure!(posted[0].how == How::Resumed && posted[0].mined.transaction == lost, "{posted:?}");
    ensure!(withdrawn(&world).await? == U256::from(CENTS) && world.anvil.mined_of(poster.address())? == 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_done_is_known_whatever_block_0_a_node_of_a_public_chain_shows() -> Result<()> {
    let Some(world) = World::new().await? else { return Ok(()) };
    world.anvil.move_to_chain(11_155_111)?;
    let shallow = |terms: Terms| Terms { confirmations: 1, ..impatient(terms) };
    let mint = [tell::mint(&world.deployment, TO, CENTS)];
    let poster = world.poster_at(&world.anvil.url(), "stranger", shallow).await?;
    ensure!(poster.once(&mint, false).await?[0].how == How::Sent);
    drop(poster);
    let proxy = Proxy::lying(world.anvil.address(), |request, answer| {
        if request["method"] == "eth_getBlockByNumber" && request["params"][0] == "0x0" {
            answer["result"]["hash"] = json!(B256::repeat_byte(0xe7));
        }
    })?;
    let poster = world.poster_at(proxy.url(), "stranger", shallow).await?;
    ensure!(poster.once(&mint, false).await?[0].how == How::AlreadyDone);
    ensure!(withdrawn(&world).await? == U256::from(CENTS));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_of_another_transaction_ends_nothing() -> Result<()> {
    let Some(world) = credited().await? else { return Ok(()) };
    let block = world.anvil.ask("eth_getBlockByNumber", json!(["0x1", false]))?;
    let receipt = world.anvil.ask("eth_getTransactionReceipt", json!([block["transactions"][0]]))?;
    let kept = Kept::default();
    let seen = kept.clone();
    let proxy = Proxy::keeping(world.anvil.address(), &kept, move |request, answer| {
        let asked = request["method"] == "eth_getTransactionReceipt" && answer["result"].is_null();
        if asked && !distinct(&seen).is_empty() {
            answer["result"] = receipt.clone();
        }
    })?;
    let poster = provider(&world, proxy.url()).await?;
    let late = poster.once(&withdrawal(&world), false).await;
    ensure!(matches!(late, Err(PosterError::Unconfirmed { .. })), "{late:?}");
    drop(poster);
    ensure!(world.watch("provider.sqlite", |_| true).await?.iter().all(|row| row.state == State::Open));
    // Its nonce is unused, and the same bytes take it.
    let honest = provider(&world, &world.anvil.url()).await?;
    ensure!(honest.once(&withdrawal(&world), false).await?[0].how == How::Resumed);
    ensure!(withdrawn(&world).await? == U256::from(CENTS) && world.anvil.mined_of(honest.address())? == 1);
    Ok(())
}

/// With too little gas it is really mined, and does nothing.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_node_called_done_and_the_chain_reverted_is_not_called_done_by_an_honest_one() -> Result<()> {
    let Some(world) = World::new().await? else { return Ok(()) };
    let mint = [tell::mint(&world.deployment, TO, CENTS)];
    let proxy = Proxy::lying(world.anvil.address(), |request, answer| {
        if request["method"] == "eth_estimateGas" {
            answer["result"] = json!("0x6000");
        }
        if request["method"] == "eth_getTransactionReceipt" && answer["result"].is_object() {
            answer["result"]["status"] = json!("0x1");
        }
    })?;
    let poster = world.poster_at(proxy.url(), "stranger", impatient).await?;
    ensure!(poster.once(&mint, false).await?[0].how == How::Sent);
    ensure!(withdrawn(&world).await?.is_zero(), "it had enough gas");
    drop(poster);
    let poster = world.poster_at(&world.anvil.url(), "stranger", impatient).await?;
    let failed = doubtful(poster.once(&mint, false).await)?;
    ensure!(world.watch("stranger.sqlite", |_| true).await?[0].state == State::Failed);
    ensure!(poster.once(&mint, Again::After(failed)).await?[0].how == How::Sent);
    ensure!(withdrawn(&world).await? == U256::from(CENTS));
    Ok(())
}

/// Signs a withdrawal whose nonce another transaction takes. Gives the chain before that one, and the withdrawal's bytes.
async fn overtaken(world: &World) -> Result<(Value, Bytes, B256)> {
    let proxy = Proxy::holding(world.anvil.address(), "eth_sendRawTransaction", 0, Moment::Before)?;
    let poster = provider(world, proxy.url()).await?;
    let (sender, request) = (poster.address(), withdrawal(world));
    let posting = tokio::spawn(async move { poster.once(&request, false).await });
    tokio::task::block_in_place(|| proxy.reached())?;
    let snapshot = world.anvil.ask("evm_snapshot", json!([]))?;
    let twin = open(&world.anvil.url(), &world.path("twin.sqlite"), "provider", |terms| terms).await?;
    let by = twin.send(&tell::mint(&world.deployment, sender, 1)).await?.mined;
    proxy.release();
    let lost = doubtful(posting.await?)?;
    let row = world.watch("provider.sqlite", |_| true).await?.remove(0);
    ensure!(row.state == State::Lost && row.taken == Some((by.transaction, by.block)), "{row:?}");
    Ok((snapshot, row.attempts[0].raw.clone(), lost))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_withdrawal_that_was_lost_and_mined_after_a_deep_reorganisation_is_found_done() -> Result<()> {
    let Some(world) = credited().await? else { return Ok(()) };
    let (snapshot, raw, lost) = overtaken(&world).await?;
    world.anvil.ask("evm_revert", json!([snapshot]))?;
    world.anvil.ask("eth_sendRawTransaction", json!([raw]))?;
    world.anvil.mine(1)?;
    let poster = provider(&world, &world.anvil.url()).await?;
    // Whoever was told to name it does no harm by that.
    let posted = poster.once(&withdrawal(&world), Again::After(lost)).await?;
    ensure!(posted[0].mined.transaction == lost && posted[0].how == How::Resumed, "{posted:?}");
    ensure!(withdrawn(&world).await? == U256::from(CENTS) && world.anvil.mined_of(poster.address())? == 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_offer_that_was_signed_is_named_where_one_is_said_to_have_failed() -> Result<()> {
    let Some(world) = credited().await? else { return Ok(()) };
    let block = world.anvil.ask("eth_getBlockByNumber", json!(["0x1", false]))?;
    let known = world.anvil.ask("eth_getTransactionByHash", json!([block["transactions"][0]]))?;
    let mut receipt = world.anvil.ask("eth_getTransactionReceipt", json!([block["transactions"][0]]))?;
    receipt["status"] = json!("0x0");
    let kept = Kept::default();
    let seen = kept.clone();
    // It seems to have what it kept, until a second offer comes, which it calls failed.
    let proxy = Proxy::keeping(world.anvil.address(), &kept, move |request, answer| {
        let of = |mut shown: Value, name: &str| {
            shown[name] = request["params"][0].clone();
            shown
        };
        let hash = |raw: String| serde_json::from_str::<Bytes>(&raw).map(|raw| json!(keccak256(raw))).ok();
        let has_it = distinct(&seen).into_iter().any(|raw| hash(raw).as_ref() == Some(&request["params"][0]));
        match request["method"].as_str() {
            Some("eth_getTransactionByHash") if answer["result"].is_null() && has_it => {
                answer["result"] = of(known.clone(), "hash");
            }
            Some("eth_getTransactionReceipt") if answer["result"].is_null() && distinct(&seen).len() > 1 => {
                answer["result"] = of(receipt.clone(), "transactionHash");
            }
            _ => {}
        }
    })?;
    let eager = |terms: Terms| Terms { raise_after: Duration::ZERO, ..terms };
    let poster = world.poster_at(proxy.url(), "provider", eager).await?;
    let said = poster.once(&withdrawal(&world), false).await.err().map(|error| error.to_string());
    let said = said.unwrap_or_default();
    let row = world.watch("provider.sqlite", |_| true).await?.remove(0);
    ensure!(
        row.attempts.len() > 1 && row.attempts.iter().all(|one| said.contains(&one.hash.to_string())),
        "{said}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_node_says_shows_no_token_of_its_url() -> Result<()> {
    let Some(world) = World::new().await? else { return Ok(()) };
    let proxy = Proxy::lying(world.anvil.address(), |_, answer| {
        let message = "no project /v3/0123abcd4567 (key=q9q9/q9q9)\nnote: all is well";
        *answer =
            json!({"jsonrpc": "2.0", "id": answer["id"], "error": {"code": -32000, "message": message}});
    })?;
    let node = Node::new(&format!("{}/v3/0123abcd4567?key=q9q9%2Fq9q9", proxy.url()))?;
    let said = node.chain_id().await.err().map(|error| error.to_string()).unwrap_or_default();
    ensure!(said.contains("no project") && said.contains("all is well"), "{said}");
    ensure!(!["0123abcd4567", "q9q9/q9q9", "\n"].iter().any(|secret| said.contains(secret)), "{said}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_of_which_a_node_calls_a_step_failed_is_found_whole_by_an_honest_one() -> Result<()> {
    let Some(world) = World::new().await? else { return Ok(()) };
    let stranger = account("stranger")?.address();
    world.anvil.give_ether(stranger)?;
    let poster = world.poster("stranger", impatient).await?;
    let deployed = poster.deploy(config(stranger)?, "second").await?;
    let mined = world.anvil.mined_of(stranger)?;
    drop(poster);
    let proxy = Proxy::lying(world.anvil.address(), |request, answer| {
        if request["method"] == "eth_getTransactionReceipt" && answer["result"].is_object() {
            answer["result"]["status"] = json!("0x0");
        }
    })?;
    let poster = world.poster_at(proxy.url(), "stranger", impatient).await?;
    ensure!(poster.deploy(config(stranger)?, "second").await.is_err());
    drop(poster);
    let failed = world.watch("stranger.sqlite", |_| true).await?;
    ensure!(failed.iter().any(|row| row.state == State::Failed), "it was not believed: {failed:?}");
    let poster = world.poster("stranger", impatient).await?;
    let found = poster.deploy(config(stranger)?, "second").await?;
    ensure!(serde_json::to_value(&found)? == serde_json::to_value(&deployed)?, "{found:?}");
    ensure!(world.anvil.mined_of(stranger)? == mined, "it was deployed twice");
    Ok(())
}
