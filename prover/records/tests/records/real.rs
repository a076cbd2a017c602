//! Real and independently made records: all of them go through, and most reach a decision.

use crate::shared;
use anyhow::{Context, Result, ensure};
use nightingale_circuits::claim::{Adjudication, Date, Reason, Request, adjudicate};
use nightingale_records::{ClaimFile, Ingested, Registers, ingest_fhir, ingest_x12};
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// A claim's lines as its file has them.
fn lines(claim: &ClaimFile) -> Result<Vec<Value>> {
    let document: Value = serde_json::from_str(&claim.to_json())?;
    Ok(document["lines"].as_array().context("lines")?.clone())
}

const SETTLEMENT: &str = "0x00000000000000000000000000000000000000a1";

/// Registers that a payer of these claims might hold: every patient enrolled, two codes in three covered at 80 %,
/// a deductible of 100, every provider known by the name or number that the file gives.
fn registers_for(claims: &[ClaimFile]) -> Result<Registers> {
    let mut codes = BTreeSet::new();
    let (mut members, mut named, mut npis) = (BTreeMap::new(), BTreeSet::new(), BTreeSet::new());
    for claim in claims {
        for line in lines(claim)? {
            codes.insert(line["code"].as_str().context("code")?.to_owned());
        }
        members.insert(claim.coverage.clone(), claim.patient.clone());
        for provider in [&claim.billing, &claim.rendering] {
            let is_npi = provider.len() == 10 && provider.bytes().all(|b| b.is_ascii_digit());
            if is_npi {
                npis.insert(provider.clone())
            } else {
                named.insert(provider.clone())
            };
        }
    }
    let policy: Vec<Value> = codes
        .iter()
        .enumerate()
        .filter(|(i, _)| i % 3 != 2)
        .map(|(i, code)| {
            json!({"plan": "standard", "code": code, "fee_cents": 4_000 + 900 * (i % 20), "coinsurance_bp": 2_000,
                   "max_units": "100", "filing": {"years": 1}})
        })
        .collect();
    let enrolment = members.iter().map(|(coverage, member)| {
        json!({"coverage": coverage, "member": member, "plan": "standard", "birth": "1950-06-15", "from": "1990-01-01"})
    });
    let consents: BTreeSet<&String> = members.values().collect();
    let known = npis.iter().map(|npi| json!({"npi": npi, "settlement": SETTLEMENT}));
    let overlay = json!({"npi": "1234567893", "names": named, "settlement": SETTLEMENT});
    let document = json!({
        "payer": "payer", "venue": {"chain_id": 31337, "contract": SETTLEMENT}, "epoch": 1,
        "payer_names": claims.iter().filter_map(|claim| claim.insurer.clone()).collect::<BTreeSet<_>>(),
        "plans": [{"number": 1, "name": "standard", "opening": {"deductible_cents": 10_000}}],
        "policy": policy,
        "enrolment": enrolment.collect::<Vec<_>>(),
        "providers": known.filter(|p| p["npi"] != overlay["npi"]).chain([overlay.clone()]).collect::<Vec<_>>(),
        "consents": consents.iter().map(|member| json!({"member": member})).collect::<Vec<_>>(),
        "custodian": {"master_key": format!("0x{:064x}", 77)},
    });
    Ok(Registers::from_json(document.to_string().as_bytes())?)
}

/// Every claim adjudicated against registers made for all of them.
pub(crate) fn decide(claims: &[ClaimFile]) -> Result<Vec<(Request, Adjudication)>> {
    let registers = registers_for(claims)?.build()?;
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let mut decided = Vec::new();
    for claim in claims {
        let received = claim.received.context("every file says when it was filed")?;
        let request = registers.request(claim, received, &mut rng).with_context(|| claim.id.clone())?;
        let outcome = adjudicate(&request).with_context(|| claim.id.clone())?;
        decided.push((request, outcome));
    }
    Ok(decided)
}

pub(crate) fn all(files: Vec<(String, Vec<u8>)>, read: fn(&[u8], &str) -> Ingested) -> Ingested {
    let mut ingested = Ingested::default();
    for (name, bytes) in files {
        ingested.merge(read(&bytes, &name));
    }
    ingested
}

pub(crate) fn claims(ingested: &Ingested) -> Vec<ClaimFile> {
    ingested.claims.iter().map(|found| found.claim.clone()).collect()
}

