//! Which keys the registry takes, and that it checks the contract and not the word of who registers it.

use super::{
    business::refused,
    proofs::{self, LARGE, SMALL},
    world::{
        Claim, DEPLOYER, ESCROW, INSURER, NOON, STRANGER, World, digest, payer, registry_arguments, root,
        verdicts,
    },
};
use alloy_primitives::{Address, Bytes, U256};
use anyhow::{Context, Result, ensure};
use nightingale_contracts::{
    Error, artefacts,
    bindings::{
        ClaimSettlement::{
            NoReleaseDue, RELEASE_NOTICECall, RELEASE_WINDOWCall, ReleaseAnnounced, ReleaseWhilePaused,
            announceReleaseCall, noticeOfCall, previewCall, releaseCall,
        },
        Registry::{
            DevelopmentKeyOnPublicChain, InputCountUnsupported, KEY_NOTICECall, KeyAlreadyRegistered,
            KeyForges, KeyPointMissing, KeyRegistered, KeyUnknown, NotTheVerifier, disableKeyCall, keyCall,
            keysPendingUntilCall, pauseCall, registerKeyCall, setPayerPausedCall, unpauseCall,
        },
        Token::balanceOfCall,
        Verdict,
    },
    calldata,
    chain::{Chain, LOCAL_CHAIN, Receipt},
};

const DEVELOPMENT: u8 = 0;
const PRODUCTION: u8 = 1;
const RECEIVER: Address = Address::repeat_byte(0x77);
const DAY: u64 = 86_400;

/// Deploys a verifier with these constants, whatever they are, and tries to register it.
fn register(world: &mut World, constants: &[u8]) -> Result<Result<Receipt, Error>> {
    let code = [artefacts::claim_verifier()?.bytecode.as_ref(), constants].concat();
    let verifier = world.chain.deploy(DEPLOYER, code.into())?;
    let call = registerKeyCall { digest: root("new key"), kind: DEVELOPMENT, verifier };
    Ok(world.chain.send(DEPLOYER, world.deployment.registry, &call))
}

fn fresh_constants(inputs: usize) -> Result<Vec<u8>> {
    Ok(calldata::constants(&proofs::setup(inputs, 4711)?.vk)?)
}

#[test]
fn a_registered_key_names_its_verifier_and_inputs() -> Result<()> {
    let mut world = World::new()?;
    for (inputs, registered) in [SMALL, LARGE].into_iter().zip(world.deployment.keys.clone()) {
        let found = world.chain.ask(world.deployment.registry, &keyCall { digest: digest(inputs) })?;
        ensure!(found.verifier == registered.verifier && usize::from(found.inputs) == inputs);
        ensure!(found.kind == DEVELOPMENT && !found.disabled);
    }
    let unknown = world.chain.ask(world.deployment.registry, &keyCall { digest: root("no key") })?;
    ensure!(unknown.verifier == Address::ZERO);
    Ok(())
}

#[test]
fn a_new_key_is_logged_with_the_hash_of_its_constants() -> Result<()> {
    let mut world = World::new()?;
    let constants = fresh_constants(SMALL)?;
    let receipt = register(&mut world, &constants)??;
    let event: KeyRegistered = receipt.events().next().context("no event")?;
    ensure!(
        event.constantsHash == alloy_primitives::keccak256(&constants) && event.inputs == U256::from(SMALL)
    );
    Ok(())
}

/// The verdict of a claim under the key that [`register`] registers.
fn verdict(world: &mut World, claim: &Claim) -> Result<Verdict> {
    let proof = proofs::prove_under(&proofs::setup(SMALL, 4711)?, &claim.inputs())?;
    let _ = world.receive(claim);
    let entry = (calldata::entry(&proof, &claim.inputs()), world.endorse(claim)?);
    let group = calldata::group(root("new key"), &[entry]);
    let previewed = world.chain.ask(world.deployment.settlement, &previewCall { group: group.clone() })?;
    let found = verdicts(&world.send(vec![group])?)?;
    ensure!(found.len() == 1 && previewed == [found[0] as u8], "{found:?} {previewed:?}");
    Ok(found[0])
}

/// Whoever may register keys may have one that forges: what it could take must be able to leave before.
#[test]
fn a_key_that_is_registered_after_the_binding_settles_nothing_before_payers_could_leave() -> Result<()> {
    let mut world = World::new()?;
    let (registry, settlement) = (world.deployment.registry, world.deployment.settlement);
    let notice = world.chain.ask(registry, &KEY_NOTICECall {})?;
    let leave = world.chain.ask(settlement, &RELEASE_NOTICECall {})?
        + world.chain.ask(settlement, &RELEASE_WINDOWCall {})?;
    ensure!(notice == leave && notice == U256::from(4 * DAY));
    ensure!(world.chain.ask(registry, &keysPendingUntilCall {})?.is_zero());
    let from = world.chain.timestamp() + 4 * DAY;
    let receipt = register(&mut world, &fresh_constants(SMALL)?)??;
    let event: KeyRegistered = receipt.events().next().context("no event")?;
    let key = world.chain.ask(registry, &keyCall { digest: root("new key") })?;
    ensure!(event.activeFrom == U256::from(from) && key.activeFrom == from && !key.disabled);
    ensure!(world.chain.ask(registry, &keysPendingUntilCall {})? == U256::from(from));
    let (claim, other) = (Claim::new("a")?, Claim::new("under a key from the beginning")?);
    world.receive(&other)?;
    ensure!(verdict(&mut world, &claim)? == Verdict::KeyPending);
    // A pause changes nothing of that.
    world.chain.send(DEPLOYER, registry, &pauseCall {})?;
    world.chain.advance(4 * DAY - 1);
    world.chain.send(DEPLOYER, registry, &unpauseCall {})?;
    ensure!(verdict(&mut world, &claim)? == Verdict::KeyPending);
    ensure!(world.verdict(&other)? == Verdict::Payable);
    world.chain.advance(1);
    ensure!(verdict(&mut world, &claim)? == Verdict::Payable);
    Ok(())
}

