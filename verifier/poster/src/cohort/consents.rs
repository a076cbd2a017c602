//! Publishes the versions of tables' consents that the chain does not know yet, in their order; and confirms the newest, as a registrar.

use super::{consent_hash, tables};
use crate::{Posted, Poster, PosterError};
use alloy_eips::BlockNumberOrTag;
use alloy_primitives::{B256, U256};
use alloy_sol_types::SolCall;
use nightingale_contracts::{
    calldata::cohort,
    deploy::{Deployment, Request},
};
use nightingale_verifier::cohort::{Dataset, TableRecord};
use std::slice;

impl Poster {
    /// Publishes what the chain does not know of the consents of the named table, or of all that are registered, as their sponsor.
    /// Verify the dataset before: [`Poster::verify_dataset`]. Gives what this outbox published, now or before.
    ///
    /// # Errors
    /// The named table, or every one, is not registered; the chain has other consents, or newer ones; this account is not the sponsor;
    /// something is not mined in time, and then the same call goes on.
    pub async fn publish_dataset_consents(
        &self,
        deployment: &Deployment,
        dataset: &Dataset,
        table: Option<&str>,
    ) -> Result<Vec<Posted>, PosterError> {
        let mut posted = Vec::new();
        for (record, _) in self.consents_of(deployment, dataset, table).await? {
            self.publish_table(deployment, record, &mut posted).await?;
        }
        Ok(posted)
    }

    /// Confirms the newest consents on the chain of the named table, or of all that are registered, as a registrar: from then on answers
    /// under them are logged. Verify the dataset before: [`Poster::verify_dataset`]. Gives what this outbox confirmed, now or before.
    ///
    /// # Errors
    /// The named table, or every one, is not registered; the chain has other consents, or newer ones; this account is no registrar;
    /// something is not mined in time, and then the same call goes on.
    pub async fn confirm_dataset_consents(
        &self,
        deployment: &Deployment,
        dataset: &Dataset,
        table: Option<&str>,
    ) -> Result<Vec<Posted>, PosterError> {
        let mut posted = Vec::new();
        for (record, versions) in self.consents_of(deployment, dataset, table).await? {
            // The first consents are confirmed with their table.
            if let Some(version) = versions.checked_sub(1).filter(|version| *version > 0) {
                posted.extend(self.confirm_table(deployment, record, version).await?);
            }
        }
        Ok(posted)
    }

    /// The tables that are registered, with how many versions of their consents the chain has, all of them the dataset's.
    async fn consents_of<'a>(
        &self,
        deployment: &Deployment,
        dataset: &'a Dataset,
        table: Option<&str>,
    ) -> Result<Vec<(&'a TableRecord, usize)>, PosterError> {
        self.cohort_of(deployment).await?;
        self.resume().await?;
        let mut registered = Vec::new();
        let mut missing = None;
        for record in tables(dataset, table)? {
            let found = self.registered(deployment, digest(record), BlockNumberOrTag::Latest).await?;
            if found.sponsor.is_zero() {
                missing = Some(PosterError::TableNotRegistered { table: record.name().to_owned() });
                continue;
            }
            check_history(record, found.versions.to(), found.consent)?;
            registered.push((record, found.versions.to()));
        }
        match missing {
            Some(missing) if registered.is_empty() => Err(missing),
            _ => Ok(registered),
        }
    }

    async fn confirm_table(
        &self,
        deployment: &Deployment,
        table: &TableRecord,
        version: usize,
    ) -> Result<Option<Posted>, PosterError> {
        let request = Request {
            purpose: format!("confirm consents {version} of table {}", table.name()),
            to: Some(deployment.registry),
            data: cohort::confirm_consents(table, version)?.abi_encode().into(),
        };
        let errand = self.begin(slice::from_ref(&request), 0, false).await?;
        let found = self.registered(deployment, digest(table), BlockNumberOrTag::Latest).await?;
        if errand.knows(0) || !found.confirmed {
            return Ok(Some(self.step(&errand, 0, &request).await?));
        }
        // What another registrar confirmed counts when it is as deep as wanted; so does that the sponsor went on.
        let mut patience = self.patience();
        loop {
            let deep = self.deep_block(self.node.head().await?.number);
            let found = self.registered(deployment, digest(table), deep.into()).await?;
            let versions = found.versions.to::<usize>();
            if versions > version + 1 || (versions == version + 1 && found.confirmed) {
                return Ok(None);
            }
            if !patience.pause().await {
                return Err(self.elsewhere_unconfirmed(&request.purpose));
            }
        }
    }

    async fn publish_table(
        &self,
        deployment: &Deployment,
        table: &TableRecord,
        posted: &mut Vec<Posted>,
    ) -> Result<(), PosterError> {
        let last = table.consents.len();
        let purpose = |version: usize| format!("publish consents {version} of table {}", table.name());
        for version in 1..last {
            let request = Request {
                purpose: purpose(version),
                to: Some(deployment.registry),
                data: cohort::publish_consents(table, version)?.abi_encode().into(),
            };
            let errand = self.begin(slice::from_ref(&request), 0, false).await?;
            let found = self.registered(deployment, digest(table), BlockNumberOrTag::Latest).await?;
            if errand.knows(0) || found.versions.to::<usize>() <= version {
                posted.push(self.step(&errand, 0, &request).await?);
            }
        }
        // What another outbox of the sponsor's published counts when it is as deep as wanted.
        let mut patience = self.patience();
        loop {
            let deep = self.deep_block(self.node.head().await?.number);
            let found = self.registered(deployment, digest(table), deep.into()).await?;
            if found.versions.to::<usize>() >= last {
                return Ok(());
            }
            if !patience.pause().await {
                return Err(self.elsewhere_unconfirmed(&purpose(last.saturating_sub(1))));
            }
        }
    }
}

fn digest(table: &TableRecord) -> B256 {
    B256::from(*table.digest())
}

/// The chain's newest consents are a version of the dataset's.
pub(super) fn check_history(table: &TableRecord, published: usize, newest: B256) -> Result<(), PosterError> {
    let (name, known) = (table.name().to_owned(), table.consents.len());
    if published > known {
        return Err(PosterError::ConsentsBehind { table: name, known, published });
    }
    let version = published.saturating_sub(1);
    let point =
        table.consents.get(version).map(|consent| consent.commitment.words().map(U256::from_be_bytes));
    if point.is_none_or(|point| consent_hash(version, point) != newest) {
        return Err(PosterError::ConsentsDiffer { table: name, version });
    }
    Ok(())
}