#[test]
fn every_synthea_claim_reaches_a_decision() -> Result<()> {
    let Some(data) = shared::claims() else { return Ok(()) };
    let ingested = all(shared::files(&data.join("synthea_bundles"), "", ".json")?, ingest_fhir);
    ensure!(ingested.files == 20 && ingested.claims.len() == 166, "{} claims", ingested.claims.len());
    ensure!(ingested.refused.is_empty(), "{:?}", ingested.refused);
    // Each claim's charges are its total, to the cent: the sum over all, added up by an independent tool.
    let charged: u64 = ingested.claims.iter().map(|found| found.claim.charge_cents()).sum();
    ensure!(charged == SYNTHEA_TOTAL_CENTS, "{charged} cents charged");
    let decided = decide(&claims(&ingested))?;
    let approved = decided.iter().filter(|(_, outcome)| outcome.approved).count();
    ensure!(approved >= 40 && decided.len() - approved >= 40, "{approved} of {} approved", decided.len());
    ensure!(decided.iter().all(|(_, outcome)| outcome.lines.iter().all(|line| line.balances())));
    Ok(())
}

/// `sum of Claim.total.value` over the 20 bundles, in cents, by Python's `decimal`.
const SYNTHEA_TOTAL_CENTS: u64 = 11_197_692;

#[test]
fn an_explanation_of_benefit_stands_for_a_claim_that_is_not_there() -> Result<()> {
    let Some(data) = shared::claims() else { return Ok(()) };
    let (name, bytes) = shared::files(&data.join("synthea_bundles"), "", ".json")?.swap_remove(0);
    let mut bundle: Value = serde_json::from_slice(&bytes)?;
    let entries = bundle["entry"].as_array_mut().context("entry")?;
    entries.retain(|entry| entry["resource"]["resourceType"] != "Claim");
    let explained =
        entries.iter().filter(|e| e["resource"]["resourceType"] == "ExplanationOfBenefit").count();
    let ingested = ingest_fhir(bundle.to_string().as_bytes(), &name);
    ensure!(ingested.claims.len() + ingested.refused.len() == explained && !ingested.claims.is_empty());
    Ok(())
}

#[test]
fn every_hl7_example_gives_a_claim_or_a_named_refusal() -> Result<()> {
    let Some(data) = shared::claims() else { return Ok(()) };
    let ingested = all(shared::files(&data.join("hl7_r4"), "Claim-", ".json")?, ingest_fhir);
    ensure!(ingested.files == 17);
    let refused: BTreeMap<&str, &str> =
        ingested.refused.iter().map(|refused| (refused.element.as_str(), refused.defect.kind())).collect();
    let expected = [("Claim/100153.use", "unsupported"), ("Claim/660152.item[0].modifier[0]", "malformed")];
    ensure!(refused == BTreeMap::from(expected), "{refused:?}");
    ensure!(ingested.claims.len() == 15);
    let decided = decide(&claims(&ingested))?;
    ensure!(decided.iter().any(|(_, outcome)| outcome.approved));
    // The one example with real codes: CPT 62264 for ICD-10 G89.4 and M47.816.
    let spine = claims(&ingested).into_iter().find(|claim| claim.id == "MED-00050").context("MED-00050")?;
    let document: Value = serde_json::from_str(&spine.to_json())?;
    ensure!(
        document["lines"][0]["code"] == "cpt:62264" && document["lines"][0]["diagnoses"] == json!([2, 4])
    );
    ensure!(
        document["diagnoses"][3] == "icd-10-cm:M47816" && document["lines"][0]["charge_cents"] == 1_250_000
    );
    ensure!(document["coverage"] == "http://benefitsinc.com/certificate|10138556", "{document}");
    Ok(())
}

#[test]
fn prior_authorisation_requests_are_refused_as_such() -> Result<()> {
    let Some(data) = shared::claims() else { return Ok(()) };
    let ingested = all(shared::files(&data.join("davinci_pas"), "conformant", ".json")?, ingest_fhir);
    ensure!(ingested.claims.is_empty() && ingested.refused.len() == 3);
    ensure!(
        ingested.refused.iter().all(|refused| refused.element.ends_with(".use")),
        "{:?}",
        ingested.refused
    );
    Ok(())
}

#[test]
fn the_837p_samples_reach_decisions_and_other_sets_are_refused() -> Result<()> {
    let Some(data) = shared::claims() else { return Ok(()) };
    let ingested = all(shared::files(&data.join("x12"), "837_005010X222", ".837")?, ingest_x12);
    ensure!(ingested.files == 18 && ingested.claims.len() == 13, "{}", ingested.claims.len());
    // Five samples separate components by '>', but their ISA declares ':'.
    ensure!(ingested.refused.len() == 5);
    ensure!(
        ingested.refused.iter().all(|refused| refused.element.ends_with("CLM-05")),
        "{:?}",
        ingested.refused
    );
    let decided = decide(&claims(&ingested))?;
    ensure!(decided.len() == 13);
    let checks_fail =
        decided.iter().filter(|(_, outcome)| outcome.reasons.contains(Reason::Provider)).count();
    ensure!(decided.iter().any(|(_, outcome)| outcome.approved) && checks_fail >= 5, "{checks_fail} fail B7");
    let others = all(shared::files(&data.join("x12"), "", "")?, ingest_x12);
    let refused: Vec<String> = others.refused.iter().map(|refused| refused.defect.to_string()).collect();
    ensure!(refused.iter().filter(|reason| reason.contains("837I")).count() == 4, "{refused:?}");
    ensure!(refused.iter().filter(|reason| reason.contains("transaction set 835")).count() == 5);
    ensure!(others.claims.len() == 13);
    Ok(())
}

