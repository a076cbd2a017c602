//! What `production = true` refuses: keys under which anybody can forge.

use crate::{config::Config, error::ServiceError};
use nightingale_prover::{ProveError, cohort::keys::check_production};
use nightingale_verifier::{KeyKind, VerifyingKey};
use std::path::PathBuf;

fn refused(problem: String) -> ServiceError {
    ServiceError::Config { key: "production".to_owned(), problem }
}

/// Refuses to prove claims with development keys in production.
///
/// # Errors
/// The first such key, and what to do.
pub(crate) fn check_claims(config: &Config, keys: &[VerifyingKey]) -> Result<(), ServiceError> {
    let Some(key) = keys.iter().find(|key| config.production && key.kind() == KeyKind::Development) else {
        return Ok(());
    };
    Err(refused(format!(
        "the key of {} ({}) is a development key, under which anybody can forge proofs; import a ceremony's with \
         `nightingale keys import` (docs/ceremony.md), or set production = false",
        key.class().name(),
        key.digest()
    )))
}

/// Where the setup of cohort statistics is kept.
pub(crate) fn cohort_keys(config: &Config) -> PathBuf {
    config.keys_dir.join("cohort")
}

/// Refuses to answer questions with development keys in production: verifying keys are read, setups are not yet.
///
/// # Errors
/// A folder without a ceremony's setup, and what to do; one whose keys are not those that were imported.
pub(crate) fn check_cohorts(config: &Config) -> Result<(), ServiceError> {
    if !config.production || !config.cohorts {
        return Ok(());
    }
    let folder = cohort_keys(config);
    check_production(&folder).map_err(|error| match error {
        ProveError::NoSetup { .. } => refused(format!(
            "{} has no setup of a ceremony, and under the development setup anybody can forge answers; import powers of tau with \
             `nightingale keys import-ptau` (docs/ceremony.md), or set work.cohorts = false",
            folder.display()
        )),
        other => ServiceError::Keys(other.to_string()),
    })
}
