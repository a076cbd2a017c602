//! The key and the entries that forge's fuzz tests use, kept current here.

use super::{
    proofs::{self, SMALL},
    single::entry,
    tools::contracts,
};
use alloy_primitives::hex;
use anyhow::{Result, ensure};
use nightingale_contracts::calldata;
use serde_json::json;

#[test]
fn the_fixture_of_the_fuzz_tests_is_current() -> Result<()> {
    let constants = calldata::constants(&proofs::verifying_key(SMALL)?)?;
    let fixture = json!({
        "constants": hex::encode_prefixed(constants),
        "entry": hex::encode_prefixed(entry(SMALL, "fixture 0")?),
        "second": hex::encode_prefixed(entry(SMALL, "fixture 1")?),
    });
    let text = serde_json::to_string_pretty(&fixture)? + "\n";
    let file = contracts().join("test/fixtures/small.json");
    if std::env::var_os("NIGHTINGALE_BLESS").is_some() {
        std::fs::create_dir_all(contracts().join("test/fixtures"))?;
        std::fs::write(&file, &text)?;
    }
    ensure!(std::fs::read_to_string(&file)? == text, "stale: run it again with NIGHTINGALE_BLESS=1");
    Ok(())
}
