//! Real claims, proven: every decision satisfies the circuit, and a sample goes all the way to a verified proof.
//!
//! `NIGHTINGALE_PROVE_ALL=1` proves all of them; that takes minutes.

use crate::{
    real::{all, claims, decide},
    shared,
};
use anyhow::{Context as _, Result, ensure};
use nightingale_circuits::{
    claim::{
        Adjudication, Request, SizeClass,
        circuit::{assign, r1cs},
    },
    r1cs::R1cs,
};
use nightingale_prover::{ClaimProver, KeyStore, device};
use nightingale_records::{ingest_fhir, ingest_x12};
use nightingale_verifier::{Context, Decision, verify_claim};
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;
use std::{collections::BTreeMap, env};

/// Synthea's claims and the 837P samples, each against registers made for them.
fn decisions() -> Result<Option<Vec<(Request, Adjudication)>>> {
    let Some(data) = shared::claims() else { return Ok(None) };
    let fhir = all(shared::files(&data.join("synthea_bundles"), "", ".json")?, ingest_fhir);
    let x12 = all(shared::files(&data.join("x12"), "837_005010X222", ".837")?, ingest_x12);
    let (fhir, x12) = (decide(&claims(&fhir))?, decide(&claims(&x12))?);
    ensure!(fhir.len() >= 100 && x12.len() >= 10, "{} and {}", fhir.len(), x12.len());
    Ok(Some(fhir.into_iter().chain(x12).collect()))
}

#[test]
fn every_decision_about_a_real_claim_satisfies_the_circuit() -> Result<()> {
    let Some(decisions) = decisions()? else { return Ok(()) };
    let circuits: BTreeMap<SizeClass, R1cs> =
        SizeClass::ALL.into_iter().map(|class| (class, r1cs(class))).collect();
    for (request, outcome) in &decisions {
        let (adjudicated, assignment) = assign(request)?;
        ensure!(adjudicated.public == outcome.public);
        let broken = circuits[&outcome.class].first_unsatisfied(&assignment.values);
        ensure!(broken.is_none(), "{broken:?}");
    }
    Ok(())
}

#[test]
fn a_sample_of_real_claims_is_proven_and_verified() -> Result<()> {
    let Some(decisions) = decisions()? else { return Ok(()) };
    let keys = concat!(env!("CARGO_TARGET_TMPDIR"), "/development-keys");
    let store = KeyStore::development(keys, &mut |_| {})?;
    let mut rng = ChaCha20Rng::seed_from_u64(6);
    let mut provers = BTreeMap::new();
    for class in SizeClass::ALL {
        provers.insert(
            class,
            ClaimProver::new(store.claim_key(class)?, &*device::open("cpu", &device::Options::default())?)?,
        );
    }
    let everything = env::var_os("NIGHTINGALE_PROVE_ALL").is_some();
    let mut proven: BTreeMap<(SizeClass, bool), usize> = BTreeMap::new();
    for (request, outcome) in &decisions {
        let case = proven.entry((outcome.class, outcome.approved)).or_default();
        let enough = if outcome.class == SizeClass::Two { 2 } else { 1 };
        if *case >= enough && !everything {
            continue;
        }
        *case += 1;
        let prover = provers.get(&outcome.class).context("a prover")?;
        let proof = prover.prove(request, &mut rng)?;
        let verified = verify_claim(prover.key().verifying(), &proof, &Context::default())?;
        ensure!((verified.decision == Decision::Approve) == outcome.approved);
        ensure!(verified.payable_cents == outcome.payable && verified.reasons == Some(outcome.reasons));
    }
    let total: usize = proven.values().sum();
    ensure!(proven.len() == 4 && total >= if everything { 110 } else { 6 }, "{proven:?}");
    Ok(())
}
