//! Where the demonstration settles and logs: an EVM in this process, or a node by way of the poster's outbox. Receipts are kept.

mod receipt;

pub(super) use receipt::Sent;

use super::{At, DemoError};
use alloy_primitives::{Address, B256, Log};
use alloy_provider::{Provider, ProviderBuilder, RootProvider, network::Ethereum};
use alloy_signer_local::PrivateKeySigner;
use alloy_sol_types::SolCall;
use nightingale_contracts::{
    bindings::{ClaimSettlement, Verdict},
    calldata,
    chain::{Chain, LOCAL_CHAIN},
    deploy::{self, CohortKeyToRegister, Config, Deployment, Grace, Plan, TokenChoice},
};
use nightingale_poster::{Account, Claim, Node, Outcome, Poster, deployment};
use receipt::Receipt;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};
use zeroize::Zeroizing;

/// Base units of the token in a cent.
const UNITS_PER_CENT: u64 = 10_000;

/// What settling one claim did.
pub(super) struct Settled {
    pub(super) commitment: B256,
    /// Why it was not settled.
    pub(super) skipped: Option<String>,
}

enum Backend {
    InProcess(Box<Chain>),
    /// The poster sends; the events of what it sent are read beside it.
    Node(Box<Poster>, RootProvider),
}

/// The chain with its receipts.
pub(super) struct Ledger {
    backend: Backend,
    operator: Account,
    folder: PathBuf,
    receipts: Vec<Receipt>,
}

impl Ledger {
    /// Opens the chain in this process, or connects to a node with the key that the environment holds.
    pub(super) async fn open(node: Option<&str>, folder: &Path) -> Result<Self, DemoError> {
        let (backend, operator) = match node {
            None => {
                let now = SystemTime::now().duration_since(UNIX_EPOCH).at("reading the clock")?;
                let chain = Chain::new(LOCAL_CHAIN, now.as_secs());
                (Backend::InProcess(Box::new(chain)), invented_account()?)
            }
            Some(url) => {
                let node = Node::new(url).at("reaching the node")?;
                let account = Account::find(None).at("finding the key")?;
                let outbox = folder.join("outbox.sqlite");
                let poster = Poster::open(node, &outbox, account.clone(), |terms| terms)
                    .await
                    .at("opening the outbox")?;
                (Backend::Node(Box::new(poster), reader(url)?), account)
            }
        };
        Ok(Self { backend, operator, folder: folder.to_owned(), receipts: Vec::new() })
    }

    pub(super) const fn name(&self) -> &'static str {
        match self.backend {
            Backend::InProcess(_) => "an EVM in this process",
            Backend::Node(..) => "the node",
        }
    }

    /// Who sends the transactions: here also registrar, consent authority, insurer and the trial's sponsor.
    pub(super) const fn operator(&self) -> Address {
        self.operator.address()
    }

    /// The operator as it signs.
    pub(super) fn account(&self) -> Account {
        self.operator.clone()
    }

    /// Gas of all transactions so far.
    pub(super) fn gas(&self) -> u64 {
        self.receipts.iter().map(|receipt| receipt.gas_used).sum()
    }

    /// Deploys everything: for the verifying keys of a folder, and for cohort answers.
    pub(super) async fn deploy(&mut self, keys: &Path) -> Result<Deployment, DemoError> {
        let operator = self.operator();
        let chain_id = match &self.backend {
            Backend::InProcess(chain) => chain.chain_id(),
            Backend::Node(poster, _) => poster.chain_id(),
        };
        let config = Config {
            chain_id,
            admin: operator,
            token: TokenChoice::Test,
            units_per_cent: alloy_primitives::U256::from(UNITS_PER_CENT),
            grace: Grace::default(),
            keys: deployment::keys(keys).at("reading the keys")?,
            cohort: CohortKeyToRegister::for_chain(chain_id).at("reading the keys")?,
        };
        match &mut self.backend {
            Backend::InProcess(chain) => {
                let mut plan = Plan::new(config, operator).at("deploying")?;
                while let Some(request) = plan.next().at("deploying")? {
                    let receipt = chain.transact(operator, request.to, request.data).at("deploying")?;
                    plan.confirm(receipt.created).at("deploying")?;
                    let kept = Receipt {
                        purpose: request.purpose,
                        to: request.to,
                        gas_used: receipt.gas_used,
                        transaction: None,
                    };
                    self.receipts.push(kept);
                }
                plan.finish().at("deploying")
            }
            Backend::Node(poster, _) => {
                // A label of its own: every demonstration has its own contracts.
                let label = format!("demo-{}", rand::random::<u64>());
                poster.deploy(config, &label).await.at("deploying")
            }
        }
    }

    /// Sends a request and waits for it.
    pub(super) async fn send(&mut self, request: deploy::Request) -> Result<Sent, DemoError> {
        let (gas, transaction, logs) = match &mut self.backend {
            Backend::InProcess(chain) => {
                let receipt = chain
                    .transact(self.operator.address(), request.to, request.data)
                    .at("sending a transaction")?;
                (receipt.gas_used, None, receipt.logs)
            }
            Backend::Node(poster, reader) => {
                let mined = poster.send(&request).await.at("sending a transaction")?.mined;
                (mined.gas_used, Some(mined.transaction), logs_of(reader, mined.transaction).await?)
            }
        };
        let receipt = self.receipts.len();
        self.receipts.push(Receipt { purpose: request.purpose, to: request.to, gas_used: gas, transaction });
        self.keep()?;
        Ok(Sent { gas, transaction, receipt, logs })
    }

    /// Asks a contract.
    pub(super) async fn ask<C: SolCall>(
        &mut self,
        contract: Address,
        call: &C,
    ) -> Result<C::Return, DemoError> {
        match &mut self.backend {
            Backend::InProcess(chain) => chain.ask(contract, call).at("asking a contract"),
            Backend::Node(poster, _) => poster.node().ask(contract, call).await.at("asking a contract"),
        }
    }

    /// Settles claims in one transaction; gives its gas and what became of each.
    pub(super) async fn settle(
        &mut self,
        deployment: &Deployment,
        claims: &[Claim],
    ) -> Result<(u64, Vec<Settled>), DemoError> {
        let operator = self.operator();
        let purpose = format!("settle {} claims", claims.len());
        let (gas_used, transaction, settled) = match &mut self.backend {
            Backend::InProcess(chain) => settle_here(chain, operator, deployment, claims)?,
            Backend::Node(poster, _) => {
                let settlement = poster.settle(deployment, claims).await.at("settling")?;
                let gas = settlement.transactions.iter().map(|mined| mined.gas_used).sum();
                let transaction = settlement.transactions.first().map(|mined| mined.transaction);
                let of = |entry: &nightingale_poster::Entry| Settled {
                    commitment: entry.claim_commitment,
                    skipped: match &entry.outcome {
                        Outcome::Settled(_) => None,
                        Outcome::Refused(refusal) => Some(refusal.name()),
                    },
                };
                (gas, transaction, settlement.entries.iter().map(of).collect())
            }
        };
        self.receipts.push(Receipt { purpose, to: Some(deployment.settlement), gas_used, transaction });
        self.keep()?;
        Ok((gas_used, settled))
    }

    fn keep(&self) -> Result<(), DemoError> {
        let text = serde_json::to_string_pretty(&self.receipts).at("writing the receipts")?;
        super::write(&self.folder.join("receipts.json"), &text)
    }
}