#[test]
fn an_837p_sample_is_read_to_the_letter() -> Result<()> {
    let Some(data) = shared::claims() else { return Ok(()) };
    let read = |name: &str| -> Result<Value> {
        let (name, bytes) = shared::files(&data.join("x12"), name, "")?.swap_remove(0);
        let claim = ingest_x12(&bytes, &name).claims.swap_remove(0).claim;
        Ok(serde_json::from_str(&claim.to_json())?)
    };
    let wheelchair = read("837_005010X222A2__demo.example8")?;
    let expected = json!({
        "id": "SMI123", "type": "professional", "insurer": "99999", "coverage": "987654321A", "patient": "987654321A",
        "billing": "7778889999", "rendering": "7778889999", "diagnoses": ["icd-9-cm:436", "icd-9-cm:3449"],
        "lines": [{"code": "cpt:K0001", "from": "2005-03-21", "through": "2005-03-21", "modifiers": ["RR", "KH", "BR"],
                   "diagnoses": [1, 2], "units": "1", "charge_cents": 7500, "repeat": 0}],
        "received": "2005-03-26",
    });
    ensure!(wheelchair == expected, "{wheelchair:#}");
    let dependent = read("837_005010X222A2__demo.example1.837")?;
    ensure!(
        dependent["patient"] == "JS00111223333:19730501:TED" && dependent["coverage"] == dependent["patient"]
    );
    let home = read("837_005010X222A2__demo.drug.example10.2")?;
    ensure!(home["lines"][0]["through"] == "2004-02-07" && home["lines"][0]["units"] == "7");
    ensure!(home["lines"][2]["repeat"] == 0 && home["lines"][5]["repeat"] == 3, "{home:#}");
    // The other payer's rendering provider in loop 2330 is not this claim's.
    let secondary = read("837_005010X222A2__demo.cob.example3.C")?;
    ensure!(secondary["rendering"] == "1999996666");
    Ok(())
}

/// HL7's ClaimResponse R3502 for its glasses: eligible 235.40, copay 20, 80 percent of the rest, benefit 172.32; and
/// the first added item of R3503: 100.00, copay 10, 80 percent, benefit 72.00.
#[test]
fn reproduces_the_benefits_of_hl7s_claim_responses() -> Result<()> {
    for (eligible, copay, benefit) in [(23_540u64, 2_000u64, 17_232u64), (10_000, 1_000, 7_200)] {
        let registers = Registers::from_json(
            json!({
                "payer": "Organization/2", "venue": {"chain_id": 31337, "contract": SETTLEMENT}, "epoch": 1,
                "plans": [{"number": 1, "name": "B37FC"}],
                "policy": [{"plan": "B37FC", "code": "plan:glasses", "fee_cents": eligible, "copay_cents": copay,
                            "coinsurance_bp": 2_000}],
                "enrolment": [{"coverage": "Coverage/9876B1", "member": "Patient/1", "plan": "B37FC", "birth": "1974-12-25"}],
                "providers": [{"npi": "1234567893", "names": ["Organization/1", "Practitioner/example"], "settlement": SETTLEMENT}],
                "consents": [{"member": "Patient/1"}],
                "custodian": {"master_key": format!("0x{:064x}", 5)},
            })
            .to_string()
            .as_bytes(),
        )?;
        let claim = ClaimFile::from_json(
            json!({
                "type": "vision", "insurer": "Organization/2", "plan": "B37FC", "coverage": "Coverage/9876B1",
                "patient": "Patient/1", "billing": "Organization/1", "rendering": "Practitioner/example",
                "lines": [{"code": "plan:glasses", "from": "2014-08-16", "charge_cents": eligible}],
            })
            .to_string()
            .as_bytes(),
        )?;
        let received = Date::from_calendar(2014, 8, 16)?;
        let request = registers.build()?.request(&claim, received, &mut ChaCha20Rng::seed_from_u64(2))?;
        let outcome = adjudicate(&request)?;
        let explained: Value = serde_json::from_str(&nightingale_records::explain::to_json(&outcome))?;
        ensure!(explained["decision"] == "approve" && explained["payable_cents"] == benefit, "{explained:#}");
        ensure!(explained["lines"][0]["copay_cents"] == copay);
    }
    Ok(())
}
