//! Where the demonstration settles: an EVM in this process, or a node by way of the poster's outbox. Receipts are kept.

use super::{At, DemoError};
use alloy_primitives::{Address, B256};
use alloy_sol_types::SolCall;
use nightingale_contracts::{
    bindings::{ClaimSettlement, Verdict},
    calldata,
    chain::{Chain, LOCAL_CHAIN},
    deploy::{self, Config, Deployment, Grace, Plan, TokenChoice},
};
use nightingale_poster::{Account, Claim, Node, Outcome, Poster, deployment};
use serde::Serialize;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

/// Who sends every transaction on the chain in this process.
const OPERATOR: Address = Address::repeat_byte(0x0a);
/// Base units of the token in a cent.
const UNITS_PER_CENT: u64 = 10_000;

/// What settling one claim did.
pub(super) struct Settled {
    pub(super) commitment: B256,
    /// Why it was not settled.
    pub(super) skipped: Option<String>,
}

/// A transaction as it is kept.
#[derive(Serialize)]
struct Receipt {
    purpose: String,
    to: Option<Address>,
    gas_used: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    transaction: Option<B256>,
}

enum Backend {
    InProcess(Box<Chain>),
    Node(Box<Poster>),
}

/// The chain with its receipts.
pub(super) struct Ledger {
    backend: Backend,
    folder: PathBuf,
    receipts: Vec<Receipt>,
}

impl Ledger {
    /// Opens the chain in this process, or connects to a node with the key that the environment holds.
    pub(super) async fn open(node: Option<&str>, folder: &Path) -> Result<Self, DemoError> {
        let backend = match node {
            None => {
                let now = SystemTime::now().duration_since(UNIX_EPOCH).at("reading the clock")?;
                Backend::InProcess(Box::new(Chain::new(LOCAL_CHAIN, now.as_secs())))
            }
            Some(url) => {
                let node = Node::new(url).at("reaching the node")?;
                let account = Account::find(None).at("finding the key")?;
                let outbox = folder.join("outbox.sqlite");
                let poster =
                    Poster::open(node, &outbox, account, |terms| terms).await.at("opening the outbox")?;
                Backend::Node(Box::new(poster))
            }
        };
        Ok(Self { backend, folder: folder.to_owned(), receipts: Vec::new() })
    }

    pub(super) const fn name(&self) -> &'static str {
        match self.backend {
            Backend::InProcess(_) => "an EVM in this process",
            Backend::Node(_) => "the node",
        }
    }

    /// Who sends the transactions: here also registrar, consent authority and insurer.
    pub(super) const fn operator(&self) -> Address {
        match &self.backend {
            Backend::InProcess(_) => OPERATOR,
            Backend::Node(poster) => poster.address(),
        }
    }

    /// Gas of all transactions so far.
    pub(super) fn gas(&self) -> u64 {
        self.receipts.iter().map(|receipt| receipt.gas_used).sum()
    }

    /// Deploys everything for the verifying keys of a folder.
    pub(super) async fn deploy(&mut self, keys: &Path) -> Result<Deployment, DemoError> {
        let chain_id = match &self.backend {
            Backend::InProcess(chain) => chain.chain_id(),
            Backend::Node(poster) => poster.chain_id(),
        };
        let config = Config {
            chain_id,
            admin: self.operator(),
            token: TokenChoice::Test,
            units_per_cent: alloy_primitives::U256::from(UNITS_PER_CENT),
            grace: Grace::default(),
            keys: deployment::keys(keys).at("reading the keys")?,
            cohort: None,
        };
        match &mut self.backend {
            Backend::InProcess(chain) => {
                let mut plan = Plan::new(config, OPERATOR).at("deploying")?;
                while let Some(request) = plan.next().at("deploying")? {
                    let receipt = chain.transact(OPERATOR, request.to, request.data).at("deploying")?;
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
            Backend::Node(poster) => {
                // A label of its own: every demonstration has its own contracts.
                let label = format!("demo-{}", rand::random::<u64>());
                poster.deploy(config, &label).await.at("deploying")
            }
        }
    }

    /// Sends a request and waits for it.
    pub(super) async fn send(&mut self, request: deploy::Request) -> Result<(), DemoError> {
        let (gas_used, transaction) = match &mut self.backend {
            Backend::InProcess(chain) => {
                let receipt =
                    chain.transact(OPERATOR, request.to, request.data).at("sending a transaction")?;
                (receipt.gas_used, None)
            }
            Backend::Node(poster) => {
                let posted = poster.send(&request).await.at("sending a transaction")?;
                (posted.mined.gas_used, Some(posted.mined.transaction))
            }
        };
        self.receipts.push(Receipt { purpose: request.purpose, to: request.to, gas_used, transaction });
        self.keep()
    }

    /// Asks a contract.
    pub(super) async fn ask<C: SolCall>(
        &mut self,
        contract: Address,
        call: &C,
    ) -> Result<C::Return, DemoError> {
        match &mut self.backend {
            Backend::InProcess(chain) => chain.ask(contract, call).at("asking a contract"),
            Backend::Node(poster) => poster.node().ask(contract, call).await.at("asking a contract"),
        }
    }

    /// Settles claims in one transaction; gives its gas and what became of each.
    pub(super) async fn settle(
        &mut self,
        deployment: &Deployment,
        claims: &[Claim],
    ) -> Result<(u64, Vec<Settled>), DemoError> {
        let purpose = format!("settle {} claims", claims.len());
        let (gas_used, transaction, settled) = match &mut self.backend {
            Backend::InProcess(chain) => settle_here(chain, deployment, claims)?,
            Backend::Node(poster) => {
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

type Done = (u64, Option<B256>, Vec<Settled>);

fn settle_here(chain: &mut Chain, deployment: &Deployment, claims: &[Claim]) -> Result<Done, DemoError> {
    let mut groups: BTreeMap<[u8; 32], Vec<_>> = BTreeMap::new();
    for claim in claims {
        let proof = &claim.proof;
        let entry = calldata::entry(&proof.proof, &proof.public.to_vec());
        let endorsement = claim.endorsement.clone().ok_or("has no signature").at("encoding a proof")?;
        groups.entry(proof.key.0).or_default().push((entry, endorsement));
    }
    let groups = groups.iter().map(|(key, claims)| calldata::group(B256::from(*key), claims)).collect();
    let call = ClaimSettlement::settleCall { groups };
    let receipt = chain.send(OPERATOR, deployment.settlement, &call).at("settling")?;
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
