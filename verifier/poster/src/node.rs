//! The node: what it is asked, with its failures told apart. Which transaction to send is not decided here.

mod fees;
mod history;
mod transport;

pub use fees::{Cap, Fees, Limits};
pub(crate) use history::Included;

use crate::PosterError;
use alloy_eips::BlockNumberOrTag;
use alloy_network::TransactionBuilder;
use alloy_primitives::{Address, B256, Bytes, U256};
use alloy_provider::{Provider, RootProvider};
use alloy_rpc_client::RpcClient;
use alloy_rpc_types_eth::{TransactionReceipt, TransactionRequest};
use alloy_sol_types::SolCall;
use nightingale_contracts::{bindings, deploy::Request};
use reqwest::{Url, redirect::Policy};
use std::{future::IntoFuture, time::Duration};
use transport::Bounded;

/// No single answer takes longer on a node that works.
const PATIENCE: Duration = Duration::from_secs(30);
/// How many characters of what a node says are passed on.
const MOST_WORDS: usize = 1_000;
/// Shorter parts of a URL (`v3`, `rpc`) guard nothing.
const SHORTEST_SECRET: usize = 6;

/// A connection to one node. No `Debug`: URLs may hold passwords and access tokens.
#[derive(Clone)]
pub struct Node {
    provider: RootProvider,
    whole: String,
    url: String,
    /// What the URL holds beside scheme and host, the longest first.
    secrets: Vec<String>,
}

/// The newest block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head {
    pub(crate) number: u64,
    pub(crate) gas_limit: u64,
    pub(crate) base_fee: u128,
    /// In seconds since 1970.
    pub(crate) timestamp: u64,
}

/// Why a call would fail: the node's words, and the contract's reason where it gave one.
#[derive(Clone, Debug)]
pub(crate) struct Revert {
    pub(crate) data: Bytes,
    pub(crate) reason: String,
}

impl Node {
    /// A node at an `http://` URL. Nothing is sent yet.
    ///
    /// # Errors
    /// Another kind of URL: this program has no TLS of its own.
    pub fn new(url: &str) -> Result<Self, PosterError> {
        let malformed = |problem: &str| PosterError::malformed("node URL", problem);
        let parsed: Url = url.parse().map_err(|_| malformed("must look like http://127.0.0.1:8545"))?;
        if parsed.scheme() != "http" {
            return Err(malformed(
                "must start with http://; reach a node elsewhere through a tunnel or a local proxy",
            ));
        }
        // A node is nearby or behind a tunnel: proxies from the environment would only see what is signed, and whoever the node sends a request on to,
        // the URL with its tokens as well.
        let client = reqwest::Client::builder().no_proxy().redirect(Policy::none()).referer(false);
        let client = client.timeout(PATIENCE).build();
        let client = client.map_err(|error| malformed(&error.to_string()))?;
        let shown =
            format!("{}://{}", parsed.scheme(), parsed.authority().rsplit('@').next().unwrap_or_default());
        let (whole, secrets) = (parsed.to_string(), secrets(&parsed));
        let provider = RootProvider::new(RpcClient::new(Bounded { client, url: parsed }, true));
        Ok(Self { provider, whole, url: shown, secrets })
    }

    /// The chain's id.
    ///
    /// # Errors
    /// The node does not answer; so for all questions here.
    pub async fn chain_id(&self) -> Result<u64, PosterError> {
        self.asked("eth_chainId", self.provider.get_chain_id()).await
    }

    /// Asks a contract a typed question about the newest block.
    ///
    /// # Errors
    /// The contract reverts, is not there, or answers something that its interface does not describe.
    pub async fn ask<C: SolCall>(&self, contract: Address, call: &C) -> Result<C::Return, PosterError> {
        self.ask_at(contract, call, BlockNumberOrTag::Latest).await
    }

    pub(crate) async fn ask_at<C: SolCall>(
        &self,
        contract: Address,
        call: &C,
        block: BlockNumberOrTag,
    ) -> Result<C::Return, PosterError> {
        let refused =
            |revert: Revert| PosterError::NodeRefused { method: "eth_call", problem: revert.reason };
        self.try_ask_at(contract, call, block).await?.map_err(refused)
    }

