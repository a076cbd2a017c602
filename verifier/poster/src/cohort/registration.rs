//! Registers tables: those of which answers can be logged, each with the queries of its plan that can be.

use super::{consents::check_history, tables};
use crate::{Posted, Poster, PosterError};
use alloy_eips::BlockNumberOrTag;
use alloy_primitives::{Address, B256};
use alloy_sol_types::SolCall;
use nightingale_contracts::{
    Error,
    bindings::Registry::{DatasetRegistered, QueryPlanned, plannedColumnsCall},
    calldata::cohort::{self, LeftOut},
    deploy::{Deployment, Request},
};
use nightingale_verifier::cohort::{Dataset, TableRecord};
use std::slice;

/// A table, and what became of it.
#[derive(Clone, Debug)]
pub struct TableRegistration {
    /// Its name.
    pub name: String,
    /// Its digest.
    pub table: B256,
    /// The queries whose answers can be logged.
    pub planned: Vec<B256>,
    /// Those of its plan that cannot.
    pub left_out: Vec<LeftOut>,
    /// What became of it.
    pub outcome: Registering,
}

/// What became of a table's registration.
#[derive(Clone, Debug)]
pub enum Registering {
    /// This outbox had it registered, now or before.
    Posted(Posted),
    /// Somebody else did, with the same sponsor, consents of the dataset's and exactly these queries, as deep as wanted.
    Elsewhere {
        /// The transaction and its block, where the node finds them.
        by: Option<(B256, u64)>,
    },
    /// No answer about it can be logged on-chain, for this reason: it is not registered.
    Unfit(Error),
}

impl Poster {
    /// Registers the named table of a dataset, or all of which answers can be logged, for a sponsor who publishes their consents.
    /// Verify the dataset before: [`Poster::verify_dataset`].
    ///
    /// # Errors
    /// A table is registered for another sponsor, with other consents, or with a query more or fewer; this account may not register; or
    /// something is not mined in time, and then the same call goes on.
    pub async fn register_dataset(
        &self,
        deployment: &Deployment,
        dataset: &Dataset,
        table: Option<&str>,
        sponsor: Address,
    ) -> Result<Vec<TableRegistration>, PosterError> {
        self.cohort_of(deployment).await?;
        let mut all = Vec::new();
        for record in tables(dataset, table)? {
            let (name, digest) = (record.name().to_owned(), B256::from(*record.digest()));
            let unfit = |error| TableRegistration {
                name: name.clone(),
                table: digest,
                planned: Vec::new(),
                left_out: Vec::new(),
                outcome: Registering::Unfit(error),
            };
            let found = match cohort::registration(dataset, &name, sponsor) {
                Ok(found) => found,
                Err(error @ (Error::NothingToLog { .. } | Error::SizeWithoutVerifier { .. })) => {
                    all.push(unfit(error));
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            let request = Request {
                purpose: format!("register table {name} ({digest})"),
                to: Some(deployment.registry),
                data: found.call.abi_encode().into(),
            };
            let planned = &found.planned;
            let outcome = self.register(deployment, record, sponsor, planned, &request).await?;
            let cohort::TableRegistration { table, planned, left_out, .. } = found;
            all.push(TableRegistration { name, table, planned, left_out, outcome });
        }
        Ok(all)
    }

    async fn register(
        &self,
        deployment: &Deployment,
        record: &TableRecord,
        sponsor: Address,
        planned: &[B256],
        request: &Request,
    ) -> Result<Registering, PosterError> {
        let elsewhere = || self.registered_elsewhere(deployment, record, sponsor, planned, request);
        let errand = self.begin(slice::from_ref(request), 0, false).await?;
        if !errand.knows(0)
            && let Some(by) = elsewhere().await?
        {
            return Ok(Registering::Elsewhere { by });
        }
        match self.step(&errand, 0, request).await {
            Ok(posted) => Ok(Registering::Posted(posted)),
            // Somebody else may have been faster.
            Err(error @ PosterError::Reverted { .. }) => match elsewhere().await? {
                Some(by) => Ok(Registering::Elsewhere { by }),
                None => Err(error),
            },
            Err(error) => Err(error),
        }
    }

    /// The registration that somebody else made, waited for until it is as deep as wanted; none where there is none. Inside: its
    /// transaction, where the node finds it. A table's digest binds neither its first consents nor its plan, so that both are compared.
    async fn registered_elsewhere(
        &self,
        deployment: &Deployment,
        record: &TableRecord,
        sponsor: Address,
        planned: &[B256],
        request: &Request,
    ) -> Result<Option<Option<(B256, u64)>>, PosterError> {
        let (name, table) = (record.name(), B256::from(*record.digest()));
        let mut patience = self.patience();
        loop {
            let found = self.registered(deployment, table, BlockNumberOrTag::Latest).await?;
            if found.sponsor.is_zero() {
                return Ok(None);
            }
            if found.sponsor != sponsor {
                let (registered, wanted) = (found.sponsor, sponsor);
                return Err(PosterError::OtherSponsor { table: name.to_owned(), registered, wanted });
            }
            check_history(record, found.versions.to(), found.consent)?;
            for query in planned {
                let columns =
                    self.node.ask(deployment.registry, &plannedColumnsCall { query: *query }).await?;
                if columns.is_zero() {
                    return Err(PosterError::PlanDiffers { table: name.to_owned(), query: *query });
                }
            }
            let deep = self.deep_block(self.node.head().await?.number);
            if self.registered(deployment, table, deep.into()).await?.sponsor == sponsor {
                match self.check_plan(deployment, record, planned, deep).await {
                    // Events may come later than what a call answers.
                    Err(PosterError::PlanUnseen { .. }) if patience.pause().await => continue,
                    checked => checked?,
                }
                let topics = (table, Some(sponsor.into_word()));
                let registry = deployment.registry;
                let events = self.events_of::<DatasetRegistered>(deployment, registry, topics, deep).await?;
                return Ok(Some(events.first().map(|found| (found.transaction, found.block))));
            }
            if !patience.pause().await {
                return Err(self.elsewhere_unconfirmed(&request.purpose));
            }
        }
    }

    /// That a registered table's plan has no query but these, all of which it has.
    async fn check_plan(
        &self,
        deployment: &Deployment,
        record: &TableRecord,
        planned: &[B256],
        deep: u64,
    ) -> Result<(), PosterError> {
        let (table, about) = (record.name().to_owned(), (B256::from(*record.digest()), None));
        let events = self.events_of::<QueryPlanned>(deployment, deployment.registry, about, deep).await?;
        let found: Vec<B256> = events.iter().map(|found| found.event.query).collect();
        if let Some(query) = found.iter().find(|query| !planned.contains(query)) {
            return Err(PosterError::PlanWider { table, query: *query });
        }
        // A node that does not show those that are there may keep others back.
        if planned.iter().any(|query| !found.contains(query)) {
            return Err(PosterError::PlanUnseen { table });
        }
        Ok(())
    }
}
