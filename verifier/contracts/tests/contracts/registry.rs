//! The registry: who may do what, and what never goes back.

use super::{
    business::refused,
    proofs::SMALL,
    world::{AUTHORITY, Claim, DEPLOYER, INSURER, NOON, STRANGER, World, digest, element, payer, root},
};
use alloy_primitives::{Address, B256, U256};
use alloy_sol_types::SolConstructor;
use anyhow::{Context, Result, ensure};
use nightingale_contracts::{
    PayerId, artefacts,
    bindings::ClaimSettlement::previewCall,
    bindings::Registry::{
        AdminChanged, ConsentAgeUnsupported, GraceTooLong, NotAdmin, NotAuthority, NotOffered, NotPayerOwner,
        PayerExists, PayerZero, PublicationExpired, RoleMissing, RootAlreadyPublished, RootNotInField,
        ZeroAddress, acceptAdminCall, acceptPayerCall, addPayerCall, adminCall, consentStampCall,
        constructorCall, disableKeyCall, newestConsentRootCall, newestEpochCall, offerAdminCall,
        offerPayerCall, pauseCall, payerOwnerCall, publishConsentRootCall, publishEpochCall, registerKeyCall,
        setAuthorityCall, setPayerPausedCall, setRoleCall, unpauseCall,
    },
    bindings::Verdict,
    calldata,
    chain::{Chain, LOCAL_CHAIN},
};

const KEYS: u8 = 0;
const GUARDIAN: u8 = 3;

#[test]
fn administration_passes_in_two_steps() -> Result<()> {
    let mut world = World::new()?;
    let registry = world.deployment.registry;
    refused::<_, NotAdmin>(world.chain.send(STRANGER, registry, &offerAdminCall { to: STRANGER }))?;
    world.chain.send(DEPLOYER, registry, &offerAdminCall { to: INSURER })?;
    refused::<_, NotOffered>(world.chain.send(STRANGER, registry, &acceptAdminCall {}))?;
    ensure!(world.chain.ask(registry, &adminCall {})? == DEPLOYER);
    let receipt = world.chain.send(INSURER, registry, &acceptAdminCall {})?;
    ensure!(receipt.events::<AdminChanged>().count() == 1);
    ensure!(world.chain.ask(registry, &adminCall {})? == INSURER);
    let grant = setRoleCall { role: GUARDIAN, account: DEPLOYER, held: true };
    refused::<_, NotAdmin>(world.chain.send(DEPLOYER, registry, &grant))?;
    refused::<_, NotOffered>(world.chain.send(INSURER, registry, &acceptAdminCall {}))?;
    Ok(())
}

#[test]
fn an_offer_can_be_taken_back_and_nobody_accepts_for_nobody() -> Result<()> {
    let mut world = World::new()?;
    let registry = world.deployment.registry;
    world.chain.send(DEPLOYER, registry, &offerAdminCall { to: STRANGER })?;
    world.chain.send(DEPLOYER, registry, &offerAdminCall { to: Address::ZERO })?;
    refused::<_, NotOffered>(world.chain.send(STRANGER, registry, &acceptAdminCall {}))?;
    Ok(())
}

#[test]
fn every_role_is_asked_for_and_can_be_taken() -> Result<()> {
    let mut world = World::new()?;
    let registry = world.deployment.registry;
    let add = addPayerCall { payer: PayerId::from(4), owner: STRANGER };
    let accept = setAuthorityCall { authority: STRANGER, accepted: true };
    let pause_payer = setPayerPausedCall { payer: payer(), paused_: true };
    let register = registerKeyCall { digest: root("k"), kind: 0, verifier: STRANGER };
    refused::<_, RoleMissing>(world.chain.send(STRANGER, registry, &add))?;
    refused::<_, RoleMissing>(world.chain.send(STRANGER, registry, &accept))?;
    refused::<_, RoleMissing>(world.chain.send(STRANGER, registry, &pause_payer))?;
    refused::<_, RoleMissing>(world.chain.send(STRANGER, registry, &register))?;
    refused::<_, RoleMissing>(world.chain.send(STRANGER, registry, &pauseCall {}))?;
    refused::<_, RoleMissing>(world.chain.send(
        STRANGER,
        registry,
        &disableKeyCall { digest: digest(SMALL) },
    ))?;
    refused::<_, NotAdmin>(world.chain.send(STRANGER, registry, &unpauseCall {}))?;
    let guardian = setRoleCall { role: GUARDIAN, account: STRANGER, held: true };
    world.chain.send(DEPLOYER, registry, &guardian)?;
    world.chain.send(STRANGER, registry, &pauseCall {})?;
    refused::<_, NotAdmin>(world.chain.send(STRANGER, registry, &unpauseCall {}))?;
    world.chain.send(DEPLOYER, registry, &unpauseCall {})?;
    world.chain.send(DEPLOYER, registry, &setRoleCall { held: false, ..guardian })?;
    refused::<_, RoleMissing>(world.chain.send(STRANGER, registry, &pauseCall {}))?;
    // the administrator without a role has no more than anybody
    world.chain.send(DEPLOYER, registry, &setRoleCall { role: KEYS, account: DEPLOYER, held: false })?;
    refused::<_, RoleMissing>(world.chain.send(DEPLOYER, registry, &register))?;
    Ok(())
}

