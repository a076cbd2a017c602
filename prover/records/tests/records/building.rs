//! Registers that must not be built, registers that come in parts, and registers from FHIR.

use crate::samples::sample;
use anyhow::{Context, Result, ensure};
use nightingale_circuits::claim::{Reason, Refusal, adjudicate};
use nightingale_records::{ClaimFile, RecordsError, Registers};
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;
use serde_json::{Value, json};
use std::fs;

fn registers() -> Result<Value> {
    Ok(serde_json::from_slice(&sample("registers.json")?)?)
}

fn refusal(document: &Value) -> Result<String> {
    let built = Registers::from_json(document.to_string().as_bytes()).and_then(|registers| registers.build());
    Ok(built.err().context("these registers are built")?.to_string())
}

/// The registers with one more entry in a list.
fn with(member: &str, entry: Value) -> Result<Value> {
    let mut document = registers()?;
    let list = document.as_object_mut().context("object")?.entry(member).or_insert_with(|| json!([]));
    list.as_array_mut().context(member.to_owned())?.push(entry);
    Ok(document)
}

#[test]
fn refuses_registers_that_could_match_twice_or_not_at_all() -> Result<()> {
    let hash = format!("0x{:064x}", 9);
    let enrolled =
        json!({"coverage": "C9", "member": "Patient/ada", "plan": "silver", "birth": "1979-05-17"});
    let mut other_key = enrolled.clone();
    other_key["nullifier_key_hash"] = json!(hash);
    let account = registers()?["accounts"][0].clone();
    let cases = [
        (
            "policy",
            json!({"plan": "silver", "code": "cpt:99213", "from": "2026-05-01", "fee_cents": 1}),
            "policy[0] and policy[4]: two rows",
        ),
        (
            "policy",
            json!({"plan": "silver", "code": "cpt:99213", "fee_cents": 1}),
            "policy[4]: has the same key as policy[0]",
        ),
        (
            "policy",
            json!({"plan": "gold", "code": "cpt:1", "fee_cents": 1}),
            "policy[4].plan: expected the name of one of the plans",
        ),
        (
            "policy",
            json!({"plan": "silver", "code": "cpt:1", "fee_cents": 1, "groups": ["x"]}),
            "policy[4].groups[0]: expected",
        ),
        (
            "policy",
            json!({"plan": "silver", "code": "cpt:1", "fee_cents": 1, "min_age": 9, "max_age": 8}),
            "policy[4].max_age",
        ),
        (
            "policy",
            json!({"plan": "silver", "code": "cpt:1", "fee_cents": 1, "from": "2026-01-02", "to": "2026-01-01"}),
            "policy[4].to",
        ),
        ("plans", json!({"number": 1, "name": "gold"}), "plans[1].number: is also plans[0]'s"),
        ("plans", json!({"number": 2, "name": "SILVER-2026"}), "plans[1].names: names another plan too"),
        (
            "enrolment",
            json!({"coverage": "HM1002", "member": "x", "plan": "silver", "birth": "1990-01-01"}),
            "enrolment[2]: has the same key as enrolment[1]",
        ),
        ("enrolment", other_key, "enrolment[2].nullifier_key_hash: is not the hash of the custodian's key"),
        (
            "providers",
            json!({"npi": "1234567893", "settlement": format!("0x{:040x}", 1)}),
            "providers[1]: has the same key",
        ),
        (
            "providers",
            json!({"npi": "1999999984", "names": ["Organization/quayside-clinic"], "settlement": format!("0x{:040x}", 1)}),
            "providers[1].names[0]: names another provider too",
        ),
        (
            "providers",
            json!({"npi": "1999999984", "settlement": format!("0x{:040x}", 0)}),
            "providers[1]: settlement address",
        ),
        (
            "enrolment",
            json!({"coverage": "C9", "member": "x", "plan": "silver", "birth": "1990-01-01", "nullifier_key_hash": hash}),
            "enrolment[2].nullifier_key_hash: is not the hash",
        ),
        (
            "accounts",
            json!({"coverage": "C9", "year": 2026, "version": 1, "balances": {}, "salt": hash}),
            "accounts[1].coverage: is not enrolled",
        ),
        (
            "consents",
            json!({"member": "HM1002", "permit": false}),
            "consents[2]: has the same key as consents[1]",
        ),
        (
            "authorisations",
            json!({"reference": "PA-2026-17", "coverage": "C", "code": "cpt:1", "units": "1"}),
            "authorisations[1]: has the same key",
        ),
        ("accounts", account, "accounts[1].year: is already listed"),
        ("diagnosis_groups", json!({"name": "diabetes"}), "diagnosis_groups[1].name"),
        (
            "diagnosis_groups",
            json!({"name": "x", "ranges": ["icd-10-cm:E10-E14"]}),
            "diagnosis_groups[1].ranges[0]: holds none",
        ),
    ];
    for (member, entry, expected) in cases {
        let error = refusal(&with(member, entry)?)?;
        ensure!(error.starts_with(expected), "{member}: {error}");
    }
    Ok(())
}

