//! Publishes the newest of a consent authority's epochs: the root that its list ends with, unless the chain has it already.
//!
//! The chain takes whatever root the authority sends, an earlier one too. So the list is compared with the chain first: a list that is older
//! than the chain would bring back what was revoked.

use crate::{Posted, Poster, PosterError, administration};
use alloy_eips::BlockNumberOrTag;
use alloy_primitives::B256;
use nightingale_circuits::field::to_be_bytes;
use nightingale_contracts::{bindings::Registry::newestConsentRootCall, deploy::Deployment};
use nightingale_verifier::{ConsentEpoch, ConsentEpochs};
use std::slice;

impl Poster {
    /// Publishes the newest root of `epochs` as the authority that signs; `None` where the chain has it as its newest, as deep as wanted.
    /// With `renew` it is published then, too, so that its age starts anew.
    ///
    /// # Errors
    /// The chain's newest root is none of the list's, this account is no accepted authority, or it is not mined in time, and then the
    /// same call goes on.
    pub async fn publish_consents(
        &self,
        deployment: &Deployment,
        epochs: &ConsentEpochs,
        renew: bool,
    ) -> Result<Option<Posted>, PosterError> {
        let root = |epoch: &ConsentEpoch| B256::from(to_be_bytes(&epoch.root));
        let wanted = epochs.newest().map(root).unwrap_or_default();
        let request = administration::publish_consents(deployment, wanted);
        // The same root may have been the newest before: that it was published then is no reason not to.
        let errand = self.begin(slice::from_ref(&request), 0, true).await?;
        if errand.knows(0) {
            return self.step(&errand, 0, &request).await.map(Some);
        }
        let newest = self.newest_consents(deployment, BlockNumberOrTag::Latest).await?;
        if !newest.is_zero() && !epochs.epochs().iter().map(root).any(|root| root == newest) {
            return Err(PosterError::ConsentListBehind { newest });
        }
        if newest != wanted || renew {
            return self.step(&errand, 0, &request).await.map(Some);
        }
        let mut patience = self.patience();
        loop {
            let deep = self.deep_block(self.node.head().await?.number);
            if self.newest_consents(deployment, deep.into()).await? == wanted {
                return Ok(None);
            }
            if !patience.pause().await {
                return Err(self.elsewhere_unconfirmed(&request.purpose));
            }
        }
    }

    /// The newest consent root of this account, as of a block; zero when there is none.
    async fn newest_consents(
        &self,
        deployment: &Deployment,
        block: BlockNumberOrTag,
    ) -> Result<B256, PosterError> {
        let call = newestConsentRootCall { authority: self.address() };
        match self.node.ask_at(deployment.registry, &call, block).await {
            // The contract is younger than that block.
            Err(PosterError::NothingDeployed(_)) => Ok(B256::ZERO),
            found => found,
        }
    }
}