    /// The same, with a contract's refusal as an answer.
    pub(crate) async fn try_ask_at<C: SolCall>(
        &self,
        contract: Address,
        call: &C,
        block: BlockNumberOrTag,
    ) -> Result<Result<C::Return, Revert>, PosterError> {
        let request = TransactionRequest::default().with_to(contract).with_input(call.abi_encode());
        let output = self.provider.call(request).block(block.into()).into_future().await;
        let output = match self.judged("eth_call", output)? {
            Ok(output) => output,
            Err(revert) => return Ok(Err(revert)),
        };
        if output.is_empty() && !self.has_code_at(contract, block).await? {
            return Err(PosterError::NothingDeployed(contract));
        }
        let answer = C::abi_decode_returns(&output).map_err(|error| {
            nightingale_contracts::Error::AnswerMalformed { contract, reason: error.to_string() }
        })?;
        Ok(Ok(answer))
    }

    /// What names the chain, beside its id.
    ///
    /// # Errors
    /// The node does not show its first block.
    pub(crate) async fn genesis(&self) -> Result<B256, PosterError> {
        let missing = || PosterError::GenesisMissing { url: self.url.clone() };
        self.block_hash(0).await?.filter(|hash| !hash.is_zero()).ok_or_else(missing)
    }

    pub(crate) async fn head(&self) -> Result<Head, PosterError> {
        let block = self.provider.get_block_by_number(BlockNumberOrTag::Latest);
        let block = self.asked("eth_getBlockByNumber", block).await?;
        let header =
            block.ok_or_else(|| self.unreachable("eth_getBlockByNumber", "it has no newest block"))?.header;
        Ok(Head {
            number: header.number,
            gas_limit: header.gas_limit,
            base_fee: header.base_fee_per_gas.unwrap_or_default().into(),
            timestamp: header.timestamp,
        })
    }

    /// The account's next nonce as of a block: mined transactions only.
    pub(crate) async fn nonce(&self, account: Address, block: BlockNumberOrTag) -> Result<u64, PosterError> {
        let count = self.provider.get_transaction_count(account).block_id(block.into());
        self.asked("eth_getTransactionCount", count).await
    }

    pub(crate) async fn balance(&self, account: Address) -> Result<U256, PosterError> {
        self.asked("eth_getBalance", self.provider.get_balance(account)).await
    }

    pub(crate) async fn code(&self, contract: Address) -> Result<Bytes, PosterError> {
        self.asked("eth_getCode", self.provider.get_code_at(contract)).await
    }

    pub(crate) async fn has_code(&self, contract: Address) -> Result<bool, PosterError> {
        self.has_code_at(contract, BlockNumberOrTag::Latest).await
    }

    async fn has_code_at(&self, contract: Address, block: BlockNumberOrTag) -> Result<bool, PosterError> {
        let code = self.provider.get_code_at(contract).block_id(block.into());
        Ok(!self.asked("eth_getCode", code).await?.is_empty())
    }

    pub(crate) async fn fees(&self) -> Result<Fees, PosterError> {
        let estimate = self.asked("eth_feeHistory", self.provider.estimate_eip1559_fees()).await?;
        // A tip of nothing could not be raised by a share of itself.
        Ok(Fees { max_fee: estimate.max_fee_per_gas.max(1), tip: estimate.max_priority_fee_per_gas.max(1) })
    }

    /// Executes a request without sending it, and says what it would return and how much gas it would use.
    pub(crate) async fn dry_run(
        &self,
        from: Address,
        request: &Request,
    ) -> Result<Result<(Bytes, u64), Revert>, PosterError> {
        let mut call = TransactionRequest::default().with_from(from).with_input(request.data.clone());
        call = match request.to {
            Some(to) => call.with_to(to),
            None => call.into_create(),
        };
        let latest = BlockNumberOrTag::Latest.into();
        let output = self.provider.call(call.clone()).block(latest).into_future().await;
        let output = match self.judged("eth_call", output)? {
            Ok(output) => output,
            Err(revert) => return Ok(Err(revert)),
        };
        let gas = self.provider.estimate_gas(call).block(latest).into_future().await;
        Ok(self.judged("eth_estimateGas", gas)?.map(|gas| (output, gas)))
    }

