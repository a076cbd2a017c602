//! Which claims are worth sending: those that verify, are not settled, and that the contract would pay as things stand.

use super::{BATCH, Desk, Outcome, Refusal};
use crate::{Poster, PosterError, endorsement::cents, poster::Patience};
use alloy_eips::BlockNumberOrTag;
use alloy_primitives::{B256, U256};
use nightingale_circuits::claim::SizeClass;
use nightingale_contracts::{
    PayerId,
    bindings::{
        ClaimSettlement::{escrowOfCall, previewCall},
        Verdict,
    },
};
use nightingale_verifier::{Context, Decision, KeyDigest, VerifyingKey, verify_claim};
use std::collections::{BTreeMap, HashSet, btree_map::Entry};

impl Poster {
    /// Verifies every proof under the key that it names, as the registry has it. Nothing that fails this is ever sent.
    pub(super) async fn verify(&self, desk: &mut Desk<'_>) -> Result<(), PosterError> {
        let mut keys: BTreeMap<(KeyDigest, SizeClass), Option<VerifyingKey>> = BTreeMap::new();
        for (index, claim) in desk.claims.iter().enumerate() {
            let named = (claim.proof.key, claim.proof.class);
            if let Entry::Vacant(slot) = keys.entry(named) {
                slot.insert(self.registered_key(desk.deployment, &claim.proof).await?);
            }
            let refusal = match keys.get(&named) {
                Some(Some(key)) => match verify_claim(key, &claim.proof, &Context::default()) {
                    Ok(verified) if verified.decision == Decision::Approve => match claim.endorsement {
                        Some(_) => continue,
                        None => Refusal::EndorsementMissing,
                    },
                    Ok(_) => Refusal::Contract(Verdict::NothingToSettle),
                    Err(error) => Refusal::ProofInvalid(error.to_string()),
                },
                _ => Refusal::KeyNotRegistered,
            };
            desk.refuse(index, refusal);
        }
        Ok(())
    }

    /// Finds what this outbox settled before, and the chain calls settled.
    pub(super) async fn recognise(&self, desk: &mut Desk<'_>) -> Result<(), PosterError> {
        for index in desk.waiting() {
            if let Some(mined) = self.still_settled(desk.deployment, &desk.claims[index]).await? {
                desk.outcomes[index] = Some(Outcome::Settled(mined));
            }
        }
        Ok(())
    }

    /// Asks the contract what it would say, and refuses what it cannot know beforehand: what stands twice in this batch,
    /// and what all claims together ask of an escrow.
    pub(super) async fn admit(&self, desk: &mut Desk<'_>) -> Result<(), PosterError> {
        let mut patience = self.patience();
        while self.preview(desk, &mut patience).await? {}
        let mut used: HashSet<(PayerId, B256)> = HashSet::new();
        for index in desk.waiting() {
            let claim = desk.claims[index].row();
            if claim.tags.iter().any(|tag| used.contains(&(claim.payer, *tag))) {
                desk.refuse(index, Refusal::RepeatedInBatch);
            } else {
                used.extend(claim.tags.iter().map(|tag| (claim.payer, *tag)));
            }
        }
        let mut escrows: BTreeMap<PayerId, U256> = BTreeMap::new();
        for index in desk.waiting() {
            let payer = desk.claims[index].row().payer;
            let left = match escrows.get(&payer) {
                Some(left) => *left,
                None => self.node.ask(desk.deployment.settlement, &escrowOfCall { payer }).await?,
            };
            let cents = cents(&desk.claims[index].proof);
            match left.checked_sub(crate::administration::units(desk.deployment, cents)) {
                Some(rest) => escrows.insert(payer, rest),
                None => {
                    desk.refuse(index, Refusal::Contract(Verdict::EscrowTooSmall));
                    escrows.insert(payer, left)
                }
            };
        }
        Ok(())
    }

    /// Asks the contract for its verdicts; whether to ask once more, because a block vanished that had settled a claim.
    async fn preview(&self, desk: &mut Desk<'_>, patience: &mut Patience) -> Result<bool, PosterError> {
        let mut used = Vec::new();
        let mut groups: Vec<_> = desk.waiting().chunks(BATCH).flat_map(|batch| desk.groups(batch)).collect();
        while let Some((group, members)) = groups.pop() {
            let (contract, call) = (desk.deployment.settlement, previewCall { group });
            let verdicts = match self.node.try_ask_at(contract, &call, BlockNumberOrTag::Latest).await? {
                Ok(verdicts) => verdicts,
                // Without a reason: the node's own cap on gas.
                Err(revert) if revert.data.is_empty() && members.len() > 1 => {
                    let (first, second) = members.split_at(members.len() / 2);
                    groups.extend([second, first].into_iter().flat_map(|half| desk.groups(half)));
                    continue;
                }
                Err(revert) => {
                    return Err(PosterError::NodeRefused { method: "eth_call", problem: revert.reason });
                }
            };
            for (index, number) in members.iter().zip(verdicts) {
                let refusal = match Verdict::from_number(number) {
                    Some(Verdict::Payable) => continue,
                    Some(Verdict::AlreadySettled) => {
                        used.push((*index, &desk.claims[*index]));
                        continue;
                    }
                    Some(verdict) => Refusal::Contract(verdict),
                    None => Refusal::Unknown(number),
                };
                desk.refuse(*index, refusal);
            }
        }
        let mut vanished = false;
        for (index, refusal) in self.used_elsewhere(desk.deployment, &used, patience).await? {
            match refusal {
                Some(refusal) => desk.refuse(index, refusal),
                None => vanished = true,
            }
        }
        Ok(vanished)
    }
}