#[test]
fn a_pending_key_can_be_disabled_and_does_not_come_back() -> Result<()> {
    let mut world = World::new()?;
    let registry = world.deployment.registry;
    register(&mut world, &fresh_constants(SMALL)?)??;
    world.chain.send(DEPLOYER, registry, &disableKeyCall { digest: root("new key") })?;
    refused::<_, KeyAlreadyRegistered>(register(&mut world, &fresh_constants(SMALL)?)?)?;
    world.chain.advance(5 * DAY);
    ensure!(verdict(&mut world, &Claim::new("a")?)? == Verdict::KeyDisabled);
    Ok(())
}

/// Else who registers a key and pauses holds the escrow until the key empties it.
#[test]
fn no_pause_holds_a_release_that_was_announced_under_a_pending_key() -> Result<()> {
    let mut world = World::new()?;
    let (registry, settlement) = (world.deployment.registry, world.deployment.settlement);
    let announce = announceReleaseCall { payer: payer(), amount: u128::from(ESCROW) };
    let release = releaseCall { payer: payer(), to: RECEIVER };
    let pause_payer = setPayerPausedCall { payer: payer(), paused_: true };
    // Announced before there was such a key, it waits for a pause like any other.
    world.chain.send(INSURER, settlement, &announce)?;
    world.chain.advance(3 * DAY);
    register(&mut world, &fresh_constants(SMALL)?)??;
    world.chain.send(DEPLOYER, registry, &pauseCall {})?;
    world.chain.send(DEPLOYER, registry, &pause_payer)?;
    refused::<_, ReleaseWhilePaused>(world.chain.send(INSURER, settlement, &release))?;
    // A payer that hears of the key in time is gone before it is active, though both pauses last.
    world.chain.advance(DAY - 1);
    let receipt = world.chain.send(INSURER, settlement, &announce)?;
    ensure!(receipt.events::<ReleaseAnnounced>().all(|event| event.firm));
    ensure!(world.chain.ask(settlement, &noticeOfCall { payer: payer() })?.firm);
    world.chain.advance(3 * DAY - 1);
    refused::<_, NoReleaseDue>(world.chain.send(INSURER, settlement, &release))?;
    world.chain.advance(1);
    let key = world.chain.ask(registry, &keyCall { digest: root("new key") })?;
    ensure!(world.chain.timestamp() < key.activeFrom);
    world.chain.send(INSURER, settlement, &release)?;
    ensure!(
        world.chain.ask(world.deployment.token, &balanceOfCall { account: RECEIVER })? == U256::from(ESCROW)
    );
    // Announced once the key is active, it waits for a pause again.
    world.chain.advance(DAY);
    world.chain.send(INSURER, settlement, &announce)?;
    ensure!(!world.chain.ask(settlement, &noticeOfCall { payer: payer() })?.firm);
    Ok(())
}

#[test]
fn digests_and_constants_are_registered_once_and_disabling_is_for_ever() -> Result<()> {
    let mut world = World::new()?;
    let registry = world.deployment.registry;
    let verifier = world.deployment.keys[0].verifier;
    let again = |digest| registerKeyCall { digest, kind: DEVELOPMENT, verifier };
    refused::<_, KeyAlreadyRegistered>(world.chain.send(DEPLOYER, registry, &again(digest(SMALL))))?;
    world.chain.send(DEPLOYER, registry, &disableKeyCall { digest: digest(SMALL) })?;
    world.chain.send(DEPLOYER, registry, &disableKeyCall { digest: digest(SMALL) })?;
    ensure!(world.chain.ask(registry, &keyCall { digest: digest(SMALL) })?.disabled);
    // not under its digest, not under another one, not in another contract
    refused::<_, KeyAlreadyRegistered>(world.chain.send(DEPLOYER, registry, &again(digest(SMALL))))?;
    refused::<_, KeyAlreadyRegistered>(world.chain.send(DEPLOYER, registry, &again(root("other name"))))?;
    let constants = calldata::constants(&proofs::verifying_key(SMALL)?)?;
    refused::<_, KeyAlreadyRegistered>(register(&mut world, &constants)?)?;
    refused::<_, KeyUnknown>(world.chain.send(
        DEPLOYER,
        registry,
        &disableKeyCall { digest: root("no key") },
    ))?;
    Ok(())
}