#[test]
fn payers_are_added_once_and_pass_to_another_owner_in_two_steps() -> Result<()> {
    let mut world = World::new()?;
    let registry = world.deployment.registry;
    refused::<_, PayerExists>(world.chain.send(
        DEPLOYER,
        registry,
        &addPayerCall { payer: payer(), owner: STRANGER },
    ))?;
    refused::<_, PayerZero>(world.chain.send(
        DEPLOYER,
        registry,
        &addPayerCall { payer: PayerId::ZERO, owner: STRANGER },
    ))?;
    let nobody = addPayerCall { payer: PayerId::from(4), owner: Address::ZERO };
    refused::<_, ZeroAddress>(world.chain.send(DEPLOYER, registry, &nobody))?;
    let offer = offerPayerCall { payer: payer(), to: STRANGER };
    refused::<_, NotPayerOwner>(world.chain.send(STRANGER, registry, &offer))?;
    refused::<_, NotOffered>(world.chain.send(STRANGER, registry, &acceptPayerCall { payer: payer() }))?;
    world.chain.send(INSURER, registry, &offer)?;
    world.chain.send(STRANGER, registry, &acceptPayerCall { payer: payer() })?;
    ensure!(world.chain.ask(registry, &payerOwnerCall { payer: payer() })? == STRANGER);
    let publish = publishEpochCall { payer: payer(), epochRoot: root("e2") };
    refused::<_, NotPayerOwner>(world.chain.send(INSURER, registry, &publish))?;
    world.chain.send(STRANGER, registry, &publish)?;
    Ok(())
}

#[test]
fn nobody_accepts_a_payer_that_does_not_exist() -> Result<()> {
    let mut world = World::new()?;
    let registry = world.deployment.registry;
    let accept = acceptPayerCall { payer: PayerId::from(1234) };
    refused::<_, NotOffered>(world.chain.send(STRANGER, registry, &accept))?;
    Ok(())
}

#[test]
fn roots_are_appended_by_their_owner_and_never_come_back() -> Result<()> {
    let mut world = World::new()?;
    let registry = world.deployment.registry;
    let publish = |root: B256| publishEpochCall { payer: payer(), epochRoot: root };
    refused::<_, NotPayerOwner>(world.chain.send(STRANGER, registry, &publish(root("e2"))))?;
    refused::<_, RootNotInField>(world.chain.send(INSURER, registry, &publish(B256::ZERO)))?;
    refused::<_, RootNotInField>(world.chain.send(INSURER, registry, &publish(B256::repeat_byte(0xff))))?;
    world.chain.send(INSURER, registry, &publish(root("e2")))?;
    refused::<_, RootAlreadyPublished>(world.chain.send(INSURER, registry, &publish(root("e2"))))?;
    refused::<_, RootAlreadyPublished>(world.chain.send(INSURER, registry, &publish(root("epoch"))))?;
    ensure!(world.chain.ask(registry, &newestEpochCall { payer: payer() })? == root("e2"));
    let consent = publishConsentRootCall { consentRoot: root("c2"), notAfter: u64::MAX };
    refused::<_, NotAuthority>(world.chain.send(STRANGER, registry, &consent))?;
    world.chain.send(AUTHORITY, registry, &consent)?;
    Ok(())
}

