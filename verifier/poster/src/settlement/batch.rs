//! One transaction for a batch: tried as a whole first, without the proofs that spoil it, and split when it is too much.

use super::{Desk, Refusal};
use crate::{Poster, PosterError, outbox::ClaimRow};
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
                data: calldata::settle(groups.clone()),
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
            // Every revert of the contract has a reason: without one, gas ran out, or the node has a cap of its own.
            if revert.data.is_empty() && order.len() > 1 {
                return Ok(Written::TooLarge);
            }
            let rejected = ClaimSettlement::GroupRejected::abi_decode(&revert.data).is_ok();
            let culprits = if rejected { self.culprits(desk, &groups, &orders).await? } else { Vec::new() };
            if culprits.is_empty() {
                return Err(PosterError::Reverted { purpose: request.purpose, reason: revert.reason });
            }
            for index in culprits {
                desk.refuse(index, Refusal::ProofRejectedOnChain);
            }
        }
    }

    async fn culprits(
        &self,
        desk: &Desk<'_>,
        groups: &[Group],
        orders: &[Vec<usize>],
    ) -> Result<Vec<usize>, PosterError> {
        let mut culprits = Vec::new();
        for (group, order) in groups.iter().zip(orders) {
            let call = ClaimSettlement::findInvalidCall { group: group.clone() };
            let found = self.node.ask(desk.deployment.settlement, &call).await?;
            culprits.extend(found.iter().filter_map(|place| order.get(place.saturating_to::<usize>())));
        }
        Ok(culprits)
    }
}
