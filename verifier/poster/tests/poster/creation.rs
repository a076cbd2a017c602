//! What a creation made follows from its account and nonce, whatever a node says.

use super::{
    anvil::Anvil,
    proxy::Proxy,
    world::{account, config, open},
};
use alloy_primitives::{Address, hex};
use anyhow::{Context, Result, ensure};
use nightingale_poster::{Outbox, PosterError};
use serde_json::json;
use tempfile::TempDir;

/// Somebody else's contract, which a node wants to be taken for what was deployed.
const THEIRS: Address = Address::repeat_byte(0xe7);

/// A node that says so of the operator's creation with this nonce.
fn lying(anvil: &Anvil, nonce: u64) -> Result<Proxy> {
    let ours = account("operator")?.address().create(nonce).to_string().to_lowercase();
    Proxy::lying(anvil.address(), move |request, answer| {
        if request["method"] == "eth_getTransactionReceipt"
            && answer["result"]["contractAddress"].as_str().is_some_and(|told| told.to_lowercase() == ours)
        {
            answer["result"]["contractAddress"] = json!(THEIRS);
        }
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_a_node_makes_up_is_trusted_by_nothing_that_is_signed() -> Result<()> {
    let Some(anvil) = Anvil::start()? else { return Ok(()) };
    let (folder, operator) = (TempDir::new()?, account("operator")?.address());
    anvil.give_ether(operator)?;
    let outbox = folder.path().join("operator.sqlite");
    // The token has nonce 0, the registry 1.
    let proxy = lying(&anvil, 1)?;
    let poster = open(proxy.url(), &outbox, "operator", |terms| terms).await?;
    let refused = poster.deploy(config(operator)?, "test").await.err().context("deployed")?;
    ensure!(matches!(refused, PosterError::Unexpected { .. }), "{refused:?}");
    ensure!(refused.to_string().contains(&THEIRS.to_string()), "{refused}");
    poster.resume().await?;
    drop(poster);
    let rows = Outbox::list(&outbox).await?;
    ensure!(
        rows.len() == 2 && rows.iter().all(|(_, row)| !hex::encode(&row.data).contains(&hex::encode(THEIRS)))
    );
    // An honest node goes on where it was.
    let poster = open(&anvil.url(), &outbox, "operator", |terms| terms).await?;
    let deployment = poster.deploy(config(operator)?, "test").await?;
    ensure!((deployment.token, deployment.registry) == (operator.create(0), operator.create(1)));
    ensure!(Outbox::list(&outbox).await?.iter().filter(|(_, row)| row.nonce == 1).count() == 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contract_of_anchors_that_a_node_makes_up_is_not_given() -> Result<()> {
    let Some(anvil) = Anvil::start()? else { return Ok(()) };
    let (folder, operator) = (TempDir::new()?, account("operator")?.address());
    anvil.give_ether(operator)?;
    let outbox = folder.path().join("operator.sqlite");
    let proxy = lying(&anvil, 0)?;
    let poster = open(proxy.url(), &outbox, "operator", |terms| terms).await?;
    let refused = poster.deploy_anchors(false).await.err().context("deployed")?;
    ensure!(matches!(refused, PosterError::Unexpected { .. }), "{refused:?}");
    drop(poster);
    let poster = open(&anvil.url(), &outbox, "operator", |terms| terms).await?;
    ensure!(poster.deploy_anchors(false).await?.0 == operator.create(0));
    ensure!(anvil.mined_of(operator)? == 1);
    Ok(())
}
