//! Deploys through the outbox, step by step; and reads deployment files.
//!
//! The outbox knows which step of which deployment each row is. So a deployment that was cut off goes on where it was, and
//! one that is finished is found again instead of being made twice.

use crate::{Notice, Poster, PosterError, outbox::State, poster::Goal};
use alloy_primitives::{Address, B256, keccak256};
use alloy_rpc_types_eth::TransactionReceipt;
use nightingale_contracts::{
    bindings::Registry::adminCall,
    deploy::{Config, Deployment, KeyKind, KeyToRegister, Plan},
};
use nightingale_verifier::{KeyDigest, VerifyingKey};
use std::{fs, path::Path};

impl Poster {
    /// Deploys everything that `config` names, or goes on with the deployment of the same configuration that was begun
    /// under the same label. Another label makes another deployment.
    ///
    /// # Errors
    /// The contracts would refuse it, the account cannot pay, or a step is not mined in time: then the same call goes on.
    pub async fn deploy(&self, config: Config, label: &str) -> Result<Deployment, PosterError> {
        let identity = identity(&config, label);
        let mut plan = Plan::new(config, self.address())?;
        self.resume().await?;
        let nothing = self.outbox.came_to_nothing(self.address(), identity).await?;
        self.reopen_where_misjudged(&nothing).await?;
        let mut known = self.outbox.steps(self.address(), identity).await?;
        self.recheck(&mut known).await?;
        let mut step = 0u32;
        let mut steps = Vec::new();
        while let Some(request) = plan.next()? {
            let row = known.iter().find(|row| row.step == Some(step));
            if row.is_some_and(|row| row.to != request.to || row.data != request.data) {
                let problem = format!(
                    "step {step} went out with other addresses, after a reorganisation: give a new --label"
                );
                return Err(PosterError::malformed("deployment", problem));
            }
            let id = match row {
                Some(row) => row.id,
                None => self.write(&request, Some((identity, step)), &[]).await?,
            };
            self.drive(Goal::Mined).await?;
            let row = self.outbox.find(id).await?;
            if matches!(row.state, State::Failed | State::Lost) {
                self.ended(id).await?;
            }
            let receipt = self.receipt_of(&row).await?;
            if let Some(receipt) = receipt.as_ref().filter(|receipt| !receipt.inner.status()) {
                let reason = format!("transaction {} failed", receipt.transaction_hash);
                return Err(PosterError::Reverted { purpose: request.purpose, reason });
            }
            plan.confirm(created(&row.purpose, row.creates(), receipt.as_ref())?)?;
            steps.push(id);
            step += 1;
        }
        self.drive(Goal::Deep).await?;
        let mut first = None::<u64>;
        for id in steps {
            let block = self.ended(id).await?.mined.block;
            first = Some(first.map_or(block, |first| first.min(block)));
        }
        let deployed = Deployment { block: first, ..plan.finish()? };
        if deployed.admin != deployed.deployer {
            let admin = self.node.ask(deployed.registry, &adminCall {}).await?;
            if admin == deployed.deployer {
                let Deployment { registry, deployer, admin, .. } = deployed;
                self.notices.tell(&Notice::AdministrationPending { registry, deployer, admin });
            }
        }
        Ok(deployed)
    }
}

/// The contract that a transaction created, none where its receipt says that it created none. The address follows from account and nonce:
/// were the node believed, whatever is deployed next would trust the contract that it names.
pub(crate) fn created(
    purpose: &str,
    creates: Option<Address>,
    receipt: Option<&TransactionReceipt>,
) -> Result<Option<Address>, PosterError> {
    let (Some(receipt), Some(creates)) = (receipt, creates) else { return Ok(None) };
    match receipt.contract_address {
        Some(told) if told != creates => Err(PosterError::Unexpected {
            purpose: purpose.to_owned(),
            transaction: receipt.transaction_hash,
            problem: format!(
                "the node says that it created {told}, and account and nonce make it {creates}: do not trust this node; give another one and run the \
                 same command again"
            ),
        }),
        told => Ok(told),
    }
}

/// Names a deployment by everything that it is made of.
fn identity(config: &Config, label: &str) -> B256 {
    let mut keys: Vec<String> =
        config.keys.iter().map(|key| format!("{} {:?}", key.digest, key.kind)).collect();
    keys.sort();
    let grace = config.grace;
    let cohort = config.cohort.as_ref().map_or_else(String::new, |key| format!("\ncohort {}", key.digest()));
    keccak256(format!(
        "{label}\n{}\n{}\n{:?}\n{}\n{} {} {} {}\n{}{cohort}",
        config.chain_id,
        config.admin,
        config.token,
        config.units_per_cent,
        grace.epoch_seconds,
        grace.account_seconds,
        grace.consent_seconds,
        grace.consent_age_seconds.unwrap_or_default(),
        keys.join("\n"),
    ))
}

/// Reads a deployment file.
///
/// # Errors
/// There is none, or it is not one.
pub fn read(path: &Path) -> Result<Deployment, PosterError> {
    let bytes = fs::read(path).map_err(|source| PosterError::Io { path: path.to_owned(), source })?;
    let deployment: Deployment = serde_json::from_slice(&bytes).map_err(|error| {
        PosterError::malformed(path.display().to_string(), format!("not a deployment file: {error}"))
    })?;
    if deployment.version != Deployment::VERSION {
        let what = if deployment.version < Deployment::VERSION {
            "its contracts take other endorsements and publications: use the release that deployed them, or deploy anew"
        } else {
            "update this program"
        };
        let problem = format!(
            "its version is {}, this program knows {}; {what}",
            deployment.version,
            Deployment::VERSION
        );
        return Err(PosterError::malformed(path.display().to_string(), problem));
    }
    Ok(deployment)
}

/// Every verifying key of a directory (`<class>.<digest>.vk`), in the order of names.
///
/// # Errors
/// There is none, or one is corrupt or not what its name says.
pub fn keys(directory: &Path) -> Result<Vec<KeyToRegister>, PosterError> {
    let io = |source| PosterError::Io { path: directory.to_owned(), source };
    let mut paths: Vec<_> = fs::read_dir(directory)
        .map_err(io)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()
        .map_err(io)?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "vk"));
    paths.sort();
    let mut keys = Vec::with_capacity(paths.len());
    for path in paths {
        let bytes = fs::read(&path).map_err(|source| PosterError::Io { path: path.clone(), source })?;
        let key = VerifyingKey::from_bytes(&bytes)
            .map_err(|source| PosterError::Unreadable { path: path.clone(), source })?;
        let named = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.rsplit_once('.'));
        if named.and_then(|(_, digest)| digest.parse::<KeyDigest>().ok()) != Some(key.digest()) {
            let problem = format!(
                "its name is not that of key {}: it was renamed or replaced; get it again",
                key.digest()
            );
            return Err(PosterError::malformed(path.display().to_string(), problem));
        }
        keys.push(KeyToRegister {
            digest: B256::from(key.digest().0),
            kind: match key.kind() {
                nightingale_verifier::KeyKind::Development => KeyKind::Development,
                nightingale_verifier::KeyKind::Production => KeyKind::Production,
            },
            key: key.groth16().clone(),
        });
    }
    if keys.is_empty() {
        return Err(PosterError::malformed(directory.display().to_string(), "holds no verifying key (*.vk)"));
    }
    Ok(keys)
}
