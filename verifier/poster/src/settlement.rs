//! Settles claims: one transaction for many, each claim for itself.
//!
//! A claim that cannot be settled is named with its reason and leaves the others alone. It is found before anything is sent
//! where that is possible; what changes between then and the block, the contract skips, and its event says why.

mod admission;
mod batch;
mod elsewhere;
mod keys;
mod outcome;

pub use outcome::{Entry, Outcome, Refusal, Settlement};

use crate::{
    Poster, PosterError,
    endorsement::{cents, commitment, payee},
    outbox::{ClaimRow, State},
    poster::Goal,
};
use alloy_primitives::{Address, B256};
use batch::Written;
use nightingale_contracts::{
    PayerId,
    bindings::{Group, Verdict},
    calldata::{self, Endorsement, PublicInputs},
    deploy::Deployment,
};
use nightingale_verifier::ClaimProof;
use std::collections::BTreeMap;

/// The most claims in one transaction; fewer where they would use more gas than a transaction may.
const BATCH: usize = 64;
/// How often claims are tried whose transaction failed or lost its nonce.
const ROUNDS: usize = 3;

/// A proof and its payee's signature.
#[derive(Clone, Debug)]
pub struct Claim {
    /// The proof.
    pub proof: ClaimProof,
    /// What the payee signed, for which payer and what this proof pays, under whose consent root. Without it, only that is said.
    pub endorsement: Option<Endorsement>,
}

/// Stands where there is none; its claim is refused before it is sent.
const NO_ENDORSEMENT: Endorsement =
    Endorsement { payer: PayerId::ZERO, authority: Address::ZERO, signature: [0; 64] };

impl Claim {
    /// Everything that the proof says, in words.
    fn words(&self) -> Vec<B256> {
        self.proof.public.to_vec().into_iter().map(calldata::word).collect()
    }

    /// Nullifiers and tags: what settling uses up.
    fn tags(&self) -> Vec<B256> {
        // Fewer inputs than a claim has: it uses nothing up, and the verifier refuses it.
        PublicInputs::new(self.words()).map(|inputs| inputs.tags()).unwrap_or_default()
    }

    fn endorsement(&self) -> &Endorsement {
        self.endorsement.as_ref().unwrap_or(&NO_ENDORSEMENT)
    }

    fn row(&self) -> ClaimRow {
        ClaimRow {
            payer: self.endorsement().payer,
            commitment: commitment(&self.proof),
            tags: self.tags(),
            verdict: None,
        }
    }
}

/// Claims on their way, by index, and what became of each so far.
struct Desk<'a> {
    deployment: &'a Deployment,
    claims: &'a [Claim],
    outcomes: Vec<Option<Outcome>>,
}

impl Desk<'_> {
    fn waiting(&self) -> Vec<usize> {
        (0..self.claims.len()).filter(|index| self.outcomes[*index].is_none()).collect()
    }

    fn refuse(&mut self, index: usize, refusal: Refusal) {
        self.outcomes[index] = Some(Outcome::Refused(refusal));
    }

    /// Groups by key, each with the claims in it, in the order of their events.
    fn groups(&self, batch: &[usize]) -> Vec<(Group, Vec<usize>)> {
        let mut by_key: BTreeMap<B256, Vec<usize>> = BTreeMap::new();
        for index in batch {
            by_key.entry(B256::from(self.claims[*index].proof.key.0)).or_default().push(*index);
        }
        let group = |(key, members): (B256, Vec<usize>)| {
            let entry = |index: &usize| {
                let claim = &self.claims[*index];
                let entry = calldata::entry(&claim.proof.proof, &claim.proof.public.to_vec());
                (entry, claim.endorsement().clone())
            };
            let entries: Vec<_> = members.iter().map(entry).collect();
            (calldata::group(key, &entries), members)
        };
        by_key.into_iter().map(group).collect()
    }
}

