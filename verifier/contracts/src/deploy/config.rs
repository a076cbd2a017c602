//! What is to be deployed, and the deployment file that says what was (its format is in the README).

use super::{CohortKeyToRegister, DeployedCohort};
use crate::{Error, calldata};
use alloy_primitives::{Address, B256, U256};
use ark_bn254::Bn254;
use ark_groth16::VerifyingKey;
use serde::{Deserialize, Serialize};

/// Thirty days: no root stays acceptable for longer once superseded.
const LONGEST_GRACE: u64 = 30 * 86_400;
/// Chains on which development keys and the test token are allowed.
pub(super) const LOCAL_CHAINS: [u64; 2] = [31337, 1337];

/// How a verifying key came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyKind {
    /// From a public seed: whoever knows it forges. Local chains only.
    Development,
    /// From a ceremony.
    Production,
}

impl KeyKind {
    /// Its number in the contracts.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Development => 0,
            Self::Production => 1,
        }
    }
}

/// A key to register.
#[derive(Clone, Debug)]
pub struct KeyToRegister {
    /// The digest by which proofs name it.
    pub digest: B256,
    /// How it came to be.
    pub kind: KeyKind,
    /// The key.
    pub key: VerifyingKey<Bn254>,
}

/// Which token escrows hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenChoice {
    /// An ERC-20 that exists.
    Existing(Address),
    /// A token that anybody mints, deployed along; local chains only.
    Test,
}

/// For how long superseded roots are still settled, and consent roots at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Grace {
    /// For epochs.
    pub epoch_seconds: u64,
    /// For account roots.
    pub account_seconds: u64,
    /// For consent roots: how late a revocation may bite.
    pub consent_seconds: u64,
    /// How old a consent root may be, the newest included; an hour to 366 days. None in files of registries that knew no such limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consent_age_seconds: Option<u64>,
}

impl Default for Grace {
    /// Epochs and accounts a day, consents an hour; no consent root is older than thirty days.
    fn default() -> Self {
        Self {
            epoch_seconds: 86_400,
            account_seconds: 86_400,
            consent_seconds: 3_600,
            consent_age_seconds: Some(30 * 86_400),
        }
    }
}

/// What is to be deployed.
#[derive(Clone, Debug)]
pub struct Config {
    /// The chain.
    pub chain_id: u64,
    /// Who administers the registry in the end; where that is not the deployer, it has to accept.
    pub admin: Address,
    /// The token.
    pub token: TokenChoice,
    /// Its base units in one cent: 1 for two decimals, 10,000 for six.
    pub units_per_cent: U256,
    /// Graces.
    pub grace: Grace,
    /// Keys to register.
    pub keys: Vec<KeyToRegister>,
    /// The key of cohort answers, where there is to be a log of them; [`CohortKeyToRegister::for_chain`] has a default.
    pub cohort: Option<CohortKeyToRegister>,
}

/// What was deployed: the deployment file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Deployment {
    /// Format of this file.
    pub version: u32,
    /// The chain.
    pub chain_id: u64,
    /// Who sent the transactions.
    pub deployer: Address,
    /// Who administers, once it accepted.
    pub admin: Address,
    /// `Registry`.
    pub registry: Address,
    /// `ClaimSettlement`.
    pub settlement: Address,
    /// The ERC-20.
    pub token: Address,
    /// Base units of the token in one cent.
    pub units_per_cent: U256,
    /// Graces.
    pub grace: Grace,
    /// The block of the first transaction: nothing of this deployment happened before it. None where nobody noted it, as
    /// in older files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block: Option<u64>,
    /// Keys.
    pub keys: Vec<RegisteredKey>,
    /// The log of cohort answers and its verifiers; none where it was not asked for, as in older files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cohort: Option<DeployedCohort>,
}

impl Deployment {
    /// The file's version. Contracts of version 1 take other endorsements and publications.
    pub const VERSION: u32 = 2;
}

/// A key of a deployment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RegisteredKey {
    /// The digest by which proofs name it.
    pub digest: B256,
    /// How it came to be.
    pub kind: KeyKind,
    /// Public inputs of its statement.
    pub inputs: usize,
    /// Its `ClaimVerifier`.
    pub verifier: Address,
}

impl Config {
    pub(super) fn check(&self) -> Result<(), Error> {
        let local = LOCAL_CHAINS.contains(&self.chain_id);
        if !local && self.token == TokenChoice::Test {
            return Err(Error::DeploymentRefused(
                "the test token is for chain ids 31337 and 1337: name an ERC-20",
            ));
        }
        let cohort = self.cohort.as_ref().map(CohortKeyToRegister::kind);
        if !local
            && self.keys.iter().map(|key| key.kind).chain(cohort).any(|kind| kind == KeyKind::Development)
        {
            return Err(Error::DeploymentRefused(
                "development keys are for chain ids 31337 and 1337: use ceremony keys",
            ));
        }
        let Grace { epoch_seconds, account_seconds, consent_seconds, consent_age_seconds } = self.grace;
        if [epoch_seconds, account_seconds, consent_seconds].iter().any(|grace| *grace > LONGEST_GRACE) {
            return Err(Error::DeploymentRefused("a grace is longer than thirty days"));
        }
        if !consent_age_seconds.is_some_and(|age| (3_600..=366 * 86_400).contains(&age)) {
            return Err(Error::DeploymentRefused("the age of consent roots must be an hour to 366 days"));
        }
        if self.units_per_cent.is_zero() || self.units_per_cent > U256::from(10).pow(U256::from(30)) {
            return Err(Error::DeploymentRefused("a cent must be 1 to 10^30 base units of the token"));
        }
        if self.admin.is_zero() {
            return Err(Error::DeploymentRefused("the administrator is the zero address"));
        }
        for key in &self.keys {
            calldata::constants(&key.key)?;
            let points = key.key.gamma_abc_g1.len();
            if !(calldata::FIXED_INPUTS + 2..=calldata::FIXED_INPUTS + 33).contains(&points) {
                return Err(Error::InputCount {
                    expected: calldata::FIXED_INPUTS + 2,
                    found: points.saturating_sub(1),
                });
            }
        }
        Ok(())
    }

    /// The file of a deployment of this; `token`, `registry` and `settlement` in this order.
    pub(super) fn deployed(
        &self,
        deployer: Address,
        [token, registry, settlement]: [Address; 3],
        verifiers: &[Address],
        cohort: Option<DeployedCohort>,
    ) -> Deployment {
        let keys = self.keys.iter().zip(verifiers).map(|(key, verifier)| RegisteredKey {
            digest: key.digest,
            kind: key.kind,
            inputs: key.key.gamma_abc_g1.len().saturating_sub(1),
            verifier: *verifier,
        });
        Deployment {
            version: Deployment::VERSION,
            chain_id: self.chain_id,
            deployer,
            admin: self.admin,
            registry,
            settlement,
            token,
            units_per_cent: self.units_per_cent,
            grace: self.grace,
            block: None,
            keys: keys.collect(),
            cohort,
        }
    }
}
