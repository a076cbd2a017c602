//! The viem example against a real node, with a claim that this test proves.

use super::{
    tools::{contracts, run, tools},
    world::{Claim, NOON, config, payer, provider, root},
};
use alloy_primitives::{Address, Bytes, U256, hex};
use alloy_sol_types::SolCall;
use anyhow::{Context, Result, ensure};
use nightingale_contracts::{
    bindings::{
        ClaimSettlement::depositCall,
        Registry::{
            addPayerCall, publishAccountRootCall, publishConsentRootCall, publishEpochCall, setAuthorityCall,
        },
        Token::{approveCall, mintCall},
        Verdict,
    },
    deploy::{Config, Deployment, Plan},
};
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
};

/// A node that dies with the test.
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
    pub(crate) fn start(tools: &Path) -> Result<Self> {
        let mut process = Command::new(tools.join("node_modules/.bin/anvil"))
            .args(["--port", "0", "--timestamp", &NOON.to_string()])
            .stdout(Stdio::piped())
            .spawn()?;
        let output = BufReader::new(process.stdout.take().context("stdout")?);
        let mut anvil = Self { process, address: String::new() };
        for line in output.lines() {
            if let Some(address) = line?.strip_prefix("Listening on ") {
                anvil.address = address.to_owned();
                return Ok(anvil);
            }
        }
        anyhow::bail!("anvil ended before it listened")
    }

    pub(crate) fn ask(&self, method: &str, parameters: Value) -> Result<Value> {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}).to_string();
        let mut stream = TcpStream::connect(&self.address)?;
        write!(
            stream,
            "POST / HTTP/1.1\r\nhost: anvil\r\ncontent-type: application/json\r\nconnection: close\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let body = answer.split_once("\r\n\r\n").context("no body")?.1;
        let answer: Value = serde_json::from_str(body).with_context(|| body.to_owned())?;
        ensure!(answer.get("error").is_none(), "{method}: {answer}");
        Ok(answer["result"].clone())
    }

    pub(crate) fn send(&self, from: Address, to: Option<Address>, data: &Bytes) -> Result<Option<Address>> {
        let mut transaction = json!({"from": from, "data": data, "gas": "0xf00000"});
        if let Some(to) = to {
            transaction["to"] = json!(to);
        }
        let hash = self.ask("eth_sendTransaction", json!([transaction]))?;
        let receipt = loop {
            let receipt = self.ask("eth_getTransactionReceipt", json!([hash]))?;
            if !receipt.is_null() {
                break receipt;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        };
        ensure!(receipt["status"] == "0x1", "{receipt}");
        Ok(serde_json::from_value(receipt["contractAddress"].clone())?)
    }

    fn call<C: SolCall>(&self, from: Address, to: Address, call: &C) -> Result<()> {
        self.send(from, Some(to), &call.abi_encode().into()).map(drop)
    }
}

fn deploy(anvil: &Anvil, deployer: Address) -> Result<Deployment> {
    let mut plan = Plan::new(Config { admin: deployer, ..config()? }, deployer)?;
    while let Some(request) = plan.next()? {
        let created = anvil.send(deployer, request.to, &request.data)?;
        plan.confirm(created)?;
    }
    Ok(plan.finish()?)
}

#[test]
fn the_viem_example_settles_a_claim_on_a_real_node() -> Result<()> {
    let Some(folder) = tools(&["viem", ".bin/anvil"])? else { return Ok(()) };
    let anvil = Anvil::start(&folder)?;
    let accounts: Vec<Address> = serde_json::from_value(anvil.ask("eth_accounts", json!([]))?)?;
    let (deployer, insurer, authority) = (accounts[0], accounts[1], accounts[2]);
    let deployment = deploy(&anvil, deployer)?;
    let (registry, settlement, token) = (deployment.registry, deployment.settlement, deployment.token);
    anvil.call(deployer, registry, &addPayerCall { payer: payer(), owner: insurer })?;
    anvil.call(deployer, registry, &setAuthorityCall { authority, accepted: true })?;
    anvil.call(insurer, registry, &publishEpochCall { payer: payer(), epochRoot: root("epoch") })?;
    anvil.call(
        insurer,
        registry,
        &publishAccountRootCall { payer: payer(), accountRoot: root("accounts") },
    )?;
    let consents = publishConsentRootCall { consentRoot: root("consents"), notAfter: u64::MAX };
    anvil.call(authority, registry, &consents)?;
    let amount = U256::from(100_000);
    anvil.call(deployer, token, &mintCall { to: insurer, amount })?;
    anvil.call(insurer, token, &approveCall { spender: settlement, amount })?;
    anvil.call(insurer, settlement, &depositCall { payer: payer(), amount })?;
    let provider = provider()?;
    anvil.ask("anvil_setBalance", json!([provider.address(), "0xde0b6b3a7640000"]))?;

    let claim = Claim::new("viem")?;
    let scratch = tempfile::tempdir()?;
    let (deployment_file, claim_file) =
        (scratch.path().join("deployment.json"), scratch.path().join("claim.json"));
    std::fs::write(&deployment_file, serde_json::to_string(&deployment)?)?;
    let write = |claim: &Claim| -> Result<()> {
        let claim = json!({
            "payer": payer().to_string(),
            "claimCommitment": claim.commitment_word(),
            "authority": authority,
            "key": deployment.keys[0].digest,
            "entry": hex::encode_prefixed(claim.entry()?),
        });
        Ok(std::fs::write(&claim_file, claim.to_string())?)
    };
    let example = || {
        let mut node = Command::new("node");
        node.arg(contracts().join("examples/settle.mjs"))
            .arg(format!("http://{}", anvil.address))
            .args([&deployment_file, &claim_file])
            .env("PRIVATE_KEY", hex::encode_prefixed(provider.to_bytes()));
        node
    };
    write(&claim)?;
    let output = run(&mut example())?;
    let said: Value =
        serde_json::from_str(output.lines().last().context("no output")?).context(output.clone())?;
    ensure!(said["settled"]["cents"] == "12345", "{said}");
    ensure!(
        said["settled"]["payee"].as_str().map(str::to_lowercase) == Some(format!("{:?}", provider.address())),
        "{said}"
    );
    ensure!(said["again"] == "AlreadySettled" && said["withdrawn"] == "12345", "{said}");
    // A month later nobody has published the consents again: it says so by name.
    anvil.ask("evm_increaseTime", json!([31 * 86_400]))?;
    write(&Claim::new("late")?)?;
    let late = example().output()?;
    let words = String::from_utf8_lossy(&late.stderr).into_owned();
    ensure!(!late.status.success() && words.contains("not payable: ConsentRootOld"), "{words}");
    Ok(())
}

#[test]
fn the_viem_example_names_every_verdict() -> Result<()> {
    let source = std::fs::read_to_string(contracts().join("examples/settle.mjs"))?;
    let list = source.split_once("const verdicts =").context("no list")?.1;
    let list = list.split_once(';').context("no end of the list")?.0;
    let words: String = list.split('"').skip(1).step_by(2).collect();
    let named: Vec<&str> = words.split_whitespace().collect();
    let all: Vec<String> = Verdict::ALL.iter().map(|verdict| format!("{verdict:?}")).collect();
    ensure!(named == all, "{named:?}");
    Ok(())
}
