//! The generator, and everything between registers and an adjudication.

use anyhow::{Context, Result, ensure};
use nightingale_circuits::claim::{Reason, Refusal, SizeClass, adjudicate};
use nightingale_records::{
    request,
    synth::{self, DemoClaim, Story},
};
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;
use std::collections::BTreeMap;

#[test]
fn the_same_seed_gives_the_same_bytes() -> Result<()> {
    let (one, two) = (synth::world(7, 9, 20), synth::world(7, 9, 20));
    ensure!(*one.registers.to_json() == *two.registers.to_json());
    for (a, b) in one.claims.iter().zip(&two.claims) {
        ensure!(*a.to_json() == *b.to_json());
    }
    ensure!(*one.registers.to_json() != *synth::world(8, 9, 20).registers.to_json());
    Ok(())
}

#[test]
fn requests_can_be_proven_and_cover_both_classes_and_most_reasons() -> Result<()> {
    let requests = synth::requests(1, 400)?;
    ensure!(requests.len() == 400);
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    let (mut approved, mut small) = (0, 0);
    for request in &requests {
        let outcome = adjudicate(request)?;
        ensure!(outcome.lines.iter().all(|line| line.balances()));
        approved += usize::from(outcome.approved);
        small += usize::from(outcome.class == SizeClass::Two);
        for reason in outcome.reasons.iter() {
            *reasons.entry(reason.carc()).or_default() += 1;
        }
    }
    ensure!((280..=375).contains(&approved), "{approved} of 400 approved");
    ensure!((170..=320).contains(&small), "{small} of 400 in the small class");
    ensure!(reasons.len() == Reason::ALL.len(), "{reasons:?}");
    Ok(())
}

#[test]
fn requests_survive_their_file() -> Result<()> {
    for request in synth::requests(3, 40)? {
        let text = request::to_json(&request);
        let again = request::from_json(text.as_bytes())?;
        ensure!(adjudicate(&again)?.public == adjudicate(&request)?.public);
        ensure!(*request::to_json(&again) == *text);
    }
    Ok(())
}

#[test]
fn the_demonstration_tells_its_stories() -> Result<()> {
    let demo = synth::demo(1);
    ensure!(demo.claims.len() == 20);
    let mut registers = demo.registers.build()?;
    let mut rng = ChaCha20Rng::seed_from_u64(0);
    let mut spent = BTreeMap::new();
    let mut nullifiers = BTreeMap::new();
    for (place, DemoClaim { claim, story }) in demo.claims.iter().enumerate() {
        let story = *story;
        let request = registers.request(claim, claim.received.context("received")?, &mut rng)?;
        let outcome = match adjudicate(&request) {
            Err(refusal) => {
                ensure!(
                    story == Story::WithoutConsent && refusal == Refusal::NoConsent,
                    "{}: {refusal}",
                    claim.id
                );
                continue;
            }
            Ok(outcome) => outcome,
        };
        let reasons: Vec<Reason> = outcome.reasons.iter().collect();
        match story {
            Story::Denied(reason) => {
                ensure!(!outcome.approved && reasons == [reason], "{}: {reasons:?}", claim.id)
            }
            Story::WithoutConsent => ensure!(false, "{} was adjudicated", claim.id),
            _ => ensure!(outcome.approved, "{}: {reasons:?}", claim.id),
        }
        for nullifier in outcome.public.nullifiers.iter().filter(|n| **n != 0u64.into()) {
            let before = nullifiers.insert(*nullifier, place);
            match (before, story) {
                (Some(first), Story::Duplicate(of)) => ensure!(first == of),
                (Some(_), _) => ensure!(false, "{} bills a line again", claim.id),
                (None, Story::Duplicate(_)) => ensure!(false, "the duplicate bills something new"),
                (None, _) => {}
            }
        }
        if outcome.approved && !matches!(story, Story::Duplicate(_)) {
            let before = spent.insert(outcome.public.spend_tag, place);
            match (before, story) {
                (Some(first), Story::Races(other)) => ensure!(first == other),
                (Some(_), _) => ensure!(false, "{} spends a spent account", claim.id),
                (None, _) => {}
            }
            if !matches!(story, Story::Races(_)) {
                registers.settle(&request, &outcome)?;
            }
        }
    }
    Ok(())
}
