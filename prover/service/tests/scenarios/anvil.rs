//! A local chain, and what only a local chain can be asked.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

/// The well-known first account of local chains, which has ether.
pub(crate) const RICH: &str = "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";

/// A node that dies with the test.
pub(crate) struct Anvil {
    process: Child,
    url: String,
}

impl Drop for Anvil {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Anvil {
    /// A fresh chain; none, with a word on stderr, where anvil is not installed.
    pub(crate) fn start() -> Result<Option<Self>> {
        let program =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools/node_modules/.bin/anvil");
        if !program.exists() {
            let required = std::env::var_os("NIGHTINGALE_REQUIRE_TOOLS").is_some();
            ensure!(!required, "anvil is missing in target/tools: run .ci/tools/install");
            #[expect(clippy::print_stderr, reason = "a skipped check says so")]
            {
                eprintln!("skipped: anvil is missing in target/tools; run .ci/tools/install");
            }
            return Ok(None);
        }
        let mut process = Command::new(program)
            .args(["--host", "127.0.0.1", "--port", "0"])
            .stdout(Stdio::piped())
            .spawn()?;
        let output = BufReader::new(process.stdout.take().context("no output")?);
        let mut anvil = Self { process, url: String::new() };
        for line in output.lines() {
            if let Some(address) = line?.strip_prefix("Listening on ") {
                anvil.url = format!("http://{address}");
                return Ok(Some(anvil));
            }
        }
        anyhow::bail!("anvil ended before it listened")
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) async fn ask(&self, method: &str, parameters: Value) -> Result<Value> {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}).to_string();
        let client = reqwest::Client::builder().no_proxy().build()?;
        let request = client.post(&self.url).header("content-type", "application/json").body(body);
        let answer: Value = serde_json::from_slice(&request.send().await?.bytes().await?)?;
        ensure!(answer.get("error").is_none(), "{method}: {answer}");
        Ok(answer["result"].clone())
    }
}
