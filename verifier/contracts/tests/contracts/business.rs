//! Settlement: what is paid, and for each reason to skip an entry, that it is skipped alone and with that reason.

use super::{
    proofs::{LARGE, SMALL},
    world::{
        AUTHORITY, Claim, DEPLOYER, ESCROW, INSURER, STRANGER, TODAY, World, digest, element, payer,
        provider, root, verdicts,
    },
};
use alloy_primitives::{Address, Bytes, U256};
use alloy_signer_local::PrivateKeySigner;
use alloy_sol_types::{SolCall, SolError};
use anyhow::{Context, Result, bail, ensure};
use ark_bn254::Fr;
use ark_ff::Field;
use nightingale_contracts::{
    Error, PayerId,
    bindings::{
        ClaimSettlement::{
            ClaimSettled, GasTooSmall, GroupMalformed, GroupRejected, KeyUnknown, SettlementPaused,
            creditOfCall, escrowOfCall, findInvalidCall, isSpentCall, previewCall,
        },
        ClaimVerifier::ProofRejected,
        Registry::{
            addPayerCall, consentStampCall, disableKeyCall, newestConsentRootCall, pauseCall,
            setAuthorityCall, setPayerPausedCall, unpauseCall,
        },
        Verdict,
    },
    calldata::{self, PublicInputs},
};

pub(crate) fn refused<T, E: SolError>(result: Result<T, Error>) -> Result<E> {
    match result {
        Err(Error::Reverted(output)) => {
            E::abi_decode(&output).with_context(|| format!("another error: {output}"))
        }
        Err(other) => bail!("another failure: {other}"),
        Ok(_) => bail!("not refused"),
    }
}

#[test]
fn pays_a_claim_into_the_payees_credit_and_logs_all_of_it() -> Result<()> {
    let mut world = World::new()?;
    let mut claim = Claim::new("a")?;
    claim.authorisation_tag = element("authorisation");
    let receipt = world.settle(&[claim.clone()])?;
    let settled: Vec<ClaimSettled> = receipt.events().collect();
    ensure!(
        settled
            == [ClaimSettled {
                payer: payer(),
                claimCommitment: claim.commitment_word(),
                payee: provider()?.address(),
                cents: U256::from(12_345),
                receivedDay: U256::from(TODAY),
                outcomeCommitment: calldata::word(claim.outcome),
                spendTag: calldata::word(claim.spend_tag),
                nextNote: calldata::word(claim.next_note),
            }]
    );
    let settlement = world.deployment.settlement;
    ensure!(
        world.chain.ask(settlement, &creditOfCall { payee: provider()?.address() })? == U256::from(12_345)
    );
    ensure!(world.chain.ask(settlement, &escrowOfCall { payer: payer() })? == U256::from(ESCROW - 12_345));
    let inputs = PublicInputs::new(claim.inputs().into_iter().map(calldata::word).collect())?;
    ensure!(inputs.tags().len() == 3 && inputs.payable_cents() == 12_345 && inputs.received_day() == TODAY);
    ensure!(inputs.payee() == provider()?.address() && inputs.claim_commitment() == claim.commitment_word());
    for tag in inputs.tags() {
        ensure!(world.chain.ask(settlement, &isSpentCall { payer: payer(), tag })?);
    }
    Ok(())
}

#[test]
fn settles_both_classes_in_one_transaction() -> Result<()> {
    let mut world = World::new()?;
    let mut large = Claim::large("l")?;
    large.nullifiers[5] = element("l nullifier 5");
    let groups = vec![world.group(&[Claim::new("a")?, Claim::new("b")?])?, world.group(&[large])?];
    ensure!(verdicts(&world.send(groups)?)? == [Verdict::Payable; 3]);
    Ok(())
}

