//! Batches: what is settled, what is refused, and why.

use super::{
    anvil::TODAY,
    proofs::{approval, element, key, prove, root},
    proxy::{Moment, Proxy},
    world::{World, account, payer},
};
use alloy_primitives::{Address, U256};
use anyhow::{Context, Result, ensure};
use ark_bn254::Fr;
use nightingale_circuits::claim::{Date, PublicInputs, SizeClass};
use nightingale_contracts::bindings::Verdict;
use nightingale_poster::{
    Claim, Outcome, Refusal, Settlement, administration as tell, report::SettlementReport,
};
use nightingale_verifier::KeyDigest;

fn refusals(settlement: &Settlement) -> Vec<Option<Refusal>> {
    let refusal = |outcome: &Outcome| match outcome {
        Outcome::Settled(_) => None,
        Outcome::Refused(refusal) => Some(refusal.clone()),
    };
    settlement.entries.iter().map(|entry| refusal(&entry.outcome)).collect()
}

fn provider() -> Result<Address> {
    Ok(account("provider")?.address())
}

#[tokio::test(flavor = "multi_thread")]
async fn settles_claims_of_both_classes_in_one_transaction() -> Result<()> {
    let Some(world) = World::new().await? else { return Ok(()) };
    let mut large = approval("large", provider()?)?;
    large.nullifiers.resize(8, Fr::from(0u64));
    large.nullifiers[7] = element("large nullifier 7");
    let claims = [
        world.claim("a").await?,
        world.claim_of(large).await?,
        world.claim("b").await?,
        world.claim("c").await?,
    ];
    let poster = world.poster("stranger", |terms| terms).await?;
    let settlement = poster.settle(&world.deployment, &claims).await?;
    ensure!(settlement.all_paid() && settlement.transactions.len() == 1);
    ensure!(world.anvil.mined_of(poster.address())? == 1);
    ensure!(world.settlements()? == 4 && world.credit().await? == U256::from(4 * 12_345));
    for label in ["a nullifier", "a spend tag", "large nullifier 7", "c nullifier"] {
        ensure!(world.is_spent(root(label)).await?, "{label}");
    }
    let report = serde_json::to_value(SettlementReport::from(&settlement))?;
    ensure!(report["transaction"] == report["entries"][0]["transaction"] && report["block"].is_u64());
    ensure!(report["gas_used"] == settlement.transactions[0].gas_used);
    let first = &report["entries"][0];
    ensure!(first["settled"] == true && first["reason"].is_null() && first["payable_cents"] == 12_345);
    ensure!(first["claim_commitment"] == root("a commitment").to_string());
    ensure!(first["payee"] == format!("{:#x}", provider()?));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn one_bad_claim_of_each_kind_leaves_the_others_alone() -> Result<()> {
    let Some(world) = World::new().await? else { return Ok(()) };
    let good = [world.claim("good").await?, world.claim("also good").await?];
    let stale = PublicInputs { epoch_root: element("old epoch"), ..approval("stale", provider()?)? };
    let stale = world.claim_of(stale).await?;
    let unreceived = world.endorsed(prove(approval("unreceived", provider()?)?)?)?;
    let mut altered = world.claim("altered").await?;
    altered.proof.public.packed = PublicInputs::pack_amount(99_999, Date::from_days(TODAY)?);
    let zero = Fr::from(0u64);
    let denial = PublicInputs {
        packed: PublicInputs::pack_amount(0, Date::from_days(TODAY)?),
        spend_tag: zero,
        next_note: zero,
        nullifiers: vec![zero, zero],
        ..approval("denied", provider()?)?
    };
    let denial = Claim { proof: prove(denial)?, endorsement: None };
    let unendorsed = Claim { endorsement: None, ..world.claim("unendorsed").await? };
    let mut forged = world.claim("forged").await?;
    forged.endorsement = good[0].endorsement.clone();
    let mut unknown = world.claim("unknown key").await?;
    unknown.proof.key = KeyDigest([7; 32]);
    let racing = PublicInputs { spend_tag: element("good spend tag"), ..approval("racing", provider()?)? };
    let racing = world.claim_of(racing).await?;
    let dear = approval("dear", provider()?)?;
    let dear = PublicInputs { packed: PublicInputs::pack_amount(990_000, Date::from_days(TODAY)?), ..dear };
    let dear = world.claim_of(dear).await?;
    // The old epoch was the newest once.
    let publish = |label| tell::publish_epoch(&world.deployment, payer(), root(label));
    world.prepare(&[publish("old epoch"), publish("newer epoch")]).await?;
    // Without a grace, a superseded epoch is stale from the next second on.
    world.anvil.ask("evm_increaseTime", serde_json::json!([10]))?;
    world.anvil.mine(1)?;
    let fresh = |claim: &Claim| -> Result<Claim> {
        let public = PublicInputs { epoch_root: element("newer epoch"), ..claim.proof.public.clone() };
        world.endorsed(prove(public)?)
    };
    let forged = Claim { endorsement: forged.endorsement.clone(), ..fresh(&forged)? };
    let (first, second) = (fresh(&good[0])?, fresh(&good[1])?);
    let (racing, dear, unreceived) = (fresh(&racing)?, fresh(&dear)?, fresh(&unreceived)?);
    let claims = [
        stale,
        first.clone(),
        unreceived,
        altered,
        denial,
        unendorsed,
        forged,
        unknown,
        racing,
        first,
        dear,
        second,
    ];
    let poster = world.poster("stranger", |terms| terms).await?;
    let settlement = poster.settle(&world.deployment, &claims).await?;
    let found = refusals(&settlement);
    let contract = |verdict| Some(Refusal::Contract(verdict));
    ensure!(found[0] == contract(Verdict::EpochStale), "{found:?}");
    ensure!(found[1].is_none() && found[11].is_none(), "{found:?}");
    ensure!(found[2] == contract(Verdict::ReceiptMissing), "{found:?}");
    ensure!(matches!(found[3], Some(Refusal::ProofInvalid(_))), "{found:?}");
    ensure!(found[4] == contract(Verdict::NothingToSettle), "{found:?}");
    ensure!(found[5] == Some(Refusal::EndorsementMissing), "{found:?}");
    ensure!(found[6] == contract(Verdict::PayeeSignatureInvalid), "{found:?}");
    ensure!(found[7] == Some(Refusal::KeyNotRegistered), "{found:?}");
    ensure!(
        found[8] == Some(Refusal::RepeatedInBatch) && found[9] == Some(Refusal::RepeatedInBatch),
        "{found:?}"
    );
    ensure!(found[10] == contract(Verdict::EscrowTooSmall), "{found:?}");
    ensure!(!settlement.all_paid() && world.settlements()? == 2);
    ensure!(world.anvil.mined_of(poster.address())? == 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_that_somebody_else_settled_is_recognised_and_not_sent() -> Result<()> {
    let Some(world) = World::new().await? else { return Ok(()) };
    let (shared, own) = (world.claim("shared").await?, world.claim("own").await?);
    let other = PublicInputs { spend_tag: element("shared spend tag"), ..approval("other", provider()?)? };
    let other = world.claim_of(other).await?;
    let rival = world.poster("operator", |terms| terms).await?;
    let rivals = rival.settle(&world.deployment, std::slice::from_ref(&shared)).await?;
    let poster = world.poster("stranger", |terms| terms).await?;
    let alone = poster.settle(&world.deployment, std::slice::from_ref(&shared)).await?;
    let by = Some(rivals.transactions[0].transaction);
    ensure!(refusals(&alone) == [Some(Refusal::AlreadySettled { by })] && alone.all_paid());
    ensure!(alone.transactions.is_empty() && world.anvil.mined_of(poster.address())? == 0);
    // The same account version was used by another claim: that is not this claim's payment.
    let settlement = poster.settle(&world.deployment, &[shared, other, own]).await?;
    let expected = [Some(Refusal::AlreadySettled { by }), Some(Refusal::AlreadySettled { by: None }), None];
    ensure!(refusals(&settlement) == expected && !settlement.all_paid());
    ensure!(world.settlements()? == 2);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_that_somebody_else_settles_first_is_skipped_and_the_others_are_paid() -> Result<()> {
    let Some(world) = World::new().await? else { return Ok(()) };
    let claims = [world.claim("raced").await?, world.claim("calm").await?];
    let proxy = Proxy::holding(world.anvil.address(), "eth_sendRawTransaction", 0, Moment::Before)?;
    let poster = world.poster_at(proxy.url(), "stranger", |terms| terms).await?;
    let (deployment, batch) = (world.deployment.clone(), claims.to_vec());
    let posting = tokio::spawn(async move { poster.settle(&deployment, &batch).await });
    tokio::task::block_in_place(|| proxy.reached())?;
    // The batch is signed with both claims in it. Now a rival is faster.
    let rival = world.poster("operator", |terms| terms).await?;
    let rivals = rival.settle(&world.deployment, &claims[..1]).await?;
    proxy.release();
    let settlement = posting.await??;
    let by = Some(rivals.transactions.first().context("no transaction")?.transaction);
    ensure!(refusals(&settlement) == [Some(Refusal::AlreadySettled { by }), None]);
    ensure!(world.settlements()? == 2 && world.credit().await? == U256::from(2 * 12_345));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_settlement_that_is_asked_for_again_is_found_and_not_sent_again() -> Result<()> {
    let Some(world) = World::new().await? else { return Ok(()) };
    let claims = [world.claim("a").await?, world.claim("b").await?];
    let poster = world.poster("stranger", |terms| terms).await?;
    let first = poster.settle(&world.deployment, &claims[..1]).await?;
    let both = poster.settle(&world.deployment, &claims).await?;
    ensure!(both.entries[0].outcome == Outcome::Settled(first.transactions[0]));
    let again = poster.settle(&world.deployment, &claims).await?;
    ensure!(again.transactions.is_empty() && again.all_paid());
    ensure!(world.anvil.mined_of(poster.address())? == 2 && world.settlements()? == 2);
    let report = serde_json::to_value(SettlementReport::from(&again))?;
    ensure!(report["transactions"].as_array().is_some_and(|all| all.len() == 2));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_settlement_is_refused_before_anything_is_signed() -> Result<()> {
    use alloy_sol_types::SolCall;
    use nightingale_contracts::{bindings::Registry::pauseCall, deploy::Request};
    let Some(world) = World::new().await? else { return Ok(()) };
    let claim = world.claim("late").await?;
    let data = pauseCall {}.abi_encode().into();
    world.prepare(&[Request { purpose: "pause".into(), to: Some(world.deployment.registry), data }]).await?;
    let poster = world.poster("stranger", |terms| terms).await?;
    let Err(error) = poster.settle(&world.deployment, &[claim]).await else {
        anyhow::bail!("it was settled")
    };
    ensure!(error.to_string().contains("SettlementPaused") && !error.is_wrong_use(), "{error}");
    ensure!(world.anvil.mined_of(poster.address())? == 0);
    ensure!(nightingale_poster::Outbox::list(&world.path("stranger.sqlite")).await?.is_empty());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_registered_under_another_digest_is_not_believed() -> Result<()> {
    use super::world::{config, open};
    let Some(world) = World::new().await? else { return Ok(()) };
    // A registry whose small key's digest stands for the large key.
    let operator = open(&world.anvil.url(), &world.path("setup.sqlite"), "operator", |terms| terms).await?;
    let mut config = config(operator.address())?;
    config.keys.retain(|found| found.key.gamma_abc_g1.len() == 19);
    config.keys[0].digest = alloy_primitives::B256::from(key(SizeClass::Two)?.digest().0);
    let swapped = operator.deploy(config, "swapped").await?;
    let claim = world.endorsed(prove(approval("a", provider()?)?)?)?;
    let settlement = operator.settle(&swapped, &[claim]).await?;
    ensure!(refusals(&settlement) == [Some(Refusal::KeyNotRegistered)]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_much_for_one_transaction_goes_out_in_several() -> Result<()> {
    let Some(world) = World::new().await? else { return Ok(()) };
    let anybody = world.anvil.ask("eth_accounts", serde_json::json!([]))?[0].clone();
    let mut claims = Vec::new();
    for number in 0..70 {
        let mut public = approval(&format!("claim {number}"), provider()?)?;
        public.nullifiers = (0..8).map(|line| element(&format!("claim {number} nullifier {line}"))).collect();
        let claim = world.endorsed(prove(public)?)?;
        let commitment = nightingale_poster::endorsement::commitment(&claim.proof);
        let receive = tell::receive_claim(&world.deployment, payer(), commitment);
        let transaction = serde_json::json!([{"from": anybody, "to": receive.to, "data": receive.data}]);
        world.anvil.ask("eth_sendTransaction", transaction)?;
        claims.push(claim);
    }
    let poster = world.poster("stranger", |terms| terms).await?;
    let settlement = poster.settle(&world.deployment, &claims).await?;
    ensure!(settlement.all_paid() && world.settlements()? == 70, "{:?}", settlement.entries);
    // 64 claims of eight lines use more than a transaction may: 32 and 32, then the other six.
    ensure!(settlement.transactions.len() == 3, "{:?}", settlement.transactions);
    ensure!(world.credit().await? == U256::from(70 * 12_345));
    Ok(())
}
