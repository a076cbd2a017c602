//! The files in `samples/` and `schemas/`, and the example in `docs/records.md`: all one, all current.
//!
//! `NIGHTINGALE_BLESS=1 cargo test --release -p nightingale-records samples` writes the made ones anew after a format
//! has changed; without it the tests compare.

use anyhow::{Context, Result, ensure};
use jsonschema::Validator;
use nightingale_circuits::claim::adjudicate;
use nightingale_records::{ClaimFile, Ingested, Registers, explain, ingest_fhir, ingest_x12, request, synth};
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;
use serde_json::{Value, json};
use std::{
    env, fs,
    path::{Path, PathBuf},
};

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

pub(crate) fn sample(name: &str) -> Result<Vec<u8>> {
    let path = path("samples").join(name);
    fs::read(&path).with_context(|| path.display().to_string())
}

fn schema(name: &str) -> Result<Validator> {
    let schema: Value = serde_json::from_slice(&fs::read(path("schemas").join(format!("{name}.json")))?)?;
    ensure!(jsonschema::meta::is_valid(&schema), "{name} is no schema");
    Ok(jsonschema::validator_for(&schema)?)
}

fn follows(schema: &Validator, document: &[u8]) -> Result<()> {
    let document: Value = serde_json::from_slice(document)?;
    let problems: Vec<String> =
        schema.iter_errors(&document).map(|e| format!("{}: {e}", e.instance_path())).take(5).collect();
    ensure!(problems.is_empty(), "{problems:#?}");
    Ok(())
}

fn ingested() -> Result<Ingested> {
    let mut ingested = ingest_fhir(&sample("visit.fhir.json")?, "visit.fhir.json");
    ingested.merge(ingest_x12(&sample("scan.837")?, "scan.837"));
    Ok(ingested)
}

/// What the samples lead to, by name.
fn made() -> Result<Vec<(&'static str, String)>> {
    let registers = Registers::from_json(&sample("registers.json")?)?.build()?;
    let claim = ClaimFile::from_json(&sample("claim.json")?)?;
    let received = claim.received.context("received")?;
    let request = registers.request(&claim, received, &mut ChaCha20Rng::seed_from_u64(2026))?;
    Ok(vec![
        ("request.json", request::to_json(&request).as_str().to_owned()),
        ("explain.json", explain::to_json(&adjudicate(&request)?)),
        ("ingest.json", ingested()?.to_json().as_str().to_owned()),
    ])
}

#[test]
fn samples_are_what_this_crate_makes() -> Result<()> {
    for (name, text) in made()? {
        if env::var_os("NIGHTINGALE_BLESS").is_some() {
            fs::write(path("samples").join(name), &text)?;
        }
        ensure!(sample(name)? == text.as_bytes(), "{name} is stale: see the head of this file");
    }
    Ok(())
}

#[test]
fn samples_and_outputs_follow_their_schemas() -> Result<()> {
    for name in ["claim", "registers", "request", "explain", "ingest"] {
        follows(&schema(name)?, &sample(&format!("{name}.json"))?).with_context(|| name)?;
    }
    let (claims, registers, ingest) = (schema("claim")?, schema("registers")?, schema("ingest")?);
    let ingested = ingested()?;
    for found in &ingested.claims {
        follows(&claims, found.claim.to_json().as_bytes())?;
    }
    follows(&ingest, ingested.to_json().as_bytes())?;
    let world = synth::world(11, 30, 60);
    follows(&registers, world.registers.to_json().as_bytes())?;
    for claim in &world.claims {
        follows(&claims, claim.to_json().as_bytes())?;
    }
    let (requests, explanations) = (schema("request")?, schema("explain")?);
    for request in synth::requests(11, 30)? {
        follows(&requests, request::to_json(&request).as_bytes())?;
        follows(&explanations, explain::to_json(&adjudicate(&request)?).as_bytes())?;
    }
    Ok(())
}