/// The operator of the chain in this process, where nobody pays for gas: a key that nobody has had or will have.
fn invented_account() -> Result<Account, DemoError> {
    let bytes = Zeroizing::new(PrivateKeySigner::random().to_bytes().0);
    Account::from_hex(&Zeroizing::new(hex::encode(bytes.as_slice()))).at("inventing an account")
}

/// A connection that reads receipts, with no proxy between, as the poster's own.
fn reader(url: &str) -> Result<RootProvider, DemoError> {
    let client = reqwest::Client::builder().no_proxy().build().at("reaching the node")?;
    let url = url.parse().at("reading the node's URL")?;
    Ok(ProviderBuilder::<_, _, Ethereum>::default().connect_reqwest(client, url))
}

async fn logs_of(reader: &RootProvider, transaction: B256) -> Result<Vec<Log>, DemoError> {
    const STEP: &str = "reading a receipt";
    let receipt = reader.get_transaction_receipt(transaction).await.at(STEP)?;
    let receipt =
        receipt.ok_or("the node does not have it any more; run the demonstration again").at(STEP)?;
    Ok(receipt.inner.logs().iter().map(|log| log.inner.clone()).collect())
}

type Done = (u64, Option<B256>, Vec<Settled>);

fn settle_here(
    chain: &mut Chain,
    operator: Address,
    deployment: &Deployment,
    claims: &[Claim],
) -> Result<Done, DemoError> {
    let mut groups: BTreeMap<[u8; 32], Vec<_>> = BTreeMap::new();
    for claim in claims {
        let proof = &claim.proof;
        let entry = calldata::entry(&proof.proof, &proof.public.to_vec());
        let endorsement = claim.endorsement.clone().ok_or("has no signature").at("encoding a proof")?;
        groups.entry(proof.key.0).or_default().push((entry, endorsement));
    }
    let groups = groups.iter().map(|(key, claims)| calldata::group(B256::from(*key), claims)).collect();
    let call = ClaimSettlement::settleCall { groups };
    let receipt = chain.send(operator, deployment.settlement, &call).at("settling")?;
    let paid = receipt
        .events::<ClaimSettlement::ClaimSettled>()
        .map(|event| Settled { commitment: event.claimCommitment, skipped: None });
    let skipped = receipt.events::<ClaimSettlement::ClaimSkipped>().map(|event| Settled {
        commitment: event.claimCommitment,
        skipped: Some(
            Verdict::from_number(event.reason).map_or_else(String::new, |verdict| format!("{verdict:?}")),
        ),
    });
    Ok((receipt.gas_used, None, paid.chain(skipped).collect()))
}
