//! When a claim was received: two witnesses, each of whom speaks once.

use super::{
    business::refused,
    world::{Claim, DEPLOYER, INSURER, STRANGER, TODAY, World, payer, root, verdicts},
};
use alloy_primitives::U256;
use anyhow::{Result, ensure};
use nightingale_contracts::{
    Error, PayerId,
    bindings::{
        ClaimSettlement::{
            ClaimReceived, NotPayerOwner, PayerUnknown, ReceiptDayZero, ReceiptExists, ReceiptInFuture,
            receiptOfCall, receiveClaimCall, recordReceiptCall,
        },
        Registry::pauseCall,
        Verdict,
    },
    calldata,
    chain::Receipt,
};

const DAY: u64 = 86_400;

fn record(world: &mut World, claim: &Claim, day: u32) -> Result<Receipt, Error> {
    let call = recordReceiptCall { payer: claim.payer, claimCommitment: claim.commitment_word(), day };
    world.chain.send(INSURER, world.deployment.settlement, &call)
}

/// Settles without telling the chain first.
fn verdict(world: &mut World, claim: &Claim) -> Result<Verdict> {
    let inputs = claim.inputs().len();
    let group = calldata::group(super::world::digest(inputs), &[(claim.entry()?, world.endorse(claim)?)]);
    Ok(verdicts(&world.send(vec![group])?)?[0])
}

#[test]
fn the_chain_stores_its_own_day_once() -> Result<()> {
    let mut world = World::new()?;
    let claim = Claim::new("a")?;
    let call = receiveClaimCall { payer: payer(), claimCommitment: claim.commitment_word() };
    let settlement = world.deployment.settlement;
    let receipt = world.chain.send(STRANGER, settlement, &call)?;
    let events: Vec<ClaimReceived> = receipt.events().collect();
    ensure!(events.len() == 1 && events[0].day == U256::from(TODAY) && !events[0].byPayer);
    world.chain.advance(DAY);
    let error: ReceiptExists = refused(world.chain.send(STRANGER, settlement, &call))?;
    ensure!(error.day == U256::from(TODAY));
    let stored = receiptOfCall { payer: payer(), claimCommitment: claim.commitment_word() };
    ensure!(world.chain.ask(settlement, &stored)?.chainDay == TODAY);
    Ok(())
}

#[test]
fn a_claim_without_a_receipt_is_not_paid() -> Result<()> {
    let mut world = World::new()?;
    let claim = Claim::new("a")?;
    ensure!(verdict(&mut world, &claim)? == Verdict::ReceiptMissing);
    world.receive(&claim)?;
    ensure!(verdict(&mut world, &claim)? == Verdict::Payable);
    Ok(())
}

#[test]
fn a_receipt_of_one_payer_is_none_of_another() -> Result<()> {
    let mut world = World::new()?;
    let claim = Claim::new("a")?;
    let elsewhere = receiveClaimCall { payer: PayerId::from(3), claimCommitment: claim.commitment_word() };
    refused::<_, PayerUnknown>(world.chain.send(STRANGER, world.deployment.settlement, &elsewhere))?;
    ensure!(verdict(&mut world, &claim)? == Verdict::ReceiptMissing);
    Ok(())
}

#[test]
fn a_backdated_or_postdated_proof_is_not_paid() -> Result<()> {
    let mut world = World::new()?;
    for (label, day) in [("early", TODAY - 1), ("late", TODAY + 1), ("never", 0)] {
        let mut claim = Claim::new(label)?;
        claim.day = day;
        ensure!(world.verdict(&claim)? == Verdict::ReceiptDiffers, "{label}");
    }
    Ok(())
}

#[test]
fn the_payer_may_acknowledge_an_earlier_day_once() -> Result<()> {
    let mut world = World::new()?;
    let mut claim = Claim::new("a")?;
    claim.day = TODAY - 30;
    let receipt = record(&mut world, &claim, TODAY - 30)?;
    let events: Vec<ClaimReceived> = receipt.events().collect();
    ensure!(events.len() == 1 && events[0].byPayer);
    refused::<_, ReceiptExists>(record(&mut world, &claim, TODAY - 31))?;
    ensure!(verdict(&mut world, &claim)? == Verdict::Payable);
    Ok(())
}

#[test]
fn a_payers_day_cannot_ruin_a_claim_that_the_chain_received() -> Result<()> {
    let mut world = World::new()?;
    let claim = Claim::new("a")?;
    record(&mut world, &claim, 1)?;
    world.receive(&claim)?;
    ensure!(verdict(&mut world, &claim)? == Verdict::Payable);
    Ok(())
}

#[test]
fn a_stranger_who_tells_the_chain_first_cannot_take_the_payers_word_away() -> Result<()> {
    let mut world = World::new()?;
    let mut claim = Claim::new("a")?;
    claim.day = TODAY - 2;
    world.receive(&claim)?;
    ensure!(verdict(&mut world, &claim)? == Verdict::ReceiptDiffers);
    record(&mut world, &claim, TODAY - 2)?;
    ensure!(verdict(&mut world, &claim)? == Verdict::Payable);
    Ok(())
}

#[test]
fn only_the_payer_records_and_no_future_day_and_no_day_zero() -> Result<()> {
    let mut world = World::new()?;
    let settlement = world.deployment.settlement;
    let call = recordReceiptCall { payer: payer(), claimCommitment: root("a"), day: TODAY };
    refused::<_, NotPayerOwner>(world.chain.send(STRANGER, settlement, &call))?;
    let claim = Claim::new("a")?;
    let error: ReceiptInFuture = refused(record(&mut world, &claim, TODAY + 1))?;
    ensure!(error.today == U256::from(TODAY));
    refused::<_, ReceiptDayZero>(record(&mut world, &claim, 0))?;
    record(&mut world, &claim, TODAY)?;
    Ok(())
}

#[test]
fn receipts_go_on_while_settlement_is_paused() -> Result<()> {
    let mut world = World::new()?;
    world.chain.send(DEPLOYER, world.deployment.registry, &pauseCall {})?;
    world.receive(&Claim::new("a")?)?;
    record(&mut world, &Claim::new("b")?, TODAY - 1)?;
    Ok(())
}