#[test]
fn approves_at_zero_payable_and_spends_its_tags() -> Result<()> {
    let mut world = World::new()?;
    let mut claim = Claim::new("all deductible")?;
    claim.cents = 0;
    ensure!(world.verdict(&claim)? == Verdict::Payable);
    ensure!(world.verdict(&claim)? == Verdict::AlreadySettled);
    Ok(())
}

#[test]
fn skips_only_the_entry_that_cannot_be_paid() -> Result<()> {
    let mut world = World::new()?;
    let mut denial = Claim::new("denied")?;
    (denial.spend_tag, denial.next_note) = (Fr::from(0u64), Fr::from(0u64));
    denial.nullifiers = vec![Fr::from(0u64); 2];
    let receipt = world.settle(&[Claim::new("a")?, denial, Claim::new("b")?])?;
    ensure!(verdicts(&receipt)? == [Verdict::Payable, Verdict::NothingToSettle, Verdict::Payable]);
    Ok(())
}

/// One change for each reason that lies in the claim itself; the unchanged claim is paid.
#[test]
fn names_the_reason_for_each_broken_business_rule() -> Result<()> {
    type Change = fn(&mut Claim);
    let cases: [(Verdict, Change); 12] = [
        (Verdict::Payable, |_| ()),
        (Verdict::NothingToSettle, |claim| claim.spend_tag = Fr::from(0u64)),
        (Verdict::NothingToSettle, |claim| claim.nullifiers[0] = Fr::from(0u64)),
        (Verdict::VersionUnknown, |claim| claim.version = 2),
        (Verdict::VersionUnknown, |claim| claim.version = 0),
        (Verdict::PayeeMalformed, |claim| claim.payee = Fr::from(0u64)),
        (Verdict::PayeeMalformed, |claim| claim.payee += two_to_160()),
        (Verdict::EpochUnknown, |claim| claim.epoch_root = element("another chain's epoch")),
        (Verdict::AccountRootUnknown, |claim| claim.account_root = element("forged accounts")),
        (Verdict::ConsentRootUnknown, |claim| claim.consent_root = element("forged consents")),
        (Verdict::AuthorityNotAccepted, |claim| claim.authority = STRANGER),
        (Verdict::EscrowTooSmall, |claim| claim.cents = ESCROW + 1),
    ];
    let mut world = World::new()?;
    for (number, (expected, change)) in cases.into_iter().enumerate() {
        let mut claim = Claim::new(&format!("case {number}"))?;
        change(&mut claim);
        let found = world.verdict(&claim)?;
        ensure!(found == expected, "case {number}: {found:?} instead of {expected:?}");
    }
    Ok(())
}

fn two_to_160() -> Fr {
    Fr::from(2u64).pow([160])
}

#[test]
fn an_unknown_payer_and_a_payers_neighbour_pay_nothing() -> Result<()> {
    let mut world = World::new()?;
    let neighbour = PayerId::from(77);
    let mut claim = Claim::new("a")?;
    claim.payer = neighbour;
    let entries = [(claim.entry()?, world.endorse(&claim)?)];
    let group = calldata::group(digest(SMALL), &entries);
    ensure!(verdicts(&world.send(vec![group.clone()])?)? == [Verdict::PayerUnknown]);
    // a payer that exists and has escrow did not publish this epoch
    let registry = world.deployment.registry;
    world.chain.send(DEPLOYER, registry, &addPayerCall { payer: neighbour, owner: STRANGER })?;
    world.fund(neighbour, 50_000)?;
    ensure!(verdicts(&world.send(vec![group])?)? == [Verdict::EpochUnknown]);
    Ok(())
}

