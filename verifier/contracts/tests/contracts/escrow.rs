//! Money in, money out: only from that payer's escrow, only to who it belongs to, whatever the token does.

use super::{
    business::refused,
    world::{Claim, DEPLOYER, ESCROW, INSURER, NOON, STRANGER, World, payer, provider, verdicts},
};
use alloy_primitives::{Address, U256};
use alloy_sol_types::{SolCall, SolConstructor, SolError};
use anyhow::{Context, Result, ensure};
use nightingale_contracts::{
    Error, PayerId, artefacts,
    bindings::{
        ClaimSettlement::{
            CreditTooSmall, NoReleaseDue, NotPayerOwner, NothingToMove, PayerUnknown, Reentered,
            RegistryMissing, ReleaseAnnounced, ReleaseWhilePaused, SentToSelf, TokenMissing, TokenTookMore,
            TransferFailed, UnitsPerCentUnsupported, announceReleaseCall, constructorCall, creditOfCall,
            depositCall, escrowOfCall, noticeOfCall, releaseCall, settleCall, withdrawCall,
        },
        Registry::{addPayerCall, pauseCall, setPayerPausedCall, unpauseCall},
        Token::{approveCall, balanceOfCall, mintCall},
        Verdict,
    },
    chain::{Chain, LOCAL_CHAIN},
    deploy::{self, Config, TokenChoice},
};

alloy_sol_types::sol! {
    interface HostileToken {
        function setFee(uint256 percent) external;
        function setSurcharge(uint256 units) external;
        function setAnswer(uint8 answer_) external;
        function setCallback(address target_, bytes calldata data_) external;
        function calledBack() external view returns (bool);
        function calledBackResult() external view returns (bytes memory);
    }
}
use HostileToken::{
    calledBackCall, calledBackResultCall, setAnswerCall, setCallbackCall, setFeeCall, setSurchargeCall,
};

const RECEIVER: Address = Address::repeat_byte(0x77);
const DAY: u64 = 86_400;

fn balance(world: &mut World, account: Address) -> Result<U256> {
    Ok(world.chain.ask(world.deployment.token, &balanceOfCall { account })?)
}

fn escrow(world: &mut World, payer: PayerId) -> Result<U256> {
    Ok(world.chain.ask(world.deployment.settlement, &escrowOfCall { payer })?)
}

fn credit(world: &mut World) -> Result<U256> {
    Ok(world.chain.ask(world.deployment.settlement, &creditOfCall { payee: provider()?.address() })?)
}

fn withdraw(world: &mut World, amount: u64) -> Result<Result<(), Error>> {
    let call = withdrawCall { to: RECEIVER, amount: U256::from(amount) };
    Ok(world.chain.send(provider()?.address(), world.deployment.settlement, &call).map(drop))
}

/// The settlement with a token that can be told to misbehave.
fn hostile() -> Result<World> {
    let artefact: artefacts::Artefact = serde_json::from_str(include_str!("../../build/HostileToken.json"))?;
    let mut chain = Chain::new(LOCAL_CHAIN, NOON);
    let token = chain.deploy(DEPLOYER, artefact.bytecode)?;
    World::without_escrow(chain, Config { token: TokenChoice::Existing(token), ..super::world::config()? })
}

#[test]
fn a_payee_withdraws_its_credit_in_parts_to_whom_it_wants() -> Result<()> {
    let mut world = World::new()?;
    world.settle(&[Claim::new("a")?])?;
    withdraw(&mut world, 345)??;
    withdraw(&mut world, 12_000)??;
    ensure!(balance(&mut world, RECEIVER)? == U256::from(12_345));
    let error: CreditTooSmall = refused(withdraw(&mut world, 1)?)?;
    ensure!(error.credit.is_zero() && error.amount == U256::ONE);
    refused::<_, NothingToMove>(withdraw(&mut world, 0)?)?;
    let settlement = world.deployment.settlement;
    let nowhere = withdrawCall { to: Address::ZERO, amount: U256::ONE };
    refused::<_, NothingToMove>(world.chain.send(provider()?.address(), settlement, &nowhere))?;
    let inside = withdrawCall { to: settlement, amount: U256::ONE };
    world.settle(&[Claim::new("b")?])?;
    refused::<_, SentToSelf>(world.chain.send(provider()?.address(), settlement, &inside))?;
    let theft = withdrawCall { to: STRANGER, amount: U256::ONE };
    refused::<_, CreditTooSmall>(world.chain.send(STRANGER, settlement, &theft))?;
    Ok(())
}