/// Granting a consent and revoking it again leads back to the register that was before.
#[test]
fn a_revocation_restores_an_earlier_consent_root() -> Result<()> {
    let mut world = World::new()?;
    world.publish_consents("granted")?;
    world.chain.advance(1_000_000);
    ensure!(standing(&mut world, "epoch", "consents")? == Verdict::ConsentRootStale);
    ensure!(standing(&mut world, "epoch", "granted")? == Verdict::Payable);
    world.publish_consents("consents")?;
    ensure!(standing(&mut world, "epoch", "consents")? == Verdict::Payable);
    let (authority, registry) = (AUTHORITY, world.deployment.registry);
    ensure!(world.chain.ask(registry, &newestConsentRootCall { authority })? == root("consents"));
    // what was revoked bites after the grace, counted from the revocation
    world.chain.advance(3_500);
    ensure!(standing(&mut world, "epoch", "granted")? == Verdict::Payable);
    world.chain.advance(200);
    ensure!(standing(&mut world, "epoch", "granted")? == Verdict::ConsentRootStale);
    ensure!(standing(&mut world, "epoch", "consents")? == Verdict::Payable);
    // accounts only grow, epochs are numbered: neither comes back
    world.publish_accounts("accounts 2")?;
    refused::<_, RootAlreadyPublished>(world.publish_accounts("accounts"))?;
    Ok(())
}

/// What the registry answers to its settlement: a claim that nobody received fails right after its roots are found good.
fn standing(world: &mut World, epoch: &str, consents: &str) -> Result<Verdict> {
    let mut claim = Claim::new("unreceived")?;
    (claim.epoch_root, claim.consent_root) = (element(epoch), element(consents));
    let group = calldata::group(digest(SMALL), &[(claim.entry()?, world.endorse(&claim)?)]);
    let previewed = world.chain.ask(world.deployment.settlement, &previewCall { group })?;
    match Verdict::from_number(previewed[0]).context("a verdict without a name")? {
        Verdict::ReceiptMissing => Ok(Verdict::Payable),
        other => Ok(other),
    }
}

/// A grace counts from when a root was superseded, not from when it was published, and does not start anew.
#[test]
fn a_grace_starts_when_a_root_is_superseded() -> Result<()> {
    let mut world = World::new()?;
    world.chain.advance(1_000_000);
    ensure!(standing(&mut world, "epoch", "consents")? == Verdict::Payable);
    world.publish_epoch("e2")?;
    world.chain.advance(86_400);
    world.publish_epoch("e3")?;
    ensure!(standing(&mut world, "epoch", "consents")? == Verdict::Payable);
    world.chain.advance(1);
    ensure!(standing(&mut world, "epoch", "consents")? == Verdict::EpochStale);
    ensure!(standing(&mut world, "e2", "consents")? == Verdict::Payable);
    ensure!(standing(&mut world, "e3", "consents")? == Verdict::Payable);
    Ok(())
}

const DAY: u64 = 86_400;

/// The newest root, too, grows old: whoever published it may have heard of revocations since, and said nothing.
#[test]
fn a_consent_root_grows_old_unless_its_authority_publishes_it_again() -> Result<()> {
    let mut world = World::new()?;
    let registry = world.deployment.registry;
    world.chain.advance(30 * DAY - 3_600);
    ensure!(standing(&mut world, "epoch", "consents")? == Verdict::Payable);
    world.chain.advance(2 * 3_600);
    ensure!(standing(&mut world, "epoch", "consents")? == Verdict::ConsentRootOld);
    // nobody but the authority can say that it still holds
    let again = publishConsentRootCall { consentRoot: root("consents"), notAfter: u64::MAX };
    refused::<_, NotAuthority>(world.chain.send(STRANGER, registry, &again))?;
    ensure!(standing(&mut world, "epoch", "consents")? == Verdict::ConsentRootOld);
    world.publish_consents("consents")?;
    ensure!(standing(&mut world, "epoch", "consents")? == Verdict::Payable);
    ensure!(world.chain.ask(registry, &newestConsentRootCall { authority: AUTHORITY })? == root("consents"));
    world.chain.advance(30 * DAY - 3_600);
    ensure!(standing(&mut world, "epoch", "consents")? == Verdict::Payable, "its age did not start anew");
    world.chain.advance(2 * 3_600);
    ensure!(standing(&mut world, "epoch", "consents")? == Verdict::ConsentRootOld);
    // a superseded root in its grace is no younger for that
    world.publish_consents("c2")?;
    ensure!(standing(&mut world, "epoch", "c2")? == Verdict::Payable);
    ensure!(standing(&mut world, "epoch", "consents")? == Verdict::ConsentRootOld);
    let of = |label: &str| consentStampCall { authority: AUTHORITY, consentRoot: root(label) };
    let (old, new) = (world.chain.ask(registry, &of("consents"))?, world.chain.ask(registry, &of("c2"))?);
    ensure!(
        old.supersededAt == new.publishedAt && new.supersededAt == 0 && old.publishedAt < new.publishedAt
    );
    ensure!(world.chain.ask(registry, &of("never"))?.publishedAt == 0);
    Ok(())
}