/// Sets the member at a JSON pointer, or removes it.
fn edited(document: &Value, pointer: &str, value: Option<Value>) -> Result<Vec<u8>> {
    let mut document = document.clone();
    let (parent, member) = pointer.rsplit_once('/').context("pointer")?;
    let parent = document.pointer_mut(parent).with_context(|| pointer.to_owned())?;
    match (parent, value) {
        (Value::Object(members), Some(value)) => {
            members.insert(member.to_owned(), value);
        }
        (Value::Object(members), None) => {
            members.remove(member).with_context(|| pointer.to_owned())?;
        }
        (Value::Array(items), Some(value)) => items[member.parse::<usize>()?] = value,
        _ => anyhow::bail!("{pointer}"),
    }
    Ok(document.to_string().into_bytes())
}

/// What is wrong, where the reader says so, and that the schema refuses it too.
#[test]
fn readers_and_schemas_refuse_the_same_mistakes() -> Result<()> {
    let modulus = "0x30644e72e131a029b85045b68181585d2833e84879b9709143e1f593f0000001";
    let mistakes = [
        ("claim", "/lines/0/charge_cents", Some(json!(12.5)), "lines[0].charge_cents"),
        ("claim", "/lines/0/charge_cents", Some(json!(-1)), "lines[0].charge_cents"),
        ("claim", "/lines/1/from", Some(json!("2026-02-31x")), "lines[1].from"),
        ("claim", "/lines/0/code", Some(json!("loinc:1234-5")), "lines[0].code"),
        ("claim", "/lines/0/diagnoses", Some(json!([13])), "lines[0].diagnoses"),
        ("claim", "/lines/0/repeat", Some(json!(16)), "lines[0].repeat"),
        ("claim", "/patient", None, "patient"),
        ("claim", "/note", Some(json!("x")), "document"),
        ("registers", "/policy/0/coinsurance_bp", Some(json!(10_001)), "policy[0].coinsurance_bp"),
        ("registers", "/policy/3/modifier", Some(json!("25")), "policy[3].modifier"),
        ("registers", "/plans/0/number", Some(json!(65_535)), "plans[0].number"),
        ("registers", "/providers/0/npi", Some(json!("12345")), "providers[0].npi"),
        ("registers", "/enrolment/0/birth", None, "birth"),
        ("registers", "/venue/contract", Some(json!("0x12")), "venue.contract"),
        ("registers", "/accounts/0/version", Some(json!(0)), "accounts[0].version"),
        ("request", "/format", Some(json!("nightingale.claim.request/2")), "format"),
        ("request", "/consent_root", Some(json!("0x12")), "consent_root"),
        ("request", "/claim/billing", Some(json!("Quayside Clinic")), "claim.billing"),
        ("request", "/claim/salt", None, "salt"),
        ("request", "/claim/received", Some(json!("2026-01-01")), "claim.received"),
        ("request", "/enrolment/index", Some(json!(1 << 20)), "enrolment.index"),
        ("request", "/rows/0/record/filing_days", Some(json!(5000)), "rows[0].record.filing_days"),
        (
            "request",
            "/account/balances/maximum_cents",
            Some(json!(1u64 << 40)),
            "account.balances.maximum_cents",
        ),
    ];
    for (name, pointer, value, element) in mistakes {
        let document: Value = serde_json::from_slice(&sample(&format!("{name}.json"))?)?;
        let bytes = edited(&document, pointer, value)?;
        let error = match name {
            "claim" => ClaimFile::from_json(&bytes).err(),
            "registers" => Registers::from_json(&bytes).and_then(|registers| registers.build()).err(),
            _ => request::from_json(&bytes).err(),
        };
        let error = error.with_context(|| format!("{name}{pointer} is taken"))?.to_string();
        ensure!(error.contains(element), "{name}{pointer}: {error}");
        ensure!(follows(&schema(name)?, &bytes).is_err(), "the schema takes {name}{pointer}");
    }
    // What a schema cannot say: an element at or above the modulus.
    let document: Value = serde_json::from_slice(&sample("request.json")?)?;
    let bytes = edited(&document, "/enrolment/siblings/3", Some(json!([modulus, modulus, modulus])))?;
    let error = request::from_json(&bytes).err().context("an element at the modulus is taken")?.to_string();
    ensure!(error.starts_with("enrolment.siblings[3][0]: expected a field element"), "{error}");
    Ok(())
}

