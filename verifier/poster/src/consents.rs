//! Publishes the newest of a consent authority's epochs: the root that its list ends with, unless the chain has it already.
//!
//! The chain takes whatever root the authority sends, an earlier one too, and each publication starts a root's age anew. So the list is compared
//! with the chain first: a list that is older than the chain would bring back what was revoked, and an old one hides that the authority is silent.
//! Roots recur, since to revoke what was granted restores the register before it; only times tell which list is the older one.
//!
//! What is signed says until when the contract takes it, so that nobody who held it back makes an old root look new. A higher offer for its gas
//! keeps that time: it says no more than was said when the list was looked at. What is past it can do nothing, and its nonce goes to the next
//! publication.

use crate::{
    Posted, Poster, PosterError, administration, clock,
    outbox::{State, Transaction},
    poster::Errand,
};
use alloy_eips::BlockNumberOrTag;
use alloy_primitives::{B256, U256};
use alloy_sol_types::SolCall;
use nightingale_circuits::field::to_be_bytes;
use nightingale_contracts::{
    bindings::Registry::{consentAgeCall, consentStampCall, newestConsentRootCall, publishConsentRootCall},
    deploy::{Deployment, Request},
};
use nightingale_verifier::{ConsentEpoch, ConsentEpochs, consent::time_text};
use std::slice;

/// How many seconds after a later epoch's time the chain's newest root may have been published, where the chain never had the later one: the
/// earlier transaction may have waited that long for its block.
const LATE: u64 = 3_600;

/// How many seconds later than now a list may end: clocks differ.
const AHEAD: u64 = 300;

/// For how many seconds what is signed may be taken: prices may be high for hours, and an authority publishes again in days.
const GOOD_FOR: u64 = 86_400;

/// A publication is one step.
const PUBLISH: u32 = 0;

impl Poster {
    /// Publishes the newest root of `epochs` as the authority that signs; `None` where the chain has it as its newest, as deep as wanted.
    /// With `renew` it is published then, too, so that its age starts anew; and without, where the list left the root and came back to it since
    /// the chain has it.
    ///
    /// What is open from before and in no block goes on only where the list would have it sent now.
    ///
    /// # Errors
    /// The list is older than the chain or than the registry's age of consents, this account is no accepted authority, or it is not mined in
    /// time, and then the same call goes on.
    pub async fn publish_consents(
        &self,
        deployment: &Deployment,
        epochs: &ConsentEpochs,
        renew: bool,
    ) -> Result<Option<Posted>, PosterError> {
        let wanted = epochs.newest().map(root).unwrap_or_default();
        // The same root may have been the newest before: that it was published then is no reason not to.
        let errand = self.seek_publication(deployment, wanted, true).await?;
        let outdated = self.outdated(deployment, &errand).await?;
        if outdated.is_some() || self.is_unmined(&errand).await? {
            let newest = self.newest_consents(deployment, BlockNumberOrTag::Latest).await?;
            let due = self.is_due(deployment, epochs, newest, renew).await?;
            let request = publication(deployment, wanted, self.good_until(deployment, epochs).await?);
            if let Some(row) = outdated.filter(|_| due)
                && let Some(posted) = self.publish_instead(&row, &errand, &request).await?
            {
                return Ok(Some(posted));
            }
        }
        self.resume().await?;
        if let Some(posted) = self.published_before(&errand).await? {
            return Ok(Some(posted));
        }
        let newest = self.newest_consents(deployment, BlockNumberOrTag::Latest).await?;
        if self.is_due(deployment, epochs, newest, renew).await? {
            let request = publication(deployment, wanted, self.good_until(deployment, epochs).await?);
            return self.step_anew(&errand, PUBLISH, &request).await.map(Some);
        }
        let mut patience = self.patience();
        loop {
            let deep = self.deep_block(self.node.head().await?.number);
            if self.newest_consents(deployment, deep.into()).await? == wanted {
                return Ok(None);
            }
            if !patience.pause().await {
                return Err(self.elsewhere_unconfirmed(&publication(deployment, wanted, 0).purpose));
            }
        }
    }

