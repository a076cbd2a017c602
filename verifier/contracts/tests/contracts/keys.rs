//! Which keys the registry takes, and that it checks the contract and not the word of who registers it.

use super::{
    business::refused,
    proofs::{self, LARGE, SMALL},
    world::{DEPLOYER, NOON, STRANGER, World, digest, registry_arguments, root},
};
use alloy_primitives::{Address, Bytes, U256};
use anyhow::{Context, Result, ensure};
use nightingale_contracts::{
    Error, artefacts,
    bindings::Registry::{
        DevelopmentKeyOnPublicChain, InputCountUnsupported, KeyAlreadyRegistered, KeyForges, KeyPointMissing,
        KeyRegistered, KeyUnknown, NotTheVerifier, disableKeyCall, keyCall, registerKeyCall,
    },
    calldata,
    chain::{Chain, LOCAL_CHAIN, Receipt},
};

const DEVELOPMENT: u8 = 0;
const PRODUCTION: u8 = 1;

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