#[test]
fn a_signature_for_another_payer_claim_contract_or_by_another_key_is_refused() -> Result<()> {
    let mut world = World::new()?;
    let claim = Claim::new("a")?;
    world.receive(&claim)?;
    let mut elsewhere = claim.clone();
    elsewhere.payer = PayerId::from(5);
    let mut other_claim = claim.clone();
    other_claim.commitment = element("another claim");
    let mut other_amount = claim.clone();
    other_amount.cents += 1;
    let stranger = PrivateKeySigner::from_bytes(&root("stranger"))?;
    let mut endorsements = vec![
        world.endorse(&elsewhere)?,
        world.endorse(&other_claim)?,
        world.endorse(&other_amount)?,
        world.endorse_by(&claim, &stranger)?,
        world.endorse(&claim)?,
        world.endorse(&claim)?,
    ];
    endorsements[4].signature = [0; 64];
    endorsements[5].signature[32] ^= 0x80;
    let settlement = world.deployment.settlement;
    world.deployment.settlement = STRANGER;
    endorsements.push(world.endorse(&claim)?);
    world.deployment.settlement = settlement;
    for mut endorsement in endorsements {
        endorsement.payer = payer();
        let group = calldata::group(digest(SMALL), &[(claim.entry()?, endorsement)]);
        ensure!(verdicts(&world.send(vec![group])?)? == [Verdict::PayeeSignatureInvalid]);
    }
    ensure!(world.verdict(&claim)? == Verdict::Payable);
    Ok(())
}

/// Under two epochs that are in force one claim has two proofs. Whoever sees the endorsement on its way settles the cheaper one with it?
#[test]
fn a_copied_endorsement_settles_no_cheaper_proof_of_the_claim() -> Result<()> {
    let mut world = World::new()?;
    world.publish_epoch("epoch 2")?;
    let claim = Claim::new("a")?;
    let group = world.group(std::slice::from_ref(&claim))?;
    let mut cheaper = claim.clone();
    (cheaper.epoch_root, cheaper.cents) = (element("epoch 2"), 45);
    let copied = calldata::group(digest(SMALL), &[(cheaper.entry()?, world.endorse(&claim)?)]);
    ensure!(verdicts(&world.send(vec![copied])?)? == [Verdict::PayeeSignatureInvalid]);
    ensure!(verdicts(&world.send(vec![group])?)? == [Verdict::Payable]);
    Ok(())
}

#[test]
fn a_disabled_key_is_skipped_for_ever() -> Result<()> {
    let mut world = World::new()?;
    let registry = world.deployment.registry;
    world.chain.send(DEPLOYER, registry, &disableKeyCall { digest: digest(SMALL) })?;
    let groups = vec![world.group(&[Claim::new("a")?])?, world.group(&[Claim::large("b")?])?];
    ensure!(verdicts(&world.send(groups)?)? == [Verdict::KeyDisabled, Verdict::Payable]);
    Ok(())
}

#[test]
fn a_development_key_stops_working_when_its_chain_becomes_public() -> Result<()> {
    let mut world = World::new()?;
    let group = world.group(&[Claim::new("a")?])?;
    world.chain = world.chain.forked(1);
    ensure!(verdicts(&world.send(vec![group])?)? == [Verdict::KeyDisabled]);
    Ok(())
}

#[test]
fn pauses_stop_settlement_and_end() -> Result<()> {
    let mut world = World::new()?;
    let registry = world.deployment.registry;
    let group = world.group(&[Claim::new("a")?])?;
    world.chain.send(DEPLOYER, registry, &pauseCall {})?;
    refused::<_, SettlementPaused>(world.send(vec![group.clone()]))?;
    world.chain.send(DEPLOYER, registry, &unpauseCall {})?;
    world.chain.send(DEPLOYER, registry, &setPayerPausedCall { payer: payer(), paused_: true })?;
    ensure!(verdicts(&world.send(vec![group.clone()])?)? == [Verdict::PayerPaused]);
    world.chain.send(DEPLOYER, registry, &setPayerPausedCall { payer: payer(), paused_: false })?;
    ensure!(verdicts(&world.send(vec![group])?)? == [Verdict::Payable]);
    Ok(())
}

