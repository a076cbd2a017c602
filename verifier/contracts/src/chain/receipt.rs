//! What came of a transaction.

use alloy_primitives::{Address, Bytes, Log};
use alloy_sol_types::SolEvent;

/// A transaction that succeeded.
#[derive(Clone, Debug)]
pub struct Receipt {
    /// Gas used by the whole transaction, calldata included.
    pub gas_used: u64,
    /// Its events, in order.
    pub logs: Vec<Log>,
    /// The contract that it created.
    pub created: Option<Address>,
    /// What was returned.
    pub output: Bytes,
}

impl Receipt {
    pub(super) const fn new(gas_used: u64, logs: Vec<Log>, created: Option<Address>, output: Bytes) -> Self {
        Self { gas_used, logs, created, output }
    }

    /// Its events of one type, whoever emitted them.
    pub fn events<E: SolEvent>(&self) -> impl Iterator<Item = E> + '_ {
        self.logs.iter().filter_map(|log| E::decode_log(log).ok()).map(|log| log.data)
    }
}
