//! What an operator should hear of while something goes on: nothing failed, and there may be something to do.

use crate::node::Cap;
use alloy_primitives::{Address, B256};
use std::{
    collections::HashSet,
    fmt,
    sync::{Mutex, PoisonError},
};

/// Something to hear of. Its text says what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice {
    /// An offer for gas is not taken, and no higher one may be made. It waits.
    OfferAtLimit {
        /// What the transaction is for.
        purpose: String,
        /// Its newest form.
        transaction: B256,
        /// The limit.
        cap: Cap,
    },
    /// The node refuses what was signed, again and again, and neither prices nor funds nor gas say why. It is offered on.
    OfferRefused {
        /// What the transaction is for.
        purpose: String,
        /// Its newest form.
        transaction: B256,
        /// The node's words.
        problem: String,
    },
    /// A nonce was used, and the node cannot show by what: the transaction that has it stays open.
    NonceUnexplained {
        /// What the transaction is for.
        purpose: String,
        /// The nonce.
        nonce: u64,
        /// The sender.
        account: Address,
    },
    /// Nonces below the lowest open one are unused, and this outbox has nothing for them.
    NonceGap {
        /// What the transaction is for that waits.
        purpose: String,
        /// Its nonce.
        nonce: u64,
        /// The sender.
        account: Address,
        /// The account's next nonce, by the node's word.
        unused: u64,
        /// How many nonces nothing has.
        missing: u64,
    },
    /// The deployer administers until the administrator of the deployment accepts it.
    AdministrationPending {
        /// The registry.
        registry: Address,
        /// Who administers.
        deployer: Address,
        /// Who is to.
        admin: Address,
    },
    /// The deployment file does not say when its contracts were created: events are searched from the first block.
    EventsFromTheStart,
    /// The node does not search events, so nobody knows which transaction it was.
    EventsRefused {
        /// The first block of the search.
        from: u64,
        /// The node's words.
        problem: String,
    },
}

impl fmt::Display for Notice {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OfferAtLimit { purpose, transaction, cap } => write!(
                to,
                "{purpose} (transaction {transaction}): its offer is at {}, so it is not raised but waits; let prices \
                 fall, or run resume with a higher limit",
                cap.argument()
            ),
            Self::OfferRefused { purpose, transaction, problem } => write!(
                to,
                "{purpose} (transaction {transaction}): the node refuses it ({problem}); it is offered again, and raised as time passes: where its price is \
                 not the reason, give resume another node"
            ),
            Self::NonceUnexplained { purpose, nonce, account } => write!(
                to,
                "{purpose}: nonce {nonce} of {account} was used, as this node says, and it does not show by what that the account signed; \
                 it stays open: give resume a node that keeps older states and shows whole transactions"
            ),
            Self::NonceGap { purpose, nonce, account, unused, missing } => write!(
                to,
                "{purpose}: it waits, for it has nonce {nonce} of {account}, whose next one is {unused}, as this node says, and this outbox has nothing for \
                 {missing} of those below; where a second node says so too, run resume with --fill-gap {missing}, and do not go on with another outbox"
            ),
            Self::AdministrationPending { registry, deployer, admin } => write!(
                to,
                "{deployer} administers registry {registry}, and can grant itself every role, until {admin} runs accept-administration"
            ),
            Self::EventsFromTheStart => write!(
                to,
                "the deployment file has no `block`, so events are searched from block 0; add the block of its first \
                 transaction, or have deploy write it again with --out"
            ),
            Self::EventsRefused { from, problem } => write!(
                to,
                "the node does not search events from block {from} ({problem}), so the transaction is not named; give a \
                 node that does"
            ),
        }
    }
}

type Listener = Box<dyn Fn(&Notice) + Send + Sync>;

/// Passes each notice on once.
#[derive(Default)]
pub(crate) struct Notices {
    listener: Option<Listener>,
    told: Mutex<HashSet<String>>,
}

impl Notices {
    pub(crate) fn to(listener: Listener) -> Self {
        Self { listener: Some(listener), told: Mutex::default() }
    }

    pub(crate) fn tell(&self, notice: &Notice) {
        let first = self.told.lock().unwrap_or_else(PoisonError::into_inner).insert(notice.to_string());
        if let Some(listener) = self.listener.as_ref().filter(|_| first) {
            listener(notice);
        }
    }
}
