//! Nonces: one for each row, and what happens when somebody else with the same key uses one.

use super::{
    proxy::{Moment, Proxy},
    world::{World, open, payer, secret},
};
use alloy_eips::eip7702::Authorization;
use alloy_primitives::{Address, U256};
use alloy_signer::SignerSync;
use alloy_signer_local::PrivateKeySigner;
use anyhow::{Result, ensure};
use nightingale_poster::{PosterError, Settlement, administration as tell, outbox::State};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::task::JoinHandle;

/// A claim on its way under the first nonce, held before it reaches the node.
struct Held {
    sender: Address,
    proxy: Proxy,
    posting: JoinHandle<Result<Settlement, PosterError>>,
}

async fn held(world: &World) -> Result<Held> {
    let claim = world.claim("a").await?;
    let proxy = Proxy::holding(world.anvil.address(), "eth_sendRawTransaction", 0, Moment::Before)?;
    let poster = world.poster_at(proxy.url(), "stranger", |terms| terms).await?;
    let sender = poster.address();
    let deployment = world.deployment.clone();
    let posting = tokio::spawn(async move { poster.settle(&deployment, &[claim]).await });
    tokio::task::block_in_place(|| proxy.reached())?;
    Ok(Held { sender, proxy, posting })
}

impl Held {
    /// It is let go: its nonce is lost, and it is paid once, under the next.
    async fn goes_out_again(self, world: &World) -> Result<()> {
        self.proxy.release();
        let settlement = self.posting.await??;
        ensure!(settlement.all_paid() && world.settlements()? == 1);
        let rows = world.watch("stranger.sqlite", |_| true).await?;
        let states: Vec<_> = rows.iter().map(|row| (row.nonce, row.state)).collect();
        ensure!(states == [(0, State::Lost), (1, State::Done)], "{states:?}");
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_nonce_that_was_used_elsewhere_is_noticed_and_the_claims_go_out_again() -> Result<()> {
    let Some(world) = World::new().await? else { return Ok(()) };
    let held = held(&world).await?;
    let sender = held.sender;
    // The same key, with another outbox, is faster.
    let twin = open(&world.anvil.url(), &world.path("twin.sqlite"), "stranger", |terms| terms).await?;
    twin.send(&tell::mint(&world.deployment, sender, 1)).await?;
    held.goes_out_again(&world).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_nonce_that_an_authorisation_used_in_anothers_transaction_is_noticed_too() -> Result<()> {
    let Some(world) = World::new().await? else { return Ok(()) };
    let held = held(&world).await?;
    let sender = held.sender;
    // The key signs that its account has no code (EIP-7702), which somebody else posts: no transaction has the nonce.
    let signer: PrivateKeySigner = secret("stranger").parse()?;
    let authorisation = Authorization { chain_id: U256::from(31337), address: Address::ZERO, nonce: 0 };
    let signature = signer.sign_hash_sync(&authorisation.signature_hash())?;
    let signed = json!({
        "chainId": authorisation.chain_id, "address": authorisation.address, "nonce": "0x0",
        "yParity": if signature.v() { "0x1" } else { "0x0" }, "r": signature.r(), "s": signature.s(),
    });
    let accounts: Vec<Value> = serde_json::from_value(world.anvil.ask("eth_accounts", json!([]))?)?;
    let from = &accounts[0];
    let carrier = json!({"type": "0x4", "from": from, "to": from, "authorizationList": [signed]});
    world.anvil.ask("eth_sendTransaction", json!([carrier]))?;
    // Its block is made a moment after it is taken.
    for _ in 0..500 {
        if world.anvil.mined_of(sender)? == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    ensure!(world.anvil.mined_of(sender)? == 1, "the authorisation was not taken");
    held.goes_out_again(&world).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_open_from_before_is_seen_through_and_not_sent_twice() -> Result<()> {
    let Some(world) = World::new().await? else { return Ok(()) };
    let proxy = Proxy::holding(world.anvil.address(), "eth_sendRawTransaction", 2, Moment::Before)?;
    let cut = world.poster_at(proxy.url(), "operator", |terms| terms).await?;
    let deployment = world.deployment.clone();
    let requests = move || {
        let mint = tell::mint(&deployment, alloy_primitives::Address::repeat_byte(1), 5);
        [vec![mint], tell::deposit(&deployment, payer(), 0x51).to_vec()].concat()
    };
    world.prepare(&[tell::mint(&world.deployment, cut.address(), 0x51)]).await?;
    let first = requests();
    let posting = tokio::spawn(async move { cut.send_all(&first).await });
    tokio::task::block_in_place(|| proxy.reached())?;
    posting.abort();
    let _ = posting.await;
    // The deposit was written and never sent. The same sequence goes on with it, and mints and allows nothing again.
    let again = world.poster("operator", |terms| terms).await?;
    let before = world.anvil.mined_of(again.address())?;
    let posted = again.send_all(&requests()).await?;
    ensure!(posted.len() == 1 && posted[0].purpose.starts_with("deposit"), "{posted:?}");
    ensure!(world.anvil.mined_of(again.address())? == before + 1);
    Ok(())
}