#[test]
fn development_keys_are_refused_on_public_chains_and_ceremony_keys_are_not() -> Result<()> {
    let mut chain = Chain::new(1, NOON);
    let code = [artefacts::registry()?.bytecode.to_vec(), registry_arguments()?].concat();
    let registry = chain.deploy(DEPLOYER, code.into())?;
    let verifier =
        chain.deploy(DEPLOYER, calldata::verifier_creation_code(&proofs::verifying_key(SMALL)?)?)?;
    let call = registerKeyCall { digest: digest(SMALL), kind: DEVELOPMENT, verifier };
    let error: DevelopmentKeyOnPublicChain = refused(chain.send(DEPLOYER, registry, &call))?;
    ensure!(error.chainId == U256::ONE);
    chain.send(DEPLOYER, registry, &registerKeyCall { kind: PRODUCTION, ..call })?;
    for local in [LOCAL_CHAIN, 1337] {
        let mut forked = chain.forked(local);
        ensure!(!forked.ask(registry, &keyCall { digest: digest(SMALL) })?.disabled);
    }
    Ok(())
}

#[test]
fn keys_that_forge_are_refused_here_and_there() -> Result<()> {
    let good = proofs::setup(SMALL, 4711)?.vk;
    let constants = calldata::constants(&good)?;
    let (beta, gamma, delta) = (64..192, 192..320, 320..448);
    let mut world = World::new()?;
    for (from, to) in [(&gamma, &delta), (&beta, &gamma), (&delta, &beta)] {
        let mut forging = constants.clone();
        forging.copy_within(from.clone(), to.start);
        refused::<_, KeyForges>(register(&mut world, &forging)?)?;
    }
    // gamma = -delta forges as well: the x coordinates are equal, the y are not
    for sign in [1, -1] {
        let mut key = good.clone();
        key.delta_g2 = if sign == 1 { key.gamma_g2 } else { -key.gamma_g2 };
        ensure!(matches!(calldata::constants(&key), Err(Error::KeyRefused(_))));
        let mut forging = constants.clone();
        forging.copy_within(192..256, 320);
        refused::<_, KeyForges>(register(&mut world, &forging)?)?;
    }
    register(&mut world, &constants)??;
    Ok(())
}

#[test]
fn keys_with_a_missing_point_are_refused() -> Result<()> {
    let constants = fresh_constants(SMALL)?;
    let mut world = World::new()?;
    let (alpha, delta, last) = (0..64, 320..448, constants.len() - 64..constants.len());
    for (hole, word) in [(alpha, 0), (delta, 10), (last, 14 + 2 * SMALL)] {
        let mut broken = constants.clone();
        broken[hole].fill(0);
        let error: KeyPointMissing = refused(register(&mut world, &broken)?)?;
        ensure!(error.word == U256::from(word));
    }
    let mut key = proofs::setup(SMALL, 4711)?.vk;
    key.gamma_abc_g1[3] = ark_bn254::G1Affine::identity();
    ensure!(matches!(calldata::constants(&key), Err(Error::KeyRefused(_))));
    Ok(())
}

#[test]
fn only_the_verifiers_own_code_is_registered() -> Result<()> {
    let mut world = World::new()?;
    let registry = world.deployment.registry;
    let constants = fresh_constants(SMALL)?;
    // says yes to everything: mstore(0, 1) return(0, 32)
    let liar = Bytes::from_static(&[0x60, 1, 0x5f, 0x52, 0x60, 0x20, 0x5f, 0xf3]);
    let mut padded = liar.to_vec();
    padded.resize(artefacts::verifier_template()?.1, 0);
    padded.extend(&constants);
    let size = u16::try_from(padded.len())?.to_be_bytes();
    // codecopy(0, 12, size) return(0, size)
    let mut creation = vec![0x61, size[0], size[1], 0x80, 0x60, 0x0c, 0x5f, 0x39, 0x5f, 0xf3, 0, 0];
    creation.extend(&padded);
    let impostor = world.chain.deploy(DEPLOYER, creation.into())?;
    for verifier in [impostor, STRANGER, registry, world.deployment.token] {
        let call = registerKeyCall { digest: root("impostor"), kind: DEVELOPMENT, verifier };
        let error: NotTheVerifier = refused(world.chain.send(DEPLOYER, registry, &call))?;
        ensure!(error.verifier == verifier);
    }
    for cut in [1, 32] {
        refused::<_, NotTheVerifier>(register(&mut world, &constants[..constants.len() - cut])?)?;
    }
    register(&mut world, &constants)??;
    Ok(())
}

#[test]
fn a_statement_with_too_few_or_too_many_inputs_is_refused() -> Result<()> {
    let mut world = World::new()?;
    for inputs in [1, 10, 43] {
        let error: InputCountUnsupported = refused(register(&mut world, &fresh_constants(inputs)?)?)?;
        ensure!(error.inputs == U256::from(inputs));
    }
    register(&mut world, &fresh_constants(11)?)??;
    Ok(())
}
