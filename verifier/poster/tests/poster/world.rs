//! A chain with a deployment, a payer with escrow, roots, and claims that were received.

use super::{
    anvil::Anvil,
    proofs::{self, approval, prove, root},
};
use alloy_primitives::{Address, B256, U256, hex, keccak256};
use anyhow::{Context, Result};
use nightingale_circuits::claim::{PublicInputs, SizeClass};
use nightingale_contracts::{
    PayerId,
    bindings::ClaimSettlement::{creditOfCall, isSpentCall},
    deploy::{Config, Deployment, Grace, KeyKind, KeyToRegister, Request, TokenChoice},
};
use nightingale_poster::{
    Account, Claim, EndorsementFile, Node, Poster, Terms, administration as tell, outbox::Transaction,
};
use nightingale_verifier::{ClaimProof, key::file_name};
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    time::{Duration, Instant},
};
use tempfile::TempDir;

pub(crate) const ESCROW: u64 = 1_000_000;

pub(crate) fn payer() -> PayerId {
    PayerId::from(0x00c0_ffee_u64)
}

/// A key that nobody else has: from a label.
pub(crate) fn secret(label: &str) -> String {
    match label {
        // The key for which the other crates' tests keep their datasets.
        "sponsor" => "01".repeat(32),
        _ => hex::encode(keccak256(label)),
    }
}

pub(crate) fn account(label: &str) -> Result<Account> {
    Ok(Account::from_hex(&secret(label))?)
}

pub(crate) struct World {
    pub(crate) anvil: Anvil,
    pub(crate) folder: TempDir,
    pub(crate) deployment: Deployment,
}

/// What to deploy, with both keys and no patience for old roots.
pub(crate) fn config(admin: Address) -> Result<Config> {
    let keys = SizeClass::ALL.map(|class| {
        let key = proofs::key(class)?;
        let digest = B256::from(key.digest().0);
        Ok(KeyToRegister { digest, kind: KeyKind::Development, key: key.groth16().clone() })
    });
    Ok(Config {
        chain_id: 31337,
        admin,
        token: TokenChoice::Test,
        units_per_cent: U256::ONE,
        grace: Grace { epoch_seconds: 0, account_seconds: 0, consent_seconds: 0, ..Grace::default() },
        keys: keys.into_iter().collect::<Result<_>>()?,
        cohort: None,
    })
}