#[test]
fn a_member_has_one_nullifier_key_in_all_coverages() -> Result<()> {
    let mut document = registers()?;
    document["custodian"] = json!({});
    document["accounts"] = json!([]);
    let hash = |n: u64| json!(format!("0x{n:064x}"));
    document["enrolment"][0]["nullifier_key_hash"] = hash(1);
    ensure!(refusal(&document)?.starts_with("enrolment[1].nullifier_key_hash: missing"));
    document["enrolment"][1]["nullifier_key_hash"] = hash(2);
    document["enrolment"][1]["member"] = document["enrolment"][0]["member"].clone();
    ensure!(refusal(&document)?.starts_with("enrolment[1].nullifier_key_hash: differs from enrolment[0]'s"));
    // The payer's own copy needs no keys; but nothing can be requested from it.
    document["enrolment"][1]["nullifier_key_hash"] = hash(1);
    let set = Registers::from_json(document.to_string().as_bytes())?.build()?;
    let claim = ClaimFile::from_json(&sample("claim.json")?)?;
    let request =
        set.request(&claim, claim.received.context("received")?, &mut ChaCha20Rng::seed_from_u64(1));
    ensure!(matches!(request.err(), Some(RecordsError::Unresolved { element: "patient", .. })));
    Ok(())
}

#[test]
fn ranges_hold_every_listed_code_from_first_to_last() -> Result<()> {
    let mut document = with("diagnosis_groups", json!({"name": "all", "ranges": ["icd-10-cm:E10-E11"]}))?;
    document["diagnosis_codes"] = json!([
        "icd-10-cm:E09.9",
        "icd-10-cm:E10",
        "icd-10-cm:E10.9",
        "icd-10-cm:E11.9",
        "icd-10-cm:E12",
        "icd-9-cm:E109"
    ]);
    document["policy"][0]["groups"] = json!(["all"]);
    let set = Registers::from_json(document.to_string().as_bytes())?.build()?;
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    for (code, supports) in
        [("E09.9", false), ("E10", true), ("E10.9", true), ("E11.9", true), ("E12", false)]
    {
        let mut claim: Value = serde_json::from_slice(&sample("claim.json")?)?;
        claim["diagnoses"] = json!([format!("icd-10-cm:{code}")]);
        let claim = ClaimFile::from_json(claim.to_string().as_bytes())?;
        let outcome = adjudicate(&set.request(&claim, claim.received.context("received")?, &mut rng)?)?;
        ensure!(outcome.lines[0].reasons.contains(Reason::Diagnosis) != supports, "{code}");
    }
    Ok(())
}

#[test]
fn a_claim_of_strangers_is_denied_and_one_without_an_npi_is_not_requested() -> Result<()> {
    let set = Registers::from_json(&sample("registers.json")?)?.build()?;
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let mut decide = |edits: Value| -> Result<Vec<&'static str>, RecordsError> {
        let mut claim: Value =
            serde_json::from_slice(&sample("claim.json").unwrap_or_default()).unwrap_or_default();
        for (member, value) in edits.as_object().into_iter().flatten() {
            claim[member] = value.clone();
        }
        let claim = ClaimFile::from_json(claim.to_string().as_bytes())?;
        let request = set.request(&claim, claim.received.ok_or(Refusal::NoConsent)?, &mut rng)?;
        Ok(adjudicate(&request)?.reasons.iter().map(|reason| reason.carc()).collect())
    };
    ensure!(decide(json!({}))?.is_empty());
    ensure!(
        decide(json!({"plan": "SILVER-2026", "insurer": "HARBOUR01"}))?.is_empty(),
        "other names of plan and payer"
    );
    ensure!(decide(json!({"coverage": "somebody's"}))? == ["31"]);
    ensure!(decide(json!({"plan": "platinum"}))? == ["109"], "a plan that nobody knows");
    ensure!(decide(json!({"plan": 2}))? == ["109"]);
    ensure!(decide(json!({"insurer": "Lakeside"}))? == ["109"]);
    ensure!(decide(json!({"rendering": "1999999984"}))? == ["B7"]);
    ensure!(
        decide(json!({"billing": "Organization/quayside-clinic"}))?.is_empty(),
        "a name the registers know"
    );
    let unknown = decide(json!({"billing": "Organization/elsewhere"})).err();
    ensure!(matches!(unknown, Some(RecordsError::Unresolved { element: "billing", .. })));
    let stranger = decide(json!({"patient": "Patient/nobody"})).err();
    ensure!(matches!(stranger, Some(RecordsError::Refused(Refusal::NoConsent))), "no consent, no proof");
    Ok(())
}

