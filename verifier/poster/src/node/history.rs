//! What the node says of the past: blocks, what is in them, and events. Whatever can be checked without believing it is.

use super::Node;
use crate::PosterError;
use alloy_consensus::{Transaction as _, TxEnvelope};
use alloy_eips::{BlockNumberOrTag, eip2718::Encodable2718, eip7702::SignedAuthorization};
use alloy_primitives::{Address, B256, U64, U256, keccak256};
use alloy_provider::Provider;
use alloy_rpc_types_eth::{Filter, Log, Transaction};
use serde::Deserialize;
use serde_json::Value;

/// A transaction in a block. Little of it is read before something is to be believed because of it, so any kind of transaction is.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Value")]
pub(crate) struct Included {
    pub(crate) hash: B256,
    from: Address,
    nonce: U64,
    /// Authorisations of accounts that signed them (EIP-7702), in whatever form the node gives them.
    authorisations: Vec<Value>,
    whole: Value,
}

impl TryFrom<Value> for Included {
    type Error = serde_json::Error;

    fn try_from(whole: Value) -> Result<Self, Self::Error> {
        #[derive(Deserialize)]
        struct Named {
            hash: B256,
            from: Address,
            nonce: U64,
            #[serde(default, rename = "authorizationList")]
            authorisations: Vec<Value>,
        }
        let Named { hash, from, nonce, authorisations } = Named::deserialize(&whole)?;
        Ok(Self { hash, from, nonce, authorisations, whole })
    }
}

impl Included {
    /// Whether it used this nonce of an account on this chain, as the account's own or with an authorisation of the account's. Only what the
    /// account signed counts: that it did is recomputed, whatever the node says of sender, nonce and hash.
    pub(crate) fn uses(&self, chain_id: u64, account: Address, nonce: u64) -> bool {
        let own = self.from == account && self.nonce == U64::from(nonce);
        if !own && self.authorisations.is_empty() {
            return false;
        }
        let Some(signed) = self.as_hashed() else { return false };
        let authorises = |authorisation: &SignedAuthorization| {
            authorisation.nonce == nonce
                && (authorisation.chain_id.is_zero() || authorisation.chain_id == U256::from(chain_id))
                && authorisation.recover_authority().is_ok_and(|signer| signer == account)
        };
        (own && is_signed(&signed, chain_id, account, nonce))
            || signed.authorization_list().is_some_and(|all| all.iter().any(authorises))
    }

    /// What was signed, where it has the hash that the node says.
    fn as_hashed(&self) -> Option<TxEnvelope> {
        let signed = Transaction::<TxEnvelope>::deserialize(&self.whole).ok()?.inner.into_inner();
        (keccak256(signed.encoded_2718()) == self.hash).then_some(signed)
    }
}

fn is_signed(signed: &TxEnvelope, chain_id: u64, account: Address, nonce: u64) -> bool {
    // An old transaction without a chain counts on all. Of the two signatures that hold for one transaction (EIP-2), the chain takes one.
    signed.nonce() == nonce
        && signed.chain_id().is_none_or(|id| id == chain_id)
        && signed.signature().normalize_s().is_none()
        && signed
            .signature()
            .recover_address_from_prehash(&signed.signature_hash())
            .is_ok_and(|signer| signer == account)
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

    /// Events that are what was asked for: of these contracts, with these topics, in these blocks, whatever else the node gives. `Err` inside are
    /// the words of a node that does not search that far.
    pub(crate) async fn events(&self, filter: &Filter) -> Result<Result<Vec<Log>, String>, PosterError> {
        match self.asked("eth_getLogs", self.provider.get_logs(filter)).await {
            Ok(mut logs) => {
                logs.retain(|log| !log.removed && filter.rpc_matches(log));
                Ok(Ok(logs))
            }
            Err(PosterError::NodeRefused { problem, .. }) => Ok(Err(problem)),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Included, Value};
    use crate::{Account, PosterError};
    use alloy_consensus::{TxEip1559, TxEnvelope};
    use alloy_eips::eip2718::{Decodable2718, Encodable2718};
    use alloy_primitives::{Address, U256, keccak256};
    use alloy_rpc_types_eth::Transaction;
    use serde::Deserialize;
    use serde_json::json;

    /// The order of secp256k1.
    const ORDER: &str = "0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";

    /// What a node shows of a transaction with this nonce that the account signs for a chain.
    fn shown(account: &Account, chain_id: u64, nonce: u64) -> Result<Value, PosterError> {
        let signed = account.sign_transaction(TxEip1559 { chain_id, nonce, ..TxEip1559::default() })?;
        let envelope = TxEnvelope::decode_2718(&mut signed.raw.as_ref());
        let mut shown =
            envelope.ok().and_then(|signed| serde_json::to_value(signed).ok()).unwrap_or_default();
        shown["from"] = json!(account.address());
        Ok(shown)
    }

    fn uses(shown: &Value, account: Address, nonce: u64) -> bool {
        Included::try_from(shown.clone()).is_ok_and(|included| included.uses(10, account, nonce))
    }

    #[test]
    fn a_nonce_is_used_by_what_the_account_signed_for_this_chain_and_by_nothing_else()
    -> Result<(), PosterError> {
        let account = Account::from_hex(&"01".repeat(32))?;
        let own = account.address();
        let honest = shown(&account, 10, 7)?;
        assert!(uses(&honest, own, 7) && !uses(&honest, own, 8));
        // Signed by somebody else, for another chain, under another nonce, or by nobody.
        let mut theirs = shown(&Account::from_hex(&"02".repeat(32))?, 10, 7)?;
        theirs["from"] = json!(own);
        let mut renumbered = shown(&account, 10, 6)?;
        renumbered["nonce"] = json!("0x7");
        let mut renamed = honest.clone();
        renamed["hash"] = json!(format!("0x{}", "ee".repeat(32)));
        let invented = json!({"hash": renamed["hash"], "from": own, "nonce": "0x7"});
        // The same transaction with the other signature that holds for it has another hash, and is no other transaction.
        let mut twisted = honest.clone();
        let number = |text: &str| text.parse::<U256>().unwrap_or_default();
        let s = number(honest["s"].as_str().unwrap_or_default());
        assert!(!s.is_zero());
        twisted["s"] = json!(number(ORDER) - s);
        let other = if honest["yParity"] == "0x0" { "0x1" } else { "0x0" };
        (twisted["yParity"], twisted["v"]) = (json!(other), json!(other));
        let bytes = Transaction::<TxEnvelope>::deserialize(&twisted).map(|told| told.inner.encoded_2718());
        twisted["hash"] = json!(keccak256(bytes.unwrap_or_default()));
        for lie in [theirs, shown(&account, 1, 7)?, renumbered, renamed, invented, twisted] {
            assert!(!uses(&lie, own, 7), "{lie}");
        }
        Ok(())
    }
}
