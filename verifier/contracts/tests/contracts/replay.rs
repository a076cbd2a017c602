//! Nothing is paid twice, in whatever dress it comes.

use super::{
    business::refused,
    proofs::SMALL,
    world::{Claim, DEPLOYER, ESCROW, STRANGER, World, digest, element, payer, root, verdicts},
};
use alloy_primitives::U256;
use anyhow::{Result, ensure};
use nightingale_contracts::{
    PayerId,
    bindings::{
        ClaimSettlement::{GroupRejected, escrowOfCall, isSpentCall},
        Registry::{addPayerCall, publishAccountRootCall, publishEpochCall},
        Verdict,
    },
    calldata,
};

#[test]
fn a_replayed_claim_is_skipped() -> Result<()> {
    let mut world = World::new()?;
    let claim = Claim::new("a")?;
    ensure!(world.verdict(&claim)? == Verdict::Payable);
    ensure!(world.verdict(&claim)? == Verdict::AlreadySettled);
    Ok(())
}

#[test]
fn the_mirrored_proof_of_a_settled_claim_pays_nothing() -> Result<()> {
    let mut world = World::new()?;
    let claim = Claim::new("a")?;
    world.settle(std::slice::from_ref(&claim))?;
    let mut mirrored = claim.prove()?;
    mirrored.a = -mirrored.a;
    mirrored.b = -mirrored.b;
    let entry = calldata::entry(&mirrored, &claim.inputs());
    let group = calldata::group(digest(SMALL), &[(entry, world.endorse(&claim)?)]);
    ensure!(verdicts(&world.send(vec![group])?)? == [Verdict::AlreadySettled]);
    Ok(())
}

#[test]
fn the_same_entry_twice_in_a_batch_or_in_two_groups_pays_once() -> Result<()> {
    let mut world = World::new()?;
    let (a, b) = (Claim::new("a")?, Claim::new("b")?);
    ensure!(verdicts(&world.settle(&[a.clone(), a])?)? == [Verdict::Payable, Verdict::AlreadySettled]);
    let group = world.group(&[b])?;
    ensure!(
        verdicts(&world.send(vec![group.clone(), group])?)? == [Verdict::Payable, Verdict::AlreadySettled]
    );
    Ok(())
}

#[test]
fn two_claims_racing_for_one_account_version_settle_one() -> Result<()> {
    let mut world = World::new()?;
    let (first, mut second) = (Claim::new("a")?, Claim::new("b")?);
    second.spend_tag = first.spend_tag;
    ensure!(
        verdicts(&world.settle(&[first, second.clone()])?)? == [Verdict::Payable, Verdict::AlreadySettled]
    );
    ensure!(world.verdict(&second)? == Verdict::AlreadySettled);
    // proven again against the new account version, it is paid
    second.spend_tag = element("version 2");
    ensure!(world.verdict(&second)? == Verdict::Payable);
    Ok(())
}

#[test]
fn a_line_is_paid_once_whatever_stands_beside_it() -> Result<()> {
    let mut world = World::new()?;
    let first = Claim::new("a")?;
    let mut regrouped = Claim::new("b")?;
    regrouped.nullifiers[1] = first.nullifiers[0];
    let mut larger = Claim::large("c")?;
    larger.nullifiers[7] = first.nullifiers[0];
    world.settle(&[first])?;
    ensure!(world.verdict(&regrouped)? == Verdict::AlreadySettled);
    ensure!(world.verdict(&larger)? == Verdict::AlreadySettled);
    Ok(())
}

#[test]
fn an_authorisation_serves_one_claim() -> Result<()> {
    let mut world = World::new()?;
    let (mut first, mut second) = (Claim::new("a")?, Claim::new("b")?);
    first.authorisation_tag = element("authorisation");
    second.authorisation_tag = element("authorisation");
    ensure!(verdicts(&world.settle(&[first, second])?)? == [Verdict::Payable, Verdict::AlreadySettled]);
    Ok(())
}

#[test]
fn a_line_that_stands_twice_in_one_claim_is_refused() -> Result<()> {
    let mut world = World::new()?;
    let mut claim = Claim::new("a")?;
    claim.nullifiers[1] = claim.nullifiers[0];
    ensure!(world.verdict(&claim)? == Verdict::AlreadySettled);
    let mut large = Claim::large("b")?;
    large.nullifiers[6] = large.nullifiers[0];
    ensure!(world.verdict(&large)? == Verdict::AlreadySettled);
    Ok(())
}

#[test]
fn a_skipped_claim_uses_nothing_up() -> Result<()> {
    let mut world = World::new()?;
    let mut claim = Claim::new("a")?;
    claim.cents = ESCROW + 1;
    ensure!(world.verdict(&claim)? == Verdict::EscrowTooSmall);
    let tag = calldata::word(claim.nullifiers[0]);
    ensure!(!world.chain.ask(world.deployment.settlement, &isSpentCall { payer: payer(), tag })?);
    world.fund(payer(), 1)?;
    ensure!(world.verdict(&claim)? == Verdict::Payable);
    Ok(())
}

#[test]
fn escrow_runs_out_in_the_middle_of_a_batch() -> Result<()> {
    let mut world = World::new()?;
    let (mut first, mut second, mut third) = (Claim::new("a")?, Claim::new("b")?, Claim::new("c")?);
    (first.cents, second.cents, third.cents) = (ESCROW - 10, 11, 10);
    let found = verdicts(&world.settle(&[first, second, third])?)?;
    ensure!(found == [Verdict::Payable, Verdict::EscrowTooSmall, Verdict::Payable]);
    let left = world.chain.ask(world.deployment.settlement, &escrowOfCall { payer: payer() })?;
    ensure!(left == U256::ZERO);
    Ok(())
}

/// Another payer that copies this payer's roots pays from its own escrow, and uses up nothing of this one's.
#[test]
fn another_payer_that_copies_the_roots_spends_only_its_own() -> Result<()> {
    let mut world = World::new()?;
    let other = PayerId::from(9);
    let registry = world.deployment.registry;
    world.chain.send(DEPLOYER, registry, &addPayerCall { payer: other, owner: STRANGER })?;
    world.chain.send(STRANGER, registry, &publishEpochCall { payer: other, epochRoot: root("epoch") })?;
    world.chain.send(
        STRANGER,
        registry,
        &publishAccountRootCall { payer: other, accountRoot: root("accounts") },
    )?;
    world.fund(other, 20_000)?;
    let claim = Claim::new("a")?;
    let mut copied = claim.clone();
    copied.payer = other;
    ensure!(world.verdict(&copied)? == Verdict::Payable);
    let settlement = world.deployment.settlement;
    ensure!(world.chain.ask(settlement, &escrowOfCall { payer: other })? == U256::from(20_000 - 12_345));
    ensure!(world.chain.ask(settlement, &escrowOfCall { payer: payer() })? == U256::from(ESCROW));
    ensure!(world.verdict(&claim)? == Verdict::Payable);
    Ok(())
}

#[test]
fn a_changed_amount_payee_or_day_is_no_proof() -> Result<()> {
    let mut world = World::new()?;
    let group = world.group(&[Claim::new("a")?])?;
    for word in 0..8 + SMALL {
        let mut changed = group.clone();
        let mut entries = changed.entries.to_vec();
        entries[32 * word + 30] ^= 1;
        changed.entries = entries.into();
        refused::<_, GroupRejected>(world.send(vec![changed]))?;
    }
    Ok(())
}
