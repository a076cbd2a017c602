//! The poster: one account, one node, one outbox. Sign, write down, send, and look until it is deep enough.
//!
//! Whatever happens to the process in between, [`Poster::resume`] (which every other call begins with) goes on from the
//! outbox with the same bytes. The chain's own state decides what happened, never what a node said when it was sent.

mod drive;
mod errand;
mod events;
mod finish;
mod gap;
mod gas;
mod history;
mod patience;
mod write;

use crate::{
    PosterError,
    account::Account,
    node::{Limits, Node},
    notice::{Notice, Notices},
    outbox::{Mined, Outbox, State, Transaction},
};
use alloy_primitives::{Address, B256};
pub(crate) use drive::Goal;
pub use errand::Again;
pub(crate) use errand::Errand;
pub(crate) use finish::LOOKS;
pub(crate) use history::{Standing, behind};
use nightingale_contracts::deploy::Request;
use nightingale_trace::{Kind, Span, Traceparent, Tracer, Value};
pub(crate) use patience::Patience;
use std::{path::Path, time::Duration};

/// Chain ids of local chains: what is in a block there stays.
const LOCAL_CHAINS: [u64; 2] = [31337, 1337];

/// How long to wait, how deep, and for how much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// A transaction counts as done with this many blocks, its own included; 1 to 64, because nodes forget older states.
    pub confirmations: u64,
    /// How long to wait for that before giving up for now.
    pub timeout: Duration,
    /// How long an offer stands before it is raised.
    pub raise_after: Duration,
    /// The most that is ever offered, in wei for each unit of gas.
    pub fee_limit: u128,
    /// The most of it that is ever offered to whoever builds the block, in wei for each unit of gas.
    pub tip_limit: u128,
}

impl Terms {
    /// What suits a chain: local ones at once, others after twelve blocks.
    #[must_use]
    pub fn for_chain(chain_id: u64) -> Self {
        let local = LOCAL_CHAINS.contains(&chain_id);
        Self {
            confirmations: if local { 1 } else { 12 },
            timeout: Duration::from_secs(if local { 120 } else { 1_800 }),
            raise_after: Duration::from_secs(60),
            fee_limit: 500_000_000_000,
            tip_limit: 50_000_000_000,
        }
    }

    pub(crate) const fn limits(&self) -> Limits {
        Limits { fee: self.fee_limit, tip: self.tip_limit }
    }

    fn check(&self) -> Result<(), PosterError> {
        if (1..=64).contains(&self.confirmations) {
            Ok(())
        } else {
            Err(PosterError::malformed("confirmations", "must be 1 to 64"))
        }
    }
}

/// Posts transactions of one account to one chain.
pub struct Poster {
    pub(crate) node: Node,
    pub(crate) outbox: Outbox,
    pub(crate) account: Account,
    pub(crate) chain_id: u64,
    pub(crate) notices: Notices,
    tracer: Tracer,
    parent: Option<Traceparent>,
    terms: Terms,
}

/// Whether a transaction was sent for this call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// It was.
    Sent,
    /// It was open from before, and is done now.
    Resumed,
    /// It was done before: nothing was sent.
    AlreadyDone,
}

impl How {
    /// Its name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Resumed => "resumed",
            Self::AlreadyDone => "already_done",
        }
    }
}

/// A transaction that is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posted {
    /// What it was for.
    pub purpose: String,
    /// Where it was mined.
    pub mined: Mined,
    /// The contract that it created, as account and nonce make it; none where it called one.
    pub created: Option<Address>,
    /// Whether it was sent now.
    pub how: How,
}

impl Poster {
    /// Connects to a node and opens the outbox. Nothing is sent yet. Without terms, what suits the chain.
    ///
    /// # Errors
    /// The node does not answer, or does not show the first block of a local chain, or the outbox cannot be used.
    pub async fn open(
        node: Node,
        outbox: &Path,
        account: Account,
        terms: impl FnOnce(Terms) -> Terms,
    ) -> Result<Self, PosterError> {
        let chain_id = node.chain_id().await?;
        let terms = terms(Terms::for_chain(chain_id));
        terms.check()?;
        // What is signed counts on every chain of its id. Only local chains are started anew under the same one.
        let genesis = match LOCAL_CHAINS.contains(&chain_id) {
            true => Some(node.genesis().await?),
            false => None,
        };
        let outbox = Outbox::open(outbox, chain_id, genesis).await?;
        let (tracer, parent) = (Tracer::off(), None);
        Ok(Self { node, outbox, account, chain_id, notices: Notices::default(), tracer, parent, terms })
    }

    /// Has each notice passed on, once.
    #[must_use]
    pub fn telling(self, listener: impl Fn(&Notice) + Send + Sync + 'static) -> Self {
        Self { notices: Notices::to(Box::new(listener)), ..self }
    }

    /// Has its steps appear in a trace, below `parent`.
    #[must_use]
    pub fn traced(self, tracer: Tracer, parent: Option<Traceparent>) -> Self {
        Self { tracer, parent, ..self }
    }

    /// A step. Whatever it holds is public on the chain.
    pub(crate) fn span(&self, name: &'static str) -> Span {
        let chain = i64::try_from(self.chain_id).unwrap_or(i64::MAX);
        self.tracer.span(name, Kind::Client, self.parent).with("chain.id", Value::Count(chain))
    }

    /// The account that pays for gas.
    #[must_use]
    pub const fn address(&self) -> Address {
        self.account.address()
    }

