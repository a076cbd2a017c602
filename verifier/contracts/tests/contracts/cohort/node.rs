//! The same transactions on a real node.

use super::world::{World, answer};
use crate::contracts::{anvil::Anvil, tools::tools};
use anyhow::{Result, ensure};
use serde_json::json;

#[test]
fn an_answer_is_logged_on_a_real_node() -> Result<()> {
    let Some(folder) = tools(&[".bin/anvil"])? else { return Ok(()) };
    let mut world = World::new()?;
    let used = world.log(&answer("main")?)?.gas_used;
    let anvil = Anvil::start(&folder)?;
    for (from, to, data) in &world.sent {
        anvil.ask("anvil_impersonateAccount", json!([from]))?;
        anvil.ask("anvil_setBalance", json!([from, "0xde0b6b3a7640000"]))?;
        anvil.send(*from, *to, data)?;
    }
    let block = anvil.ask("eth_getBlockByNumber", json!(["latest", false]))?;
    ensure!(block["gasUsed"] == format!("{used:#x}"), "{} is not {used:#x}", block["gasUsed"]);
    let logs = anvil.ask("eth_getLogs", json!([{"address": world.log, "fromBlock": "latest"}]))?;
    ensure!(logs.as_array().map(Vec::len) == Some(1), "{logs}");
    Ok(())
}
