//! Events of a deployment's contracts about one thing, as deep as wanted.

use super::Poster;
use crate::{PosterError, notice::Notice};
use alloy_primitives::{Address, B256};
use alloy_rpc_types_eth::Filter;
use alloy_sol_types::SolEvent;
use nightingale_contracts::deploy::Deployment;

/// An event, and where it is.
pub(crate) struct Found<E> {
    pub(crate) event: E,
    pub(crate) transaction: B256,
    pub(crate) block: u64,
}

impl Poster {
    /// The events of one kind whose first indexed value is this, and the second, where one is given, from the deployment on and up to a
    /// block. A node that does not search that far gives none, which is told.
    pub(crate) async fn events_of<E: SolEvent>(
        &self,
        deployment: &Deployment,
        contract: Address,
        (first, second): (B256, Option<B256>),
        deep: u64,
    ) -> Result<Vec<Found<E>>, PosterError> {
        if deployment.block.is_none() {
            self.notices.tell(&Notice::EventsFromTheStart);
        }
        let from = deployment.block.unwrap_or_default();
        if from > deep {
            return Ok(Vec::new());
        }
        let filter = Filter::new()
            .address(contract)
            .event_signature(E::SIGNATURE_HASH)
            .topic1(first)
            .topic2(second.into_iter().collect::<Vec<_>>())
            .from_block(from)
            .to_block(deep);
        let logs = match self.node.events(&filter).await? {
            Ok(logs) => logs,
            Err(problem) => {
                self.notices.tell(&Notice::EventsRefused { from, problem });
                return Ok(Vec::new());
            }
        };
        let found = |log: &alloy_rpc_types_eth::Log| {
            let block = log.block_number?;
            let event = E::decode_log(&log.inner).ok()?.data;
            Some(Found { event, transaction: log.transaction_hash?, block })
        };
        Ok(logs.iter().filter_map(found).collect())
    }
}
