//! `nightingale-poster deploy`.

use super::{Connection, show};
use alloy_primitives::{Address, B256, U256};
use anyhow::{Result, ensure};
use clap::Args;
use nightingale_circuits::cohort::{Class, Size};
use nightingale_contracts::deploy::{CohortKeyToRegister, Config, Grace, KeyKind, TokenChoice};
use nightingale_poster::{PosterError, deployment};
use nightingale_verifier::{
    KeyDigest,
    cohort::{CircuitName, CohortKeys},
};
use std::{collections::BTreeSet, fs, path::PathBuf, process::ExitCode};

/// Deploys registry, settlement, log of cohort answers and a verifier for each key, and registers the keys.
///
/// A deployment that was cut off goes on where it was; one that is finished is found again, not made twice. On chains that
/// are not local (31337, 1337) --chain-id must say which is meant, development keys are left out, the claim keys to register and a token must be named, and a log of cohort answers needs --cohort-keys.
#[derive(Args)]
pub(super) struct Deploy {
    #[command(flatten)]
    connection: Connection,
    /// The chain to sign for: its id. On local chains the node's is taken without it.
    #[arg(long, value_name = "ID")]
    chain_id: Option<u64>,
    /// A directory of verifying keys (`<class>.<digest>.vk`).
    #[arg(long, value_name = "DIR")]
    keys: PathBuf,
    /// A claim key to register, by the digest that the ceremony's auditors published; once for each. On local chains all of the folder are.
    #[arg(long, value_name = "DIGEST")]
    key: Vec<KeyDigest>,
    /// The ERC-20 that escrows hold. Without it: a test token that anybody mints, on local chains only.
    #[arg(long, value_name = "ADDRESS", requires = "units_per_cent")]
    token: Option<Address>,
    /// Base units of the token in one cent: 1 for two decimals, 10000 for six.
    #[arg(long, value_name = "UNITS")]
    units_per_cent: Option<U256>,
    /// A directory of verifying keys for cohort answers (`narrow.14.vk`). Without it: the development key, on local chains
    /// only.
    #[arg(long, value_name = "DIR", conflicts_with = "no_cohort")]
    cohort_keys: Option<PathBuf>,
    /// Deploy no log of cohort answers.
    #[arg(long)]
    no_cohort: bool,
    /// Who administers the registry in the end, and accepts it with accept-administration. Until then, and without it: who deploys.
    #[arg(long, value_name = "ADDRESS")]
    admin: Option<Address>,
    /// How long a superseded epoch is still settled.
    #[arg(long, value_name = "SECONDS", default_value_t = Grace::default().epoch_seconds)]
    epoch_grace: u64,
    /// How long a superseded account root is still settled.
    #[arg(long, value_name = "SECONDS", default_value_t = Grace::default().account_seconds)]
    account_grace: u64,
    /// How long a superseded consent root is still settled: how late a revocation may bite.
    #[arg(long, value_name = "SECONDS", default_value_t = Grace::default().consent_seconds)]
    consent_grace: u64,
    /// How old a consent root may be, the newest included: after that, the authority publishes it again or nothing is settled under it.
    #[arg(long, value_name = "SECONDS", default_value_t = 30 * 86_400)]
    consent_age: u64,
    /// Names this deployment: the same configuration under another label is deployed anew.
    #[arg(long, default_value = "main")]
    label: String,
    /// Write the deployment file here, too.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Print the deployment file.
    #[arg(long)]
    json: bool,
}

impl Deploy {
    pub(super) async fn run(self) -> Result<ExitCode> {
        let mut keys = deployment::keys(&self.keys)?;
        let poster = self.connection.open_on(self.chain_id).await?;
        if !poster.is_local() {
            // Whoever can write in the folder names files and kinds: what is registered for good is what somebody asked for by its digest.
            let asked: BTreeSet<B256> = self.key.iter().map(|digest| B256::from(digest.0)).collect();
            keys.retain(|key| key.kind == KeyKind::Production && asked.contains(&key.digest));
            ensure!(
                !asked.is_empty() && keys.len() == asked.len(),
                "on a public chain name each key to register with --key DIGEST, as the ceremony's auditors published it; one is \
                 missing in the folder, or is a development key"
            );
        }
        let cohort = self.cohort(poster.chain_id())?;
        let config = Config {
            chain_id: poster.chain_id(),
            admin: self.admin.unwrap_or_else(|| poster.address()),
            token: self.token.map_or(TokenChoice::Test, TokenChoice::Existing),
            units_per_cent: self.units_per_cent.unwrap_or(U256::ONE),
            grace: Grace {
                epoch_seconds: self.epoch_grace,
                account_seconds: self.account_grace,
                consent_seconds: self.consent_grace,
                consent_age_seconds: Some(self.consent_age),
            },
            keys,
            cohort,
        };
        let deployed = poster.deploy(config, &self.label).await?;
        if let Some(path) = self.out {
            let text = serde_json::to_string_pretty(&deployed)? + "\n";
            fs::write(&path, text).map_err(|source| PosterError::Io { path, source })?;
        }
        show(self.json, &deployed, || {
            let mut lines = vec![
                format!("registry {}", deployed.registry),
                format!("settlement {}", deployed.settlement),
                format!("token {}", deployed.token),
            ];
            lines.extend(
                deployed.keys.iter().map(|key| format!("verifier {} of key {}", key.verifier, key.digest)),
            );
            if let Some(cohort) = &deployed.cohort {
                lines.push(format!("log {}", cohort.log));
                lines.push(format!("verifier {} of cohort key {}", cohort.verifier, cohort.key));
            }
            lines
        })?;
        Ok(ExitCode::SUCCESS)
    }

    /// The key of cohort answers, where there is to be a log of them.
    fn cohort(&self, chain_id: u64) -> Result<Option<CohortKeyToRegister>, PosterError> {
        let Some(directory) = self.cohort_keys.as_ref().filter(|_| !self.no_cohort) else {
            let usual = (!self.no_cohort).then(|| CohortKeyToRegister::for_chain(chain_id)).transpose()?;
            return Ok(usual.flatten());
        };
        let key = CohortKeys::directory(directory).key(CircuitName::Query(Class::Narrow), Size::Small);
        let key = key.map_err(|source| PosterError::Unreadable { path: directory.clone(), source })?;
        Ok(Some(CohortKeyToRegister::new(key)?))
    }
}