impl Poster {
    /// Settles claims with the contract of a deployment and waits until what they use up is set deep enough. What this
    /// outbox settled before is found there and not sent again.
    ///
    /// # Errors
    /// The node or the outbox fails, the account cannot pay, settlement is paused, or a transaction is not mined in time.
    /// Then some claims may be in the outbox: the same call goes on with them. A claim that is refused is no error.
    pub async fn settle(&self, deployment: &Deployment, claims: &[Claim]) -> Result<Settlement, PosterError> {
        self.check(deployment).await?;
        self.resume().await?;
        let mut desk = Desk { deployment, claims, outcomes: vec![None; claims.len()] };
        let mut transactions = Vec::new();
        let step = self.span("verify");
        self.verify(&mut desk).await?;
        drop(step);
        for _ in 0..ROUNDS {
            self.recognise(&mut desk).await?;
            self.admit(&mut desk).await?;
            let waiting = desk.waiting();
            if waiting.is_empty() {
                break;
            }
            let mut rows = Vec::new();
            let mut batches: Vec<Vec<usize>> = waiting.chunks(BATCH).rev().map(<[usize]>::to_vec).collect();
            while let Some(batch) = batches.pop() {
                match self.write_batch(&mut desk, &batch).await? {
                    Written::Row(id, order) => {
                        rows.push((id, order));
                        self.drive(Goal::Mined).await?;
                    }
                    Written::TooLarge => {
                        let (first, second) = batch.split_at(batch.len() / 2);
                        batches.extend([second.to_vec(), first.to_vec()]);
                    }
                    Written::Nothing => {}
                }
            }
            self.drive(Goal::Deep).await?;
            for (id, order) in rows {
                if let Some(mined) = self.collect(&mut desk, id, &order).await? {
                    transactions.push(mined);
                }
            }
        }
        let entries = claims.iter().zip(desk.outcomes).map(|(claim, outcome)| Entry {
            claim_commitment: commitment(&claim.proof),
            payer: claim.endorsement.as_ref().map(|endorsement| endorsement.payer),
            payee: payee(&claim.proof),
            payable_cents: cents(&claim.proof),
            outcome: outcome.unwrap_or(Outcome::Refused(Refusal::NotPosted)),
        });
        Ok(Settlement { transactions, entries: entries.collect() })
    }

    /// The deployment is on this node's chain.
    ///
    /// # Errors
    /// It is not.
    pub async fn check(&self, deployment: &Deployment) -> Result<(), PosterError> {
        if deployment.chain_id != self.chain_id {
            return Err(PosterError::WrongChain { deployment: deployment.chain_id, node: self.chain_id });
        }
        for contract in [deployment.registry, deployment.settlement] {
            if !self.node.has_code(contract).await? {
                return Err(PosterError::NothingDeployed(contract));
            }
        }
        Ok(())
    }

    /// What became of the claims of a row that has ended. A row that failed or lost its nonce leaves them waiting.
    async fn collect(
        &self,
        desk: &mut Desk<'_>,
        id: i64,
        order: &[usize],
    ) -> Result<Option<crate::Mined>, PosterError> {
        let row = self.outbox.find(id).await?;
        let Some(mined) = row.mined else { return Ok(None) };
        let mut patience = self.patience();
        if row.state != State::Done {
            // A transaction that reverted left everything as it was. One that did something else is not sent again.
            let all = order.iter().filter(|_| row.problem.is_some());
            let all: Vec<_> = all.map(|index| (*index, &desk.claims[*index])).collect();
            for (index, elsewhere) in self.used_elsewhere(desk.deployment, &all, &mut patience).await? {
                desk.refuse(index, elsewhere.unwrap_or(Refusal::Unexpected { by: mined.transaction }));
            }
            return Ok(Some(mined));
        }
        let mut used = Vec::new();
        for (index, ClaimRow { verdict, .. }) in order.iter().zip(&row.claims) {
            let outcome = match *verdict {
                Some(Verdict::Payable) => Outcome::Settled(mined),
                Some(Verdict::AlreadySettled) => {
                    used.push((*index, &desk.claims[*index]));
                    continue;
                }
                Some(verdict) => Outcome::Refused(Refusal::Contract(verdict)),
                None => continue,
            };
            desk.outcomes[*index] = Some(outcome);
        }
        for (index, refusal) in self.used_elsewhere(desk.deployment, &used, &mut patience).await? {
            if let Some(refusal) = refusal {
                desk.refuse(index, refusal);
            }
        }
        Ok(Some(mined))
    }
}
