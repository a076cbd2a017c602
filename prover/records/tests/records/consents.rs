//! Consents from FHIR: what is taken, that what cannot be said is refused by name, and that no day is permitted that was not.

use super::shared;
use anyhow::{Context, Result, ensure};
use nightingale_circuits::claim::{Consent, Date, Id};
use nightingale_records::{
    RecordsError, Registers,
    consent::{ConsentImport, ConsentSays, Payer, build_register, import_fhir, to_registers_json},
};
use serde_json::{Value, json};

const HARBOUR: &str = "Organization/harbour";

fn payer() -> Payer {
    Payer { id: Id::from_text("Harbour Mutual"), names: vec![HARBOUR.to_owned()] }
}

fn read(resource: &Value) -> ConsentImport {
    import_fhir(resource.to_string().as_bytes(), &payer(), "f.json")
}

/// An active consent to privacy with this provision, and a policy rule where one is given.
fn consent(rule: Option<&str>, provision: Value) -> Value {
    let mut consent = json!({
        "resourceType": "Consent", "id": "c", "status": "active",
        "scope": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy"}]},
        "patient": {"reference": "Patient/ada"}, "provision": provision,
    });
    if let Some(rule) = rule {
        let system = "http://terminology.hl7.org/CodeSystem/v3-ActCode";
        consent["policyRule"] = json!({"coding": [{"system": system, "code": rule}]});
    }
    consent
}

/// `permit FIRST LAST`, `deny FIRST LAST`, `withdrawn`, `nothing`, or `refused ELEMENT`.
fn told(resource: &Value) -> Result<String> {
    let import = read(resource);
    if let Some(refused) = import.refused.first() {
        return Ok(format!("refused {}", refused.element));
    }
    Ok(match &import.found.first().context("nothing was found")?.says {
        ConsentSays::Stated(consent) => {
            ensure!(consent.member == Id::from_text("Patient/ada") && consent.payer == payer().id);
            ensure!((consent.purpose, consent.data_class) == (Consent::PAYMENT, Consent::CLAIMS));
            let day = nightingale_records::consent::day_text;
            format!(
                "{} {} {}",
                if consent.permit { "permit" } else { "deny" },
                day(consent.from),
                day(consent.to)
            )
        }
        ConsentSays::Withdrawn { .. } => "withdrawn".to_owned(),
        ConsentSays::Nothing(_) => "nothing".to_owned(),
    })
}

const ALWAYS: &str = "permit 1901-01-01 2099-12-31";
const NEVER: &str = "deny 1901-01-01 2099-12-31";

