//! What became of claims, in types and in words.

use crate::Mined;
use alloy_primitives::{Address, B256};
use nightingale_contracts::{PayerId, bindings::Verdict};

/// What a settlement did.
#[derive(Clone, Debug)]
pub struct Settlement {
    /// The transactions that it sent, in order; none when nothing was left to send.
    pub transactions: Vec<Mined>,
    /// Every claim, in the order in which they were given.
    pub entries: Vec<Entry>,
}

/// One claim.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The claim.
    pub claim_commitment: B256,
    /// Who pays, where an endorsement says so.
    pub payer: Option<PayerId>,
    /// Who is paid.
    pub payee: Address,
    /// The proven amount, in cents.
    pub payable_cents: u64,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// This outbox settled it, now or before.
    Settled(Mined),
    /// It was not settled by this outbox.
    Refused(Refusal),
}

/// Why this outbox did not settle a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The verifier refuses the proof, for this reason.
    ProofInvalid(String),
    /// The registry does not know the proof's key, or has another key's verifier under its digest.
    KeyNotRegistered,
    /// There is no signature of the payee.
    EndorsementMissing,
    /// Another claim before it in the same call uses up the same nullifier, account version or authorisation.
    RepeatedInBatch,
    /// The proof verifies here, but not with the contract.
    ProofRejectedOnChain,
    /// Something that it uses up is used, as deep as wanted. `by` is the transaction that settled this very claim with this
    /// very proof, if one did.
    AlreadySettled {
        /// The transaction.
        by: Option<B256>,
    },
    /// Something that it uses up is used, but only in blocks that are not deep enough to count on.
    SettledNotDeep,
    /// A transaction of this outbox has it, and did something else than to settle it.
    Unexpected {
        /// The transaction.
        by: B256,
    },
    /// The contract would not pay it, or did not.
    Contract(Verdict),
    /// The contract gives a reason that this program does not know.
    Unknown(u8),
    /// Its transactions failed or lost their nonces, again and again.
    NotPosted,
}

impl Settlement {
    /// Whether every claim is paid on-chain, by whoever.
    #[must_use]
    pub fn all_paid(&self) -> bool {
        self.entries.iter().all(Entry::is_paid)
    }
}

impl Entry {
    /// Whether the claim is paid on-chain, by whoever.
    #[must_use]
    pub const fn is_paid(&self) -> bool {
        matches!(
            self.outcome,
            Outcome::Settled(_) | Outcome::Refused(Refusal::AlreadySettled { by: Some(_) })
        )
    }
}

impl Refusal {
    /// Its name in reports: the contract's, where the reason is the contract's.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::ProofInvalid(_) => "ProofInvalid".to_owned(),
            Self::KeyNotRegistered => "KeyNotRegistered".to_owned(),
            Self::EndorsementMissing => "EndorsementMissing".to_owned(),
            Self::RepeatedInBatch => "RepeatedInBatch".to_owned(),
            Self::ProofRejectedOnChain => "ProofRejectedOnChain".to_owned(),
            Self::AlreadySettled { .. } => "AlreadySettled".to_owned(),
            Self::SettledNotDeep => "SettledNotDeep".to_owned(),
            Self::Unexpected { .. } => "Unexpected".to_owned(),
            Self::Contract(verdict) => format!("{verdict:?}"),
            Self::Unknown(number) => format!("Unknown{number}"),
            Self::NotPosted => "NotPosted".to_owned(),
        }
    }

    /// The transaction that settled the claim in this outbox's place.
    #[must_use]
    pub const fn transaction(&self) -> Option<B256> {
        match self {
            Self::AlreadySettled { by } => *by,
            Self::Unexpected { by } => Some(*by),
            _ => None,
        }
    }

    /// What it means and what to do, in a sentence.
    #[must_use]
    pub fn advice(&self) -> String {
        match self {
            Self::ProofInvalid(reason) => reason.clone(),
            Self::KeyNotRegistered => {
                "the registry has no verifier of the proof's key; deploy with that key, or register it"
                    .to_owned()
            }
            Self::EndorsementMissing => {
                "there is no signature of the payee for what this proof pays; the payee makes one with endorse".to_owned()
            }
            Self::RepeatedInBatch => {
                "an earlier claim of this call uses up the same services, account version or \
                authorisation; send the claim that is due, and have the other proven again"
                    .to_owned()
            }
            Self::ProofRejectedOnChain => {
                "the contract does not accept the proof though it verifies here; check the deployment"
                    .to_owned()
            }
            Self::AlreadySettled { by: Some(transaction) } => {
                format!("this claim was settled by {transaction}")
            }
            Self::AlreadySettled { by: None } => {
                "another claim, or another proof of it, used its services, account version or authorisation; \
                if only the account version, have it proven again"
                    .to_owned()
            }
            Self::SettledNotDeep => {
                "somebody else settles it or uses what it needs, not as deep as wanted yet; run the command again"
                    .to_owned()
            }
            Self::Unexpected { by } => {
                format!("transaction {by} was mined with other events than a settlement's; look at it and at the deployment file")
            }
            Self::Contract(verdict) => advice(*verdict).to_owned(),
            Self::Unknown(number) => format!("the contract gives reason {number}; update this program"),
            Self::NotPosted => {
                "its transactions failed, or others used the account's nonces; run the command again"
                    .to_owned()
            }
        }
    }
}

const fn advice(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Payable => "nothing is in the way; run the command again",
        Verdict::NothingToSettle => "a denial pays nothing",
        Verdict::AlreadySettled => "it is settled",
        Verdict::VersionUnknown => "the contract settles another version of the statement",
        Verdict::PayeeMalformed => "the billing provider has no settlement address in the payer's register",
        Verdict::KeyDisabled => "the proof's key is not trusted any more; have it proven under a current key",
        Verdict::PayerUnknown => "the registry has no such payer; check the payer's number, or have it added",
        Verdict::PayerPaused => "the guardian paused this payer; try again when it is resumed",
        Verdict::EpochUnknown => "the payer never published this epoch here; check payer and deployment",
        Verdict::EpochStale => "the payer published a newer epoch; have it proven again",
        Verdict::AccountRootUnknown => {
            "the payer never published this account root; it must, or the proof is of another's"
        }
        Verdict::AccountRootStale => "the payer published newer accounts; have it proven again",
        Verdict::AuthorityNotAccepted => {
            "this consent authority does not count; check the authority's address"
        }
        Verdict::ConsentRootUnknown => {
            "the authority never published this consent root; it must, or name the right one"
        }
        Verdict::ConsentRootStale => "the authority published newer consents; have it proven again",
        Verdict::ConsentRootOld => {
            "the authority has not published this consent root for too long; it publishes it again, or a newer one and then have it proven again"
        }
        Verdict::ReceiptMissing => {
            "nobody recorded that the claim was received; send receive, or the payer records it"
        }
        Verdict::ReceiptDiffers => {
            "it was received on another day than the proof says; have it proven for that day"
        }
        Verdict::PayeeSignatureInvalid => {
            "the payee did not sign this claim for this payer, amount, chain and contract"
        }
        Verdict::EscrowTooSmall => "the payer's escrow does not hold that much; it must deposit",
        Verdict::SettlementUnknown => {
            "the registry serves another settlement contract or chain; check the deployment file"
        }
        Verdict::KeyPending => {
            "the proof's key was registered lately, and settles nothing before payers could leave; try again when it is active"
        }
    }
}