/// 92.40 of 120.00 allowed, 25.00 copay; 13.35 of 21.00 allowed, 8.00 deductible left, 20 % of 5.35 is 1.07.
#[test]
fn the_sample_adjudicates_to_figures_worked_out_by_hand() -> Result<()> {
    let explained: Value = serde_json::from_slice(&sample("explain.json")?)?;
    ensure!(
        explained["decision"] == "approve" && explained["payable_cents"] == 9_240 - 2_500 + 1_335 - 800 - 107
    );
    ensure!(
        explained["lines"][1]["coinsurance_cents"] == 107
            && explained["lines"][1]["contractual_cents"] == 765
    );
    let after = json!({"deductible_cents": 0, "out_of_pocket_cents": 350_800 - 2_500 - 907,
                       "maximum_cents": 4_962_000 - 6_740 - 428});
    ensure!(explained["account_after"] == after, "{explained:#}");
    Ok(())
}

#[test]
fn a_request_edited_by_hand_is_another_sound_request() -> Result<()> {
    let document: Value = serde_json::from_slice(&sample("request.json")?)?;
    let before = adjudicate(&request::from_json(&sample("request.json")?)?)?;
    let charge = edited(&document, "/claim/lines/0/charge_cents", Some(json!(9_000)))?;
    let charge = adjudicate(&request::from_json(&charge)?)?;
    ensure!(charge.public.claim_commitment != before.public.claim_commitment);
    ensure!(charge.payable == before.payable - 240, "{}", charge.payable);
    let date = edited(&document, "/claim/lines/0/from", Some(json!("2026-03-08")))?;
    ensure!(adjudicate(&request::from_json(&date)?)?.approved);
    let received = edited(&document, "/received", Some(json!("2027-03-10")))?;
    ensure!(!adjudicate(&request::from_json(&received)?)?.approved);
    Ok(())
}

#[test]
fn the_sample_files_of_a_provider_lead_to_decisions() -> Result<()> {
    let ingested = ingested()?;
    let elements: Vec<&str> = ingested.refused.iter().map(|refused| refused.element.as_str()).collect();
    ensure!(elements == ["Claim/QS-1002.item[0].net.value", "ST 0017 CLM QS-2002 CLM-05"], "{elements:?}");
    let registers = Registers::from_json(&sample("registers.json")?)?.build()?;
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    for (found, payable) in ingested.claims.iter().zip([7_168u64, 0]) {
        let received = found.claim.received.context("received")?;
        let outcome = adjudicate(&registers.request(&found.claim, received, &mut rng)?)?;
        ensure!(outcome.approved && outcome.payable == payable, "{}: {}", found.claim.id, outcome.payable);
    }
    // The 837P claim is the member's first of the year: all of it falls under the deductible.
    Ok(())
}

#[test]
fn the_documentation_shows_these_samples() -> Result<()> {
    let path = path("../../docs/records.md");
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    for name in ["registers.json", "claim.json"] {
        let sample = String::from_utf8(sample(name)?)?;
        ensure!(text.contains(sample.trim_end()), "docs/records.md does not show samples/{name} as it is");
    }
    Ok(())
}

/// A schema, its samples and the documentation name the same elements.
#[test]
fn the_documentation_names_every_member_of_registers_and_claims() -> Result<()> {
    let text = fs::read_to_string(path("../../docs/records.md"))?;
    for name in ["claim", "registers", "explain", "ingest"] {
        let schema: Value = serde_json::from_slice(&fs::read(path("schemas").join(format!("{name}.json")))?)?;
        let mut members = Vec::new();
        collect(&schema, &mut members);
        for member in members {
            ensure!(text.contains(&member), "docs/records.md does not name {member} of {name}.json");
        }
    }
    Ok(())
}

fn collect(schema: &Value, members: &mut Vec<String>) {
    match schema {
        Value::Object(object) => {
            if let Some(Value::Object(properties)) = object.get("properties") {
                members.extend(properties.keys().cloned());
            }
            object.values().for_each(|inner| collect(inner, members));
        }
        Value::Array(items) => items.iter().for_each(|inner| collect(inner, members)),
        _ => {}
    }
}