/// Whoever holds a signed publication back cannot make an old root look new.
#[test]
fn a_publication_is_taken_until_its_time_and_not_after_it() -> Result<()> {
    let mut world = World::new()?;
    let registry = world.deployment.registry;
    let until = world.chain.timestamp() + DAY;
    let renew = publishConsentRootCall { consentRoot: root("consents"), notAfter: until };
    let other = publishConsentRootCall { consentRoot: root("c2"), ..renew.clone() };
    world.chain.advance(DAY);
    world.chain.send(AUTHORITY, registry, &renew)?;
    world.chain.advance(1);
    for late in [renew, other] {
        let error: PublicationExpired = refused(world.chain.send(AUTHORITY, registry, &late))?;
        ensure!(error.notAfter == U256::from(until));
    }
    let stamp = consentStampCall { authority: AUTHORITY, consentRoot: root("consents") };
    ensure!(world.chain.ask(registry, &stamp)?.publishedAt == until);
    Ok(())
}

/// Renewing is for the newest root only: it brings no superseded root back by itself, and no zero.
#[test]
fn an_authority_without_a_root_cannot_renew_one() -> Result<()> {
    let mut world = World::new()?;
    let registry = world.deployment.registry;
    world.chain.send(DEPLOYER, registry, &setAuthorityCall { authority: STRANGER, accepted: true })?;
    let zero = publishConsentRootCall { consentRoot: B256::ZERO, notAfter: u64::MAX };
    refused::<_, RootNotInField>(world.chain.send(STRANGER, registry, &zero))?;
    Ok(())
}

#[test]
fn an_age_of_consents_outside_an_hour_to_a_year_is_refused() -> Result<()> {
    let (template, size) = artefacts::verifier_template()?;
    let mut chain = Chain::new(LOCAL_CHAIN, NOON);
    for (age, fits) in [(3_599, false), (3_600, true), (366 * DAY, true), (366 * DAY + 1, false)] {
        let arguments = constructorCall {
            admin: DEPLOYER,
            template,
            templateSize: U256::from(size),
            epochGrace: U256::ZERO,
            accountGrace: U256::ZERO,
            consentGrace: U256::ZERO,
            consentAge: U256::from(age),
        };
        let code = [artefacts::registry()?.bytecode.to_vec(), arguments.abi_encode()].concat();
        let result = chain.deploy(DEPLOYER, code.into());
        if fits {
            result?;
        } else {
            refused::<_, ConsentAgeUnsupported>(result)?;
        }
    }
    Ok(())
}

#[test]
fn a_grace_of_more_than_thirty_days_is_refused() -> Result<()> {
    let (template, size) = artefacts::verifier_template()?;
    let month = U256::from(30 * 86_400);
    let mut chain = Chain::new(LOCAL_CHAIN, NOON);
    for (index, expected) in [(0, false), (1, false), (2, false), (3, true)] {
        let grace = |at: usize| month + U256::from(u64::from(at == index));
        let arguments = constructorCall {
            admin: DEPLOYER,
            template,
            templateSize: U256::from(size),
            epochGrace: grace(0),
            accountGrace: grace(1),
            consentGrace: grace(2),
            consentAge: U256::from(3_600),
        };
        let code = [artefacts::registry()?.bytecode.to_vec(), arguments.abi_encode()].concat();
        let result = chain.deploy(DEPLOYER, code.into());
        if expected {
            result?;
        } else {
            refused::<_, GraceTooLong>(result)?;
        }
    }
    Ok(())
}