    /// Publishes a root as the authority that signs, compared with nothing, once: the same again is found done unless `again` asks for
    /// another time.
    ///
    /// # Errors
    /// This account is no accepted authority, it cannot pay, or it is not mined in time, and then the same call goes on.
    pub async fn publish_consent_root(
        &self,
        deployment: &Deployment,
        root: B256,
        again: bool,
    ) -> Result<Posted, PosterError> {
        let errand = self.seek_publication(deployment, root, again).await?;
        let head = self.node.head().await?.timestamp;
        let request = publication(deployment, root, self.good_for(head));
        if let Some(row) = self.outdated(deployment, &errand).await?.filter(|_| !errand.is_finished())
            && let Some(posted) = self.publish_instead(&row, &errand, &request).await?
        {
            return Ok(posted);
        }
        self.resume().await?;
        match self.published_before(&errand).await? {
            Some(posted) => Ok(posted),
            None => self.step_anew(&errand, PUBLISH, &request).await,
        }
    }

    /// What became of the publication that was signed before; none where there is none, and where it was taken too late, or an older one in its
    /// place, which left everything as it was.
    async fn published_before(&self, errand: &Errand) -> Result<Option<Posted>, PosterError> {
        let Some(known) = errand.row(PUBLISH) else { return Ok(None) };
        let row = self.outbox.find(known.id).await?;
        if row.state == State::Failed && row.problem.is_none() {
            return Ok(None);
        }
        self.recounted(errand, known).await.map(Some)
    }

    /// The publication of a root as a command: whatever time it is good for, it is the same one.
    async fn seek_publication(
        &self,
        deployment: &Deployment,
        root: B256,
        again: bool,
    ) -> Result<Errand, PosterError> {
        self.seek(slice::from_ref(&publication(deployment, root, 0)), PUBLISH, again).await
    }

    /// Whether the publication was signed before and is in no block.
    async fn is_unmined(&self, errand: &Errand) -> Result<bool, PosterError> {
        match errand.row(PUBLISH).filter(|row| row.state == State::Open) {
            Some(row) => Ok(self.receipt_of(row).await?.is_none()),
            None => Ok(false),
        }
    }

    /// An open publication whose time is over, by the clock of a block up to which nothing used its nonce: every block to come refuses it. None
    /// where the wanted one is on its way under another nonce.
    async fn outdated(
        &self,
        deployment: &Deployment,
        errand: &Errand,
    ) -> Result<Option<Transaction>, PosterError> {
        let head = self.node.head().await?;
        for row in self.outbox.open_of(self.address()).await? {
            let call = publishConsentRootCall::abi_decode(&row.data).ok();
            let over = row.to == Some(deployment.registry)
                && call.is_some_and(|call| call.notAfter < head.timestamp);
            let free = errand.row(PUBLISH).is_none_or(|known| known.id == row.id);
            if !over || !free || self.receipt_of(&row).await?.is_some() {
                continue;
            }
            // Asked of that very block: another node's word of an earlier one would not do.
            if self.node.old_nonce(row.sender, head.number).await?.is_some_and(|next| next <= row.nonce) {
                return Ok(Some(row));
            }
        }
        Ok(None)
    }

    /// Publishes under the nonce of one that is outdated; none where there is no room for a higher offer, and where an older one is in the
    /// chain all the same, after a reorganisation.
    async fn publish_instead(
        &self,
        row: &Transaction,
        errand: &Errand,
        request: &Request,
    ) -> Result<Option<Posted>, PosterError> {
        if !self.replace(row, request, (errand.plan(), PUBLISH)).await? {
            return Ok(None);
        }
        self.resume().await?;
        let row = self.outbox.find(row.id).await?;
        match row.mined {
            Some(mined) if !row.is_by(mined.transaction) => Ok(None),
            _ => self.ended(row.id).await.map(Some),
        }
    }

