//! Which claims are worth sending: those that verify, are not settled, and that the contract would pay as things stand.

use super::{BATCH, Desk, Outcome, Refusal};
use crate::{Poster, PosterError, outbox::ClaimRow};
use alloy_primitives::{B256, U256};
use alloy_rpc_types_eth::Filter;
use alloy_sol_types::SolEvent;
use nightingale_circuits::claim::SizeClass;
use nightingale_contracts::{
    PayerId,
    bindings::{
        ClaimSettlement::{ClaimSettled, escrowOfCall, previewCall},
        Verdict,
    },
    deploy::Deployment,
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

    /// Finds what this outbox settled before.
    pub(super) async fn recognise(&self, desk: &mut Desk<'_>) -> Result<(), PosterError> {
        for index in desk.waiting() {
            let claim = desk.claims[index].row();
            let settlement = desk.deployment.settlement;
            let row = self.outbox.settled_by(settlement, claim.payer, claim.commitment).await?;
            if let Some(mined) = row.and_then(|row| row.mined) {
                desk.outcomes[index] = Some(Outcome::Settled(mined));
            }
        }
        Ok(())
    }

    /// Asks the contract what it would say, and refuses what it cannot know beforehand: what stands twice in this batch,
    /// and what all claims together ask of an escrow.
    pub(super) async fn admit(&self, desk: &mut Desk<'_>) -> Result<(), PosterError> {
        let groups: Vec<_> = desk.waiting().chunks(BATCH).flat_map(|batch| desk.groups(batch)).collect();
        for (group, members) in groups {
            let verdicts = self.node.ask(desk.deployment.settlement, &previewCall { group }).await?;
            for (index, number) in members.iter().zip(verdicts) {
                let refusal = match Verdict::from_number(number) {
                    Some(Verdict::Payable) => continue,
                    Some(Verdict::AlreadySettled) => {
                        let by = self.emitter(desk.deployment, &desk.claims[*index].row()).await?;
                        Refusal::AlreadySettled { by }
                    }
                    Some(verdict) => Refusal::Contract(verdict),
                    None => Refusal::Unknown(number),
                };
                desk.refuse(*index, refusal);
            }
        }
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
            let cents = desk.claims[index].proof.public.unpack_amount().map_or(0, |(cents, ..)| cents);
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

    /// The transaction that settled this very claim, whoever sent it; none when another claim used up what it needs.
    pub(super) async fn emitter(
        &self,
        deployment: &Deployment,
        claim: &ClaimRow,
    ) -> Result<Option<B256>, PosterError> {
        let filter = Filter::new()
            .address(deployment.settlement)
            .event_signature(ClaimSettled::SIGNATURE_HASH)
            .topic1(B256::left_padding_from(&claim.payer.to_be_bytes::<12>()))
            .topic2(claim.commitment)
            .from_block(0u64);
        self.node.emitter(&filter).await
    }
}
