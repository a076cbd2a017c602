//! What came of a transaction: as it is kept in `chain/receipts.json`, and as the next step reads it.

use alloy_primitives::{Address, B256, Log};
use alloy_sol_types::SolEvent;
use serde::Serialize;

/// A transaction as it is kept.
#[derive(Serialize)]
pub(super) struct Receipt {
    pub(super) purpose: String,
    pub(super) to: Option<Address>,
    pub(super) gas_used: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) transaction: Option<B256>,
}

/// A transaction that succeeded.
pub(in crate::demo) struct Sent {
    /// Gas of the whole transaction.
    pub(in crate::demo) gas: u64,
    /// Its hash; none on the EVM in this process, which has no hashes.
    pub(in crate::demo) transaction: Option<B256>,
    /// Its place in `chain/receipts.json`, from 0.
    pub(in crate::demo) receipt: usize,
    pub(super) logs: Vec<Log>,
}

impl Sent {
    /// The events of one type that a contract emitted.
    pub(in crate::demo) fn events<E: SolEvent>(&self, contract: Address) -> impl Iterator<Item = E> + '_ {
        let own = self.logs.iter().filter(move |log| log.address == contract);
        own.filter_map(|log| E::decode_log(log).ok()).map(|log| log.data)
    }
}
