//! What the node says of the past: blocks, what is in them, and events.

use super::Node;
use crate::PosterError;
use alloy_eips::{BlockNumberOrTag, eip7702::SignedAuthorization};
use alloy_primitives::{Address, B256, U64};
use alloy_provider::Provider;
use alloy_rpc_types_eth::{Filter, Log};
use serde::Deserialize;

/// A transaction in a block: who sent it, under which nonce, and what it authorises. Nothing else of it is read, so any kind of transaction is.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Included {
    pub(crate) hash: B256,
    pub(crate) from: Address,
    pub(crate) nonce: U64,
    /// Authorisations of accounts that signed them (EIP-7702), in whatever form the node gives them.
    #[serde(default, rename = "authorizationList")]
    authorisations: Vec<serde_json::Value>,
}

impl Included {
    /// Whether it used this nonce of an account: as the account's own, or with an authorisation that the account signed.
    pub(crate) fn uses(&self, account: Address, nonce: u64) -> bool {
        let authorises = |value: &serde_json::Value| {
            SignedAuthorization::deserialize(value).is_ok_and(|signed| {
                signed.nonce == nonce && signed.recover_authority().is_ok_and(|signer| signer == account)
            })
        };
        (self.from == account && self.nonce == U64::from(nonce)) || self.authorisations.iter().any(authorises)
    }
}

#[derive(Debug, Deserialize)]
struct FullBlock {
    transactions: Vec<Included>,
}

impl Node {
    /// The hash of a block; none where the chain is not that long.
    pub(crate) async fn block_hash(&self, number: u64) -> Result<Option<B256>, PosterError> {
        let block = self.provider.get_block_by_number(number.into());
        Ok(self.asked("eth_getBlockByNumber", block).await?.map(|block| block.header.hash))
    }

    /// Every transaction of a block; none where the chain is not that long.
    pub(crate) async fn included(&self, number: u64) -> Result<Option<Vec<Included>>, PosterError> {
        let block = self.provider.raw_request::<_, Option<FullBlock>>(
            "eth_getBlockByNumber".into(),
            (BlockNumberOrTag::Number(number), true),
        );
        Ok(self.asked("eth_getBlockByNumber", block).await?.map(|block| block.transactions))
    }

    /// The account's next nonce as of a block; none where the node does not keep that block's state.
    pub(crate) async fn old_nonce(&self, account: Address, block: u64) -> Result<Option<u64>, PosterError> {
        match self.nonce(account, block.into()).await {
            Ok(nonce) => Ok(Some(nonce)),
            Err(PosterError::NodeRefused { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Events. `Err` inside are the words of a node that does not search that far.
    pub(crate) async fn events(&self, filter: &Filter) -> Result<Result<Vec<Log>, String>, PosterError> {
        match self.asked("eth_getLogs", self.provider.get_logs(filter)).await {
            Ok(logs) => Ok(Ok(logs)),
            Err(PosterError::NodeRefused { problem, .. }) => Ok(Err(problem)),
            Err(error) => Err(error),
        }
    }
}
