//! A node that dies with the test, and what only a local node can be asked.

#![expect(clippy::print_stderr, reason = "a skipped check says so")]

use alloy_primitives::{Address, U256};
use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::Duration,
};

/// 2026-01-15, 12:00 UTC.
pub(crate) const NOON: u64 = 1_768_478_400;
/// The same day in days since 1900-01-01.
pub(crate) const TODAY: u32 = 46_035;

pub(crate) struct Anvil {
    process: Child,
    address: String,
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
            PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target/tools/node_modules/.bin/anvil");
        if !program.exists() {
            let required = std::env::var_os("NIGHTINGALE_REQUIRE_TOOLS").is_some();
            ensure!(!required, "anvil is missing in target/tools: run .ci/tools/install");
            eprintln!("skipped: anvil is missing in target/tools; run .ci/tools/install");
            return Ok(None);
        }
        let mut process = Command::new(program)
            .args(["--host", "127.0.0.1", "--port", "0", "--accounts", "1", "--timestamp", &NOON.to_string()])
            .stdout(Stdio::piped())
            .spawn()?;
        let output = BufReader::new(process.stdout.take().context("stdout")?);
        let mut anvil = Self { process, address: String::new() };
        for line in output.lines() {
            if let Some(address) = line?.strip_prefix("Listening on ") {
                anvil.address = address.to_owned();
                return Ok(Some(anvil));
            }
        }
        bail!("anvil ended before it listened")
    }

    /// Host and port.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn ask(&self, method: &str, parameters: Value) -> Result<Value> {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}).to_string();
        let answer = post(&self.address, body.as_bytes())?;
        let answer: Value = serde_json::from_slice(&answer)?;
        ensure!(answer.get("error").is_none(), "{method}: {answer}");
        Ok(answer["result"].clone())
    }

    /// Makes blocks of transactions only when asked, or at once as they come.
    pub(crate) fn automine(&self, on: bool) -> Result<()> {
        self.ask("evm_setAutomine", json!([on])).map(drop)
    }

    pub(crate) fn mine(&self, blocks: u64) -> Result<()> {
        for _ in 0..blocks {
            self.ask("evm_mine", json!([]))?;
        }
        Ok(())
    }

    /// Gives the chain another id. A block that anvil is still making brings the old one back, hence the repetition.
    pub(crate) fn move_to_chain(&self, id: u64) -> Result<()> {
        let mut kept = 0;
        for _ in 0..100 {
            let chain: U256 = serde_json::from_value(self.ask("eth_chainId", json!([]))?)?;
            if chain == U256::from(id) {
                kept += 1;
            } else {
                kept = 0;
                self.ask("anvil_setChainId", json!([id]))?;
            }
            if kept == 5 {
                return Ok(());
            }
            sleep(Duration::from_millis(50));
        }
        bail!("the chain does not become {id}")
    }

    pub(crate) fn give_ether(&self, account: Address) -> Result<()> {
        let amount = U256::from(10u64.pow(18)) * U256::from(100);
        self.ask("anvil_setBalance", json!([account, amount])).map(drop)
    }

    /// Transactions of an account in the chain.
    pub(crate) fn mined_of(&self, account: Address) -> Result<u64> {
        let count: U256 =
            serde_json::from_value(self.ask("eth_getTransactionCount", json!([account, "latest"]))?)?;
        Ok(count.to())
    }
}

/// Posts a body and gives the answer's.
pub(crate) fn post(address: &str, body: &[u8]) -> Result<Vec<u8>> {
    let mut stream = TcpStream::connect(address)?;
    write!(
        stream,
        "POST / HTTP/1.1\r\nhost: node\r\ncontent-type: application/json\r\nconnection: close\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    )?;
    stream.write_all(body)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let head = answer.windows(4).position(|window| window == b"\r\n\r\n").context("no body")?;
    Ok(answer.split_off(head + 4))
}
