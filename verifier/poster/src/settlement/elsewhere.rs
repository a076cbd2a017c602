//! Claims that the newest block calls settled: whether that is so as deep as wanted, and by whom.
//!
//! The newest block can vanish, and a claim that was reported as paid by it would never be sent. So a claim is only called
//! settled where the contract, asked about a block that is deep enough, says that all that its proof uses up is used.

use super::{Claim, Refusal};
use crate::{
    Poster, PosterError,
    outbox::ClaimRow,
    payer,
    poster::{Patience, Standing, behind},
};
use alloy_eips::BlockNumberOrTag;
use alloy_primitives::{Address, B256, U256};
use nightingale_contracts::{
    bindings::ClaimSettlement::{ClaimSettled, isSpentCall},
    calldata::{self, PublicInputs},
    deploy::Deployment,
};
use std::collections::HashSet;

/// How a claim's tags are used.
enum Use {
    /// As deep as wanted, by the transaction that settled this very claim with this very proof, if one did.
    Deep(Option<B256>),
    /// In blocks that are not deep enough.
    Shallow,
    /// In no block any more.
    Gone,
}

impl Claim {
    /// Whether an event is this proof's settlement. Another proof of the same services, under another epoch or of the same one once more,
    /// uses up the same, and may pay another amount.
    fn is_settled_by(&self, event: &ClaimSettled) -> bool {
        let Ok(said) = PublicInputs::new(self.words()) else { return false };
        let public = &self.proof.public;
        event.payee == said.payee()
            && event.cents == U256::from(said.payable_cents())
            && event.receivedDay == U256::from(said.received_day())
            && event.outcomeCommitment == calldata::word(public.outcome_commitment)
            && event.spendTag == calldata::word(public.spend_tag)
            && event.nextNote == calldata::word(public.next_note)
    }
}

impl Poster {
    /// Why claims cannot be settled whose tags the newest block calls used; none for one of which no block says so any more. Waits
    /// until what is said is as deep as wanted, for all at the same time: one that takes all of it takes nothing from the others.
    pub(super) async fn used_elsewhere(
        &self,
        deployment: &Deployment,
        claims: &[(usize, &Claim)],
        patience: &mut Patience,
    ) -> Result<Vec<(usize, Option<Refusal>)>, PosterError> {
        // Where nothing is left of the time, a node that goes back and forth is asked no more.
        let (mut waits, mut waited) = (!patience.is_over(), false);
        let (mut found, mut left) = (Vec::with_capacity(claims.len()), claims.to_vec());
        while !left.is_empty() {
            let mut shallow = Vec::new();
            for (index, claim) in left {
                match self.use_of(deployment, claim).await? {
                    Use::Deep(by) => found.push((index, Some(Refusal::AlreadySettled { by }))),
                    Use::Gone if waits => found.push((index, None)),
                    Use::Gone | Use::Shallow => shallow.push((index, claim)),
                }
            }
            left = shallow;
            if !left.is_empty() {
                waits = patience.pause().await;
                waited |= waits;
            }
            if !waits {
                break;
            }
        }
        found.extend(left.into_iter().map(|(index, _)| (index, Some(Refusal::SettledNotDeep))));
        if !waited && found.iter().any(|(_, refusal)| refusal.is_none()) {
            patience.pause().await;
        }
        Ok(found)
    }

    /// What the chain says of the use of a claim's tags.
    async fn use_of(&self, deployment: &Deployment, claim: &Claim) -> Result<Use, PosterError> {
        let row = claim.row();
        let all: HashSet<&B256> = row.tags.iter().collect();
        if all.len() < row.tags.len() {
            // The contract calls a claim used that uses one thing twice.
            return Ok(Use::Deep(None));
        }
        let deep = self.deep_block(self.node.head().await?.number);
        let spent = self.spent(deployment.settlement, &row, deep.into()).await?;
        if !spent.is_empty() && spent.iter().all(|spent| *spent) {
            return Ok(Use::Deep(self.settler(deployment, claim, deep).await?));
        }
        if spent.contains(&true) {
            return Ok(Use::Deep(None));
        }
        let now = self.spent(deployment.settlement, &row, BlockNumberOrTag::Latest).await?;
        Ok(if now.contains(&true) { Use::Shallow } else { Use::Gone })
    }

    /// Of each tag of a claim, whether it is used as of a block.
    async fn spent(
        &self,
        settlement: Address,
        claim: &ClaimRow,
        block: BlockNumberOrTag,
    ) -> Result<Vec<bool>, PosterError> {
        let mut all = Vec::with_capacity(claim.tags.len());
        for tag in &claim.tags {
            let call = isSpentCall { payer: claim.payer, tag: *tag };
            all.push(match self.node.ask_at(settlement, &call, block).await {
                Ok(spent) => spent,
                // The contract is younger than that block.
                Err(PosterError::NothingDeployed(_)) => false,
                Err(error) => return Err(error),
            });
        }
        Ok(all)
    }

    /// Whether what this outbox calls settled is so in the chain. What has vanished is sent again first; a node that lags is
    /// waited for.
    pub(super) async fn still_settled(
        &self,
        deployment: &Deployment,
        claim: &Claim,
    ) -> Result<Option<crate::Mined>, PosterError> {
        let settlement = deployment.settlement;
        let (claim, words) = (claim.row(), claim.words().concat());
        let mut patience = self.patience();
        while let Some(row) = self.outbox.settled_by(settlement, &claim, &words).await? {
            let Some(mined) = row.mined else { break };
            let head = self.node.head().await?.number;
            let spent = self.spent(settlement, &claim, self.deep_block(head).into()).await?;
            if spent.iter().all(|spent| *spent) {
                return Ok(Some(mined));
            }
            let vanished = self.standing(mined.place()).await? == Standing::Vanished;
            // A node that says now this and now that is not asked for ever.
            if !patience.pause().await {
                return Err(behind(&row.purpose, mined.place(), head));
            }
            if vanished {
                self.outbox.reopen(row.id).await?;
                self.resume().await?;
            }
        }
        Ok(None)
    }

    /// The transaction that settled this very claim with this very proof, whoever sent it; none when another claim, or
    /// another proof of it, used up what it needs.
    async fn settler(
        &self,
        deployment: &Deployment,
        claim: &Claim,
        deep: u64,
    ) -> Result<Option<B256>, PosterError> {
        let row = claim.row();
        let topics = (payer::topic(row.payer), Some(row.commitment));
        let contract = deployment.settlement;
        let found = self.events_of::<ClaimSettled>(deployment, contract, topics, deep).await?;
        let own = found.iter().find(|found| claim.is_settled_by(&found.event));
        Ok(own.map(|found| found.transaction))
    }
}
