//! What forge's fuzz tests of cohort answers start from: the kept trial and two of its answers, kept current here.

use super::{
    fixture::{LOGGER, fixture, log},
    world::{SPONSOR, answer, registration},
};
use crate::contracts::{
    tools::contracts,
    world::{DEPLOYER, registry_arguments},
};
use alloy_primitives::{U256, hex};
use alloy_sol_types::{SolCall, SolValue};
use anyhow::{Result, ensure};
use nightingale_contracts::bindings::Registry::{
    confirmDatasetConsentsCall, publishDatasetConsentsCall, registerDatasetCall,
};
use serde_json::json;

#[test]
fn the_fixture_of_the_cohort_fuzz_tests_is_current() -> Result<()> {
    let kept = fixture()?;
    let (main, newer) = (answer("main")?, answer("newer")?);
    let setup: Vec<u8> = kept.identity.iter().chain(&kept.span).flat_map(U256::to_be_bytes::<32>).collect();
    let given = registration("trial", &["main"])?;
    let schema = given.schema.abi_encode();
    let (table, version, consent) = (newer.table, newer.version, newer.consent);
    let publish = publishDatasetConsentsCall { table, version, consent };
    let confirm = confirmDatasetConsentsCall { table, version, consent };
    let made = json!({
        "deployer": DEPLOYER,
        "sponsor": SPONSOR,
        "logger": LOGGER,
        "log": log(),
        "key": kept.key,
        "registryArguments": hex::encode_prefixed(registry_arguments()?),
        "setup": hex::encode_prefixed(setup),
        "registration": hex::encode_prefixed(registerDatasetCall { given }.abi_encode()),
        "schema": hex::encode_prefixed(schema),
        "publication": hex::encode_prefixed(publish.abi_encode()),
        "confirmation": hex::encode_prefixed(confirm.abi_encode()),
        "answer": hex::encode_prefixed(main.abi_encode()),
        "newer": hex::encode_prefixed(newer.abi_encode()),
    });
    let text = serde_json::to_string_pretty(&made)? + "\n";
    let file = contracts().join("test/fixtures/cohort.json");
    if std::env::var_os("NIGHTINGALE_BLESS").is_some() {
        std::fs::write(&file, &text)?;
    }
    ensure!(std::fs::read_to_string(&file)? == text, "stale: run it again with NIGHTINGALE_BLESS=1");
    Ok(())
}
