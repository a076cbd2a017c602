//! The bindings and the artefacts say the same, item by item.

use anyhow::{Context, Result, ensure};
use nightingale_contracts::{artefacts, bindings};
use serde_json::Value;
use std::collections::BTreeSet;

/// `type:signature` of every item, with tuples written out, from a JSON ABI.
fn from_json(abi: &Value) -> Result<BTreeSet<String>> {
    fn kind(parameter: &Value) -> Result<String> {
        let name = parameter["type"].as_str().context("type")?;
        let Some(suffix) = name.strip_prefix("tuple") else { return Ok(name.to_owned()) };
        let parts = parameter["components"].as_array().context("components")?;
        let parts: Result<Vec<_>> = parts.iter().map(kind).collect();
        Ok(format!("({}){suffix}", parts?.join(",")))
    }
    let mut items = BTreeSet::new();
    for item in abi.as_array().context("abi")? {
        let what = item["type"].as_str().context("type")?;
        if what == "constructor" {
            continue;
        }
        let inputs: Result<Vec<_>> = item["inputs"].as_array().context("inputs")?.iter().map(kind).collect();
        items.insert(format!("{what}:{}({})", item["name"].as_str().context("name")?, inputs?.join(",")));
    }
    Ok(items)
}

macro_rules! from_bindings {
    ($($module:ident)::+, $errors:ident, $events:ident, $calls:ident) => {{
        use nightingale_contracts::$($module)::+::{$calls, $errors, $events};
        let mut items = BTreeSet::new();
        items.extend($errors::SIGNATURES.iter().map(|signature| format!("error:{signature}")));
        items.extend($events::SIGNATURES.iter().map(|signature| format!("event:{signature}")));
        items.extend($calls::SIGNATURES.iter().map(|signature| format!("function:{signature}")));
        items
    }};
}

fn compare(name: &str, json: BTreeSet<String>, bound: BTreeSet<String>) -> Result<()> {
    let missing: Vec<_> = json.difference(&bound).collect();
    let invented: Vec<_> = bound.difference(&json).collect();
    ensure!(
        missing.is_empty() && invented.is_empty(),
        "{name}: not bound {missing:?}, invented {invented:?}"
    );
    Ok(())
}

#[test]
fn registry_bindings_are_the_artefacts_interface() -> Result<()> {
    let bound = from_bindings!(bindings::registry::Registry, RegistryErrors, RegistryEvents, RegistryCalls);
    compare("Registry", from_json(&artefacts::registry()?.abi)?, bound)
}

#[test]
fn settlement_bindings_are_the_artefacts_interface() -> Result<()> {
    let bound = from_bindings!(
        bindings::settlement::ClaimSettlement,
        ClaimSettlementErrors,
        ClaimSettlementEvents,
        ClaimSettlementCalls
    );
    compare("ClaimSettlement", from_json(&artefacts::claim_settlement()?.abi)?, bound)
}

#[test]
fn cohort_bindings_are_the_artefacts_interfaces() -> Result<()> {
    let bound = from_bindings!(bindings::cohort::CohortLog, CohortLogErrors, CohortLogEvents, CohortLogCalls);
    compare("CohortLog", from_json(&artefacts::cohort_log()?.abi)?, bound)?;
    use bindings::cohort::CohortVerifier::{CohortVerifierCalls, CohortVerifierErrors};
    let mut bound = BTreeSet::new();
    bound.extend(CohortVerifierErrors::SIGNATURES.iter().map(|signature| format!("error:{signature}")));
    bound.extend(CohortVerifierCalls::SIGNATURES.iter().map(|signature| format!("function:{signature}")));
    compare("CohortVerifier", from_json(&artefacts::cohort_verifier()?.abi)?, bound)
}

#[test]
fn anchor_bindings_are_the_artefacts_interface() -> Result<()> {
    let bound = from_bindings!(
        bindings::audit::AuditAnchors,
        AuditAnchorsErrors,
        AuditAnchorsEvents,
        AuditAnchorsCalls
    );
    compare("AuditAnchors", from_json(&artefacts::audit_anchors()?.abi)?, bound)
}

#[test]
fn verdicts_have_the_numbers_of_the_contract() -> Result<()> {
    let source = include_str!("../../src/interfaces/Verdict.sol");
    let body = source.split_once("enum Verdict {").context("enum")?.1;
    let names: Vec<&str> = body
        .lines()
        .map(|line| line.trim().trim_end_matches([',', '}']))
        .filter(|line| !line.is_empty() && !line.starts_with("///"))
        .collect();
    let bound: Vec<String> = bindings::Verdict::ALL.iter().map(|verdict| format!("{verdict:?}")).collect();
    ensure!(names == bound, "{names:?}");
    for (number, verdict) in (0u8..).zip(bindings::Verdict::ALL) {
        ensure!(bindings::Verdict::from_number(number) == Some(verdict) && verdict as u8 == number);
    }
    ensure!(bindings::Verdict::from_number(22).is_none());
    Ok(())
}

#[test]
fn reverts_are_explained_in_words() -> Result<()> {
    use alloy_primitives::{Bytes, U256};
    use alloy_sol_types::SolError;
    use bindings::{ClaimSettlement::GroupRejected, ClaimVerifier::InputNotInField, Registry::GraceTooLong};
    let inside = InputNotInField { entry: U256::from(3), input: U256::from(7) }.abi_encode();
    let outside = GroupRejected { group: U256::from(1), reason: inside.into() }.abi_encode();
    let text = bindings::explain(&outside);
    ensure!(text == "GroupRejected { group: 1, reason: InputNotInField { entry: 3, input: 7 } }", "{text}");
    // A group inside a group, which no contract says, is not looked into.
    let nested = GroupRejected { group: U256::from(2), reason: outside.clone().into() }.abi_encode();
    let text = bindings::explain(&nested);
    let kept = alloy_primitives::hex::encode_prefixed(&outside);
    ensure!(text == format!("GroupRejected {{ group: 2, reason: {kept} }}"), "{text}");
    let silent = GroupRejected { group: U256::ZERO, reason: Bytes::new() }.abi_encode();
    let text = bindings::explain(&silent);
    ensure!(text == "GroupRejected { group: 0, reason: none given, as where gas is too little }", "{text}");
    let text = bindings::explain(&GraceTooLong { grace: U256::from(9) }.abi_encode());
    ensure!(text == "GraceTooLong { grace: 9 }", "{text}");
    ensure!(bindings::explain(&[1, 2, 3, 4]) == "0x01020304");
    ensure!(bindings::explain(&[]) == "no reason given");
    Ok(())
}
