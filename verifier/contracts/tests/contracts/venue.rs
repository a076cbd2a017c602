//! One registry serves one settlement on one chain: what is used up elsewhere, nobody here remembers.

use super::{
    business::refused,
    world::{Claim, DEPLOYER, STRANGER, World, payer, provider, verdicts},
};
use alloy_primitives::{Address, U256};
use alloy_sol_types::SolConstructor;
use anyhow::{Result, ensure};
use nightingale_contracts::{
    artefacts,
    bindings::{
        ClaimSettlement::{SettlementNotBound, constructorCall, creditOfCall, depositCall, previewCall},
        Registry::{
            NotAdmin, SettlementAlreadyBound, SettlementBound, SettlementMissing, addPayerCall,
            bindSettlementCall, settlementCall,
        },
        Token::{approveCall, mintCall},
        Verdict,
    },
};

/// A second settlement over the same registry and token, with escrow of the same payer.
fn second_settlement(world: &mut World) -> Result<Address> {
    let arguments = constructorCall {
        registry: world.deployment.registry,
        token: world.deployment.token,
        unitsPerCent: U256::ONE,
    };
    let code = [artefacts::claim_settlement()?.bytecode.to_vec(), arguments.abi_encode()].concat();
    Ok(world.chain.deploy(STRANGER, code.into())?)
}

#[test]
fn one_proof_that_its_payee_signs_for_two_settlements_is_paid_once() -> Result<()> {
    let mut world = World::new()?;
    let claim = Claim::new("a")?;
    ensure!(world.verdict(&claim)? == Verdict::Payable);
    let second = second_settlement(&mut world)?;
    world.deployment.settlement = second;
    // It takes no money either.
    let deposit = depositCall { payer: payer(), amount: U256::ONE };
    let error: SettlementNotBound = refused(world.chain.send(STRANGER, second, &deposit))?;
    ensure!(error.settlement != second);
    // received and signed for the second one too
    let group = world.group(&[claim])?;
    let previewed = world.chain.ask(second, &previewCall { group: group.clone() })?;
    ensure!(previewed == [Verdict::SettlementUnknown as u8]);
    ensure!(verdicts(&world.send(vec![group])?)? == [Verdict::SettlementUnknown]);
    ensure!(world.chain.ask(second, &creditOfCall { payee: provider()?.address() })?.is_zero());
    Ok(())
}

/// On a fork whose id development keys are good for, so that only the registry's own chain id refuses.
#[test]
fn a_settlement_that_was_forked_into_another_chain_pays_nothing_there() -> Result<()> {
    let mut world = World::new()?;
    world.chain = world.chain.forked(1337);
    let group = world.group(&[Claim::new("a")?])?;
    let settlement = world.deployment.settlement;
    let previewed = world.chain.ask(settlement, &previewCall { group: group.clone() })?;
    ensure!(previewed == [Verdict::SettlementUnknown as u8]);
    ensure!(verdicts(&world.send(vec![group])?)? == [Verdict::SettlementUnknown]);
    Ok(())
}

/// Keys that are registered before the binding settle at once, so nothing may be at stake by then.
#[test]
fn nobody_deposits_before_the_settlement_is_bound() -> Result<()> {
    let mut world = World::new()?;
    let registry = world.unbound_registry()?;
    world.deployment.registry = registry;
    let early = second_settlement(&mut world)?;
    world.chain.send(DEPLOYER, registry, &addPayerCall { payer: payer(), owner: STRANGER })?;
    let (token, amount) = (world.deployment.token, U256::from(100));
    let deposit = depositCall { payer: payer(), amount };
    world.chain.send(STRANGER, token, &mintCall { to: STRANGER, amount })?;
    world.chain.send(STRANGER, token, &approveCall { spender: early, amount })?;
    let error: SettlementNotBound = refused(world.chain.send(STRANGER, early, &deposit))?;
    ensure!(error.settlement.is_zero());
    world.chain.send(DEPLOYER, registry, &bindSettlementCall { settlement_: early })?;
    world.chain.send(STRANGER, early, &deposit)?;
    Ok(())
}

#[test]
fn the_administrator_binds_one_settlement_once_and_for_ever() -> Result<()> {
    let mut world = World::new()?;
    let bound = world.deployment.settlement;
    let second = second_settlement(&mut world)?;
    let registry = world.deployment.registry;
    ensure!(world.chain.ask(registry, &settlementCall {})? == bound);
    let bind = bindSettlementCall { settlement_: second };
    let error: SettlementAlreadyBound = refused(world.chain.send(DEPLOYER, registry, &bind))?;
    ensure!(error.settlement == bound);
    let fresh = world.unbound_registry()?;
    refused::<_, NotAdmin>(world.chain.send(STRANGER, fresh, &bind))?;
    for nothing in [Address::ZERO, STRANGER] {
        let call = bindSettlementCall { settlement_: nothing };
        refused::<_, SettlementMissing>(world.chain.send(DEPLOYER, fresh, &call))?;
    }
    let receipt = world.chain.send(DEPLOYER, fresh, &bind)?;
    ensure!(receipt.events::<SettlementBound>().any(|event| event.settlement == second));
    refused::<_, SettlementAlreadyBound>(world.chain.send(DEPLOYER, fresh, &bind))?;
    Ok(())
}