#[test]
fn a_claim_is_paid_from_its_own_payers_escrow_only() -> Result<()> {
    let mut world = World::new()?;
    let other = PayerId::from(8);
    world.chain.send(DEPLOYER, world.deployment.registry, &addPayerCall { payer: other, owner: STRANGER })?;
    world.fund(other, 1_000_000)?;
    let mut large = Claim::new("a")?;
    large.cents = ESCROW + 1;
    ensure!(world.verdict(&large)? == Verdict::EscrowTooSmall);
    world.settle(&[Claim::new("b")?])?;
    ensure!(escrow(&mut world, other)? == U256::from(1_000_000));
    ensure!(escrow(&mut world, payer())? == U256::from(ESCROW - 12_345));
    Ok(())
}

#[test]
fn a_token_with_more_decimals_is_paid_in_its_units() -> Result<()> {
    let config = Config { units_per_cent: U256::from(10_000), ..super::world::config()? };
    let mut world = World::without_escrow(Chain::new(LOCAL_CHAIN, NOON), config)?;
    world.fund(payer(), 123_450_000)?;
    ensure!(world.verdict(&Claim::new("a")?)? == Verdict::Payable);
    ensure!(credit(&mut world)? == U256::from(123_450_000));
    ensure!(escrow(&mut world, payer())?.is_zero());
    Ok(())
}

/// Else a payer empties the escrow while the claims that it owes cannot be settled.
#[test]
fn a_pause_stops_a_release_and_no_withdrawal() -> Result<()> {
    let mut world = World::new()?;
    world.settle(&[Claim::new("a")?])?;
    let (registry, settlement) = (world.deployment.registry, world.deployment.settlement);
    let release = releaseCall { payer: payer(), to: RECEIVER };
    world.chain.send(INSURER, settlement, &announceReleaseCall { payer: payer(), amount: 500 })?;
    world.chain.advance(3 * DAY);
    world.chain.send(DEPLOYER, registry, &pauseCall {})?;
    refused::<_, ReleaseWhilePaused>(world.chain.send(INSURER, settlement, &release))?;
    withdraw(&mut world, 12_000)??;
    world.chain.send(DEPLOYER, registry, &setPayerPausedCall { payer: payer(), paused_: true })?;
    world.chain.send(DEPLOYER, registry, &unpauseCall {})?;
    refused::<_, ReleaseWhilePaused>(world.chain.send(INSURER, settlement, &release))?;
    withdraw(&mut world, 345)??;
    world.chain.send(DEPLOYER, registry, &setPayerPausedCall { payer: payer(), paused_: false })?;
    world.chain.send(INSURER, settlement, &release)?;
    ensure!(balance(&mut world, RECEIVER)? == U256::from(12_845));
    Ok(())
}

#[test]
fn a_payer_takes_escrow_back_only_after_its_notice_and_within_the_window() -> Result<()> {
    let mut world = World::new()?;
    let settlement = world.deployment.settlement;
    let claim = Claim::new("a")?;
    world.receive(&claim)?;
    let release = releaseCall { payer: payer(), to: RECEIVER };
    let announce = announceReleaseCall { payer: payer(), amount: u128::MAX };
    refused::<_, NotPayerOwner>(world.chain.send(STRANGER, settlement, &announce))?;
    refused::<_, NoReleaseDue>(world.chain.send(INSURER, settlement, &release))?;
    world.chain.send(INSURER, settlement, &announce)?;
    world.chain.advance(3 * DAY - 1);
    refused::<_, NoReleaseDue>(world.chain.send(INSURER, settlement, &release))?;
    world.chain.advance(DAY + 2);
    refused::<_, NoReleaseDue>(world.chain.send(INSURER, settlement, &release))?;
    world.chain.send(INSURER, settlement, &announce)?;
    // what is settled meanwhile is paid first; the release gives what is left, once
    ensure!(world.verdict(&claim)? == Verdict::Payable);
    world.chain.advance(3 * DAY);
    refused::<_, NotPayerOwner>(world.chain.send(STRANGER, settlement, &release))?;
    world.chain.send(INSURER, settlement, &release)?;
    ensure!(balance(&mut world, RECEIVER)? == U256::from(ESCROW - 12_345));
    ensure!(escrow(&mut world, payer())?.is_zero() && credit(&mut world)? == U256::from(12_345));
    refused::<_, NoReleaseDue>(world.chain.send(INSURER, settlement, &release))?;
    withdraw(&mut world, 12_345)??;
    Ok(())
}