    /// Hands a signed transaction to the node. `Err` inside are the node's words: that it was refused says nothing of
    /// why, and not even that it is not known already.
    pub(crate) async fn send(&self, raw: &[u8]) -> Result<Result<(), String>, PosterError> {
        match self.provider.send_raw_transaction(raw).await {
            Ok(_) => Ok(Ok(())),
            Err(error) => match error.as_error_resp() {
                Some(answer) => Ok(Err(self.words(&answer.message))),
                None => Err(self.unreachable("eth_sendRawTransaction", &error.to_string())),
            },
        }
    }

    /// Whether the node has the transaction, mined or waiting.
    pub(crate) async fn knows(&self, transaction: B256) -> Result<bool, PosterError> {
        let found = self.provider.get_transaction_by_hash(transaction);
        Ok(self.asked("eth_getTransactionByHash", found).await?.is_some())
    }

    /// The receipt of a transaction that is in the chain now. Of another transaction it says nothing of this one.
    pub(crate) async fn receipt(&self, transaction: B256) -> Result<Option<TransactionReceipt>, PosterError> {
        let receipt = self.provider.get_transaction_receipt(transaction);
        let receipt = self.asked("eth_getTransactionReceipt", receipt).await?;
        Ok(receipt
            .filter(|receipt| receipt.block_number.is_some() && receipt.transaction_hash == transaction))
    }

    async fn asked<T, F>(&self, method: &'static str, question: F) -> Result<T, PosterError>
    where
        F: IntoFuture<Output = alloy_provider::transport::TransportResult<T>>,
    {
        let answer = question.into_future().await;
        self.judged(method, answer)?
            .map_err(|revert| PosterError::NodeRefused { method, problem: revert.reason })
    }

    /// An answer, the refusal of a node or a contract, or an error when there was no answer.
    fn judged<T>(
        &self,
        method: &'static str,
        answer: alloy_provider::transport::TransportResult<T>,
    ) -> Result<Result<T, Revert>, PosterError> {
        let error = match answer {
            Ok(value) => return Ok(Ok(value)),
            Err(error) => error,
        };
        let Some(refusal) = error.as_error_resp() else {
            return Err(self.unreachable(method, &error.to_string()));
        };
        let data = refusal.as_revert_data().unwrap_or_default();
        let reason =
            if data.is_empty() { self.words(&refusal.message) } else { cut(bindings::explain(&data)) };
        Ok(Err(Revert { data, reason }))
    }

    fn unreachable(&self, method: &'static str, problem: &str) -> PosterError {
        PosterError::NodeUnreachable { url: self.url.clone(), method, problem: self.words(problem) }
    }

    /// What a node or the transport says, for people to read: on one line, and without what the URL holds beside the host, which is a password
    /// or an access token, or may be one.
    fn words(&self, said: &str) -> String {
        // The transport shows the URL without its user.
        let bare = self.whole.rsplit_once('@').map(|(_, rest)| format!("http://{rest}"));
        let mut said = said.replace(char::is_control, " ");
        for url in [Some(&self.whole), bare.as_ref()].into_iter().flatten() {
            said = said.replace(url.as_str(), &self.url).replace(url.trim_end_matches('/'), &self.url);
        }
        for secret in &self.secrets {
            said = said.replace(secret.as_str(), "***");
        }
        cut(said)
    }
}

/// As much of a node's words as people read.
fn cut(mut said: String) -> String {
    if let Some((end, _)) = said.char_indices().nth(MOST_WORDS) {
        said.truncate(end);
        said.push_str(" ..");
    }
    said
}

/// User, password, path and query of a URL, and their parts of some length, as they are written and as they are meant; the longest first.
fn secrets(url: &Url) -> Vec<String> {
    let (path, query) = (url.path(), url.query().unwrap_or_default());
    let whole = [url.username(), url.password().unwrap_or_default(), path, query];
    let parts = whole.into_iter().chain(path.split('/')).chain(query.split(['&', '=']));
    let both = parts.flat_map(|part| [part.to_owned(), meant(url, part)]);
    let mut all: Vec<String> = both.filter(|part| part.len() >= SHORTEST_SECRET).collect();
    all.sort_unstable_by_key(|part| std::cmp::Reverse(part.len()));
    all.dedup();
    all
}

/// A part of a URL without its percent signs.
fn meant(url: &Url, part: &str) -> String {
    let mut asked = url.clone();
    asked.set_query(Some(&part.replace(['&', '=', '+'], " ")));
    asked.query_pairs().next().map(|(part, _)| part.into_owned()).unwrap_or_default()
}