impl World {
    /// None, with a word on stderr, where anvil is not installed.
    pub(crate) async fn new() -> Result<Option<Self>> {
        let Some(anvil) = Anvil::start()? else { return Ok(None) };
        let folder = TempDir::new()?;
        for who in ["operator", "stranger", "provider"] {
            anvil.give_ether(account(who)?.address())?;
        }
        let operator =
            open(&anvil.url(), &folder.path().join("setup.sqlite"), "operator", |terms| terms).await?;
        let deployment = operator.deploy(config(operator.address())?, "test").await?;
        let mut requests = vec![
            tell::add_payer(&deployment, payer(), operator.address()),
            tell::set_authority(&deployment, operator.address(), true),
            tell::publish_epoch(&deployment, payer(), root("epoch")),
            tell::publish_accounts(&deployment, payer(), root("accounts")),
            tell::publish_consents(&deployment, root("consents"), u64::MAX),
            tell::mint(&deployment, operator.address(), ESCROW),
        ];
        requests.extend(tell::deposit(&deployment, payer(), ESCROW));
        operator.send_all(&requests).await?;
        Ok(Some(Self { anvil, folder, deployment }))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A poster with an outbox of its own name.
    pub(crate) async fn poster(&self, who: &str, terms: impl FnOnce(Terms) -> Terms) -> Result<Poster> {
        self.poster_at(&self.anvil.url(), who, terms).await
    }

    /// The same through another URL.
    pub(crate) async fn poster_at(
        &self,
        url: &str,
        who: &str,
        terms: impl FnOnce(Terms) -> Terms,
    ) -> Result<Poster> {
        open(url, &self.path(&format!("{who}.sqlite")), who, terms).await
    }

    /// Sends what prepares a test, from the operator's account and an outbox of its own.
    pub(crate) async fn prepare(&self, requests: &[Request]) -> Result<()> {
        let poster = open(&self.anvil.url(), &self.path("setup.sqlite"), "operator", |terms| terms).await?;
        poster.send_all(requests).await?;
        Ok(())
    }

    /// A claim like many: received today, endorsed.
    pub(crate) async fn claim(&self, label: &str) -> Result<Claim> {
        self.claim_of(approval(label, account("provider")?.address())?).await
    }

    pub(crate) async fn claim_of(&self, public: PublicInputs) -> Result<Claim> {
        let claim = self.endorsed(prove(public)?)?;
        let commitment = nightingale_poster::endorsement::commitment(&claim.proof);
        self.prepare(&[tell::receive_claim(&self.deployment, payer(), commitment)]).await?;
        Ok(claim)
    }

    pub(crate) fn endorsed(&self, proof: ClaimProof) -> Result<Claim> {
        let endorsement = self.endorsement(&proof)?.endorsement()?;
        Ok(Claim { proof, endorsement: Some(endorsement) })
    }

    pub(crate) fn endorsement(&self, proof: &ClaimProof) -> Result<EndorsementFile> {
        let (signer, authority) = (account("provider")?, account("operator")?.address());
        let contract = self.deployment.settlement;
        Ok(EndorsementFile::sign(&signer, proof, self.deployment.chain_id, contract, payer(), authority)?)
    }

    /// Writes a claim's proof and endorsement, and the deployment, and says where the proof is.
    pub(crate) fn write(&self, name: &str, claim: &Claim) -> Result<PathBuf> {
        let path = self.path(&format!("{name}.json"));
        fs::write(&path, claim.proof.to_json())?;
        fs::write(path.with_extension("endorsement.json"), self.endorsement(&claim.proof)?.to_json())?;
        fs::write(self.path("deployment.json"), serde_json::to_string(&self.deployment)?)?;
        Ok(path)
    }

    /// The arguments of a settlement by command, with an outbox of its own.
    pub(crate) fn settle_command(&self, url: &str, proofs: &[&Path]) -> Command {
        let mut command = program(&self.path("keys"));
        command.args(["settle", "--json", "--rpc", url, "--outbox"]).arg(self.path("command.sqlite"));
        command.arg("--deployment").arg(self.path("deployment.json")).args(proofs);
        command.env("NIGHTINGALE_POSTER_KEY", secret("stranger"));
        command
    }

    /// How many claims were ever settled, by the chain's events.
    pub(crate) fn settlements(&self) -> Result<usize> {
        let topic = keccak256("ClaimSettled(uint96,bytes32,address,uint256,uint256,bytes32,bytes32,bytes32)");
        let filter = json!([{"fromBlock": "0x0", "address": self.deployment.settlement, "topics": [topic]}]);
        let logs: Vec<Value> = serde_json::from_value(self.anvil.ask("eth_getLogs", filter)?)?;
        Ok(logs.len())
    }

    pub(crate) async fn credit(&self) -> Result<U256> {
        let node = Node::new(&self.anvil.url())?;
        let payee = account("provider")?.address();
        Ok(node.ask(self.deployment.settlement, &creditOfCall { payee }).await?)
    }

    pub(crate) async fn is_spent(&self, tag: B256) -> Result<bool> {
        let node = Node::new(&self.anvil.url())?;
        Ok(node.ask(self.deployment.settlement, &isSpentCall { payer: payer(), tag }).await?)
    }

    /// Waits until an outbox looks as wanted.
    pub(crate) async fn watch(
        &self,
        outbox: &str,
        wanted: impl Fn(&[Transaction]) -> bool,
    ) -> Result<Vec<Transaction>> {
        let (path, start) = (self.path(outbox), Instant::now());
        loop {
            if path.exists() {
                let rows = nightingale_poster::Outbox::list(&path).await.unwrap_or_default();
                let rows: Vec<Transaction> = rows.into_iter().map(|(_, row)| row).collect();
                if wanted(&rows) {
                    return Ok(rows);
                }
            }
            anyhow::ensure!(start.elapsed() < Duration::from_secs(60), "{outbox} never looked as wanted");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

pub(crate) async fn open(
    url: &str,
    outbox: &Path,
    who: &str,
    terms: impl FnOnce(Terms) -> Terms,
) -> Result<Poster> {
    Ok(Poster::open(Node::new(url)?, outbox, account(who)?, terms).await?)
}

/// The command line, without anything of this process's own surroundings.
pub(crate) fn program(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nightingale-poster"));
    command.env_clear().env("HOME", home);
    command
}

/// Writes the verifying keys into a directory.
pub(crate) fn write_keys(directory: &Path) -> Result<()> {
    fs::create_dir_all(directory)?;
    for class in SizeClass::ALL {
        let key = proofs::key(class)?;
        fs::write(directory.join(file_name(class, key.digest())), key.to_bytes())?;
    }
    Ok(())
}

/// Exit code, JSON from stdout, and stderr.
pub(crate) fn said(output: &Output) -> Result<(i32, Value, String)> {
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    let code = output.status.code().context("killed")?;
    Ok((code, serde_json::from_slice(&output.stdout).unwrap_or(Value::Null), stderr))
}
