//! One transaction for a batch: tried as a whole first, without the proofs that spoil it, and split when it is too much.

use super::{Desk, Refusal};
use crate::{Poster, PosterError, node::Revert, outbox::ClaimRow};
use alloy_eips::BlockNumberOrTag;
use alloy_sol_types::SolError;
use nightingale_contracts::{
    bindings::{ClaimSettlement, Group},
    calldata,
    chain::TRANSACTION_GAS_CAP,
    deploy::Request,
};

/// What became of a batch.
pub(super) enum Written {
    /// It is in the outbox under this number, with these claims in the order of their events.
    Row(i64, Vec<usize>),
    /// It would use more gas than a transaction may: to be split.
    TooLarge,
    /// No claim of it is left to send.
    Nothing,
}

impl Poster {
    /// Writes one transaction for a batch. A proof that the chain refuses though it verifies here is refused alone, and the
    /// others go without it.
    pub(super) async fn write_batch(
        &self,
        desk: &mut Desk<'_>,
        batch: &[usize],
    ) -> Result<Written, PosterError> {
        loop {
            let waiting = desk.waiting();
            let batch: Vec<usize> = batch.iter().copied().filter(|index| waiting.contains(index)).collect();
            if batch.is_empty() {
                return Ok(Written::Nothing);
            }
            let (groups, orders): (Vec<Group>, Vec<Vec<usize>>) = desk.groups(&batch).into_iter().unzip();
            let order = orders.concat();
            let request = Request {
                purpose: format!("settle {} claim{}", order.len(), if order.len() == 1 { "" } else { "s" }),
                to: Some(desk.deployment.settlement),
                data: calldata::settle(groups),
            };
            let revert = match self.node.dry_run(self.address(), &request).await? {
                Ok((_, gas)) if order.len() > 1 && gas.saturating_add(gas / 5) > TRANSACTION_GAS_CAP => {
                    return Ok(Written::TooLarge);
                }
                Ok(_) => {
                    let rows: Vec<ClaimRow> = order.iter().map(|index| desk.claims[*index].row()).collect();
                    return Ok(Written::Row(self.write(&request, None, &rows).await?, order));
                }
                Err(revert) => revert,
            };
            // Every revert of the contract has a reason: without one, gas ran out, or the node has a cap of its own. A
            // verifier that gets too little of it rejects the whole group, and no proof of it is to blame.
            let found = if ClaimSettlement::GroupRejected::abi_decode(&revert.data).is_ok() {
                self.culprits(desk, &orders).await?
            } else if revert.data.is_empty() {
                Culprits::default()
            } else {
                return Err(PosterError::Reverted { purpose: request.purpose, reason: revert.reason });
            };
            if found.rejected.is_empty() {
                return match found.short_of_gas {
                    _ if order.len() > 1 => Ok(Written::TooLarge),
                    Some(problem) => Err(PosterError::CallGasTooSmall { purpose: request.purpose, problem }),
                    None => Err(PosterError::Reverted { purpose: request.purpose, reason: revert.reason }),
                };
            }
            for index in found.rejected {
                desk.refuse(index, Refusal::ProofRejectedOnChain);
            }
        }
    }

    /// Asks which proofs of each key the contract rejects, of fewer at once where the node gives too little gas for all.
    async fn culprits(&self, desk: &Desk<'_>, orders: &[Vec<usize>]) -> Result<Culprits, PosterError> {
        let mut found = Culprits::default();
        let mut parts: Vec<Vec<usize>> = orders.iter().rev().cloned().collect();
        while let Some(part) = parts.pop() {
            let Some((group, order)) = desk.groups(&part).into_iter().next() else { continue };
            let call = ClaimSettlement::findInvalidCall { group };
            let asked =
                self.node.try_ask_at(desk.deployment.settlement, &call, BlockNumberOrTag::Latest).await?;
            match asked {
                Ok(places) => found
                    .rejected
                    .extend(places.iter().filter_map(|place| order.get(place.saturating_to::<usize>()))),
                Err(revert) if !is_short_of_gas(&revert) => {
                    return Err(PosterError::NodeRefused { method: "eth_call", problem: revert.reason });
                }
                Err(_) if order.len() > 1 => {
                    let (first, second) = order.split_at(order.len() / 2);
                    parts.extend([second.to_vec(), first.to_vec()]);
                }
                Err(revert) => found.short_of_gas = Some(revert.reason),
            }
        }
        Ok(found)
    }
}

/// What asking for invalid proofs found.
#[derive(Default)]
struct Culprits {
    rejected: Vec<usize>,
    /// The node's words where it gives too little gas for a single proof: then that proof may be good.
    short_of_gas: Option<String>,
}

fn is_short_of_gas(revert: &Revert) -> bool {
    revert.data.is_empty() || ClaimSettlement::GasTooSmall::abi_decode(&revert.data).is_ok()
}
