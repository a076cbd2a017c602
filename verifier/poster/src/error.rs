//! The crate's errors. The variants say who has to act; nothing here ever holds a key.

use alloy_primitives::{Address, B256, U256};
use nightingale_contracts::chain::TRANSACTION_GAS_CAP;
use nightingale_verifier::VerifyError;
use std::{fmt, path::PathBuf};
use thiserror::Error;

/// What went wrong.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PosterError {
    /// A file that cannot be read or written.
    #[error("{path}: {source}; check the path and its permissions")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file or an argument that is not what it should be.
    #[error("{what}: {problem}")]
    Malformed {
        /// The file, with the element in it, or the argument.
        what: String,
        /// What is wrong, and what it must be.
        problem: String,
    },
    /// A proof or key file that the verifier cannot read.
    #[error("{path}: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: VerifyError,
    },
    /// No usable signing key.
    #[error("signing key: {0}")]
    SigningKey(String),
    /// The node does not answer, or not as a node would.
    #[error("the node at {url} does not answer {method}: {problem}; check the URL and that the node runs")]
    NodeUnreachable {
        /// Where it should be.
        url: String,
        /// What it was asked.
        method: &'static str,
        /// What happened instead.
        problem: String,
    },
    /// The node understood and said no.
    #[error("the node refuses {method}: {problem}")]
    NodeRefused {
        /// What it was asked.
        method: &'static str,
        /// Its words.
        problem: String,
    },
    /// The node is on another chain than the deployment, or than the one that was named.
    #[error("this is for chain {deployment}, and the node is on chain {node}; give a node of that chain")]
    WrongChain {
        /// The deployment's, or the named one.
        deployment: u64,
        /// The node's.
        node: u64,
    },
    /// The node does not show a local chain's first block, which names the chain in the outbox.
    #[error(
        "the node at {url} does not show block 0, by which the outbox tells local chains of one id apart; check that it has \
         started, keeps block 0, and that no proxy before it filters eth_getBlockByNumber, or give another node"
    )]
    GenesisMissing {
        /// Where it is.
        url: String,
    },
    /// The node does not know what this outbox saw.
    #[error(
        "{purpose}: this outbox saw transaction {transaction} in block {block}, and the node, whose newest block is \
         {head}, does not show it as deep as wanted: it lags behind, or its chain lost blocks; wait, or give another node"
    )]
    NodeBehind {
        /// What the transaction was for.
        purpose: String,
        /// The transaction.
        transaction: B256,
        /// Where it was.
        block: u64,
        /// The node's newest block.
        head: u64,
    },
    /// Nothing is deployed where the deployment says.
    #[error("there is no contract at {0} on this chain; give the deployment file of this chain, or deploy")]
    NothingDeployed(Address),
    /// What is there is not the contract of anchors.
    #[error(
        "the contract at {0} is not the one of anchors that this program knows: its events may name any custodian; have the custodian say again where \
         it anchors, or take the release that deployed it"
    )]
    NotAnchors(Address),
    /// The dry run failed, or the transaction was mined and failed: nothing was changed on-chain.
    #[error("{purpose}: {reason}")]
    Reverted {
        /// What the transaction was for.
        purpose: String,
        /// The contract's reason.
        reason: String,
    },
    /// The registry has something else under the key's digest.
    #[error(
        "the registry has {verifier} for key {digest}, and its code is not this key's, or its kind is another: whoever registered it made a mistake, or \
         forges; disable it, and settle nothing under it"
    )]
    KeyDiffers {
        /// The key.
        digest: B256,
        /// What the registry has.
        verifier: Address,
    },
    /// The key was disabled.
    #[error("key {digest} was disabled in this registry, for ever; hold the ceremony again for another")]
    KeyDisabled {
        /// The key.
        digest: B256,
    },
    /// The account cannot pay for the transaction.
    #[error(
        "{account} holds {have} wei and {purpose} may cost {need}; fund the account and run the same command again"
    )]
    FundsTooSmall {
        /// The sender.
        account: Address,
        /// Its balance.
        have: U256,
        /// What the node wants to see there.
        need: U256,
        /// What the transaction is for.
        purpose: String,
    },
    /// The node estimates more gas than a transaction may use.
    #[error(
        "{purpose}: the node estimates {estimate} gas for it, and a transaction may use {cap} at most; nothing was signed: give another \
         node, or ask for less at once",
        cap = TRANSACTION_GAS_CAP
    )]
    GasOverCap {
        /// What the transaction was for.
        purpose: String,
        /// The node's word.
        estimate: u64,
    },
    /// Time ran out. The transaction is in the outbox and may still be mined.
    #[error(
        "{purpose} (transaction {transaction}) is not confirmed after {seconds} s{last}; it stays in the outbox: run resume"
    )]
    Unconfirmed {
        /// What the transaction is for.
        purpose: String,
        /// Its newest form.
        transaction: B256,
        /// How long was waited.
        seconds: u64,
        /// The last problem in between, if there was one, after a semicolon.
        last: String,
    },
    /// Somebody else did it already, in a block that is not deep enough to count on.
    #[error(
        "{purpose}: somebody else did that, not as deep as wanted yet after {seconds} s; run the same command again"
    )]
    ElsewhereUnconfirmed {
        /// What was to be done.
        purpose: String,
        /// How long was waited.
        seconds: u64,
    },
    /// The transaction was mined, and did something else than it was for.
    #[error("{purpose}: transaction {transaction} was mined, but {problem}")]
    Unexpected {
        /// What the transaction was for.
        purpose: String,
        /// The transaction.
        transaction: B256,
        /// What is wrong, and what to look at.
        problem: String,
    },
    /// The claim's receipt is recorded, on another day.
    #[error(
        "claim {claim} was received on {recorded}, not on {wanted}, and that stays; have it proven for {recorded}"
    )]
    ReceiptDiffers {
        /// The claim.
        claim: B256,
        /// The day that is recorded.
        recorded: String,
        /// The day that was to be.
        wanted: String,
    },
    /// The deployment has no log of cohort answers.
    #[error(
        "the deployment has no log of cohort answers; give the file of one that has, or deploy one: on local chains without \
         --no-cohort, elsewhere with --cohort-keys"
    )]
    LogMissing,
    /// A dataset that does not verify, or whose keys are missing or not trusted on this chain.
    #[error("dataset: {0}; nothing was sent")]
    DatasetRefused(VerifyError),
    /// A table whose registration stays as it is, for somebody else.
    #[error(
        "table {table} is registered for sponsor {registered}, not for {wanted}, and that stays; give that sponsor, or have \
         the table committed anew"
    )]
    OtherSponsor {
        /// The table's name.
        table: String,
        /// The chain's.
        registered: Address,
        /// The one that was to be.
        wanted: Address,
    },
    /// A table that is registered without a query of the dataset's plan.
    #[error(
        "table {table} is registered without query {query}, and its plan stays; answer that one off-chain, or have the \
         table committed anew"
    )]
    PlanDiffers {
        /// The table's name.
        table: String,
        /// The first query that the chain's plan lacks.
        query: B256,
    },
    /// A table that is registered with a query that is not in the dataset's plan, or that no log should take.
    #[error(
        "table {table} is registered with query {query}, too, which is not among those of this dataset that can be logged, and its plan stays: \
         somebody registered another dataset of these tables; have the sponsor say which one holds, or commit the table anew"
    )]
    PlanWider {
        /// The table's name.
        table: String,
        /// The first query that the dataset lacks.
        query: B256,
    },
    /// A table that somebody else registered, and whose plan the node does not show.
    #[error(
        "table {table} is registered, and the node does not show the events of its plan, so that it may have other queries; give a node that \
         searches events from the deployment's block on"
    )]
    PlanUnseen {
        /// The table's name.
        table: String,
    },
    /// No table with this digest is registered.
    #[error(
        "table {table} is not registered on this chain; whoever may register it does, with register-dataset"
    )]
    TableNotRegistered {
        /// The table's name.
        table: String,
    },
    /// The chain has more versions of a table's consents than the dataset.
    #[error(
        "the chain has {published} versions of the consents of table {table}, the dataset only {known}; get the newest dataset.json"
    )]
    ConsentsBehind {
        /// The table's name.
        table: String,
        /// The dataset's.
        known: usize,
        /// The chain's.
        published: usize,
    },
    /// The chain's newest consent root is not in the list that should end with a newer one.
    #[error(
        "the chain's newest consent root {newest} is none of the list's: the list is older than the chain, or another authority's; get the \
         newest with `nightingale consent epochs`"
    )]
    ConsentListBehind {
        /// The chain's.
        newest: B256,
    },
    /// The list leads from the chain's newest consent root to another, and was not written after the chain got the former.
    #[error(
        "the list of consent epochs ends at {listed}, and the chain's newest root {newest} is of {published}: the list may be older than the \
         chain, and bring back what was revoked; get the newest with `nightingale consent epochs`, and if that is it, publish it once more \
         with `nightingale consent publish`"
    )]
    ConsentListOlder {
        /// When the list's newest epoch was published, in UTC.
        listed: String,
        /// The chain's.
        newest: B256,
        /// When the chain got it, in UTC.
        published: String,
    },
    /// The list's newest epoch is later than now.
    #[error(
        "the list of consent epochs ends at {listed}, later than now: the clock of the server that published it was ahead, and no list that comes \
         before that time can be told to be the newer one; set it right, and until then publish by --root what the authority vouches for"
    )]
    ConsentListAhead {
        /// When the list's newest epoch was published by its own account, in UTC.
        listed: String,
    },
    /// The list's newest epoch is older than the registry lets a root become.
    #[error(
        "the list of consent epochs ends at {listed}, more than the registry's age of {age} s ago: nothing shows that its newest root still \
         holds; have the authority publish again with `nightingale consent publish`, and give the list that this writes"
    )]
    ConsentListSilent {
        /// When the list's newest epoch was published, in UTC.
        listed: String,
        /// The registry's, in seconds.
        age: U256,
    },
    /// The chain has other consents under the same number.
    #[error(
        "the chain has other consents of table {table} as version {version} than the dataset; give the dataset.json that it was \
         registered from"
    )]
    ConsentsDiffer {
        /// The table's name.
        table: String,
        /// The number.
        version: usize,
    },
    /// The node lets a call use too little gas to tell which proof is wrong.
    #[error(
        "{purpose}: the node lets a call use too little gas for one proof ({problem}); raise its cap (geth: \
         --rpc.gascap) or give another node"
    )]
    CallGasTooSmall {
        /// What the call was for.
        purpose: String,
        /// The contract's words.
        problem: String,
    },
    /// More nonces than was allowed for are unused below what is open.
    #[error(
        "{missing} nonces of {account} from {unused} up to {lowest}, the lowest one that is open, by this node's word, are neither used nor in the outbox; nothing was signed: check the \
         account's next nonce with another node, and give --fill-gap {missing} to use each for a transfer of nothing, at 21000 gas"
    )]
    GapTooWide {
        /// The sender.
        account: Address,
        /// How many.
        missing: u64,
        /// The node's next nonce.
        unused: u64,
        /// The lowest open one.
        lowest: u64,
    },
    /// Another program used the account's nonce: the transaction can never be mined where that is so.
    #[error(
        "{purpose}: nonce {nonce} of {account} was used by another transaction of the account's, as this node says; run the command again"
    )]
    NonceTaken {
        /// What the transaction was for.
        purpose: String,
        /// The nonce.
        nonce: u64,
        /// The sender.
        account: Address,
    },
    /// A transaction came to nothing, by one node's word, and the chain would do what it was for a second time.
    #[error(
        "{purpose}: transaction {transaction} {ending}, as this node says, and whoever has its signed bytes{others} can send them as long as nonce {nonce} of \
         {account} is unused: check with another node that none of it happened and that the nonce is used; then --again {transaction}, with that node, sends another. \
         Where the nonce is unused, give that node: the same bytes are sent"
    )]
    Doubtful {
        /// What the transaction was for.
        purpose: String,
        /// The transaction.
        transaction: B256,
        /// What else was signed under its nonce.
        others: Offers,
        /// What became of it.
        ending: Box<str>,
        /// Its nonce.
        nonce: u64,
        /// The sender.
        account: Address,
    },
    /// Another poster works with this outbox.
    #[error("{0} is used by another poster; wait for it, or give this one its own outbox")]
    OutboxBusy(PathBuf),
    /// The outbox's lock is not what this program makes, and might be somebody else's file.
    #[error("{0} is not a plain file (a link, perhaps); remove it, and look at who could have put it there")]
    LockIsLink(PathBuf),
    /// The outbox has two names, and a lock for each.
    #[error(
        "{0} has another name (a hard link), under which a second poster would not find it used; remove one of the two, and start again"
    )]
    OutboxIsLinked(PathBuf),
    /// The outbox's log is there, and not the file that it belongs to.
    #[error(
        "{0} is missing or empty, and the log beside it (-wal) is not: signed transactions may be in there alone; bring the file back that was moved \
         away, as it was then: where it was used since, the log would undo that. For a new outbox give another --outbox"
    )]
    OutboxIsTorn(PathBuf),
    /// The outbox cannot be used.
    #[error("outbox: {0}")]
    Outbox(String),
    /// An audit log that does not hold together, or not with what was anchored of it.
    #[error("{path}: {source}; nothing was anchored")]
    AuditLog {
        /// The export.
        path: PathBuf,
        /// What is wrong.
        source: VerifyError,
    },
    /// Another hash was anchored for the same entry.
    #[error(
        "entry {sequence} was anchored as {anchored}, which is another hash: the log was written anew; keep both, and find out who did"
    )]
    AnchorDiffers {
        /// The entry.
        sequence: u64,
        /// What was anchored.
        anchored: B256,
    },
    /// A later entry was anchored.
    #[error(
        "entry {anchored} was anchored already, which is later than {sequence}; give the newest head of the log"
    )]
    AnchorBehind {
        /// The entry that was to be anchored.
        sequence: u64,
        /// What was anchored.
        anchored: u64,
    },
    /// What the contracts crate refuses.
    #[error(transparent)]
    Contracts(#[from] nightingale_contracts::Error),
}

