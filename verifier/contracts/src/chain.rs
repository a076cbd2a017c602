//! An EVM in this process: deploy, call, send, and look at gas and events. No node, no network, no fees.
//!
//! Each transaction is a block of its own. Gas is what a node of the same fork would charge, to the unit.

mod receipt;

pub use receipt::Receipt;

use crate::Error;
use alloy_primitives::{Address, Bytes, U256};
use alloy_sol_types::SolCall;
use revm::{
    Context, Database, ExecuteCommitEvm, ExecuteEvm, MainBuilder, MainContext,
    context::{TxEnv, result::ExecutionResult},
    database::{CacheDB, EmptyDB},
    primitives::{TxKind, hardfork::SpecId},
    state::{AccountInfo, Bytecode},
};

/// The chain id that development keys are allowed on.
pub const LOCAL_CHAIN: u64 = 31337;
/// The largest gas limit of a transaction since Osaka (EIP-7825).
pub const TRANSACTION_GAS_CAP: u64 = 1 << 24;

/// The rules that a chain runs by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fork {
    /// Today's.
    Osaka,
    /// The next one, on which new storage costs far more.
    Amsterdam,
}

/// A chain in this process.
#[derive(Debug)]
pub struct Chain {
    database: CacheDB<EmptyDB>,
    chain_id: u64,
    fork: Fork,
    number: u64,
    timestamp: u64,
}

impl Chain {
    /// An empty chain at a moment, in seconds since 1970.
    #[must_use]
    pub fn new(chain_id: u64, timestamp: u64) -> Self {
        Self::on_fork(Fork::Osaka, chain_id, timestamp)
    }

    /// An empty chain that runs by a given fork's rules.
    #[must_use]
    pub fn on_fork(fork: Fork, chain_id: u64, timestamp: u64) -> Self {
        Self { database: CacheDB::default(), chain_id, fork, number: 1, timestamp }
    }

    /// Its id.
    #[must_use]
    pub const fn chain_id(&self) -> u64 {
        self.chain_id
    }

    /// The time of the next block, in seconds since 1970.
    #[must_use]
    pub const fn timestamp(&self) -> u64 {
        self.timestamp
    }

    /// Lets time pass.
    pub const fn advance(&mut self, seconds: u64) {
        self.timestamp += seconds;
        self.number += 1;
    }

    /// Another chain with the same state and another id: what a fork of the network looks like to contracts.
    #[must_use]
    pub fn forked(&self, chain_id: u64) -> Self {
        Self { database: self.database.clone(), chain_id, ..*self }
    }

    /// Puts code at an address, as if it had been deployed there: to try what rests on it.
    pub(crate) fn place(&mut self, at: Address, code: Bytes) {
        let account = AccountInfo::from_bytecode(Bytecode::new_raw(code));
        self.database.insert_account_info(at, account);
    }

    /// Deploys a contract.
    ///
    /// # Errors
    /// It reverted or halted, or created nothing.
    pub fn deploy(&mut self, from: Address, creation_code: Bytes) -> Result<Address, Error> {
        let receipt = self.transact(from, None, creation_code)?;
        receipt.created.ok_or_else(|| Error::NothingCreated("deploy".to_owned()))
    }

    /// Sends a typed call.
    ///
    /// # Errors
    /// It reverted or halted; the state is then unchanged but for the sender's nonce.
    pub fn send<C: SolCall>(&mut self, from: Address, to: Address, call: &C) -> Result<Receipt, Error> {
        self.transact(from, Some(to), call.abi_encode().into())
    }

    /// Asks a typed question, as nobody, changing nothing.
    ///
    /// # Errors
    /// It reverted or halted, or answered something that the interface does not describe.
    pub fn ask<C: SolCall>(&mut self, to: Address, call: &C) -> Result<C::Return, Error> {
        let output = self.call(Address::ZERO, to, call.abi_encode().into())?.output;
        C::abi_decode_returns(&output)
            .map_err(|error| Error::AnswerMalformed { contract: to, reason: error.to_string() })
    }

    /// Executes calldata without keeping what it changes. No gas cap: this is a node's `eth_call`.
    ///
    /// # Errors
    /// It reverted or halted.
    pub fn call(&mut self, from: Address, to: Address, data: Bytes) -> Result<Receipt, Error> {
        self.call_with_gas(from, to, data, 16 * TRANSACTION_GAS_CAP)
    }

    /// As [`Self::call`], with a gas limit.
    ///
    /// # Errors
    /// It reverted or halted, or the gas does not even pay for the calldata.
    pub fn call_with_gas(
        &mut self,
        from: Address,
        to: Address,
        data: Bytes,
        gas: u64,
    ) -> Result<Receipt, Error> {
        self.execute(from, Some(to), data, gas, false)
    }

    /// Sends a transaction; without a receiver, the data is creation code.
    ///
    /// # Errors
    /// It reverted or halted; the state is then unchanged but for the sender's nonce.
    pub fn transact(&mut self, from: Address, to: Option<Address>, data: Bytes) -> Result<Receipt, Error> {
        let gas = match self.fork {
            Fork::Osaka => TRANSACTION_GAS_CAP,
            // gas above the cap pays for new state only (EIP-8037)
            Fork::Amsterdam => 16 * TRANSACTION_GAS_CAP,
        };
        self.execute(from, to, data, gas, true)
    }

    fn execute(
        &mut self,
        from: Address,
        to: Option<Address>,
        data: Bytes,
        gas_limit: u64,
        commit: bool,
    ) -> Result<Receipt, Error> {
        let refused = |error: &dyn std::fmt::Debug| Error::TransactionRefused(format!("{error:?}"));
        let nonce =
            self.database.basic(from).map_err(|error| refused(&error))?.map_or(0, |account| account.nonce);
        let transaction = TxEnv::builder()
            .caller(from)
            .kind(to.map_or(TxKind::Create, TxKind::Call))
            .data(data)
            .gas_limit(gas_limit)
            .chain_id(Some(self.chain_id))
            .nonce(nonce)
            .build()
            .map_err(|error| refused(&error))?;
        let fork = match self.fork {
            Fork::Osaka => SpecId::OSAKA,
            Fork::Amsterdam => SpecId::AMSTERDAM,
        };
        let (chain_id, number, timestamp) = (self.chain_id, self.number, self.timestamp);
        let mut machine = Context::mainnet()
            .with_db(&mut self.database)
            .modify_cfg_chained(|cfg| {
                *cfg = cfg.clone().with_spec_and_mainnet_gas_params(fork);
                cfg.chain_id = chain_id;
                if !commit {
                    cfg.tx_gas_limit_cap = Some(u64::MAX);
                }
            })
            .modify_block_chained(|block| {
                block.number = U256::from(number);
                block.timestamp = U256::from(timestamp);
                block.gas_limit = u64::MAX;
            })
            .build_mainnet();
        let result = if commit {
            machine.transact_commit(transaction).map_err(|error| refused(&error))?
        } else {
            machine.transact(transaction).map_err(|error| refused(&error))?.result
        };
        if commit {
            self.number += 1;
        }
        match result {
            ExecutionResult::Success { gas, logs, output, .. } => {
                Ok(Receipt::new(gas.tx_gas_used(), logs, output.address().copied(), output.into_data()))
            }
            ExecutionResult::Revert { output, .. } => Err(Error::Reverted(output)),
            ExecutionResult::Halt { reason, gas, .. } => {
                Err(Error::Halted { reason: format!("{reason:?}"), gas: gas.tx_gas_used() })
            }
        }
    }
}