/// Else a payer has a notice for ever: for what it has not deposited yet, and what providers then count on.
#[test]
fn no_more_is_announced_than_there_is() -> Result<()> {
    let mut world = World::new()?;
    let settlement = world.deployment.settlement;
    let announce = announceReleaseCall { payer: payer(), amount: u128::MAX };
    let receipt = world.chain.send(INSURER, settlement, &announce)?;
    let event: ReleaseAnnounced = receipt.events().next().context("no event")?;
    ensure!(event.amount == U256::from(ESCROW) && !event.firm);
    ensure!(world.chain.ask(settlement, &noticeOfCall { payer: payer() })?.amount == u128::from(ESCROW));
    world.fund(payer(), 777)?;
    world.chain.advance(3 * DAY);
    world.chain.send(INSURER, settlement, &releaseCall { payer: payer(), to: RECEIVER })?;
    ensure!(balance(&mut world, RECEIVER)? == U256::from(ESCROW));
    ensure!(escrow(&mut world, payer())? == U256::from(777));
    // Zero still takes an announcement back.
    world.chain.send(INSURER, settlement, &announce)?;
    world.chain.send(INSURER, settlement, &announceReleaseCall { payer: payer(), amount: 0 })?;
    ensure!(world.chain.ask(settlement, &noticeOfCall { payer: payer() })?.amount == 0);
    Ok(())
}

#[test]
fn anybody_deposits_and_only_for_a_payer_that_exists() -> Result<()> {
    let mut world = World::new()?;
    let (token, settlement) = (world.deployment.token, world.deployment.settlement);
    let amount = U256::from(100);
    world.chain.send(STRANGER, token, &mintCall { to: STRANGER, amount })?;
    let deposit = depositCall { payer: payer(), amount };
    refused::<_, TransferFailed>(world.chain.send(STRANGER, settlement, &deposit))?;
    world.chain.send(STRANGER, token, &approveCall { spender: settlement, amount })?;
    let lost = depositCall { payer: PayerId::from(404), amount };
    refused::<_, PayerUnknown>(world.chain.send(STRANGER, settlement, &lost))?;
    world.chain.send(STRANGER, settlement, &deposit)?;
    ensure!(escrow(&mut world, payer())? == U256::from(ESCROW + 100));
    Ok(())
}

#[test]
fn tokens_sent_without_a_deposit_belong_to_no_escrow() -> Result<()> {
    let mut world = World::new()?;
    let (token, settlement) = (world.deployment.token, world.deployment.settlement);
    world.chain.send(STRANGER, token, &mintCall { to: settlement, amount: U256::from(9) })?;
    ensure!(escrow(&mut world, payer())? == U256::from(ESCROW));
    Ok(())
}

#[test]
fn a_token_that_keeps_a_fee_credits_what_arrived() -> Result<()> {
    let mut world = hostile()?;
    let token = world.deployment.token;
    world.chain.send(DEPLOYER, token, &setFeeCall { percent: U256::from(10) })?;
    world.fund(payer(), 20_000)?;
    ensure!(escrow(&mut world, payer())? == U256::from(18_000));
    ensure!(world.verdict(&Claim::new("a")?)? == Verdict::Payable);
    withdraw(&mut world, 12_345)??;
    let settlement = world.deployment.settlement;
    ensure!(balance(&mut world, settlement)? == U256::from(18_000 - 12_345));
    world.chain.send(DEPLOYER, token, &setFeeCall { percent: U256::from(100) })?;
    ensure!(world.fund(payer(), 20_000).is_err());
    Ok(())
}

#[test]
fn a_token_that_takes_more_than_it_sends_pays_nobody() -> Result<()> {
    let mut world = hostile()?;
    let token = world.deployment.token;
    world.fund(payer(), 20_000)?;
    world.settle(&[Claim::new("a")?])?;
    world.chain.send(DEPLOYER, token, &setSurchargeCall { units: U256::ONE })?;
    let error: TokenTookMore = refused(withdraw(&mut world, 100)?)?;
    ensure!(error.token == token && error.taken == U256::from(101) && error.amount == U256::from(100));
    ensure!(credit(&mut world)? == U256::from(12_345));
    world.chain.send(DEPLOYER, token, &setSurchargeCall { units: U256::ZERO })?;
    withdraw(&mut world, 100)??;
    Ok(())
}