impl PosterError {
    pub(crate) fn malformed(what: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Malformed { what: what.into(), problem: problem.into() }
    }

    /// Whether trying the same again later may succeed without anybody doing anything.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::NodeUnreachable { .. })
    }

    /// Whether something could not be read or was used wrongly, rather than tried and refused.
    #[must_use]
    pub const fn is_wrong_use(&self) -> bool {
        match self {
            Self::DatasetRefused(source) | Self::AuditLog { source, .. } => source.is_unreadable(),
            Self::Io { .. }
            | Self::Malformed { .. }
            | Self::Unreadable { .. }
            | Self::SigningKey(_)
            | Self::NodeUnreachable { .. }
            | Self::WrongChain { .. }
            | Self::NothingDeployed(_)
            | Self::GenesisMissing { .. }
            | Self::OutboxBusy(_)
            | Self::LockIsLink(_)
            | Self::OutboxIsLinked(_)
            | Self::OutboxIsTorn(_)
            | Self::Outbox(_)
            | Self::LogMissing => true,
            _ => false,
        }
    }
}

/// Hashes of what else was signed under a nonce, as a part of a sentence.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offers(pub Box<[B256]>);

impl fmt::Display for Offers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, hash) in self.0.iter().enumerate() {
            write!(f, "{} {hash}", if place == 0 { ", or those of" } else { "," })?;
        }
        Ok(())
    }
}

impl From<sqlx::Error> for PosterError {
    fn from(error: sqlx::Error) -> Self {
        Self::Outbox(format!("{error}; check the file, its permissions and that the disk is not full"))
    }
}