#[test]
fn registers_may_come_as_a_directory() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let mut rest = registers()?;
    for member in ["policy", "custodian"] {
        let value = rest.as_object_mut().context("object")?.remove(member).context(member)?;
        fs::write(directory.path().join(format!("{member}.json")), value.to_string())?;
    }
    fs::write(directory.path().join("registers.json"), rest.to_string())?;
    let whole = Registers::from_json(&sample("registers.json")?)?;
    let parts = Registers::open(directory.path())?;
    ensure!(*parts.to_json() == *whole.to_json());
    ensure!(parts.build()?.epoch().root() == whole.build()?.epoch().root());
    fs::write(directory.path().join("policy.json"), "[{}]")?;
    let error = Registers::open(directory.path()).err().context("opened")?.to_string();
    ensure!(error.starts_with("policy[0]: missing field `plan`"), "{error}");
    fs::write(directory.path().join("payer.json"), "\"x\"")?;
    let error = Registers::open(directory.path()).err().context("opened")?.to_string();
    ensure!(error.starts_with("payer: stands in registers.json and in its own file"), "{error}");
    let error = Registers::open(&directory.path().join("absent.json")).err().context("opened")?;
    ensure!(matches!(error, RecordsError::Unreadable { .. }));
    Ok(())
}

/// The sample bundle holds the patient, coverage and consent that the sample registers write by hand.
#[test]
fn coverage_and_consent_from_fhir_decide_as_those_written_by_hand() -> Result<()> {
    let mut document = registers()?;
    document["enrolment"].as_array_mut().context("enrolment")?.remove(0);
    document["consents"].as_array_mut().context("consents")?.remove(0);
    let mut registers = Registers::from_json(document.to_string().as_bytes())?;
    ensure!(registers.import_fhir(&sample("visit.fhir.json")?)? == 2);
    let set = registers.build()?;
    let claim = ClaimFile::from_json(&sample("claim.json")?)?;
    let request =
        set.request(&claim, claim.received.context("received")?, &mut ChaCha20Rng::seed_from_u64(1))?;
    let outcome = adjudicate(&request)?;
    ensure!(outcome.approved && outcome.payable == 7_168);
    Ok(())
}

#[test]
fn a_consent_is_imported_only_when_it_is_beyond_doubt() -> Result<()> {
    let consent = |edit: Value| {
        let mut consent = json!({
            "resourceType": "Consent", "id": "c", "status": "active", "patient": {"reference": "Patient/ada"},
            "scope": {"coding": [{"code": "patient-privacy"}]},
            "policyRule": {"coding": [{"code": "OPTIN"}]}, "provision": {},
        });
        for (member, value) in edit.as_object().into_iter().flatten() {
            consent[member] = value.clone();
        }
        consent.to_string().into_bytes()
    };
    let import = |edit: Value| -> Result<Option<bool>> {
        let mut document = registers()?;
        document["consents"] = json!([]);
        let mut registers = Registers::from_json(document.to_string().as_bytes())?;
        let added = registers.import_fhir(&consent(edit))?;
        let document: Value = serde_json::from_str(&registers.to_json())?;
        ensure!(document["consents"].as_array().map(Vec::len) == Some(added));
        Ok(document["consents"][0]["permit"].as_bool())
    };
    let payer = json!({"reference": {"display": "Harbour Mutual"}});
    let other = json!({"reference": {"display": "Lakeside"}});
    ensure!(import(json!({}))? == Some(true));
    ensure!(import(json!({"policyRule": {"coding": [{"code": "OPTOUT"}]}}))? == Some(false));
    ensure!(import(json!({"provision": {"type": "deny"}}))? == Some(false));
    ensure!(import(json!({"status": "inactive"}))?.is_none());
    let permit = |conditions: Value| {
        let mut provision = conditions;
        provision["type"] = json!("permit");
        import(json!({"provision": provision}))
    };
    ensure!(permit(json!({"actor": [payer]}))? == Some(true));
    ensure!(permit(json!({"actor": [other]}))?.is_none());
    ensure!(permit(json!({"purpose": [{"code": "HRESCH"}]}))?.is_none());
    ensure!(permit(json!({"class": [{"code": "MedicationRequest"}]}))?.is_none());
    ensure!(import(json!({"provision": {"provision": [{"type": "deny"}]}}))? == Some(false));
    ensure!(import(json!({"provision": {"actor": [payer]}})).is_err(), "what is not said is not guessed");
    ensure!(import(json!({"policyRule": {}})).is_err());
    Ok(())
}