    /// Whether the list's newest root is to be sent, where `newest` is the chain's.
    async fn is_due(
        &self,
        deployment: &Deployment,
        epochs: &ConsentEpochs,
        newest: B256,
        renew: bool,
    ) -> Result<bool, PosterError> {
        let Some(last) = epochs.newest().filter(|_| !newest.is_zero()) else { return Ok(true) };
        if !epochs.epochs().iter().map(root).any(|root| root == newest) {
            return Err(PosterError::ConsentListBehind { newest });
        }
        let wanted = root(last);
        let Some(published) = self.consents_published(deployment, newest).await? else {
            return Ok(newest != wanted || renew);
        };
        if newest == wanted {
            let came_back = |pair: &[ConsentEpoch]| match pair {
                [left, back] => root(left) != wanted && root(back) == wanted && back.published > published,
                _ => false,
            };
            return Ok(renew || epochs.epochs().windows(2).any(came_back));
        }
        // One that the chain had and superseded was sent from a list as long as this one, or a longer one.
        let was_there = self.consents_published(deployment, wanted).await?.is_some_and(|time| time > 0);
        let late = if was_there { 0 } else { LATE };
        if last.published.saturating_add(late) <= published {
            return Err(PosterError::ConsentListOlder {
                listed: time_text(last.published),
                newest,
                published: time_text(published),
            });
        }
        Ok(true)
    }

    /// Until when what the list says may be taken. Refuses a list that ends later than now, against which no other would be the newer one, and
    /// one whose newest root would be too old for the registry, had it been published when the list says.
    async fn good_until(&self, deployment: &Deployment, epochs: &ConsentEpochs) -> Result<u64, PosterError> {
        let listed = epochs.newest().map_or(0, |epoch| epoch.published);
        let now = self.node.head().await?.timestamp;
        if listed > now.max(clock::now()).saturating_add(AHEAD) {
            return Err(PosterError::ConsentListAhead { listed: time_text(listed) });
        }
        let Some(age) = self.known(deployment, &consentAgeCall {}).await? else {
            return Ok(self.good_for(now));
        };
        let silent = U256::from(listed).saturating_add(age);
        if U256::from(now) > silent {
            return Err(PosterError::ConsentListSilent { listed: time_text(listed), age });
        }
        Ok(self.good_for(now).min(silent.saturating_to()))
    }

    /// When this account published a root for the last time, in seconds since 1970-01-01 UTC; 0 for never. `None` where the registry does not
    /// say.
    async fn consents_published(
        &self,
        deployment: &Deployment,
        root: B256,
    ) -> Result<Option<u64>, PosterError> {
        let call = consentStampCall { authority: self.address(), consentRoot: root };
        Ok(self.known(deployment, &call).await?.map(|stamp| stamp.publishedAt))
    }

    /// What the registry answers; `None` where it was deployed before it could be asked that.
    async fn known<C: SolCall>(
        &self,
        deployment: &Deployment,
        call: &C,
    ) -> Result<Option<C::Return>, PosterError> {
        match self.node.try_ask_at(deployment.registry, call, BlockNumberOrTag::Latest).await? {
            Ok(answer) => Ok(Some(answer)),
            Err(revert) if revert.data.is_empty() => Ok(None),
            Err(revert) => Err(PosterError::NodeRefused { method: "eth_call", problem: revert.reason }),
        }
    }

    /// Until when something may be taken that is signed now: by this machine's clock, for a node that shows a head in the future would have it
    /// taken until then. A local chain's clock is set by whoever tests with it; there the head is of `now`.
    fn good_for(&self, now: u64) -> u64 {
        let now = if self.is_local() { now.max(clock::now()) } else { clock::now() };
        now.saturating_add(GOOD_FOR)
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

fn publication(deployment: &Deployment, root: B256, not_after: u64) -> Request {
    administration::publish_consents(deployment, root, not_after)
}

fn root(epoch: &ConsentEpoch) -> B256 {
    B256::from(to_be_bytes(&epoch.root))
}