    /// The chain.
    #[must_use]
    pub const fn chain_id(&self) -> u64 {
        self.chain_id
    }

    /// Whether the chain is a local one, where development keys are trusted.
    #[must_use]
    pub fn is_local(&self) -> bool {
        LOCAL_CHAINS.contains(&self.chain_id)
    }

    /// The outbox, to close it.
    #[must_use]
    pub const fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    /// The node, to ask contracts.
    #[must_use]
    pub const fn node(&self) -> &Node {
        &self.node
    }

    /// Sends whatever this account's outbox still has open, again where needed, and waits until all of it is deep enough.
    /// Gives what came to its end.
    ///
    /// # Errors
    /// The node is gone or lags for too long, or something is not mined in time; it stays in the outbox.
    pub async fn resume(&self) -> Result<Vec<Transaction>, PosterError> {
        self.reopen_vanished().await?;
        let open = self.outbox.open_of(self.address()).await?;
        self.drive(Goal::Deep).await?;
        let mut ended = Vec::with_capacity(open.len());
        for row in open {
            ended.push(self.outbox.find(row.id).await?);
        }
        Ok(ended)
    }

    /// Posts one call or contract and waits until it is deep enough; see [`Poster::send_all`].
    ///
    /// # Errors
    /// It would revert, the account cannot pay, or it is not mined in time.
    pub async fn send(&self, request: &Request) -> Result<Posted, PosterError> {
        let posted = self.send_all(std::slice::from_ref(request)).await?;
        posted.into_iter().next().ok_or_else(|| PosterError::Outbox("it lost a row".into()))
    }

    /// Posts requests one after another, each deep enough before the next. A request that is still open from before, as
    /// after a crash, is seen through and not sent a second time; those in front of it were done then. What is done is sent
    /// anew: see [`Poster::once`] for what must not be.
    ///
    /// # Errors
    /// One would revert, the account cannot pay, or one is not mined in time. What was done before it stays done.
    pub async fn send_all(&self, requests: &[Request]) -> Result<Vec<Posted>, PosterError> {
        self.reopen_vanished().await?;
        let mut open = None;
        for (place, request) in requests.iter().enumerate() {
            if let Some(id) = self.outbox.open_like(self.address(), request.to, &request.data).await? {
                open = Some((place, id));
            }
        }
        self.drive(Goal::Deep).await?;
        let mut posted = Vec::new();
        let mut next = 0;
        if let Some((place, id)) = open {
            posted.push(Posted { how: How::Resumed, ..self.ended(id).await? });
            next = place + 1;
        }
        for request in requests.iter().skip(next) {
            let id = self.write(request, None, &[]).await?;
            self.drive(Goal::Deep).await?;
            posted.push(self.ended(id).await?);
        }
        Ok(posted)
    }

    /// Whether one of these is open from before, as a call that is no step of anything.
    pub(crate) async fn is_open(&self, requests: &[Request]) -> Result<bool, PosterError> {
        for request in requests {
            if self.outbox.open_like(self.address(), request.to, &request.data).await?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// What a finished row says.
    pub(crate) async fn ended(&self, id: i64) -> Result<Posted, PosterError> {
        let row = self.outbox.find(id).await?;
        match (row.state, row.mined) {
            (State::Done, Some(mined)) => {
                let created = row.creates();
                Ok(Posted { purpose: row.purpose, mined, created, how: How::Sent })
            }
            (State::Failed, Some(Mined { transaction, .. })) if row.problem.is_some() => {
                let problem = row.problem.unwrap_or_default();
                Err(PosterError::Unexpected { purpose: row.purpose, transaction, problem })
            }
            (State::Failed, _) => {
                let reason = self.why_failed(&row).await;
                Err(PosterError::Reverted { purpose: row.purpose, reason })
            }
            (State::Lost, _) => {
                Err(PosterError::NonceTaken { purpose: row.purpose, nonce: row.nonce, account: row.sender })
            }
            (State::Open | State::Done, _) => Err(self.unconfirmed(&row, None)),
        }
    }

    /// Why a mined transaction failed, as far as trying it now tells.
    async fn why_failed(&self, row: &Transaction) -> String {
        let request = Request { purpose: row.purpose.clone(), to: row.to, data: row.data.clone() };
        match self.node.dry_run(self.address(), &request).await {
            Ok(Err(revert)) => revert.reason,
            _ => "it failed when it was mined, though not when it was tried".to_owned(),
        }
    }

    pub(crate) fn elsewhere_unconfirmed(&self, purpose: &str) -> PosterError {
        PosterError::ElsewhereUnconfirmed {
            purpose: purpose.to_owned(),
            seconds: self.terms.timeout.as_secs(),
        }
    }

    fn unconfirmed(&self, row: &Transaction, last: Option<&PosterError>) -> PosterError {
        let capped =
            row.newest().and_then(|newest| newest.fees.raised(newest.fees, self.terms.limits()).err());
        let last = match (last, capped) {
            (Some(error), _) => format!(" ({error})"),
            (None, Some(cap)) => format!(" (its offer is at {}: give more, or wait)", cap.argument()),
            (None, None) => String::new(),
        };
        PosterError::Unconfirmed {
            purpose: row.purpose.clone(),
            transaction: row.newest().map_or(B256::ZERO, |attempt| attempt.hash),
            seconds: self.terms.timeout.as_secs(),
            last,
        }
    }
}
