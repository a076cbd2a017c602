//! Registers a claim key in a registry that is deployed: its verifier first, then the key; and sees that the registry has that very key.

use crate::{Posted, Poster, PosterError, deployment::created};
use alloy_eips::BlockNumberOrTag;
use alloy_primitives::{Address, B256, Bytes};
use alloy_sol_types::SolCall;
use nightingale_contracts::{
    Error, artefacts,
    bindings::Registry::{hasRoleCall, keyCall, registerKeyCall, verifierTemplateCall},
    calldata,
    deploy::{Deployment, KeyKind, KeyToRegister, Request},
};

/// The number of the role that registers keys (`registry/Roles.sol`).
const KEYS: u8 = 0;
/// Steps, as the outbox numbers them.
const VERIFIER: u32 = 0;
const REGISTER: u32 = 1;

/// What became of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRegistration {
    /// The key.
    pub digest: B256,
    /// The contract that the registry has for it, with this key's constants in its code.
    pub verifier: Address,
    /// What this outbox sent for it; empty where somebody else registered it.
    pub posted: Vec<Posted>,
}

impl Poster {
    /// Deploys a key's verifier and registers the key, as an account with the role `Keys`. Once it is registered, by whoever, nothing is sent; that
    /// the registry's verifier is this key's is compared, byte for byte.
    ///
    /// # Errors
    /// The registry would refuse the key, has it disabled or with other constants, or takes verifiers of another release; this account may not
    /// register keys; or something is not mined in time, and then the same call goes on.
    pub async fn register_key(
        &self,
        deployment: &Deployment,
        key: &KeyToRegister,
    ) -> Result<KeyRegistration, PosterError> {
        self.check(deployment).await?;
        if key.kind == KeyKind::Development && !self.is_local() {
            let refused = "development keys are for chain ids 31337 and 1337: use ceremony keys";
            return Err(Error::DeploymentRefused(refused).into());
        }
        let create = Request {
            purpose: format!("deploy the verifier of key {}", key.digest),
            to: None,
            data: calldata::verifier_creation_code(&key.key)?,
        };
        // Which contract it will be is not known before.
        let asked = [create.clone(), register(deployment, key, Address::ZERO)];
        let errand = self.begin(&asked, REGISTER, false).await?;
        if !errand.knows(VERIFIER) {
            if let Some(verifier) = self.verifier_of(deployment, key).await? {
                return Ok(KeyRegistration { digest: key.digest, verifier, posted: Vec::new() });
            }
            self.may_register(deployment).await?;
        }
        let first = self.step(&errand, VERIFIER, &create).await?;
        let receipt = self.node.receipt(first.mined.transaction).await?;
        let verifier = created(&first.purpose, first.created, receipt.as_ref())?
            .ok_or_else(|| Error::NothingCreated(create.purpose.clone()))?;
        let second = self.step(&errand, REGISTER, &register(deployment, key, verifier)).await;
        let mut posted = vec![first];
        match second {
            Ok(second) => posted.push(second),
            // Somebody else may have been faster.
            Err(error @ PosterError::Reverted { .. }) => {
                let verifier = self.verifier_of(deployment, key).await?.ok_or(error)?;
                return Ok(KeyRegistration { digest: key.digest, verifier, posted });
            }
            Err(error) => return Err(error),
        }
        let mut patience = self.patience();
        loop {
            if let Some(verifier) = self.verifier_of(deployment, key).await? {
                return Ok(KeyRegistration { digest: key.digest, verifier, posted });
            }
            // A node that shows state later than receipts.
            if !patience.pause().await {
                return Err(PosterError::malformed(
                    format!("key {}", key.digest),
                    "it was registered, and the node does not show it; run the same command again, or give another node",
                ));
            }
        }
    }

    /// This account may register keys, and the registry takes the verifiers that this program makes: asked before one is paid for.
    async fn may_register(&self, deployment: &Deployment) -> Result<(), PosterError> {
        let account = self.address();
        if !self.node.ask(deployment.registry, &hasRoleCall { role: KEYS, account }).await? {
            let (purpose, reason) = ("register a key".to_owned(), format!("{account} has not the role Keys"));
            return Err(PosterError::Reverted { purpose, reason });
        }
        let template = self.node.ask(deployment.registry, &verifierTemplateCall {}).await?;
        if template != artefacts::verifier_template()?.0 {
            let problem =
                "it takes verifiers of another release; register the key with the release that deployed it";
            return Err(PosterError::malformed(format!("registry {}", deployment.registry), problem));
        }
        Ok(())
    }

    /// The contract by which the registry has a key; none where it does not know it.
    async fn verifier_of(
        &self,
        deployment: &Deployment,
        key: &KeyToRegister,
    ) -> Result<Option<Address>, PosterError> {
        let found = self
            .node
            .ask_at(deployment.registry, &keyCall { digest: key.digest }, BlockNumberOrTag::Latest)
            .await?;
        if found.verifier.is_zero() {
            return Ok(None);
        }
        let (digest, verifier) = (key.digest, found.verifier);
        if self.node.code(verifier).await? != code_of(key)? || found.kind != key.kind.number() {
            return Err(PosterError::KeyDiffers { digest, verifier });
        }
        if found.disabled {
            return Err(PosterError::KeyDisabled { digest });
        }
        Ok(Some(verifier))
    }
}

fn register(deployment: &Deployment, key: &KeyToRegister, verifier: Address) -> Request {
    let call = registerKeyCall { digest: key.digest, kind: key.kind.number(), verifier };
    Request {
        purpose: format!("register key {}", key.digest),
        to: Some(deployment.registry),
        data: call.abi_encode().into(),
    }
}

/// A verifier's code: the template, and the key's constants.
fn code_of(key: &KeyToRegister) -> Result<Bytes, PosterError> {
    let mut code = artefacts::claim_verifier()?.template.unwrap_or_default().to_vec();
    code.extend(calldata::constants(&key.key)?);
    Ok(code.into())
}