#[test]
fn a_token_that_says_nothing_works_and_one_that_says_no_does_not() -> Result<()> {
    let mut world = hostile()?;
    let token = world.deployment.token;
    world.chain.send(DEPLOYER, token, &setAnswerCall { answer_: 2 })?;
    world.fund(payer(), 20_000)?;
    world.settle(&[Claim::new("a")?])?;
    withdraw(&mut world, 45)??;
    world.chain.send(DEPLOYER, token, &setAnswerCall { answer_: 1 })?;
    refused::<_, TransferFailed>(withdraw(&mut world, 300)?)?;
    ensure!(credit(&mut world)? == U256::from(12_300));
    Ok(())
}

#[test]
fn a_token_that_calls_back_finds_every_door_shut() -> Result<()> {
    let mut world = hostile()?;
    world.fund(payer(), 40_000)?;
    world.settle(&[Claim::new("a")?])?;
    let (token, settlement) = (world.deployment.token, world.deployment.settlement);
    let amount = U256::from(100);
    let inside = [
        depositCall { payer: payer(), amount }.abi_encode(),
        withdrawCall { to: STRANGER, amount }.abi_encode(),
        releaseCall { payer: payer(), to: STRANGER }.abi_encode(),
        settleCall { groups: Vec::new() }.abi_encode(),
    ];
    for data in inside {
        let callback = setCallbackCall { target_: settlement, data_: data.into() };
        world.chain.send(DEPLOYER, token, &callback)?;
        withdraw(&mut world, 100)??;
        ensure!(!world.chain.ask(token, &calledBackCall {})?);
        let reason = world.chain.ask(token, &calledBackResultCall {})?;
        ensure!(Reentered::abi_decode(&reason).is_ok());
    }
    ensure!(credit(&mut world)? == U256::from(12_345 - 400));
    ensure!(balance(&mut world, RECEIVER)? == U256::from(400));
    // a deposit inside a deposit would count tokens twice
    let data = depositCall { payer: payer(), amount }.abi_encode().into();
    world.chain.send(DEPLOYER, token, &setCallbackCall { target_: settlement, data_: data })?;
    let before = escrow(&mut world, payer())?;
    world.fund(payer(), 1_000)?;
    ensure!(!world.chain.ask(token, &calledBackCall {})?);
    ensure!(escrow(&mut world, payer())? == before + U256::from(1_000));
    Ok(())
}

#[test]
fn the_guard_opens_again_within_one_transaction_and_after_a_failure() -> Result<()> {
    let mut world = World::new()?;
    world.settle(&[Claim::new("a")?])?;
    refused::<_, CreditTooSmall>(withdraw(&mut world, 99_999)?)?;
    withdraw(&mut world, 1)??;
    ensure!(verdicts(&world.settle(&[Claim::new("b")?])?)? == [Verdict::Payable]);
    Ok(())
}

#[test]
fn a_settlement_without_token_registry_or_unit_is_not_deployed() -> Result<()> {
    let mut world = World::new()?;
    let good = (world.deployment.registry, world.deployment.token, U256::ONE);
    let mut deploy = |registry, token, units| -> Result<_> {
        let arguments = constructorCall { registry, token, unitsPerCent: units };
        let code = [artefacts::claim_settlement()?.bytecode.to_vec(), arguments.abi_encode()].concat();
        Ok(world.chain.deploy(DEPLOYER, code.into()))
    };
    refused::<_, RegistryMissing>(deploy(STRANGER, good.1, good.2)?)?;
    refused::<_, TokenMissing>(deploy(good.0, STRANGER, good.2)?)?;
    refused::<_, UnitsPerCentUnsupported>(deploy(good.0, good.1, U256::ZERO)?)?;
    refused::<_, UnitsPerCentUnsupported>(deploy(good.0, good.1, U256::MAX)?)?;
    deploy(good.0, good.1, good.2)?.context("the good one")?;
    ensure!(
        deploy::Plan::new(
            Config {
                token: TokenChoice::Existing(STRANGER),
                units_per_cent: U256::ZERO,
                ..super::world::config()?
            },
            DEPLOYER
        )
        .is_err()
    );
    Ok(())
}