#[test]
fn a_consent_says_what_its_base_and_its_conditions_say_together() -> Result<()> {
    let year = json!({"start": "2026-01-01", "end": "2026-12-31"});
    let in_2026 = "permit 2026-01-01 2026-12-31";
    let recipient = |reference: &str| {
        json!([{"role": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "code": "PRCP"}]},
                "reference": {"reference": reference}}])
    };
    let act = |code: &str| json!([{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentaction", "code": code}]}]);
    let purpose =
        |code: &str| json!([{"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": code}]);
    let class = |code: &str| json!([{"system": "http://hl7.org/fhir/resource-types", "code": code}]);
    let cases = [
        (Some("OPTIN"), json!({}), ALWAYS),
        (Some("OPTOUT"), json!({}), NEVER),
        (None, json!({"type": "permit", "period": year}), in_2026),
        (Some("OPTIN"), json!({"type": "permit", "period": year}), in_2026),
        (Some("OPTOUT"), json!({"type": "permit", "period": year}), in_2026),
        (None, json!({"type": "deny", "period": year}), "deny 2026-01-01 2026-12-31"),
        (Some("OPTOUT"), json!({"type": "deny", "period": year}), NEVER),
        // Whom it speaks of.
        (None, json!({"type": "permit", "actor": recipient(HARBOUR)}), ALWAYS),
        (None, json!({"type": "permit", "actor": recipient("Organization/lakeside")}), "nothing"),
        (Some("OPTIN"), json!({"type": "permit", "actor": recipient("Organization/lakeside")}), "nothing"),
        (Some("OPTIN"), json!({"type": "deny", "actor": recipient("Organization/lakeside")}), ALWAYS),
        (Some("OPTIN"), json!({"type": "deny", "actor": recipient(HARBOUR)}), NEVER),
        // What it speaks of.
        (
            None,
            json!({"type": "permit", "action": act("disclose"), "purpose": purpose("HPAYMT"), "class": class("Claim")}),
            ALWAYS,
        ),
        (None, json!({"type": "permit", "action": act("use")}), "nothing"),
        (None, json!({"type": "deny", "action": act("use")}), NEVER),
        (None, json!({"type": "permit", "action": act("correct")}), "nothing"),
        (None, json!({"type": "permit", "purpose": purpose("HRESCH")}), "nothing"),
        (Some("OPTIN"), json!({"type": "deny", "purpose": purpose("HRESCH")}), ALWAYS),
        (None, json!({"type": "permit", "class": class("MedicationRequest")}), "nothing"),
        (None, json!({"type": "permit", "class": class("ClaimResponse")}), "nothing"),
        (Some("OPTIN"), json!({"type": "deny", "class": class("ClaimResponse")}), NEVER),
        // A day of which a part is permitted is not permitted; a day of which a part is denied is.
        (
            None,
            json!({"type": "permit", "period": {"start": "2026-06-01T12:00:00Z", "end": "2026-06-09T23:59:59Z"}}),
            "permit 2026-06-02 2026-06-09",
        ),
        (
            None,
            json!({"type": "permit", "period": {"start": "2026-06-01T00:00:00Z", "end": "2026-06-09T08:00:00Z"}}),
            "permit 2026-06-01 2026-06-08",
        ),
        (
            None,
            json!({"type": "permit", "period": {"start": "2026-06-23T17:02:33+10:00", "end": "2026-06-23T17:32:33+10:00"}}),
            "nothing",
        ),
        (
            None,
            json!({"type": "deny", "period": {"start": "2026-06-23T17:02:33+10:00", "end": "2026-06-23T17:32:33+10:00"}}),
            "deny 2026-06-23 2026-06-23",
        ),
    ];
    for (rule, provision, expected) in cases {
        let resource = consent(rule, provision.clone());
        ensure!(
            told(&resource)? == expected,
            "{rule:?} {provision}: {} instead of {expected}",
            told(&resource)?
        );
    }
    Ok(())
}

#[test]
fn exceptions_are_applied_as_far_as_one_period_can_say_them() -> Result<()> {
    let between =
        |kind: &str, start: &str, end: &str| json!({"type": kind, "period": {"start": start, "end": end}});
    let with = |mut provision: Value, exceptions: Value| {
        provision["provision"] = exceptions;
        provision
    };
    let year = between("permit", "2026-01-01", "2026-12-31");
    let elsewhere = json!({"type": "deny", "actor": [{"reference": {"reference": "Organization/lakeside"}}]});
    let cases = [
        (year.clone(), json!([between("deny", "2026-07-01", "2027-03-01")]), "permit 2026-01-01 2026-06-30"),
        (year.clone(), json!([between("deny", "2025-07-01", "2026-03-01")]), "permit 2026-03-02 2026-12-31"),
        (year.clone(), json!([between("deny", "2026-03-01", "2026-03-31")]), "refused Consent/c.provision"),
        (year.clone(), json!([{"type": "deny"}]), "deny 2026-01-01 2026-12-31"),
        (year.clone(), json!([elsewhere]), "permit 2026-01-01 2026-12-31"),
        // An exception to an exception, and one that contradicts another.
        (
            year.clone(),
            json!([with(
                between("deny", "2026-03-01", "2026-12-31"),
                json!([between("permit", "2026-03-01", "2026-04-30")])
            )]),
            "permit 2026-01-01 2026-04-30",
        ),
        (
            year.clone(),
            json!([
                between("permit", "2026-03-01", "2026-12-31"),
                between("deny", "2026-06-01", "2027-12-31")
            ]),
            "permit 2026-01-01 2026-05-31",
        ),
        // An exception cannot reach beyond what it is an exception to.
        (
            year.clone(),
            json!([between("permit", "2026-06-01", "2028-12-31")]),
            "permit 2026-01-01 2026-12-31",
        ),
        (
            between("deny", "2026-01-01", "2026-12-31"),
            json!([between("permit", "2025-12-01", "2026-02-28")]),
            "permit 2026-01-01 2026-02-28",
        ),
        (
            year.clone(),
            json!([{"period": {"start": "2026-02-01"}}]),
            "refused Consent/c.provision.provision[0].type",
        ),
    ];
    for (root, exceptions, expected) in cases {
        let resource = consent(None, with(root, exceptions.clone()));
        ensure!(told(&resource)? == expected, "{exceptions}: {} instead of {expected}", told(&resource)?);
    }
    Ok(())
}

/// Each of these alone turns a consent that is taken into one that is refused, by that element.
#[test]
fn what_the_register_cannot_say_is_refused_by_name() -> Result<()> {
    let plain = json!({"type": "permit", "period": {"start": "2026-01-01", "end": "2026-12-31"}});
    ensure!(told(&consent(None, plain.clone()))? == "permit 2026-01-01 2026-12-31");
    let role = |code: &str| json!({"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "code": code}]});
    let cases = [
        ("securityLabel", json!([{"code": "N"}]), "securityLabel"),
        ("code", json!([{"coding": [{"system": "http://loinc.org", "code": "34133-9"}]}]), "code"),
        ("dataPeriod", json!({"start": "2020-01-01"}), "dataPeriod"),
        ("data", json!([{"meaning": "related", "reference": {"reference": "Task/3"}}]), "data"),
        ("purpose", json!([{"code": "COVAUTH"}]), "purpose[0]"),
        ("purpose", json!([{"system": "urn:ours", "code": "HPAYMT"}]), "purpose[0]"),
        ("class", json!([{"system": "urn:ietf:bcp:13", "code": "application/hl7-cda+xml"}]), "class[0]"),
        ("action", json!([{"coding": [{"code": "sell"}]}]), "action[0]"),
        ("action", json!([{"coding": [{"code": "access"}, {"code": "use"}]}]), "action[0]"),
        ("actor", json!([{"role": role("CST"), "reference": {"reference": HARBOUR}}]), "actor[0].role"),
        (
            "actor",
            json!([{"role": role("PRCP"), "reference": {"reference": "Group/insurers"}}]),
            "actor[0].reference",
        ),
        ("actor", json!([{"role": role("PRCP")}]), "actor[0].reference"),
        ("modifierExtension", json!([{"url": "urn:not"}]), "modifierExtension"),
        ("period", json!({"start": "2026"}), "period.start"),
        ("type", json!("maybe"), "type"),
    ];
    for (member, value, element) in cases {
        let mut provision = plain.clone();
        provision[member] = value;
        let expected = format!("refused Consent/c.provision.{element}");
        let found = told(&consent(None, provision.clone()))?;
        ensure!(found == expected, "{member}: {found} instead of {expected}");
        // Inside an exception as well, and for a denial.
        if member != "type" && member != "period" {
            provision["type"] = json!("deny");
            let nested = json!({"type": "permit", "provision": [provision]});
            let found = told(&consent(None, nested))?;
            let expected = format!("refused Consent/c.provision.provision[0].{element}");
            ensure!(found == expected, "{member}: {found} instead of {expected}");
        }
    }
    for (member, value, element) in [
        ("implicitRules", json!("http://example.org/rules"), "implicitRules"),
        ("modifierExtension", json!([{"url": "urn:not"}]), "modifierExtension"),
        ("scope", json!({"coding": [{"code": "patient-privacy"}, {"code": "research"}]}), "scope"),
        ("scope", Value::Null, "scope"),
        ("patient", Value::Null, "patient"),
        ("status", json!("unknown"), "status"),
        ("policyRule", json!({"coding": [{"code": "OPTINR"}]}), "policyRule"),
        ("provision", json!({}), "provision.type"),
        // As R5 has it.
        ("provision", json!([{"type": "permit"}]), "provision[0]"),
    ] {
        let mut resource = consent(None, plain.clone());
        resource[member] = value;
        let found = told(&resource)?;
        ensure!(found == format!("refused Consent/c.{element}"), "{member}: {found}");
    }
    Ok(())
}

#[test]
fn a_status_decides_whether_a_consent_counts_or_is_withdrawn() -> Result<()> {
    let with = |status: &str, provision: Value| {
        let mut resource = consent(None, provision);
        resource["status"] = json!(status);
        told(&resource)
    };
    let permit = json!({"type": "permit"});
    for status in ["inactive", "rejected", "entered-in-error"] {
        ensure!(with(status, permit.clone())? == "withdrawn", "{status}");
        // What could not have been read is withdrawn all the same: a revocation is never lost to a detail.
        ensure!(
            with(status, json!({"type": "permit", "securityLabel": [{"code": "N"}]}))? == "withdrawn",
            "{status}"
        );
        let other =
            json!({"type": "permit", "actor": [{"reference": {"reference": "Organization/lakeside"}}]});
        ensure!(with(status, other)? == "nothing", "{status} of another payer");
    }
    for status in ["draft", "proposed"] {
        ensure!(with(status, permit.clone())? == "nothing", "{status}");
    }
    // Nor to a date that is none; a permission needs one that can be read.
    let undated = |status: &str, provision: Value| {
        let mut resource = consent(None, provision);
        (resource["status"], resource["meta"]) = (json!(status), json!({"lastUpdated": "2026-01-01"}));
        told(&resource)
    };
    ensure!(undated("inactive", permit.clone())? == "withdrawn");
    ensure!(undated("active", json!({"type": "deny"}))?.starts_with("deny"));
    ensure!(undated("active", permit.clone())?.contains("refused"));
    let mut research = consent(None, permit);
    research["scope"] = json!({"coding": [{"code": "research"}]});
    ensure!(told(&research)? == "nothing");
    Ok(())
}

#[test]
fn two_consents_of_a_patient_in_one_file_are_not_chosen_between() -> Result<()> {
    let numbered = |id: &str, status: &str, provision: Value| {
        let mut resource = consent(None, provision);
        (resource["id"], resource["status"]) = (json!(id), json!(status));
        json!({"resource": resource})
    };
    let bundle = |entries: Value| read(&json!({"resourceType": "Bundle", "entry": entries}));
    let (permit, deny) = (json!({"type": "permit"}), json!({"type": "deny"}));
    let differ =
        bundle(json!([numbered("a", "active", permit.clone()), numbered("b", "active", deny.clone())]));
    let refused: Vec<&str> = differ.refused.iter().map(|refused| refused.element.as_str()).collect();
    ensure!(refused == ["Consent/a", "Consent/b"] && differ.found.is_empty());
    let same =
        bundle(json!([numbered("a", "active", permit.clone()), numbered("b", "active", permit.clone())]));
    ensure!(same.refused.is_empty() && same.found.len() == 2);
    // The one that it replaced is withdrawn beside it, and takes nothing back.
    let replaced = bundle(json!([numbered("b", "active", permit.clone()), numbered("a", "inactive", deny)]));
    ensure!(matches!(replaced.found[1].says, ConsentSays::Nothing(_)));
    // One bad entry does not cost the others.
    let one_bad = bundle(
        json!([numbered("a", "unknown", permit.clone()), {"resource": {"resourceType": "Patient", "id": "p"}}]),
    );
    ensure!(one_bad.found.is_empty() && one_bad.refused.len() == 1);
    ensure!(read(&json!({"resourceType": "Patient", "id": "p"})).refused.len() == 1);
    ensure!(import_fhir(b"{", &payer(), "f.json").refused.len() == 1);
    Ok(())
}

/// HL7's own examples leave it open whether a condition is what is shared or what is held back: only one of them says it.
#[test]
fn of_hl7s_examples_only_what_is_beyond_doubt_is_taken() -> Result<()> {
    let Some(folder) = shared::claims() else { return Ok(()) };
    let mut taken = Vec::new();
    for (name, bytes) in shared::files(&folder.join("hl7_r4"), "Consent", ".json")? {
        for (reader, names) in
            [("harbour", vec![HARBOUR.to_owned()]), ("org", vec!["Organization/f001".to_owned()])]
        {
            let import = import_fhir(&bytes, &Payer { id: Id::from_text("p"), names }, &name);
            ensure!(import.found.len() + import.refused.len() == 1, "{name}");
            if let Some(found) = import.found.first() {
                let permit = matches!(&found.says, ConsentSays::Stated(consent) if consent.permit);
                taken.push(format!("{reader} {} {permit}", found.source));
            }
        }
    }
    ensure!(
        taken == ["harbour Consent/consent-example-notOrg true", "org Consent/consent-example-notOrg false"],
        "{taken:?}"
    );
    Ok(())
}

#[test]
fn a_ledgers_register_and_the_registers_file_have_one_root() -> Result<()> {
    let consent = |member: &str, permit: bool| -> Result<Consent> {
        Ok(Consent {
            member: Id::from_text(member),
            payer: Id::from_text("Harbour Mutual"),
            purpose: Consent::PAYMENT,
            data_class: Consent::CLAIMS,
            from: Date::from_calendar(2026, 1, 1)?,
            to: Date::MAX,
            permit,
        })
    };
    let consents = vec![consent("Patient/ada", true)?, consent("HM1002", false)?];
    let mut document: Value = serde_json::from_slice(&std::fs::read(
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/registers.json"),
    )?)?;
    document["consents"] = serde_json::from_str(&to_registers_json(&consents))?;
    let registers = Registers::from_json(document.to_string().as_bytes())?.build()?;
    ensure!(registers.consent_root() == build_register(consents.clone())?.root());
    let twice = [consents.clone(), consents].concat();
    ensure!(matches!(build_register(twice), Err(RecordsError::Register(_))));
    Ok(())
}
