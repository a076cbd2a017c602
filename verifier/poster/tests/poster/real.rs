//! A claim of the statement itself, proven under the development key, from registers to the payee's credit.

use super::{
    anvil::NOON,
    world::{World, account, config, open},
};
use alloy_primitives::{B256, U256};
use anyhow::{Context, Result, ensure};
use nightingale_circuits::claim::{SizeClass, adjudicate};
use nightingale_contracts::{
    bindings::ClaimSettlement::creditOfCall,
    calldata::word,
    deploy::{Config, KeyKind, KeyToRegister},
};
use nightingale_poster::{Claim, EndorsementFile, administration as tell, endorsement::commitment, payer};
use nightingale_prover::{ClaimProver, KeyStore, device::Reference};
use nightingale_records::{
    Registers,
    synth::{self, PAYER, Story},
};
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_of_the_statement_goes_from_registers_to_the_payees_credit() -> Result<()> {
    let Some(world) = World::new().await? else { return Ok(()) };
    let keys = concat!(env!("CARGO_TARGET_TMPDIR"), "/development-keys");
    let key = KeyStore::development(keys, &mut |_| {})?.claim_key(SizeClass::Two)?;
    let operator = open(&world.anvil.url(), &world.path("setup.sqlite"), "operator", |terms| terms).await?;
    let digest = B256::from(key.verifying().digest().0);
    let register =
        KeyToRegister { digest, kind: KeyKind::Development, key: key.verifying().groth16().clone() };
    let only = Config { keys: vec![register], ..config(operator.address())? };
    let deployment = operator.deploy(only, "real").await?;

    // The insurer's registers, with this test's provider and this deployment.
    let provider = account("provider")?;
    let demo = synth::demo(5);
    let mut registers: Value = serde_json::from_str(&demo.registers.to_json())?;
    for row in registers["providers"].as_array_mut().context("providers")? {
        row["settlement"] = json!(format!("{:#x}", provider.address()));
    }
    registers["venue"] = json!({"chain_id": 31337, "contract": format!("{:#x}", deployment.settlement)});
    let registers = Registers::from_json(registers.to_string().as_bytes())?.build()?;
    let mut rng = ChaCha20Rng::seed_from_u64(5);
    let mut found = None;
    for told in demo.claims.iter().filter(|told| told.story == Story::Approved) {
        let request = registers.request(&told.claim, told.claim.received.context("received")?, &mut rng)?;
        let outcome = adjudicate(&request)?;
        if outcome.approved && outcome.class == SizeClass::Two && outcome.payable > 0 {
            found = Some((request, outcome.payable));
            break;
        }
    }
    let (request, payable) = found.context("no such claim in the demonstration")?;
    let proof = ClaimProver::new(key, &Reference)?.prove(&request, &mut rng)?;

    let insurer = payer::parse(&format!("name:{PAYER}"))?;
    ensure!(insurer.to::<u128>() == request.epoch.payer.number());
    let later = NOON + 340 * 86_400;
    world.anvil.ask("evm_setNextBlockTimestamp", json!([later]))?;
    world.anvil.mine(1)?;
    let mut requests = vec![
        tell::add_payer(&deployment, insurer, operator.address()),
        tell::set_authority(&deployment, operator.address(), true),
        tell::publish_epoch(&deployment, insurer, word(request.epoch.root())),
        tell::publish_accounts(&deployment, insurer, word(request.account_root)),
        tell::publish_consents(&deployment, word(request.consent_root), u64::MAX),
        tell::record_receipt(&deployment, insurer, commitment(&proof), request.received.days()),
        tell::mint(&deployment, operator.address(), payable),
    ];
    requests.extend(tell::deposit(&deployment, insurer, payable));
    operator.send_all(&requests).await?;
    let (chain, contract) = (deployment.chain_id, deployment.settlement);
    let signed = EndorsementFile::sign(&provider, &proof, chain, contract, insurer, operator.address())?;
    let claim = Claim { proof, endorsement: Some(signed.endorsement()?) };
    let settlement = operator.settle(&deployment, &[claim]).await?;
    ensure!(settlement.all_paid() && settlement.transactions.len() == 1, "{:?}", settlement.entries);
    let credit = operator.node().ask(contract, &creditOfCall { payee: provider.address() }).await?;
    ensure!(credit == U256::from(payable));
    Ok(())
}