#[test]
fn a_dropped_authority_counts_no_longer() -> Result<()> {
    let mut world = World::new()?;
    let registry = world.deployment.registry;
    world.chain.send(DEPLOYER, registry, &setAuthorityCall { authority: AUTHORITY, accepted: false })?;
    ensure!(world.verdict(&Claim::new("a")?)? == Verdict::AuthorityNotAccepted);
    Ok(())
}

/// While it was dropped it could publish nothing: nobody knows what was revoked meanwhile.
#[test]
fn an_authority_that_was_dropped_and_accepted_again_begins_without_roots() -> Result<()> {
    let mut world = World::new()?;
    let registry = world.deployment.registry;
    let accept = |accepted| setAuthorityCall { authority: AUTHORITY, accepted };
    // To accept it once more changes nothing.
    world.chain.send(DEPLOYER, registry, &accept(true))?;
    ensure!(world.verdict(&Claim::new("a")?)? == Verdict::Payable);
    world.chain.send(DEPLOYER, registry, &accept(false))?;
    world.chain.send(DEPLOYER, registry, &accept(false))?;
    world.chain.send(DEPLOYER, registry, &accept(true))?;
    ensure!(world.verdict(&Claim::new("b")?)? == Verdict::ConsentRootUnknown);
    let newest = newestConsentRootCall { authority: AUTHORITY };
    ensure!(world.chain.ask(registry, &newest)?.is_zero());
    let stamp = consentStampCall { authority: AUTHORITY, consentRoot: root("consents") };
    ensure!(world.chain.ask(registry, &stamp)?.publishedAt == 0);
    world.publish_consents("consents")?;
    ensure!(world.verdict(&Claim::new("b")?)? == Verdict::Payable);
    Ok(())
}

#[test]
fn older_roots_are_settled_within_their_grace_and_not_after_it() -> Result<()> {
    type Publish = fn(&mut World) -> Result<(), Error>;
    let cases: [(Publish, u64, Verdict); 3] = [
        (|world| world.publish_epoch("epoch 2"), 86_400, Verdict::EpochStale),
        (|world| world.publish_accounts("accounts 2"), 86_400, Verdict::AccountRootStale),
        (|world| world.publish_consents("consents 2"), 3_600, Verdict::ConsentRootStale),
    ];
    for (publish, grace, stale) in cases {
        let mut world = World::new()?;
        let (early, late) = (Claim::new("early")?, Claim::new("late")?);
        world.receive(&early)?;
        world.receive(&late)?;
        publish(&mut world)?;
        world.chain.advance(grace);
        ensure!(world.verdict(&early)? == Verdict::Payable, "{stale:?}");
        world.chain.advance(1);
        ensure!(world.verdict(&late)? == stale);
    }
    Ok(())
}

#[test]
fn an_invalid_proof_reverts_the_batch_and_the_culprit_can_be_found() -> Result<()> {
    let mut world = World::new()?;
    let mut group = world.group(&[Claim::new("a")?, Claim::new("b")?, Claim::new("c")?])?;
    let good = group.clone();
    let mut entries = group.entries.to_vec();
    let width = entries.len() / 3;
    entries[width + 256 + 5 * 32 + 31] ^= 1;
    entries[2 * width] = 0xff;
    group.entries = entries.into();
    let large = world.group(&[Claim::large("d")?])?;
    let error: GroupRejected = refused(world.send(vec![large, group.clone()]))?;
    ensure!(error.group == U256::ONE);
    ensure!(ProofRejected::abi_decode(&error.reason).is_ok());
    let settlement = world.deployment.settlement;
    ensure!(world.chain.ask(settlement, &findInvalidCall { group })? == [U256::from(1), U256::from(2)]);
    ensure!(world.chain.ask(settlement, &findInvalidCall { group: good.clone() })?.is_empty());
    ensure!(verdicts(&world.send(vec![good])?)? == [Verdict::Payable; 3]);
    Ok(())
}

