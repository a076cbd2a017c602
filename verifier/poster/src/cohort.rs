//! Cohort answers on-chain: tables registered with their plan, their consents published and confirmed, answers logged; each once.
//!
//! Nothing is sent of what does not verify here, because the registry believes that somebody has checked a registration's proofs.

mod admission;
mod consents;
mod log;
mod logged;
mod outcome;
mod registration;

pub use outcome::{Entry, Logging, Outcome, Refusal};
pub use registration::{Registering, TableRegistration};

use crate::{Poster, PosterError};
use alloy_eips::BlockNumberOrTag;
use alloy_primitives::{Address, B256, U256, Uint, keccak256};
use alloy_sol_types::SolCall;
use nightingale_circuits::claim;
use nightingale_contracts::{
    bindings::{Registry::datasetCall, registry},
    deploy::{DeployedCohort, Deployment},
};
use nightingale_verifier::cohort::{
    CohortKeys, Dataset, TableRecord, VerifiedRegistration, verify_registration, verify_sponsor,
};
use std::{fs, path::Path};

/// Reads a dataset: its public directory, or the `dataset.json` in it.
///
/// # Errors
/// There is none, or it does not hold together.
pub fn read_dataset(path: &Path) -> Result<Dataset, PosterError> {
    let path = if path.is_dir() { path.join("dataset.json") } else { path.to_owned() };
    let bytes = fs::read(&path).map_err(|source| PosterError::Io { path: path.clone(), source })?;
    Dataset::from_json(&bytes).map_err(|source| PosterError::Unreadable { path, source })
}

impl Poster {
    /// Verifies a dataset: the proofs of its registration, its signatures, and that they are the sponsor's. On local chains
    /// development keys are accepted.
    ///
    /// # Errors
    /// Something does not hold; the keys are for local chains only.
    pub fn verify_dataset(
        &self,
        dataset: &Dataset,
        keys: &CohortKeys,
        sponsor: Address,
    ) -> Result<VerifiedRegistration, PosterError> {
        let verified =
            verify_registration(dataset, keys, !self.is_local()).map_err(PosterError::DatasetRefused)?;
        let sponsor = claim::Address(sponsor.into_array());
        verify_sponsor(dataset, Some(sponsor)).map_err(PosterError::DatasetRefused)?;
        Ok(verified)
    }

    /// The cohort contracts of a deployment that is on this node's chain.
    async fn cohort_of<'a>(&self, deployment: &'a Deployment) -> Result<&'a DeployedCohort, PosterError> {
        self.check(deployment).await?;
        let cohort = deployment.cohort.as_ref().ok_or(PosterError::LogMissing)?;
        if !self.node.has_code(cohort.log).await? {
            return Err(PosterError::NothingDeployed(cohort.log));
        }
        Ok(cohort)
    }

    /// What the registry has of a table, as of a block; its sponsor is zero where it has none.
    async fn registered(
        &self,
        deployment: &Deployment,
        table: B256,
        block: BlockNumberOrTag,
    ) -> Result<registry::Dataset, PosterError> {
        let found = self.ask_once_there(deployment.registry, &datasetCall { table }, block).await?;
        Ok(found.unwrap_or(registry::Dataset {
            sponsor: Address::ZERO,
            k: 0,
            rows: Uint::ZERO,
            threshold: 0,
            versions: Uint::ZERO,
            confirmed: false,
            consent: B256::ZERO,
        }))
    }

    /// A contract's answer as of a block; none where it is younger than that.
    async fn ask_once_there<C: SolCall>(
        &self,
        contract: Address,
        call: &C,
        block: BlockNumberOrTag,
    ) -> Result<Option<C::Return>, PosterError> {
        match self.node.ask_at(contract, call, block).await {
            Ok(answer) => Ok(Some(answer)),
            Err(PosterError::NothingDeployed(_)) if block != BlockNumberOrTag::Latest => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// The tables that a command is about: the named one, or all.
fn tables<'a>(dataset: &'a Dataset, named: Option<&str>) -> Result<Vec<&'a TableRecord>, PosterError> {
    match named {
        None => Ok(dataset.tables().iter().collect()),
        Some(name) => match dataset.table(name) {
            Ok(table) => Ok(vec![table]),
            Err(error) => Err(PosterError::malformed("table", error.to_string())),
        },
    }
}

/// What the registry keeps of a version of a table's consents: its number, and the point in two words.
fn consent_hash(version: usize, consent: [U256; 2]) -> B256 {
    let [x, y] = consent;
    keccak256([U256::from(version), x, y].map(|word| word.to_be_bytes::<32>()).concat())
}