/// Where gas is short, a precompile fails as it does for a forged point: an honest proof must never be named for that.
#[test]
fn no_amount_of_gas_makes_an_honest_proof_a_culprit() -> Result<()> {
    let mut world = World::new()?;
    let settlement = world.deployment.settlement;
    for (group, enough) in [
        (world.group(&[Claim::new("a")?, Claim::new("b")?, Claim::new("c")?])?, 1_500_000),
        (world.group(&[Claim::large("d")?])?, 850_000),
    ] {
        let data: Bytes = findInvalidCall { group: group.clone() }.abi_encode().into();
        for gas in (100_000..=enough).step_by(50_000) {
            match world.chain.call_with_gas(STRANGER, settlement, data.clone(), gas) {
                Ok(answer) => {
                    ensure!(findInvalidCall::abi_decode_returns(&answer.output)?.is_empty(), "{gas}");
                }
                Err(Error::Reverted(output)) => {
                    let error = GasTooSmall::abi_decode(&output).with_context(|| format!("{gas}"))?;
                    ensure!(error.share < error.needed && gas < enough, "{gas}: {error:?}");
                }
                // not even its calldata is paid for
                Err(Error::TransactionRefused(_) | Error::Halted { .. }) => ensure!(gas < 150_000, "{gas}"),
                Err(other) => return Err(other.into()),
            }
        }
    }
    Ok(())
}

#[test]
fn preview_says_what_settlement_would_do() -> Result<()> {
    let mut world = World::new()?;
    world.settle(&[Claim::new("a")?])?;
    let mut poor = Claim::new("poor")?;
    poor.cents = ESCROW;
    let group = world.group(&[Claim::new("a")?, Claim::new("b")?, poor])?;
    let settlement = world.deployment.settlement;
    let previewed = world.chain.ask(settlement, &previewCall { group })?;
    let expected = [Verdict::AlreadySettled, Verdict::Payable, Verdict::EscrowTooSmall];
    ensure!(previewed == expected.map(|verdict| verdict as u8));
    Ok(())
}

#[test]
fn malformed_groups_and_unknown_keys_are_typed_errors() -> Result<()> {
    let mut world = World::new()?;
    let good = world.group(&[Claim::new("a")?])?;
    let mut unknown = good.clone();
    unknown.key = root("no such key");
    let error: KeyUnknown = refused(world.send(vec![unknown.clone()]))?;
    ensure!(error.key == unknown.key);
    let mut other_class = good.clone();
    other_class.key = digest(LARGE);
    let mut short = good.clone();
    short.endorsements = short.endorsements.slice(..95);
    let mut empty = good.clone();
    (empty.entries, empty.endorsements) = Default::default();
    let mut long = good.clone();
    long.entries = [long.entries.as_ref(), &[0; 32]].concat().into();
    for bad in [other_class, short, empty, long] {
        let error: GroupMalformed = refused(world.send(vec![good.clone(), bad]))?;
        ensure!(error.group == U256::ONE);
    }
    ensure!(verdicts(&world.send(vec![])?)?.is_empty());
    ensure!(verdicts(&world.send(vec![good])?)? == [Verdict::Payable]);
    Ok(())
}

#[test]
fn nobody_but_the_payee_gains_by_sending_first() -> Result<()> {
    let mut world = World::new()?;
    let group = world.group(&[Claim::new("a")?])?;
    let settlement = world.deployment.settlement;
    world.chain.transact(
        Address::repeat_byte(0xee),
        Some(settlement),
        calldata::settle(vec![group.clone()]),
    )?;
    ensure!(verdicts(&world.send(vec![group])?)? == [Verdict::AlreadySettled]);
    ensure!(
        world.chain.ask(settlement, &creditOfCall { payee: provider()?.address() })? == U256::from(12_345)
    );
    for other in [Address::repeat_byte(0xee), STRANGER, INSURER] {
        ensure!(world.chain.ask(settlement, &creditOfCall { payee: other })?.is_zero());
    }
    Ok(())
}
